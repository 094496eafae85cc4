"""Our recommenders beside scikit-learn's item-kNN and implicit's ALS, on real enrolments.

Leave each learner's last course out; courses that a learner has are not recommended. All are
scored on the same learners by the same function, with all courses ranked.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse
from threadpoolctl import threadpool_limits

from analytics.methods.interactions import Interactions
from analytics.methods.ranking_evaluation import ndcg_at, recall_at
from analytics.methods.recommenders import (
    BaseRecommender,
    HybridRecommender,
    ItemKNNRecommender,
    PopularityRecommender,
)
from bench.table import show

N_TESTED = 10_000
N = 10


def measure(folder: Path) -> None:
    """Table: NDCG@10, recall@10, seconds to fit and to recommend, against the kNN's."""
    train, wanted, matrix = _split(folder / "mooccubex" / "enrolments.csv")
    users = np.flatnonzero(np.diff(wanted.indptr))
    users = np.sort(np.random.default_rng(42).choice(users, N_TESTED, replace=False))
    methods: dict[str, Callable[[], tuple[float, float, np.ndarray]]] = {
        "scikit-learn item-kNN, k=200": lambda: _scikit_knn(matrix, users),
        "implicit ALS, 64 factors, alpha 10": lambda: _implicit_als(matrix, users),
        "ours: popularity": lambda: _ours(PopularityRecommender(), train, users),
        "ours: item_knn": lambda: _ours(ItemKNNRecommender(), train, users),
        "ours: hybrid": lambda: _ours(HybridRecommender(), train, users),
    }
    # Compiling its two loops is no part of a fit; it happens once per installation.
    _ours(ItemKNNRecommender(), train, users[:10])
    rows: list[tuple[object, ...]] = []
    base: tuple[float, float, float] | None = None
    for name, run in methods.items():
        fit, recommend, items = run()
        ndcg = float(np.mean(ndcg_at(items, wanted[users])))
        recall = float(np.mean(recall_at(items, wanted[users])))
        base = base or (ndcg, fit, recommend)
        rows.append((name, ndcg, ndcg / base[0], recall, fit, recommend, recommend / base[2]))
    head = ("method", "NDCG@10", "ratio", "recall@10", "fit s", f"{N_TESTED:,} users s", "ratio")
    title = f"Recommenders on MOOCCubeX ({matrix.shape[0]:,} learners, {matrix.shape[1]:,} courses)"
    show(title + "; ratios to scikit-learn's kNN", head, rows)


def _split(path: Path) -> tuple[Interactions, sparse.csr_matrix, sparse.csr_matrix]:
    """Interactions without each learner's last course; those courses; the former as a matrix."""
    rows = pd.read_csv(path)
    user, _ = pd.factorize(rows["user_id"])
    item, names = pd.factorize(rows["course_id"])
    position = rows["position"].to_numpy()
    shape = (int(user.max()) + 1, len(names))
    frame = pd.DataFrame({"user": user, "item": item, "order": position})
    last = frame.groupby("user")["order"].transform("max") == frame["order"]
    is_held = last & (frame.groupby("user")["item"].transform("size") > 1)
    kept, held = frame[~is_held], frame[is_held]
    train = Interactions.from_arrays(
        kept["user"].to_numpy(),
        kept["item"].to_numpy(),
        n_users=shape[0],
        n_items=shape[1],
        order=kept["order"].to_numpy(),
    )
    return train, _matrix(held, shape), _matrix(kept, shape)


def _matrix(frame: pd.DataFrame, shape: tuple[int, int]) -> sparse.csr_matrix:
    ones = np.ones(len(frame), dtype=np.float32)
    matrix = sparse.csr_matrix((ones, (frame["user"], frame["item"])), shape=shape)
    matrix.data[:] = 1
    return matrix


def _ours(
    method: BaseRecommender, train: Interactions, users: np.ndarray
) -> tuple[float, float, np.ndarray]:
    began = time.monotonic()
    method.fit(train)
    fitted = time.monotonic()
    items = method.recommend(users, n=N).items
    return fitted - began, time.monotonic() - fitted, items


def _scikit_knn(matrix: sparse.csr_matrix, users: np.ndarray) -> tuple[float, float, np.ndarray]:
    """Cosine neighbours of each item; a user's scores are the sums over what they took."""
    from sklearn.neighbors import NearestNeighbors

    began = time.monotonic()
    items = matrix.T.tocsr()
    model = NearestNeighbors(n_neighbors=200, metric="cosine", algorithm="brute").fit(items)
    similar = model.kneighbors_graph(items, mode="distance")
    similar.data = 1 - similar.data
    fitted = time.monotonic()
    best = np.empty((len(users), N), dtype=np.int32)
    for start in range(0, len(users), 2000):
        asked = matrix[users[start : start + 2000]]
        # The graph has items in rows and their neighbours in columns.
        scores = (asked @ similar.T.tocsr()).toarray()
        scores[asked.nonzero()] = -1
        part = np.argpartition(-scores, N, axis=1)[:, :N]
        rank = np.argsort(-np.take_along_axis(scores, part, axis=1), axis=1, kind="stable")
        best[start : start + 2000] = np.take_along_axis(part, rank, axis=1)
    return fitted - began, time.monotonic() - fitted, best


def _implicit_als(matrix: sparse.csr_matrix, users: np.ndarray) -> tuple[float, float, np.ndarray]:
    """With the weight of seen courses tuned by hand; the library's default is far worse here."""
    from implicit.als import AlternatingLeastSquares

    # Its own threads and those of the linear algebra would get into each other's way.
    with threadpool_limits(1, "blas"):
        began = time.monotonic()
        model = AlternatingLeastSquares(
            factors=64, alpha=10, regularization=0.01, iterations=15, random_state=42
        )
        model.fit(matrix, show_progress=False)
        fitted = time.monotonic()
        items, _ = model.recommend(users, matrix[users], N=N)
    return fitted - began, time.monotonic() - fitted, items
