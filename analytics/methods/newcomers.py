"""How good lists are for people of whom a fit has seen nothing, and little is known since."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import sparse

from analytics.methods.interactions import Interactions
from analytics.methods.ranking_evaluation import CUTOFF, ndcg_at
from analytics.methods.recommenders.base import BaseRecommender, ItemFeatures
from analytics.methods.recommenders.people import UserFeatures

# How many entries of a newcomer are known: none, and at the hand's count up to where history wins.
KNOWN = (0, 1, 3, 10)
PRIOR = "prior"


@dataclass(frozen=True)
class Revealed:
    """The first few entries of newcomers, and what they took afterwards.

    n_known: so many entries. histories: of all users, those of the newcomers cut to these entries.
    wanted, had (n_users, n_items): what they took afterwards, and what is never recommended again.
    users (n_asked,): the newcomers who took anything afterwards.
    """

    n_known: int
    histories: Interactions
    wanted: sparse.csr_matrix
    had: sparse.csr_matrix
    users: np.ndarray


def newcomer_scores(
    methods: Mapping[str, Callable[[], BaseRecommender]],
    others: Interactions,
    revealed: Sequence[Revealed],
    *,
    user_features: UserFeatures,
    item_features: ItemFeatures,
) -> list[dict[str, Any]]:
    """NDCG@10 of each method, fitted once on the others, for newcomers of whom more is revealed.

    methods: makers by name, `popularity` and `hybrid` among them. others: the histories of all
    users, those of newcomers empty. After the hybrid comes its prior alone, in full at any length
    of the history. Returns one dict per method: method, rows (entries of the fit), and for each
    number known: ndcg@10_known_<n>, over_popularity_known_<n> (the mean difference for the same
    people), over_popularity_se_known_<n> (its standard error), people_known_<n>. Of a number that
    nobody has more than, there is none of these.
    """
    gains: dict[str, list[np.ndarray]] = {}
    for name, make in methods.items():
        recommender = make().fit(others, user_features=user_features, item_features=item_features)
        gains[name] = _gains(recommender, revealed)
        if name == "hybrid":
            gains[PRIOR] = _gains(prior_of(recommender), revealed)
    return [
        {
            "method": name,
            "rows": others.n_entries,
            **{
                f"{figure}_known_{one.n_known}": value
                for one, gained, plain in zip(revealed, of_method, gains["popularity"], strict=True)
                if len(gained)
                for figure, value in _compared(gained, plain).items()
            },
        }
        for name, of_method in gains.items()
    ]


def prior_of(recommender: BaseRecommender) -> BaseRecommender:
    """What it says to somebody without a history, whatever they have done."""
    return recommender.with_blocks(
        [replace(block, fades=False) for block in recommender.blocks_ if not block.is_of_history]
    )


def _gains(recommender: BaseRecommender, revealed: Sequence[Revealed]) -> list[np.ndarray]:
    """Per number known: the NDCG@10 of each newcomer, (n_asked,)."""
    return [
        ndcg_at(
            recommender.with_histories(one.histories)
            .recommend(
                one.users,
                n=CUTOFF,
                exclude_seen=False,
                exclude=one.had[one.users],
                with_reasons=False,
            )
            .items,
            one.wanted[one.users],
        )
        for one in revealed
    ]


def _compared(gains: np.ndarray, plain: np.ndarray) -> dict[str, float | int]:
    over = gains - plain
    noise = over.std(ddof=1) / np.sqrt(len(over)) if len(over) > 1 else 0.0
    return {
        "ndcg@10": float(gains.mean()),
        "over_popularity": float(over.mean()),
        "over_popularity_se": float(noise),
        "people": len(gains),
    }
