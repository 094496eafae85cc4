"""What the platform derived about one person, as that person reads it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from accounts.models import User
from analytics.methods.derived_profile import INTERESTS, OFF, Corrections
from analytics.models import Profile
from analytics.profile_rows import read_corrections
from catalog.models import Category, ChosenInterest


@dataclass(frozen=True)
class KnownField:
    """One field of interest: its share of all (0 to 1) with the events behind it; `answer` is
    what the person said of it, "more", "less" or ""."""

    category: Category
    weight: float
    n_events: int
    is_chosen: bool
    answer: str


@dataclass(frozen=True)
class KnownProfile:
    """All that is derived of one person, and what they said of it.

    A part in `off` is empty; so is everything without personalisation, and before the first
    build (`built_at` is None then). Columns are those of Profile.
    """

    is_personalised: bool
    said: Corrections = field(default_factory=Corrections)
    built_at: datetime | None = None
    n_events: int = 0
    fields: list[KnownField] = field(default_factory=list)
    fields_off: list[Category] = field(default_factory=list)
    hours: list[dict[str, int]] = field(default_factory=list)
    price: dict[str, Any] = field(default_factory=dict)
    stage: str = ""
    stage_label: str = ""
    last_active_at: datetime | None = None
    engagement: dict[str, int] = field(default_factory=dict)

    @property
    def off(self) -> frozenset[str]:
        return self.said.off


def known_profile(person: User) -> KnownProfile:
    """What is known of the person now, by their own corrections."""
    if not person.is_personalised:
        return KnownProfile(is_personalised=False)
    said = read_corrections([person.pk]).get(person.pk, Corrections())
    stored = Profile.objects.filter(pk=person.pk).first()
    profile = stored or Profile(user=person)
    names = Category.objects.in_bulk(
        {*said.fields, *(one["category"] for one in profile.interests)}
    )
    chosen = set(ChosenInterest.objects.filter(user=person).values_list("category", flat=True))
    return KnownProfile(
        is_personalised=True,
        said=said,
        built_at=stored.built_at if stored else None,
        n_events=profile.n_events,
        fields=[
            KnownField(
                category=names[one["category"]],
                weight=one["weight"],
                n_events=one["n_events"],
                is_chosen=one["category"] in chosen,
                answer=said.fields.get(one["category"], ""),
            )
            for one in profile.interests
            if one["category"] in names
        ],
        fields_off=[]
        if INTERESTS in said.off
        else [
            names[category]
            for category, answer in said.fields.items()
            if answer == OFF and category in names
        ],
        hours=profile.favourite_hours,
        price=profile.price,
        stage=profile.stage,
        stage_label=profile.get_stage_display(),
        last_active_at=profile.last_active_at,
        engagement=profile.engagement,
    )
