"""The plain method of the source: what the five people nearest by age, gender, occupation took."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from sklearn.neighbors import NearestNeighbors

from analytics.methods.interactions import Interactions
from analytics.methods.reasons import Reason
from analytics.methods.recommenders.base import BaseRecommender, ItemFeatures
from analytics.methods.recommenders.blocks import Ask, Block, plain_block
from analytics.methods.recommenders.people import UserFeatures


class DemographicKNNRecommender(BaseRecommender):
    """`NearestNeighbors(n_neighbors=5)` over age, gender and occupation as numbers: a baseline.

    An unknown age counts as the median age. The score of an item is the share of neighbours
    who took it, each at its weight. People who are alike in all three have the same neighbours,
    and may be among them themselves: what they took is theirs already. Where many people are at
    the same distance, which five are taken is arbitrary (but the same for each fit).

    Attributes: neighbors_ (a fitted NearestNeighbors); model_ (n_kinds, n_items): what the
    neighbours of each kind of person took.
    """

    def __init__(self, *, n_neighbors: int = 5) -> None:
        self.n_neighbors = n_neighbors

    def kneighbors(self, users: np.ndarray) -> np.ndarray:
        """(len(users), k) int64: the nearest users; k is less where there are fewer."""
        return self._nearest_of_kinds()[self.people_.of_kind[np.asarray(users, dtype=np.int64)]]

    def _fit(
        self, interactions: Interactions, users: UserFeatures, items: ItemFeatures
    ) -> list[Block]:
        self.neighbors_ = NearestNeighbors(n_neighbors=self.n_neighbors)
        if interactions.n_users:
            self.neighbors_.fit(self.people_.encoded)
        nearest = self._nearest_of_kinds()
        n_kinds, k = nearest.shape
        shares = sparse.csr_matrix(
            (
                np.full(nearest.size, 1 / max(k, 1), dtype=np.float32),
                nearest.ravel(),
                np.arange(n_kinds + 1) * k,
            ),
            shape=(n_kinds, interactions.n_users),
        )
        rows = sparse.csr_matrix(shares @ interactions.user_items, dtype=np.float32)
        return [plain_block("alike", Ask.ALIKE, rows, reason=Reason.PEOPLE)]

    def _nearest_of_kinds(self) -> np.ndarray:
        """(n_kinds, k) int64, sorted. One search for all who are alike: a tree cannot prune among
        thousands of equals."""
        k = min(self.n_neighbors, len(self.people_.encoded))
        if not k:
            return np.empty((0, 0), dtype=np.int64)
        found = self.neighbors_.kneighbors(self.people_.kinds, n_neighbors=k, return_distance=False)
        return np.sort(found, axis=1)
