"""The whole analytics pipeline once, in the foreground: what Celery runs on schedule."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from analytics.models import ModelRun, RunOutcome, Task
from analytics.pipelines.conversion import refresh_forecasts
from analytics.pipelines.figures import refresh_figures
from analytics.pipelines.learning import refresh_learning
from analytics.pipelines.profiles import refresh_profiles
from analytics.pipelines.recommend import METHODS, NothingToLearn, refresh_recommendations
from analytics.pipelines.retention import refresh_retention
from analytics.pipelines.runs import AlreadyRunning


class Command(BaseCommand):
    help = "Compute profiles, recommendations, figures, forecasts, learning and retention now."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--only", choices=Task.values, help="One result instead of all.")
        parser.add_argument(
            "--method",
            choices=sorted(METHODS),
            help="Serve this recommender instead of the one with the best score.",
        )
        parser.add_argument(
            "--force",
            action="store_true",
            help="Serve the new recommender even if it scores worse than the served one.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        began = time.monotonic()
        steps: dict[str, Callable[[], ModelRun]] = {
            Task.FIGURES: lambda: refresh_figures(everything=True),
            Task.PROFILES: lambda: refresh_profiles(everything=True),
            Task.RECOMMEND: lambda: refresh_recommendations(
                method=options["method"], force=options["force"], say=self._say
            ),
            Task.CONVERSION: refresh_forecasts,
            Task.LEARNING: refresh_learning,
            Task.RETENTION: refresh_retention,
        }
        peak = 0.0
        for task, step in steps.items():
            if options["only"] in (None, task):
                peak = max(peak, self._do(Task(task), step))
        self.stdout.write(f"done in {time.monotonic() - began:.1f} s, peak memory {peak:.0f} MB")

    def _do(self, task: Task, step: Callable[[], ModelRun]) -> float:
        self._say(f"{task.value} ...")
        try:
            run = step()
        except NothingToLearn as nothing:
            self._say(f"  nothing to learn from: {nothing}")
            return 0.0
        except AlreadyRunning:
            raise CommandError(
                f"{task.value} is being computed by another process; try again when it is done."
            ) from None
        note = "" if run.outcome == RunOutcome.SERVED else f": {run.message}"
        self._say(
            f"  {run.get_outcome_display()} {run.method}, {run.n_rows} rows read, "
            f"{run.n_results} written, {run.seconds:.1f} s{note}"
        )
        return run.peak_mb or 0.0

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()
