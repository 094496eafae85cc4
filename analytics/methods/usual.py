"""What is usual for a figure, from the same figure of sessions before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# With fewer sessions nothing is called unusual: two of three always lie at an end.
FEWEST_SESSIONS = 3


@dataclass(frozen=True, slots=True)
class Usual:
    """The median and the middle half (`low` to `high`, the quartiles) of `n` sessions."""

    median: float
    low: float
    high: float
    n: int

    def stand(self, value: float | None) -> str:
        """ "above" or "below" when the value lies outside the middle half, else ""."""
        if value is None or not np.isfinite(value) or self.n < FEWEST_SESSIONS:
            return ""
        return "above" if value > self.high else "below" if value < self.low else ""


def usual_of(values: Sequence[float]) -> Usual | None:
    """What the values say is usual; NaN is no value. None without any.

    Quartiles by linear interpolation: Hyndman and Fan, "Sample quantiles in statistical
    packages", The American Statistician 50 (1996), definition 7.

    >>> usual_of([1.0, 2.0, 3.0, 4.0, float("nan")])
    Usual(median=2.5, low=1.75, high=3.25, n=4)
    """
    known = np.asarray(values, dtype="float64")
    known = known[np.isfinite(known)]
    if not len(known):
        return None
    low, median, high = (float(one) for one in np.quantile(known, [0.25, 0.5, 0.75]))
    return Usual(median=median, low=low, high=high, n=len(known))
