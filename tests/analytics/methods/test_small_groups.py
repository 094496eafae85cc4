"""Groups of people of which no small one can be told."""

from __future__ import annotations

from itertools import product

import pytest

from analytics.methods.small_groups import SMALLEST_GROUP, shown_groups


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({"a": 10, "b": 10}, ({"a": 10, "b": 10}, 0)),
        ({"a": 30, "b": 12, "c": 4}, ({"a": 30}, 16)),
        ({"a": 30, "b": 6, "c": 5}, ({"a": 30}, 11)),
        ({"a": 30, "b": 20, "c": 3, "d": 3}, ({"a": 30}, 26)),
        ({"a": 30, "b": 4}, None),
        ({"a": 9}, None),
        ({"a": 12, "b": 0}, ({"a": 12}, 0)),
        ({}, None),
    ],
)
def test_known_answers(counts: dict, expected: tuple | None) -> None:
    assert shown_groups(counts) == expected


def test_no_small_group_can_be_worked_out_from_what_is_shown() -> None:
    """Given every way to divide people into three groups of up to fourteen."""
    for sizes in product(range(15), repeat=3):
        counts = dict(zip("abc", sizes, strict=True))
        found = shown_groups(counts)
        if found is None:
            continue
        shown, n_others = found
        hidden = [n for key, n in counts.items() if n and key not in shown]
        assert all(n >= SMALLEST_GROUP for n in shown.values())
        assert sum(hidden) == n_others
        assert not hidden or (len(hidden) > 1 and n_others >= SMALLEST_GROUP)
