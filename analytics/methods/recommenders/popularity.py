"""What most people want, for everybody the same."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from analytics.methods.interactions import Interactions
from analytics.methods.reasons import Reason
from analytics.methods.recommenders.base import BaseRecommender, ItemFeatures, UserFeatures


class PopularityRecommender(BaseRecommender):
    """Items by the sum of their weights, as a share of the largest; what nobody touched last.

    Attributes: model_ (1, n_items).
    """

    def _fit(
        self, interactions: Interactions, users: UserFeatures, items: ItemFeatures
    ) -> tuple[sparse.csr_matrix, np.ndarray, np.ndarray]:
        model = sparse.csr_matrix(popularity(interactions)[None, :])
        return model, np.array([Reason.POPULAR]), np.array([-1])

    def _queries(self, users: np.ndarray) -> sparse.csr_matrix:
        return sparse.csr_matrix(np.ones((len(users), 1), dtype=np.float32))


def popularity(interactions: Interactions) -> np.ndarray:
    """(n_items,) float32 in (0, 1]: never 0, so that every item can be ranked."""
    sums = np.bincount(
        interactions.indices, weights=interactions.weight, minlength=interactions.n_items
    )
    return ((sums + 0.01) / (sums.max(initial=0) + 0.01)).astype(np.float32)
