"""The measures, by hand, and that nothing of the test is seen in the fit."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from analytics.methods.interactions import Interactions
from analytics.methods.ranking_evaluation import (
    choose_served,
    evaluate_recommender,
    ndcg_at,
    recall_at,
)
from analytics.methods.recommenders import PopularityRecommender
from analytics.methods.recommenders.hybrid import HybridRecommender
from analytics.methods.recommenders.tuning import HeldOut, hold_out_newest


def wanted(*rows: list[int]) -> sparse.csr_matrix:
    matrix = np.zeros((len(rows), 8), dtype=np.float32)
    for row, items in enumerate(rows):
        matrix[row, items] = 1
    return sparse.csr_matrix(matrix)


def test_a_hit_gains_by_its_rank() -> None:
    items = np.array([[5, 1, 2], [1, 5, 2], [1, 2, 5], [1, 2, 3], [-1, -1, -1]])
    gains = ndcg_at(items, wanted([5], [5], [5], [5], [7]))
    assert gains == pytest.approx([1, 1 / np.log2(3), 1 / 2, 0, 0])


def test_several_wanted_items_are_compared_with_the_best_list() -> None:
    (gain,) = ndcg_at(np.array([[5, 1, 2]]), wanted([2, 5]))
    assert gain == pytest.approx((1 + 1 / 2) / (1 + 1 / np.log2(3)))
    (gain,) = ndcg_at(np.array([[5, 1]]), wanted([1, 2, 5]))
    assert gain == pytest.approx(1), "more are wanted than the list can hold"


def test_recall_is_the_share_of_wanted_items_in_the_list() -> None:
    items = np.array([[5, 1, 2], [0, 1, -1]])
    assert recall_at(items, wanted([2, 5, 7, 6], [7])).tolist() == [0.5, 0]


def popular_three() -> tuple[Interactions, Interactions]:
    """Items 0, 1, 2 taken by three, two and one; user 3 takes item 1 later, user 4 item 3."""
    train = Interactions.from_arrays(
        np.array([0, 1, 2, 0, 1, 0, 3, 4]),
        np.array([0, 0, 0, 1, 1, 2, 4, 4]),
        weight=np.array([1, 1, 1, 1, 1, 1, 0.1, 0.1]),
        n_users=5,
        n_items=6,
    )
    test = Interactions.from_arrays(np.array([3, 4]), np.array([1, 3]), n_users=5, n_items=6)
    return train, test


def test_popularity_scores_what_is_counted_by_hand() -> None:
    train, test = popular_three()
    score = evaluate_recommender(
        PopularityRecommender(),
        train,
        test,
        user_features=None,
        item_features=None,
        exclude=None,
        users=np.array([3, 4]),
    )
    # Item 1 is second; 0, 1 and 2 come before 3 (4 is the users' own).
    gains = [1 / np.log2(3), 1 / np.log2(5)]
    assert score["ndcg@10"] == pytest.approx(np.mean(gains))
    assert score["ndcg@10_se"] == pytest.approx(np.std(gains, ddof=1) / np.sqrt(2))
    assert score["recall@10"] == 1
    assert score["coverage"] == pytest.approx(5 / 6)
    assert score["rows"] == 8
    assert score["fit_seconds"] >= 0
    assert score["recommend_seconds"] >= 0
    assert score["peak_mb"] > 10


def test_what_is_only_looked_at_stays_among_the_ranked_items() -> None:
    train, _ = popular_three()
    test = Interactions.from_arrays(np.array([3]), np.array([4]), n_users=5, n_items=6)
    common = {"user_features": None, "item_features": None, "users": np.array([3])}
    has_nothing = sparse.csr_matrix((5, 6), dtype=np.float32)
    looked = evaluate_recommender(
        PopularityRecommender(), train, test, exclude=has_nothing, **common
    )
    hidden = evaluate_recommender(PopularityRecommender(), train, test, exclude=None, **common)
    assert (looked["recall@10"], hidden["recall@10"]) == (1, 0)


def test_the_best_score_is_served_and_of_equal_ones_the_first() -> None:
    scores = [
        {"method": "simple", "ndcg@10": 0.2},
        {"method": "better", "ndcg@10": 0.3},
        {"method": "as good", "ndcg@10": 0.3},
    ]
    assert choose_served(scores) == "better"


def test_the_search_for_weights_holds_out_the_newest_and_forgets_what_came_later() -> None:
    data = Interactions.from_arrays(
        np.array([0, 0, 0, 0, 1, 2, 2]),
        np.array([0, 1, 2, 3, 0, 1, 2]),
        order=np.array([1, 2, 3, 4, 1, 1, 2]),
        weight=np.array([1, 1, 1, 0.1, 1, 1, 1]),
        n_users=3,
        n_items=4,
    )
    held = hold_out_newest(data, n=10, random_state=0)
    # User 0 only looked at item 3, after taking item 2; user 1 has nothing but one entry.
    assert dict(zip(held.users.tolist(), held.targets.tolist(), strict=True)) == {0: 2, 2: 2}
    rest = [[True, True, False, False], [True, False, False, False], [False, True, False, False]]
    assert data.keep(held.is_kept).user_items.toarray().astype(bool).tolist() == rest
    assert held.rest.user_items.toarray().astype(bool).tolist() == [rest[0], rest[2]]


def test_tuning_sees_the_training_rows_and_no_other(monkeypatch) -> None:
    rng = np.random.default_rng(0)
    users, items = rng.integers(0, 120, 900), rng.integers(0, 12, 900)
    shape = {"n_users": 120, "n_items": 12}
    data = Interactions.from_arrays(users, items, order=np.arange(900), **shape)
    is_last = np.zeros(data.n_entries, dtype=bool)
    is_last[data.indptr[1:] - 1] = True
    train, test = data.keep(~is_last), data.keep(is_last)
    asked: list[tuple[Interactions, np.ndarray, np.ndarray]] = []

    def watched(interactions: Interactions, **how: int) -> HeldOut:
        held = hold_out_newest(interactions, **how)
        asked.append((interactions, held.users, held.targets))
        return held

    monkeypatch.setattr("analytics.methods.recommenders.hybrid.hold_out_newest", watched)
    evaluate_recommender(
        HybridRecommender(),
        train,
        test,
        user_features=None,
        item_features=None,
        exclude=None,
        users=np.arange(120),
    )
    ((given, tuned_users, targets),) = asked
    assert given is train
    assert (train.user_items.toarray()[tuned_users, targets] > 0).all()
    assert not (test.user_items.toarray()[tuned_users, targets] > 0).any()
