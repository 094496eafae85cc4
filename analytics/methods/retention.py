"""Who comes back: runs of active days per person, and cohorts.

Two different things that are never called by one name:

- the retention rate of a person = longest run of consecutive active days / number of
  active days x 100%; 30 in a row of 60 is 50%;
- cohort retention Dn = share of the people first active on day 0 who are active on day n.

A day is a calendar day in the platform's time zone (`local_days`). Days come in as anything
that pandas reads as dates and go out as datetime64[s] at midnight, without a zone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, tzinfo
from typing import Literal

import numpy as np
import pandas as pd

from analytics.methods.rates import Rate

COHORT_DAYS = (1, 3, 7, 14, 30)
USER_COLUMNS = [
    "user_id",
    "n_active_days",
    "longest_run",
    "first_day",
    "last_day",
    "current_streak",
]

# Day 0 of numpy's calendar, 1970-01-01, was a Thursday: weeks begin three days before it.
_THURSDAY = 3


def local_days(timestamps_utc: Iterable, tz: str | tzinfo) -> np.ndarray:
    """The calendar day in `tz` of each moment: datetime64[D] of shape (n,), NaT for a missing one.

    Moments without a zone are read as UTC.
    """
    return _local(timestamps_utc, tz).dt.tz_localize(None).to_numpy().astype("datetime64[D]")


def local_hours(timestamps_utc: Iterable, tz: str | tzinfo) -> np.ndarray:
    """The hour of the day in `tz` of each moment: float64 of shape (n,), NaN for a missing one."""
    return _local(timestamps_utc, tz).dt.hour.to_numpy(dtype="float64")


def _local(timestamps_utc: Iterable, tz: str | tzinfo) -> pd.Series:
    moments = timestamps_utc if isinstance(timestamps_utc, pd.Series) else list(timestamps_utc)
    return pd.Series(pd.to_datetime(pd.Series(moments), utc=True)).dt.tz_convert(tz)


def retention_rate(active_days: Iterable[date]) -> Rate:
    """Longest run of consecutive active days of all active days; 0 of 0 without any.

    A day that comes twice counts once.

    >>> retention_rate([date(2026, 3, 1), date(2026, 3, 2), date(2026, 3, 9)])
    Rate(numerator=2, denominator=3)
    """
    days = np.unique(_day_numbers(pd.Series(list(active_days), dtype="object")))
    if not len(days):
        return Rate(0, 0)
    ends = np.flatnonzero(np.append(np.diff(days) != 1, True))
    return Rate(int(np.diff(ends, prepend=-1).max()), len(days))


def retention_by_user(frame: pd.DataFrame, *, as_of: date | None = None) -> pd.DataFrame:
    """Runs of active days of each person.

    `frame` has user_id and day; rows may repeat and come in any order. Columns of the
    result, one row per user_id in order: n_active_days, longest_run, current_streak (int64,
    days), first_day, last_day (datetime64[s]). The current streak is the run that ends on
    `as_of` (default: the latest day in the frame) or on the day before, because today is not
    over yet; days after `as_of` do not count.
    """
    users, days = _distinct_days(frame, "user_id")
    today = _day_number(as_of) if as_of is not None else (days.max() if len(days) else 0)
    users, days = users[days <= today], days[days <= today]
    runs = _runs(users, days)
    by_user = runs.groupby("user_id", sort=True)
    result = pd.DataFrame(
        {
            "n_active_days": by_user["length"].sum(),
            "longest_run": by_user["length"].max(),
            "first_day": _as_days(by_user["start"].min()),
            "last_day": _as_days(by_user["end"].max()),
        }
    )
    running = runs[runs["end"] >= today - 1].set_index("user_id")["length"]
    result["current_streak"] = running.reindex(result.index, fill_value=0)
    return result.reset_index()[USER_COLUMNS]


def retention_by_course(frame: pd.DataFrame, *, as_of: date | None = None) -> pd.DataFrame:
    """The retention rate of a course: longest runs of its learners over their active days.

    `frame` has course_id, user_id and day. Columns, one row per course_id: n_learners,
    n_active_days and longest_run_days (int64, summed over learners), whose quotient is the
    rate of the course.
    """
    learners = frame.groupby(["course_id", "user_id"], sort=True).ngroup().to_numpy()
    courses = pd.Series(frame["course_id"].to_numpy(), index=learners)
    runs = retention_by_user(
        pd.DataFrame({"user_id": learners, "day": frame["day"].to_numpy()}), as_of=as_of
    )
    runs["course_id"] = runs["user_id"].map(courses[~courses.index.duplicated()])
    by_course = runs.groupby("course_id", sort=True)
    return by_course.agg(
        n_learners=("user_id", "size"),
        n_active_days=("n_active_days", "sum"),
        longest_run_days=("longest_run", "sum"),
    ).reset_index()


def cohort_retention(
    frame: pd.DataFrame,
    *,
    as_of: date,
    days: Sequence[int] = COHORT_DAYS,
    by: Literal["day", "week"] = "week",
) -> pd.DataFrame:
    """Dn of each cohort: of the people first active then, how many were active on day n.

    `frame` has user_id and day; `as_of` is the last complete day of the record. Columns:
    cohort (datetime64[s]: the first active day, or the Monday of its week), day, n_cohort,
    n_returned (int64). Day n counts from each person's own first day. A cohort has a row
    for day n only when all its people could have been seen on it: a week enters once its
    Sunday lies n days back, so that late comers cannot make a cohort look lost.
    """
    people = _first_days(frame, as_of=as_of)
    if by == "week":
        people["cohort"] -= (people["first"] + _THURSDAY) % 7
    span = 6 if by == "week" else 0
    seen_until = _day_number(as_of) - span
    rows = _returns(people, days, seen_until - people["cohort"], key="cohort")
    rows["cohort"] = _as_days(rows["cohort"])
    return rows


def cohort_retention_by_course(
    frame: pd.DataFrame, *, as_of: date, days: Sequence[int] = COHORT_DAYS
) -> pd.DataFrame:
    """Dn of each course, over all its learners whose day n lies within the record.

    `frame` has course_id, user_id and day; day 0 is the learner's first day in that course.
    Columns: course_id, day, n_cohort, n_returned (int64); no row for a day that no learner
    of the course could have reached by `as_of`.
    """
    people = _first_days(frame, as_of=as_of, within=["course_id"])
    return _returns(people, days, _day_number(as_of) - people["first"], key="course_id")


def pooled_cohorts(cohorts: pd.DataFrame) -> pd.DataFrame:
    """Cohorts added up per day n. Columns: day, n_cohort, n_returned (int64)."""
    return cohorts.groupby("day", sort=True)[["n_cohort", "n_returned"]].sum().reset_index()


def _first_days(frame: pd.DataFrame, *, as_of: date, within: Sequence[str] = ()) -> pd.DataFrame:
    """One row per person and active day: first (day number of the person's first day), cohort
    (the same, to be made coarser) and after (days since the first), all int64."""
    keys = [*within, "user_id"]
    distinct = frame[keys].assign(number=_day_numbers(frame["day"])).drop_duplicates()
    distinct = distinct[distinct["number"] <= _day_number(as_of)].sort_values([*keys, "number"])
    first = distinct.groupby(keys)["number"].transform("first")
    return distinct.assign(first=first, cohort=first, after=distinct["number"] - first)


def _returns(
    activity: pd.DataFrame, days: Sequence[int], observable: pd.Series, *, key: str
) -> pd.DataFrame:
    """Counts per key and day n; `observable` is the last n that each row's person can show."""
    parts = []
    for day in sorted(set(days)):
        seen = activity[observable >= day]
        cohort = seen[seen["after"] == 0].groupby(key).size()
        returned = seen[seen["after"] == day].groupby(key).size()
        counts = pd.DataFrame({"n_cohort": cohort, "n_returned": returned})
        counts = counts.fillna(0).astype("int64").rename_axis(key).reset_index()
        parts.append(counts.assign(day=day))
    columns = [key, "day", "n_cohort", "n_returned"]
    if not parts:
        return pd.DataFrame({name: np.array([], dtype="int64") for name in columns})
    return pd.concat(parts, ignore_index=True).sort_values([key, "day"], ignore_index=True)[columns]


def _distinct_days(frame: pd.DataFrame, key: str) -> tuple[np.ndarray, np.ndarray]:
    """Keys and day numbers of shape (n,), sorted by both, each pair once."""
    pairs = pd.DataFrame({"key": frame[key], "day": _day_numbers(frame["day"])})
    pairs = pairs.drop_duplicates().sort_values(["key", "day"])
    return pairs["key"].to_numpy(), pairs["day"].to_numpy()


def _runs(users: np.ndarray, days: np.ndarray) -> pd.DataFrame:
    """Runs of consecutive days: user_id, start, end (day numbers), length (days)."""
    starts = np.ones(len(days), dtype=bool)
    starts[1:] = (np.diff(days) != 1) | (users[1:] != users[:-1])
    first = np.flatnonzero(starts)
    last = np.append(first[1:], len(days)) - 1 if len(first) else first
    return pd.DataFrame(
        {
            "user_id": users[first],
            "start": days[first],
            "end": days[last],
            "length": (last - first + 1).astype("int64"),
        }
    )


def _day_numbers(days: pd.Series) -> np.ndarray:
    """Days since 1970-01-01: int64 of shape (n,). Raises ValueError for a missing day."""
    moments = pd.to_datetime(days)
    if moments.isna().any():
        raise ValueError("a day is missing: leave out rows without a date")
    return moments.to_numpy().astype("datetime64[D]").astype("int64")


def _day_number(day: date) -> int:
    return int(np.datetime64(pd.Timestamp(day).date(), "D").astype("int64"))


def _as_days(numbers: pd.Series) -> pd.Series:
    days = numbers.to_numpy().astype("int64").astype("datetime64[D]").astype("datetime64[s]")
    return pd.Series(days, index=numbers.index, name=numbers.name)
