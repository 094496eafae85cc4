"""What learners say about a course."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import IntegrityError, transaction
from django.db.models import Count, QuerySet
from django.utils.translation import gettext as _

from accounts.models import User
from catalog.models import HIGHEST_RATING, Course, Enrollment, Review


class NotEnrolled(Exception):
    """Only who learns a course may say what they think of it."""

    def __init__(self) -> None:
        super().__init__(_("Only learners of this course can review it."))


class AlreadyReviewed(Exception):
    """A person reviews a course once."""

    def __init__(self) -> None:
        super().__init__(_("You have reviewed this course already."))


def write_review(*, author: User, course: Course, rating: int, text: str) -> Review:
    """Store what a learner thinks of a course: 1 to 5 stars and words.

    Raises NotEnrolled or AlreadyReviewed. The unique pair decides between two at once.
    """
    if not Enrollment.objects.active().filter(user=author, course=course).exists():
        raise NotEnrolled
    try:
        with transaction.atomic():
            return Review.objects.create(user=author, course=course, rating=rating, text=text)
    except IntegrityError as error:
        raise AlreadyReviewed from error


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
