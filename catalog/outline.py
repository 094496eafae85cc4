"""What a course holds, in order."""

from __future__ import annotations

from dataclasses import dataclass

from catalog.models import Course, Lesson, Section


@dataclass(frozen=True)
class OutlineSection:
    """One section with its lessons and their length together."""

    section: Section
    lessons: list[Lesson]

    @property
    def seconds(self) -> int:
        return sum(lesson.duration_seconds for lesson in self.lessons)


@dataclass(frozen=True)
class Outline:
    """The sections of a course."""

    sections: list[OutlineSection]

    @property
    def n_lessons(self) -> int:
        return sum(len(section.lessons) for section in self.sections)

    @property
    def n_previews(self) -> int:
        return sum(lesson.is_preview for section in self.sections for lesson in section.lessons)

    @property
    def seconds(self) -> int:
        return sum(section.seconds for section in self.sections)


def outline_of(course: Course) -> Outline:
    """The outline; two queries, none when `sections__lessons` was fetched before."""
    return Outline(
        [OutlineSection(section, list(section.lessons.all())) for section in course.sections.all()]
    )
