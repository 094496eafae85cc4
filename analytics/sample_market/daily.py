"""What viewers do between live sessions: look round, buy, learn, review."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from analytics.models import EventKind
from analytics.sample_market.courses import SampleCourse
from analytics.sample_market.people import Viewers
from analytics.sample_market.plan import Keys, Plan
from analytics.sample_market.taste import Taste, choose
from analytics.sample_market.texts import fill, phrases, pick
from analytics.sample_market.trade import Access, Trade
from catalog.models import Coupon, CourseKind, LessonProgress, Review

MOST_PURCHASES = 14
SHARE_ABANDONED = 0.03
SHARE_WITH_COUPON = 0.12
SHARE_REVIEWED = 0.22
# How people learn: share of courses begun, share of the lessons they open (least, most).
STEADY, THROUGH, DROPPED, STRUGGLING = range(4)
WAYS = ((0.42, 0.4, 0.9), (0.18, 1.0, 1.0), (0.26, 0.05, 0.25), (0.14, 0.3, 0.5))


@dataclass(frozen=True)
class Visit:
    """One viewer (an index) who means to buy something, at a moment so many days ago."""

    when: datetime
    viewer: int
    days_ago: int


def buying_visits(plan: Plan, viewers: Viewers) -> list[Visit]:
    """When who means to buy outside live sessions, by time."""
    chance = plan.chance("visits")
    visits = []
    for viewer in range(len(viewers.users)):
        days = np.flatnonzero(viewers.active[viewer])
        n = min(len(days), MOST_PURCHASES, int(chance.poisson(0.75 + 0.11 * len(days))))
        for day in chance.choice(days, size=n, replace=False):
            when = plan.moment(int(day), _second(chance, viewers, viewer))
            visits.append(Visit(max(when, _after_joining(viewers, viewer)), viewer, int(day)))
    return sorted(visits, key=lambda visit: (visit.when, visit.viewer))


class Shop:
    """Plays the visits of those who mean to buy."""

    def __init__(self, plan: Plan, trade: Trade, taste: Taste, coupons: list[Coupon]) -> None:
        self.trade = trade
        self.taste = taste
        self.chance = plan.chance("shop")
        self.coupons = {coupon.seller.pk: coupon for coupon in coupons}
        self.last: dict[int, SampleCourse] = {}

    def play(self, visit: Visit) -> None:
        """Look at one or two courses and buy the last one seen."""
        owned = self.trade.owned[visit.viewer]
        weights = self.taste.weights(
            visit.viewer,
            days_ago=visit.days_ago,
            owned=owned,
            last=self.last.get(visit.viewer),
        )
        if self.chance.random() < 0.5:
            self._look(visit, weights, before=240)
        place = choose(self.chance, weights)
        if place is None:
            return
        course = self.taste.courses[place]
        self._see(EventKind.VIEW, visit, course, before=150)
        if self.chance.random() < 0.6:
            self._see(EventKind.ADD_TO_CART, visit, course, before=60)
        if self.chance.random() < SHARE_ABANDONED:
            self.trade.abandon(visit.viewer, course, visit.when)
            return
        coupon = self.coupons.get(course.row.seller.pk)
        if coupon is not None and not (
            coupon.starts_at <= visit.when < coupon.ends_at
            and self.chance.random() < SHARE_WITH_COUPON
        ):
            coupon = None
        self.trade.buy(visit.viewer, [course], visit.when, days_ago=visit.days_ago, coupon=coupon)
        self.last[visit.viewer] = course

    def _look(self, visit: Visit, weights: np.ndarray, *, before: int) -> None:
        place = choose(self.chance, weights)
        if place is not None:
            self._see(EventKind.VIEW, visit, self.taste.courses[place], before=before)

    def _see(self, kind: EventKind, visit: Visit, course: SampleCourse, *, before: int) -> None:
        when = visit.when - timedelta(seconds=before)
        self.trade.see(kind, when, viewer=visit.viewer, course=course.row.pk)


def study(plan: Plan, keys: Keys, trade: Trade) -> None:
    """Lesson progress of everybody on the days when they are there, and reviews after it."""
    chance = plan.chance("study")
    viewers = trade.viewers
    for access in trade.accesses:
        course = access.course
        if not access.is_active or course.row.kind == CourseKind.CONSULTATION:
            way = DROPPED
        else:
            is_hard = course.row.level == 3
            shares = np.array([share for share, _, _ in WAYS]) * (1, 1, 1, 2 if is_hard else 1)
            way = int(chance.choice(len(WAYS), p=shares / shares.sum()))
            for day, second, lessons in _sittings(plan, chance, viewers, access, way):
                _sit_down(plan, keys, chance, trade, access, way, day, second, lessons)
        if access.days_ago > 4 and chance.random() < SHARE_REVIEWED:
            _review(plan, keys, chance, trade, access, way)


def look_round(plan: Plan, trade: Trade, taste: Taste) -> None:
    """A course page seen on every day on which somebody was there and did nothing else."""
    chance = plan.chance("looking")
    viewers = trade.viewers
    for viewer in range(len(viewers.users)):
        there = (int(day) for day in np.flatnonzero(viewers.active[viewer]))
        days = [day for day in there if (viewer, day) not in trade.busy]
        if not days:
            continue
        weights = taste.weights(viewer, days_ago=0, owned=trade.owned[viewer], last=None)
        for day in days:
            place = choose(chance, weights * (taste.days_on_sale > day))
            if place is None:
                continue
            when = max(
                plan.moment(day, _second(chance, viewers, viewer)), _after_joining(viewers, viewer)
            )
            course = taste.courses[place].row.pk
            trade.see(EventKind.VIEW, when, viewer=viewer, course=course)
            if chance.random() < 0.1:
                trade.see(
                    EventKind.LIKE, when + timedelta(seconds=40), viewer=viewer, course=course
                )


def _second(chance: np.random.Generator, viewers: Viewers, viewer: int) -> int:
    hour = float(viewers.hour[viewer]) + float(chance.normal(0, 1.2))
    return int(np.clip(hour * 3600, 21_600, 85_000))


def _after_joining(viewers: Viewers, viewer: int) -> datetime:
    return viewers.users[viewer].joined_at + timedelta(minutes=6)


def _sittings(
    plan: Plan, chance: np.random.Generator, viewers: Viewers, access: Access, way: int
) -> Iterator[tuple[int, int, list[int]]]:
    """(days ago, second of the day, places of lessons) of each time the learner sits down."""
    n_lessons = len(access.course.lessons)
    _, least, most = WAYS[way]
    n_opened = max(1, round(n_lessons * float(chance.uniform(least, most))))
    days = np.flatnonzero(viewers.active[access.viewer, : access.days_ago])[::-1]
    if not len(days):
        days = np.array([access.days_ago]) if access.days_ago else days
    if not len(days):
        return
    n_days = min(len(days), max(1, -(-n_opened // int(chance.integers(1, 4)))))
    # Most begin soon; the rest of the days are spread over what follows.
    begin = 0 if chance.random() < 0.7 else int(chance.integers(len(days) - n_days + 1))
    chosen = days[begin : begin + n_days]
    places = list(range(n_opened))
    if way == STRUGGLING and n_opened > 2:
        # Who is lost jumps about.
        places = [0, *(int(k) for k in 1 + chance.permutation(n_opened - 1))]
    for day, part in zip(chosen, np.array_split(places, n_days), strict=True):
        second = _second(chance, viewers, access.viewer)
        if day == access.days_ago:
            second = int((access.since - plan.moment(int(day))).total_seconds()) + 900
        if len(part):
            yield int(day), second, [int(k) for k in part]


def _sit_down(
    plan: Plan,
    keys: Keys,
    chance: np.random.Generator,
    trade: Trade,
    access: Access,
    way: int,
    day: int,
    second: int,
    lessons: list[int],
) -> None:
    user = trade.viewers.users[access.viewer]
    begin = now = plan.moment(day, second)
    total = 0
    for place in lessons:
        lesson = access.course.lessons[place]
        share = chance.uniform(0.08, 0.3) if way == STRUGGLING else chance.uniform(0.75, 1.3)
        if way == DROPPED and place == lessons[-1]:
            share = chance.uniform(0.1, 0.6)
        seconds = max(5, int(lesson.duration_seconds * share))
        end = now + timedelta(seconds=seconds)
        if end > plan.now:
            return
        is_done = share >= 0.75
        trade.rows[LessonProgress].append(
            LessonProgress(
                pk=keys.new(LessonProgress),
                user=user,
                lesson=lesson,
                opened_at=now,
                seconds=seconds,
                position_seconds=min(seconds, lesson.duration_seconds),
                completed_at=end if is_done else None,
                updated_at=end,
            )
        )
        now, total = end, total + seconds
    trade.busy.add((access.viewer, day))
    trade.see(
        EventKind.LESSON_PROGRESS,
        begin,
        viewer=access.viewer,
        course=access.course.row.pk,
        value=float(total),
    )


def _review(
    plan: Plan, keys: Keys, chance: np.random.Generator, trade: Trade, access: Access, way: int
) -> None:
    if not access.is_active or (way == DROPPED and chance.random() < 0.6):
        return
    course, viewers = access.course, trade.viewers
    likes = 0.25 if viewers.cluster[access.viewer] == course.cluster else -0.15
    feels = 4.35 + 0.6 * course.quality + likes + float(chance.normal(0, 0.65))
    feels -= {STRUGGLING: 1.7, DROPPED: 0.6}.get(way, 0)
    rating = int(np.clip(round(feels), 1, 5))
    language = course.row.language
    text = fill(
        pick(chance, phrases(f"review.{rating}.{language}")), course.topic, language, chance
    )
    written = access.since + timedelta(days=float(chance.uniform(1, min(40, access.days_ago - 1))))
    trade.rows[Review].append(
        Review(
            pk=keys.new(Review),
            user=viewers.users[access.viewer],
            course=course.row,
            rating=rating,
            text=text if chance.random() < 0.85 else "",
            created_at=written,
        )
    )
