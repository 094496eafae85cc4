"""The hot loops of the recommenders: numba where it is installed, else scipy; same answers.

Compiled code is kept beside this file or in the user's cache folder; where neither can be
written to it is compiled anew by each process that fits (some seconds).

A recommender is one sparse matrix: model (n_features, n_items) float32, whose rows are what
can be known of a user (an item of the history, an age band, ...). A user is a sparse row of
queries (n_users, n_features); the scores are queries @ model, which is never built whole.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from scipy import sparse

try:
    from numba import njit
except ImportError:
    njit = None  # type: ignore[assignment]

HAS_NUMBA = njit is not None
# Users per block: the dense scores of one scipy block stay within some tens of MB.
BLOCK = 2_000


def compiled_loop(function: Callable) -> Any:
    if njit is None:
        return function
    try:
        return njit(cache=True, nogil=True)(function)
    except RuntimeError:  # numba found no folder that it may write its cache to
        return njit(nogil=True)(function)


@compiled_loop
def _top_n_loop(  # type: ignore[no-untyped-def]
    q_ptr, q_idx, q_val, m_ptr, m_idx, m_val, full_at, full, x_ptr, x_idx, allowed, items, scores
):
    n_items = len(allowed)
    n = items.shape[1]
    row = np.zeros(n_items, dtype=np.float32)
    for user in range(len(q_ptr) - 1):
        row[:] = 0
        for place in range(q_ptr[user], q_ptr[user + 1]):
            value = q_val[place]
            feature = q_idx[place]
            if full_at[feature] >= 0:
                for item in range(n_items):
                    row[item] += value * full[full_at[feature], item]
                continue
            for entry in range(m_ptr[feature], m_ptr[feature + 1]):
                row[m_idx[entry]] += value * m_val[entry]
        for place in range(x_ptr[user], x_ptr[user + 1]):
            row[x_idx[place]] = 0
        found = 0
        least = np.float32(0)
        for item in range(n_items):
            score = row[item]
            if score <= least or not allowed[item]:
                continue
            place = found if found < n else n - 1
            while place > 0 and scores[user, place - 1] < score:
                scores[user, place] = scores[user, place - 1]
                items[user, place] = items[user, place - 1]
                place -= 1
            scores[user, place] = score
            items[user, place] = item
            found = min(found + 1, n)
            if found == n:
                least = scores[user, n - 1]


@compiled_loop
def _explain_loop(  # type: ignore[no-untyped-def]
    q_ptr, q_idx, q_val, m_ptr, m_idx, m_val, group, cause, items, n_groups, reasons, because
):
    n_items = 1
    for feature in range(len(cause)):
        n_items = max(n_items, cause[feature] + 1)
    by_cause = np.zeros(n_items, dtype=np.float32)
    sums = np.zeros(n_groups, dtype=np.float32)
    for user in range(len(q_ptr) - 1):
        first, last = q_ptr[user], q_ptr[user + 1]
        parts = np.zeros(last - first, dtype=np.float32)
        for k in range(items.shape[1]):
            item = items[user, k]
            if item < 0:
                break
            sums[:] = 0
            for place in range(first, last):
                feature = q_idx[place]
                low, high = m_ptr[feature], m_ptr[feature + 1]
                while low < high:
                    middle = (low + high) // 2
                    if m_idx[middle] < item:
                        low = middle + 1
                    else:
                        high = middle
                part = np.float32(0)
                if low < m_ptr[feature + 1] and m_idx[low] == item:
                    part = q_val[place] * m_val[low]
                parts[place - first] = part
                sums[group[feature]] += part
            best = 0
            for g in range(1, n_groups):
                if sums[g] > sums[best]:
                    best = g
            reasons[user, k] = best
            for place in range(first, last):
                feature = q_idx[place]
                if group[feature] == best and cause[feature] >= 0:
                    by_cause[cause[feature]] += parts[place - first]
            top = np.float32(0)
            for place in range(first, last):
                feature = q_idx[place]
                item_of = cause[feature]
                if group[feature] == best and item_of >= 0:
                    value = by_cause[item_of]
                    if value > top or (value == top and top > 0 and item_of < because[user, k]):
                        top = value
                        because[user, k] = item_of
            for place in range(first, last):
                if cause[q_idx[place]] >= 0:
                    by_cause[cause[q_idx[place]]] = 0


def top_n(
    queries: sparse.csr_matrix,
    model: sparse.csr_matrix,
    *,
    n: int,
    masked: sparse.csr_matrix,
    allowed: np.ndarray,
    use_numba: bool = HAS_NUMBA,
) -> tuple[np.ndarray, np.ndarray]:
    """(items, scores), each (n_users, n): the best items of positive score, best first.

    masked (n_users, n_items): stored entries are left out; allowed (n_items,) bool. Equal
    scores come in the order of the index. What is not filled holds -1 and 0.
    """
    n_users = queries.shape[0]
    items = np.full((n_users, n), -1, dtype=np.int32)
    scores = np.zeros((n_users, n), dtype=np.float32)
    if n == 0 or n_users == 0:
        return items, scores

    full = full_rows(model) if use_numba else ()

    def compiled(block: slice) -> None:
        q, x = queries[block], masked[block]
        _top_n_loop(
            *(*csr_parts(q), *csr_parts(model), *full, x.indptr, x.indices, allowed),
            *(items[block], scores[block]),
        )

    def plain(block: slice) -> None:
        dense = (queries[block] @ model).toarray()
        dense[masked[block].nonzero()] = 0
        dense[:, ~allowed] = 0
        best = np.argsort(-dense, axis=1, kind="stable")[:, :n]
        values = np.take_along_axis(dense, best, axis=1)
        width = best.shape[1]
        items[block, :width] = np.where(values > 0, best, -1)
        scores[block, :width] = np.maximum(values, 0)

    in_blocks(
        compiled if use_numba else plain, n_users, n_threads=n_processors() if use_numba else 1
    )
    return items, scores


def explain(
    queries: sparse.csr_matrix,
    model: sparse.csr_matrix,
    items: np.ndarray,
    *,
    group: np.ndarray,
    cause: np.ndarray,
    n_groups: int,
    use_numba: bool = HAS_NUMBA,
) -> tuple[np.ndarray, np.ndarray]:
    """(groups, because), each of the shape of items (n_users, n): what brought each item.

    group (n_features,) and cause (n_features,) tell the kind of each feature and the item
    that it stands for, or -1. The group is the one with the largest sum of contributions to
    the score, because its item with the largest; both are -1 where there is none.
    """
    reasons = np.full(items.shape, -1, dtype=np.int8)
    because = np.full(items.shape, -1, dtype=np.int32)

    def compiled(block: slice) -> None:
        _explain_loop(
            *csr_parts(queries[block]),
            *csr_parts(model),
            group,
            cause,
            items[block],
            n_groups,
            reasons[block],
            because[block],
        )

    def plain(block: slice) -> None:
        for user in range(block.start, min(block.stop, len(items))):
            wanted = items[user][items[user] >= 0]
            if len(wanted) == 0:
                continue
            query = queries[user]
            features = query.indices
            parts = model[features][:, wanted].toarray() * query.data[:, None]
            sums = np.zeros((n_groups, len(wanted)), dtype=np.float32)
            np.add.at(sums, group[features], parts)
            reasons[user, : len(wanted)] = sums.argmax(axis=0)
            for k in range(len(wanted)):
                is_of = (group[features] == reasons[user, k]) & (cause[features] >= 0)
                causes, place = np.unique(cause[features][is_of], return_inverse=True)
                by_cause = np.zeros(len(causes), dtype=np.float32)
                np.add.at(by_cause, place, parts[is_of, k])
                if len(causes) and by_cause.max() > 0:
                    because[user, k] = causes[by_cause.argmax()]

    if len(items):
        in_blocks(
            compiled if use_numba else plain,
            len(items),
            n_threads=n_processors() if use_numba else 1,
        )
    return reasons, because


def csr_parts(matrix: sparse.csr_matrix) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return matrix.indptr, matrix.indices, matrix.data


def full_rows(model: sparse.csr_matrix) -> tuple[np.ndarray, np.ndarray]:
    """(full_at (n_features,) int32, rows (n_full, n_items) float32): the rows of which most is
    there, such as those of popularity, are added several times as fast without their indices.

    full_at is the place of each feature among rows, -1 for one that is not.
    """
    which = np.flatnonzero(np.diff(model.indptr) > model.shape[1] // 2)
    full_at = np.full(model.shape[0], -1, dtype=np.int32)
    full_at[which] = np.arange(len(which))
    return full_at, model[which].toarray()


def n_processors() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0))


def in_blocks(
    work: Callable[[slice], None], n: int, *, n_threads: int, size: int | None = None
) -> None:
    """Do the work for 0..n-1 in slices of a size, BLOCK by default, so many at once."""
    size = size or BLOCK
    blocks = [slice(start, min(start + size, n)) for start in range(0, n, size)]
    n_threads = min(n_threads, len(blocks))
    if n_threads <= 1:
        for block in blocks:
            work(block)
        return
    with ThreadPoolExecutor(n_threads) as pool:
        list(pool.map(work, blocks))
