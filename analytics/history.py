"""What scoring needs to know of one person, read in one statement."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import numpy as np
from django.db import connection
from django.db.models import Count, Model, Q

from accounts.models import Gender, Occupation, StatedAttributes
from analytics.intent import KIND_WEIGHTS, TAKEN_KINDS
from analytics.methods.served_model import History, Person
from analytics.models import Event, EventKind, ProfileCorrection
from catalog.models import ChosenInterest, Course, Enrollment

# The newest events that are looked at: what is older has decayed to nothing.
MOST_EVENTS = 300
INTEREST_SUBJECT = "interest:"
_GENDERS = {value: code for code, value in enumerate(Gender.values)}
_OCCUPATIONS = {value: code for code, value in enumerate(Occupation.values)}
_EVENT, _OWNED, _CHOSEN, _STATED, _OFF = range(5)


@dataclass
class PersonHistory:
    """One person: `did` maps a course id to (order, weight, whether it was taken), see `_pairs` of
    the learning data for its rules; owned are courses with access now; chosen and off are ids of
    fields that the person chose, and switched off."""

    did: dict[int, tuple[float, float, bool]] = field(default_factory=dict)
    owned: set[int] = field(default_factory=set)
    chosen: list[int] = field(default_factory=list)
    off: set[int] = field(default_factory=set)
    birth_year: int | None = None
    gender: str = ""
    occupation: str = ""

    def history(self, index_of: Mapping[int, int]) -> History:
        """As a model with these indices of courses takes it; unknown courses fall out."""
        entries = sorted(
            (order, index_of[course], weight)
            for course, (order, weight, _taken) in self.did.items()
            if course in index_of
        )
        if not entries:
            return History.empty()
        orders = np.array([order for order, _item, _weight in entries])
        n_later = len(orders) - np.searchsorted(orders, orders, side="right")
        return History(
            items=np.array([item for _order, item, _weight in entries], dtype=np.int32),
            weight=np.array([weight for _order, _item, weight in entries], dtype=np.float32),
            age=n_later.astype(np.int32),
        )

    def person(self, category_index: Mapping[int, int], *, year: int) -> Person:
        """What the person said, as a model with these indices of categories takes it."""
        return Person(
            age=float("nan") if self.birth_year is None else float(year - self.birth_year),
            gender=_GENDERS.get(self.gender, -1),
            occupation=_OCCUPATIONS.get(self.occupation, -1),
            interests=tuple(
                category_index[one]
                for one in sorted(self.chosen)
                if one in category_index and one not in self.off
            ),
        )


def read_history(user_id: int) -> PersonHistory:
    """Everything about one person, by indexed look-ups in one round trip."""
    return read_histories([user_id])[user_id]


def read_histories(user_ids: Sequence[int]) -> dict[int, PersonHistory]:
    """The same for some people, at most a thousand, in one round trip too."""
    found = {user_id: PersonHistory() for user_id in user_ids}
    if not found:
        return found
    with connection.cursor() as cursor:
        people = list(found)
        cursor.execute(_statement(len(people)), [*people, MOST_EVENTS, *people * 4])
        rows = cursor.fetchall()
    for user_id, *row in rows:
        _read(found[user_id], row)
    return found


def _read(found: PersonHistory, row: Sequence[Any]) -> None:
    what, number, other, moment, text = row
    if what == _EVENT:
        kind = EventKind(number)
        order = float(text) if moment is None else _micros(moment)
        _note(found.did, other, order, KIND_WEIGHTS[kind], kind in TAKEN_KINDS)
    elif what == _OWNED:
        found.owned.add(other)
        _note(found.did, other, _micros(moment), 1.0, True)
    elif what == _CHOSEN:
        found.chosen.append(other)
    elif what == _STATED:
        found.birth_year = number
        found.gender, _, found.occupation = text.partition("|")
    else:
        category = text.removeprefix(INTEREST_SUBJECT)
        if category.isdecimal():
            found.off.add(int(category))


def _note(
    did: dict[int, tuple[float, float, bool]], course: int, order: float, weight: float, taken: bool
) -> None:
    """When it was first taken, or else last looked at; the strongest that was done."""
    before = did.get(course)
    if before is None:
        did[course] = (order, weight, taken)
        return
    had_order, had_weight, had_taken = before
    if taken and had_taken:
        order = min(order, had_order)
    elif had_taken or (not taken and had_order > order):
        order = had_order
    did[course] = (order, max(weight, had_weight), taken or had_taken)


def _micros(moment: datetime | str) -> float:
    """Microseconds since 1970 of what the database gives for a moment, which is in UTC."""
    when = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return round(when.timestamp() * 1e6)


@lru_cache(maxsize=16)
def _statement(n_people: int) -> str:
    """Names only, all from the models; the values are bound."""
    name = connection.ops.quote_name

    def table(model: type[Model]) -> str:
        return name(model._meta.db_table)

    kinds = ", ".join(str(int(kind)) for kind in KIND_WEIGHTS)
    who = f"user_id IN ({', '.join(['%s'] * n_people)})"
    if connection.vendor == "mysql":
        position, said = "CAST(e.position AS CHAR)", "CONCAT(s.gender, '|', s.occupation)"
    else:
        position, said = "CAST(e.position AS TEXT)", "s.gender || '|' || s.occupation"
    newest = "occurred_at DESC, position DESC"
    if n_people == 1:
        limited = f"ORDER BY {newest} LIMIT %s) e"
        place = ""
    else:
        limited = ") e WHERE e.place <= %s"
        place = f", ROW_NUMBER() OVER (PARTITION BY user_id ORDER BY {newest}) AS place"
    return (
        f"SELECT e.user_id, {_EVENT}, e.kind, e.course_id, e.occurred_at, {position} "  # noqa: S608
        f"FROM (SELECT user_id, kind, course_id, occurred_at, position{place} "
        f"FROM {table(Event)} WHERE {who} AND course_id IS NOT NULL AND kind IN ({kinds}) "
        f"{limited} "
        f"UNION ALL SELECT user_id, {_OWNED}, 0, course_id, enrolled_at, NULL "
        f"FROM {table(Enrollment)} WHERE {who} AND is_active = 1 "
        f"UNION ALL SELECT user_id, {_CHOSEN}, 0, category_id, NULL, NULL "
        f"FROM {table(ChosenInterest)} WHERE {who} "
        f"UNION ALL SELECT s.user_id, {_STATED}, s.birth_year, 0, NULL, {said} "
        f"FROM {table(StatedAttributes)} s WHERE {who} "
        f"UNION ALL SELECT user_id, {_OFF}, 0, 0, NULL, subject "
        f"FROM {table(ProfileCorrection)} WHERE {who} AND is_off = 1"
    )


def finished_courses(user_id: int, course_ids: Iterable[int]) -> set[int]:
    """Those of the courses of which the person completed every lesson."""
    wanted = list(course_ids)
    if not wanted:
        return set()
    done = Q(
        sections__lessons__progress__user=user_id,
        sections__lessons__progress__completed_at__isnull=False,
    )
    counted = Course.objects.filter(pk__in=wanted).annotate(
        n_lessons=Count("sections__lessons", distinct=True),
        n_done=Count("sections__lessons", filter=done, distinct=True),
    )
    return {one.pk for one in counted if one.n_lessons and one.n_lessons == one.n_done}
