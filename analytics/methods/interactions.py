"""Who did what with which course, and in which order: what every recommender learns from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from scipy import sparse


@dataclass(frozen=True)
class Interactions:
    """Histories of all users, users in rows, each from its oldest entry to its newest.

    indptr (n_users + 1,) int64: the entries of user u are indptr[u]:indptr[u + 1].
    indices (n_entries,) int32: the item of each entry; an item stands once per user.
    weight (n_entries,) float32, above 0: how much the entry says that the item is wanted.
    age (n_entries,) int32: how many entries of the same user are strictly later. Where the
    order is unknown, every age is 0.
    recent (n_entries,) bool: what was done in the last seven days; nothing where no time is known.
    """

    indptr: np.ndarray
    indices: np.ndarray
    weight: np.ndarray
    age: np.ndarray
    recent: np.ndarray
    n_items: int

    @classmethod
    def from_arrays(
        cls,
        users: np.ndarray,
        items: np.ndarray,
        *,
        n_users: int,
        n_items: int,
        order: np.ndarray | None = None,
        weight: np.ndarray | None = None,
        recent: np.ndarray | None = None,
    ) -> Self:
        """From parallel arrays of shape (n,): dense user and item indices, in any sequence.

        order: larger is later for one user; None, or equal values, where it is unknown. weight:
        1 by default; entries of 0 are left out. recent: none by default. An item that a user has
        twice counts at its latest order, with its largest weight. Raises ValueError for unequal
        lengths, an index out of range, or an order or weight that is no number.
        """
        users = np.asarray(users, dtype=np.int64)
        items = np.asarray(items, dtype=np.int64)
        order = np.zeros(len(users)) if order is None else np.asarray(order, dtype=np.float64)
        weight = (
            np.ones(len(users), dtype=np.float32)
            if weight is None
            else np.asarray(weight, dtype=np.float32)
        )
        recent = np.zeros(len(users), dtype=bool) if recent is None else np.asarray(recent, bool)
        if not len(users) == len(items) == len(order) == len(weight) == len(recent):
            raise ValueError("users, items, order, weight and recent must be equally long")
        for name, index, size in (("user", users, n_users), ("item", items, n_items)):
            if len(index) and not 0 <= index.min() <= index.max() < size:
                raise ValueError(f"{name} indices must lie in 0..{size - 1}")
        if np.isnan(order).any() or not np.isfinite(weight).all() or (weight < 0).any():
            raise ValueError("order and weight must be numbers, weights 0 or more")
        is_kept = weight > 0
        users, items, order, weight, recent = _once_per_item(
            *(a[is_kept] for a in (users, items, order, weight, recent))
        )
        n_of_user = np.bincount(users, minlength=n_users)
        indptr = np.concatenate([[0], np.cumsum(n_of_user)]).astype(np.int64)
        return cls(
            indptr=indptr,
            indices=items.astype(np.int32),
            weight=weight,
            age=_ages(users, order, indptr),
            recent=recent,
            n_items=n_items,
        )

    @classmethod
    def one_above_the_other(cls, parts: Sequence[Interactions]) -> Self:
        """The users of all parts, those of the first one first; all over the same items."""
        sizes = [np.diff(part.indptr) for part in parts]
        return cls(
            indptr=np.concatenate([[0], np.cumsum(np.concatenate(sizes))]).astype(np.int64),
            indices=np.concatenate([part.indices for part in parts]),
            weight=np.concatenate([part.weight for part in parts]),
            age=np.concatenate([part.age for part in parts]),
            recent=np.concatenate([part.recent for part in parts]),
            n_items=parts[0].n_items,
        )

    @property
    def n_users(self) -> int:
        return len(self.indptr) - 1

    @property
    def n_entries(self) -> int:
        return len(self.indices)

    @cached_property
    def users(self) -> np.ndarray:
        """The user of each entry: (n_entries,) int32."""
        return np.repeat(np.arange(self.n_users, dtype=np.int32), np.diff(self.indptr))

    @cached_property
    def is_ordered(self) -> bool:
        """Whether anybody's order is known."""
        return bool((self.age > 0).any())

    @cached_property
    def user_items(self) -> sparse.csr_matrix:
        """The weights as (n_users, n_items) float32."""
        matrix = sparse.csr_matrix(
            (self.weight, self.indices, self.indptr), shape=(self.n_users, self.n_items), copy=True
        )
        matrix.sort_indices()
        return matrix

    def entries_of(self, users: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(n_of_user (len(users),), places of their entries, user after user)."""
        starts = self.indptr[users]
        n_of_user = self.indptr[np.asarray(users) + 1] - starts
        shift = starts - np.concatenate([[0], np.cumsum(n_of_user)[:-1]])
        return n_of_user, np.arange(n_of_user.sum()) + np.repeat(shift, n_of_user)

    def of_users(self, users: np.ndarray) -> Interactions:
        """The histories of some users, in the order in which they are named."""
        n_of_user, places = self.entries_of(users)
        return Interactions(
            indptr=np.concatenate([[0], np.cumsum(n_of_user)]).astype(np.int64),
            indices=self.indices[places],
            weight=self.weight[places],
            age=self.age[places],
            recent=self.recent[places],
            n_items=self.n_items,
        )

    def keep(self, is_kept: np.ndarray) -> Interactions:
        """Only the entries where is_kept (n_entries,) bool; ages count among those."""
        users = self.users[is_kept]
        n_of_user = np.bincount(users, minlength=self.n_users)
        indptr = np.concatenate([[0], np.cumsum(n_of_user)]).astype(np.int64)
        return Interactions(
            indptr=indptr,
            indices=self.indices[is_kept],
            weight=self.weight[is_kept],
            age=_ages(users.astype(np.int64), -self.age[is_kept].astype(np.float64), indptr),
            recent=self.recent[is_kept],
            n_items=self.n_items,
        )


def _once_per_item(
    users: np.ndarray, items: np.ndarray, order: np.ndarray, weight: np.ndarray, recent: np.ndarray
) -> tuple[np.ndarray, ...]:
    """Each pair of user and item once, sorted by user, order and item."""
    by_pair = np.lexsort((order, items, users))
    users, items, order, weight, recent = (
        a[by_pair] for a in (users, items, order, weight, recent)
    )
    is_first = np.ones(len(users), dtype=bool)
    is_first[1:] = (users[1:] != users[:-1]) | (items[1:] != items[:-1])
    first = np.flatnonzero(is_first)
    if len(first):
        last = np.append(first[1:], len(users)) - 1
        weight = np.maximum.reduceat(weight, first)
        users, items, order, recent = users[last], items[last], order[last], recent[last]
    by_order = np.lexsort((items, order, users))
    return tuple(a[by_order] for a in (users, items, order, weight, recent))


def _ages(users: np.ndarray, order: np.ndarray, indptr: np.ndarray) -> np.ndarray:
    """Entries of the same user after the last one of equal order: (n_entries,) int32."""
    if not len(users):
        return np.array([], dtype=np.int32)
    is_last = np.ones(len(users), dtype=bool)
    is_last[:-1] = (users[1:] != users[:-1]) | (order[1:] != order[:-1])
    ends = np.flatnonzero(is_last)
    my_end = ends[np.concatenate([[0], np.cumsum(is_last)[:-1]])]
    return (indptr[users + 1] - 1 - my_end).astype(np.int32)
