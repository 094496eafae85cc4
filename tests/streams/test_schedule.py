"""Which sessions are on, coming and late, by the platform's days; and what they show."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.test import override_settings

from catalog.models import CourseStatus
from streams.models import LiveSession
from streams.schedule import (
    LATE_SHOWN_FOR,
    announced,
    by_day,
    is_overdue,
    next_showing,
    showcase_cards,
)
from tests.factories import (
    CourseFactory,
    LiveSessionFactory,
    PromotionFactory,
    SessionPromotionFactory,
    ShowcaseItemFactory,
)

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def at(moment: datetime, **fields: object) -> LiveSession:
    return LiveSessionFactory(scheduled_at=moment, **fields)


@pytest.mark.parametrize(
    ("zone", "first_day", "second_day"),
    [
        ("Asia/Shanghai", date(2026, 3, 1), date(2026, 3, 2)),
        ("UTC", date(2026, 3, 1), date(2026, 3, 1)),
        ("America/New_York", date(2026, 3, 1), date(2026, 3, 1)),
    ],
)
def test_a_day_begins_at_midnight_of_the_platform(zone, first_day, second_day) -> None:
    before = at(datetime(2026, 3, 1, 15, 59, 59, tzinfo=UTC))
    after = at(datetime(2026, 3, 1, 16, 0, tzinfo=UTC))

    with override_settings(TIME_ZONE=zone):
        days = by_day([before, after])

    expected = {first_day: [before], second_day: [after]}
    if first_day == second_day:
        expected = {first_day: [before, after]}
    assert {day.date: day.sessions for day in days} == expected


def test_the_hour_that_summer_time_leaves_out_stays_in_its_day() -> None:
    with override_settings(TIME_ZONE="Europe/Berlin"):
        days = by_day(
            [
                at(datetime(2026, 3, 28, 23, 30, tzinfo=UTC)),
                at(datetime(2026, 3, 29, 21, 59, tzinfo=UTC)),
                at(datetime(2026, 3, 29, 22, 0, tzinfo=UTC)),
            ]
        )

    assert [(day.date, len(day.sessions)) for day in days] == [
        (date(2026, 3, 29), 2),
        (date(2026, 3, 30), 1),
    ]


def test_a_session_is_overdue_only_after_its_moment_and_before_it_begins() -> None:
    session = at(NOON)

    assert not is_overdue(session, moment=NOON)
    assert is_overdue(session, moment=NOON + timedelta(seconds=1))
    assert not is_overdue(LiveSessionFactory(live=True, scheduled_at=NOON), moment=NOON + HOUR)


def test_a_session_that_is_a_little_late_is_still_announced_first() -> None:
    late, too_late = at(NOON - LATE_SHOWN_FOR), at(NOON - LATE_SHOWN_FOR - timedelta(seconds=1))
    coming = at(NOON + HOUR)
    LiveSessionFactory(draft=True)

    shown = list(announced(LiveSession.objects.all(), moment=NOON))

    assert shown == [late, coming]
    assert too_late not in shown


def test_the_pinned_course_comes_first_and_the_rest_in_their_order() -> None:
    session = LiveSessionFactory(live=True)
    items = [
        ShowcaseItemFactory(live_session=session, course__title=title, position=position)
        for title, position in (("b", 2), ("a", 1), ("c", 3))
    ]
    session.pinned = items[2]
    session.save()

    shown = showcase_cards(session, moment=NOON)

    assert [one.card.course.title for one in shown] == ["c", "a", "b"]
    assert [one.is_pinned for one in shown] == [True, False, False]


@pytest.mark.parametrize("status", [CourseStatus.DRAFT, CourseStatus.ARCHIVED])
def test_a_course_that_is_not_on_sale_is_not_shown_even_when_pinned(status) -> None:
    session = LiveSessionFactory(live=True)
    session.pinned = ShowcaseItemFactory(live_session=session, course__status=status)
    session.save()

    assert showcase_cards(session, moment=NOON) == []


def offer_of(session: LiveSession) -> Decimal | None:
    (one,) = showcase_cards(session, moment=NOON)
    return one.promotion and one.promotion.promotion.price


@pytest.fixture
def session() -> LiveSession:
    return ShowcaseItemFactory(live_session__live=True).live_session


def promise(session: LiveSession, **fields: object) -> None:
    window = {"starts_at": NOON - HOUR, "ends_at": NOON + HOUR, "is_public": False}
    course = session.showcase.get().course
    SessionPromotionFactory(
        live_session=session, promotion=PromotionFactory(**{"course": course, **window, **fields})
    )


def test_a_promotion_of_the_session_is_shown_in_it_alone(session) -> None:
    promise(session, price=Decimal(40))
    other = ShowcaseItemFactory(
        live_session__live=True, course=session.showcase.get().course
    ).live_session

    assert offer_of(session) == Decimal(40)
    assert offer_of(other) is None


def test_of_several_the_lowest_is_shown(session) -> None:
    for price in (50, 40, 60):
        promise(session, price=Decimal(price))

    assert offer_of(session) == Decimal(40)


@pytest.mark.parametrize(
    "hindrance",
    [
        {"ends_at": NOON},
        {"starts_at": NOON + timedelta(seconds=1)},
        {"is_active": False},
        {"seats": 3, "seats_left": 0},
        {"price": Decimal(100)},
    ],
)
def test_a_promotion_that_gives_nothing_now_is_not_shown(session, hindrance) -> None:
    promise(session, **hindrance)

    assert offer_of(session) is None


def test_a_session_price_above_what_everybody_pays_is_not_shown(session) -> None:
    course = session.showcase.get().course
    PromotionFactory(course=course, price=Decimal(30), starts_at=NOON - HOUR, ends_at=NOON + HOUR)
    promise(session, price=Decimal(40))

    assert offer_of(session) is None


def test_what_shows_a_course_is_live_first_then_soonest_and_at_most_three() -> None:
    course = CourseFactory()
    later, sooner, third = (at(NOON + hours * HOUR) for hours in (9, 1, 20))
    live = LiveSessionFactory(live=True)
    for one in (later, sooner, third, live):
        ShowcaseItemFactory(course=course, live_session=one)
    at(NOON + HOUR)

    assert next_showing(course, moment=NOON) == [live, sooner, later]
