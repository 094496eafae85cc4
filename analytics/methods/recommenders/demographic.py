"""The plain method of the source: what the five people nearest by age, gender, occupation took."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from sklearn.neighbors import NearestNeighbors

from analytics.methods.interactions import Interactions
from analytics.methods.reasons import Reason
from analytics.methods.recommenders.base import BaseRecommender, ItemFeatures, UserFeatures


class DemographicKNNRecommender(BaseRecommender):
    """`NearestNeighbors(n_neighbors=5)` over age, gender and occupation as numbers: a baseline.

    An unknown age counts as the median age. The score of an item is the share of neighbours
    who took it, each at its weight. Where many people are at the same distance, which five
    are taken is arbitrary (but the same for each fit).

    Attributes: encoded_ (n_users, 3) float64; neighbors_ (a fitted NearestNeighbors); model_
    (n_users, n_items): what each person took.
    """

    def __init__(self, *, n_neighbors: int = 5) -> None:
        self.n_neighbors = n_neighbors

    def kneighbors(self, users: np.ndarray) -> np.ndarray:
        """(len(users), k) int64: the nearest other users; k is less where there are fewer."""
        users = np.asarray(users, dtype=np.int64)
        k = min(self.n_neighbors, len(self.encoded_) - 1)
        if k < 1 or not len(users):
            return np.empty((len(users), 0), dtype=np.int64)
        # People who are alike in all three have the same neighbours: one search for all of
        # them. A tree cannot prune among thousands of equals.
        distinct, place = np.unique(self.encoded_[users], axis=0, return_inverse=True)
        found = self.neighbors_.kneighbors(distinct, n_neighbors=k + 1, return_distance=False)
        found = found[place.ravel()]
        is_me = found == users[:, None]
        is_me[~is_me.any(axis=1), k] = True
        return found[~is_me].reshape(len(users), k)

    def _fit(
        self, interactions: Interactions, users: UserFeatures, items: ItemFeatures
    ) -> tuple[sparse.csr_matrix, np.ndarray, np.ndarray]:
        is_known = ~np.isnan(users.age)
        median = float(np.median(users.age[is_known])) if is_known.any() else 0.0
        age = np.where(is_known, users.age, median)
        self.encoded_ = np.column_stack([age, users.gender, users.occupation]).astype(np.float64)
        self.neighbors_ = NearestNeighbors(n_neighbors=self.n_neighbors)
        if len(self.encoded_):
            self.neighbors_.fit(self.encoded_)
        n_users = interactions.n_users
        model = interactions.user_items.copy()
        return model, np.full(n_users, Reason.PEOPLE), np.full(n_users, -1)

    def _queries(self, users: np.ndarray) -> sparse.csr_matrix:
        neighbours = self.kneighbors(users)
        k = neighbours.shape[1]
        return sparse.csr_matrix(
            (
                np.full(neighbours.size, 1 / max(k, 1), dtype=np.float32),
                np.sort(neighbours, axis=1).ravel(),
                np.arange(len(users) + 1) * k,
            ),
            shape=(len(users), self.interactions_.n_users),
        )
