"""Histories out of plain arrays."""

from __future__ import annotations

import numpy as np
import pytest

from analytics.methods.interactions import Interactions


def made(users: list, items: list, **more: object) -> Interactions:
    return Interactions.from_arrays(
        np.array(users, dtype=int), np.array(items, dtype=int), n_users=3, n_items=4, **more
    )


def test_it_sorts_each_history_from_old_to_new_and_counts_what_came_later() -> None:
    found = made([2, 0, 0, 0], [1, 3, 0, 2], order=np.array([5, 9, 1, 4]))
    assert found.indptr.tolist() == [0, 3, 3, 4]
    assert found.indices.tolist() == [0, 2, 3, 1]
    assert found.age.tolist() == [2, 1, 0, 0]
    assert found.is_ordered


def test_entries_of_equal_order_are_equally_old() -> None:
    found = made([0, 0, 0], [3, 1, 2], order=np.array([1, 1, 2]))
    assert dict(zip(found.indices.tolist(), found.age.tolist(), strict=True)) == {1: 1, 3: 1, 2: 0}


def test_without_an_order_nothing_is_older_than_the_rest() -> None:
    found = made([0, 0, 1], [3, 1, 2])
    assert found.age.tolist() == [0, 0, 0]
    assert not found.is_ordered


def test_a_repeated_item_counts_once_at_its_latest_order_with_its_largest_weight() -> None:
    found = made([0, 0, 0], [1, 2, 1], order=np.array([1, 2, 3]), weight=np.array([0.9, 0.5, 0.1]))
    assert found.indices.tolist() == [2, 1]
    assert found.weight.tolist() == pytest.approx([0.5, 0.9])
    assert found.user_items.toarray()[0].tolist() == pytest.approx([0, 0.9, 0.5, 0])


def test_what_weighs_nothing_is_left_out() -> None:
    assert made([0, 1], [1, 2], weight=np.array([0, 1])).indices.tolist() == [2]


def test_it_finds_the_entries_of_some_users_in_the_order_asked() -> None:
    found = made([0, 0, 2], [1, 3, 2], order=np.array([1, 2, 3]))
    n_of_user, places = found.entries_of(np.array([2, 1, 0]))
    assert n_of_user.tolist() == [1, 0, 2]
    assert found.indices[places].tolist() == [2, 1, 3]


def test_ages_of_a_part_count_within_the_part() -> None:
    found = made([0, 0, 0], [0, 1, 2], order=np.array([1, 2, 3]))
    part = found.keep(np.array([True, True, False]))
    assert part.indices.tolist() == [0, 1]
    assert part.age.tolist() == [1, 0]


def test_nobody_did_anything() -> None:
    found = made([], [])
    assert (found.n_users, found.n_entries, found.is_ordered) == (3, 0, False)
    assert found.user_items.shape == (3, 4)


@pytest.mark.parametrize(
    ("users", "items", "more", "message"),
    [
        ([3], [0], {}, "user indices"),
        ([0], [4], {}, "item indices"),
        ([0], [-1], {}, "item indices"),
        ([0, 1], [0], {}, "equally long"),
        ([0], [0], {"order": np.array([np.nan])}, "must be numbers"),
        ([0], [0], {"weight": np.array([np.inf])}, "must be numbers"),
        ([0], [0], {"weight": np.array([-1.0])}, "0 or more"),
    ],
)
def test_it_refuses_what_cannot_be_meant(users, items, more, message) -> None:
    with pytest.raises(ValueError, match=message):
        made(users, items, **more)
