"""What people of another system did, as events; the one target that comes by the million.

Purchases become events alone, no orders or enrolments: these people have no account to sign
in with, and what is learned counts a purchase event as a course taken.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Collection, Sequence
from operator import itemgetter
from typing import Any

from django.db import IntegrityError, connection

from accounts.models import User
from analytics.csv_import import cells
from analytics.csv_import.columns import Column
from analytics.csv_import.errors import UnusableFile
from analytics.csv_import.targets import EXTERNAL_ID_LENGTH, ImportContext, KnownIds, Row, Stored
from analytics.models import Event, EventKind
from catalog.models import Course
from streams.models import LiveSession

# Never change it: it makes the ids by which a repeated import knows its rows.
_NAMESPACE = uuid.UUID("8f1f0a52-3f0e-4c43-9d0e-6a5c1f5d2b77")
LARGEST_VALUE = 1e9
_COLUMNS = (
    "uuid",
    "kind",
    "user_id",
    "course_id",
    "live_session_id",
    "value",
    "occurred_at",
    "position",
    "received_at",
)


class Interactions:
    """Target `interactions`: events of known people with known courses or live sessions."""

    name = "interactions"
    batch_size = 5_000

    def __init__(self, context: ImportContext) -> None:
        self._context = context
        self._users = KnownIds(User, source=context.source)
        self._courses = KnownIds(Course, source=context.source)
        self._sessions = KnownIds(LiveSession, source=context.source)
        external_id = cells.text(EXTERNAL_ID_LENGTH)
        self.columns: Sequence[Column] = [
            Column("user", external_id, is_required=True),
            Column("course", external_id),
            Column("live_session", external_id),
            Column("kind", cells.choice({kind.api_name: kind.value for kind in EventKind})),
            Column("occurred_at", cells.past_moment(context.now)),
            Column("position", cells.whole()),
            Column("value", cells.number(0, LARGEST_VALUE)),
            Column("external_id", external_id),
        ]

    def check_columns(self, present: Collection[str]) -> None:
        if not {"course", "live_session"} & set(present):
            raise UnusableFile(
                'a column "course" or "live_session" is needed; --map THEIRS=OURS names it'
            )
        if not {"occurred_at", "position"} & set(present):
            raise UnusableFile(
                'a column "occurred_at" or "position" is needed; --map THEIRS=OURS names it'
            )

    def forget(self) -> None:
        """What is remembered are rows of other targets, which no batch of this one makes."""

    def store(self, rows: Sequence[Row]) -> Stored:
        users = self._look_up(self._users, rows, "user")
        courses = self._look_up(self._courses, rows, "course")
        sessions = self._look_up(self._sessions, rows, "live_session")
        adapt = connection.ops.adapt_datetimefield_value
        received_at = adapt(self._context.now)
        stored = Stored()
        parameters = []
        for row in rows:
            values = row.values
            user, course, session = (
                values["user"],
                values.get("course"),
                values.get("live_session"),
            )
            reason = ""
            if user not in users:
                reason = f"user: {cells.shown(user)} is not known"
            elif course is not None and course not in courses:
                reason = f"course: {cells.shown(course)} is not known"
            elif session is not None and session not in sessions:
                reason = f"live_session: {cells.shown(session)} is not known"
            elif course is None and session is None:
                reason = "has neither a course nor a live session"
            elif "occurred_at" not in values and "position" not in values:
                reason = "has neither a time nor a position"
            if reason:
                stored.refused.append((row.line, reason))
                continue
            happened = values.get("occurred_at")
            parameters.append(
                (
                    self._uuid(values),
                    values.get("kind", EventKind.PURCHASE.value),
                    users[user],
                    None if course is None else courses[course],
                    None if session is None else sessions[session],
                    values.get("value"),
                    None if happened is None else adapt(happened),
                    values.get("position"),
                    received_at,
                )
            )
        stored.n_stored = _insert_new(parameters)
        stored.n_unchanged = len(parameters) - stored.n_stored
        return stored

    @staticmethod
    def _look_up(known: KnownIds, rows: Sequence[Row], name: str) -> Any:
        return known.look_up({row.values[name] for row in rows if name in row.values})

    def _uuid(self, values: dict[str, Any]) -> str:
        """The same row of the same source has the same id, whichever file it comes in.

        A row with an id of its own is told by it alone, else by all that it says.
        """
        if "external_id" in values:
            identity = values["external_id"]
        else:
            happened = values.get("occurred_at")
            identity = "\x1f".join(
                (
                    "",
                    str(values.get("kind", EventKind.PURCHASE.value)),
                    values["user"],
                    values.get("course", ""),
                    values.get("live_session", ""),
                    "" if happened is None else happened.isoformat(),
                    str(values.get("position", "")),
                    str(values.get("value", "")),
                )
            )
        return uuid5_hex(f"{self._context.source}\x1f{identity}")


def uuid5_hex(name: str) -> str:
    """`uuid.uuid5` of the name as 32 hexadecimal digits, in half the time (RFC 9562, 5.5)."""
    digits = hashlib.sha1(_NAMESPACE.bytes + name.encode(), usedforsecurity=False).hexdigest()
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:12]}5{digits[13:16]}{variant}{digits[17:32]}"


def _insert_new(parameters: Sequence[tuple[Any, ...]]) -> int:
    """Insert the events whose uuid is not there yet; returns how many that were.

    Written without models, and without the columns that no row fills: both cost more time
    than the database does.
    """
    if not parameters:
        return 0
    filled = [
        place for place in range(len(_COLUMNS)) if any(row[place] is not None for row in parameters)
    ]
    quote = connection.ops.quote_name
    columns = ", ".join(quote(_COLUMNS[place]) for place in filled)
    marks = ", ".join(["%s"] * len(filled))
    into = f"INTO {quote(Event._meta.db_table)} ({columns}) VALUES ({marks})"
    with connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT IGNORE {into}"
            if connection.vendor == "mysql"
            else f"INSERT {into} ON CONFLICT (uuid) DO NOTHING",
            list(map(itemgetter(*filled), parameters)),
        )
        n_stored = max(cursor.rowcount, 0)
    if n_stored < len(parameters):
        # IGNORE passes over any error, a course deleted meanwhile as well as a known uuid.
        wanted = {uuid.UUID(row[0]) for row in parameters}
        n_there = Event.objects.filter(uuid__in=wanted).count()
        if n_there < len(wanted):
            raise IntegrityError(
                f"{len(wanted) - n_there} events were not stored: their person, course or live "
                "session was deleted during the import; run the command again"
            )
    return n_stored
