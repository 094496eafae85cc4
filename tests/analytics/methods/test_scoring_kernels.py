"""The compiled loops and their plain counterparts say the same."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from analytics.methods import scoring_kernels
from analytics.methods.scoring_kernels import explain, scores_at, top_n


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


def test_the_scores_of_some_items_are_those_of_the_whole_product(rng) -> None:
    queries = sparse.random(40, 30, density=0.2, format="csr", dtype=np.float32, random_state=1)
    model = sparse.random(30, 25, density=0.3, format="csr", dtype=np.float32, random_state=2)
    model.sort_indices()
    items = rng.integers(-1, 25, (40, 6)).astype(np.int32)
    whole = (queries @ model).toarray()
    expected = np.where(items >= 0, np.take_along_axis(whole, np.maximum(items, 0), axis=1), 0)
    for use_numba in (True, False):
        found = scores_at(queries, model, items, use_numba=use_numba)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
