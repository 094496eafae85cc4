"""What most people want, for everybody the same."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from analytics.methods.interactions import Interactions
from analytics.methods.reasons import Reason
from analytics.methods.recommenders.base import BaseRecommender, ItemFeatures
from analytics.methods.recommenders.blocks import Ask, Block, plain_block
from analytics.methods.recommenders.people import UserFeatures


class PopularityRecommender(BaseRecommender):
    """Items by the sum of their weights, as a share of the largest; what nobody touched last.

    Attributes: model_ (1, n_items).
    """

    def _fit(
        self, interactions: Interactions, users: UserFeatures, items: ItemFeatures
    ) -> list[Block]:
        rows = sparse.csr_matrix(popularity(interactions)[None, :])
        return [plain_block("popular", Ask.EVERYBODY, rows, reason=Reason.POPULAR)]


def popularity(interactions: Interactions) -> np.ndarray:
    """(n_items,) float32 in (0, 1]: never 0, so that every item can be ranked."""
    sums = np.bincount(
        interactions.indices, weights=interactions.weight, minlength=interactions.n_items
    )
    return ((sums + 0.01) / (sums.max(initial=0) + 0.01)).astype(np.float32)
