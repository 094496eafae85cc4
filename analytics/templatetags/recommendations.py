"""What the models recommend, as cards for pages."""

from __future__ import annotations

from collections.abc import Iterable

from django import template
from django.utils import timezone

from analytics import serving
from catalog.cards import CourseCard, course_cards
from catalog.models import Course

register = template.Library()


@register.simple_tag(takes_context=True)
def recommended_courses(context: template.Context, n: int = 12) -> list[CourseCard]:
    """Cards of the courses chosen for the viewer of the page, each with its reason."""
    return _cards(serving.recommended_courses(user=context["request"].user, n=n))


@register.simple_tag
def similar_courses(course: Course, n: int = 6) -> list[CourseCard]:
    """Cards of the courses most alike the given one, each with its reason."""
    return _cards(serving.similar_courses(course=course, n=n))


def _cards(recommended: Iterable[serving.Recommended]) -> list[CourseCard]:
    recommended = list(recommended)
    return course_cards(
        [one.course for one in recommended],
        moment=timezone.now(),
        reasons={one.course.pk: one.reason for one in recommended},
    )
