"""How large a market is wanted, from which seed, and when its present is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cached_property
from itertools import count
from zlib import crc32

import numpy as np
from django.db.models import Model

# How far back the market remembers.
DAYS = 180
SOURCE = "sample"
SMALLEST = {"users": 20, "courses": 24, "sessions": 1}


@dataclass(frozen=True)
class Plan:
    """What to make. `n_users` counts viewers, `n_sessions` the sessions that are over.

    `now` is the present of the market (aware); its days are those of `zone`.
    """

    seed: int
    n_users: int
    n_courses: int
    n_sessions: int
    now: datetime
    zone: tzinfo

    def chance(self, subject: str) -> np.random.Generator:
        """Random numbers of one subject, which more or fewer of another do not shift."""
        return np.random.default_rng([self.seed, crc32(subject.encode())])

    @cached_property
    def _midnight(self) -> datetime:
        return self.now.astimezone(self.zone).replace(hour=0, minute=0, second=0, microsecond=0)

    def moment(self, days_ago: int, seconds: float = 0) -> datetime:
        """The local midnight of so many days ago and so many seconds of wall clock, in UTC."""
        wall = self._midnight + timedelta(days=-int(days_ago), seconds=int(seconds))
        return wall.astimezone(UTC)


class Keys:
    """Primary keys for new rows: known before they are stored, so that rows refer to each other.

    `after` gives the largest key in use per model; without it they begin at 1.
    """

    def __init__(self, after: dict[type[Model], int] | None = None) -> None:
        self._next: dict[type[Model], Iterator[int]] = defaultdict(lambda: count(1))
        for model, largest in (after or {}).items():
            self._next[model] = count(largest + 1)

    def new(self, model: type[Model]) -> int:
        return next(self._next[model])
