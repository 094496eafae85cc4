"""Finding courses by words, filters and order."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from django.db import models
from django.db.models import F, Q, TextField
from django.db.models.functions import Cast
from django.utils.translation import gettext_lazy as _

from catalog.models import Category, Course
from catalog.querysets import CourseQuerySet

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from accounts.models import User

MOST_WORDS = 5


class Sort(models.TextChoices):
    NEWEST = "newest", _("Newest")
    POPULAR = "popular", _("Most learners")
    RATING = "rating", _("Best rated")
    CHEAPEST = "price", _("Lowest price")
    DEAREST = "price-desc", _("Highest price")


_ORDER = {
    Sort.NEWEST: [F("published_at").desc(nulls_last=True)],
    Sort.POPULAR: [F("n_learners").desc()],
    Sort.RATING: [F("rating_mean").desc(nulls_last=True), F("n_ratings").desc()],
    Sort.CHEAPEST: [F("price_now").asc()],
    Sort.DEAREST: [F("price_now").desc()],
}


@dataclass(frozen=True)
class CourseSearch:
    """What somebody looks for; what is left empty does not narrow the result."""

    text: str = ""
    category: Category | None = None
    kind: str = ""
    level: int | None = None
    language: str = ""
    price_min: Decimal | None = None
    price_max: Decimal | None = None
    sort: Sort = Sort.NEWEST

    @property
    def is_narrowed(self) -> bool:
        return self != CourseSearch(sort=self.sort)


def find_courses(
    search: CourseSearch, *, viewer: User | AnonymousUser, moment: datetime
) -> CourseQuerySet:
    """The courses that match, ready for cards.

    Each word must occur in title, summary, tags or the seller's name. A category holds the
    courses of its subcategories too. Price limits are inclusive and mean the price now.
    """
    courses = (
        Course.objects.visible_to(viewer)
        .select_related("seller", "category")
        .with_ratings()
        .with_learners()
        .with_price_at(moment)
        .filter(_conditions(search))
    )
    if search.text:
        # MySQL keeps JSON as characters, SQLite and MariaDB keep the escapes that were written.
        courses = courses.annotate(tags_text=Cast("tags", TextField()))
        for word in search.text.split()[:MOST_WORDS]:
            courses = courses.filter(
                Q(title__icontains=word)
                | Q(summary__icontains=word)
                | Q(seller__display_name__icontains=word)
                | Q(tags_text__icontains=word)
                | Q(tags_text__icontains=json.dumps(word)[1:-1])
            )
    return courses.order_by(*_ORDER[search.sort], "-pk")


def _conditions(search: CourseSearch) -> Q:
    condition = Q()
    if search.category:
        condition &= Q(category=search.category) | Q(category__parent=search.category)
    if search.kind:
        condition &= Q(kind=search.kind)
    if search.level:
        condition &= Q(level=search.level)
    if search.language:
        condition &= Q(language=search.language)
    if search.price_min is not None:
        condition &= Q(price_now__gte=search.price_min)
    if search.price_max is not None:
        condition &= Q(price_now__lte=search.price_max)
    return condition
