"""The search for weights: what it may see, when it stops, and what it finds out."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
import pytest

from analytics.methods.interactions import Interactions
from analytics.methods.recommenders import HybridRecommender
from analytics.methods.recommenders.tuning import Rated, most_at_hardly_a_loss, search_weights

N_USERS, N_ITEMS = 1_500, 40


def walks(*, is_order_known: bool = True, seed: int = 0) -> Interactions:
    """Everybody walks along a ring of courses, one on or, at times, anywhere."""
    rng = np.random.default_rng(seed)
    length = 6
    steps = np.where(
        rng.random((N_USERS, length)) < 0.8, 1, rng.integers(0, N_ITEMS, (N_USERS, length))
    )
    items = (rng.integers(0, N_ITEMS, (N_USERS, 1)) + np.cumsum(steps, axis=1)) % N_ITEMS
    order = np.tile(np.arange(length), (N_USERS, 1))
    if not is_order_known:
        order = rng.permuted(order, axis=1)
    return Interactions.from_arrays(
        np.repeat(np.arange(N_USERS), length),
        items.ravel(),
        order=order.ravel(),
        n_users=N_USERS,
        n_items=N_ITEMS,
    )


def test_it_finds_out_that_the_order_tells_something() -> None:
    model = HybridRecommender(tune_seconds=60).fit(walks())
    assert model.tuning_["is_ordered"]
    assert model.weights_["next"] > 0


def test_it_finds_out_that_the_order_given_is_none() -> None:
    model = HybridRecommender(tune_seconds=60).fit(walks(is_order_known=False))
    assert not model.tuning_["is_ordered"]
    assert model.weights_["next"] == 0
    assert model.half_life_ == 100.0


def test_a_shuffled_order_is_worth_no_less_than_none() -> None:
    data = walks(is_order_known=False)
    is_last = data.age == 0
    train, wanted = data.keep(~is_last), data.keep(is_last).user_items
    without = dataclasses.replace(train, age=np.zeros_like(train.age))

    def recall(histories: Interactions) -> float:
        model = HybridRecommender(tune_seconds=60).fit(histories)
        found = model.recommend(np.arange(N_USERS), n=10).items
        return float((found == wanted.indices[:, None]).any(axis=1).mean())

    noise = 2 * np.sqrt(0.25 / N_USERS)
    assert recall(train) >= recall(without) - noise


def rated(value: float, noise: float = 0.0) -> Rated:
    return Rated(value, value + noise * np.array([-1.0, 1.0] * 50))


class Clock:
    """A clock that goes on by a second with each look."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


def test_it_climbs_until_nothing_gains() -> None:
    def score(weights: Mapping[str, float]) -> Rated:
        return rated(-abs(np.log(weights["a"] / 8)) - abs(np.log(weights["b"] / 0.25)))

    found = search_weights(score, {"a": 1.0, "b": 1.0}, optional=(), seconds=1e9, clock=Clock())
    assert found["a"] == pytest.approx(8, rel=0.2)
    assert found["b"] == pytest.approx(0.25, rel=0.2)


def test_it_stops_when_its_time_is_over() -> None:
    asked = []

    def score(weights: Mapping[str, float]) -> Rated:
        asked.append(weights)
        return rated(len(asked))

    search_weights(score, {"a": 1.0}, optional=(), seconds=5, clock=Clock())
    assert len(asked) == 5


def test_a_gain_that_may_be_chance_is_none() -> None:
    def score(weights: Mapping[str, float]) -> Rated:
        return rated(0.5) if weights["a"] == 1.0 else rated(0.51, noise=5.0)

    found = search_weights(score, {"a": 1.0}, optional=(), seconds=1e9, clock=Clock())
    assert found == {"a": 1.0}


def test_only_what_may_go_goes() -> None:
    def score(weights: Mapping[str, float]) -> Rated:
        return rated(-sum(weights.values()))

    found = search_weights(score, {"a": 1.0, "b": 1.0}, optional=("a",), seconds=200, clock=Clock())
    assert found["a"] == 0
    assert found["b"] > 0


@pytest.mark.parametrize(("loss", "weight"), [(0.0, 0.3), (0.05, 0.3), (0.1, 0.4), (0.25, 0.5)])
def test_new_courses_get_as_much_as_costs_the_others_hardly_anything(
    loss: float, weight: float
) -> None:
    """Given a score that falls by as much as content weighs more than 0.3."""

    def score(weights: Mapping[str, float]) -> Rated:
        return rated(1 - max(0.0, weights["content"] - 0.3))

    found = most_at_hardly_a_loss(
        score, {"a": 1.0, "content": 0.1}, "content", [1.5, 2, 3, 4, 5], loss=loss + 1e-9
    )
    assert found == {"a": 1.0, "content": weight}


def test_what_loses_too_much_is_not_passed_over_for_more() -> None:
    def score(weights: Mapping[str, float]) -> Rated:
        return rated({0.1: 1.0, 0.2: 0.5}.get(weights["content"], 1.0))

    found = most_at_hardly_a_loss(score, {"content": 0.1}, "content", [2, 3], loss=0.1)
    assert found == {"content": 0.1}


def test_newcomers_never_lose_against_popularity() -> None:
    """Of a market where a history of one course misleads: who took one goes anywhere next."""
    rng = np.random.default_rng(4)
    popular = rng.choice(5, (N_USERS, 1))
    items = np.column_stack([rng.integers(5, N_ITEMS, (N_USERS, 1)), popular])
    data = Interactions.from_arrays(
        np.repeat(np.arange(N_USERS), 2),
        items.ravel(),
        order=np.tile([0, 1], N_USERS),
        n_users=N_USERS,
        n_items=N_ITEMS,
    )
    train, wanted = data.keep(data.age > 0), data.keep(data.age == 0).user_items.indices
    found = (
        HybridRecommender(tune_seconds=60)
        .fit(data)
        .recommend(np.arange(N_USERS), n=10, exclude_seen=False, exclude=train.user_items)
    )
    assert (found.items[:, :5] == wanted[:, None]).any(axis=1).mean() > 0.99
