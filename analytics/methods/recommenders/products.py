"""The sums over learners that the items x items models are made of, also in parts.

Counts of one part of the learners say nothing of the others, so that parts may be counted
anywhere: in threads, in processes, or by the workers of a Dask cluster through joblib. The parts
and the order in which they are added up are the same everywhere, and so are the sums, to the bit.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from functools import reduce
from typing import Self

import numpy as np
from joblib import Parallel, delayed, parallel_config
from scipy import sparse

from analytics.methods.count_kernels import NextProducts, add_next, add_together
from analytics.methods.interactions import Interactions
from analytics.methods.pair_kernels import add_support, pair_followers
from analytics.methods.scoring_kernels import n_processors
from analytics.methods.served_model import PAIR_REACH

# Learners per part: few enough for float32 to count exactly, enough to be worth a worker.
PART = 50_000

Histories = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Counting:
    """What is counted and where.

    decay, window: of earlier entries in the regression of the next; tail: weight of a row per
    entry that is later than its own. reach, ahead: see `pair_kernels`. backend: one of joblib's
    (threading, loky, dask); n_workers: at once, -1 for one per processor.
    """

    decay: float = 0.85
    window: int = 30
    tail: float = 0.93
    reach: int = PAIR_REACH
    ahead: tuple[float, ...] = (1.0, 0.8, 0.64)
    has_next: bool = True
    backend: str = "threading"
    n_workers: int = -1

    def n_threads(self) -> int:
        return n_processors() if self.n_workers < 1 else self.n_workers


@dataclass(frozen=True)
class ItemProducts:
    """together (n_items, n_items) float32: X'X of the histories; following: see `NextProducts`;
    pairs (n_items, n_items) float32: see `add_support`. Both are None where the order is unknown
    or the catalogue too large for it."""

    together: np.ndarray
    following: NextProducts | None
    pairs: np.ndarray | None

    @classmethod
    def zeros(cls, n_items: int, *, has_next: bool) -> Self:
        square = (n_items, n_items)
        return cls(
            together=np.zeros(square, dtype=np.float32),
            following=NextProducts.zeros(n_items) if has_next else None,
            pairs=np.zeros(square, dtype=np.float32) if has_next else None,
        )

    def copy(self) -> ItemProducts:
        following = self.following and NextProducts(*(one.copy() for one in self.following))
        pairs = None if self.pairs is None else self.pairs.copy()
        return ItemProducts(self.together.copy(), following, pairs)

    def add(self, other: ItemProducts) -> None:
        """Take the sums of the other in."""
        np.add(self.together, other.together, out=self.together)
        for mine, theirs in zip(self.following or (), other.following or (), strict=True):
            np.add(mine, theirs, out=mine)
        if self.pairs is not None and other.pairs is not None:
            np.add(self.pairs, other.pairs, out=self.pairs)


def count_products(
    interactions: Interactions,
    users: np.ndarray,
    how: Counting,
    *,
    into: ItemProducts | None = None,
) -> ItemProducts:
    """The products of the given users (n_users,), part by part, added to those of others in
    `into`, or to nothing."""
    n_items = interactions.n_items
    total = into or ItemProducts.zeros(n_items, has_next=how.has_next)
    parts = _parts(interactions, users)
    if how.backend == "threading":
        # One part after the other, its items in threads: what each needs is in memory only once.
        n_threads = how.n_threads()
        for part in parts:
            _add_products(total, part, how, n_threads=n_threads)
        return total
    with parallel_config(backend=how.backend, n_jobs=how.n_workers):
        found = Parallel(return_as="generator", pre_dispatch="n_jobs")(
            delayed(_products)(part, n_items, how) for part in parts
        )
        for one in found:
            total.add(one)
    return total


def count_followers(
    interactions: Interactions, users: np.ndarray, how: Counting, keys: np.ndarray
) -> sparse.csr_matrix:
    """What follows the pairs of these keys (n_pairs,), sorted, in the histories of the given users
    (n_users,): see `pair_followers`."""
    n_items, parts = interactions.n_items, _parts(interactions, users)
    if how.backend == "threading":
        n_threads = how.n_threads()
        found = (_followers(part, n_items, how, keys, n_threads=n_threads) for part in parts)
        return reduce(operator.add, found)
    with parallel_config(backend=how.backend, n_jobs=how.n_workers):
        found = Parallel(return_as="generator", pre_dispatch="n_jobs")(
            delayed(_followers)(part, n_items, how, keys) for part in parts
        )
        return reduce(operator.add, found)


def _parts(interactions: Interactions, users: np.ndarray) -> list[Histories]:
    return [
        _histories(interactions, users[start : start + PART])
        for start in range(0, max(len(users), 1), PART)
    ]


def _histories(interactions: Interactions, users: np.ndarray) -> Histories:
    n_of_user, places = interactions.entries_of(users)
    indptr = np.concatenate([[0], np.cumsum(n_of_user)]).astype(np.int64)
    return (
        indptr,
        interactions.indices[places],
        interactions.weight[places],
        interactions.age[places],
    )


def _products(part: Histories, n_items: int, how: Counting) -> ItemProducts:
    total = ItemProducts.zeros(n_items, has_next=how.has_next)
    _add_products(total, part, how, n_threads=1)
    return total


def _add_products(total: ItemProducts, part: Histories, how: Counting, *, n_threads: int) -> None:
    indptr, indices, weight, _age = part
    add_together(total.together, indptr, indices, weight, n_threads=n_threads)
    if total.following is not None:
        add_next(
            total.following,
            *part,
            decay=how.decay,
            window=how.window,
            tails=how.tail ** np.arange(100),
            n_threads=n_threads,
        )
    if total.pairs is not None:
        add_support(total.pairs, *part, reach=how.reach, n_threads=n_threads)


def _followers(
    part: Histories, n_items: int, how: Counting, keys: np.ndarray, *, n_threads: int = 1
) -> sparse.csr_matrix:
    return pair_followers(
        *part,
        n_items=n_items,
        reach=how.reach,
        ahead=np.array(how.ahead),
        keys=keys,
        n_threads=n_threads,
    )
