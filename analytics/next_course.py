"""Which course of a running session to show next, for those who are in the room now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd
from django.core.cache import cache

from analytics import room_frames
from analytics.live_figures import former_products, live_figures
from analytics.methods.next_course import (
    FALLBACK,
    Ranking,
    StepPosterior,
    fit_prior,
    rank_products,
    step_posterior,
)
from analytics.methods.small_groups import SMALLEST_GROUP
from streams.models import LiveSession

# One ranking in so many seconds and session; it answers who is there, not who clicked just now.
HOLDS_SECONDS = 10
# Viewers looked at, those seen last: enough for every share to stand still.
MOST_VIEWERS = 2_000


@dataclass(frozen=True)
class NextCourse:
    """One course of the showcase with its expected conversion, as shares from 0 to 1.

    `reason` is one of those of `methods.next_course.Ranking`; the counts are of this session.
    """

    course_id: int
    title: str
    is_pinned: bool
    expected: float
    low: float
    high: float
    reason: str
    n_impressions: int
    n_clicks: int
    n_orders: int


@dataclass(frozen=True)
class Advice:
    """The courses, the best first. `level` is the probability of their intervals."""

    n_viewers: int
    knows_audience: bool
    level: float
    courses: list[NextCourse]


def next_courses(session: LiveSession, *, moment: datetime) -> Advice | None:
    """The ranking of the showcase, at most HOLDS_SECONDS old; None unless the session is live."""
    if not session.is_live:
        return None
    key = f"next-course:{session.pk}:{session.created_at.timestamp()}:{session.pinned_id}"
    advice = cache.get(key)
    if advice is None:
        advice = _rank(session, moment=moment)
        cache.set(key, advice, HOLDS_SECONDS)
    return advice


def _rank(session: LiveSession, *, moment: datetime) -> Advice:
    items = room_frames.courses_on_sale(session.pk)
    viewers = room_frames.room_viewers(session.pk, moment=moment, most=MOST_VIEWERS)
    if not items:
        return Advice(len(viewers), False, 0.0, [])
    ids = [item.course_id for item in items]
    people = sorted({user for user in viewers["user_id"].tolist() if user})
    fits = room_frames.affinity_frame(people, items)
    # So few would see in the ranking what one of them likes.
    knows_audience = len(fits.user_ids) >= SMALLEST_GROUP
    if not knows_audience:
        fits = fits.of_nobody()
    done = {one.course_id: one.counts for one in live_figures(session, moment=moment).products}
    counts = np.array(
        [
            (done[key].n_impressions, done[key].n_clicks, done[key].n_orders)
            if key in done
            else (0, 0, 0)
            for key in ids
        ],
        dtype="float64",
    )
    ranking = rank_products(
        _steps(ids, counts, former_products(session, moment=moment)),
        affinity=fits.affinity,
        owned=fits.owned,
        n_others=max(0, len(viewers) - len(fits.user_ids)),
        n_shown=counts[:, 0],
    )
    return Advice(
        n_viewers=len(viewers),
        knows_audience=knows_audience,
        level=ranking.level,
        courses=[_course(items[at], counts[at], ranking, at) for at in ranking.order.tolist()],
    )


def _course(item: room_frames.Shown, counts: np.ndarray, ranking: Ranking, at: int) -> NextCourse:
    return NextCourse(
        course_id=item.course_id,
        title=item.title,
        is_pinned=item.is_pinned,
        expected=float(ranking.expected[at]),
        low=float(ranking.low[at]),
        high=float(ranking.high[at]),
        reason=ranking.reason[at],
        n_impressions=int(counts[0]),
        n_clicks=int(counts[1]),
        n_orders=int(counts[2]),
    )


def _steps(
    ids: list[int], counts: np.ndarray, former: pd.DataFrame
) -> tuple[StepPosterior, StepPosterior]:
    """Choosing and ordering, for the courses in their order; `counts` (m, 3) are the session's.

    An order shows that the course was chosen, and a choice that it was seen, also where no event
    said so: each count is at least the next one.
    """
    past = former.groupby("course_id")[["n_impressions", "n_clicks", "n_orders"]].sum()
    own = np.array(
        [past.loc[key].to_list() if key in past.index else [0, 0, 0] for key in ids],
        dtype="float64",
    )
    cells = former[["n_impressions", "n_clicks", "n_orders"]].to_numpy(dtype="float64")
    here, own, cells = (_each_at_least_the_next(one) for one in (counts, own, cells))
    return tuple(  # type: ignore[return-value]
        step_posterior(
            fit_prior(cells[:, step + 1], cells[:, step], fallback=FALLBACK[step]),
            past_successes=own[:, step + 1],
            past_trials=own[:, step],
            successes=here[:, step + 1],
            trials=here[:, step],
        )
        for step in (0, 1)
    )


def _each_at_least_the_next(counts: np.ndarray) -> np.ndarray:
    return np.maximum.accumulate(counts[:, ::-1], axis=1)[:, ::-1]
