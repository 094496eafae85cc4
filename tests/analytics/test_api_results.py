"""Recommendations and a seller's figures through the API."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from analytics.methods.reasons import Reason
from analytics.models import (
    CourseRetention,
    Forecast,
    PopularCourses,
)
from analytics.shop_window import on_sale
from catalog.models import Course
from tests.analytics.models_of import served_model
from tests.factories import (
    CourseFactory,
    EnrollmentFactory,
    LiveSessionFactory,
    ModelRunFactory,
    OperatorFactory,
    PromotionFactory,
    SellerFactory,
    SessionFiguresFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def api() -> APIClient:
    client = APIClient()
    client.credentials(HTTP_ACCEPT_LANGUAGE="en")
    return client


def metrics(api: APIClient, session_id: int) -> dict:
    return api.get(f"/api/v1/seller/sessions/{session_id}/metrics/").json()


def retention_of(course: Course, **columns: object) -> CourseRetention:
    return CourseRetention.objects.create(course=course, **columns)


class TestRecommendations:
    def test_each_course_has_a_score_and_a_reason(self, api: APIClient) -> None:
        person, taken, wanted = UserFactory(), CourseFactory(title="Ink"), CourseFactory()
        EnrollmentFactory(user=person, course=taken)
        served_model([taken, wanted], after={0: {1: 0.75}})
        api.force_authenticate(person)

        (shown,) = api.get("/api/v1/recommendations/").json()["results"]

        assert (shown["id"], shown["title"], shown["score"]) == (wanted.pk, wanted.title, 0.75)
        assert shown["reason"] == "Because you took “Ink”"
        assert (shown["reason_code"], shown["price"]) == ("history", "100.00")

    def test_everybody_else_gets_what_is_popular(self, api: APIClient) -> None:
        courses = [CourseFactory() for _ in range(3)]
        items = [[one.pk, 1.0 - n / 10, Reason.POPULAR, None] for n, one in enumerate(courses)]
        PopularCourses.objects.create(run=ModelRunFactory(), items=items)

        shown = api.get("/api/v1/recommendations/", {"limit": 2}).json()["results"]

        assert [row["id"] for row in shown] == [one.pk for one in courses[:2]]
        assert {row["reason_code"] for row in shown} == {"popular"}

    def test_before_the_first_run_the_list_is_empty(self, api: APIClient) -> None:
        assert api.get("/api/v1/recommendations/").json() == {
            "next": None,
            "previous": None,
            "results": [],
        }

    def test_similar_courses_come_with_their_scores(
        self, api: APIClient, django_assert_num_queries
    ) -> None:
        course, *others = [PromotionFactory().course for _ in range(6)]
        served_model([course, *others], after={0: dict.fromkeys(range(1, 6), 0.5)})
        on_sale()

        with django_assert_num_queries(4):
            shown = api.get(f"/api/v1/courses/{course.pk}/similar/").json()["results"]

        assert [row["id"] for row in shown] == [one.pk for one in others]

    @pytest.mark.parametrize("limit", ["0", "51", "x"])
    def test_a_wrong_limit_is_refused(self, api: APIClient, limit: str) -> None:
        assert api.get("/api/v1/recommendations/", {"limit": limit}).status_code == 400


class TestMetrics:
    def test_every_rate_stands_with_its_two_counts(self, api: APIClient) -> None:
        figures = SessionFiguresFactory(
            n_impressions=400, n_clicks=50, watched_seconds=60_000, gmv="1234.50", net_sales="1000"
        )
        api.force_authenticate(figures.live_session.seller)

        shown = metrics(api, figures.pk)

        assert shown["conversion"] == {
            "numerator": 100,
            "denominator": 1000,
            "value": 0.1,
            "percent": "10.0%",
        }
        assert shown["click_through"]["percent"] == "12.5%"
        assert shown["average_watch_seconds"] == 60.0
        assert (shown["gmv"], shown["net_sales"]) == ("1234.50", "1000.00")
        assert shown["currency"] == "CNY"

    def test_without_viewers_a_rate_has_no_value(self, api: APIClient) -> None:
        session = LiveSessionFactory(live=True)
        api.force_authenticate(session.seller)

        shown = metrics(api, session.pk)

        assert shown["conversion"] == {
            "numerator": 0,
            "denominator": 0,
            "value": None,
            "percent": None,
        }
        assert shown["average_watch_seconds"] is None
        assert (shown["gmv"], shown["updated_at"]) == ("0.00", None)

    @pytest.mark.parametrize("n_viewers,is_shown", [(1, False), (9, False), (10, True)])
    def test_watch_time_never_tells_about_single_viewers(
        self, api: APIClient, n_viewers: int, is_shown: bool
    ) -> None:
        figures = SessionFiguresFactory(n_viewers=n_viewers, n_buyers=0, watched_seconds=100)
        api.force_authenticate(figures.live_session.seller)

        shown = metrics(api, figures.pk)

        assert (shown["average_watch_seconds"] is not None) is is_shown
        assert (shown["watched_seconds"] is not None) is is_shown


class TestForecasts:
    def test_a_forecast_has_its_interval(self, api: APIClient, django_assert_num_queries) -> None:
        seller, run = SellerFactory(), ModelRunFactory(task="conversion")
        for _ in range(3):
            Forecast.objects.create(
                live_session=LiveSessionFactory(seller=seller),
                run=run,
                expected_rate=0.083,
                low=0.05,
                high=0.2,
                level=0.8,
                basis="history",
            )
        api.force_authenticate(seller)

        with django_assert_num_queries(1):
            shown = api.get("/api/v1/seller/forecasts/").json()["results"]

        assert len(shown) == 3
        assert (shown[0]["low"], shown[0]["high"], shown[0]["level"]) == (0.05, 0.2, 0.8)
        assert shown[0]["percent"] == "8.3%"


class TestRetention:
    def test_it_shows_groups_with_their_counts(
        self, api: APIClient, django_assert_num_queries
    ) -> None:
        seller = SellerFactory()
        for _ in range(3):
            retention_of(
                CourseFactory(seller=seller),
                n_learners=20,
                n_active_days=60,
                longest_run_days=30,
                cohorts=[{"day": 7, "cohort": 20, "returned": 5}],
                n_ratings=2,
                rating_sum=9,
            )
        retention_of(CourseFactory())
        api.force_authenticate(seller)

        with django_assert_num_queries(1):
            shown = api.get("/api/v1/seller/retention/").json()["results"]

        assert len(shown) == 3
        assert shown[0]["n_learners"] == 20
        assert shown[0]["retention"]["percent"] == "50.0%"
        assert shown[0]["cohorts"][0]["rate"]["percent"] == "25.0%"
        assert shown[0]["rating_mean"] == 4.5

    def test_it_tells_nothing_about_fewer_than_ten_people(self, api: APIClient) -> None:
        course = CourseFactory()
        retention_of(
            course,
            n_learners=9,
            n_active_days=9,
            longest_run_days=7,
            cohorts=[{"day": 1, "cohort": 9, "returned": 7}],
        )
        api.force_authenticate(OperatorFactory())

        (shown,) = api.get("/api/v1/seller/retention/").json()["results"]

        assert (shown["n_learners"], shown["retention"]) == (None, None)
        assert shown["cohorts"] == [{"day": 1, "rate": None}]

    def test_without_learners_a_rate_has_no_value(self, api: APIClient) -> None:
        course = CourseFactory()
        retention_of(course)
        api.force_authenticate(course.seller)

        (shown,) = api.get("/api/v1/seller/retention/").json()["results"]

        assert (shown["n_learners"], shown["retention"]["percent"]) == (0, None)
        assert shown["rating_mean"] is None
