"""One method in a process of its own, so that its memory is its own. Prints figures as JSON.

python -m bench.recommending_once FOLDER tune NAME
python -m bench.recommending_once FOLDER run NAME PARAMETERS
python -m bench.recommending_once FOLDER grow LEARNERS
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from analytics.methods.interactions import Interactions
from analytics.methods.ranking_evaluation import ndcg_at, peak_memory
from analytics.methods.recommenders import (
    BaseRecommender,
    EASERecommender,
    HybridRecommender,
    ItemFeatures,
    ItemKNNRecommender,
    PopularityRecommender,
    UserFeatures,
)
from bench.recommending_peers import (
    ALS_GRID,
    EASE_GRID,
    N,
    Result,
    implicit_als,
    plain_ease,
    scikit_knn,
    tuned,
)
from bench.recommending_split import Split, drawn_learners, read_split

PEERS: dict[str, Callable[..., Result]] = {
    "scikit_knn": scikit_knn,
    "implicit_als": implicit_als,
    "plain_ease": plain_ease,
}
GRIDS = {"implicit_als": ALS_GRID, "plain_ease": EASE_GRID}
OURS: dict[str, Callable[[], BaseRecommender]] = {
    "popularity": PopularityRecommender,
    "item_knn": ItemKNNRecommender,
    "ease": EASERecommender,
    "hybrid": HybridRecommender,
}
# Of how many learners the last but one course decides which parameters are chosen.
N_TUNED = 10_000


def main() -> int:
    folder, what, name, *more = sys.argv[1:]
    split = read_split(Path(folder))
    if what == "tune":
        print(json.dumps(_tuned(split, name)))
    elif what == "grow":
        print(json.dumps(_grown(split, int(name))))
    else:
        print(json.dumps(_ran(split, name, json.loads(more[0]), Path(folder) / f"{name}.npy")))
    return 0


def _tuned(split: Split, name: str) -> dict[str, float]:
    matrix = split.earlier.user_items
    asked = np.flatnonzero(np.diff(split.tuning.indptr))
    asked = np.random.default_rng(42).choice(asked, min(N_TUNED, len(asked)), replace=False)
    wanted = split.tuning.user_items[asked]

    def score(parameters: Mapping[str, float]) -> float:
        _fit, _recommend, best = PEERS[name](matrix, **parameters)
        return float(ndcg_at(best[asked], wanted).mean())

    return tuned(score, GRIDS[name])


def _ran(split: Split, name: str, parameters: dict[str, Any], lists: Path) -> dict[str, float]:
    """Fit, recommend to all, and leave the lists in a file."""
    if name in OURS:
        _compile_loops()
    matrix = split.train.user_items
    with peak_memory() as peak:
        if name in OURS:
            fit, recommend, best = _ours(
                OURS[name](), split.train, split.user_features, split.item_features
            )
        else:
            fit, recommend, best = PEERS[name](matrix, **parameters)
    np.save(lists, best)
    return {"fit_seconds": fit, "recommend_seconds": recommend, "peak_mb": peak[0]}


def _grown(split: Split, n_learners: int) -> dict[str, float]:
    _compile_loops()
    histories, said = drawn_learners(split, n_learners)
    items = split.item_features
    del split
    with peak_memory() as peak:
        fit, recommend, _best = _ours(HybridRecommender(), histories, said, items)
    return {
        "n_entries": histories.n_entries,
        "fit_seconds": fit,
        "recommend_seconds": recommend,
        "peak_mb": peak[0],
    }


def _ours(
    method: BaseRecommender, train: Interactions, users: UserFeatures, items: ItemFeatures
) -> Result:
    began = time.monotonic()
    method.fit(train, user_features=users, item_features=items)
    fitted = time.monotonic()
    best = method.recommend(np.arange(train.n_users), n=N, with_reasons=False).items
    return fitted - began, time.monotonic() - fitted, best


def _compile_loops() -> None:
    """Compiling the loops is no part of a fit; it happens once per installation."""
    few = Interactions.from_arrays(
        np.repeat(np.arange(100), 3),
        np.arange(300) % 7,
        order=np.arange(300),
        n_users=100,
        n_items=7,
    )
    HybridRecommender().fit(few).recommend(np.arange(100))


if __name__ == "__main__":
    sys.exit(main())
