"""The compiled loops and their plain counterparts say the same."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from analytics.methods import scoring_kernels
from analytics.methods.interactions import Interactions
from analytics.methods.scoring_kernels import explain, next_item_products, top_n


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(3)


def random_csr(rng: np.random.Generator, shape: tuple[int, int], density: float):
    # Multiples of 1/8 add up exactly, so that ties are ties on both paths.
    matrix = sparse.random(*shape, density=density, format="csr", rng=rng, dtype=np.float32)
    matrix.data = np.round(matrix.data * 8 - 2).astype(np.float32) / 8
    matrix.eliminate_zeros()
    return matrix


def test_compiled_and_plain_lists_and_reasons_are_equal(rng, monkeypatch) -> None:
    monkeypatch.setattr(scoring_kernels, "BLOCK", 64)
    queries, model = random_csr(rng, (300, 40), 0.2), random_csr(rng, (40, 60), 0.4)
    masked = random_csr(rng, (300, 60), 0.1)
    allowed = rng.random(60) > 0.1
    group = rng.integers(0, 3, 40).astype(np.int8)
    cause = np.where(rng.random(40) > 0.3, rng.integers(0, 60, 40), -1).astype(np.int32)
    lists, reasons = [], []
    for use_numba in (True, False):
        items, scores = top_n(
            queries, model, n=10, masked=masked, allowed=allowed, use_numba=use_numba
        )
        lists.append((items, scores))
        reasons.append(
            explain(
                queries,
                model,
                items,
                group=group,
                cause=cause,
                n_groups=3,
                use_numba=use_numba,
            )
        )
    for compiled, plain in zip((*lists[0], *reasons[0]), (*lists[1], *reasons[1]), strict=True):
        np.testing.assert_array_equal(compiled, plain)
    items, scores = lists[0]
    assert (items >= 0).mean() > 0.9
    assert (np.diff(scores, axis=1) <= 0).all()


def test_a_list_holds_what_the_dense_product_says() -> None:
    queries = sparse.csr_matrix(np.array([[1, 2]], dtype=np.float32))
    model = sparse.csr_matrix(np.array([[3, 0, 1, -9, 0], [0, 4, 1, 1, 0]], dtype=np.float32))
    items, scores = top_n(
        queries,
        model,
        n=4,
        masked=sparse.csr_matrix((1, 5), dtype=np.float32),
        allowed=np.ones(5, dtype=bool),
    )
    # 3 and 3 tie and come by index; -7 and 0 are nothing to recommend.
    assert items.tolist() == [[1, 0, 2, -1]]
    assert scores.tolist() == [[8, 3, 3, 0]]


def test_the_products_of_next_items_are_equal_and_right_by_hand(rng) -> None:
    users = rng.integers(0, 50, 600)
    data = Interactions.from_arrays(
        users,
        rng.integers(0, 20, 600),
        order=rng.integers(0, 12, 600),
        weight=rng.random(600) + 0.1,
        n_users=50,
        n_items=20,
    )
    arrays = (data.indptr, data.indices, data.weight, data.age)
    decays = 0.5 ** np.arange(4)
    compiled = next_item_products(*arrays, n_items=20, decays=decays, use_numba=True)
    plain = next_item_products(*arrays, n_items=20, decays=decays, use_numba=False)
    np.testing.assert_allclose(compiled, plain, rtol=1e-4, atol=1e-5)

    three = Interactions.from_arrays(
        np.zeros(3, int), np.array([0, 1, 2]), order=np.arange(3), n_users=1, n_items=3
    )
    _, cross = next_item_products(
        *(three.indptr, three.indices, three.weight, three.age), n_items=3, decays=decays
    )
    expected = np.array([[0, 1, 0.5], [0, 0, 1], [0, 0, 0]]) / np.sqrt(3)
    np.testing.assert_allclose(cross, expected, rtol=1e-6)
