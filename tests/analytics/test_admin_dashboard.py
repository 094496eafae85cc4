"""What the overview and the figures' pages of the admin say, against sums done by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import User
from analytics.dashboard import dashboard_for
from analytics.models import (
    CourseRetention,
    Forecast,
    LearningSummary,
    Profile,
    RunOutcome,
    Stage,
    Task,
    UserRetention,
)
from analytics.panels import Dashboard, Panel
from tests.factories import (
    CourseFactory,
    LiveSessionFactory,
    ModelRunFactory,
    OperatorFactory,
    OrderAttributionFactory,
    OrderFactory,
    PurchaseFactory,
    SellerFactory,
    SessionFiguresFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db

# A Wednesday, 20:00 in Shanghai.
NOW = datetime(2026, 6, 10, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def in_english(settings: Any) -> None:
    settings.LANGUAGE_CODE = "en"


def panel(dashboard: Dashboard, key: str) -> Panel:
    return next(one for one in dashboard.panels if one.key == key)


def session_with(seller: User, began: datetime, n_buyers: int, n_viewers: int) -> None:
    SessionFiguresFactory(
        live_session=LiveSessionFactory(
            ended=True, seller=seller, started_at=began, ended_at=began + timedelta(hours=1)
        ),
        n_buyers=n_buyers,
        n_viewers=n_viewers,
    )


def signed_in(person: User) -> Client:
    client = Client(headers={"accept-language": "en"})
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    return client


def test_it_shows_the_two_counts_of_a_conversion() -> None:
    figures = SessionFiguresFactory(n_buyers=100, n_viewers=1000)
    client = signed_in(figures.live_session.seller)
    for name, args in (("changelist", []), ("change", [figures.pk])):
        address = reverse(f"admin:analytics_sessionfigures_{name}", args=args)
        assert "10.0% (100 of 1000)" in client.get(address).content.decode()


def test_it_gives_no_rate_without_viewers() -> None:
    figures = SessionFiguresFactory(n_buyers=0, n_viewers=0)
    client = signed_in(figures.live_session.seller)
    text = client.get(reverse("admin:analytics_sessionfigures_changelist")).content.decode()
    assert "no viewers yet" in text
    assert "0.0%" not in text
    first = dashboard_for(figures.live_session.seller, now=NOW)
    assert first.tiles[0].value == "no viewers yet"
    assert panel(first, "conversion").chart is None
    assert panel(first, "hours").chart is None


def test_it_shows_thirty_days_in_a_row_of_sixty_as_half() -> None:
    row = UserRetention.objects.create(
        user=UserFactory(),
        n_active_days=60,
        longest_run=30,
        first_day=date(2026, 1, 1),
        last_day=date(2026, 4, 1),
    )
    client = signed_in(OperatorFactory())
    for name, args in (("changelist", []), ("change", [row.pk])):
        address = reverse(f"admin:analytics_userretention_{name}", args=args)
        assert "50.0% (30 of 60)" in client.get(address).content.decode()


def test_its_conversion_is_the_sum_of_buyers_of_the_sum_of_viewers() -> None:
    seller = SellerFactory()
    session_with(seller, NOW - timedelta(days=1), 100, 1000)
    session_with(seller, NOW - timedelta(days=2), 20, 200)
    session_with(seller, NOW - timedelta(days=40), 50, 50)
    session_with(SellerFactory(), NOW - timedelta(days=1), 9, 9)
    seen = dashboard_for(seller, now=NOW)
    assert seen.tiles[0].value == "10.0% (120 of 1200)"
    past = panel(seen, "conversion").chart["past"]
    assert [one["text"] for one in past] == [
        "100.0% (50 of 50)",
        "10.0% (20 of 200)",
        "10.0% (100 of 1000)",
    ]


def test_it_counts_an_hour_in_the_platforms_time_zone() -> None:
    seller = SellerFactory()
    # 12:30 UTC is 20:30 in Shanghai; both days are Wednesdays.
    session_with(seller, NOW + timedelta(minutes=30) - timedelta(days=7), 1, 10)
    session_with(seller, NOW + timedelta(minutes=30) - timedelta(days=14), 3, 10)
    hours = panel(dashboard_for(seller, now=NOW), "hours")
    assert hours.rows == [("Wednesday 20:00", 2, "20.0% (4 of 20)")]
    assert [cell["row"] for cell in hours.chart["cells"]] == [2]


def test_it_shows_a_forecast_with_its_interval_until_the_session_begins() -> None:
    seller, run = SellerFactory(), ModelRunFactory(task=Task.CONVERSION)
    for days in (1, -1):
        Forecast.objects.create(
            live_session=LiveSessionFactory(
                seller=seller, title=f"In {days}", scheduled_at=NOW + timedelta(days=days)
            ),
            run=run,
            expected_rate=0.12,
            low=0.05,
            high=0.25,
            level=0.95,
            basis="model",
            best_hours=[{"hour": 21, "rate": 0.14}],
        )
    shown = panel(dashboard_for(seller, now=NOW), "conversion")
    assert [row[0] for row in shown.rows] == ["In 1"]
    assert shown.rows[0][2:] == ("expected: 12.0% (5.0% to 25.0%)", "21:00")
    assert (shown.chart["ahead"][0]["low"], shown.chart["ahead"][0]["high"]) == (5.0, 25.0)


@pytest.mark.mariadb
def test_it_sums_sales_by_local_day_and_of_own_courses_alone() -> None:
    seller = SellerFactory()
    course, other = CourseFactory(seller=seller), CourseFactory()
    # 15:59 UTC is the last minute of that day in Shanghai, 16:00 the first of the next.
    for paid_at, price in (
        (datetime(2026, 6, 9, 15, 59, tzinfo=UTC), "10.00"),
        (datetime(2026, 6, 9, 16, 0, tzinfo=UTC), "5.50"),
        (datetime(2026, 6, 10, 1, 0, tzinfo=UTC), "4.50"),
        (datetime(2026, 5, 1, 0, 0, tzinfo=UTC), "80.00"),
    ):
        order = OrderFactory(paid_at=paid_at)
        PurchaseFactory(order=order, course=course, price=Decimal(price))
        PurchaseFactory(order=order, course=other, price=Decimal("70.00"))
    OrderAttributionFactory(order=order, live_session__title="Not hers")
    seen = dashboard_for(seller, now=NOW)
    values = panel(seen, "sales").chart["series"][0]["values"]
    assert values[-2:] == [10.0, 10.0]
    assert sum(values) == 20.0
    assert seen.tiles[1].value == "¥20"
    assert [row[0] for row in panel(seen, "sales").rows] == [course.title] * 4
    assert "Not hers" not in str(panel(seen, "sales").rows)


def test_it_counts_struggling_learners_and_days_in_a_row_per_course() -> None:
    seller = SellerFactory()
    course = CourseFactory(seller=seller)
    for n in range(4):
        LearningSummary.objects.create(
            user=UserFactory(), course=course, is_struggling=n == 0, study_seconds=3600
        )
    CourseRetention.objects.create(
        course=course,
        n_learners=4,
        n_active_days=60,
        longest_run_days=30,
        cohorts=[{"day": 7, "cohort": 4, "returned": 1}],
    )
    LearningSummary.objects.create(user=UserFactory(), course=CourseFactory())
    seen = dashboard_for(seller, now=NOW)
    assert panel(seen, "learning").rows == [(course.title, "25.0% (1 of 4)", "1 h 00 min", "0.0")]
    assert panel(seen, "retention").rows == [
        (course.title, 4, "50.0% (30 of 60)", "25.0% (1 of 4)", "–")
    ]


def test_it_counts_out_no_stage_of_fewer_than_ten_people() -> None:
    run = ModelRunFactory(task=Task.PROFILES)
    for stage, n in ((Stage.ACTIVE, 10), (Stage.GONE, 9)):
        for _n in range(n):
            Profile.objects.create(user=UserFactory(), run=run, stage=stage)
    stages = panel(dashboard_for(OperatorFactory(), now=NOW), "stages")
    assert dict(stages.rows)["active"] == 10
    assert dict(stages.rows)["gone"] == dict(stages.rows)["slipping"] == "fewer than 10"
    assert stages.chart["labels"] == ["active"]


def test_a_failed_job_is_loud_until_it_succeeds() -> None:
    client = signed_in(OperatorFactory())
    ModelRunFactory(
        task=Task.LEARNING, outcome=RunOutcome.FAILED, served=False, message="disk is full"
    )
    text = client.get(reverse("admin:index")).content.decode()
    assert 'role="alert"' in text
    assert "disk is full" in text
    assert "never ran" in text
    ModelRunFactory(task=Task.LEARNING)
    assert 'role="alert"' not in client.get(reverse("admin:index")).content.decode()


def test_only_operators_see_models_and_jobs() -> None:
    ModelRunFactory(
        task=Task.RECOMMEND,
        scores=[{"method": "hybrid", "ndcg@10": 0.2, "coverage": 0.5}],
    )
    seller = dashboard_for(SellerFactory(), now=NOW)
    assert seller.jobs == []
    assert [one.key for one in seller.panels] == [
        "conversion",
        "hours",
        "sales",
        "retention",
        "learning",
    ]
    operator = dashboard_for(OperatorFactory(), now=NOW)
    assert panel(operator, "scores-recommend").rows[0][1:4] == ("hybrid", "0.2000", "0.5000")


def fill(seller: User, n: int) -> None:
    for at in range(n):
        session_with(seller, NOW - timedelta(days=at + 1), 1, 10)
        course = CourseFactory(seller=seller)
        PurchaseFactory(order=OrderFactory(paid_at=NOW - timedelta(days=1)), course=course)
        CourseRetention.objects.create(course=course, n_active_days=2, longest_run_days=1)
        LearningSummary.objects.create(user=UserFactory(), course=course)
        run = ModelRunFactory(scores=[{"method": "hybrid", "ndcg@10": 0.1}])
        Forecast.objects.create(
            live_session=LiveSessionFactory(seller=seller, scheduled_at=NOW + timedelta(days=1)),
            run=run,
            expected_rate=0.1,
            low=0,
            high=0.2,
            level=0.95,
            basis="mean",
        )


@pytest.mark.parametrize(("factory", "most"), [(SellerFactory, 9), (OperatorFactory, 14)])
def test_its_queries_do_not_grow_with_the_rows(factory: Any, most: int) -> None:
    seller = SellerFactory()
    person = seller if factory is SellerFactory else factory()
    counted = []
    for n in (1, 8):
        fill(seller, n)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            dashboard_for(person, now=NOW)
        counted.append(len(queries))
    assert counted[0] == counted[1] <= most


@pytest.mark.parametrize("factory", [SellerFactory, OperatorFactory])
def test_an_empty_platform_says_so_instead_of_drawing(factory: Any) -> None:
    response = signed_in(factory()).get(reverse("admin:index"))
    assert response.status_code == 200
    assert "data-chart" not in response.content.decode()
    assert "Nothing was sold yet." in response.content.decode()
