from __future__ import annotations

from datetime import date, timedelta

import pytest

from accounts.models import User
from analytics.models import (
    CohortRetention,
    CourseRetention,
    EventKind,
    ModelRun,
    Task,
    UserRetention,
)
from analytics.pipelines import retention, runs
from analytics.pipelines.retention import refresh_retention
from tests.factories import (
    LONG_AGO,
    CourseFactory,
    EventFactory,
    LessonProgressFactory,
    ReviewFactory,
    UserFactory,
)

pytestmark = [pytest.mark.django_db, pytest.mark.mariadb]

NOW = LONG_AGO + timedelta(days=70)


def active(person: User, *days: int, **values: object) -> None:
    for day in days:
        EventFactory(user=person, occurred_at=LONG_AGO + timedelta(days=day), **values)


def rows() -> list[list[dict]]:
    return [
        list(table.objects.order_by("pk").values()) for table in (UserRetention, CourseRetention)
    ] + [list(CohortRetention.objects.values("cohort_week", "day", "n_cohort", "n_returned"))]


def test_thirty_days_in_a_row_of_sixty_are_half() -> None:
    person, course = UserFactory(), CourseFactory()
    active(person, *range(30), *range(31, 91, 2), course=course)

    run = refresh_retention(now=LONG_AGO + timedelta(days=100))

    row = UserRetention.objects.get()
    assert row.user == person
    assert (row.longest_run, row.n_active_days) == (30, 60)
    assert row.rate.percent == "50.0%"
    assert CourseRetention.objects.get(course=course).rate.percent == "50.0%"
    assert ModelRun.objects.served(Task.RETENTION) == run


def test_lesson_progress_is_activity_and_being_shown_something_is_not() -> None:
    progress = LessonProgressFactory(updated_at=LONG_AGO + timedelta(days=1))
    EventFactory(kind=EventKind.IMPRESSION)
    refresh_retention(now=NOW)
    row = UserRetention.objects.get()
    assert row.user == progress.user
    assert (row.n_active_days, row.longest_run) == (2, 2)


def test_events_without_a_date_are_no_active_day() -> None:
    EventFactory(kind=EventKind.PURCHASE, occurred_at=None, position=1)
    refresh_retention(now=NOW)
    assert not UserRetention.objects.exists()
    assert not CohortRetention.objects.exists()


def test_a_weekly_cohort_counts_who_came_back() -> None:
    one, other = UserFactory.create_batch(2)
    active(one, 0, 1, 7)
    active(other, 2, 3)
    refresh_retention(now=NOW)
    found = {
        (row.cohort_week, row.day): (row.n_returned, row.n_cohort)
        for row in CohortRetention.objects.all()
    }
    monday = date(2026, 1, 5)
    assert found == {
        (monday, 1): (2, 2),
        (monday, 3): (0, 2),
        (monday, 7): (1, 2),
        (monday, 14): (0, 2),
        (monday, 30): (0, 2),
    }


def test_satisfaction_of_a_course_is_its_visible_ratings() -> None:
    course = CourseFactory()
    ReviewFactory(course=course, rating=5)
    ReviewFactory(course=course, rating=2)
    ReviewFactory(course=course, rating=1, is_visible=False)
    refresh_retention(now=NOW)
    row = CourseRetention.objects.get(course=course)
    assert (row.n_ratings, row.rating_mean) == (2, 3.5)
    assert row.rate.value is None


def test_late_and_repeated_events_change_rows_as_if_they_had_come_in_time() -> None:
    person, course = UserFactory(), CourseFactory()
    active(person, 0, 2, course=course)
    refresh_retention(now=NOW)
    active(person, 1, 2, 2, course=course)

    refresh_retention(now=NOW)
    refreshed = rows()

    for table in (UserRetention, CourseRetention, CohortRetention):
        table.objects.all().delete()
    refresh_retention(now=NOW)
    assert rows() == refreshed
    assert UserRetention.objects.get().longest_run == 3


def test_running_twice_gives_the_same_rows() -> None:
    active(UserFactory(), 0, 1, 4)
    refresh_retention(now=NOW)
    once = rows()
    refresh_retention(now=NOW)
    assert rows() == once


def test_whoever_refuses_personalisation_loses_their_row() -> None:
    person = UserFactory()
    active(person, 0)
    refresh_retention(now=NOW)
    User.objects.filter(pk=person.pk).update(is_personalised=False)
    refresh_retention(now=NOW)
    assert not UserRetention.objects.exists()


def test_a_failure_says_why_and_leaves_the_last_run_served(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    active(UserFactory(), 0)
    good = refresh_retention(now=NOW)

    def fail(*_: object, **__: object) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(retention, "retention_by_user", fail)
    with pytest.raises(OSError, match="disk"):
        refresh_retention(now=NOW)
    assert ModelRun.objects.served(Task.RETENTION) == good
    assert ModelRun.objects.latest("pk").message == "OSError: the disk is full"
    assert UserRetention.objects.count() == 1


@pytest.mark.mariadb(only=True)
@pytest.mark.django_db(transaction=True)
def test_workers_at_once_give_the_same_rows(in_parallel) -> None:
    active(UserFactory(), 0, 1, 5)
    refresh_retention(now=NOW)
    once = rows()
    raised = in_parallel(lambda: refresh_retention(now=NOW))
    assert {type(error) for error in raised} <= {type(None), runs.AlreadyRunning}
    assert rows() == once
