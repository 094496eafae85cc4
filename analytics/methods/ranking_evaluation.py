"""How good a recommender's lists are on courses that it has not seen anybody take.

All unseen items are ranked. A few sampled ones mislead: a model level with popularity among
99 of them was three times better in the full ranking.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from analytics.methods.process_memory import resident_mb

if TYPE_CHECKING:
    import pandas as pd

    from analytics.methods.interactions import Interactions
    from analytics.methods.recommenders.base import BaseRecommender, ItemFeatures, UserFeatures

CUTOFF = 10


def ndcg_at(items: np.ndarray, wanted: sparse.csr_matrix) -> np.ndarray:
    """Normalised discounted cumulative gain of each list: (n_users,) float64 in 0..1.

    items (n_users, k), -1 for none; wanted (n_users, n_items), stored entries are hits. A hit
    at rank r, from 1, gains 1 / log2(r + 1); the sum is divided by that of the best possible
    list of length k (Jaervelin and Kekaelaeinen 2002, with gains 0 and 1).
    """
    k = items.shape[1]
    discount = 1 / np.log2(np.arange(2, k + 2))
    best = np.concatenate([[0], np.cumsum(discount)])[np.minimum(np.diff(wanted.indptr), k)]
    gained = (_hits(items, wanted) * discount).sum(axis=1)
    return np.divide(gained, best, out=np.zeros(len(items)), where=best > 0)


def recall_at(items: np.ndarray, wanted: sparse.csr_matrix) -> np.ndarray:
    """Share of each user's wanted items that are in the list: (n_users,) float64."""
    n_wanted = np.diff(wanted.indptr)
    n_hits = _hits(items, wanted).sum(axis=1)
    return np.divide(n_hits, n_wanted, out=np.zeros(len(items)), where=n_wanted > 0)


def _hits(items: np.ndarray, wanted: sparse.csr_matrix) -> np.ndarray:
    n_items = wanted.shape[1]
    rows = np.arange(len(items))[:, None]
    pairs = np.repeat(np.arange(len(items)), np.diff(wanted.indptr)) * n_items + wanted.indices
    return np.isin(rows * n_items + items, pairs) & (items >= 0)


def evaluate_recommender(
    recommender: BaseRecommender,
    train: Interactions,
    test: Interactions,
    *,
    user_features: UserFeatures | None,
    item_features: ItemFeatures | None,
    exclude: sparse.csr_matrix | None,
    users: np.ndarray,
) -> dict[str, Any]:
    """Fit on train, rank for users (n_asked,), and compare with their entries in test.

    exclude (n_users, n_items): what is never recommended again; without it, all of the
    history. Returns ndcg@10, ndcg@10_se (standard error of the mean over users), recall@10,
    coverage (share of all items that at least one of the users was recommended), rows
    (entries of train), fit_seconds, recommend_seconds, peak_mb (largest memory of the process
    meanwhile).
    """
    users = np.asarray(users, dtype=np.int64)
    with peak_memory() as peak:
        began = time.perf_counter()
        recommender.fit(train, user_features=user_features, item_features=item_features)
        fitted = time.perf_counter()
        found = recommender.recommend(
            users,
            n=CUTOFF,
            exclude_seen=exclude is None,
            exclude=None if exclude is None else exclude[users],
            with_reasons=False,
        ).items
        done = time.perf_counter()
    wanted = test.user_items[users]
    gains = ndcg_at(found, wanted)
    n_shown = len(np.unique(found[found >= 0]))
    return {
        "ndcg@10": _mean(gains),
        "recall@10": _mean(recall_at(found, wanted)),
        "coverage": n_shown / train.n_items if train.n_items else 0.0,
        "ndcg@10_se": float(gains.std(ddof=1) / np.sqrt(len(gains))) if len(gains) > 1 else 0.0,
        "rows": train.n_entries,
        "fit_seconds": round(fitted - began, 3),
        "recommend_seconds": round(done - fitted, 3),
        "peak_mb": round(peak[0], 1),
    }


class LeakFound(Exception):
    """Something that is asked for was in what the answer is learned from."""


def assert_no_leak(train: pd.DataFrame, test: pd.DataFrame) -> None:
    """Make sure that nothing of the test is in the train part.

    Both have columns user, item and order. Raises LeakFound for a pair of user and item that is in
    both, and for anything that somebody did later than the first item that is asked of them.
    """
    both = train.merge(test, on=["user", "item"], how="inner")
    if len(both):
        user, item = both.loc[both.index[0], ["user", "item"]]
        raise LeakFound(
            f"{len(both)} pair(s) stand in both parts, the first of user {user} and item {item}"
        )
    asked = test.groupby("user")["order"].min()
    late = train.loc[train["order"] > train["user"].map(asked)]
    if len(late):
        user, item = late.loc[late.index[0], ["user", "item"]]
        raise LeakFound(
            f"{len(late)} entries are later than what is asked for, the first of user {user} and "
            f"item {item}"
        )


def choose_served(scores: Sequence[dict[str, Any]]) -> str:
    """The method with the best NDCG@10; of equal ones the first, so put the simple ones first."""
    return str(max(scores, key=lambda score: score["ndcg@10"])["method"])


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else 0.0


@contextmanager
def peak_memory(every_seconds: float = 0.01) -> Iterator[list[float]]:
    """The largest resident memory of the process during the block, in MB, as the one element
    of the yielded list. Sampled: the operating system's own mark never goes down again."""
    peak = [resident_mb()]
    is_done = threading.Event()

    def watch() -> None:
        while not is_done.wait(every_seconds):
            peak[0] = max(peak[0], resident_mb())

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield peak
    finally:
        is_done.set()
        watcher.join()
        peak[0] = max(peak[0], resident_mb())
