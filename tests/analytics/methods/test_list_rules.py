"""No seller fills a list, and new courses get a bounded part of it."""

from __future__ import annotations

import math
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from analytics.methods.list_rules import (
    draw_of,
    most_of_one_seller,
    places_to_explore,
    with_seller_cap,
)

sellers = st.lists(st.integers(0, 5), max_size=60)
shares = st.floats(0, 1)


def capped(of_sellers: list[int], *, n: int, share: float) -> tuple[list[int], int]:
    """Places of the chosen among courses that stand in this order, and the cap."""
    most = most_of_one_seller(n, share=share, n_sellers=len(set(of_sellers)))
    ranked = list(range(len(of_sellers)))
    return with_seller_cap(ranked, of_sellers.__getitem__, n=n, most=most), most


@given(sellers, st.integers(1, 30), shares)
def test_no_seller_has_more_than_the_cap(of_sellers, n, share) -> None:
    chosen, most = capped(of_sellers, n=n, share=share)
    counted = Counter(of_sellers[one] for one in chosen)
    assert all(found <= most for found in counted.values())
    assert len(chosen) <= n


@given(sellers, st.integers(1, 30), shares)
def test_a_list_is_full_when_there_are_enough_courses(of_sellers, n, share) -> None:
    chosen, most = capped(of_sellers, n=n, share=share)
    could = sum(min(found, most) for found in Counter(of_sellers).values())
    assert len(chosen) == min(n, could)


@given(sellers, st.integers(1, 30), shares)
def test_what_is_kept_stays_in_order_and_only_a_full_seller_is_passed_over(
    of_sellers, n, share
) -> None:
    chosen, most = capped(of_sellers, n=n, share=share)
    assert chosen == sorted(chosen)
    if chosen:
        for passed in set(range(chosen[-1])) - set(chosen):
            before = [one for one in chosen if one < passed]
            assert sum(of_sellers[one] == of_sellers[passed] for one in before) == most


@given(st.integers(1, 50), shares, st.integers(1, 40))
def test_the_cap_leaves_room_for_a_full_list_and_is_no_larger_than_needed(
    n, share, n_sellers
) -> None:
    most = most_of_one_seller(n, share=share, n_sellers=n_sellers)
    assert most * n_sellers >= n
    assert 1 <= most <= max(1, math.ceil(n * max(share, 1 / n_sellers)))


def test_the_cap_of_ten_places_at_four_tenths_is_four() -> None:
    assert most_of_one_seller(10, share=0.4, n_sellers=9) == 4
    assert most_of_one_seller(10, share=0.4, n_sellers=2) == 5
    assert most_of_one_seller(10, share=0.4, n_sellers=1) == 10
    assert most_of_one_seller(10, share=0.4, n_sellers=0) == 10


@given(st.integers(0, 50), shares, st.floats(0, 1, exclude_max=True))
def test_exploration_never_takes_more_than_its_share_rounded_up(n, share, draw) -> None:
    places = places_to_explore(n, share=share, draw=draw)
    assert math.floor(n * share) <= places <= math.ceil(n * share)
    assert places <= n


@given(st.integers(1, 50), shares)
def test_exploration_takes_its_share_on_the_average(n, share) -> None:
    draws = [(at + 0.5) / 1_000 for at in range(1_000)]
    mean = sum(places_to_explore(n, share=share, draw=draw) for draw in draws) / len(draws)
    assert abs(mean - n * share) <= 1e-3


def test_draws_are_the_same_for_the_same_parts_and_spread_evenly() -> None:
    draws = [draw_of(person, "2026-01-01") for person in range(2_000)]
    assert draws == [draw_of(person, "2026-01-01") for person in range(2_000)]
    assert draws != [draw_of(person, "2026-01-02") for person in range(2_000)]
    assert all(0 <= draw < 1 for draw in draws)
    assert 0.47 < sum(draws) / len(draws) < 0.53
    assert 0.2 < sum(draw < 0.25 for draw in draws) / len(draws) < 0.3
