"""Purchases as events: what was bought stands among what people did, once for each line."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta

import pandas as pd

from analytics import frames
from analytics.models import Event, EventKind

# A sale is dated before its transaction ends: look back a little further than the last look.
OVERLAP = timedelta(hours=1)
_NAMESPACE = uuid.UUID("5f1d1f3e-0b7a-4f43-9a43-6c9b8f1f2a10")


def uuid_of_line(line_id: int) -> uuid.UUID:
    """The id of the event of one line of an order, by its primary key: always the same."""
    return uuid.uuid5(_NAMESPACE, str(line_id))


def record_purchases(*, since: datetime | None, now: datetime) -> int:
    """Add the purchase events of lines paid at or after `since` (None: ever), each once.

    Orders stay the truth about sales; these events are for what learns from behaviour. A refund
    changes nothing here: that the person wanted the course stays true. Returns how many lines
    were looked at. People who refuse personalisation get none.
    """
    n_lines = 0
    for lines in frames.paid_lines(since=None if since is None else since - OVERLAP):
        n_lines += len(lines)
        ids = {uuid_of_line(line.line_id): line for line in lines}
        known = set(Event.objects.filter(uuid__in=list(ids)).values_list("uuid", flat=True))
        # Another process may add the same at the same moment: the unique uuid decides.
        Event.objects.bulk_create(
            [
                Event(
                    uuid=key,
                    kind=EventKind.PURCHASE,
                    user_id=line.user_id,
                    course_id=line.course_id,
                    live_session_id=line.live_session_id,
                    value=float(line.price),
                    occurred_at=line.paid_at,
                    received_at=now,
                )
                for key, line in ids.items()
                if key not in known
            ],
            ignore_conflicts=True,
        )
    return n_lines


def lines_of_purchases(events: pd.DataFrame) -> dict[int, frames.BoughtLine]:
    """The line of an order behind each purchase event that has one, by the id of the event.

    `events` has the columns id, user_id and kind of `frames.event_frame`. Imported purchases
    have no line: what they would have cost without a promotion or a coupon is not known.
    """
    bought = events.loc[events["kind"] == EventKind.PURCHASE, ["id", "user_id"]]
    found: dict[int, frames.BoughtLine] = {}
    for people, event_ids in _few_people(bought):
        lines = {uuid_of_line(line.line_id): line for line in frames.bought_lines(people)}
        for key, pk in _uuids_of(event_ids) if lines else ():
            if key in lines:
                found[pk] = lines[key]
    return found


def _few_people(bought: pd.DataFrame) -> Iterator[tuple[list[int], list[int]]]:
    """The people of the events and their events, a few people at a time."""
    by_person = bought.sort_values(["user_id", "id"])
    people = by_person["user_id"].unique()
    for start in range(0, len(people), frames.FEW):
        some = people[start : start + frames.FEW]
        first, last = by_person["user_id"].searchsorted([some[0], some[-1] + 1])
        yield some.tolist(), by_person["id"].iloc[first:last].tolist()


def _uuids_of(event_ids: list[int]) -> Iterator[tuple[uuid.UUID, int]]:
    for start in range(0, len(event_ids), frames.FEW):
        rows = Event.objects.filter(pk__in=event_ids[start : start + frames.FEW])
        yield from rows.values_list("uuid", "pk")
