# ruff: noqa: DTZ001 the numeric part reads times as UTC without a zone
from __future__ import annotations

from datetime import datetime, timedelta

import pandas as pd
import pytest

from analytics.methods.learning import easier_courses, learning_summaries

NOW = datetime(2026, 6, 1, 12, 0)
COURSE, LEARNER = 7, 1
LESSONS = pd.DataFrame(
    {"lesson_id": [11, 12, 13, 14], "course_id": COURSE, "duration_seconds": 600}
)
NOTHING_MORE = pd.DataFrame(
    {
        "user_id": pd.Series(dtype="int64"),
        "course_id": pd.Series(dtype="int64"),
        "occurred_at": pd.Series(dtype="datetime64[us]"),
    }
)


def opened(
    lesson: int, days_ago: float, *, seconds: int = 0, updated: float | None = None, **extra: object
) -> dict:
    return {
        "user_id": LEARNER,
        "lesson_id": lesson,
        "course_id": COURSE,
        "seconds": seconds,
        "opened_at": NOW - timedelta(days=days_ago),
        "updated_at": NOW - timedelta(days=days_ago if updated is None else updated),
        "completed_at": None,
        **extra,
    }


def summary_of(
    *progress: dict, lessons: pd.DataFrame = LESSONS, studied: pd.DataFrame = NOTHING_MORE
) -> dict:
    frame = pd.DataFrame(list(progress))
    times = ["opened_at", "updated_at", "completed_at"]
    frame[times] = frame[times].apply(lambda c: pd.to_datetime(c).astype("datetime64[us]"))
    table = learning_summaries(frame, lessons, studied, tz="Asia/Shanghai", now=NOW)
    return table.to_dict("records")[0]


def test_the_path_is_the_order_in_which_lessons_were_opened() -> None:
    summary = summary_of(opened(13, 1), opened(11, 3), opened(12, 2))
    assert summary["path"] == [11, 12, 13]
    assert (summary["n_opened"], summary["n_completed"], summary["n_lessons"]) == (3, 0, 4)


def test_study_time_is_the_sum_over_lessons() -> None:
    assert summary_of(opened(11, 3, seconds=400), opened(12, 2, seconds=50))["study_seconds"] == 450


def test_frequency_is_active_days_per_week_between_the_first_and_the_last() -> None:
    # Days 21, 20, 14 and 1 before now: a span of 21 days.
    summary = summary_of(opened(11, 21, updated=20), opened(12, 14, updated=1))
    assert summary["n_active_days"] == 4
    assert summary["days_per_week"] == pytest.approx(4 / 3)


def test_the_first_week_counts_as_a_whole_one() -> None:
    assert summary_of(opened(11, 1, updated=0))["days_per_week"] == 2


def test_more_study_of_an_open_lesson_counts_for_its_days() -> None:
    studied = pd.DataFrame(
        {
            "user_id": [LEARNER, LEARNER, 99],
            "course_id": [COURSE, COURSE, COURSE],
            "occurred_at": pd.to_datetime(
                [NOW - timedelta(days=2), NOW - timedelta(days=2), NOW]
            ).astype("datetime64[us]"),
        }
    )
    summary = summary_of(opened(11, 3), studied=studied)
    assert summary["n_active_days"] == 2
    assert summary["last_studied_at"] == pd.Timestamp(NOW - timedelta(days=2))


def test_midnight_is_that_of_the_platform() -> None:
    # 15:30 and 16:30 of UTC are one day there and two in Shanghai.
    late = opened(11, 0) | {
        "opened_at": datetime(2026, 5, 20, 15, 30),
        "updated_at": datetime(2026, 5, 20, 16, 30),
    }
    assert summary_of(late)["n_active_days"] == 2


STRUGGLING = [opened(11, 20, seconds=100), opened(12, 19, seconds=60)]


def test_short_study_of_opened_lessons_is_a_struggle() -> None:
    assert summary_of(*STRUGGLING)["is_struggling"]


@pytest.mark.parametrize(
    "progress",
    [
        pytest.param([opened(11, 6, seconds=10)], id="only begun"),
        pytest.param([opened(11, 20, seconds=200)], id="long enough"),
        pytest.param(
            [
                opened(11, 20, seconds=10, completed_at=NOW),
                opened(12, 19, seconds=10),
            ],
            id="half completed",
        ),
    ],
)
def test_it_is_no_struggle(progress: list[dict]) -> None:
    assert not summary_of(*progress)["is_struggling"]


def test_nobody_struggles_with_lessons_of_unknown_length() -> None:
    assert not summary_of(*STRUGGLING, lessons=LESSONS.assign(duration_seconds=0))["is_struggling"]


def courses_of(*rows: tuple[int, int, int, bool]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=["course_id", "category_id", "level", "is_published"])


ASKING = pd.DataFrame({"user_id": [LEARNER], "course_id": [COURSE]})
TAKEN = pd.DataFrame({"user_id": [LEARNER, 2, 3, 3], "course_id": [COURSE, 31, 31, 32]})


def easier(*others: tuple[int, int, int, bool], taken: pd.DataFrame = TAKEN) -> int:
    courses = courses_of((COURSE, 5, 3, True), *others)
    return int(easier_courses(ASKING, courses, taken)[0])


def test_easier_is_the_next_lower_level_that_most_people_have() -> None:
    assert easier((30, 5, 1, True), (32, 5, 2, True), (31, 5, 2, True)) == 31


@pytest.mark.parametrize(
    "other",
    [
        pytest.param((31, 6, 1, True), id="another field"),
        pytest.param((31, 5, 3, True), id="no easier"),
        pytest.param((31, 5, 1, False), id="withdrawn"),
    ],
)
def test_it_offers_nothing_rather_than_something_else(other: tuple) -> None:
    assert easier(other) == 0


def test_it_does_not_offer_what_the_person_has() -> None:
    has_it = pd.DataFrame({"user_id": [LEARNER], "course_id": [31]})
    assert easier((31, 5, 1, True), taken=has_it) == 0
