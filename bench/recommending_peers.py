"""Peers of our recommenders: scikit-learn's item-kNN, implicit's ALS, and a plain EASE.

Each takes the histories as a matrix of ones (learners, courses) and returns (seconds to fit,
seconds to recommend, the ten best courses of each learner that they do not have).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy import sparse

Result = tuple[float, float, np.ndarray]

N = 10
BLOCK = 2_000
# The first of each is where the search starts; one parameter after the other is tried.
ALS_GRID: dict[str, Sequence[float]] = {
    "alpha": (10.0, 3.0, 30.0),
    "regularization": (0.01, 1.0, 10.0),
    "factors": (128, 64, 192),
    "iterations": (15, 8, 25),
}
EASE_GRID: dict[str, Sequence[float]] = {"l2": (100.0, 30.0, 300.0, 1000.0)}


def scikit_knn(matrix: sparse.csr_matrix, *, k: int = 200) -> Result:
    """Cosine neighbours of each item; a learner's scores are the sums over what they took."""
    from sklearn.neighbors import NearestNeighbors

    began = time.monotonic()
    items = matrix.T.tocsr()
    model = NearestNeighbors(n_neighbors=k, metric="cosine", algorithm="brute").fit(items)
    similar = model.kneighbors_graph(items, mode="distance")
    similar.data = 1 - similar.data
    fitted = time.monotonic()
    # The graph has items in rows and their neighbours in columns.
    neighbours = similar.T.tocsr()
    best = _best(matrix, lambda asked: (asked @ neighbours).toarray())
    return fitted - began, time.monotonic() - fitted, best


def implicit_als(matrix: sparse.csr_matrix, **parameters: Any) -> Result:
    from implicit.als import AlternatingLeastSquares
    from threadpoolctl import threadpool_limits

    # Its own threads and those of the linear algebra would get into each other's way.
    with threadpool_limits(1, "blas"):
        began = time.monotonic()
        model = AlternatingLeastSquares(random_state=42, **parameters)
        model.fit(matrix, show_progress=False)
        fitted = time.monotonic()
        best, _scores = model.recommend(np.arange(matrix.shape[0]), matrix, N=N)
    return fitted - began, time.monotonic() - fitted, best


def plain_ease(matrix: sparse.csr_matrix, *, l2: float) -> Result:
    """As its paper has it: one dense inverse, all weights kept (Steck 2019, algorithm 1)."""
    began = time.monotonic()
    gram = (matrix.T @ matrix).toarray()
    gram[np.diag_indices_from(gram)] += l2
    inverse = np.linalg.inv(gram)
    weights = inverse / -np.diag(inverse)
    np.fill_diagonal(weights, 0)
    fitted = time.monotonic()
    best = _best(matrix, lambda asked: asked @ weights)
    return fitted - began, time.monotonic() - fitted, best


def tuned(
    score: Callable[[Mapping[str, float]], float], grid: Mapping[str, Sequence[float]]
) -> dict[str, float]:
    """The best parameters, found one after the other from the first of each."""
    chosen = {name: values[0] for name, values in grid.items()}
    best = score(chosen)
    for name, values in grid.items():
        for value in values[1:]:
            tried = {**chosen, name: value}
            if (found := score(tried)) > best:
                best, chosen = found, tried
    return chosen


def _best(
    matrix: sparse.csr_matrix, scored: Callable[[sparse.csr_matrix], np.ndarray]
) -> np.ndarray:
    best = np.empty((matrix.shape[0], N), dtype=np.int32)
    for start in range(0, matrix.shape[0], BLOCK):
        asked = matrix[start : start + BLOCK]
        scores = scored(asked)
        scores[asked.nonzero()] = -np.inf
        part = np.argpartition(-scores, N, axis=1)[:, :N]
        rank = np.argsort(-np.take_along_axis(scores, part, axis=1), axis=1, kind="stable")
        best[start : start + BLOCK] = np.take_along_axis(part, rank, axis=1)
    return best
