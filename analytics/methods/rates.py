"""Rates that carry their two counts.

No rate stands without its counts, and none has a zero denominator: such a `Rate` exists
(there were no viewers yet), but its value, text and interval are None.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

DEFAULT_LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Rate:
    """A share of a whole: `numerator` of `denominator`, both counts.

    Raises ValueError for a negative count or a numerator above the denominator, and
    TypeError for a count that is not a whole number.

    >>> Rate(100, 1000).percent
    '10.0%'
    >>> Rate(0, 0).percent is None
    True
    """

    numerator: int
    denominator: int

    def __post_init__(self) -> None:
        for name in ("numerator", "denominator"):
            # numpy integers come in as well; stored as int, so that they serialise.
            object.__setattr__(self, name, operator.index(getattr(self, name)))
        if self.numerator < 0 or self.denominator < 0:
            raise ValueError(
                f"a rate needs counts of 0 or more, not {self.numerator} of {self.denominator}"
            )
        if self.numerator > self.denominator:
            raise ValueError(
                f"a rate cannot count {self.numerator} of {self.denominator}: "
                "the numerator must not exceed the denominator"
            )

    @property
    def value(self) -> float | None:
        """The share from 0 to 1, or None without a denominator."""
        return self.numerator / self.denominator if self.denominator else None

    @property
    def percent(self) -> str | None:
        """The share in percent with one decimal, halves rounded up; None without a denominator.

        Counted in whole tenths of a percent: floats would round 1 of 2000 by chance.
        """
        if not self.denominator:
            return None
        tenths = (2000 * self.numerator + self.denominator) // (2 * self.denominator)
        return f"{tenths // 10}.{tenths % 10}%"

    def interval(self, level: float = DEFAULT_LEVEL) -> tuple[float, float] | None:
        """The Wilson interval (low, high), shares from 0 to 1; None without a denominator."""
        if not self.denominator:
            return None
        low, high = wilson_interval(self.numerator, self.denominator, level)
        return float(low), float(high)


def wilson_interval(
    numerators: np.ndarray | int, denominators: np.ndarray | int, level: float = DEFAULT_LEVEL
) -> tuple[np.ndarray, np.ndarray]:
    """Wilson's score intervals for shares of counts: arrays (low, high) of the inputs' shape.

    Where a denominator is 0 both ends are NaN. Raises ValueError unless 0 < level < 1.
    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical
    inference", JASA 22 (1927), 209-212; recommended for small counts by Brown, Cai and
    DasGupta, "Interval estimation for a binomial proportion", Statistical Science 16 (2001).
    """
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, not {level}")
    n = np.asarray(denominators, dtype="float64")
    k = np.asarray(numerators, dtype="float64")
    z2 = NormalDist().inv_cdf((1 + level) / 2) ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        centre = (k + z2 / 2) / (n + z2)
        half = np.sqrt(z2 * (k * (n - k) / n + z2 / 4)) / (n + z2)
    # At 0 and at all of them the formula gives 0 and 1 but for rounding.
    low = np.where(k == 0, 0.0, np.clip(centre - half, 0, 1))
    high = np.where(k == n, 1.0, np.clip(centre + half, 0, 1))
    return np.where(n > 0, low, np.nan), np.where(n > 0, high, np.nan)
