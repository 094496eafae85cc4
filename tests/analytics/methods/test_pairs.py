"""What follows two courses taken near each other, where it is not what follows each of them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from analytics.methods.interactions import Interactions
from analytics.methods.reasons import Reason
from analytics.methods.recommenders import HybridRecommender, pairs
from analytics.methods.recommenders.pairs import (
    PairCounts,
    frequent_pairs,
    pair_block,
    pair_queries,
)
from analytics.methods.recommenders.tuning import popularity_discount

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


def test_an_order_that_is_none_leaves_no_pairs(either_or) -> None:
    data, _last = either_or
    unordered = Interactions.from_arrays(
        data.users, data.indices, n_users=N_PEOPLE, n_items=N_ITEMS
    )
    model = HybridRecommender().fit(unordered)
    assert "pairs" not in {block.name for block in model.blocks_}
    assert not len(model.arrays()["pair_keys"])


def test_what_is_said_weighs_less_of_what_everybody_has() -> None:
    factors = popularity_discount(np.array([990, 90, 0]), 0.5)
    np.testing.assert_allclose(factors, [1, np.sqrt(10), 10], rtol=1e-6)
    assert popularity_discount(np.array([990, 90, 0]), 0.0).tolist() == [1, 1, 1]
    assert popularity_discount(np.zeros(0), 0.1).tolist() == []
