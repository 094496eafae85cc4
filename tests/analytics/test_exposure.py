"""Counts of what lists showed: none is lost, none is of a person, and no page waits for them."""

from __future__ import annotations

import subprocess
import sys
import threading
from datetime import date

import pytest
from django.db import OperationalError, connection

from analytics import exposure
from analytics.exposure import FLUSH_EVERY_SECONDS, Counts
from analytics.models import ListExposure
from tests.factories import CourseFactory

pytestmark = [pytest.mark.django_db, pytest.mark.mariadb]
TODAY, TOMORROW = date(2026, 1, 1), date(2026, 1, 2)


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def counts(clock: Clock) -> Counts:
    counts = Counts(clock=clock)
    counts.forget()
    return counts


def stored() -> dict[tuple[date, int], tuple[int, int]]:
    rows = ListExposure.objects.values_list("day", "course", "n_shown", "n_explored")
    return {(day, course): (shown, explored) for day, course, shown, explored in rows}


def test_what_two_processes_count_adds_up(counts, clock) -> None:
    a, b = CourseFactory().pk, CourseFactory().pk
    other = Counts(clock=clock)
    other.forget()
    counts.add([a, b], [b], day=TODAY)
    other.add([a], [], day=TODAY)
    other.add([a], [], day=TOMORROW)
    for one in (counts, other, counts):
        one.flush()
    assert stored() == {(TODAY, a): (2, 0), (TODAY, b): (1, 1), (TOMORROW, a): (1, 0)}


def test_it_stores_once_in_ten_seconds_with_one_statement_that_adds(
    counts, clock, django_assert_num_queries
) -> None:
    a, b = CourseFactory().pk, CourseFactory().pk
    with django_assert_num_queries(0):
        for _ in range(100):
            counts.add([a, b], [], day=TODAY)
    clock.now += FLUSH_EVERY_SECONDS
    counts.add([a], [], day=TODAY)
    assert stored() == {(TODAY, a): (101, 0), (TODAY, b): (100, 0)}
    with django_assert_num_queries(0):
        counts.add([a], [], day=TODAY)


def test_a_course_that_was_deleted_since_loses_its_counts_alone(counts) -> None:
    gone, stays = CourseFactory(), CourseFactory()
    counts.add([gone.pk, stays.pk], [], day=TODAY)
    gone.delete()
    counts.flush()
    assert stored() == {(TODAY, stays.pk): (1, 0)}


def test_where_the_database_refuses_nothing_is_lost_and_no_page_fails(counts, clock) -> None:
    course = CourseFactory().pk

    def refused(execute, sql, params, many, context):
        raise OperationalError("gone away")

    with connection.execute_wrapper(refused):
        for _ in range(3):
            clock.now += FLUSH_EVERY_SECONDS
            counts.add([course], [course], day=TODAY)
    counts.flush()
    assert stored() == {(TODAY, course): (3, 3)}


def test_beyond_its_bound_it_counts_only_what_it_knows(counts, monkeypatch) -> None:
    monkeypatch.setattr(exposure, "MOST_PENDING", 2)
    known, also, new = (CourseFactory().pk for _ in range(3))
    counts.add([known, also], [], day=TODAY)
    counts.add([known, new], [new], day=TODAY)
    counts.flush()
    assert stored() == {(TODAY, known): (2, 0), (TODAY, also): (1, 0)}


def test_threads_lose_nothing(counts) -> None:
    course = CourseFactory().pk
    threads = [
        threading.Thread(target=lambda: [counts.add([course], [], day=TODAY) for _ in range(500)])
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counts.flush()
    assert stored() == {(TODAY, course): (3_000, 0)}


def test_a_process_that_ends_stores_what_it_counted() -> None:
    program = (
        "import os\n"
        "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'tests.settings')\n"
        "import django; django.setup()\n"
        "from analytics import exposure\n"
        "from django.utils import timezone\n"
        "exposure._store = lambda shown, explored: print('stored', sum(shown.values()))\n"
        "exposure.forget()\n"
        "exposure.count_list([1, 2], [], moment=timezone.now())\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == "stored 2"
