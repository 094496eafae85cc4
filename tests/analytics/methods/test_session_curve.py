"""Sums minute by minute, and what was usual."""

from __future__ import annotations

import numpy as np
import pytest

from analytics.methods.session_curve import (
    Curve,
    figures_at,
    present_by_minute,
    summed_by_minute,
    watched_by_minute,
)
from analytics.methods.usual import Usual, usual_of


def test_sums_count_what_was_before_with_the_first_minute_and_leave_out_what_came_after() -> None:
    assert summed_by_minute([-3, 0, 2, 9], 4).tolist() == [2, 2, 3, 3]
    assert summed_by_minute([0, 1], 2, np.array([5, 7])).tolist() == [5, 12]


def test_watching_is_spread_over_the_minutes_in_which_it_was() -> None:
    assert watched_by_minute([30, 0], [60, 10], 3).tolist() == [40, 70, 70]


def test_stays_are_counted_in_every_minute_that_they_touch() -> None:
    assert present_by_minute([0, 70], [65, 300], 3).tolist() == [1, 2, 1]


def flat(n: int, **sums: list[float]) -> Curve:
    names = [name for name in Curve.__dataclass_fields__ if name != "lead_seconds"]
    return Curve(**{name: np.array(sums.get(name, [0.0] * n), dtype=float) for name in names})


def test_figures_stand_between_two_minutes_on_a_straight_line() -> None:
    curve = flat(2, n_viewers=[10.0, 30.0], n_buyers=[1.0, 3.0], at_once=[8.0, 5.0])
    assert figures_at(curve, 90)["viewers"] == 20
    assert figures_at(curve, 90)["conversion"] == pytest.approx(0.1)
    assert figures_at(curve, 90)["viewers_now"] == 5
    assert figures_at(curve, 90)["peak_viewers"] == 8


def test_a_shorter_session_stands_at_its_end() -> None:
    found = figures_at(flat(2, n_clicks=[1.0, 4.0]), 3_600)
    assert found["clicks"] == 4
    assert np.isnan(found["viewers_now"]) and np.isnan(found["click_through"])


def test_of_few_viewers_there_is_no_average_watch_time() -> None:
    curve = flat(2, n_viewers=[9.0, 10.0], watched_seconds=[900.0, 1000.0])
    assert np.isnan(figures_at(curve, 60)["average_watch"])
    assert figures_at(curve, 120)["average_watch"] == 100


@pytest.mark.parametrize(("value", "stand"), [(9, "below"), (15, ""), (21, "above"), (None, "")])
def test_only_what_lies_outside_the_middle_half_is_unusual(value, stand) -> None:
    usual = usual_of([10, 12, 15, 18, 20])
    assert usual == Usual(15, 12, 18, 5)
    assert usual.stand(value) == stand


def test_two_sessions_make_nothing_unusual() -> None:
    usual = usual_of([1, 2])
    assert usual is not None and usual.stand(100) == ""
    assert usual_of([float("nan")]) is None
