"""How many requests of the API one person or address may make in a minute.

The library's own throttles read and write a list of moments in the shared cache at each request:
with Redis that costs more than all the rest of a short answer. Here each process counts by itself
and tells the others now and then (docs/adr/0008-counting-requests-in-the-process.md).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from django.core.cache import cache
from redis.exceptions import RedisError
from rest_framework.request import Request
from rest_framework.throttling import AnonRateThrottle, SimpleRateThrottle, UserRateThrottle

if TYPE_CHECKING:
    # It takes the throttles from here when it is loaded.
    from rest_framework.views import APIView

logger = logging.getLogger(__name__)

# What a process may keep to itself before it tells: a twentieth of the limit, and no more than 25.
SHARE, LARGEST_SHARE = 20, 25
# So long a cache that could not be told is left alone.
REST_SECONDS = 5.0
# People and addresses that a process counts at a time.
MOST_COUNTED = 50_000


@dataclass(slots=True)
class _Count:
    """Requests of one window: of all processes, as far as known, and those not told yet."""

    window: int
    known: int = 0
    untold: int = 0


@dataclass
class RequestCounts:
    """Counts of one process, shared by its threads, in windows by the clock: with a limit of 600 a
    minute, 600 from 12:00:00 to 12:00:59. Processes together let through at most one share each
    more."""

    clock: Callable[[], float] = time.time
    _counts: dict[str, _Count] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _tell_from: float = float("-inf")

    def count(self, key: str, *, limit: int, seconds: int) -> float | None:
        """Count one request. Returns None, or, where it is one too many, after how many seconds
        the next one may come."""
        with self._lock:
            now = self.clock()
            count = self._of(key, int(now // seconds))
            window = count.window
            if count.known + count.untold >= limit:
                return (window + 1) * seconds - now
            count.untold += 1
            if count.untold < max(1, min(limit // SHARE, LARGEST_SHARE)):
                return None
            told, count.untold = count.untold, 0
            # Of those that wait for the cache the other threads know already.
            count.known += told
            if now < self._tell_from:
                return None
        self._tell(count, f"{key}:{window}", told, seconds=seconds)
        return None

    def forget(self) -> None:
        with self._lock:
            self._counts.clear()
            self._tell_from = float("-inf")

    def _of(self, key: str, window: int) -> _Count:
        count = self._counts.get(key)
        # A clock that was set back begins no window again.
        if count is None or count.window < window:
            if len(self._counts) >= MOST_COUNTED:
                # What was told is known to the cache; a share of each is forgotten.
                self._counts.clear()
            count = self._counts[key] = _Count(window)
        return count

    def _tell(self, count: _Count, key: str, n: int, *, seconds: int) -> None:
        """Add to what all processes counted, and learn of theirs. While the cache is away each
        process keeps the limit by itself, which is better than no answer."""
        try:
            known = n if cache.add(key, n, timeout=2 * seconds) else cache.incr(key, n)
        except ValueError:
            # It ran out between the two: nobody counts in this window any more.
            return
        except (RedisError, OSError) as error:
            logger.warning("requests are counted by each process alone: %s", error)
            self._tell_from = self.clock() + REST_SECONDS
            return
        with self._lock:
            count.known = max(count.known, known)


_counts = RequestCounts()


class _Counted(SimpleRateThrottle):
    """A throttle of the library, by rate and key, with its counting replaced."""

    num_requests: int
    duration: int
    _seconds: float | None = None

    def allow_request(self, request: Request, view: APIView) -> bool:
        key = None if self.rate is None else self.get_cache_key(request, view)
        if key is None:
            return True
        self._seconds = _counts.count(key, limit=self.num_requests, seconds=self.duration)
        return self._seconds is None

    def wait(self) -> float | None:
        return self._seconds


class OfAddress(_Counted, AnonRateThrottle):
    """Requests without a person, by address."""


class OfPerson(_Counted, UserRateThrottle):
    """Requests of a person; by address where there is none."""


def forget() -> None:
    """Begin anew: for a process whose cache was emptied under it."""
    _counts.forget()
