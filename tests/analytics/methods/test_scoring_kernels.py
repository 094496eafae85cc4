"""The compiled loops and their plain counterparts say the same."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from analytics.methods import scoring_kernels
from analytics.methods.scoring_kernels import explain, full_rows, top_n


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


def test_rows_of_which_most_is_there_are_added_without_their_indices(rng) -> None:
    """Given a model with a full row, one that lacks little, and sparse ones."""
    rows = rng.integers(1, 9, (12, 30)).astype(np.float32) / 8
    rows[1, 3] = 0
    rows[2:] *= rng.random((10, 30)) < 0.2
    model = sparse.csr_matrix(rows)
    assert (full_rows(model)[0] >= 0).tolist() == [True, True] + [False] * 10
    queries = sparse.csr_matrix(rng.integers(0, 3, (50, 12)).astype(np.float32))
    nothing = sparse.csr_matrix((50, 30), dtype=np.float32)
    compiled, plain = (
        top_n(queries, model, n=9, masked=nothing, allowed=np.ones(30, bool), use_numba=one)
        for one in (True, False)
    )
    for one, other in zip(compiled, plain, strict=True):
        np.testing.assert_array_equal(one, other)
