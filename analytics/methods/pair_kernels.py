"""What two courses that somebody took near each other are followed by: by numba or scipy alike.

A pair is two items of one history at most `reach` places apart, whichever came first; its key is
lower index * n_items + higher index. What follows are the first `len(ahead)` entries that are
strictly later than both. Histories come as `Interactions` holds them.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from analytics.methods.count_kernels import ITEMS, Occurrences
from analytics.methods.scoring_kernels import HAS_NUMBA, compiled_loop, in_blocks, n_processors


@compiled_loop
def _support_loop(  # type: ignore[no-untyped-def]
    indptr, indices, weight, age, reach, starts, places, users, low, high, support
):
    row = np.zeros(len(support), dtype=np.float32)
    for item in range(low, high):
        row[:] = 0
        for at in range(starts[item], starts[item + 1]):
            a = places[at]
            first, last = indptr[users[a]], indptr[users[a] + 1]
            for b in range(max(first, a - reach), min(last, a + reach + 1)):
                if indices[b] > item and age[max(a, b)] > 0:
                    row[indices[b]] += weight[a] * weight[b]
        support[item] += row


@compiled_loop
def _follow_loop(  # type: ignore[no-untyped-def]
    indptr, indices, weight, age, reach, ahead, first_row, high_of, places_at, places, users,
    low, high, starts, columns, values, merged,
):  # fmt: skip
    """Rows of the pairs whose lower item is in low..high - 1. Where columns is empty, how many
    entries each needs at most goes into starts; else the entries, each column once, ascending, to
    where the row starts, and how many there are into merged."""
    is_counting = len(columns) == 0
    n_items = len(first_row) - 1
    row_of = np.full(n_items, -1, dtype=np.int64)
    sums = np.zeros(n_items, dtype=np.float32)
    for item in range(low, high):
        if first_row[item] == first_row[item + 1]:
            continue
        for row in range(first_row[item], first_row[item + 1]):
            row_of[high_of[row]] = row
        for at in range(places_at[item], places_at[item + 1]):
            a = places[at]
            first, last = indptr[users[a]], indptr[users[a] + 1]
            for b in range(max(first, a - reach), min(last, a + reach + 1)):
                row = row_of[indices[b]]
                later = max(a, b)
                if row < 0 or age[later] == 0:
                    continue
                next_one = later + 1
                while age[next_one] == age[later]:
                    next_one += 1
                end = min(last, next_one + len(ahead))
                if is_counting:
                    starts[row + 1] += end - next_one
                    continue
                strength = weight[a] * weight[b]
                for target in range(next_one, end):
                    value = strength * weight[target] * ahead[target - next_one]
                    if value > 0:
                        columns[starts[row] + merged[row]] = indices[target]
                        values[starts[row] + merged[row]] = value
                        merged[row] += 1
        for row in range(first_row[item], first_row[item + 1]):
            row_of[high_of[row]] = -1
            if is_counting or merged[row] == 0:
                continue
            start, n_found = starts[row], 0
            for place in range(start, start + merged[row]):
                column = columns[place]
                if sums[column] == 0:
                    columns[start + n_found] = column
                    n_found += 1
                sums[column] += values[place]
            columns[start : start + n_found].sort()
            for place in range(start, start + n_found):
                values[place] = sums[columns[place]]
                sums[columns[place]] = 0
            merged[row] = n_found


@compiled_loop
def _moved_together(starts, merged, columns, values):  # type: ignore[no-untyped-def]
    """Close the gaps between the rows; returns where each begins."""
    indptr = np.zeros(len(starts), dtype=np.int64)
    for row in range(len(merged)):
        end = indptr[row]
        for place in range(starts[row], starts[row] + merged[row]):
            columns[end] = columns[place]
            values[end] = values[place]
            end += 1
        indptr[row + 1] = end
    return indptr


@compiled_loop
def _strongest_loop(indptr, indices, data, k, kept, columns, values):  # type: ignore[no-untyped-def]
    for row in range(len(indptr) - 1):
        first, last = indptr[row], indptr[row + 1]
        end = kept[row]
        least = np.float32(0)
        n_of_least = last - first
        if last - first > k:
            ranked = np.sort(data[first:last])
            least = ranked[last - first - k]
            n_of_least = k
            for at in range(first, last):
                if data[at] > least:
                    n_of_least -= 1
        for at in range(first, last):
            if data[at] == least:
                if n_of_least == 0:
                    continue
                n_of_least -= 1
            if data[at] >= least:
                columns[end] = indices[at]
                values[end] = data[at]
                end += 1


def add_support(
    support: np.ndarray,
    indptr: np.ndarray,
    indices: np.ndarray,
    weight: np.ndarray,
    age: np.ndarray,
    *,
    reach: int,
    n_threads: int = 1,
    use_numba: bool = HAS_NUMBA,
) -> None:
    """Add to the upper triangle of support (n_items, n_items) float32 the weight of each pair that
    anything follows, summed over histories; of one history the product of both weights."""
    if use_numba:
        histories = (indptr, indices, weight, age, reach)
        where = Occurrences.of(indptr, indices, len(support))

        def work(items: slice) -> None:
            _support_loop(*histories, *where, items.start, items.stop, support)

        in_blocks(work, len(support), size=ITEMS, n_threads=n_threads)
        return
    # Added at once, as the sums of a part are that come from elsewhere.
    total = np.zeros_like(support)
    for earlier, later in _near(indptr, age, reach):
        low, high = _low_and_high(indices[earlier], indices[later])
        strength = weight[earlier] * weight[later]
        total += sparse.csr_matrix((strength, (low, high)), shape=support.shape).toarray()
    support += total


def pair_followers(
    indptr: np.ndarray,
    indices: np.ndarray,
    weight: np.ndarray,
    age: np.ndarray,
    *,
    n_items: int,
    reach: int,
    ahead: np.ndarray,
    keys: np.ndarray,
    n_threads: int = 1,
    use_numba: bool = HAS_NUMBA,
) -> sparse.csr_matrix:
    """(n_pairs, n_items) float32 csr: how often each item follows a pair, weighed.

    ahead (n,): weight of the first, second, ... that follows. keys (n_pairs,) int64, ascending: the
    pairs that are looked at. An entry weighs the product of its own weight and those of the pair,
    times `ahead`.
    """
    ahead, shape = ahead.astype(np.float32), (len(keys), n_items)
    histories = (indptr, indices, weight, age, reach, ahead)
    if not use_numba:
        return _plain_followers(*histories, keys, shape)
    where = Occurrences.of(indptr, indices, n_items)
    first_row = np.searchsorted(keys, np.arange(n_items + 1) * n_items)
    arguments = (*histories, first_row, keys % max(n_items, 1), *where)
    starts, merged = np.zeros(len(keys) + 1, np.int64), np.zeros(len(keys), np.int64)
    columns, values = np.empty(0, np.int32), np.empty(0, np.float32)

    def work(items: slice) -> None:
        _follow_loop(*arguments, items.start, items.stop, starts, columns, values, merged)

    in_blocks(work, n_items, size=ITEMS, n_threads=n_threads)
    starts = np.cumsum(starts)
    if starts[-1]:
        columns, values = np.empty(starts[-1], np.int32), np.empty(starts[-1], np.float32)
        in_blocks(work, n_items, size=ITEMS, n_threads=n_threads)
    rows = _moved_together(starts, merged, columns, values)
    kept = slice(0, rows[-1])
    return sparse.csr_matrix((values[kept], columns[kept], rows), shape=shape)


def strongest_positive(
    rows: sparse.csr_matrix, k: int, *, use_numba: bool = HAS_NUMBA
) -> sparse.csr_matrix:
    """csr: the k largest entries of each row of positive ones, of equal ones the first."""
    if use_numba:
        n_of_row = np.minimum(np.diff(rows.indptr), k)
        kept = np.concatenate([[0], np.cumsum(n_of_row)])
        columns, values = np.empty(kept[-1], np.int32), np.empty(kept[-1], np.float32)

        def work(some: slice) -> None:
            both = slice(some.start, some.stop + 1)
            _strongest_loop(
                rows.indptr[both], rows.indices, rows.data, k, kept[some], columns, values
            )

        in_blocks(work, rows.shape[0], n_threads=n_processors())
        return sparse.csr_matrix((values, columns, kept), shape=rows.shape)
    n_of_row = np.diff(rows.indptr)
    of_row = np.repeat(np.arange(rows.shape[0]), n_of_row)
    ranked = np.lexsort((rows.indices, -rows.data, of_row))
    rank = np.arange(rows.nnz) - np.repeat(rows.indptr[:-1], n_of_row)
    best = np.sort(ranked[rank < k])
    pairs = (of_row[best], rows.indices[best])
    return sparse.csr_matrix((rows.data[best], pairs), shape=rows.shape)


def _near(indptr: np.ndarray, age: np.ndarray, reach: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """(earlier, later) places of each pair that anything follows, by their distance."""
    users = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    found = []
    for lag in range(1, reach + 1):
        later = np.arange(lag, len(users))
        later = later[(users[later] == users[later - lag]) & (age[later] > 0)]
        found.append((later - lag, later))
    return found


def _low_and_high(one: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.minimum(one, other), np.maximum(one, other)


def _plain_followers(
    indptr: np.ndarray,
    indices: np.ndarray,
    weight: np.ndarray,
    age: np.ndarray,
    reach: int,
    ahead: np.ndarray,
    keys: np.ndarray,
    shape: tuple[int, int],
) -> sparse.csr_matrix:
    users = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    is_last = np.ones(len(users), dtype=bool)
    is_last[:-1] = (users[1:] != users[:-1]) | (age[1:] != age[:-1])
    ends = np.flatnonzero(is_last)
    # The first entry that is later than those of the same age.
    next_one = ends[np.cumsum(is_last) - is_last] + 1 if len(users) else users
    total = sparse.csr_matrix(shape, dtype=np.float32)
    for earlier, later in _near(indptr, age, reach):
        low, high = _low_and_high(indices[earlier].astype(np.int64), indices[later])
        wanted = low * shape[1] + high
        place = np.searchsorted(keys, wanted)
        is_looked_at = np.append(keys, -1)[place] == wanted
        place, earlier, later = (a[is_looked_at] for a in (place, earlier, later))
        strength = weight[earlier] * weight[later]
        for step, share in enumerate(ahead):
            target = next_one[later] + step
            is_there = target < indptr[users[later] + 1]
            values = strength[is_there] * weight[target[is_there]] * share
            where = (place[is_there], indices[target[is_there]])
            total = total + sparse.csr_matrix((values, where), shape=shape, dtype=np.float32)
    return total
