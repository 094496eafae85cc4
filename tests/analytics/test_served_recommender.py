"""Which model a process serves: looked for seldom, swapped as a whole, the last good one kept."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import connection

from analytics.model_files import BadModelFile, load_arrays
from analytics.models import ModelRun, PopularCourses, Task
from analytics.served_recommender import LOOK_EVERY_SECONDS, TRY_AGAIN_SECONDS, Holder
from analytics.serving import recommended_courses
from catalog.models import Course
from tests.analytics.models_of import look_anew, served_model
from tests.factories import CourseFactory, UserFactory

pytestmark = pytest.mark.django_db


class Clock:
    """Stands still until it is moved."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def holder(clock: Clock) -> Holder:
    return Holder(clock=clock)


@pytest.fixture
def courses() -> list[Course]:
    return CourseFactory.create_batch(3)


def file_of(run: ModelRun, settings) -> Path:
    return Path(settings.MODELS_DIR) / run.model_file


def spoil(run: ModelRun, settings) -> None:
    file_of(run, settings).write_bytes(b"no model")


def served_id(holder: Holder) -> int:
    version = holder.current()
    assert version is not None
    return version.run_id


def test_before_the_first_fit_there_is_none(holder) -> None:
    assert holder.current() is None


def test_it_looks_once_in_a_while_with_one_small_query(
    holder, clock, courses, django_assert_num_queries
) -> None:
    first = served_model(courses, after={0: {1: 0.5}})
    assert served_id(holder) == first.pk
    second = served_model(courses, after={0: {2: 0.5}})
    clock.now += LOOK_EVERY_SECONDS - 0.1
    with django_assert_num_queries(0):
        assert served_id(holder) == first.pk
    clock.now += 0.1
    with django_assert_num_queries(1):
        assert served_id(holder) == second.pk
    clock.now += LOOK_EVERY_SECONDS
    with django_assert_num_queries(1):
        assert served_id(holder) == second.pk


@pytest.mark.parametrize("how", ["damaged", "missing"])
def test_a_file_that_cannot_be_read_leaves_the_last_one_in_place_and_is_said_once(
    how, holder, clock, courses, settings, caplog
) -> None:
    good = served_model(courses, after={0: {1: 0.5}})
    assert served_id(holder) == good.pk
    # What is in memory needs its file no more.
    file_of(good, settings).unlink()
    bad = served_model(courses, after={0: {2: 0.5}})
    content = file_of(bad, settings).read_bytes()
    if how == "damaged":
        spoil(bad, settings)
    else:
        file_of(bad, settings).unlink()
    with caplog.at_level(logging.ERROR):
        for _ in range(40):
            clock.now += LOOK_EVERY_SECONDS
            assert served_id(holder) == good.pk
    assert len([one for one in caplog.records if f"#{bad.pk}" in one.message]) == 1

    # Its file arrives after all.
    file_of(bad, settings).write_bytes(content)
    clock.now += TRY_AGAIN_SECONDS
    assert served_id(holder) == bad.pk


def test_a_process_that_starts_with_a_bad_file_serves_the_one_before(
    holder, courses, settings
) -> None:
    first, good, bad = (served_model(courses, after={0: {1: 0.5}}) for _ in range(3))
    spoil(bad, settings)
    assert served_id(holder) == good.pk
    spoil(good, settings)
    assert Holder().current().run_id == first.pk


def test_without_any_file_everybody_sees_what_is_popular(courses, settings) -> None:
    run = served_model(courses, after={0: {1: 0.5}}, popular=[0, 1, 0.5])
    spoil(run, settings)
    look_anew()
    for viewer in (AnonymousUser(), UserFactory()):
        found = recommended_courses(user=viewer)
        assert [one.course for one in found] == [courses[1], courses[2]]
        assert {one.reason_code for one in found} == {"popular"}
    assert PopularCourses.objects.filter(run=run).exists()


def test_a_file_that_is_not_of_its_run_is_not_read(courses, settings) -> None:
    one, other = (served_model(courses, after={0: {1: 0.5}}, popular=[x, 0, 0]) for x in (1, 2))
    file_of(one, settings).write_bytes(file_of(other, settings).read_bytes())
    with pytest.raises(BadModelFile, match="checksum"):
        load_arrays(one)


@pytest.mark.django_db(transaction=True)
def test_threads_see_one_whole_version_or_the_other(holder, clock, courses) -> None:
    first = served_model(courses, after={0: {1: 0.5}})
    assert served_id(holder) == first.pk
    second = served_model(courses, after={0: {2: 0.5}})
    clock.now += LOOK_EVERY_SECONDS
    seen: list[tuple[int, int]] = []
    start = threading.Barrier(8)

    def look() -> None:
        start.wait()
        try:
            for _ in range(20):
                version = holder.current()
                seen.append((version.run_id, int(version.model.arrays["rows_indices"][0])))
        finally:
            connection.close()

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # The row of the first course names the second one in the first version, the third in the other.
    assert len(seen) == 160
    assert set(seen) <= {(first.pk, 1), (second.pk, 2)}
    assert seen[-1] == (second.pk, 2)
    assert ModelRun.objects.served(Task.RECOMMEND) == second
