"""What is on sale now, as scoring and the rules of lists need it: read once in some seconds."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import numpy as np

from analytics.methods.list_rules import draw_of
from analytics.methods.served_model import ServedModel
from catalog.models import Course, CourseStatus

# For so long a course that was just taken off sale may still be ranked; pages leave it out.
HOLDS_SECONDS = 2.0


@dataclass(frozen=True)
class OnSale:
    """Published courses: ids (n,) ascending, and by id the seller, the field, and since when.

    Of equal ones a process keeps the first: what has the same `number` is the same.
    """

    ids: list[int]
    seller: dict[int, int]
    category: dict[int, int]
    published_at: dict[int, datetime]
    n_sellers: int
    number: int = field(default_factory=itertools.count().__next__, compare=False)
    _made: dict[Hashable, Any] = field(default_factory=dict, compare=False)

    def allowed(self, run_id: int, model: ServedModel) -> np.ndarray:
        """(n_items,) bool: which of the courses of a model are on sale."""
        return self._once(("allowed", run_id), lambda: np.isin(model.course_ids, self.ids))

    def newcomers(
        self, run_id: int, model: ServedModel, *, since: datetime, few: int, day: date
    ) -> list[int]:
        """Courses published since then with fewer learners than `few`, in an order of the day."""

        def found() -> list[int]:
            new = [
                course
                for course, published_at in self.published_at.items()
                if published_at >= since and model.learners_of(course) < few
            ]
            return sorted(new, key=lambda course: draw_of(day, course))

        return self._once(("newcomers", run_id, day, few), found)

    def _once(self, what: Hashable, make: Callable[[], Any]) -> Any:
        if what not in self._made:
            self._made[what] = make()
        return self._made[what]


@dataclass
class Window:
    """The courses on sale, at most HOLDS_SECONDS old."""

    clock: Callable[[], float] = time.monotonic
    _seen: OnSale | None = None
    _seen_at: float = float("-inf")
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def now(self) -> OnSale:
        seen = self._seen
        if seen is not None and self.clock() - self._seen_at < HOLDS_SECONDS:
            return seen
        # One thread reads; the others go on with what is there.
        if not self._lock.acquire(blocking=seen is None):
            assert seen is not None, "a lock that is waited for is got"
            return seen
        try:
            began, found = self.clock(), self._seen
            if found is None or began - self._seen_at >= HOLDS_SECONDS:
                fresh = _read()
                found = self._seen = fresh if fresh != found else found
                self._seen_at = began
            return found
        finally:
            self._lock.release()

    def forget(self) -> None:
        self._seen = None


def _read() -> OnSale:
    rows = list(
        Course.objects.filter(status=CourseStatus.PUBLISHED)
        .order_by("pk")
        .values_list("pk", "seller_id", "category_id", "published_at")
    )
    return OnSale(
        ids=[row[0] for row in rows],
        seller={row[0]: row[1] for row in rows},
        category={row[0]: row[2] for row in rows},
        published_at={row[0]: row[3] for row in rows if row[3]},
        n_sellers=len({row[1] for row in rows}),
    )


_window = Window()


def on_sale() -> OnSale:
    """What is on sale, at most HOLDS_SECONDS ago."""
    return _window.now()


def forget() -> None:
    """Read anew at the next call."""
    _window.forget()
