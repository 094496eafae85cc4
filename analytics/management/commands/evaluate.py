"""How good every recommender and conversion model is on data that it has not seen."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from analytics.models import ModelRun, Task
from analytics.pipelines.conversion import score_models
from analytics.pipelines.learning_data import read_learning_data
from analytics.pipelines.recommend import SPLITS, score_methods

MEASURES = ("rows", "fit_seconds", "recommend_seconds", "peak_mb")


class Command(BaseCommand):
    help = (
        "Score every method on held-out data: recommenders by NDCG@10, recall@10 and coverage "
        "with all unseen courses ranked, conversion models by log-loss, RMSE and calibration on "
        "later sessions. Writes nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--format", choices=["table", "json"], default="table")
        parser.add_argument(
            "--split",
            choices=sorted(SPLITS),
            default="last",
            help="last: everybody's newest course; last-fraction: all courses after one day.",
        )
        parser.add_argument("--limit", type=int, help="Score at most so many people.")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["limit"] is not None and options["limit"] < 1:
            raise CommandError(f"--limit must be at least 1, not {options['limit']}.")
        rows = [
            *self._recommenders(split=options["split"], limit=options["limit"]),
            *self._conversion(),
        ]
        if options["format"] == "json":
            self.stdout.write(json.dumps(rows, indent=2))
        else:
            self._table(rows)

    def _recommenders(self, *, split: str, limit: int | None) -> list[dict[str, Any]]:
        scores = score_methods(read_learning_data(), split=split, limit=limit)
        return [_row("recommend", score, _served_method(Task.RECOMMEND)) for score in scores]

    def _conversion(self) -> list[dict[str, Any]]:
        return [
            _row("conversion", score, _served_method(Task.CONVERSION)) for score in score_models()
        ]

    def _table(self, rows: list[dict[str, Any]]) -> None:
        for task in ("recommend", "conversion"):
            of_task = [row for row in rows if row["task"] == task]
            if not of_task:
                self.stdout.write(f"{task}: too little data to hold anything out\n")
                continue
            names = [*of_task[0]["metrics"], *(m for m in MEASURES if of_task[0][m] is not None)]
            self.stdout.write(f"{task:<16}" + "".join(f"{name:>18}" for name in names) + "  served")
            for row in of_task:
                values = [row["metrics"].get(name, row.get(name)) for name in names]
                self.stdout.write(
                    f"{row['method']:<16}"
                    + "".join(f"{_shown(value):>18}" for value in values)
                    + ("  yes" if row["served"] else "")
                )
            self.stdout.write("")


def _served_method(task: Task) -> str:
    run = ModelRun.objects.served(task)
    return run.method if run else ""


def _row(task: str, score: dict[str, Any], served: str) -> dict[str, Any]:
    """One line of the report: the shape that other programs read."""
    kept = {"method", *MEASURES}
    return {
        "task": task,
        "method": score["method"],
        "served": score["method"] == served,
        "metrics": {
            name: value
            for name, value in score.items()
            if name not in kept and isinstance(value, (int, float, type(None)))
        },
        **{name: score.get(name) for name in MEASURES},
    }


def _shown(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.4f}" if isinstance(value, float) else str(value)
