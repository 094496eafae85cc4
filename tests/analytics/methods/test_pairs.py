"""What follows two courses taken near each other, where it is not what follows each of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from analytics.methods.interactions import Interactions
from analytics.methods.ranking_evaluation import ndcg_at
from analytics.methods.reasons import Reason
from analytics.methods.recommenders import HybridRecommender, hybrid, pairs
from analytics.methods.recommenders.pairs import (
    PairCounts,
    frequent_pairs,
    pair_block,
    pair_queries,
)
from analytics.methods.recommenders.products import (
    Counting,
    count_followers,
    count_products,
)
from analytics.methods.recommenders.tuning import (
    MixScore,
    Rated,
    hold_out_newest,
    popularity_discount,
)

N_ITEMS = 6


def test_only_pairs_of_enough_people_have_a_row(monkeypatch) -> None:
    support = np.zeros((N_ITEMS, N_ITEMS), dtype=np.float32)
    support[0, 1], support[0, 2], support[1, 4], support[2, 3] = 5, 4.9, 9, 9
    assert frequent_pairs(support).tolist() == [1, 10, 15]
    monkeypatch.setattr(pairs, "MOST_PAIRS", 2)
    assert frequent_pairs(support).tolist() == [10, 15]
    monkeypatch.setattr(pairs, "MOST_PAIRS", 1)
    assert frequent_pairs(support).tolist() == [10]


def test_a_row_is_the_share_of_those_who_had_the_pair_and_stands_for_the_rarer_course() -> None:
    support = np.zeros((N_ITEMS, N_ITEMS), dtype=np.float32)
    support[0, 1], support[2, 4] = 30, 10
    followers = sparse.csr_matrix(
        ([20, 4, 10], ([0, 0, 1], [3, 5, 0])), shape=(2, N_ITEMS), dtype=np.float32
    )
    block = pair_block(
        "pairs", PairCounts(np.array([1, 16]), followers), support, np.array([50, 40, 5, 1, 7, 1])
    )
    expected = [[0, 0, 0, 20 / 40, 0, 4 / 40], [10 / 20, 0, 0, 0, 0, 0]]
    np.testing.assert_allclose(block.rows.toarray(), expected, rtol=1e-6)
    assert block.item.tolist() == [1, 2]
    assert block.reason.tolist() == [Reason.NEXT] * 2


def test_the_newest_entry_is_paired_with_those_before_it() -> None:
    """Given one who did 4, 2 and 0 in this order, one who did 0 alone, and one who did nothing."""
    data = Interactions.from_arrays(
        np.array([0, 0, 0, 1]),
        np.array([4, 2, 0, 0]),
        order=np.array([0, 1, 2, 0]),
        weight=np.array([1.0, 0.5, 0.5, 1.0]),
        n_users=3,
        n_items=N_ITEMS,
    )
    # The pairs 0 and 2, 0 and 4; 2 and 4 is none with the newest.
    found = pair_queries(data, np.arange(3), np.array([2, 4, 16]), decay=0.8)
    np.testing.assert_allclose(found.toarray(), [[0.25, 0.4, 0], [0] * 3, [0] * 3], rtol=1e-6)
    nothing = pair_queries(data, np.arange(3), np.empty(0, np.int64), decay=0.8)
    assert nothing.shape == (3, 0)


N_PEOPLE = 1_200


@pytest.fixture
def either_or() -> tuple[Interactions, np.ndarray]:
    """Everybody took one of two courses, one of two others, and then a fifth or a sixth one: the
    fifth after the first or the second of both pairs, the sixth after one of each. No course by
    itself says anything of the last. Returns the histories, and the last course of everybody."""
    rng = np.random.default_rng(6)
    one, other = rng.integers(0, 2, (2, N_PEOPLE))
    last = 4 + (one ^ other)
    items = np.column_stack([one, 2 + other, last])
    is_turned = rng.random(N_PEOPLE) < 0.5
    items[is_turned, :2] = items[is_turned, 1::-1]
    order = np.tile([0, 1, 2], (N_PEOPLE, 1))
    # Half of them have not taken it yet.
    is_known = np.ones(items.shape, dtype=bool)
    is_known[::2, 2] = False
    users = np.repeat(np.arange(N_PEOPLE), 3).reshape(N_PEOPLE, 3)
    return Interactions.from_arrays(
        users[is_known],
        items[is_known],
        order=order[is_known],
        n_users=N_PEOPLE,
        n_items=N_ITEMS,
    ), last


def test_two_courses_together_tell_what_none_of_them_does(either_or) -> None:
    data, last = either_or
    asked = np.arange(0, N_PEOPLE, 2)

    def right(**how: object) -> float:
        model = HybridRecommender(tune_seconds=60, **how).fit(data)  # type: ignore[arg-type]
        best = model.recommend(asked, candidates=np.arange(N_ITEMS) >= 4, n=1).items[:, 0]
        return float((best == last[asked]).mean())

    assert right() == 1
    assert right(weights={"together": 1.0, "next": 1.0, "popular": 0.1}) < 0.8


def test_who_did_several_things_last_at_once_is_asked_for_no_pair() -> None:
    """Which of them was last would be said by the numbers of the courses alone."""
    data = Interactions.from_arrays(
        np.array([0, 0, 0, 1, 1, 1]),
        np.array([4, 2, 0, 4, 2, 0]),
        order=np.array([0, 1, 1, 0, 0, 1]),
        n_users=2,
        n_items=N_ITEMS,
    )
    found = pair_queries(data, np.arange(2), np.array([2, 4, 16]), decay=0.8)
    # Of the other one both that came before are equally near.
    assert found.toarray().tolist() == [[0, 0, 0], [1, 1, 0]]


def test_the_rows_that_serve_are_counted_from_everybody(either_or) -> None:
    """Given a search, which holds some people back: in the end they are counted as well."""
    data, _last = either_or
    model = HybridRecommender(tune_seconds=60, discount=0.0).fit(data)
    (found,) = (block for block in model.blocks_ if block.name == "pairs")
    everybody = np.arange(data.n_users)
    how = Counting(n_workers=1)
    support = count_products(data, everybody, how).pairs
    followers = count_followers(data, everybody, how, found.keys)
    assert support is not None
    n_learners = np.bincount(data.indices, minlength=N_ITEMS)
    expected = pair_block("pairs", PairCounts(found.keys, followers), support, n_learners)
    np.testing.assert_allclose(found.rows.toarray(), expected.rows.toarray(), rtol=1e-5)


def test_pairs_that_no_weight_asks_for_are_not_counted(either_or, monkeypatch) -> None:
    data, _last = either_or

    def refuse(*_arguments: object) -> None:
        raise AssertionError("counted")

    monkeypatch.setattr(hybrid, "count_followers", refuse)
    HybridRecommender(weights={"together": 1.0, "popular": 0.1}).fit(data)
    with pytest.raises(AssertionError, match="counted"):
        HybridRecommender(weights={"pairs": 1.0}).fit(data)


def test_an_order_that_is_none_leaves_no_pairs(either_or) -> None:
    data, _last = either_or
    unordered = Interactions.from_arrays(
        data.users, data.indices, n_users=N_PEOPLE, n_items=N_ITEMS
    )
    model = HybridRecommender().fit(unordered)
    assert "pairs" not in {block.name for block in model.blocks_}
    assert not len(model.arrays()["pair_keys"])


def test_a_discount_is_for_what_the_history_says_alone(either_or) -> None:
    data, _last = either_or
    weights = {"together": 1.0, "next": 1.0, "pairs": 1.0, "people": 0.1, "popular": 0.1}
    plain, discounted = (
        HybridRecommender(weights=weights, half_life=3.0, discount=discount).fit(data)
        for discount in (0.0, 0.5)
    )
    n_learners = np.bincount(data.indices, minlength=N_ITEMS)
    factors = popularity_discount(n_learners, 0.5)
    assert factors.max() > 1.2
    names = [block.name for block in plain.blocks_]
    assert {"together", "next", "pairs", "popular"} <= set(names)
    for one, other in zip(plain.blocks_, discounted.blocks_, strict=True):
        expected = one.rows.toarray() * (factors if one.name not in ("people", "popular") else 1)
        np.testing.assert_allclose(other.rows.toarray(), expected, rtol=1e-5)


def test_the_search_takes_the_discount_that_scores_best(either_or, monkeypatch) -> None:
    class Better(MixScore):
        def __call__(self, weights: Mapping[str, float], discount: float = 0.0) -> Rated:
            found = super().__call__(weights, discount)
            return Rated(found.value + (discount == 0.06), found.rows + (discount == 0.06))

    data, _last = either_or
    monkeypatch.setattr(hybrid, "MixScore", Better)
    assert HybridRecommender().fit(data).discount_ == 0.06


@pytest.mark.parametrize("discount", [0.0, 2.0])
def test_the_search_ranks_as_the_model_does_that_it_searches_for(either_or, discount) -> None:
    """Given parts in any order, with what everybody gets before what the history says."""
    data, _last = either_or
    weights = {"together": 0.5, "next": 0.3, "pairs": 0.6, "popular": 1.5}
    held = hold_out_newest(data, n=300, random_state=1)
    rest = data.keep(held.is_kept)
    model = HybridRecommender(weights=weights, half_life=3.0, discount=0.0).fit(rest)
    n_learners = np.bincount(rest.indices, minlength=N_ITEMS)
    blocks = [replace(block, weight=1.0) for block in model.blocks_][::-1]
    score = MixScore(blocks, held, model.people_, weights, n_learners=n_learners)

    asked = HybridRecommender(weights=weights, half_life=3.0, discount=discount).fit(rest)
    lists = asked.recommend(held.users, n=10).items
    wanted = sparse.csr_matrix(
        (np.ones(len(held.users)), (np.arange(len(held.users)), held.targets)),
        shape=(len(held.users), N_ITEMS),
    )
    expected = ndcg_at(lists, wanted)
    assert 0.5 < expected.mean() < 1
    found = score(weights, discount).rows[: len(held.users)]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_what_is_said_weighs_less_of_what_everybody_has() -> None:
    factors = popularity_discount(np.array([990, 90, 0]), 0.5)
    np.testing.assert_allclose(factors, [1, np.sqrt(10), 10], rtol=1e-6)
    assert popularity_discount(np.array([990, 90, 0]), 0.0).tolist() == [1, 1, 1]
    assert popularity_discount(np.zeros(0), 0.1).tolist() == []
