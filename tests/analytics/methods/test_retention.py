# ruff: noqa: DTZ001 the numeric part reads times as UTC without a zone
from __future__ import annotations

from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.methods.rates import Rate
from analytics.methods.retention import (
    cohort_retention,
    cohort_retention_by_course,
    local_days,
    local_hours,
    retention_by_course,
    retention_by_user,
    retention_rate,
)

MONDAY = date(2026, 3, 2)
SHANGHAI = "Asia/Shanghai"

Activity = list[tuple[int, int]]
activities = st.lists(st.tuples(st.integers(1, 6), st.integers(0, 40)), max_size=80)


def days_after(*numbers: int) -> list[date]:
    return [MONDAY + timedelta(days=n) for n in numbers]


def frame_of(activity: Activity) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "user_id": np.array([user for user, _ in activity], dtype="int64"),
            "day": np.array(days_after(*(n for _, n in activity)), dtype="datetime64[D]"),
        }
    )


def longest_run_by_hand(days: set[int]) -> int:
    best = 0
    for day in days:
        length = 0
        while day + length in days:
            length += 1
        best = max(best, length)
    return best


def test_thirty_days_in_a_row_of_sixty_are_half() -> None:
    in_a_row = range(30)
    every_second = range(40, 100, 2)
    rate = retention_rate(days_after(*in_a_row, *every_second))
    assert rate == Rate(30, 60)
    assert rate.percent == "50.0%"


def test_a_day_that_comes_twice_counts_once() -> None:
    assert retention_rate(days_after(0, 0, 1, 5)) == Rate(2, 3)


def test_nobody_has_a_rate_without_an_active_day() -> None:
    assert retention_rate([]).value is None


@given(activities)
def test_it_agrees_with_counting_by_hand(activity: Activity) -> None:
    table = retention_by_user(frame_of(activity), as_of=MONDAY + timedelta(days=40))
    by_person: dict[int, set[int]] = {}
    for user, day in activity:
        by_person.setdefault(user, set()).add(day)
    assert table["user_id"].tolist() == sorted(by_person)
    for row in table.itertuples():
        days = by_person[row.user_id]
        assert row.n_active_days == len(days)
        assert row.longest_run == longest_run_by_hand(days)
        end = 40 if 40 in days else 39
        streak = 0
        while end - streak in days:
            streak += 1
        assert row.current_streak == streak


@given(activities, st.randoms())
def test_order_and_repetition_of_rows_do_not_matter(activity: Activity, random: object) -> None:
    shuffled = activity * 2
    random.shuffle(shuffled)
    as_of = MONDAY + timedelta(days=40)
    pd.testing.assert_frame_equal(
        retention_by_user(frame_of(activity), as_of=as_of),
        retention_by_user(frame_of(shuffled), as_of=as_of),
    )


def test_a_streak_lasts_through_yesterday_because_today_is_not_over() -> None:
    frame = frame_of([(1, 3), (1, 4)])
    for today, streak in [(4, 2), (5, 2), (6, 0)]:
        table = retention_by_user(frame, as_of=MONDAY + timedelta(days=today))
        assert table["current_streak"].item() == streak


def test_a_day_is_one_of_the_platform_and_not_of_greenwich() -> None:
    late_in_utc = [datetime(2026, 3, 1, 15, 59), datetime(2026, 3, 1, 16, 0)]
    assert local_days(late_in_utc, SHANGHAI).tolist() == [date(2026, 3, 1), date(2026, 3, 2)]
    assert local_hours(late_in_utc, SHANGHAI).tolist() == [23.0, 0.0]


def test_a_missing_day_is_refused_by_name() -> None:
    frame = pd.DataFrame({"user_id": [1], "day": [pd.NaT]})
    with pytest.raises(ValueError, match="a day is missing"):
        retention_by_user(frame)


def test_a_course_is_the_runs_of_its_learners_over_their_days() -> None:
    frame = frame_of([(1, 0), (1, 1), (2, 0), (2, 5), (3, 9)]).assign(course_id=[7, 7, 7, 7, 8])
    table = retention_by_course(frame).set_index("course_id")
    assert table.loc[7].to_dict() == {"n_learners": 2, "n_active_days": 4, "longest_run_days": 3}
    assert table.loc[8].to_dict() == {"n_learners": 1, "n_active_days": 1, "longest_run_days": 1}


def test_a_cohort_counts_who_of_the_first_week_came_back() -> None:
    frame = frame_of([(1, 0), (1, 1), (2, 2), (2, 5), (3, 6), (3, 7), (4, 7), (4, 8)])
    table = cohort_retention(frame, as_of=MONDAY + timedelta(days=20), days=[1, 3])
    rows = {
        (row.cohort.date(), row.day): (row.n_returned, row.n_cohort) for row in table.itertuples()
    }
    next_monday = MONDAY + timedelta(days=7)
    assert rows == {
        (MONDAY, 1): (2, 3),
        (MONDAY, 3): (1, 3),
        (next_monday, 1): (1, 1),
        (next_monday, 3): (0, 1),
    }


def test_a_cohort_waits_until_its_last_person_could_be_back() -> None:
    frame = frame_of([(1, 0), (1, 1)])
    # Somebody who comes first on Sunday can be back on day 1 a Monday at the earliest.
    sunday, monday = MONDAY + timedelta(days=6), MONDAY + timedelta(days=7)
    assert cohort_retention(frame, as_of=sunday, days=[1]).empty
    assert len(cohort_retention(frame, as_of=monday, days=[1])) == 1


@given(activities, st.integers(1, 14))
def test_daily_cohorts_agree_with_counting_by_hand(activity: Activity, day: int) -> None:
    table = cohort_retention(
        frame_of(activity), as_of=MONDAY + timedelta(days=40), days=[day], by="day"
    )
    by_person: dict[int, set[int]] = {}
    for user, number in activity:
        by_person.setdefault(user, set()).add(number)
    expected: dict[date, list[int]] = {}
    for numbers in by_person.values():
        first = min(numbers)
        if first + day <= 40:
            counts = expected.setdefault(MONDAY + timedelta(days=first), [0, 0])
            counts[0] += first + day in numbers
            counts[1] += 1
    found = {row.cohort.date(): [row.n_returned, row.n_cohort] for row in table.itertuples()}
    assert found == expected


def test_a_course_counts_each_learner_from_their_own_first_day_in_it() -> None:
    frame = frame_of([(1, 0), (1, 1), (2, 4), (3, 6)]).assign(course_id=7)
    table = cohort_retention_by_course(frame, as_of=MONDAY + timedelta(days=6), days=[1, 30])
    # Person 3 came today: their day 1 is not over; nobody has reached day 30.
    assert table.to_dict("records") == [{"course_id": 7, "day": 1, "n_cohort": 2, "n_returned": 1}]
