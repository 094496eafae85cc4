"""Our recommenders beside scikit-learn's item-kNN, implicit's ALS and EASE, on real enrolments.

Leave each learner's last course out; courses that a learner has are not recommended. All are
asked for all learners and scored by the same function, with all courses ranked. ALS and EASE are
tuned on the last but one course. Each method runs in a process of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from analytics.methods.ranking_evaluation import ndcg_at, recall_at
from bench.platform import ROOT
from bench.recommending_split import read_split, write_split
from bench.table import show

# The slowest step is the search for parameters of ALS.
STEP_SECONDS = 1_200
METHODS = {
    "popularity": "ours: popularity",
    "scikit_knn": "scikit-learn item-kNN, k=200",
    "implicit_als": "implicit ALS, tuned",
    "plain_ease": "EASE as published, tuned",
    "item_knn": "ours: item_knn",
    "ease": "ours: ease",
    "hybrid": "ours: hybrid",
}
TUNED = ("implicit_als", "plain_ease")
LEARNERS = (10_000, 100_000, 1_000_000)
MOST_SECONDS, MOST_MB = 6.0, 1024.0
LEAST_NDCG, LEAST_OVER_ALS, LEAST_OVER_EASE = 0.21, 1.25, 1.1


def measure(folder: Path) -> None:
    """Tables: how good and how fast each method is, what is wanted, and growth."""
    with tempfile.TemporaryDirectory(prefix="livecourse-bench-") as made:
        write_split(folder / "mooccubex", Path(made))
        compare(Path(made))
        grow(Path(made))


def compare(folder: Path) -> None:
    split = read_split(folder)
    users = np.flatnonzero(np.diff(split.test.indptr))
    wanted = split.test.user_items[users]
    chosen = {name: _once(folder, "tune", name) for name in TUNED}
    found: dict[str, dict[str, Any]] = {}
    for name in METHODS:
        figures = _once(folder, "run", name, json.dumps(chosen.get(name, {})))
        lists = np.load(folder / f"{name}.npy", allow_pickle=False)[users]
        figures["ndcg"] = float(ndcg_at(lists, wanted).mean())
        figures["recall"] = float(recall_at(lists, wanted).mean())
        figures["coverage"] = len(np.unique(lists[lists >= 0])) / split.train.n_items
        found[name] = figures
    ours = found["hybrid"]
    show(
        f"Recommenders on MOOCCubeX ({split.train.n_users:,} learners, {split.train.n_items:,} "
        "courses, the last course of all asked for)",
        ("method", "NDCG@10", "hybrid is", "recall@10", "coverage", "fit s", "all s", "peak MB"),
        [
            (
                title,
                found[name]["ndcg"],
                f"{ours['ndcg'] / found[name]['ndcg']:.2f} x",
                found[name]["recall"],
                found[name]["coverage"],
                found[name]["fit_seconds"],
                found[name]["recommend_seconds"],
                found[name]["peak_mb"],
            )
            for name, title in METHODS.items()
        ],
    )
    for name, parameters in chosen.items():
        text = ", ".join(f"{key} {value:g}" for key, value in parameters.items())
        print(f"  {METHODS[name]} on the last but one course: {text}")
    seconds = ours["fit_seconds"] + ours["recommend_seconds"]
    show(
        "What is wanted of the hybrid",
        ("figure", "measured", "wanted", ""),
        [
            _wanted("NDCG@10", ours["ndcg"], least=LEAST_NDCG),
            _wanted(
                "NDCG@10 over ALS", ours["ndcg"] / found["implicit_als"]["ndcg"],
                least=LEAST_OVER_ALS,
            ),
            _wanted(
                "NDCG@10 over EASE", ours["ndcg"] / found["plain_ease"]["ndcg"],
                least=LEAST_OVER_EASE,
            ),
            _wanted("seconds to fit and recommend to all", seconds, most=MOST_SECONDS),
            _wanted("peak MB of the whole process", ours["peak_mb"], most=MOST_MB),
        ],
    )  # fmt: skip


def grow(folder: Path) -> None:
    """The hybrid on more and more learners: real histories, drawn again as those of others."""
    rows = []
    first = None
    for n_learners in LEARNERS:
        found = _once(folder, "grow", str(n_learners))
        each = (found["fit_seconds"] + found["recommend_seconds"]) / n_learners
        first = first or each
        rows.append(
            (
                f"{n_learners:,} learners",
                int(found["n_entries"]),
                found["fit_seconds"],
                found["recommend_seconds"],
                found["peak_mb"],
                1e3 * each,
                f"{each / first:.2f} x",
            )
        )
    show(
        "The hybrid as learners grow in number (linear: 1 x or less)",
        ("learners", "entries", "fit s", "all s", "peak MB", "ms each", "of the first"),
        rows,
    )


def _once(folder: Path, *arguments: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "bench.recommending_once", str(folder), *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=STEP_SECONDS,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(arguments)}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def _wanted(
    name: str, value: float, *, least: float | None = None, most: float | None = None
) -> tuple[object, ...]:
    if least is not None:
        return name, value, f"at least {least:g}", "yes" if value >= least else "MISSED"
    return name, value, f"at most {most:g}", "yes" if value <= (most or 0) else "MISSED"
