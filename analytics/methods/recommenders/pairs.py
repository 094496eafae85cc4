"""What follows two courses that were taken near each other: more than the sum of what follows each.

The linear parts add up what every single course says; some courses mean something else together,
as those of one degree do. A model of third order over all pairs would be too large: only pairs
that enough people have are kept, and of what follows them the strongest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from analytics.methods.interactions import Interactions
from analytics.methods.pair_kernels import strongest_positive
from analytics.methods.reasons import Reason
from analytics.methods.recommenders.blocks import Ask, Block
from analytics.methods.served_model import PAIR_REACH

# People who had a pair, at least, and pairs, at most.
LEAST_SUPPORT = 5.0
MOST_PAIRS = 100_000
# People added to those who had a pair, against what rests on few.
SHRINKAGE = 10.0
N_FOLLOWERS = 20
DECAY = 0.75


@dataclass(frozen=True)
class PairCounts:
    """keys (n_pairs,) int64, ascending; followers (n_pairs, n_items) csr: see `pair_kernels`."""

    keys: np.ndarray
    followers: sparse.csr_matrix

    def __add__(self, other: PairCounts) -> PairCounts:
        """The sums for the same pairs."""
        return PairCounts(self.keys, self.followers + other.followers)


def frequent_pairs(support: np.ndarray) -> np.ndarray:
    """The keys (n_pairs,) int64, ascending, of pairs that are worth a row: support (n_items,
    n_items) is what `add_support` counts."""
    flat = support.ravel()
    keys = np.flatnonzero(flat >= LEAST_SUPPORT)
    if len(keys) > MOST_PAIRS:
        # Of equally frequent ones the first, so that a fit can be repeated.
        keys = np.sort(keys[np.argsort(-flat[keys], kind="stable")[:MOST_PAIRS]])
    return keys


def pair_block(name: str, pairs: PairCounts, support: np.ndarray, n_learners: np.ndarray) -> Block:
    """A row per pair: the share of those who had it that took each item soon after.

    support (n_items, n_items): see `add_support`. n_learners (n_items,): of both items of a pair
    the one with fewer stands for the row, as it tells more of who took them.
    """
    keys, n_items = pairs.keys, len(n_learners)
    n_people = np.repeat(support.ravel()[keys] + SHRINKAGE, np.diff(pairs.followers.indptr))
    shares = pairs.followers.copy()
    shares.data = (shares.data / n_people).astype(np.float32)
    low, high = keys // n_items, keys % n_items
    return Block(
        name=name,
        ask=Ask.PAIRS,
        rows=strongest_positive(shares, N_FOLLOWERS),
        reason=np.full(len(keys), Reason.NEXT, dtype=np.int8),
        item=np.where(n_learners[low] < n_learners[high], low, high).astype(np.int32),
        decay=DECAY,
        keys=keys,
    )


def pair_queries(
    interactions: Interactions, users: np.ndarray, keys: np.ndarray, *, decay: float
) -> sparse.csr_matrix:
    """(len(users), n_pairs) csr float32: the newest entry with each of the PAIR_REACH before it.

    A pair weighs the product of both weights, times decay for every entry between them.
    """
    ends, starts = interactions.indptr[users + 1], interactions.indptr[users]
    items, weight = interactions.indices.astype(np.int64), interactions.weight
    rows, places, values = [], [], []
    for lag in range(1, PAIR_REACH + 1):
        mine = np.flatnonzero(ends - starts > lag)
        newest, other = ends[mine] - 1, ends[mine] - 1 - lag
        low = np.minimum(items[newest], items[other])
        high = np.maximum(items[newest], items[other])
        wanted = low * interactions.n_items + high
        place = np.searchsorted(keys, wanted)
        is_there = np.append(keys, -1)[place] == wanted
        rows.append(mine[is_there])
        places.append(place[is_there])
        strength = weight[newest] * weight[other] * np.float32(decay) ** (lag - 1)
        values.append(strength[is_there])
    # By user, the nearest pair first: single precision adds in this order for one person too.
    order = np.argsort(np.concatenate(rows), kind="stable")
    n_of_user = np.bincount(np.concatenate(rows), minlength=len(users))
    return sparse.csr_matrix(
        (
            np.concatenate(values)[order].astype(np.float32),
            np.concatenate(places)[order],
            np.concatenate([[0], np.cumsum(n_of_user)]),
        ),
        shape=(len(users), len(keys)),
    )
