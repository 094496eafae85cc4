"""The whole market as rows that refer to each other, made without a database."""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from django.db.models import Model

from accounts.models import Consent, StatedAttributes, User
from analytics.models import Event, SessionFigures
from analytics.sample_market.broadcast import Stage, announce_session, play_session
from analytics.sample_market.consulting import make_slots
from analytics.sample_market.courses import (
    SampleCourse,
    make_categories,
    make_coupons,
    make_courses,
    make_promotions,
)
from analytics.sample_market.daily import Shop, Visit, buying_visits, look_round, study
from analytics.sample_market.people import (
    CLUSTER_NAMES,
    N_SIGN_INS,
    make_consents,
    make_interests,
    make_operator,
    make_sellers,
    make_stated,
    make_viewers,
)
from analytics.sample_market.plan import Keys, Plan
from analytics.sample_market.sessions import SampleSession, make_sessions
from analytics.sample_market.taste import Taste
from analytics.sample_market.trade import Trade
from analytics.sample_market.truth import Truth
from catalog.models import (
    Category,
    ChosenInterest,
    ConsultationSlot,
    Coupon,
    Course,
    Enrollment,
    LedgerEntry,
    Lesson,
    LessonProgress,
    Order,
    Promotion,
    Purchase,
    Refund,
    Review,
    Section,
)
from streams.broadcast import SAMPLE_CLIP
from streams.models import (
    Broadcast,
    ChatMessage,
    LiveSession,
    OrderAttribution,
    Reminder,
    SessionCoupon,
    SessionPromotion,
    ShowcaseItem,
)

# In this order every row comes after those that it refers to.
MODELS: tuple[type[Model], ...] = (
    User,
    StatedAttributes,
    Consent,
    Category,
    ChosenInterest,
    Course,
    Section,
    Lesson,
    Promotion,
    Coupon,
    LiveSession,
    Broadcast,
    ShowcaseItem,
    SessionPromotion,
    SessionCoupon,
    Order,
    Purchase,
    Enrollment,
    ConsultationSlot,
    LedgerEntry,
    Refund,
    OrderAttribution,
    LessonProgress,
    Review,
    ChatMessage,
    Reminder,
    SessionFigures,
    Event,
)


@dataclass(frozen=True)
class Market:
    """The rows by model, in an order in which they can be stored; what is true; who signs in.

    `pinned` is what the live sessions show right now, set once both rows are there; `files` is
    what lessons have for download.
    """

    rows: dict[type[Model], list[Model]]
    pinned: list[tuple[LiveSession, ShowcaseItem]]
    files: list[tuple[Lesson, bytes]]
    sign_ins: list[User]
    truth: Truth


def build_market(plan: Plan, keys: Keys | None = None) -> Market:
    """Draw the market of a plan; equal plans and keys give equal rows.

    Raises TooManyCourses when the plan wants more courses than there are titles.
    """
    keys = keys or Keys()
    operator = make_operator(plan, keys)
    sellers = make_sellers(plan, keys)
    viewers = make_viewers(plan, keys)
    categories = make_categories(keys)
    courses = make_courses(plan, keys, sellers, categories)
    promotions = make_promotions(plan, keys, courses)
    coupons = make_coupons(plan, keys, sellers)
    sessions = make_sessions(plan, keys, sellers, courses)
    trade = Trade(plan, keys, viewers, plan.chance("trade"))
    rates = _play(plan, keys, trade, courses, sessions, coupons)
    trade.rows[ChatMessage].sort(key=attrgetter("sent_at"))
    people = [operator, *(seller.user for seller in sellers), *viewers.users]
    made: dict[type[Model], list[Any]] = {
        User: people,
        StatedAttributes: make_stated(plan, viewers),
        Consent: make_consents(keys, people),
        Category: list(categories.values()),
        ChosenInterest: make_interests(plan, keys, viewers, categories),
        Course: [course.row for course in courses],
        Section: _sections(courses),
        Lesson: [lesson for course in courses for lesson in course.lessons],
        Promotion: promotions + [p for s in sessions for p in s.promotions.values()],
        Coupon: coupons + [s.coupon for s in sessions if s.coupon],
        LiveSession: [session.row for session in sessions],
        Broadcast: [
            Broadcast(live_session=session.row, external_url=SAMPLE_CLIP)
            for session in sessions
            if session.row.is_live
        ],
        ShowcaseItem: [item for session in sessions for item in session.items],
        SessionPromotion: [offer for session in sessions for offer in session.offers],
        SessionCoupon: [s.handed_out for s in sessions if s.handed_out],
        ConsultationSlot: make_slots(plan, keys, courses, trade),
        Event: trade.events(),
        **trade.rows,
    }
    return Market(
        {model: made.get(model, []) for model in MODELS},
        [(session.row, session.items[0]) for session in sessions if session.row.is_live],
        [file for course in courses for file in course.files],
        [
            operator,
            *(seller.user for seller in sellers[:N_SIGN_INS]),
            *viewers.users[:N_SIGN_INS],
        ],
        Truth(
            taste_of={
                str(user.external_id): CLUSTER_NAMES[cluster]
                for user, cluster in zip(viewers.users, viewers.cluster, strict=True)
            },
            seller_effects={str(s.user.external_id): s.effect for s in sellers},
            session_rates=rates,
        ),
    )


def _play(
    plan: Plan,
    keys: Keys,
    trade: Trade,
    courses: list[SampleCourse],
    sessions: list[SampleSession],
    coupons: list[Coupon],
) -> dict[str, float]:
    """Let everything happen in the order of time; returns the true rates of sessions."""
    taste = Taste(trade.viewers, courses)
    stage = Stage(plan, trade, taste, plan.chance("broadcast"), {})
    shop = Shop(plan, trade, taste, coupons)
    visits = buying_visits(plan, trade.viewers)
    shown = [session for session in sessions if session.row.started_at is not None]
    for session in shown:
        if session.row.is_live:
            _keep_for_visitors(trade, session.courses[0])
    acts: list[Visit | SampleSession] = sorted(
        [*visits, *shown], key=lambda act: act.when if isinstance(act, Visit) else act.starts_at
    )
    for act in acts:
        if isinstance(act, Visit):
            shop.play(act)
        else:
            play_session(stage, act)
    for session in sessions:
        if session.starts_at > plan.now and session.row.scheduled_at is not None:
            announce_session(stage, session)
    trade.give_seats_back()
    study(plan, keys, trade)
    look_round(plan, trade, taste)
    return stage.session_rates


def _keep_for_visitors(trade: Trade, course: SampleCourse) -> None:
    """See that who signs in as a viewer of the market does not have what a room shows now."""
    for viewer in range(N_SIGN_INS):
        trade.owned[viewer].add(course.row.pk)


def _sections(courses: list[SampleCourse]) -> list[Section]:
    found = {lesson.section.pk: lesson.section for c in courses for lesson in c.lessons}
    return list(found.values())
