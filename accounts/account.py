"""What a person may change about their own account."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from accounts.consents import record_consent
from accounts.models import Purpose, StatedAttributes, User

NAMED = ("display_name", "language")


@transaction.atomic
def change_account(*, person: User, changes: Mapping[str, Any]) -> None:
    """Apply those of `display_name`, `language`, `is_personalised` and `stated` that are given.

    `stated` is a mapping of its own, of which what is left out stays. A change of
    `is_personalised` is recorded as a consent; the same value again is none.
    """
    named = {name: changes[name] for name in NAMED if name in changes}
    for name, value in named.items():
        setattr(person, name, value)
    if named:
        person.save(update_fields=list(named))
    wanted = changes.get("is_personalised", person.is_personalised)
    if wanted != person.is_personalised:
        record_consent(user=person, purpose=Purpose.PERSONALISATION, is_granted=wanted)
    if stated := changes.get("stated"):
        person.stated, _is_new = StatedAttributes.objects.update_or_create(
            user=person, defaults=dict(stated)
        )
