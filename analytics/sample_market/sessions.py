"""Live sessions: those that are over, those on air, those to come, and two drafts."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np

from analytics.sample_market.courses import CUTS, SampleCourse, cut_price
from analytics.sample_market.people import Seller
from analytics.sample_market.plan import DAYS, SOURCE, Keys, Plan
from analytics.sample_market.texts import fill, phrases, pick
from catalog.models import Coupon, CourseKind, DiscountKind, Promotion
from streams.models import (
    LiveSession,
    SessionCoupon,
    SessionPromotion,
    SessionStatus,
    ShowcaseItem,
)

# When sellers go live: weights of the hours 7 to 23. Well spread, so that hours can be told apart.
FIRST_HOUR = 7
HOUR_WEIGHTS = np.array([2, 2, 3, 3, 2.5, 3, 2.5, 2.5, 2.5, 2, 2, 3, 4, 5, 4, 3, 1.5])
N_LIVE = 2
N_COMING_UP = 10
N_DRAFTS = 2
SHARE_PROMOTED = 0.55
SHARE_WITH_COUPON = 0.4
SHARE_WITH_SEATS = 0.4
SHARE_REPLAY = 0.15
LENGTHS = (45, 60, 60, 90, 90, 120)
# The two that are on air began so many minutes ago and are planned for so long.
ON_AIR_SINCE = (35, 12)
ON_AIR_LENGTH = 120
# What is offered in the first of them, so that a newcomer can try to buy there: on its pinned
# course, for as long as it is on air.
ROOM_CUT = 30
ROOM_SEATS = 30
ROOM_PERCENT = 15
ROOM_OFFERS_LAST = timedelta(days=7)


@dataclass
class SampleSession:
    """A session with its showcase and offers; `hour` is that of the platform's time zone."""

    row: LiveSession
    seller: Seller
    courses: list[SampleCourse]
    items: list[ShowcaseItem]
    starts_at: datetime
    hour: int
    days_ago: int
    promotions: dict[int, Promotion] = field(default_factory=dict)
    offers: list[SessionPromotion] = field(default_factory=list)
    coupon: Coupon | None = None
    handed_out: SessionCoupon | None = None

    @property
    def is_over(self) -> bool:
        return self.row.ended_at is not None

    @property
    def ends_at(self) -> datetime:
        return self.starts_at + timedelta(minutes=self.row.planned_minutes)

    def offered_price(self, course: SampleCourse) -> Decimal:
        """The price of the session's promotion, else the list price."""
        promotion = self.promotions.get(course.row.pk)
        return promotion.price if promotion else course.row.list_price

    @property
    def mean_price(self) -> float:
        """The mean offered price of the showcase."""
        return float(np.mean([float(self.offered_price(course)) for course in self.courses]))

    @property
    def discount(self) -> float:
        """The deepest cut below a list price, 0 to 1."""
        return max(
            1 - float(self.offered_price(course)) / float(course.row.list_price)
            for course in self.courses
        )


