"""Counts of parts of the learners add up to the same sums wherever the parts are counted."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from distributed import Client, LocalCluster
from scipy import sparse

from analytics.methods.interactions import Interactions
from analytics.methods.recommenders import HybridRecommender, products
from analytics.methods.recommenders.hybrid import START_WEIGHTS
from analytics.methods.recommenders.products import (
    Counting,
    ItemProducts,
    count_followers,
    count_products,
)


@pytest.fixture
def data(monkeypatch) -> Interactions:
    """800 learners in eight parts."""
    monkeypatch.setattr(products, "PART", 100)
    rng = np.random.default_rng(3)
    return Interactions.from_arrays(
        rng.integers(0, 800, 6_000),
        rng.integers(0, 40, 6_000),
        order=rng.random(6_000),
        weight=rng.random(6_000) + 0.1,
        n_users=800,
        n_items=40,
    )


@pytest.fixture
def cluster() -> Iterator[Client]:
    """A Dask cluster of three worker processes, and a client of it."""
    with (
        LocalCluster(
            n_workers=3, threads_per_worker=1, dashboard_address=None, protocol="tcp"
        ) as workers,
        Client(workers) as client,
    ):
        yield client


def counted(data: Interactions, **how: object) -> ItemProducts:
    return count_products(data, np.arange(data.n_users), Counting(**how))  # type: ignore[arg-type]


def assert_equal_to_the_bit(one: ItemProducts, other: ItemProducts) -> None:
    assert one.together.tobytes() == other.together.tobytes()
    assert one.following is not None
    assert other.following is not None
    for mine, theirs in zip(one.following, other.following, strict=True):
        assert mine.tobytes() == theirs.tobytes()
    assert one.pairs is not None
    assert other.pairs is not None
    assert one.pairs.tobytes() == other.pairs.tobytes()


def followers(data: Interactions, **how: object) -> sparse.csr_matrix:
    keys = np.flatnonzero(np.triu(np.ones((40, 40)), 1).ravel())[::3]
    return count_followers(data, np.arange(data.n_users), Counting(**how), keys)  # type: ignore[arg-type]


def test_what_follows_pairs_is_counted_alike_everywhere(data, cluster, monkeypatch) -> None:
    alone = followers(data, backend="threading", n_workers=1)
    assert alone.nnz > 1_000
    for backend in ("threading", "loky", "dask"):
        spread = followers(data, backend=backend, n_workers=3)
        assert spread.indices.tobytes() == alone.indices.tobytes()
        assert spread.data.tobytes() == alone.data.tobytes()
    monkeypatch.setattr(products, "PART", 10_000)
    np.testing.assert_allclose(followers(data).toarray(), alone.toarray(), rtol=1e-4)


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_three_workers_of_this_machine_count_what_one_does(data, backend) -> None:
    alone = counted(data, backend="threading", n_workers=1)
    assert_equal_to_the_bit(alone, counted(data, backend=backend, n_workers=3))


def test_three_workers_of_a_cluster_count_what_one_does(data, cluster) -> None:
    alone = counted(data, backend="threading", n_workers=1)
    assert_equal_to_the_bit(alone, counted(data, backend="dask", n_workers=3))
    assert len(cluster.scheduler_info()["workers"]) == 3


def test_a_fit_over_a_cluster_gives_the_lists_of_a_fit_alone(data, cluster) -> None:
    alone, spread = (
        HybridRecommender(backend=backend, weights=dict.fromkeys(START_WEIGHTS, 1.0)).fit(data)
        for backend in ("threading", "dask")
    )
    assert len(alone.arrays()["pair_keys"])
    assert spread.model_.data.tobytes() == alone.model_.data.tobytes()
    asked = np.arange(data.n_users)
    np.testing.assert_array_equal(spread.recommend(asked).items, alone.recommend(asked).items)


def test_parts_add_up_to_the_counts_of_all(data, monkeypatch) -> None:
    parts = counted(data)
    monkeypatch.setattr(products, "PART", 10_000)
    whole = counted(data)
    np.testing.assert_allclose(parts.together, whole.together, rtol=1e-4)
    assert parts.following is not None
    assert whole.following is not None
    np.testing.assert_allclose(parts.following.slow, whole.following.slow, rtol=1e-3, atol=1e-5)
