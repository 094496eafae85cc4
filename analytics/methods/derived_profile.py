"""What the sums of a person's actions say: interests, hours, price sensitivity, stage, engagement.

Each value stands beside the number of events behind it. What the person said of a part
(`Corrections`) goes before what their actions say: a part that is off is not derived.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from analytics.methods.profile_state import HALF_LIFE_PERIODS, State, newest_period

# What an action without a date tells: as one that lies so many periods before the newest.
UNDATED_PERIODS = 6
# A field that somebody chose weighs as much as one course taken in the newest period.
CHOSEN_WEIGHT = 100
# "More" doubles a field, and lifts an unknown one to a chosen one; "less" halves it.
MORE, LESS, OFF = "more", "less", "off"
MORE_TIMES, LESS_TIMES = 2.0, 0.5

INTERESTS, HOURS, PRICE, STAGE, ENGAGEMENT = PARTS = (
    *("interests", "hours", "price", "stage", "engagement"),
)
BANDS = ("free", "low", "middle", "high")
N_INTERESTS = 10
N_HOURS = 3

NEWCOMER_FOR = timedelta(days=7)
SLIPPING_AFTER = timedelta(days=14)
GONE_AFTER = timedelta(days=60)

# The lower and the upper end of the middle price band, by currency.
Bounds = Mapping[str, tuple[float, float]]

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 the frames hold UTC without a zone


@dataclass(frozen=True, slots=True)
class Corrections:
    """What one person said of their profile.

    off: the PARTS that they switched off. fields: MORE, LESS or OFF by category. hours (0 to
    23, local) and band (one of BANDS) stand in the place of what would be derived; without any
    they are derived.
    """

    off: frozenset[str] = frozenset()
    fields: Mapping[int, str] = field(default_factory=dict)
    hours: tuple[int, ...] = ()
    band: str = ""


@dataclass(frozen=True, slots=True)
class DerivedProfile:
    """What is shown of one person; a part that is off is as empty as one of which nothing is known.

    interests: at most N_INTERESTS of {"category", "weight" (share of all, 0 to 1), "n_events"},
    the strongest first; n_events is 0 for a field that was only chosen. favourite_hours: at
    most N_HOURS of {"hour" (local, 0 to 23), "n_events"}, the busiest first. price_band and
    price: see `price_sensitivity`. stage: see `stage_at`. engagement: n_sessions,
    watched_seconds, n_chats, n_likes, n_shares in live rooms. last_active_at: UTC without a
    zone; it is a part of the stage, and None where that is off.
    """

    n_events: int
    interests: list[dict[str, float | int]]
    favourite_hours: list[dict[str, int]]
    price_band: str
    price: dict[str, Any]
    stage: str
    engagement: dict[str, int]
    last_active_at: datetime | None


def derive(
    state: State,
    *,
    chosen: Iterable[int],
    bounds: Bounds,
    now: datetime,
    corrections: Corrections = Corrections(),
) -> DerivedProfile:
    """The profile that a state tells at `now` (UTC without a zone).

    `chosen` are the fields that the person named, `bounds` as from `price_bounds` by currency.
    """
    off = corrections.off
    price = (
        {}
        if PRICE in off
        else price_sensitivity(state.get("price", {}), bounds=bounds, said=corrections.band)
    )
    last = None if STAGE in off else _moment(state, "last")
    return DerivedProfile(
        n_events=state["n"],
        interests=[]
        if INTERESTS in off
        else _interests(state.get("interests", {}), chosen, corrections.fields),
        favourite_hours=[]
        if HOURS in off
        else _favourite_hours(state.get("hours", {}), corrections.hours),
        price_band=price.get("band", ""),
        price=price,
        stage=""
        if STAGE in off
        else stage_at(n=state["n"], first=_moment(state, "first"), last=last, now=now),
        engagement={} if ENGAGEMENT in off else _engagement(state.get("live", {})),
        last_active_at=last,
    )


def stage_at(*, n: int, first: datetime | None, last: datetime | None, now: datetime) -> str:
    """gone, slipping, newcomer or active by the days since the last and the first action.

    Somebody who did nothing yet is a newcomer; of somebody whose actions have no date nothing
    is known: "". All moments are UTC without a zone.
    """
    if first is None or last is None:
        return "" if n else "newcomer"
    if now - last > GONE_AFTER:
        return "gone"
    if now - last > SLIPPING_AFTER:
        return "slipping"
    return "newcomer" if now - first < NEWCOMER_FOR else "active"


def price_sensitivity(
    sums: Mapping[str, Sequence[int]], *, bounds: Bounds, said: str = ""
) -> dict[str, Any]:
    """How much somebody pays, and how often they waited for a reduced price.

    {} without a purchase, else of the purchases in the `currency` of most of them (the first
    by name among equals), since amounts of two currencies do not add up:

    n_purchases: purchases whose price is known, free ones included; a refunded one too.
    mean: what they cost on average, a string with two decimals.
    band: free, low, middle or high by that mean and the bounds of the currency; "" where no
    course with a price is on sale in it.
    n_known: of n_purchases, those whose list price at that moment is known and above 0;
    imported purchases have none.
    n_discounted: of n_known, those paid below that list price, by a promotion, a coupon or both.
    discounted_share: n_discounted / n_known, 0 to 1; None where n_known is 0.

    `said` is the band that the person named themselves: it goes before the derived one, and
    stands also where nothing was bought (mean is None then).
    """
    if not sums and not said:
        return {}
    currency = min(sums, key=lambda name: (-sums[name][1], name), default="")
    total, n, n_known, n_reduced = sums.get(currency, (0, 0, 0, 0))
    return {
        "band": said or _price_band(total / n / 100, bounds.get(currency)),
        "mean": f"{total / n / 100:.2f}" if n else None,
        "currency": currency,
        "n_purchases": n,
        "n_known": n_known,
        "n_discounted": n_reduced,
        "discounted_share": round(n_reduced / n_known, 4) if n_known else None,
    }


def price_bounds(prices: Sequence[float]) -> tuple[float, float] | None:
    """What lies between low, middle and high: the terciles of the prices above 0.

    Rounded to one digit, so that a new course seldom moves everybody's band. None without a
    price.
    """
    paid = np.asarray(prices, dtype="float64")
    paid = paid[paid > 0]
    if not len(paid):
        return None
    low, high = (_one_digit(q) for q in np.quantile(paid, [1 / 3, 2 / 3]))
    return low, high


def _one_digit(value: float) -> float:
    return float(f"{value:.0e}")


def _price_band(mean_price: float, bounds: tuple[float, float] | None) -> str:
    if mean_price <= 0:
        return "free"
    if bounds is None:
        return ""
    low, high = bounds
    return "low" if mean_price <= low else "middle" if mean_price <= high else "high"


def _interests(
    sums: dict[str, list], chosen: Iterable[int], said: Mapping[int, str]
) -> list[dict[str, float | int]]:
    strengths = _strengths(sums, chosen)
    for category, answer in said.items():
        if answer == OFF:
            strengths.pop(category, None)
        elif answer == MORE:
            strength = strengths.get(category, 0.0)
            strengths[category] = max(strength * MORE_TIMES, float(CHOSEN_WEIGHT))
        elif category in strengths:
            strengths[category] *= LESS_TIMES
    # Summed in one order: dicts remember the order in which their parts came.
    total = sum(sorted(strengths.values()))
    ranked = sorted(strengths.items(), key=lambda item: (-item[1], item[0]))[:N_INTERESTS]
    return [
        {
            "category": category,
            "weight": round(strength / total, 4),
            "n_events": sums.get(str(category), [0])[0],
        }
        for category, strength in ranked
    ]


def _strengths(sums: dict[str, list], chosen: Iterable[int]) -> dict[int, float]:
    """How strongly each field is told, in hundredths of a course taken in the newest period."""
    newest = newest_period(sums)
    undated = 2.0 ** (-UNDATED_PERIODS / HALF_LIFE_PERIODS) if newest is not None else 1.0
    strengths: dict[int, float] = {}
    for key, (_n, without_date, *periods) in sums.items():
        strength = without_date * undated
        if periods and newest is not None:
            # In one order, so that the same sums give the same floats.
            for period, weight in sorted(periods[0].items()):
                strength += weight * 2.0 ** ((int(period) - newest) / HALF_LIFE_PERIODS)
        strengths[int(key)] = strength
    for category in chosen:
        strengths[category] = strengths.get(category, 0.0) + CHOSEN_WEIGHT
    return strengths


def _favourite_hours(counts: Mapping[str, int], said: Sequence[int]) -> list[dict[str, int]]:
    wanted = {hour: counts.get(str(hour), 0) for hour in said}
    found = wanted or {int(hour): n for hour, n in counts.items()}
    ranked = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    return [{"hour": hour, "n_events": n} for hour, n in ranked][:N_HOURS]


def _engagement(live: Mapping[str, Any]) -> dict[str, int]:
    return {
        "n_sessions": len(live.get("sessions", ())),
        "watched_seconds": live.get("watched", 0),
        "n_chats": live.get("chats", 0),
        "n_likes": live.get("likes", 0),
        "n_shares": live.get("shares", 0),
    }


def _moment(state: State, name: str) -> datetime | None:
    return _EPOCH + timedelta(microseconds=state[name]) if name in state else None
