"""Buyers with tokens, and things to buy, made straight in the database.

Run as a program it makes them in the database that the environment names and prints them as JSON:
`python -m tests.concurrency.world N_BUYERS N_SEATS`.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import timedelta
from typing import TYPE_CHECKING

import django

if TYPE_CHECKING:
    from catalog.models import Promotion


def make_buyers(n: int) -> list[str]:
    """New people who can buy; their tokens, which hold for hours."""
    from rest_framework_simplejwt.tokens import AccessToken

    from accounts.models import User

    n_before = User.objects.count()
    emails = [f"buyer{n_before + place}@example.com" for place in range(n)]
    # A token says of which password it is; a password that nobody knows will do.
    User.objects.bulk_create([User(email=email, password="!") for email in emails])
    tokens = []
    for buyer in User.objects.filter(email__in=emails).order_by("pk"):
        token = AccessToken.for_user(buyer)
        token.set_exp(lifetime=timedelta(hours=6))
        tokens.append(str(token))
    return tokens


def make_offer(seats: int | None) -> Promotion:
    """A course of a new seller with a running promotion of so many seats."""
    from tests.factories import PromotionFactory

    return PromotionFactory(seats=seats, seats_left=seats)


if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "livecourse.settings"
    django.setup()
    n_buyers, n_seats = map(int, sys.argv[1:])
    offer = make_offer(n_seats)
    print(json.dumps({"tokens": make_buyers(n_buyers), "course": offer.course_id}))
