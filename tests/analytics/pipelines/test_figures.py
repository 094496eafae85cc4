"""Figures of a session, counted from events and orders by the platform's definitions."""

from __future__ import annotations

import uuid
from datetime import timedelta
from decimal import Decimal

import pytest

from analytics.models import EventKind, FigureSource, SessionFigures
from analytics.pipelines.figures import LATE_ARRIVAL, refresh_figures
from catalog.models import OrderStatus
from streams.models import LiveSession
from tests.factories import (
    LONG_AGO,
    EventFactory,
    LiveSessionFactory,
    OrderAttributionFactory,
    OrderFactory,
    PurchaseFactory,
    SessionFiguresFactory,
    UserFactory,
)

pytestmark = [pytest.mark.django_db, pytest.mark.mariadb]

NOW = LONG_AGO + timedelta(days=1)


@pytest.fixture
def session() -> LiveSession:
    return LiveSessionFactory(ended=True)


def did(session: LiveSession, kind: EventKind, **values: object) -> None:
    EventFactory(kind=kind, live_session=session, course=None, **values)


def bought(
    session: LiveSession, *prices: int, status: str = OrderStatus.PAID, **values: object
) -> list:
    """An order from the session, of courses of its seller."""
    order = OrderFactory(status=status, **values)
    OrderAttributionFactory(order=order, live_session=session)
    return [
        PurchaseFactory(order=order, course__seller=session.seller, price=price, list_price=500)
        for price in prices
    ]


def figures_of(session: LiveSession) -> SessionFigures:
    return SessionFigures.objects.get(pk=session.pk)


def test_conversion_is_distinct_buyers_of_distinct_viewers(session: LiveSession) -> None:
    people = UserFactory.create_batch(10)
    for person in people:
        did(session, EventKind.VIEW, user=person)
        did(session, EventKind.VIEW, user=person)
    bought(session, 100, buyer=people[0])
    bought(session, 100, buyer=people[0])

    refresh_figures(now=NOW)

    figures = figures_of(session)
    assert (figures.n_buyers, figures.n_viewers, figures.n_orders) == (1, 10, 2)
    assert figures.conversion.percent == "10.0%"
    assert figures.n_views == 20


def test_an_anonymous_visitor_is_a_viewer_once(session: LiveSession) -> None:
    visitor = uuid.uuid4()
    did(session, EventKind.VIEW, user=None, visitor_id=visitor)
    did(session, EventKind.WATCH, user=None, visitor_id=visitor, value=30)
    did(session, EventKind.VIEW)

    refresh_figures(now=NOW)

    assert figures_of(session).n_viewers == 2


def test_a_buyer_whose_viewing_was_not_recorded_was_there_all_the_same(
    session: LiveSession,
) -> None:
    bought(session, 100)
    refresh_figures(now=NOW)
    assert figures_of(session).conversion.percent == "100.0%"


def test_gmv_is_what_was_paid_and_net_sales_what_was_kept(session: LiveSession) -> None:
    kept, given_back = bought(session, 120, 80)
    bought(session, 50)
    given_back.refunded_at = NOW
    given_back.save()

    refresh_figures(now=NOW)

    figures = figures_of(session)
    assert kept.refunded_at is None
    assert figures.gmv == Decimal("250.00")
    assert figures.net_sales == Decimal("170.00")
    assert figures.n_orders == 2


@pytest.mark.parametrize(
    "status", [OrderStatus.PENDING, OrderStatus.EXPIRED, OrderStatus.CANCELLED]
)
def test_an_order_that_was_not_paid_is_no_sale(session: LiveSession, status: str) -> None:
    bought(session, 120, status=status)
    refresh_figures(now=NOW)
    figures = figures_of(session)
    assert (figures.gmv, figures.n_orders, figures.n_buyers) == (0, 0, 0)


def test_watch_time_is_per_distinct_viewer(session: LiveSession) -> None:
    person = UserFactory()
    did(session, EventKind.WATCH, user=person, value=60)
    did(session, EventKind.WATCH, user=person, value=30)
    did(session, EventKind.WATCH, value=30)

    refresh_figures(now=NOW)

    assert figures_of(session).average_watch_seconds == 60


def test_clicks_are_taken_of_impressions(session: LiveSession) -> None:
    for _ in range(4):
        did(session, EventKind.IMPRESSION)
    did(session, EventKind.CLICK)

    refresh_figures(now=NOW)

    assert figures_of(session).click_through.percent == "25.0%"
    assert figures_of(session).n_viewers == 0


def test_a_session_that_nobody_watched_has_no_rate(session: LiveSession) -> None:
    refresh_figures(now=NOW)
    assert figures_of(session).conversion.value is None
    assert figures_of(session).average_watch_seconds is None


def test_what_arrives_late_is_counted_by_the_next_run(session: LiveSession) -> None:
    did(session, EventKind.VIEW)
    refresh_figures(now=NOW)
    did(session, EventKind.VIEW)

    refresh_figures(now=NOW + LATE_ARRIVAL / 2)

    assert figures_of(session).n_viewers == 2


def test_old_sessions_rest_unless_everything_is_asked_for(session: LiveSession) -> None:
    later = NOW + LATE_ARRIVAL * 2
    did(session, EventKind.VIEW)
    assert refresh_figures(now=later).n_results == 0
    assert refresh_figures(everything=True, now=later).n_results == 1


def test_running_twice_gives_the_same_rows(session: LiveSession) -> None:
    did(session, EventKind.VIEW)
    bought(session, 100)
    refresh_figures(now=NOW)
    once = list(SessionFigures.objects.values())

    refresh_figures(now=NOW)

    assert list(SessionFigures.objects.values()) == once


def test_imported_figures_and_the_measured_peak_stay_as_they_are(session: LiveSession) -> None:
    imported = SessionFiguresFactory(source=FigureSource.IMPORTED)
    SessionFiguresFactory(live_session=session, n_viewers=1, n_buyers=0, peak_viewers=77)

    refresh_figures(everything=True, now=NOW)

    imported.refresh_from_db()
    assert imported.n_viewers == 1000
    assert figures_of(session).peak_viewers == 77
    assert figures_of(session).n_viewers == 0


def test_a_session_that_was_never_on_air_has_no_figures() -> None:
    LiveSessionFactory()
    LiveSessionFactory(draft=True)
    assert refresh_figures(everything=True, now=NOW).n_results == 0
