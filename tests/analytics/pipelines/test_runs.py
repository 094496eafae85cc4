"""What a computation leaves behind when it ends well, fails, or dies."""

from __future__ import annotations

import pytest

from analytics.models import ModelRun, RunOutcome, Task
from analytics.pipelines import runs
from analytics.pipelines.runs import AlreadyRunning, keep_out, recorded_run, serve
from tests.factories import ModelRunFactory

pytestmark = [pytest.mark.django_db, pytest.mark.mariadb]


def served() -> ModelRun | None:
    return ModelRun.objects.served(Task.FIGURES)


def test_a_served_run_replaces_the_one_before() -> None:
    ModelRunFactory(task=Task.FIGURES)
    with recorded_run(Task.FIGURES) as run:
        run.n_rows = 5
        serve(run)
    run.refresh_from_db()
    assert served() == run
    assert (run.outcome, run.n_rows) == (RunOutcome.SERVED, 5)
    assert run.finished_at is not None
    assert run.seconds >= 0
    assert run.peak_mb > 0


def test_a_failure_says_why_and_leaves_the_last_good_run_served() -> None:
    good = ModelRunFactory(task=Task.FIGURES)
    with pytest.raises(ZeroDivisionError), recorded_run(Task.FIGURES):
        _ = 1 / 0
    failed = ModelRun.objects.get(outcome=RunOutcome.FAILED)
    assert failed.message == "ZeroDivisionError: division by zero"
    assert failed.finished_at is not None
    assert served() == good


def test_an_interrupted_run_counts_as_failed() -> None:
    with pytest.raises(KeyboardInterrupt), recorded_run(Task.FIGURES):
        raise KeyboardInterrupt
    assert ModelRun.objects.get().outcome == RunOutcome.FAILED


def test_a_run_that_is_kept_out_says_why_and_is_not_served() -> None:
    good = ModelRunFactory(task=Task.FIGURES)
    with recorded_run(Task.FIGURES) as run:
        keep_out(run, "it got worse")
    run.refresh_from_db()
    assert (run.outcome, run.message) == (RunOutcome.KEPT_OUT, "it got worse")
    assert served() == good


def test_the_run_of_a_dead_process_is_marked_failed_by_the_next() -> None:
    dead = ModelRunFactory(task=Task.FIGURES, outcome=RunOutcome.RUNNING, served=False)
    other_task = ModelRunFactory(task=Task.LEARNING, outcome=RunOutcome.RUNNING, served=False)
    with recorded_run(Task.FIGURES) as run:
        serve(run)
    dead.refresh_from_db()
    other_task.refresh_from_db()
    assert dead.outcome == RunOutcome.FAILED
    assert "process ended" in dead.message
    assert dead.finished_at is not None
    assert other_task.outcome == RunOutcome.RUNNING


def test_it_records_nothing_while_another_process_is_at_it(
    monkeypatch: pytest.MonkeyPatch, held_elsewhere: object
) -> None:
    monkeypatch.setattr(runs, "only_one", held_elsewhere)
    with pytest.raises(AlreadyRunning), recorded_run(Task.FIGURES):
        raise AssertionError("the block must not run")
    assert not ModelRun.objects.exists()
