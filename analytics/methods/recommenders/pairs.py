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

# How often a pair was taken and followed by anything, at least, and pairs, at most.
LEAST_SUPPORT = 5.0
MOST_PAIRS = 100_000
# People added to those who had a pair and went on, against what rests on few.
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
    """A row per pair: of those who had it and did anything after, the share that took each item,
    the sooner the more.

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
    """(len(users), n_pairs) csr float32: the newest entry with each that is at most PAIR_REACH
    entries older.

    A pair weighs the product of both weights, times decay for every entry between them. Who did
    several things last, at once, is asked for none: which of them came last is not known.
    """
    n_of_user, places = interactions.entries_of(users)
    rows = np.repeat(np.arange(len(users)), n_of_user)
    items, age = interactions.indices[places].astype(np.int64), interactions.age[places]
    n_newest = np.bincount(rows[age == 0], minlength=len(users))
    is_near = (n_newest[rows] == 1) & (age >= 1) & (age <= PAIR_REACH)
    rows, places, items, age = (a[is_near] for a in (rows, places, items, age))
    newest = interactions.indptr[users[rows] + 1] - 1
    other = interactions.indices[newest].astype(np.int64)
    wanted = np.minimum(items, other) * interactions.n_items + np.maximum(items, other)
    place = np.searchsorted(keys, wanted)
    is_there = np.append(keys, -1)[place] == wanted
    weight = interactions.weight
    values = weight[newest] * weight[places] * np.float32(decay) ** (age - 1)
    return sparse.csr_matrix(
        (values[is_there].astype(np.float32), (rows[is_there], place[is_there])),
        shape=(len(users), len(keys)),
    )
