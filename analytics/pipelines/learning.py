"""How everybody learns their courses, and something easier for those who struggle."""

from __future__ import annotations

from datetime import UTC, datetime

import pandas as pd
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from analytics import frames
from analytics.methods.learning import LEARNERS, easier_courses, learning_summaries
from analytics.models import EventKind, LearningSummary, ModelRun, Task
from analytics.pipelines.runs import recorded_run, serve
from analytics.pipelines.writing import BATCH, upsert


def refresh_learning(*, now: datetime | None = None) -> ModelRun:
    """Summarise all progress again, so that running twice or late gives the same rows."""
    now = now or timezone.now()
    with recorded_run(Task.LEARNING) as run:
        run.method = "progress"
        run.window_end = now
        run.last_event_id = frames.last_event_id()
        progress = frames.progress_frame()
        run.n_rows = len(progress)
        summaries = _summaries(progress, now=now) if len(progress) else progress.iloc[:0]
        with transaction.atomic():
            upsert(_rows(summaries, now=now), key=["user", "course"])
            _forget(set(zip(summaries["user_id"], summaries["course_id"], strict=True)))
            run.n_results = len(summaries)
            serve(run)
    return run


def _summaries(progress: pd.DataFrame, *, now: datetime) -> pd.DataFrame:
    studied = frames.event_frame(kinds=[EventKind.LESSON_PROGRESS], is_dated=True)
    summaries = learning_summaries(
        progress,
        frames.lesson_frame(),
        studied[studied["course_id"] > 0],
        tz=settings.TIME_ZONE,
        now=now.astimezone(UTC).replace(tzinfo=None),
    )
    struggling = summaries[summaries["is_struggling"]]
    taken = pd.concat(
        [frames.enrollment_frame()[LEARNERS], progress[LEARNERS]], ignore_index=True
    ).drop_duplicates()
    summaries["easier_id"] = 0
    summaries.loc[struggling.index, "easier_id"] = easier_courses(
        struggling, frames.course_frame(), taken
    )
    return summaries


def _rows(summaries: pd.DataFrame, *, now: datetime) -> list[LearningSummary]:
    return [
        LearningSummary(
            user_id=row.user_id,
            course_id=row.course_id,
            study_seconds=row.study_seconds,
            n_active_days=row.n_active_days,
            days_per_week=row.days_per_week,
            n_opened=row.n_opened,
            n_completed=row.n_completed,
            n_lessons=row.n_lessons,
            path=row.path,
            is_struggling=row.is_struggling,
            easier_id=row.easier_id or None,
            last_studied_at=row.last_studied_at.tz_localize("UTC").to_pydatetime(),
            updated_at=now,
        )
        for row in summaries.itertuples(index=False)
    ]


def _forget(still_there: set[tuple[int, int]]) -> None:
    """Drop the summaries of people or lessons that went, such as those who refused."""
    gone = [
        key
        for key, *learner in LearningSummary.objects.values_list("pk", "user_id", "course_id")
        if tuple(learner) not in still_there
    ]
    for start in range(0, len(gone), BATCH):
        LearningSummary.objects.filter(pk__in=gone[start : start + BATCH]).delete()
