"""Who comes back, per person, per course and per weekly cohort; and how courses are rated."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pandas as pd
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from analytics import frames
from analytics.methods.retention import (
    cohort_retention,
    cohort_retention_by_course,
    local_days,
    retention_by_course,
    retention_by_user,
)
from analytics.models import (
    CohortRetention,
    CourseRetention,
    EventKind,
    ModelRun,
    Task,
    UserRetention,
)
from analytics.pipelines.runs import recorded_run, serve
from analytics.pipelines.writing import BATCH, upsert

# Being shown something is not activity; everything else that a person does is.
ACTIVE_KINDS = tuple(kind for kind in EventKind if kind != EventKind.IMPRESSION)


def refresh_retention(*, now: datetime | None = None) -> ModelRun:
    """Count from all dated events again, so that running twice or late gives the same rows."""
    now = now or timezone.now()
    with recorded_run(Task.RETENTION) as run:
        activity = _activity()
        run.method = "calendar days"
        run.n_rows = len(activity)
        run.last_event_id = frames.last_event_id()
        run.window_end = now
        today = now.astimezone(timezone.get_default_timezone()).date()
        people = retention_by_user(activity, as_of=today)
        upsert(
            [
                UserRetention(
                    user_id=row.user_id,
                    n_active_days=row.n_active_days,
                    longest_run=row.longest_run,
                    current_streak=row.current_streak,
                    first_day=row.first_day.date(),
                    last_day=row.last_day.date(),
                    updated_at=now,
                )
                for row in people.itertuples(index=False)
            ],
            key=["user"],
        )
        _forget_people(set(people["user_id"]))
        # Today is not over: a cohort is counted up to yesterday.
        yesterday = today - timedelta(days=1)
        _store_cohorts(cohort_retention(activity, as_of=yesterday))
        n_courses = _store_courses(activity.loc[activity["course_id"] > 0], yesterday, now)
        run.n_results = len(people) + n_courses
        serve(run)
    return run


def _activity() -> pd.DataFrame:
    """Distinct active days. Columns: user_id, course_id (0 for none), day (datetime64[D])."""
    events = frames.event_frame(kinds=ACTIVE_KINDS, is_dated=True)
    events = events[["user_id", "course_id", "occurred_at"]]
    progress = frames.progress_frame()
    parts = [events] + [
        progress[["user_id", "course_id", column]].rename(columns={column: "occurred_at"})
        for column in ("opened_at", "updated_at")
    ]
    both = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
    both["day"] = local_days(both.pop("occurred_at"), settings.TIME_ZONE)
    return both.drop_duplicates(ignore_index=True)


def _forget_people(still_there: set[int]) -> None:
    """Drop the rows of people whose events went, such as those who refused personalisation."""
    gone = [
        pk for pk in UserRetention.objects.values_list("pk", flat=True) if pk not in still_there
    ]
    for start in range(0, len(gone), BATCH):
        UserRetention.objects.filter(pk__in=gone[start : start + BATCH]).delete()


@transaction.atomic
def _store_cohorts(cohorts: pd.DataFrame) -> None:
    CohortRetention.objects.all().delete()
    CohortRetention.objects.bulk_create(
        [
            CohortRetention(
                cohort_week=row.cohort.date(),
                day=row.day,
                n_cohort=row.n_cohort,
                n_returned=row.n_returned,
            )
            for row in cohorts.itertuples(index=False)
        ],
        batch_size=BATCH,
    )


def _store_courses(activity: pd.DataFrame, as_of: date, now: datetime) -> int:
    """Retention of each course among those who did something with it, and its ratings."""
    days = retention_by_course(activity).set_index("course_id")
    cohorts = cohort_retention_by_course(activity, as_of=as_of)
    by_course = {
        course_id: [
            {"day": int(row.day), "cohort": int(row.n_cohort), "returned": int(row.n_returned)}
            for row in part.itertuples(index=False)
        ]
        for course_id, part in cohorts.groupby("course_id")
    }
    ratings = frames.rating_frame().groupby("course_id")["rating"].agg(["size", "sum"])
    table = days.join(ratings, how="outer").fillna(0).astype("int64")
    table = table.loc[table.index.isin(frames.course_frame()["course_id"])]
    upsert(
        [
            CourseRetention(
                course_id=row.Index,
                n_learners=row.n_learners,
                n_active_days=row.n_active_days,
                longest_run_days=row.longest_run_days,
                cohorts=by_course.get(row.Index, []),
                n_ratings=row.n_rated,
                rating_sum=row.stars,
                updated_at=now,
            )
            for row in table.rename(columns={"size": "n_rated", "sum": "stars"}).itertuples()
        ],
        key=["course"],
    )
    with transaction.atomic():
        CourseRetention.objects.exclude(pk__in=table.index.tolist()).delete()
    return len(table)
