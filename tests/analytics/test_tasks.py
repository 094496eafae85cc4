"""What the clock starts."""

from __future__ import annotations

import logging

import pytest
from django.conf import settings
from django.db import OperationalError

from analytics import tasks
from analytics.models import Task
from analytics.pipelines.runs import AlreadyRunning
from livecourse.celery import app


def test_every_result_has_a_task_on_the_schedule() -> None:
    app.loader.import_default_modules()
    scheduled = {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    assert {f"analytics.{task.value}" for task in Task} <= scheduled
    assert scheduled <= set(app.tasks)


@pytest.mark.parametrize(
    ("name", "pipeline"),
    [
        ("profiles", "refresh_profiles"),
        ("figures", "refresh_figures"),
        ("recommend", "refresh_recommendations"),
        ("conversion", "refresh_forecasts"),
        ("learning", "refresh_learning"),
        ("retention", "refresh_retention"),
    ],
)
class TestEachTask:
    def test_it_runs_its_own_pipeline(
        self, name: str, pipeline: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ran = []
        monkeypatch.setattr(tasks, pipeline, lambda: ran.append(pipeline))
        getattr(tasks, name)()
        assert ran == [pipeline]

    def test_it_leaves_the_work_to_the_process_that_is_at_it(
        self,
        name: str,
        pipeline: str,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        def busy() -> None:
            raise AlreadyRunning(name)

        monkeypatch.setattr(tasks, pipeline, busy)
        monkeypatch.setattr(tasks.logger, "propagate", True)
        with caplog.at_level(logging.INFO, logger=tasks.logger.name):
            getattr(tasks, name)()
        assert f"at it already: {name}" in caplog.text

    def test_it_tries_again_when_the_database_was_away(self, name: str, pipeline: str) -> None:
        task = app.tasks[f"analytics.{name}"]
        assert OperationalError in task.autoretry_for
        assert task.max_retries == 5
