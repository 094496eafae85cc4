"""The operator's page about the recommender, against rows counted by hand."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from analytics.models import ListExposure, ModelRun, RunOutcome, ServedRun
from analytics.panels import Panel
from analytics.recommender_page import N_SELLERS, RecommenderPage, recommender_page
from analytics.served_recommender import current
from catalog.models import Course, CourseStatus
from tests.analytics.models_of import look_anew, served_model
from tests.factories import (
    CourseFactory,
    ModelRunFactory,
    OperatorFactory,
    SellerFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 6, 10, 12, 0, tzinfo=UTC)
TODAY = date(2026, 6, 10)
ADDRESS = "/admin/analytics/modelrun/recommender/"


@pytest.fixture(autouse=True)
def in_english(settings: Any) -> None:
    settings.LANGUAGE_CODE = "en"
    settings.RECOMMEND_SELLER_SHARE, settings.RECOMMEND_EXPLORE_SHARE = 0.4, 0.1


def signed_in(person: User, language: str = "en") -> Client:
    client = Client(headers={"accept-language": language})
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    return client


def panel(page: RecommenderPage, key: str) -> Panel:
    return next(one for one in page.panels if one.key == key)


def tile(page: RecommenderPage, label: str) -> tuple[str, str]:
    return next((one.value, one.detail) for one in page.tiles if one.label == label)


def fitted(**more: Any) -> ModelRun:
    """A served run as a fit of a small market leaves it."""
    values = {
        "started_at": NOW - timedelta(hours=9),
        "finished_at": NOW - timedelta(hours=9),
        "window_start": NOW - timedelta(days=90),
        "window_end": NOW - timedelta(hours=9),
        "method": "hybrid",
        "parameters": {"weights": {"together": 1.0, "week": 0.25}},
        "scores": [
            {"method": "popularity", "ndcg@10": 0.05, "recall@10": 0.1, "coverage": 0.02},
            {
                "method": "hybrid",
                "ndcg@10": 0.2117,
                "ndcg@10_se": 0.0012,
                "recall@10": 0.338,
                "coverage": 0.9,
                "fit_seconds": 4.5,
            },
        ],
        "figures": {
            "coverage": {"share": 0.9, "n_shown": 90, "n_courses": 100, "n_people": 500},
            "newcomers": [
                {"known": 0, "ndcg@10": 0.134, "popularity": 0.131, "n": 77},
                {"known": 3, "ndcg@10": 0.07, "popularity": 0.03, "n": 40},
                {"known": 10, "ndcg@10": 0.065, "popularity": 0.026, "n": 12},
            ],
            "rare": {
                "fewer_than": 10,
                "n": 31,
                "recall@10": 0.05,
                "collaborative": 0.0,
                "recall_all": 0.338,
                "collaborative_all": 0.33,
            },
        },
    }
    return ModelRunFactory(**{**values, **more})


def shown(course: Course, n: int, *, explored: int = 0, day: date = TODAY) -> None:
    ListExposure.objects.create(day=day, course=course, n_shown=n, n_explored=explored)


def course_of(seller: User, *, days: float = 400) -> Course:
    return CourseFactory(seller=seller, published_at=NOW - timedelta(days=days))


class TestWhoSeesIt:
    def test_the_operator_finds_it_in_the_menu(self) -> None:
        client = signed_in(OperatorFactory())

        assert reverse("admin:analytics_recommender") == ADDRESS
        assert f'href="{ADDRESS}"' in client.get("/admin/").content.decode()
        page = client.get(ADDRESS)
        assert page.status_code == 200
        links = [link for group in page.context["sidebar_navigation"] for link in group["items"]]
        assert [link["link"] for link in links if link["active"]] == [ADDRESS]

    @pytest.mark.parametrize("make,status", [(SellerFactory, 403), (UserFactory, 302)])
    def test_nobody_else_does(self, make: type[UserFactory], status: int) -> None:
        client = signed_in(make())

        assert client.get(ADDRESS).status_code == status
        assert ADDRESS not in client.get("/admin/", follow=True).content.decode()

    def test_a_stranger_is_asked_to_sign_in(self) -> None:
        answer = Client().get(ADDRESS)
        assert (answer.status_code, "/login/" in answer["Location"]) == (302, True)


def test_before_the_first_fit_it_says_so() -> None:
    page = recommender_page(now=NOW)

    assert tile(page, "Serving") == (
        "nothing yet",
        "The first fit runs tonight, or now by “manage.py rebuild”.",
    )
    assert not page.warnings
    assert not page.charts
    assert all(not one.rows and one.empty for one in page.panels)
    assert signed_in(OperatorFactory()).get(ADDRESS).status_code == 200


def test_it_says_what_serves_and_how_good_it_is() -> None:
    run = fitted(model_file="recommend-1.npz", model_sha256="ab" * 32)
    page = recommender_page(now=NOW)

    assert tile(page, "Serving")[0] == f"#{run.pk} hybrid"
    assert tile(page, "NDCG@10") == (
        "0.2117",
        "give or take 0.0012 (standard error), on courses held out",
    )
    assert panel(page, "methods").rows == [
        ("popularity", "0.0500", "0.1000", "0.0200", "–"),
        ("hybrid", "0.2117", "0.3380", "0.9000", "4.5 s"),
    ]
    assert panel(page, "newcomers").rows == [
        ("0", "0.1340", "0.1310", 77),
        ("3 to 9", "0.0700", "0.0300", 40),
        ("10 and more", "0.0650", "0.0260", 12),
    ]
    assert panel(page, "rare").rows == [
        ("courses with fewer than 10 learners", "0.0500", "0.0000", 31),
        ("all courses", "0.3380", "0.3300", "–"),
    ]
    made_of = dict(panel(page, "weights").rows)
    assert (made_of["what goes together"], made_of["popular this week"]) == ("1", "0.25")
    assert made_of["model file"] == "recommend-1.npz"
    assert "ab" * 32 in made_of["SHA-256 of the model file"]


def test_versions_that_were_kept_out_stand_beside_those_that_served() -> None:
    first = fitted()
    second = fitted(
        outcome=RunOutcome.KEPT_OUT,
        served=False,
        figures={"coverage": {"share": 0.5, "n_shown": 50, "n_courses": 100, "n_people": 400}},
    )
    fitted(outcome=RunOutcome.FAILED, served=False, figures={})
    page = recommender_page(now=NOW)

    assert panel(page, "coverage").rows == [
        (f"#{second.pk}", "50.0% (50 of 100)", 400),
        (f"#{first.pk}", "90.0% (90 of 100)", 500),
    ]
    chart = page.charts["coverage"]
    assert chart["labels"] == [f"#{first.pk}", f"#{second.pk}"]
    assert chart["series"][0]["values"] == [90.0, 50.0]
    assert (chart["min"], chart["max"], chart["unit"]) == (0, 100, "%")


def test_where_nothing_is_on_sale_coverage_is_not_made_up() -> None:
    fitted(figures={"coverage": {"share": None, "n_shown": 0, "n_courses": 0, "n_people": 7}})
    page = recommender_page(now=NOW)

    assert panel(page, "coverage").rows[0][1:] == ("no course is on sale", 7)
    assert page.charts["coverage"]["series"][0]["values"] == [None]


def test_exposure_is_what_lists_showed_in_four_weeks() -> None:
    """Given two sellers, of whom one has a course of ten days, one that nobody was shown, and one
    that was shown before it was taken from sale."""
    a, b = SellerFactory(), SellerFactory()
    old, new, other = course_of(a), course_of(a, days=10), course_of(b, days=60)
    gone = CourseFactory(
        seller=a, status=CourseStatus.ARCHIVED, published_at=NOW - timedelta(days=500)
    )
    course_of(b)
    CourseFactory(seller=b, status=CourseStatus.DRAFT)
    figures = fitted().figures
    figures["sellers"] = [
        {"seller": a.pk, "share": 0.75, "n_places": 3, "n_courses": 2},
        {"seller": b.pk, "share": 0.25, "n_places": 1, "n_courses": 2},
    ]
    figures["ages"] = [
        {"from_days": 0, "to_days": 30, "n_courses": 1, "n_places": 1, "share": 0.125}
    ]
    fitted(figures=figures)
    shown(old, 50)
    shown(gone, 10)
    shown(new, 20, explored=15)
    shown(other, 15, day=TODAY - timedelta(days=27))
    shown(other, 5, day=TODAY - timedelta(days=1))
    shown(old, 1_000, day=TODAY - timedelta(days=28))

    page = recommender_page(now=NOW)

    assert tile(page, "Courses shown in 28 days") == (
        "75.0% (3 of 4)",
        "in 100 places of lists",
    )
    assert tile(page, "Places for new courses") == (
        "15.0% (15 of 100)",
        "at most 10.0% by RECOMMEND_EXPLORE_SHARE",
    )
    sellers = panel(page, "sellers")
    assert [row[1:] for row in sellers.rows] == [
        ("75.0%", "80.0% (80 of 100)"),
        ("25.0%", "20.0% (20 of 100)"),
    ]
    assert "40.0%" in sellers.note
    assert page.charts["sellers"]["series"][1]["values"] == [80.0, 20.0]
    ages = {row[0]: row[1:] for row in panel(page, "ages").rows}
    assert ages["0 to 30 days"] == (1, "12.5%", "20.0% (20 of 100)")
    assert ages["30 to 90 days"][2] == "20.0% (20 of 100)"
    assert ages["365 days and more"][2] == "60.0% (60 of 100)"


def test_many_sellers_stand_in_one_last_row() -> None:
    for n in range(12):
        shown(course_of(SellerFactory()), 12 - n)
    page = recommender_page(now=NOW)

    rows = panel(page, "sellers").rows
    assert len(rows) == 11
    assert rows[-1] == ("2 others", "0.0%", "3.8% (3 of 78)")


class TestWhatToLookAt:
    def test_a_model_that_was_not_made_anew_for_two_days(self) -> None:
        run = fitted(finished_at=NOW - timedelta(hours=47))
        assert not recommender_page(now=NOW).warnings
        later = recommender_page(now=NOW + timedelta(hours=2))
        assert [one.title for one in later.warnings] == [
            "The served recommender is older than two days."
        ]
        assert str(run.pk) in later.warnings[0].links[0]

    @pytest.mark.parametrize(
        "outcome,title",
        [
            (RunOutcome.FAILED, "The last fit failed."),
            (RunOutcome.KEPT_OUT, "The last fit was kept out."),
        ],
    )
    def test_a_fit_that_did_not_come_to_serve(self, outcome: str, title: str) -> None:
        fitted()
        last = fitted(outcome=outcome, served=False, message="No <space> left.", figures={})
        page = recommender_page(now=NOW)

        assert [(one.title, one.text) for one in page.warnings] == [(title, "No <space> left.")]
        html = signed_in(OperatorFactory()).get(ADDRESS).content.decode()
        assert "No &lt;space&gt; left." in html
        assert reverse("admin:analytics_modelrun_change", args=[last.pk]) in html
        fitted()
        assert not recommender_page(now=NOW).warnings

    def test_a_course_that_made_up_people_push(self) -> None:
        pushed = course_of(SellerFactory())
        alarm = {
            "n_new": 400,
            "share_new": 0.05,
            "lists_unbraked": 0.3,
            "lists_before": 0.01,
            "lists_now": 0.02,
        }
        fitted(
            figures={"alarms": [{"course": pushed.pk, **alarm}, {"course": pushed.pk + 9, **alarm}]}
        )
        page = recommender_page(now=NOW)

        assert [one.title for one in page.warnings] == ["A course looks pushed by made-up people."]
        assert page.warnings[0].text == (
            "400 learners are new or look made up (5.0% of all people). It would come into 30.0% "
            "of lists, was in 1.0%, and is held to 2.0%."
        )
        address = reverse("admin:catalog_course_change", args=[pushed.pk])
        assert address in page.warnings[0].links[0]
        html = signed_in(OperatorFactory()).get(ADDRESS).content.decode()
        assert f'href="{address}"' in html
        assert html.count("A course looks pushed by made-up people.") == 1

    def test_a_model_that_nothing_can_be_read_of(self, settings: Any) -> None:
        """Given one version whose file is gone, so that what is popular is shown."""
        run = served_model([course_of(SellerFactory())], after={})
        ModelRun.objects.filter(pk=run.pk).update(finished_at=timezone.now())
        (Path(settings.MODELS_DIR) / run.model_file).unlink()
        look_anew()
        page = recommender_page(now=timezone.now())

        assert [(one.title, one.text) for one in page.warnings] == [
            (
                "The recommender that should serve cannot be loaded.",
                f"The model file of run #{run.pk} cannot be read: everybody sees what is popular.",
            )
        ]
        assert (
            reverse("admin:analytics_modelrun_change", args=[run.pk]) in page.warnings[0].links[0]
        )

    def test_a_version_that_serves_since_a_moment_is_no_fault(self) -> None:
        """Given a process that looked for versions just before a fit served a new one."""
        courses = [course_of(SellerFactory())]
        first, second = (served_model(courses, after={}) for _ in range(2))
        ModelRun.objects.update(finished_at=timezone.now())
        ServedRun.objects.update(run=first)
        version = current()
        assert version is not None
        assert version.run_id == first.pk
        ServedRun.objects.update(run=second)

        page = recommender_page(now=timezone.now())
        assert tile(page, "Serving")[0].startswith(f"#{second.pk} ")
        assert not page.warnings


def test_it_asks_as_often_for_many_as_for_few() -> None:
    def n_queries() -> int:
        with CaptureQueriesContext(connection) as asked:
            recommender_page(now=NOW)
        return len(asked)

    fitted()
    shown(course_of(SellerFactory()), 3)
    few = n_queries()
    for _ in range(6):
        fitted()
        for _ in range(3):
            shown(course_of(SellerFactory()), 3)
    assert n_queries() == few


def test_it_is_chinese_throughout_for_who_reads_chinese() -> None:
    seller = SellerFactory(display_name="王老师")
    course = CourseFactory(seller=seller, title="古琴", published_at=NOW - timedelta(days=400))
    shown(course, 3)
    for _ in range(N_SELLERS):
        shown(course_of(SellerFactory(display_name="李老师")), 2)
    run = fitted()
    alarm = dict.fromkeys(["n_new", "share_new", "lists_unbraked", "lists_before", "lists_now"], 1)
    run.figures["alarms"] = [{"course": course.pk, **alarm}]
    run.parameters["weights"] = dict.fromkeys(
        ["together", "next", "pairs", "content", "people", "interest", "week", "popular"], 1.0
    )
    run.model_file, run.model_sha256 = "recommend-1.npz", "12" * 32
    run.save()
    fitted(outcome=RunOutcome.KEPT_OUT, served=False, message="分数更低。", figures={})
    look_anew()
    page = signed_in(OperatorFactory(display_name="运营"), "zh-hans").get(ADDRESS)
    html = page.content.decode()

    content = html[
        html.index('<div class="lc-dashboard">') : html.index('<script id="dashboard-charts"')
    ]
    assert content.count('role="alert"') == 4
    charts = page.context["page"].charts.values()
    drawn = [one["name"] for chart in charts for one in chart["series"]]
    drawn += [label for chart in charts for label in chart["labels"]]
    text = " ".join([re.sub(r"<[^>]*>", " ", content), *drawn])
    words = set(re.findall(r"[A-Za-z]{4,}", text))
    named = {"NDCG", "hybrid", "popularity", "RECOMMEND", "EXPLORE", "SHARE", "SELLER", "recommend"}
    assert words - named - {"warning"} == set()
    assert f"#{run.pk}" in content
