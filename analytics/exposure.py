"""How often lists showed each course: counted in the process, stored some seconds later."""

from __future__ import annotations

import atexit
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date

from django.db import Error, connection, transaction
from django.utils import timezone

from analytics.models import ListExposure
from catalog.models import Course

logger = logging.getLogger(__name__)

FLUSH_EVERY_SECONDS = 10.0
# Where the database stays away, so many pairs of day and course are remembered, and no others.
MOST_PENDING = 100_000


@dataclass
class Counts:
    """Counts of one process, shared by its threads. Of nobody in particular."""

    clock: Callable[[], float] = time.monotonic
    _shown: Counter[tuple[date, int]] = field(default_factory=Counter)
    _explored: Counter[tuple[date, int]] = field(default_factory=Counter)
    _flushed_at: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, shown: Iterable[int], explored: Iterable[int], *, day: date) -> None:
        """Count one list; stores what has gathered once in FLUSH_EVERY_SECONDS."""
        with self._lock:
            for course in shown:
                if len(self._shown) < MOST_PENDING or (day, course) in self._shown:
                    self._shown[day, course] += 1
            for course in explored:
                if (day, course) in self._shown:
                    self._explored[day, course] += 1
            if self.clock() - self._flushed_at < FLUSH_EVERY_SECONDS:
                return
            self._flushed_at = self.clock()
        self.flush()

    def forget(self) -> None:
        """Drop what has gathered and begin a new round."""
        with self._lock:
            self._shown, self._explored = Counter(), Counter()
            self._flushed_at = self.clock()

    def flush(self) -> None:
        """Store what has gathered. Where the database refuses, it is kept for the next time: a
        page must not fail for a count."""
        with self._lock:
            shown, explored = self._shown, self._explored
            self._shown, self._explored = Counter(), Counter()
        if not shown:
            return
        try:
            _store(shown, explored)
        except Error as error:
            logger.warning("counts of lists wait for the database: %s", error)
            with self._lock:
                self._shown.update(shown)
                self._explored.update(explored)


def _store(shown: Counter[tuple[date, int]], explored: Counter[tuple[date, int]]) -> None:
    # In one order for all processes, or two of them would wait for each other.
    keys = sorted(shown)
    known = set(
        Course.objects.filter(pk__in={course for _day, course in keys}).values_list("pk", flat=True)
    )
    rows = [
        (day, course, shown[day, course], explored[day, course])
        for day, course in keys
        if course in known
    ]
    if not rows:
        return
    table = connection.ops.quote_name(ListExposure._meta.db_table)
    if connection.vendor == "mysql":
        added = (
            "ON DUPLICATE KEY UPDATE n_shown = n_shown + VALUES(n_shown), "
            "n_explored = n_explored + VALUES(n_explored)"
        )
    else:
        added = (
            "ON CONFLICT (day, course_id) DO UPDATE SET n_shown = n_shown + excluded.n_shown, "
            "n_explored = n_explored + excluded.n_explored"
        )
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO {table} (day, course_id, n_shown, n_explored) "  # noqa: S608 names only
            f"VALUES (%s, %s, %s, %s) {added}",
            rows,
        )


_counts = Counts()
atexit.register(_counts.flush)


def count_list(shown: Iterable[int], explored: Iterable[int]) -> None:
    """Count that a list showed these courses, of them some to try them out."""
    _counts.add(shown, explored, day=timezone.localdate())


def flush() -> None:
    """Store what has gathered now."""
    _counts.flush()


def forget() -> None:
    """Drop what has gathered: for a process whose database was changed under it."""
    _counts.forget()
