"""What holds for every list that is shown: no seller fills it, and new courses get a little of it.

Lists of ids, no arrays: it runs once per page, over some dozens of candidates.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

Item = TypeVar("Item")

# Days since publication at which the age groups of courses end.
AGES = (30, 90, 365)
# Groups of people by how many courses are known of them: each begins here and ends before the next.
KNOWN_GROUPS = (0, 1, 3, 10)


def most_of_one_seller(n: int, *, share: float, n_sellers: int) -> int:
    """How many of n places one seller may have: share of them, rounded up, but so many that all
    sellers together can fill the list."""
    if n_sellers < 1:
        return n
    # The tiny part keeps 0.1 * 10 from counting as more than 1.
    return max(1, math.ceil(n * max(share, 1 / n_sellers) - 1e-9))


def with_seller_cap(
    ranked: Iterable[Item], seller_of: Callable[[Item], Hashable], *, n: int, most: int
) -> list[Item]:
    """The first n of the ranked items of whom no seller has more than `most`, in their order.

    Fewer than n where the other sellers have no more items.
    """
    taken: Counter[Hashable] = Counter()
    chosen: list[Item] = []
    for item in ranked:
        if len(chosen) == n:
            break
        seller = seller_of(item)
        if taken[seller] < most:
            taken[seller] += 1
            chosen.append(item)
    return chosen


def places_to_explore(n: int, *, share: float, draw: float) -> int:
    """How many of n places are given to new courses: n * share on the average of draws in 0..1,
    and never more than that rounded up."""
    whole = math.floor(n * share + 1e-9)
    return whole + (draw < n * share - whole)


def draw_of(*parts: object) -> float:
    """A number in 0..1 that looks random and is the same for the same parts."""
    text = "|".join(str(part) for part in parts)
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64
