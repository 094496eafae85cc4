"""Which lessons make up a course: held by the process, as the same courses are asked for again and
again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from catalog.models import Lesson

# A course that got another lesson counts as finished for so long at most.
HOLDS_SECONDS = 30.0
MOST_COURSES = 10_000


@dataclass
class Outlines:
    """What one process holds, shared by its threads."""

    clock: Callable[[], float] = time.monotonic
    _held: dict[int, tuple[float, frozenset[int]]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def finished(self, course_ids: Collection[int], lessons_done: Collection[int]) -> set[int]:
        """Those of the courses that have lessons, all of which are among those done."""
        if not course_ids or not lessons_done:
            return set()
        lessons = self._lessons(course_ids)
        return {one for one in course_ids if lessons[one] and lessons[one].issubset(lessons_done)}

    def forget(self) -> None:
        with self._lock:
            self._held.clear()

    def _lessons(self, course_ids: Collection[int]) -> dict[int, frozenset[int]]:
        now = self.clock()
        fresh = {
            one: held[1]
            for one in course_ids
            if (held := self._held.get(one)) is not None and now - held[0] < HOLDS_SECONDS
        }
        missing = [one for one in course_ids if one not in fresh]
        if missing:
            read = _read(missing)
            with self._lock:
                if len(self._held) + len(read) > MOST_COURSES:
                    self._held.clear()
                self._held.update({one: (now, lessons) for one, lessons in read.items()})
            fresh.update(read)
        return fresh


def _read(course_ids: Collection[int]) -> dict[int, frozenset[int]]:
    lessons: dict[int, list[int]] = {one: [] for one in course_ids}
    rows = Lesson.objects.filter(section__course__in=course_ids)
    for course, lesson in rows.values_list("section__course", "pk"):
        lessons[course].append(lesson)
    return {course: frozenset(ids) for course, ids in lessons.items()}


_held = Outlines()


def finished_courses(course_ids: Collection[int], lessons_done: Collection[int]) -> set[int]:
    """Those of the courses of which every lesson is among those done, and that have any."""
    return _held.finished(course_ids, lessons_done)


def forget() -> None:
    """Read anew at the next call: for a process whose database was changed under it."""
    _held.forget()
