"""What people say of their own profile: a part is off, or is another than was derived.

Every part can be switched off; the fields of interest, the favourite hours and the price band
can also be put right, since a person knows them better than their clicks do. A stage and the
counts of live rooms say what happened: there is nothing to put in their place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from django.db import OperationalError, transaction
from django.utils.translation import gettext as _

from accounts.models import User
from analytics.events import TRIES, TRY_AGAIN
from analytics.methods.derived_profile import BANDS, HOURS, LESS, MORE, N_HOURS, PARTS, PRICE
from analytics.models import ProfileCorrection
from analytics.profile_rows import INTEREST_SUBJECT, apply_corrections, subject_of_field
from catalog.models import Category, ChosenInterest

__all__ = [
    "Answer", "BadCorrection", "Change", "NotPersonalised", "correct_profile", "subject_of_field",
]  # fmt: skip

FIELD_ANSWERS = (MORE, LESS)


class NotPersonalised(Exception):
    """Nothing is derived of the person, so that there is nothing to correct."""

    def __init__(self) -> None:
        super().__init__(
            _("Nothing is derived about you while personal recommendations are turned off.")
        )


class BadCorrection(Exception):
    """What was said cannot be: `part` is interests, hours, price, stage or engagement."""

    def __init__(self, part: str, message: str) -> None:
        super().__init__(message)
        self.part = part


class Answer(StrEnum):
    """What is said of a part: OFF and ON switch it, INSTEAD puts it right (and on), RESET takes
    everything back that was said of it, ADD chooses a field (and switches it on)."""

    OFF = "off"
    ON = "on"
    INSTEAD = "instead"
    RESET = "reset"
    ADD = "add"


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that a person says of one part.

    subject: one of PARTS, or `subject_of_field` of a category. value, with INSTEAD only: one to
    N_HOURS hours of the day (0 to 23, platform's zone), one of BANDS, or MORE or LESS of a field.
    """

    subject: str
    answer: Answer
    value: Any = None


def correct_profile(*, person: User, changes: Sequence[Change], moment: datetime) -> None:
    """Keep what the person says, and derive their stored profile by it at once: all or nothing.

    Raises BadCorrection for the first change that cannot be, and NotPersonalised.
    """
    for change in changes:
        _check(change)
    if not changes:
        return
    for tries_left in reversed(range(TRIES)):
        try:
            with transaction.atomic():
                _lock(person)
                for change in changes:
                    _keep(person, change, moment)
                apply_corrections([person.pk], moment=moment)
            return
        except OperationalError as error:
            if not tries_left or error.args[0] not in TRY_AGAIN:
                raise


def _lock(person: User) -> None:
    """Lock the person until the commit, if they allow personalisation.

    A build that makes their first profile waits for this lock, since its row refers to the
    person; and an erasure that came between would leave rows that nothing removes any more.
    """
    people = User.objects.select_for_update().filter(pk=person.pk, is_active=True)
    if people.filter(is_personalised=True).values_list("pk", flat=True).first() is None:
        raise NotPersonalised


def _keep(person: User, change: Change, moment: datetime) -> None:
    own = ProfileCorrection.objects.filter(user=person, subject=change.subject)
    if change.answer == Answer.ADD:
        category_id = int(change.subject.removeprefix(INTEREST_SUBJECT))
        ChosenInterest.objects.get_or_create(user=person, category_id=category_id)
    if change.answer in (Answer.RESET, Answer.ADD):
        own.delete()
    elif change.answer == Answer.ON:
        # What was put right before it was switched off stands again.
        own.filter(value__isnull=True).delete()
        own.update(is_off=False, changed_at=moment)
    else:
        said: dict[str, Any] = {"is_off": change.answer == Answer.OFF, "changed_at": moment}
        if change.answer == Answer.INSTEAD:
            said["value"] = change.value
        ProfileCorrection.objects.update_or_create(
            user=person, subject=change.subject, defaults=said
        )


def _check(change: Change) -> None:
    is_field = change.subject.startswith(INTEREST_SUBJECT)
    part = "interests" if is_field else change.subject
    if part not in PARTS:
        raise BadCorrection(part, _("There is no such part of a profile."))
    if is_field:
        number = change.subject.removeprefix(INTEREST_SUBJECT)
        is_number = number.isascii() and number.isdecimal() and len(number) < 19
        if not is_number or not Category.objects.filter(pk=number).exists():
            raise BadCorrection(part, _("There is no such field."))
    elif change.answer == Answer.ADD:
        raise BadCorrection(part, _("Only a field can be added."))
    if change.answer == Answer.INSTEAD:
        _check_value(change, is_field=is_field)


def _check_value(change: Change, *, is_field: bool) -> None:
    value = change.value
    if is_field:
        if value not in FIELD_ANSWERS:
            raise BadCorrection("interests", _("Of a field you can say more or less."))
    elif change.subject == HOURS:
        if not _are_hours(value):
            raise BadCorrection(
                HOURS, _("Choose from one to %(n)d hours of the day.") % {"n": N_HOURS}
            )
    elif change.subject == PRICE:
        if value not in BANDS:
            raise BadCorrection(PRICE, _("Choose one of the price bands."))
    else:
        raise BadCorrection(change.subject, _("This part can only be switched off or on."))


def _are_hours(value: Any) -> bool:
    return (
        isinstance(value, list | tuple)
        and 1 <= len(value) <= N_HOURS
        and all(type(hour) is int and 0 <= hour < 24 for hour in value)
        and len(set(value)) == len(value)
    )