def make_sessions(
    plan: Plan, keys: Keys, sellers: list[Seller], courses: list[SampleCourse]
) -> list[SampleSession]:
    """All sessions by their start; drafts last."""
    chance = plan.chance("sessions")
    hosts = [seller for seller in sellers if _on_sale(courses, seller, days_ago=0)]
    sessions = []
    for days_ago in _past_days(chance, plan.n_sessions):
        able = [seller for seller in hosts if len(_on_sale(courses, seller, days_ago=days_ago)) > 1]
        host = (able or hosts)[int(chance.integers(len(able or hosts)))]
        sessions.append(_session(plan, keys, chance, host, courses, days_ago=days_ago))
    for number in range(min(N_LIVE, len(hosts))):
        # The second seller, whom a visitor can sign in as, is on air.
        host = hosts[(number + 1) % len(hosts)]
        sessions.append(_live_session(plan, keys, chance, host, courses, number))
    for number in range(N_COMING_UP):
        host = hosts[number % len(hosts)]
        days_ago = -(1 + number * 7 // N_COMING_UP)
        sessions.append(_session(plan, keys, chance, host, courses, days_ago=days_ago))
    sessions.sort(key=lambda session: session.starts_at)
    for number in range(N_DRAFTS):
        draft = _session(plan, keys, chance, hosts[number % len(hosts)], courses, days_ago=-9)
        draft.row.status, draft.row.scheduled_at = SessionStatus.DRAFT, None
        sessions.append(draft)
    return sessions


def _past_days(chance: np.random.Generator, n: int) -> list[int]:
    """Days ago, oldest first; the recent ones are busier."""
    days = 1 + (DAYS - 1) * (1 - np.sqrt(chance.random(n) * 0.9 + 0.1)) / (1 - np.sqrt(0.1))
    return sorted((int(day) for day in days), reverse=True)


def _on_sale(courses: list[SampleCourse], seller: Seller, *, days_ago: int) -> list[SampleCourse]:
    """What the seller can show: published before the day and with a price."""
    return [
        course
        for course in courses
        if course.seller is seller
        and course.is_sold
        and course.row.list_price > 0
        and course.days_on_sale > days_ago
    ]


def _session(
    plan: Plan,
    keys: Keys,
    chance: np.random.Generator,
    seller: Seller,
    courses: list[SampleCourse],
    *,
    days_ago: int,
    starts_at: datetime | None = None,
    length: int | None = None,
) -> SampleSession:
    hour = FIRST_HOUR + int(chance.choice(len(HOUR_WEIGHTS), p=HOUR_WEIGHTS / HOUR_WEIGHTS.sum()))
    half = int(chance.integers(2)) * 1800
    scheduled_at = starts_at or plan.moment(days_ago, hour * 3600 + half)
    minutes = length or LENGTHS[int(chance.integers(len(LENGTHS)))]
    # Nobody begins to the second.
    late = timedelta(seconds=int(chance.integers(5, 240)))
    started_at = scheduled_at if starts_at else scheduled_at + late
    shown = _choose_showcase(chance, _on_sale(courses, seller, days_ago=days_ago))
    language, topic = seller.language, shown[0].topic
    name = seller.user.display_name
    key = keys.new(LiveSession)
    is_over = days_ago > 0
    is_replay = is_over and chance.random() < SHARE_REPLAY
    row = LiveSession(
        pk=key,
        seller=seller.user,
        title=fill(
            pick(chance, phrases(f"session.title.{language}")), topic, language, chance, s=name
        ),
        summary=fill(pick(chance, phrases(f"session.summary.{language}")), topic, language, chance),
        status=SessionStatus.SCHEDULED,
        scheduled_at=scheduled_at,
        planned_minutes=minutes,
        created_at=scheduled_at - timedelta(days=int(chance.integers(3, 12))),
        import_source=SOURCE,
        external_id=f"session-{key}",
    )
    if is_over:
        row.status = SessionStatus.REPLAY if is_replay else SessionStatus.ENDED
        row.started_at = started_at
        row.ended_at = started_at + timedelta(minutes=minutes)
    session = SampleSession(
        row,
        seller,
        shown,
        [
            ShowcaseItem(
                pk=keys.new(ShowcaseItem), live_session=row, course=course.row, position=place
            )
            for place, course in enumerate(shown)
        ],
        started_at if is_over else scheduled_at,
        scheduled_at.astimezone(plan.zone).hour,
        days_ago,
    )
    _draw_promotions(keys, chance, session)
    _draw_coupon(keys, chance, session)
    return session


def _live_session(
    plan: Plan,
    keys: Keys,
    chance: np.random.Generator,
    host: Seller,
    courses: list[SampleCourse],
    number: int,
) -> SampleSession:
    since = plan.now - timedelta(minutes=ON_AIR_SINCE[number])
    session = _session(
        plan, keys, chance, host, courses, days_ago=0, starts_at=since, length=ON_AIR_LENGTH
    )
    session.row.status = SessionStatus.LIVE
    session.row.started_at = since
    if number == 0:
        _offer_something(keys, session)
    return session


def _offer_something(keys: Keys, session: SampleSession) -> None:
    """See that the pinned course has a promotion with seats, and that a coupon is handed out."""

    def comes_later(course: SampleCourse) -> tuple[bool, bool]:
        # A course opens at once when it is bought; a promotion for everybody may be lower.
        is_promoted = any(row.ends_at > session.starts_at for row in course.promotions)
        return course.row.kind != CourseKind.COURSE, is_promoted

    session.courses.sort(key=comes_later)
    place = {course.row.pk: place for place, course in enumerate(session.courses)}
    for item in session.items:
        item.position = place[item.course.pk]
    session.items.sort(key=lambda item: item.position)
    pinned = session.courses[0]
    if pinned.row.pk not in session.promotions:
        _add_promotion(keys, session, pinned, percent=ROOM_CUT, seats=ROOM_SEATS)
    promotion = session.promotions[pinned.row.pk]
    if promotion.seats is None:
        promotion.seats = promotion.seats_left = ROOM_SEATS
    if session.coupon is None:
        _add_coupon(keys, session, percent=ROOM_PERCENT, amount=None)
    assert session.coupon is not None
    promotion.ends_at = session.coupon.ends_at = session.starts_at + ROOM_OFFERS_LAST


def _choose_showcase(chance: np.random.Generator, able: list[SampleCourse]) -> list[SampleCourse]:
    """Three to six of the courses, what pulls most more often."""
    size = min(len(able), int(chance.integers(3, 7)))
    pull = np.array([course.pull for course in able])
    chosen = chance.choice(len(able), size=size, replace=False, p=pull / pull.sum())
    return [able[k] for k in chosen]


def _draw_promotions(keys: Keys, chance: np.random.Generator, session: SampleSession) -> None:
    if chance.random() > SHARE_PROMOTED:
        return
    percent = int(chance.choice(CUTS))
    for course in session.courses[: int(chance.integers(1, 3))]:
        if course.row.kind == CourseKind.CONSULTATION and percent > 30:
            continue
        has_seats = chance.random() < SHARE_WITH_SEATS
        seats = int(chance.integers(20, 80)) if has_seats else None
        _add_promotion(keys, session, course, percent=percent, seats=seats)


def _add_promotion(
    keys: Keys, session: SampleSession, course: SampleCourse, *, percent: int, seats: int | None
) -> None:
    promotion = Promotion(
        pk=keys.new(Promotion),
        course=course.row,
        price=cut_price(course.row.list_price, percent),
        starts_at=session.starts_at - timedelta(minutes=5),
        ends_at=session.ends_at + timedelta(hours=1),
        seats=seats,
        seats_left=seats,
        is_public=False,
    )
    session.promotions[course.row.pk] = promotion
    session.offers.append(
        SessionPromotion(
            pk=keys.new(SessionPromotion), live_session=session.row, promotion=promotion
        )
    )


def _draw_coupon(keys: Keys, chance: np.random.Generator, session: SampleSession) -> None:
    if chance.random() > SHARE_WITH_COUPON:
        return
    if chance.random() < 0.7:
        _add_coupon(keys, session, percent=int(chance.choice([10, 15, 20])), amount=None)
    else:
        _add_coupon(keys, session, percent=None, amount=int(chance.choice([10, 20, 30])))


def _add_coupon(
    keys: Keys, session: SampleSession, *, percent: int | None, amount: int | None
) -> None:
    is_percent = percent is not None
    session.coupon = Coupon(
        pk=keys.new(Coupon),
        seller=session.seller.user,
        code=f"LIVE{session.row.pk:04d}",
        kind=DiscountKind.PERCENT if is_percent else DiscountKind.AMOUNT,
        percent=percent,
        amount=None if amount is None else Decimal(amount),
        minimum_spend=Decimal(0) if is_percent else Decimal(50),
        starts_at=session.starts_at - timedelta(minutes=5),
        ends_at=session.ends_at + timedelta(hours=3),
        max_uses=500,
        budget=Decimal(10_000),
    )
    session.handed_out = SessionCoupon(
        pk=keys.new(SessionCoupon), live_session=session.row, coupon=session.coupon
    )
