"""The sums over learners that the items x items models are made of, also in parts.

Counts of one part of the learners say nothing of the others, so that parts may be counted
anywhere: in threads, in processes, or by the workers of a Dask cluster through joblib. The parts
and the order in which they are added up are the same everywhere, and so are the sums, to the bit.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from joblib import Parallel, delayed, parallel_config

from analytics.methods.count_kernels import NextProducts, next_products, together_products
from analytics.methods.interactions import Interactions

# Learners per part: few enough for float32 to count exactly, enough to be worth a worker.
PART = 20_000


@dataclass(frozen=True)
class Counting:
    """What is counted and where.

    decay, window: of earlier entries in the regression of the next; tail: weight of a row per
    entry that is later than its own. backend: one of joblib's (threading, loky, dask);
    n_workers: at once, -1 for one per processor.
    """

    decay: float = 0.85
    window: int = 30
    tail: float = 0.93
    has_next: bool = True
    backend: str = "threading"
    n_workers: int = -1


@dataclass(frozen=True)
class ItemProducts:
    """together (n_items, n_items) float32: X'X of the histories; following: see `NextProducts`,
    None where the order is unknown or the catalogue too large for it."""

    together: np.ndarray
    following: NextProducts | None

    def add(self, other: ItemProducts) -> ItemProducts:
        """Take the sums of the other in, in the memory of these."""
        np.add(self.together, other.together, out=self.together)
        for mine, theirs in zip(self.following or (), other.following or (), strict=True):
            np.add(mine, theirs, out=mine)
        return self


def count_products(interactions: Interactions, users: np.ndarray, how: Counting) -> ItemProducts:
    """The products of the given users (n_users,), part by part."""
    parts = [
        _histories(interactions, users[start : start + PART])
        for start in range(0, max(len(users), 1), PART)
    ]
    if len(parts) == 1:
        return _products(*parts[0], interactions.n_items, how)
    with parallel_config(backend=how.backend, n_jobs=how.n_workers):
        found = Parallel(return_as="generator", pre_dispatch="n_jobs")(
            delayed(_products)(*part, interactions.n_items, how) for part in parts
        )
        return _summed(found)


def _summed(found: Iterable[ItemProducts]) -> ItemProducts:
    """The sum in the order of the parts."""
    parts = iter(found)
    total = next(parts)
    for part in parts:
        total.add(part)
    return total


def _histories(
    interactions: Interactions, users: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    n_of_user, places = interactions.entries_of(users)
    indptr = np.concatenate([[0], np.cumsum(n_of_user)]).astype(np.int64)
    return (
        indptr,
        interactions.indices[places],
        interactions.weight[places],
        interactions.age[places],
    )


def _products(
    indptr: np.ndarray,
    indices: np.ndarray,
    weight: np.ndarray,
    age: np.ndarray,
    n_items: int,
    how: Counting,
) -> ItemProducts:
    following = None
    if how.has_next:
        following = next_products(
            indptr,
            indices,
            weight,
            age,
            n_items=n_items,
            decays=how.decay ** np.arange(how.window),
            tails=how.tail ** np.arange(100),
        )
    return ItemProducts(
        together=together_products(indptr, indices, weight, n_items=n_items), following=following
    )
