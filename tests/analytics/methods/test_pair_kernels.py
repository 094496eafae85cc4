"""What follows two courses taken near each other: counted alike by both ways, and right by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from analytics.methods.interactions import Interactions
from analytics.methods.pair_kernels import add_support, pair_followers, strongest_positive

N_ITEMS = 20
BOTH = pytest.mark.parametrize("use_numba", [True, False])


def histories(
    users: list[int], items: list[int], order: list[int], *, weight: list[float] | None = None
) -> Interactions:
    return Interactions.from_arrays(
        np.array(users),
        np.array(items),
        order=np.array(order),
        weight=None if weight is None else np.array(weight),
        n_users=max(users) + 1,
        n_items=N_ITEMS,
    )


def supported(data: Interactions, *, reach: int, use_numba: bool) -> np.ndarray:
    arrays = (data.indptr, data.indices, data.weight, data.age)
    support = np.zeros((N_ITEMS, N_ITEMS), dtype=np.float32)
    add_support(support, *arrays, reach=reach, use_numba=use_numba)
    return support


def followed(data: Interactions, keys: list[int], *, reach: int, ahead: list[float], use_numba):
    return pair_followers(
        *(data.indptr, data.indices, data.weight, data.age),
        n_items=N_ITEMS,
        reach=reach,
        ahead=np.array(ahead),
        keys=np.array(keys, dtype=np.int64),
        n_threads=2,
        use_numba=use_numba,
    )


def test_both_ways_count_the_same() -> None:
    rng = np.random.default_rng(7)
    data = Interactions.from_arrays(
        rng.integers(0, 50, 600),
        rng.integers(0, N_ITEMS, 600),
        order=rng.integers(0, 12, 600),
        weight=rng.random(600) + 0.1,
        n_users=50,
        n_items=N_ITEMS,
    )
    support = [supported(data, reach=3, use_numba=one) for one in (True, False)]
    assert (support[0] > 0).sum() > 100
    np.testing.assert_allclose(*support, rtol=1e-4)
    keys = np.flatnonzero(support[0].ravel() > 0.5).tolist()
    followers = [
        followed(data, keys, reach=3, ahead=[1.0, 0.5, 0.25], use_numba=one)
        for one in (True, False)
    ]
    assert followers[0].nnz > 500
    np.testing.assert_allclose(*(one.toarray() for one in followers), rtol=1e-4)


@BOTH
def test_four_steps_are_counted_right_by_hand(use_numba) -> None:
    """Given 3, 1, 2, 0 in this order: what is in no pair, or followed by nothing, is not there."""
    data = histories([0] * 4, [3, 1, 2, 0], [0, 1, 2, 3], weight=[1, 0.5, 1, 1])
    support = supported(data, reach=1, use_numba=use_numba)
    assert dict(zip(zip(*np.nonzero(support), strict=True), support[support > 0], strict=True)) == {
        (1, 3): 0.5,
        (1, 2): 0.5,
    }
    found = followed(data, [22, 23], reach=1, ahead=[1.0, 0.8], use_numba=use_numba)
    expected = np.zeros((2, N_ITEMS))
    # After 1 and 2 comes 0; after 3 and 1 comes 2, and then 0.
    expected[0, 0], expected[1, 2], expected[1, 0] = 0.5, 0.5, 0.4
    np.testing.assert_allclose(found.toarray(), expected, rtol=1e-6)


@BOTH
def test_what_was_done_at_once_is_a_pair_that_its_own_items_do_not_follow(use_numba) -> None:
    data = histories([0] * 4, [1, 2, 3, 4], [0, 0, 0, 1])
    support = supported(data, reach=2, use_numba=use_numba)
    assert sorted(zip(*(a.tolist() for a in np.nonzero(support)), strict=True)) == [
        (1, 2), (1, 3), (2, 3),
    ]  # fmt: skip
    found = followed(data, [22, 23, 43], reach=2, ahead=[1.0, 0.8], use_numba=use_numba)
    assert found.toarray().nonzero()[1].tolist() == [4, 4, 4]


@BOTH
def test_where_no_order_is_known_nothing_follows(use_numba) -> None:
    data = histories([0] * 3, [1, 2, 3], [0, 0, 0])
    assert not supported(data, reach=2, use_numba=use_numba).any()
    assert followed(data, [22], reach=2, ahead=[1.0], use_numba=use_numba).nnz == 0


@BOTH
def test_pairs_that_are_not_asked_for_are_not_counted(use_numba) -> None:
    data = histories([0] * 3 + [1] * 3, [1, 2, 3, 1, 5, 6], [0, 1, 2, 0, 1, 2])
    found = followed(data, [22], reach=2, ahead=[1.0], use_numba=use_numba)
    assert found.toarray().nonzero()[1].tolist() == [3]
    assert followed(data, [], reach=2, ahead=[1.0], use_numba=use_numba).shape == (0, N_ITEMS)


@BOTH
def test_the_strongest_of_each_row_stay(use_numba) -> None:
    rows = sparse.csr_matrix(
        np.array([[1, 3, 2, 3, 2], [0, 0, 5, 0, 0], [0] * 5, [2, 2, 2, 2, 2]], dtype=np.float32)
    )
    found = strongest_positive(rows, 3, use_numba=use_numba)
    assert found.toarray().tolist() == [
        [0, 3, 2, 3, 0], [0, 0, 5, 0, 0], [0] * 5, [2, 2, 2, 0, 0],
    ]  # fmt: skip
    assert found.has_sorted_indices
