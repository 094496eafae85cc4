"""Every computation leaves a model run: from what, how, how long, and what became of it."""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction
from django.utils import timezone

from analytics.methods.process_memory import peak_mb
from analytics.models import ModelRun, RunOutcome, ServedRun, Task
from analytics.pipelines.locks import only_one


class AlreadyRunning(Exception):
    """Another process is computing the same task right now."""


@contextmanager
def recorded_run(task: Task) -> Iterator[ModelRun]:
    """Record one computation of `task` from start to end, alone among all processes.

    The block fills in the run's fields and calls `serve` when its results may be shown. An
    exception is recorded with the run, which leaves the served one in place, and goes on.
    Raises AlreadyRunning, and records nothing, when another process is at it.
    """
    with only_one(f"run-{task}") as is_held:
        if not is_held:
            raise AlreadyRunning(task)
        # With the lock in hand, a run that still says "running" belongs to a dead process.
        ModelRun.objects.filter(task=task, outcome=RunOutcome.RUNNING).update(
            outcome=RunOutcome.FAILED,
            message="The process ended before the run did.",
            finished_at=timezone.now(),
        )
        run = ModelRun.objects.create(task=task)
        began = time.monotonic()
        try:
            yield run
        except BaseException as error:
            run.outcome = RunOutcome.FAILED
            run.message = "".join(traceback.format_exception_only(error)).strip()
            raise
        finally:
            run.seconds = round(time.monotonic() - began, 3)
            run.peak_mb = round(peak_mb(), 1)
            run.finished_at = timezone.now()
            run.save()


@transaction.atomic
def serve(run: ModelRun) -> None:
    """Show the results of `run` from now on, with all that the run says of them.

    What belongs to older runs may go after that.
    """
    run.outcome = RunOutcome.SERVED
    run.save()
    ServedRun.objects.update_or_create(
        task=run.task, defaults={"run": run, "since": timezone.now()}
    )


def keep_out(run: ModelRun, why: str) -> None:
    """Leave what is served in place and say why."""
    run.outcome = RunOutcome.KEPT_OUT
    run.message = why
