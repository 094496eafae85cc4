"""How one person learns one course: study time, frequency, path, and signs of struggle.

- study time: seconds studied, summed over lessons;
- study frequency: active days per week, from the first active day to the last;
- study path: lessons in the order in which they were opened.

A day is a calendar day in the platform's time zone. Times come in as UTC without a zone.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from analytics.methods.retention import local_days

# Before that nobody struggles: they have only begun.
SETTLED_AFTER = timedelta(days=7)
# Who studied less than this share of what they opened, and completed less than half of it,
# left most lessons early: short study time is the sign, opening lessons the wish to learn.
SHORT_SHARE = 0.3
COMPLETED_SHARE = 0.5

LEARNERS = ["user_id", "course_id"]


def learning_summaries(
    progress: pd.DataFrame,
    lessons: pd.DataFrame,
    studied: pd.DataFrame,
    *,
    tz: str,
    now: datetime,
) -> pd.DataFrame:
    """One row per user_id and course_id with progress, in order.

    `progress` has user_id, lesson_id, course_id, seconds, opened_at, updated_at, completed_at
    (NaT when not completed), one row per person and lesson; `lessons` has lesson_id, course_id,
    duration_seconds; `studied` has user_id, course_id, occurred_at: further moments of study,
    which count for days only, and only in courses with progress.

    Columns: study_seconds, n_active_days, n_opened, n_completed, n_lessons (int64),
    days_per_week (float64), path (list of lesson ids, first opened first), is_struggling
    (bool, see `is_struggling`), last_studied_at (datetime64[us]).
    """
    progress = progress.merge(lessons[["lesson_id", "duration_seconds"]], on="lesson_id")
    progress = progress.sort_values([*LEARNERS, "opened_at", "lesson_id"])
    by_learner = progress.groupby(LEARNERS, sort=True)
    table = pd.DataFrame(
        {
            "study_seconds": by_learner["seconds"].sum(),
            "n_opened": by_learner.size(),
            "n_completed": by_learner["completed_at"].count(),
            "opened_seconds": by_learner["duration_seconds"].sum(),
            "first_opened_at": by_learner["opened_at"].min(),
            "path": by_learner["lesson_id"].agg(list),
        }
    )
    courses = table.index.get_level_values("course_id")
    table["n_lessons"] = courses.map(lessons.groupby("course_id").size()).astype("int64")
    table = table.join(_days(progress, studied, tz=tz))
    table["is_struggling"] = is_struggling(table, now=now)
    return table.drop(columns=["opened_seconds", "first_opened_at"]).reset_index()


def is_struggling(table: pd.DataFrame, *, now: datetime) -> np.ndarray:
    """Who leaves lessons early: bool of shape (n_rows,).

    All of: the first lesson was opened at least SETTLED_AFTER ago, lessons are left to
    complete, less than SHORT_SHARE of the length of the opened lessons was studied, and less
    than COMPLETED_SHARE of them completed. Without known lengths nobody is said to struggle.
    Columns: study_seconds, opened_seconds, n_opened, n_completed, n_lessons, first_opened_at.
    """
    return (
        (table["first_opened_at"] <= pd.Timestamp(now) - SETTLED_AFTER)
        & (table["n_completed"] < table["n_lessons"])
        & (table["study_seconds"] < SHORT_SHARE * table["opened_seconds"])
        & (table["n_completed"] < COMPLETED_SHARE * table["n_opened"])
    ).to_numpy(dtype=bool)


def easier_courses(
    learners: pd.DataFrame, courses: pd.DataFrame, taken: pd.DataFrame
) -> np.ndarray:
    """Something easier of the same field for each learner: course ids, 0 for none, (n_rows,).

    Of the published courses of the same category at a lower level that the person does not
    have, the nearest level, then the one that most people have, then the older one.
    `learners` has user_id, course_id; `courses` has course_id, category_id, level,
    is_published; `taken` has user_id, course_id (who has what, and every course begun).
    """
    popular = taken.groupby("course_id").size()
    catalogue = courses.assign(n_taken=courses["course_id"].map(popular).fillna(0))
    catalogue = catalogue.sort_values(
        ["level", "n_taken", "course_id"], ascending=[False, False, True]
    )
    shelves = {
        category: list(zip(shelf["course_id"], shelf["level"], strict=True))
        for category, shelf in catalogue[catalogue["is_published"]].groupby("category_id")
    }
    about = courses.set_index("course_id")[["category_id", "level"]].to_dict("index")
    asking = taken[taken["user_id"].isin(learners["user_id"])]
    has = set(zip(asking["user_id"].tolist(), asking["course_id"].tolist(), strict=True))
    found = np.zeros(len(learners), dtype="int64")
    pairs = zip(learners["user_id"].tolist(), learners["course_id"].tolist(), strict=True)
    for row, (user, course) in enumerate(pairs):
        # A draft has no row: nobody should be led away from it before it is back.
        here = about.get(course)
        shelf = shelves.get(here["category_id"], []) if here else []
        found[row] = next(
            (
                int(other)
                for other, level in shelf
                if level < here["level"] and (user, other) not in has
            ),
            0,
        )
    return found


def _days(progress: pd.DataFrame, studied: pd.DataFrame, *, tz: str) -> pd.DataFrame:
    """n_active_days, days_per_week and last_studied_at, indexed by LEARNERS."""
    moments = pd.concat(
        [
            progress[[*LEARNERS, column]].rename(columns={column: "moment"})
            for column in ("opened_at", "updated_at", "completed_at")
        ]
        + [studied[[*LEARNERS, "occurred_at"]].rename(columns={"occurred_at": "moment"})],
        ignore_index=True,
    ).dropna()
    moments["day"] = local_days(moments["moment"], tz).astype("int64")
    by_learner = moments.groupby(LEARNERS, sort=True)
    n_days = by_learner["day"].nunique()
    span = by_learner["day"].max() - by_learner["day"].min() + 1
    return pd.DataFrame(
        {
            "n_active_days": n_days,
            # A course begun this week has had no chance to show a whole one.
            "days_per_week": n_days / np.maximum(span / 7, 1.0),
            "last_studied_at": by_learner["moment"].max(),
        }
    )
