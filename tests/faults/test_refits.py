"""Fits that are killed, find the disk full or next to nothing: what served last goes on serving."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import User
from accounts.tokens import tokens_of
from analytics.model_files import load_arrays
from analytics.models import Event, ModelRun, RunOutcome, Task
from analytics.pipelines.recommend import NothingToLearn, refresh_recommendations
from analytics.recommender_page import recommender_page
from catalog.models import Course, Enrollment
from tests.analytics.models_of import look_anew, served_model
from tests.factories import CourseFactory, EnrollmentFactory, EventFactory, UserFactory
from tests.faults.killed_fits import MOMENTS, make_market
from tests.operation.processes import ROOT, environment, manage

PATH = "/api/v1/recommendations/"


def ids_for(person: User) -> list[int]:
    """What the API answers in a process that has just begun."""
    look_anew()
    token = {"Authorization": f"Bearer {tokens_of(person)['access']}"}
    answer = APIClient().get(PATH, headers=token)
    assert answer.status_code == 200, answer.content
    return [row["id"] for row in answer.json()["results"]]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    env = environment(
        tmp_path_factory.mktemp("killed"), LOG_LEVEL="WARNING", ALLOWED_HOSTS="testserver"
    )
    manage("migrate", "--verbosity", "0", env=env)
    told = subprocess.run(
        [sys.executable, "-m", "tests.faults.killed_fits"],
        cwd=ROOT,
        env=env,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=90,
    ).stdout
    return [json.loads(line) for line in told.splitlines()]


class TestKilledByTheSystem:
    """Real processes and kill -9, on SQLite: what a fit wrote is in files and in the database."""

    def test_the_first_fit_serves(self, story) -> None:
        first = story[0]
        assert (first["ended_by"], first["served"], len(first["files"])) == (0, 1, 1)
        assert {reason for _course, reason in first["rows"]} & {"history", "next"}

    @pytest.mark.parametrize("at", range(1, len(MOMENTS) + 1), ids=MOMENTS)
    def test_killed_at_any_moment_the_last_good_version_serves(self, story, at: int) -> None:
        first, now = story[0], story[at]
        assert now["ended_by"] == signal.SIGKILL
        assert (now["served"], now["status"], now["courses"]) == (1, 200, 200)
        assert now["rows"] == first["rows"]
        assert set(first["files"]) <= set(now["files"])

    def test_the_next_run_says_what_became_of_those_before(self, story) -> None:
        n = len(MOMENTS)
        for at in range(1, n + 1):
            *before, last = story[at]["runs"]
            assert last == ["running", ""]
            assert before[1:] == [["failed", "The process ended before the run did."]] * (at - 1)
        outcomes = [outcome for outcome, _message in story[-1]["runs"]]
        assert outcomes == ["served", *["failed"] * n, "served"]

    def test_the_next_fit_serves_and_leaves_nothing_lying_about(self, story) -> None:
        n = len(MOMENTS)
        assert any(name.startswith(".writing-") for name in story[n]["files"])
        last = story[-1]
        assert (last["ended_by"], last["served"]) == (0, n + 2)
        assert [name.split("-")[:2] for name in last["files"]] == [
            ["recommend", "1"],
            ["recommend", str(n + 2)],
        ]


@contextmanager
def full_disk() -> Iterator[None]:
    """The limit of a file's size stands for the disk: writing stops in the middle."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_024, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def person(db: None) -> User:
    """One of a market on which a first fit serves."""
    make_market()
    refresh_recommendations()
    person = User.objects.filter(enrollments__isnull=False).first()
    assert person is not None
    return person


