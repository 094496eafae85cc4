"""Figures about many lists at once, against counts done by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from analytics.methods.list_figures import (
    MOST_SELLERS,
    age_shares,
    capped_lists,
    coverage,
    newcomer_figures,
    rare_figures,
    seller_shares,
)
from analytics.methods.list_rules import AGES, most_of_one_seller, with_seller_cap

# Courses 0 to 5; -1 is a place that stayed empty.
LISTS = np.array([[0, 1, 2], [0, 1, -1], [0, 3, -1]], dtype=np.int32)
SELLERS = np.array([7, 7, 8, 9, 9, 9])
ON_SALE = np.array([True, True, True, True, True, False])


@given(
    st.lists(
        st.lists(st.integers(0, 11), unique=True, min_size=6, max_size=6), min_size=1, max_size=5
    ),
    st.lists(st.integers(1, 4), min_size=12, max_size=12),
    st.integers(1, 5),
    st.sampled_from([0.2, 0.34, 0.5, 1.0]),
)
def test_many_lists_are_cut_as_one_is(
    lists: list[list[int]], owners: list[int], n: int, share: float
) -> None:
    n_sellers = len(set(owners))

    found = capped_lists(
        np.array(lists, dtype=np.int32), np.array(owners), n=n, share=share, n_sellers=n_sellers
    )

    most = most_of_one_seller(n, share=share, n_sellers=n_sellers)
    for row, items in zip(found, lists, strict=True):
        kept = with_seller_cap(items, owners.__getitem__, n=n, most=most)
        assert row.tolist() == [*kept, *[-1] * (n - len(kept))]


def test_coverage_counts_each_course_once() -> None:
    assert coverage(LISTS, ON_SALE) == {
        "share": 0.8,  # 0, 1, 2 and 3 of the five on sale.
        "n_shown": 4,
        "n_courses": 5,
        "n_people": 3,
    }


def test_where_nothing_is_on_sale_there_is_no_coverage() -> None:
    nobody = np.full((2, 3), -1, dtype=np.int32)
    assert coverage(nobody, np.zeros(6, dtype=bool))["share"] is None
    assert all(one["share"] == 0 for one in seller_shares(nobody, SELLERS, ON_SALE))


def test_places_are_shared_out_to_sellers_the_largest_first() -> None:
    assert seller_shares(LISTS, SELLERS, ON_SALE) == [
        {"seller": 7, "n_courses": 2, "n_places": 5, "share": 0.7143},
        {"seller": 8, "n_courses": 1, "n_places": 1, "share": 0.1429},
        {"seller": 9, "n_courses": 2, "n_places": 1, "share": 0.1429},
    ]


def test_many_sellers_are_not_all_told() -> None:
    n = MOST_SELLERS + 5
    lists = np.arange(n, dtype=np.int32)[None, :]
    assert len(seller_shares(lists, np.arange(n), np.ones(n, dtype=bool))) == MOST_SELLERS


def test_places_are_shared_out_to_ages_and_unknown_ones_are_old() -> None:
    days = np.array([0.0, AGES[0] - 0.5, AGES[0], AGES[1], AGES[-1], np.nan])

    found = age_shares(LISTS, days, ON_SALE)

    assert [one["from_days"] for one in found] == [0, *AGES]
    assert [one["to_days"] for one in found] == [*AGES, None]
    groups = [np.searchsorted([*AGES], day, side="right") for day in days[:5]]
    for at, one in enumerate(found):
        members = [course for course in range(5) if groups[course] == at]
        n_places = int(np.isin(LISTS, members).sum())
        assert one["n_courses"] == len(members)
        assert (one["n_places"], one["share"]) == (n_places, round(n_places / 7, 4))
    assert sum(one["n_places"] for one in found) == 7
    assert age_shares(np.array([[5]]), days, ON_SALE)[-1]["n_places"] == 1


def test_people_are_grouped_by_what_is_known_of_them() -> None:
    """Given three people who want course 2, 1 and 5, of whom 0, 2 and 40 courses are known."""
    wanted = sparse.csr_matrix(np.eye(6)[[2, 1, 5]])
    popular = np.array([[2, 1], [2, 1], [2, 1]], dtype=np.int32)

    found = newcomer_figures(np.array([0, 2, 40]), LISTS, popular, wanted)

    third, second = 1 / np.log2(4), 1 / np.log2(3)
    assert found == [
        {"known": 0, "ndcg@10": third, "popularity": 1.0, "n": 1},
        {"known": 1, "ndcg@10": round(second, 4), "popularity": round(second, 4), "n": 1},
        {"known": 10, "ndcg@10": 0.0, "popularity": 0.0, "n": 1},
    ]


def test_rare_courses_are_counted_apart() -> None:
    """Given people who want courses 2, 1 and 3, of which 2 and 3 have few learners."""
    wanted = sparse.csr_matrix(np.eye(6)[[2, 1, 3]])
    alone = np.array([[0, 1, 4], [0, 1, 4], [0, 4, 1]], dtype=np.int32)

    found = rare_figures(LISTS, alone, wanted, np.array([99, 10, 9, 0, 50, 50]))

    assert found == {
        "fewer_than": 10,
        "n": 2,
        "recall@10": 1.0,
        "collaborative": 0.0,
        "recall_all": 1.0,
        "collaborative_all": pytest.approx(1 / 3, abs=1e-4),
    }


def test_where_nobody_wanted_a_rare_course_nothing_is_made_up() -> None:
    wanted = sparse.csr_matrix(np.eye(6)[[0]])
    found = rare_figures(LISTS[:1], LISTS[:1], wanted, np.full(6, 99))
    assert (found["n"], found["recall@10"], found["collaborative"]) == (0, None, None)
