"""The fields that people say they care about."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction

from accounts.models import User
from catalog.models import Category, ChosenInterest


@transaction.atomic
def choose_interests(*, user: User, categories: Iterable[Category]) -> None:
    """Make the given categories the person's interests: add what is new, drop what is gone."""
    wanted = {category.pk for category in categories}
    kept = set(user.chosen_interests.values_list("category", flat=True))
    user.chosen_interests.exclude(category__in=wanted).delete()
    ChosenInterest.objects.bulk_create(
        [ChosenInterest(user=user, category_id=pk) for pk in sorted(wanted - kept)],
        ignore_conflicts=True,
    )
