"""Newcomers are scored with a fit that has not seen them, the more the better."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analytics.methods.interactions import Interactions
from analytics.methods.newcomers import Revealed, newcomer_scores, prior_of
from analytics.methods.recommenders import (
    HybridRecommender,
    ItemFeatures,
    PopularityRecommender,
    UserFeatures,
)
from analytics.methods.splits import reveal_first

N_USERS, N_ITEMS = 400, 30
WEIGHTS = {"together": 1.0, "people": 0.05, "popular": 0.02}


@pytest.fixture(scope="module")
def pairs() -> pd.DataFrame:
    """Three tastes of ten courses; who has one takes five of it in any order."""
    rng = np.random.default_rng(5)
    rows = [
        (user, 10 * (user % 3) + item, float(order), True)
        for user in range(N_USERS)
        for order, item in enumerate(rng.choice(10, size=5, replace=False))
    ]
    return pd.DataFrame(rows, columns=["user", "item", "order", "is_taken"])


def interactions(pairs: pd.DataFrame) -> Interactions:
    return Interactions.from_arrays(
        pairs["user"].to_numpy(),
        pairs["item"].to_numpy(),
        order=pairs["order"].to_numpy(),
        n_users=N_USERS,
        n_items=N_ITEMS,
    )


def revealed(pairs: pd.DataFrame, people: np.ndarray, n_known: int) -> Revealed:
    train, test = reveal_first(pairs, people, n_known=n_known, rng_seed=1)
    histories = interactions(train)
    return Revealed(
        n_known=n_known,
        histories=histories,
        wanted=interactions(test).user_items,
        had=histories.user_items,
        users=np.unique(test["user"]),
    )


def scores(pairs: pd.DataFrame, known: tuple[int, ...]) -> dict[str, dict]:
    people = np.arange(0, N_USERS, 10)
    rows = newcomer_scores(
        {
            "popularity": PopularityRecommender,
            "hybrid": lambda: HybridRecommender(weights=WEIGHTS, half_life=3.0),
        },
        interactions(pairs.loc[~pairs["user"].isin(people)]),
        [revealed(pairs, people, n_known) for n_known in known],
        user_features=UserFeatures.unknown(N_USERS),
        item_features=ItemFeatures.unknown(N_ITEMS),
    )
    return {row["method"]: row for row in rows}


def test_with_each_known_course_the_hybrid_gains_and_popularity_does_not(pairs) -> None:
    found = scores(pairs, (0, 1, 3))
    assert list(found) == ["popularity", "hybrid", "prior"]
    nothing, one, three = (found["hybrid"][f"ndcg@10_known_{n}"] for n in (0, 1, 3))
    assert one > 2 * nothing
    assert three > 0.5
    assert found["popularity"]["ndcg@10_known_3"] < 0.3
    assert found["hybrid"]["people_known_1"] == 40
    assert found["hybrid"]["rows"] == 5 * 360


def test_the_gain_over_popularity_is_that_of_the_same_people(pairs) -> None:
    found = scores(pairs, (1,))
    gain = found["hybrid"]["ndcg@10_known_1"] - found["popularity"]["ndcg@10_known_1"]
    assert found["hybrid"]["over_popularity_known_1"] == pytest.approx(gain)
    assert 0 < found["hybrid"]["over_popularity_se_known_1"] < gain
    assert found["popularity"]["over_popularity_known_1"] == 0


def test_where_nobody_did_more_than_is_known_there_is_no_figure(pairs) -> None:
    found = scores(pairs, (0, 5))
    assert "ndcg@10_known_0" in found["hybrid"]
    assert "ndcg@10_known_5" not in found["hybrid"]


def test_the_prior_alone_is_what_somebody_without_a_history_gets(pairs) -> None:
    hybrid = HybridRecommender(weights=WEIGHTS, half_life=3.0).fit(interactions(pairs))
    nobody = hybrid.with_histories(interactions(pairs.iloc[:0]))
    some = np.arange(20)
    ranked = nobody.recommend(some, n=10)
    alone = prior_of(hybrid).recommend(some, n=10, exclude_seen=False)
    np.testing.assert_array_equal(alone.items, ranked.items)
    np.testing.assert_allclose(alone.scores, ranked.scores, rtol=1e-6)


def test_other_histories_must_be_of_the_same_people_and_courses(pairs) -> None:
    fitted = PopularityRecommender().fit(interactions(pairs))
    fewer = Interactions.from_arrays([0], [0], n_users=3, n_items=N_ITEMS)
    with pytest.raises(ValueError, match="the same users and items"):
        fitted.with_histories(fewer)
