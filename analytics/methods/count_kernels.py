"""What stands together in histories, and what follows what: counted by numba or scipy alike.

All functions take histories as `Interactions` holds them: indptr (n_users + 1,), and indices,
weight, age (n_entries,), each history from its oldest entry to its newest.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import sparse

from analytics.methods.scoring_kernels import HAS_NUMBA, compiled_loop

# Entries per block of the scipy path, so that its matrices stay within some tens of MB.
BLOCK = 100_000


class NextProducts(NamedTuple):
    """Sums over all entries that have an earlier one; all but the last (n_items, n_items) float32.

    x is the earlier entries, each decayed by its place (the newest: 1); z is the newest of them
    alone; y is the entry. slow: x'x, slow_newest: x'z, slow_next: x'y, newest_next: z'y;
    newest (n_items,): z'z, which has nothing off its diagonal.
    """

    slow: np.ndarray
    slow_newest: np.ndarray
    slow_next: np.ndarray
    newest_next: np.ndarray
    newest: np.ndarray


@compiled_loop
def _together_loop(indptr, indices, weight, gram):  # type: ignore[no-untyped-def]
    for user in range(len(indptr) - 1):
        for a in range(indptr[user], indptr[user + 1]):
            for b in range(indptr[user], a + 1):
                low, high = indices[a], indices[b]
                if low > high:
                    low, high = high, low
                gram[low, high] += weight[a] * weight[b]


@compiled_loop
def _next_loop(  # type: ignore[no-untyped-def]
    indptr, indices, weight, age, decays, tails, slow, slow_newest, slow_next, newest_next, newest
):
    window = len(decays)
    for user in range(len(indptr) - 1):
        first, last = indptr[user], indptr[user + 1]
        scale = np.float32(1 / np.sqrt(max(last - first, 1)))
        for target in range(first + 1, last):
            end = target
            while end > first and age[end - 1] == age[target]:
                end -= 1
            if end == first:
                continue
            row = scale * weight[target] * tails[min(age[target], len(tails) - 1)]
            wanted = indices[target]
            nearest, strength = indices[end - 1], weight[end - 1]
            newest_next[nearest, wanted] += row * strength
            newest[nearest] += row * strength * strength
            start = max(first, end - window)
            for a in range(start, end):
                value = row * weight[a] * decays[end - 1 - a]
                slow_next[indices[a], wanted] += value
                slow_newest[indices[a], nearest] += value * strength
                for b in range(start, a + 1):
                    low, high = indices[a], indices[b]
                    if low > high:
                        low, high = high, low
                    slow[low, high] += value * weight[b] * decays[end - 1 - b]


def together_products(
    indptr: np.ndarray,
    indices: np.ndarray,
    weight: np.ndarray,
    *,
    n_items: int,
    use_numba: bool = HAS_NUMBA,
) -> np.ndarray:
    """X'X of the users' weights X (n_users, n_items): (n_items, n_items) float32, symmetric."""
    if use_numba:
        gram = np.zeros((n_items, n_items), dtype=np.float32)
        _together_loop(indptr, indices, weight, gram)
        return _mirrored(gram)
    matrix = sparse.csr_matrix((weight, indices, indptr), shape=(len(indptr) - 1, n_items))
    return (matrix.T @ matrix).toarray().astype(np.float32, copy=False)


def next_products(
    indptr: np.ndarray,
    indices: np.ndarray,
    weight: np.ndarray,
    age: np.ndarray,
    *,
    n_items: int,
    decays: np.ndarray,
    tails: np.ndarray,
    use_numba: bool = HAS_NUMBA,
) -> NextProducts:
    """The products of a regression of each entry on what its user did before it.

    decays (window,): of the earlier entries, the newest first. tails: weight of a row by how
    many entries are later than its own (the last value for more). A row weighs the entry's
    weight / sqrt(entries of the user) times its tail.
    """
    decays, tails = decays.astype(np.float32), tails.astype(np.float32)
    square = (n_items, n_items)
    sums = NextProducts(
        slow=np.zeros(square, dtype=np.float32),
        slow_newest=np.zeros(square, dtype=np.float32),
        slow_next=np.zeros(square, dtype=np.float32),
        newest_next=np.zeros(square, dtype=np.float32),
        newest=np.zeros(n_items, dtype=np.float32),
    )
    if use_numba:
        _next_loop(indptr, indices, weight, age, decays, tails, *sums)
        return sums._replace(slow=_mirrored(sums.slow))
    n_of_user = np.diff(indptr)
    users = np.repeat(np.arange(len(n_of_user)), n_of_user)
    # The first entry of those that have the same user and the same age.
    is_first = np.ones(len(indices), dtype=bool)
    is_first[1:] = (users[1:] != users[:-1]) | (age[1:] != age[:-1])
    ends = np.flatnonzero(is_first)[np.cumsum(is_first) - 1] if len(indices) else indices
    row_weight = weight * tails[np.minimum(age, len(tails) - 1)] / np.sqrt(n_of_user[users])
    starts = indptr[:-1][users]
    for low in range(0, len(indices), BLOCK):
        target = np.arange(low, min(low + BLOCK, len(indices)))
        target = target[ends[target] > starts[target]]
        place = ends[target][:, None] - 1 - np.arange(len(decays))
        row, lag = np.nonzero(place >= starts[target][:, None])
        place = place[row, lag]
        shape = (len(target), n_items)
        at = np.arange(len(target))
        x = sparse.csr_matrix((weight[place] * decays[lag], (row, indices[place])), shape=shape)
        before = ends[target] - 1
        z = sparse.csr_matrix((weight[before], (at, indices[before])), shape=shape)
        y = sparse.csr_matrix((np.ones(len(at), np.float32), (at, indices[target])), shape=shape)
        scale = sparse.diags(row_weight[target].astype(np.float32))
        xs, zs = (scale @ x).T.tocsr(), (scale @ z).T.tocsr()
        for total, part in zip(sums[:4], (xs @ x, xs @ z, xs @ y, zs @ y), strict=True):
            total += part.toarray()
        sums.newest[:] += (zs @ z).diagonal()
    return sums


def _mirrored(upper: np.ndarray) -> np.ndarray:
    """The symmetric matrix of which the upper triangle is given."""
    upper += np.triu(upper, 1).T
    return upper
