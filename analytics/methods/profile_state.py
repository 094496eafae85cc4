"""What is kept of a person's actions: the sums that a profile is derived from.

Everything is derived (`derived_profile`) from sums of whole numbers
(`profiles.sums_of_actions`) that can be added up in any order and in any parts (`merged`), so
that a profile built little by little equals one built from the whole history. A state is a
plain dict that JSON keeps as it is:

| key | what |
| --- | --- |
| n | actions |
| first, last | microseconds since 1970 of the first and the last dated action; absent without one |
| hours | {local hour: dated actions} |
| interests | {category: [actions, undated weight, {period: weight}]}, weights in hundredths |
| price | {currency: [sum in hundredths, purchases, of known list price, of them reduced]} |
| live | {"sessions": ids, "watched": seconds, "chats", "likes", "shares": counts} |

An action whose time is unknown (it has a place in an order only) has no day and no hour. It
still tells an interest, with the weight of an old one.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

LIVE_SUMS = ("watched", "chats", "likes", "shares")

# Interests count half as much after three periods: tastes outlast a season, not a year.
PERIOD_DAYS = 30
HALF_LIFE_PERIODS = 3
# Older periods weigh less than half a percent of the newest one and are kept as one.
OLDEST_PERIOD = 24

State = dict[str, Any]


def merged(one: State, other: State) -> State:
    """The state of all actions of both; they must not share an action."""
    out: State = {"n": one["n"] + other["n"]}
    for name, choose in (("first", min), ("last", max)):
        moments = [state[name] for state in (one, other) if name in state]
        if moments:
            out[name] = choose(moments)
    for name, add in (
        ("hours", _added),
        ("interests", _added_interests),
        ("price", _added_prices),
        ("live", _added_live),
    ):
        parts = [state[name] for state in (one, other) if name in state]
        if parts:
            out[name] = add(*parts) if len(parts) == 2 else parts[0]
    if "interests" in out:
        out["interests"] = folded(out["interests"])
    return out


def newest_period(sums: dict[str, list]) -> int | None:
    """The newest period in which anything told an interest, counted from 1970; None: no date."""
    return max(
        (int(p) for value in sums.values() if len(value) > 2 for p in value[2]), default=None
    )


def folded(sums: dict[str, list]) -> dict[str, list]:
    """The sums with all periods before the last OLDEST_PERIOD added to the oldest kept one.

    Folding early and again later comes to the same as folding once at the end.
    """
    newest = newest_period(sums)
    if newest is None:
        return sums
    oldest = newest - OLDEST_PERIOD
    out = {}
    for category, (n, undated, *periods) in sums.items():
        kept: Counter[str] = Counter()
        for period, weight in (periods[0] if periods else {}).items():
            kept[str(max(int(period), oldest))] += weight
        out[category] = [n, undated, dict(kept)] if kept else [n, undated]
    return out


def _added(one: dict[str, int], other: dict[str, int]) -> dict[str, int]:
    return {key: one.get(key, 0) + other.get(key, 0) for key in one | other}


def _added_interests(one: dict[str, list], other: dict[str, list]) -> dict[str, list]:
    out = dict(one)
    for category, (n, undated, *periods) in other.items():
        had_n, had_undated, *had_periods = out.get(category, [0, 0])
        both = _added(*(part[0] if part else {} for part in (had_periods, periods)))
        out[category] = [had_n + n, had_undated + undated, *([both] if both else [])]
    return out


def _added_prices(one: dict[str, list[int]], other: dict[str, list[int]]) -> dict[str, list[int]]:
    both = {**one, **other}
    for currency in one.keys() & other.keys():
        both[currency] = [x + y for x, y in zip(one[currency], other[currency], strict=True)]
    return both


def _added_live(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    return {
        "sessions": sorted({*one["sessions"], *other["sessions"]}),
        **{name: one[name] + other[name] for name in LIVE_SUMS},
    }
