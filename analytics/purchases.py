"""Purchases as events: what was bought stands among what people did, once for each line."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

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