@pytest.mark.mariadb
class TestOnAMarketThatServes:
    def test_a_full_disk_is_said_and_changes_nothing(self, person, settings) -> None:
        settings.LANGUAGE_CODE = "en"
        before, served = ids_for(person), ModelRun.objects.served(Task.RECOMMEND)
        with full_disk(), pytest.raises(OSError, match="too large"):
            refresh_recommendations()

        failed = ModelRun.objects.latest("pk")
        assert (failed.outcome, failed.model_file) == (RunOutcome.FAILED, "")
        assert "too large" in failed.message
        assert ModelRun.objects.served(Task.RECOMMEND) == served
        assert ids_for(person) == before
        told = recommender_page(now=timezone.now())
        assert [(one.title, one.text) for one in told.warnings] == [
            ("The last fit failed.", failed.message)
        ]
        assert refresh_recommendations().outcome == RunOutcome.SERVED

    def test_where_all_that_people_did_is_gone_the_last_version_serves(self, person) -> None:
        before = ids_for(person)
        other = UserFactory()
        Event.objects.all().delete()
        Enrollment.objects.all().delete()
        with pytest.raises(NothingToLearn):
            refresh_recommendations()

        failed = ModelRun.objects.latest("pk")
        assert failed.outcome == RunOutcome.FAILED
        assert "there is no published course that anybody looked at yet" in failed.message
        assert ids_for(other)
        assert set(before) <= set(ids_for(person))

    def test_a_file_that_was_damaged_is_told_to_the_operator(self, person, settings) -> None:
        """Given two versions, of which the served one loses a byte on the disk."""
        older, before = ModelRun.objects.latest("pk"), ids_for(person)
        newer = refresh_recommendations()
        path = Path(settings.MODELS_DIR) / newer.model_file
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.chmod(0o600)
        path.write_bytes(content)

        assert ids_for(person) == before
        (warning,) = recommender_page(now=timezone.now()).warnings
        assert f"#{newer.pk}" in warning.text
        assert f"#{older.pk}" in warning.text
        path.unlink()
        assert ids_for(person) == before
        refresh_recommendations()
        look_anew()
        assert not recommender_page(now=timezone.now()).warnings

    def test_a_course_that_was_deleted_since_the_fit_is_not_shown(self, courses_and_run) -> None:
        """Given somebody who is recommended B and C because of A."""
        person, (a, b, c) = courses_and_run
        assert ids_for(person)[:2] == [b.pk, c.pk]
        Course.objects.filter(pk=b.pk).delete()
        assert ids_for(person)[:1] == [c.pk]
        assert APIClient().get("/").status_code == 200
        Event.objects.filter(course=a).delete()
        Course.objects.filter(pk=a.pk).delete()
        found = ids_for(person)
        assert not {a.pk, b.pk} & set(found)
        assert APIClient().get(f"/courses/{c.slug}/").status_code == 200
        assert refresh_recommendations(force=True).outcome == RunOutcome.SERVED
        assert not {a.pk, b.pk} & set(load_arrays(ModelRun.objects.latest("pk"))["course_ids"])

    @pytest.fixture
    def courses_and_run(self, db: None) -> tuple[User, list[Course]]:
        courses = [CourseFactory() for _ in range(3)]
        person = UserFactory()
        EventFactory(user=person, course=courses[0], occurred_at=timezone.now())
        EnrollmentFactory(course=courses[2])
        served_model(courses, after={0: {1: 0.9, 2: 0.5}}, popular=[0.1, 0.2, 0.3])
        return person, courses


@pytest.mark.mariadb
@pytest.mark.django_db
@pytest.mark.parametrize(
    ("n_people", "n_courses", "n_taken"), [(1, 1, 1), (1, 4, 1), (1, 4, 3), (5, 1, 1), (2, 2, 2)]
)
def test_hardly_anything_to_learn_from_is_served_all_the_same(
    n_people: int, n_courses: int, n_taken: int
) -> None:
    courses = [CourseFactory() for _ in range(n_courses)]
    people = [UserFactory() for _ in range(n_people)]
    for person in people:
        for at, course in enumerate(courses[:n_taken]):
            EnrollmentFactory(
                user=person, course=course, enrolled_at=timezone.now() - timedelta(days=9 - at)
            )

    run = refresh_recommendations()

    assert run.outcome == RunOutcome.SERVED, run.message
    newcomer = UserFactory()
    assert set(ids_for(newcomer)) <= {course.pk for course in courses}
    assert courses[0].pk in ids_for(newcomer)
    left = {course.pk for course in courses[n_taken:]}
    assert set(ids_for(people[0])) <= left
    # A second fit finds the first one's scores to compare with.
    assert refresh_recommendations().outcome == RunOutcome.SERVED
