"""What is true in the sample market: the figures from which it is drawn.

Everything here is plain numbers and words, so that a test can ask whether a method finds
them again. The log odds that one viewer of a live session buys are

    BASE + hour_effect(hour) + PRICE x ln(mean price / PRICE_AT) + COUPON x has a coupon
    + DISCOUNT x deepest cut + FIT x (audience fit - 0.5) + the seller's own effect

with the columns of `analytics.frames.session_frame` (mean_price, discount, has_coupon) and the
hour of the platform's time zone. Audience fit is the share of the signed-in viewers to whose
taste the session's seller belongs. Sessions differ by more than that: the rate of each is
drawn from a beta distribution with this mean and intra-session correlation DISPERSION.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

BASE = -3.15
PRICE = -0.35
PRICE_AT = 150.0
COUPON = 0.40
DISCOUNT = 1.20
FIT = 1.00
SELLER_SPREAD = 0.25
DISPERSION = 0.008
BEST_HOUR = 20
HOUR_WAVE = 0.60
HOUR_WAVE_2 = 0.15

# Groups of categories that the same people like; a seller belongs to one of them.
CLUSTERS: dict[str, tuple[str, ...]] = {
    "study": ("exams", "languages"),
    "parents": ("early-years", "thinking", "maternity"),
    "makers": ("programming", "data", "ai"),
    "body": ("fitness", "nutrition"),
    "career": ("office", "management", "finance"),
    "creators": ("design", "marketing", "arts"),
    "calm": ("chinese-medicine", "mind", "humanities"),
    "care": ("nursing", "teaching"),
}
# Of the courses that somebody wants: from their own cluster, from a second one, from anywhere.
TASTE = (0.74, 0.14, 0.12)
# How much more somebody wants the category, and the next level of it, of their last course.
SAME_CATEGORY = 2.5
NEXT_LEVEL = 1.8
# How much less somebody wants a course in the language that they do not read pages in.
OTHER_LANGUAGE = 0.12


@dataclass(frozen=True)
class Segment:
    """Who likes a cluster: shares of people, of women, ages and weights of occupations."""

    share: float
    women: float
    age_mean: float
    age_spread: float
    occupations: dict[str, float]


SEGMENTS: dict[str, Segment] = {
    "study": Segment(0.17, 0.52, 21, 3, {"student": 8, "public": 1, "other": 1}),
    "parents": Segment(0.14, 0.74, 33, 4, {"home": 4, "commerce": 2, "finance": 1, "teacher": 1}),
    "makers": Segment(0.16, 0.30, 28, 5, {"technology": 7, "student": 2, "manufacturing": 1}),
    "body": Segment(0.12, 0.56, 34, 9, {"commerce": 3, "technology": 2, "freelance": 2}),
    "career": Segment(0.13, 0.48, 35, 7, {"finance": 4, "commerce": 3, "manufacturing": 2}),
    "creators": Segment(0.12, 0.58, 27, 5, {"freelance": 5, "commerce": 3, "student": 1}),
    "calm": Segment(0.09, 0.62, 56, 9, {"retired": 6, "home": 2, "public": 2}),
    "care": Segment(0.07, 0.72, 38, 8, {"health": 5, "teacher": 5}),
}


def hour_effect(hour: int) -> float:
    """Log odds that an hour of the day (0 to 23) adds; highest at BEST_HOUR."""
    turn = 2 * math.pi * (hour - BEST_HOUR) / 24
    return HOUR_WAVE * math.cos(turn) + HOUR_WAVE_2 * math.cos(2 * turn)


def log_odds(
    *,
    hour: int,
    mean_price: float,
    has_coupon: bool,
    discount: float,
    audience_fit: float,
    seller_effect: float,
) -> float:
    """Log odds that one viewer buys; see the module for the formula."""
    return (
        BASE
        + hour_effect(hour)
        + PRICE * math.log(mean_price / PRICE_AT)
        + COUPON * has_coupon
        + DISCOUNT * discount
        + FIT * (audience_fit - 0.5)
        + seller_effect
    )


def cluster_of(category: str) -> str:
    """The cluster that a category belongs to, by their addresses."""
    return next(name for name, categories in CLUSTERS.items() if category in categories)


@dataclass(frozen=True)
class Truth:
    """What holds in one market: the constants above and what was drawn for its people.

    Keys of `taste_of` and `seller_effects` are external ids of people; those of
    `session_rates` are external ids of finished sessions, their values the rates that the
    formula gives before over-dispersion.
    """

    taste_of: dict[str, str]
    seller_effects: dict[str, float]
    session_rates: dict[str, float]

    def as_json(self) -> dict[str, Any]:
        """Everything as plain lists, words and numbers."""
        return {
            "best_hour": BEST_HOUR,
            "hour_effect": [round(hour_effect(hour), 4) for hour in range(24)],
            "coefficients": {
                "base": BASE,
                "price": PRICE,
                "price_at": PRICE_AT,
                "coupon": COUPON,
                "discount": DISCOUNT,
                "audience_fit": FIT,
                "seller_spread": SELLER_SPREAD,
                "dispersion": DISPERSION,
            },
            "clusters": {name: list(categories) for name, categories in CLUSTERS.items()},
            "segments": {name: asdict(segment) for name, segment in SEGMENTS.items()},
            **asdict(self),
        }
