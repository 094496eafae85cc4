"""How often lists showed each course: counted in the process, stored some seconds later."""

from __future__ import annotations

import atexit
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from django.db import Error, connection, transaction
from django.utils import timezone

from analytics.models import ListExposure
from catalog.models import Course

logger = logging.getLogger(__name__)

FLUSH_EVERY_SECONDS = 10.0
# Where the database stays away, so many courses of a day are remembered, and no others.
MOST_PENDING = 100_000


@dataclass
class Counts:
    """Counts of one process, shared by its threads. Of nobody in particular."""

    clock: Callable[[], float] = time.monotonic
    _shown: dict[date, Counter[int]] = field(default_factory=dict)
    _explored: dict[date, Counter[int]] = field(default_factory=dict)
    _flushed_at: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, shown: Sequence[int], explored: Sequence[int], *, day: date) -> None:
        """Count one list; stores what has gathered once in FLUSH_EVERY_SECONDS."""
        with self._lock:
            known = self._shown.setdefault(day, Counter())
            if len(known) >= MOST_PENDING:
                shown = [course for course in shown if course in known]
            known.update(shown)
            if explored:
                tried = self._explored.setdefault(day, Counter())
                tried.update(course for course in explored if course in known)
            if self.clock() - self._flushed_at < FLUSH_EVERY_SECONDS:
                return
            self._flushed_at = self.clock()
        self.flush()

    def forget(self) -> None:
        """Drop what has gathered and begin a new round."""
        with self._lock:
            self._shown, self._explored = {}, {}
            self._flushed_at = self.clock()

    def flush(self) -> None:
        """Store what has gathered. Where the database refuses, it is kept for the next time: a
        page must not fail for a count."""
        with self._lock:
            shown, explored = self._shown, self._explored
            self._shown, self._explored = {}, {}
        if not shown:
            return
        try:
            _store(_flat(shown), _flat(explored))
        except Error as error:
            logger.warning("counts of lists wait for the database: %s", error)
            with self._lock:
                for waiting, missed in ((self._shown, shown), (self._explored, explored)):
                    for day, courses in missed.items():
                        waiting.setdefault(day, Counter()).update(courses)


def _flat(counted: dict[date, Counter[int]]) -> Counter[tuple[date, int]]:
    return Counter(
        {(day, one): n for day, courses in counted.items() for one, n in courses.items()}
    )


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


def day_of(moment: datetime) -> date:
    """The day by the clock of the platform, wherever a viewer is."""
    return moment.astimezone(timezone.get_default_timezone()).date()


def count_list(shown: Sequence[int], explored: Sequence[int], *, moment: datetime) -> None:
    """Count that a list showed these courses, of them some to try them out."""
    _counts.add(shown, explored, day=day_of(moment))


def flush() -> None:
    """Store what has gathered now."""
    _counts.flush()


def forget() -> None:
    """Drop what has gathered: for a process whose database was changed under it."""
    _counts.forget()
