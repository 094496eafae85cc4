"""Counts of groups of people, of which no small one can be read off or worked out."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TypeVar

Key = TypeVar("Key", bound=Hashable)

# Figures of fewer people than this would tell about single ones.
SMALLEST_GROUP = 10


def shown_groups(
    counts: Mapping[Key, int], *, smallest: int = SMALLEST_GROUP
) -> tuple[dict[Key, int], int] | None:
    """The groups that may be shown, the largest first, and how many people are in the others.

    `counts` divides some people into groups, each person into one. Groups below `smallest` go
    into the others. Since whoever knows the total works out what the others hold, these are
    `smallest` people or more of two groups or more: where they are not, the smallest shown
    groups join them. Empty groups are left out. None when nothing may be shown of so few.

    >>> shown_groups({"a": 30, "b": 12, "c": 4})
    ({'a': 30}, 16)
    >>> shown_groups({"a": 30, "b": 4}) is None
    True
    """
    present = {key: n for key, n in counts.items() if n > 0}
    if sum(present.values()) < smallest:
        return None
    ranked = sorted(present, key=lambda key: (-present[key], str(key)))
    shown = [key for key in ranked if present[key] >= smallest]
    hidden = [key for key in ranked if present[key] < smallest]
    while shown and 0 < sum(present[key] for key in hidden) < smallest:
        hidden.append(shown.pop())
    if not shown:
        return None
    return {key: present[key] for key in shown}, sum(present[key] for key in hidden)
