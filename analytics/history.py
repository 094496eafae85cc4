"""What scoring needs to know of one person, read in one statement."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from operator import itemgetter
from typing import Any

import numpy as np
from django.db import connection
from django.db.models import Model

from accounts.models import Gender, Occupation, StatedAttributes
from accounts.plain_rows import fetch_rows
from analytics.intent import KIND_WEIGHTS, TAKEN_KINDS
from analytics.methods.served_model import History, Person
from analytics.models import Event, ProfileCorrection
from catalog.models import ChosenInterest, Enrollment, LessonProgress

# The newest events that are looked at: what is older has decayed to nothing.
MOST_EVENTS = 300
INTEREST_SUBJECT, ALL_INTERESTS = "interest:", "interests"
_WEIGHTS = {int(kind): weight for kind, weight in KIND_WEIGHTS.items()}
_TAKEN = {int(kind) for kind in TAKEN_KINDS}
_GENDERS = {value: code for code, value in enumerate(Gender.values)}
_OCCUPATIONS = {value: code for code, value in enumerate(Occupation.values)}
_DID, _OWNED, _CHOSEN, _STATED, _OFF, _DONE = range(6)
N_BRANCHES = 6


@dataclass
class PersonHistory:
    """One person: `did` maps a course id to (order, weight, whether it was taken), see `_pairs` of
    the learning data for its rules; owned are courses with access now; chosen and off are ids of
    fields that the person chose, and switched off; uses_interests is false where all are off;
    lessons_done are ids of the lessons that they completed."""

    did: dict[int, tuple[float, float, bool]] = field(default_factory=dict)
    owned: set[int] = field(default_factory=set)
    chosen: list[int] = field(default_factory=list)
    off: set[int] = field(default_factory=set)
    uses_interests: bool = True
    lessons_done: set[int] = field(default_factory=set)
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
                if self.uses_interests and one in category_index and one not in self.off
            ),
        )


def read_history(user_id: int) -> PersonHistory:
    """Everything about one person, by indexed look-ups in one round trip."""
    return history_of(read_rows([user_id]))


def read_histories(user_ids: Sequence[int]) -> dict[int, PersonHistory]:
    """The same for some people, at most a thousand, in one round trip too."""
    of_person: dict[int, list[tuple[Any, ...]]] = {user_id: [] for user_id in user_ids}
    for row in read_rows(list(of_person)):
        of_person[row[0]].append(row)
    return {user_id: history_of(rows) for user_id, rows in of_person.items()}


def read_rows(user_ids: Sequence[int]) -> tuple[tuple[Any, ...], ...]:
    """What `history_of` takes, of some people; equal rows are the same history."""
    if not user_ids:
        return ()
    with connection.cursor() as cursor:
        cursor.execute(_statement(len(user_ids)), [*user_ids] * N_BRANCHES)
        return tuple(cursor.fetchall())


def history_of(rows: Iterable[tuple[Any, ...]]) -> PersonHistory:
    """The rows of one person, understood."""
    found = PersonHistory()
    did, owned, lessons_done = found.did, found.owned, found.lessons_done
    # What they did comes before what they have, whichever way the database unites them.
    for _user_id, what, number, kind, order, text in sorted(rows, key=itemgetter(1)):
        if what == _DID:
            _note(did, number, float(order), _WEIGHTS[kind], kind in _TAKEN)
        elif what == _DONE:
            lessons_done.add(number)
        elif what == _OWNED:
            owned.add(number)
            _note(did, number, float(order), 1.0, True)
        else:
            _read_said(found, what, number, text)
    return found


def _read_said(found: PersonHistory, what: int, number: int | None, text: str) -> None:
    if what == _CHOSEN:
        assert number is not None, "a chosen interest is one of a field"
        found.chosen.append(number)
    elif what == _STATED:
        found.birth_year = number
        found.gender, _, found.occupation = text.partition("|")
    elif text == ALL_INTERESTS:
        found.uses_interests = False
    elif (category := text.removeprefix(INTEREST_SUBJECT)).isdecimal():
        found.off.add(int(category))


def _note(
    did: dict[int, tuple[float, float, bool]], course: int, order: float, weight: float, taken: bool
) -> None:
    """When it was first taken, or else last looked at; the strongest that was done."""
    before = did.get(course)
    if before is not None:
        had_order, had_weight, had_taken = before
        weight = max(weight, had_weight)
        if taken and had_taken:
            order = min(order, had_order)
        elif had_taken or (not taken and had_order > order):
            order = had_order
        taken = taken or had_taken
    did[course] = (order, weight, taken)


@lru_cache(maxsize=16)
def _statement(n_people: int) -> str:
    """One row per event with a course, per course that a person has, and per thing that they said.

    Names come from the models, numbers from the constants; the people are bound.
    """
    name = connection.ops.quote_name

    def table(model: type[Model]) -> str:
        return name(model._meta.db_table)

    kinds = ", ".join(str(int(kind)) for kind in KIND_WEIGHTS)
    who = f"user_id IN ({', '.join(['%s'] * n_people)})" if n_people > 1 else "user_id = %s"
    if connection.vendor == "mysql":
        micros = "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', {0})"
        said = "CONCAT(gender, '|', occupation)"
        # Columns that are signed in one part and unsigned in another come as decimals, which cost
        # the driver and whoever looks them up several times as much.
        whole = "CAST({0} AS SIGNED)"
    else:
        micros = "strftime('%%s', {0}) * 1000000 + CAST(substr({0}, 21, 6) AS INTEGER)"
        said = "gender || '|' || occupation"
        whole = "{0}"
    kind, born = whole.format("kind"), whole.format("birth_year")
    order = f"COALESCE({micros.format('occurred_at')}, {whole.format('position')})"
    # As the index of a person's events goes, so that nothing is sorted.
    newest = "occurred_at DESC, position DESC, kind DESC, course_id DESC, id DESC"
    events = f"FROM {table(Event)} WHERE {who} AND course_id IS NOT NULL AND kind IN ({kinds})"
    if n_people > 1:
        did = (
            f"SELECT user_id, {_DID}, course_id, what, at, NULL "  # noqa: S608
            f"FROM (SELECT user_id, {kind} AS what, course_id, {order} AS at, "
            f"ROW_NUMBER() OVER (PARTITION BY user_id ORDER BY {newest}) AS place {events}) e "
            f"WHERE place <= {MOST_EVENTS}"
        )
    else:
        did = (
            f"SELECT user_id, {_DID}, course_id, {kind}, {order}, NULL {events} "
            f"ORDER BY {newest} LIMIT {MOST_EVENTS}"
        )
        # A part of a union with a limit of its own: SQLite knows it as a table alone, for which
        # MariaDB would write one.
        did = f"({did})" if connection.vendor == "mysql" else f"SELECT * FROM ({did})"  # noqa: S608
    return (
        f"{did} "  # noqa: S608
        f"UNION ALL SELECT user_id, {_OWNED}, course_id, NULL, {micros.format('enrolled_at')}, "
        f"NULL FROM {table(Enrollment)} WHERE {who} AND is_active = 1 "
        f"UNION ALL SELECT user_id, {_CHOSEN}, category_id, NULL, NULL, NULL "
        f"FROM {table(ChosenInterest)} WHERE {who} "
        f"UNION ALL SELECT user_id, {_STATED}, {born}, NULL, NULL, {said} "
        f"FROM {table(StatedAttributes)} WHERE {who} "
        f"UNION ALL SELECT user_id, {_OFF}, NULL, NULL, NULL, subject "
        f"FROM {table(ProfileCorrection)} WHERE {who} AND is_off = 1 "
        f"UNION ALL SELECT user_id, {_DONE}, lesson_id, NULL, NULL, NULL "
        f"FROM {table(LessonProgress)} WHERE {who} AND completed_at IS NOT NULL"
    )


def owned_courses(user_id: int) -> set[int]:
    """What the person has access to now, and nothing else of them."""
    return {
        one.course_id
        for one in fetch_rows(Enrollment, fields=("course_id",), user_id=user_id, is_active=True)
    }
