"""Times of consultations: those that were sold, and free ones in the days ahead."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from itertools import count

import numpy as np

from analytics.sample_market.courses import SampleCourse
from analytics.sample_market.plan import Keys, Plan
from analytics.sample_market.trade import Trade
from catalog.models import ConsultationSlot, CourseKind, Purchase

DAYS_AHEAD = 14
# Seconds after midnight at which a consultation can begin; each course has two of them a day.
HOURS = (10 * 3600, 14 * 3600, 16 * 3600, 19 * 3600, 20 * 3600 + 1800)
TIMES_A_DAY = 2
LENGTH = timedelta(minutes=45)
# From buying a consultation to having it.
NOTICE = timedelta(days=2)
SHARE_OFFERED = 0.35
FEWEST_FREE = 3


def make_slots(
    plan: Plan, keys: Keys, courses: list[SampleCourse], trade: Trade
) -> list[ConsultationSlot]:
    """The times of all consultations, course by course, each in the order of time.

    Who bought one has the next time that was free two days later, past or to come; refunded ones
    have none. Every consultation on sale has free times in the next DAYS_AHEAD days.
    """
    chance = plan.chance("consultations")
    held: dict[int, list[Purchase]] = {}
    for line in trade.rows[Purchase]:
        assert isinstance(line, Purchase)
        if line.holder_id is not None and line.course.kind == CourseKind.CONSULTATION:
            held.setdefault(line.course.pk, []).append(line)
    rows = []
    for course in courses:
        if course.row.kind != CourseKind.CONSULTATION:
            continue
        hours = sorted(HOURS[k] for k in chance.permutation(len(HOURS))[:TIMES_A_DAY])
        times = _taken(plan, hours, held.get(course.row.pk, []))
        if course.is_sold:
            times = dict.fromkeys(_offered(plan, chance, hours, taken=times)) | times
        rows += [
            ConsultationSlot(
                pk=keys.new(ConsultationSlot),
                course=course.row,
                starts_at=time,
                ends_at=time + LENGTH,
                purchase=times[time],
            )
            for time in sorted(times)
        ]
    return rows


def _taken(
    plan: Plan, hours: Sequence[int], lines: Sequence[Purchase]
) -> dict[datetime, Purchase | None]:
    """The times of the lines of one course, in the order in which they were bought."""
    today = plan.now.astimezone(plan.zone).date()
    times: dict[datetime, Purchase | None] = {}
    for line in lines:
        assert line.order.paid_at is not None
        earliest = line.order.paid_at + NOTICE
        first = (today - earliest.astimezone(plan.zone).date()).days
        coming = (plan.moment(day, hour) for day in count(first, -1) for hour in hours)
        times[next(time for time in coming if time >= earliest and time not in times)] = line
    return times


def _offered(
    plan: Plan,
    chance: np.random.Generator,
    hours: Sequence[int],
    *,
    taken: Collection[datetime],
) -> list[datetime]:
    """Free times of one course in the days ahead, never fewer than FEWEST_FREE."""
    days = range(1, DAYS_AHEAD + 1)
    ahead = [plan.moment(-day, hour) for day in days for hour in hours]
    draws = chance.random(len(ahead))
    free = [(draw, time) for draw, time in zip(draws, ahead, strict=True) if time not in taken]
    few = sorted(free)[:FEWEST_FREE]
    return [time for draw, time in free if draw < SHARE_OFFERED or (draw, time) in few]
