"""A live session and its seller, signed in, made in the database that the environment names.

Run as a program: prints {"session", "cookie"} as JSON. A seller's messages are bound to no rate.
"""

from __future__ import annotations

import json
import os
import sys

import django


def make() -> dict[str, object]:
    from django.conf import settings
    from django.test import Client
    from django.utils import timezone

    from accounts.models import Role, User
    from streams.models import LiveSession, SessionStatus

    seller = User.objects.create(
        email=f"seller-{User.objects.count()}@example.com",
        display_name="Seller",
        role=Role.SELLER,
    )
    session = LiveSession.objects.create(
        seller=seller, title="Room", status=SessionStatus.LIVE, started_at=timezone.now()
    )
    browser = Client()
    browser.force_login(seller, backend="django.contrib.auth.backends.ModelBackend")
    name = settings.SESSION_COOKIE_NAME
    return {"session": session.pk, "cookie": f"{name}={browser.cookies[name].value}"}


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "livecourse.settings")
    django.setup()
    json.dump(make(), sys.stdout)
