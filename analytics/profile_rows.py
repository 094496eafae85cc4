"""Profiles as rows: what a person corrected read, and put into what is stored of them at once."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import Any

from analytics.methods.derived_profile import (
    HOURS,
    OFF,
    PARTS,
    PRICE,
    Corrections,
    DerivedProfile,
    derive,
)
from analytics.models import ModelRun, Profile, ProfileCorrection
from catalog.models import ChosenInterest

# Raised when the rules of a profile change: profiles of an older build are made anew.
BUILD = 2
INTEREST_SUBJECT = "interest:"
_DERIVED = tuple(one.name for one in fields(DerivedProfile))


def subject_of_field(category_id: int) -> str:
    """How a correction names the interest in one field."""
    return f"{INTEREST_SUBJECT}{category_id}"


def read_corrections(user_ids: Collection[int] | None = None) -> dict[int, Corrections]:
    """What people said of their profiles, by person (None: of everybody who said anything)."""
    rows = ProfileCorrection.objects.order_by("pk")
    if user_ids is not None:
        rows = rows.filter(user__in=user_ids)
    said: dict[int, Corrections] = {}
    for person, subject, is_off, value in rows.values_list("user", "subject", "is_off", "value"):
        said[person] = _with(said.get(person, Corrections()), subject, is_off, value)
    return said


def _with(said: Corrections, subject: str, is_off: bool, value: Any) -> Corrections:
    if subject.startswith(INTEREST_SUBJECT):
        category = int(subject.removeprefix(INTEREST_SUBJECT))
        return replace(said, fields={**said.fields, category: OFF if is_off else value})
    if is_off and subject in PARTS:
        said = replace(said, off=said.off | {subject})
    if subject == HOURS and value:
        return replace(said, hours=tuple(value))
    if subject == PRICE and value:
        return replace(said, band=value)
    return said


def columns_of(found: DerivedProfile) -> dict[str, Any]:
    """The columns of a Profile that hold what was derived."""
    columns = {name: getattr(found, name) for name in _DERIVED}
    last = found.last_active_at
    return {**columns, "last_active_at": last and last.replace(tzinfo=UTC)}


def apply_corrections(user_ids: Collection[int], *, moment: datetime) -> None:
    """Derive the stored profiles of some people again, from their sums as they are.

    Within the caller's transaction, until whose end the rows are locked. Whoever has no profile
    is left to the next build. The sums themselves stay, as the events do: what is switched on
    again is there at once.
    """
    said = read_corrections(user_ids)
    chosen: dict[int, list[int]] = {}
    choices = ChosenInterest.objects.filter(user__in=user_ids).order_by("user", "category")
    for person, category in choices.values_list("user", "category"):
        chosen.setdefault(person, []).append(category)
    locked = Profile.objects.select_for_update().filter(pk__in=user_ids).order_by("pk")
    for profile in locked:
        if profile.version != BUILD:
            # Its sums are of other rules; the next build makes all of them anew.
            profile.delete()
            continue
        profile.state.pop("chosen", None)
        if profile.pk in chosen:
            profile.state["chosen"] = chosen[profile.pk]
        found = derive(
            profile.state,
            chosen=chosen.get(profile.pk, ()),
            bounds=bounds_of(profile.run),
            now=moment.astimezone(UTC).replace(tzinfo=None),
            corrections=said.get(profile.pk, Corrections()),
        )
        columns = columns_of(found)
        for name, value in columns.items():
            setattr(profile, name, value)
        profile.save(update_fields=["state", *columns])


def bounds_of(run: ModelRun) -> dict[str, tuple[float, float]]:
    """The bounds of the price bands of a run, by currency."""
    return {
        currency: (low, high)
        for currency, (low, high) in run.parameters.get("price_bounds", {}).items()
    }
