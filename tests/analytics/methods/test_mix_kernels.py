"""Trying out weights: the compiled loops and their plain counterparts say the same."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from analytics.methods.mix_kernels import MixParts, first_ranks, mix_parts

N_ROWS, N_ITEMS = 80, 60
START = np.array([1.0, 0.5, 0.25], dtype=np.float32)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def random_csr(rng: np.random.Generator, shape: tuple[int, int], density: float):
    # Multiples of 1/8 add up exactly, so that ties are ties on both paths.
    matrix = sparse.random(*shape, density=density, format="csr", rng=rng, dtype=np.float32)
    matrix.data = np.round(matrix.data * 8 + 1).astype(np.float32) / 8
    return matrix


def parts_of(rng: np.random.Generator) -> tuple[list, list, np.ndarray, sparse.csr_matrix]:
    queries = [random_csr(rng, (N_ROWS, 10), 0.3) for _ in START]
    # The last one is nearly full, as what is popular is.
    models = [random_csr(rng, (10, N_ITEMS), density) for density in (0.3, 0.1, 0.95)]
    wanted = rng.integers(0, N_ITEMS, N_ROWS).astype(np.int32)
    seen = random_csr(rng, (N_ROWS, N_ITEMS), 0.1).tolil()
    seen[np.arange(N_ROWS), wanted] = 0
    return queries, models, wanted, seen.tocsr()


def found_by(rng: np.random.Generator, *, use_numba: bool) -> MixParts:
    queries, models, wanted, seen = parts_of(rng)
    return mix_parts(
        *(queries, models),
        wanted=wanted,
        masked=seen,
        start=START,
        n_of_mix=6,
        n_of_part=3,
        use_numba=use_numba,
    )


def test_both_ways_look_at_the_same_items() -> None:
    compiled, plain = (
        found_by(np.random.default_rng(5), use_numba=use_numba) for use_numba in (True, False)
    )
    for one, other in zip(compiled, plain, strict=True):
        np.testing.assert_array_equal(one, other)
    assert compiled.n_there.max() > 8


def test_the_scores_are_those_of_the_whole_product(rng) -> None:
    queries, models, wanted, seen = parts_of(np.random.default_rng(5))
    found = found_by(np.random.default_rng(5), use_numba=True)
    assert found.items[:, 0].tolist() == wanted.tolist()
    for query, model, scores in zip(queries, models, found.scores, strict=True):
        whole = (query @ model).toarray()
        for row in range(N_ROWS):
            items = found.items[row, : found.n_there[row]]
            assert len(set(items.tolist())) == len(items)
            assert not set(items.tolist()) & set(seen[row].indices.tolist())
            np.testing.assert_allclose(scores[row, : len(items)], whole[row, items], rtol=1e-6)


@pytest.mark.parametrize("use_numba", [True, False])
def test_a_rank_counts_what_comes_before_the_wanted_one(use_numba) -> None:
    """Given two parts of one row: 3 and 2 for the wanted one, others above, equal and below it."""
    scores = np.array([[[3, 4, 3, 1, 9]], [[2, 0, 2, 1, 0]]], dtype=np.float32)
    parts = MixParts(
        items=np.array([[7, 1, 2, 3, -1]], np.int32),
        n_there=np.array([4], np.int32),
        scores=scores,
    )

    def rank(*weights: float, factor: float = 1.0) -> int:
        (found,) = first_ranks(
            parts,
            np.array(weights, np.float32),
            n_history=1,
            factor=np.array([[1, factor, 1, 1, 1]], np.float32),
            use_numba=use_numba,
        )
        return int(found)

    assert rank(1, 0) == 2
    assert rank(1, 1) == 1
    assert rank(0, 0) == 5
    # Of what the first part says the second item gets half: 2 against 3.
    assert rank(1, 0, factor=0.5) == 1


def test_both_ways_rank_alike(rng) -> None:
    parts = found_by(np.random.default_rng(5), use_numba=True)
    factor = (1 + rng.random(parts.items.shape)).astype(np.float32)
    for weights in ([1, 0.5, 0.1], [0, 1, 0.2], [0.3, 0, 1], [0, 1, 0]):
        compiled, plain = (
            first_ranks(
                parts,
                np.array(weights, np.float32),
                n_history=2,
                factor=factor,
                use_numba=use_numba,
            )
            for use_numba in (True, False)
        )
        np.testing.assert_array_equal(compiled, plain)
