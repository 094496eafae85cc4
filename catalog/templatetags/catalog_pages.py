"""Pieces of pages that the catalogue owns."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from django import template
from django.db.models import Count, Q
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from catalog import cards, covers, markdown
from catalog.cover_motifs import PALETTES
from catalog.forms import InterestsForm
from catalog.models import HIGHEST_RATING, Category, Course, CourseStatus

register = template.Library()

_SYMBOLS = {"CNY": "¥", "USD": "$", "EUR": "€", "GBP": "£"}
_HTML_LANGUAGES = {"zh": "zh-Hans", "en": "en"}


@register.filter
def money(amount: Decimal, currency: str) -> str:
    """An amount with its currency: ¥1,299, ¥9.90, or Free."""
    return _("Free") if amount == 0 else sum_of_money(amount, currency)


def sum_of_money(amount: Decimal, currency: str) -> str:
    """The same for what is no price: of nothing it is ¥0."""
    digits = f"{amount:,.2f}".removesuffix(".00")
    symbol = _SYMBOLS.get(currency)
    return f"{symbol}{digits}" if symbol else f"{currency}\u00a0{digits}"


@register.filter
def length_of_time(seconds: int) -> str:
    """The length of a lesson: 08:05, or 1:02:03 from an hour on."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes:02}:{rest:02}"


@register.filter
def spoken_length(seconds: int) -> str:
    """The length of a course in words: 45 minutes, 3 hours, 12.5 hours."""
    minutes = round(seconds / 60)
    if minutes < 90:
        return ngettext("%(n)d minute", "%(n)d minutes", minutes) % {"n": minutes}
    halves = round(minutes / 30)
    hours = halves // 2
    if halves % 2:
        return _("%(n)s hours") % {"n": f"{hours}.5"}
    return ngettext("%(n)d hour", "%(n)d hours", hours) % {"n": hours}


@register.filter
def html_language(course: Course) -> str:
    """The value of `lang` for text that the seller wrote."""
    return _HTML_LANGUAGES[course.language]


@register.filter
def stars(rating: int) -> list[str]:
    """The class of each of the five stars that show a rating."""
    return ["star--lit"] * rating + ["star--dim"] * (HIGHEST_RATING - rating)


@register.filter
def cover_palette(category_id: int) -> int:
    """The number of the palette in which the covers of a field are drawn."""
    return category_id % len(PALETTES)


@register.filter
def cover_url(course: Course) -> str:
    return covers.course_cover_url(course)


@register.filter
def rendered_markdown(text: str) -> SafeString:
    return markdown.render_markdown(text)


@register.simple_tag
def course_cards(courses: Iterable[Course]) -> list[cards.CourseCard]:
    """Cards of the courses, with one query for their prices."""
    return cards.course_cards(courses, moment=timezone.now())


@register.simple_tag
def newest_courses(n: int, beside: Iterable[cards.CourseCard] = ()) -> list[cards.CourseCard]:
    """Cards of the courses published last, without those that the page shows already."""
    newest = (
        Course.objects.published()
        .exclude(pk__in=[card.course.pk for card in beside])
        .select_related("seller", "category")
        .with_ratings()
        .order_by("-published_at", "-pk")[:n]
    )
    return cards.course_cards(newest, moment=timezone.now())


@register.simple_tag
def fields_with_courses() -> list[Category]:
    """Categories that hold published courses themselves, with `n_published`."""
    published = Count("courses", filter=Q(courses__status=CourseStatus.PUBLISHED))
    return list(Category.objects.annotate(n_published=published).filter(n_published__gt=0))


@register.simple_tag(takes_context=True)
def interests_form(context: template.Context) -> InterestsForm:
    """The form for the signed-in person's chosen fields."""
    chosen = Category.objects.filter(
        pk__in=context["user"].chosen_interests.values("category")
    ).values_list("slug", flat=True)
    return InterestsForm(initial={"categories": list(chosen)})
