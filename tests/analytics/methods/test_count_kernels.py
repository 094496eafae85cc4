"""What follows what is counted alike by both ways, and right by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from analytics.methods.count_kernels import (
    NextProducts,
    add_next,
    add_together,
    people_with_both,
)
from analytics.methods.interactions import Interactions

DECAY, WINDOW, TAILS = 0.5, 4, 0.9 ** np.arange(6)


@pytest.fixture
def data() -> Interactions:
    rng = np.random.default_rng(7)
    return Interactions.from_arrays(
        rng.integers(0, 50, 600),
        rng.integers(0, 20, 600),
        order=rng.integers(0, 12, 600),
        weight=rng.random(600) + 0.1,
        n_users=50,
        n_items=20,
    )


def next_products(*histories: np.ndarray, n_items: int, **how: Any) -> NextProducts:
    sums = NextProducts.zeros(n_items)
    add_next(sums, *histories, **how)
    return sums


def together_products(data: Interactions, **how: Any) -> np.ndarray:
    gram = np.zeros((20, 20), dtype=np.float32)
    add_together(gram, data.indptr, data.indices, data.weight, **how)
    return gram


def test_both_ways_count_the_same(data) -> None:
    together = [together_products(data, use_numba=one) for one in (True, False)]
    np.testing.assert_allclose(*together, rtol=1e-4)
    arrays = (data.indptr, data.indices, data.weight, data.age)
    following = [
        next_products(*arrays, n_items=20, decay=DECAY, window=WINDOW, tails=TAILS, use_numba=one)
        for one in (True, False)
    ]
    for name, compiled, plain in zip(following[0]._fields, *following, strict=True):
        np.testing.assert_allclose(compiled, plain, rtol=1e-4, atol=1e-5, err_msg=name)


def test_what_stands_together_is_the_product_of_the_histories(data) -> None:
    found = together_products(data)
    expected = (data.user_items.T @ data.user_items).toarray()
    np.testing.assert_allclose(found, expected, rtol=1e-4)


@pytest.mark.parametrize("use_numba", [True, False])
def test_what_is_counted_comes_on_top_of_what_was(data, use_numba) -> None:
    arrays = (data.indptr, data.indices, data.weight, data.age)
    how: dict[str, Any] = {"decay": DECAY, "window": WINDOW, "tails": TAILS, "use_numba": use_numba}
    once = next_products(*arrays, n_items=20, **how)
    twice = NextProducts(*(one.copy() for one in once))
    add_next(twice, *arrays, **how)
    for name, one, two in zip(once._fields, once, twice, strict=True):
        np.testing.assert_allclose(two, 2 * one, rtol=1e-5, err_msg=name)


@pytest.mark.parametrize("use_numba", [True, False])
def test_people_with_both_items_are_counted_but_those_left_out(use_numba) -> None:
    rng = np.random.default_rng(7)
    # More pairs than one block has, more people than two words have, some with every bit set.
    has = rng.random((30, 150)) < rng.choice([0.1, 0.9, 1.0], 30)[:, None]
    left, right = rng.integers(0, 30, (2, 2_500))
    is_left_out = rng.random(150) < 0.3
    bits = np.packbits(np.pad(np.vstack([has, is_left_out]), ((0, 0), (0, 42))), axis=1)
    words = bits.view(np.uint64)

    found = people_with_both(words[:-1], left, right, words[-1], use_numba=use_numba)

    expected = (has[left] & has[right] & ~is_left_out).sum(axis=1)
    assert np.array_equal(found, expected)


def test_threads_count_what_one_does(data) -> None:
    arrays = (data.indptr, data.indices, data.weight, data.age)
    alone, spread = (
        next_products(*arrays, n_items=20, decay=DECAY, window=WINDOW, tails=TAILS, n_threads=n)
        for n in (1, 3)
    )
    for one, other in zip(alone, spread, strict=True):
        assert one.tobytes() == other.tobytes()
    assert together_products(data).tobytes() == together_products(data, n_threads=3).tobytes()


@pytest.mark.parametrize("use_numba", [True, False])
def test_three_steps_are_counted_right_by_hand(use_numba) -> None:
    three = Interactions.from_arrays(
        np.zeros(3, int), np.array([0, 1, 2]), order=np.arange(3), n_users=1, n_items=3
    )
    found = next_products(
        *(three.indptr, three.indices, three.weight, three.age),
        n_items=3,
        decay=DECAY,
        window=WINDOW,
        tails=TAILS,
        use_numba=use_numba,
    )
    # The second step (one is later: 0.9) comes after 0; the third after 1 and, half, after 0.
    row, last = 0.9 / np.sqrt(3), 1 / np.sqrt(3)
    np.testing.assert_allclose(
        found.slow_next, [[0, row, 0.5 * last], [0, 0, last], [0, 0, 0]], rtol=1e-6
    )
    np.testing.assert_allclose(found.newest_next, [[0, row, 0], [0, 0, last], [0, 0, 0]], rtol=1e-6)
    np.testing.assert_allclose(found.newest, [row, last, 0], rtol=1e-6)
    np.testing.assert_allclose(
        found.slow,
        [[row + 0.25 * last, 0.5 * last, 0], [0.5 * last, last, 0], [0, 0, 0]],
        rtol=1e-6,
    )
    np.testing.assert_allclose(
        found.slow_newest, [[row, 0.5 * last, 0], [0, last, 0], [0, 0, 0]], rtol=1e-6
    )


@pytest.mark.parametrize("use_numba", [True, False])
def test_where_no_order_is_known_nothing_follows(use_numba) -> None:
    alike = Interactions.from_arrays(np.zeros(3, int), np.array([0, 1, 2]), n_users=1, n_items=3)
    found = next_products(
        *(alike.indptr, alike.indices, alike.weight, alike.age),
        n_items=3,
        decay=DECAY,
        window=WINDOW,
        tails=TAILS,
        use_numba=use_numba,
    )
    assert not any(part.any() for part in found)
