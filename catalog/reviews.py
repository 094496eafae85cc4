"""What learners say about a course."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count, QuerySet

from catalog.models import HIGHEST_RATING, Course, Review


@dataclass(frozen=True)
class StarCount:
    """How many of all shown ratings gave so many stars."""

    stars: int
    n: int
    of: int

    @property
    def percent(self) -> int:
        """The share in whole percent, 0 without ratings."""
        return round(self.n * 100 / self.of) if self.of else 0


def shown_reviews(course: Course) -> QuerySet[Review]:
    """The reviews that everybody sees, newest first, with their authors."""
    return (
        course.reviews.filter(is_visible=True).select_related("user").order_by("-created_at", "-pk")
    )


def star_counts(course: Course) -> list[StarCount]:
    """One count for each number of stars, five first, from the reviews shown."""
    counted = dict(
        course.reviews.filter(is_visible=True)
        .order_by()
        .values_list("rating")
        .annotate(n=Count("pk"))
    )
    total = sum(counted.values())
    return [
        StarCount(stars, counted.get(stars, 0), total) for stars in range(HIGHEST_RATING, 0, -1)
    ]
