"""How good every recommender and conversion model is on data that it has not seen."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from analytics.methods.dataset_folder import BadDataset
from analytics.methods.newcomers import KNOWN
from analytics.methods.ranking_evaluation import choose_served
from analytics.methods.splits import SPLITS
from analytics.models import ModelRun, Task
from analytics.pipelines.conversion import score_models
from analytics.pipelines.learning_data import LearningData, read_folder, read_learning_data
from analytics.pipelines.recommender_tables import TABLES, recommender_tables

MEASURES = ("rows", "fit_seconds", "recommend_seconds", "peak_mb")
# What is not for a terminal: how sure a figure is stands beside it in the JSON.
HIDDEN = ("ndcg@10_se",)


class Command(BaseCommand):
    help = (
        "Score every method on held-out data: recommenders by NDCG@10, recall@10 and coverage "
        "with all unseen courses ranked, then for newcomers, for courses with few learners and "
        "with the order withheld; conversion models by log-loss, RMSE and calibration on later "
        "sessions. Writes nothing."
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
        parser.add_argument(
            "--dataset",
            type=Path,
            metavar="FOLDER",
            help="Score the recommenders on courses.csv, users.csv and enrolments.csv of a folder "
            "(docs/evaluating.md) instead of the platform's data; no database is touched.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["limit"] is not None and options["limit"] < 1:
            raise CommandError(f"--limit must be at least 1, not {options['limit']}.")
        how = {"split": options["split"], "limit": options["limit"]}
        if options["dataset"] is None:
            served = _served_method(Task.RECOMMEND)
            rows = [*_recommenders(read_learning_data(), served=served, **how), *_conversion()]
        else:
            rows = _recommenders(self._dataset(options["dataset"]), served=None, **how)
        if options["format"] == "json":
            self.stdout.write(json.dumps(rows, indent=2))
            return
        titles = TABLES if options["dataset"] else {**TABLES, "conversion": ""}
        for task, title in titles.items():
            of_task = [row for row in rows if row["task"] == task]
            if of_task:
                self._table(task, title, of_task)
            elif task in ("recommend", "conversion"):
                self.stdout.write(f"{task}: too little data to hold anything out\n")

    def _dataset(self, folder: Path) -> LearningData:
        try:
            return read_folder(folder)
        except BadDataset as error:
            raise CommandError(str(error)) from error

    def _table(self, task: str, title: str, rows: list[dict[str, Any]]) -> None:
        if title:
            self.stdout.write(title)
        if task == "newcomers":
            self._lines(_by_number_known(rows))
        else:
            metrics = [name for name in rows[0]["metrics"] if name not in HIDDEN]
            names = [*metrics, *(m for m in MEASURES if rows[0][m] is not None)]
            self._lines(
                [
                    (task, *names, "  served"),
                    *(
                        (
                            row["method"],
                            *(row["metrics"].get(name, row.get(name)) for name in names),
                            "  yes" if row["served"] else "",
                        )
                        for row in rows
                    ),
                ]
            )
        self.stdout.write("")

    def _lines(self, lines: Iterable[tuple[Any, ...]]) -> None:
        """The first column to the left, figures to the right, the last column as it is."""
        for first, *figures, last in lines:
            self.stdout.write(
                f"{first:<16}" + "".join(f"{_shown(value):>18}" for value in figures) + last
            )


def _recommenders(
    data: LearningData, *, served: str | None, split: str, limit: int | None
) -> list[dict[str, Any]]:
    """The rows of all tables. Where nothing serves, the one that would be chosen counts as it."""
    tables = recommender_tables(data, split=split, limit=limit)
    if served is None:
        served = choose_served(tables["recommend"]) if tables["recommend"] else ""
    return [_row(task, score, served) for task, scores in tables.items() for score in scores]


def _conversion() -> list[dict[str, Any]]:
    return [_row("conversion", score, _served_method(Task.CONVERSION)) for score in score_models()]


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


def _by_number_known(rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """NDCG@10 by how much is known of newcomers, what the hybrid gains, and how many they are."""
    metrics = {row["method"]: row["metrics"] for row in rows}

    def figures(method: str, figure: str) -> tuple[Any, ...]:
        return tuple(metrics[method].get(f"{figure}_known_{n}") for n in KNOWN)

    over, noise = figures("hybrid", "over_popularity"), figures("hybrid", "over_popularity_se")
    return [
        ("newcomers", *(f"{n} known" for n in KNOWN), ""),
        *((method, *figures(method, "ndcg@10"), "") for method in metrics),
        (
            "over popularity",
            *(
                "-" if gain is None else f"{gain:+.4f} +-{2 * error:.4f}"
                for gain, error in zip(over, noise, strict=True)
            ),
            "  (two standard errors)",
        ),
        ("people", *figures("hybrid", "people"), ""),
    ]


def _shown(value: float | str | None) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4f}" if abs(value) < 10 else f"{value:.1f}"
    return str(value)
