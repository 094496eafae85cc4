"""Lists of people who did nothing since: remembered by the process, as long as all is the same.

Most who open the app did nothing new with a course since they opened it last. What they did is read
at each request all the same; only when that, the model, what is on sale, and the day are those of
the list that is held, it is not computed again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")

# For what is not asked for at each request: whether a course that was finished got another lesson.
HELD_SECONDS = 600.0
MOST_PEOPLE = 4_000


@dataclass
class HeldLists(Generic[T]):
    """One list of each person, with what it was made of; shared by the threads of a process."""

    clock: Callable[[], float] = time.monotonic
    _held: dict[int, tuple[float, Hashable, T]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, user_id: int, made_of: Hashable) -> T | None:
        """The person's list, if it was made of the same a moment ago."""
        held = self._held.get(user_id)
        if held is None or held[1] != made_of or self.clock() - held[0] >= HELD_SECONDS:
            return None
        return held[2]

    def put(self, user_id: int, made_of: Hashable, made: T) -> None:
        """Hold the list; the person whose list was made first goes where there are too many."""
        with self._lock:
            self._held.pop(user_id, None)
            if len(self._held) >= MOST_PEOPLE:
                del self._held[next(iter(self._held))]
            self._held[user_id] = (self.clock(), made_of, made)

    def drop(self, user_id: int) -> None:
        with self._lock:
            self._held.pop(user_id, None)

    def forget(self) -> None:
        with self._lock:
            self._held.clear()
