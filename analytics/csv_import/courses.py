"""Courses of another system, with their seller and category."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from decimal import Decimal
from functools import partial
from typing import Any

from django.utils.text import slugify
from simple_history.utils import bulk_create_with_history, bulk_update_with_history

from analytics.csv_import import cells
from analytics.csv_import.columns import Column
from analytics.csv_import.matched_rows import Draft, MatchedRows
from analytics.csv_import.targets import EXTERNAL_ID_LENGTH, ImportContext, Row, Sellers, Stored
from catalog.models import DEFAULT_CURRENCY, Category, Course, CourseKind, CourseStatus, Level

HIGHEST_PRICE = Decimal("99999999.99")
DEFAULT_CATEGORY = {"slug": "imported", "name_zh": "导入", "name_en": "Imported"}
_LEVELS = {
    **{level.name.lower(): level.value for level in Level},
    **{str(level.value): level.value for level in Level},
}
_TITLE_IN_SLUG = 60
_REASON = "import"


class Courses:
    """Target `courses`. A course is on sale unless its status says otherwise."""

    name = "courses"
    batch_size = 500

    def __init__(self, context: ImportContext) -> None:
        self._context = context
        self._sellers = Sellers(context)
        self._categories: dict[str, int] = {}
        self.columns: Sequence[Column] = [
            Column("external_id", cells.text(EXTERNAL_ID_LENGTH), is_required=True),
            Column("title", cells.text(200), is_required=True),
            Column("summary", cells.text(300)),
            Column("description", cells.text(50_000, has_lines=True)),
            Column("kind", cells.choice({value: value for value in CourseKind.values})),
            Column("language", cells.choice({"zh": "zh", "en": "en"})),
            Column("level", cells.choice(_LEVELS)),
            Column("category", cells.text_list(50, 60)),
            Column("tags", cells.text_list(50, 60)),
            Column("list_price", cells.money(HIGHEST_PRICE)),
            Column("currency", cells.currency),
            Column("status", cells.choice({value: value for value in CourseStatus.values})),
            Column("published_at", cells.past_moment(context.now)),
            Column("seller", self._sellers.parse),
        ]
        self._rows = MatchedRows(
            Course, source=context.source, create=_create, update=partial(_update, context=context)
        )

    def check_columns(self, present: Collection[str]) -> None:
        """Id and title are enough."""

    def forget(self) -> None:
        self._sellers.forget()
        self._categories.clear()

    def store(self, rows: Sequence[Row]) -> Stored:
        return self._rows.store([self._draft(row) for row in rows])

    def _draft(self, row: Row) -> Draft:
        own = dict(row.values)
        external_id = own.pop("external_id")
        fields = own.pop("category", [])
        if fields:
            own["category_id"] = self._category_id(fields[0])
        if "seller" in own:
            own["seller_id"] = own.pop("seller")
        elif self._context.seller is not None:
            own["seller_id"] = self._context.seller.pk
        return Draft(row.line, external_id, own, partial(self._first, external_id, own))

    def _first(self, external_id: str, own: dict[str, Any]) -> dict[str, Any]:
        """What a new course has where its row says nothing."""
        first: dict[str, Any] = {
            "slug": _slug(own["title"], f"{self._context.source}/{external_id}"),
            "language": "zh" if _is_chinese(own["title"]) else "en",
            "list_price": Decimal(0),
            "currency": DEFAULT_CURRENCY,
            "status": CourseStatus.PUBLISHED.value,
        }
        if own.get("status", CourseStatus.PUBLISHED) == CourseStatus.PUBLISHED:
            first["published_at"] = self._context.now
        if "seller_id" not in own:
            first["seller_id"] = self._sellers.default_id
        if "category_id" not in own:
            first["category_id"] = self._category_id(None)
        return first

    def _category_id(self, text: str | None) -> int:
        """The category with this slug or name; a new one where there is none."""
        wanted = text or DEFAULT_CATEGORY["slug"]
        if wanted not in self._categories:
            fields = (
                {"slug": _category_slug(text), "name_zh": text, "name_en": text}
                if text
                else DEFAULT_CATEGORY
            )
            by_name = Category.objects.filter(name_zh=wanted) | Category.objects.filter(
                name_en=wanted
            )
            category = (
                Category.objects.filter(slug=wanted).first()
                or by_name.first()
                or Category.objects.get_or_create(slug=fields["slug"], defaults=fields)[0]
            )
            self._categories[wanted] = category.pk
        return self._categories[wanted]


def _create(rows: Sequence[Course]) -> None:
    bulk_create_with_history(list(rows), Course, default_change_reason=_REASON)


def _update(rows: Sequence[Course], columns: Sequence[str], *, context: ImportContext) -> None:
    for row in rows:
        row.updated_at = context.now
        # The table wants the moment of publication, which the row may not know.
        if row.published_at is None and row.status == CourseStatus.PUBLISHED:
            row.published_at = context.now
    bulk_update_with_history(
        list(rows),
        Course,
        list(dict.fromkeys([*columns, "published_at", "updated_at"])),
        default_change_reason=_REASON,
    )


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def _slug(title: str, identity: str) -> str:
    """An address made of the title; what follows it tells apart courses of one title."""
    readable = slugify(title, allow_unicode=True)[:_TITLE_IN_SLUG].strip("-") or "course"
    return f"{readable}-{_short_hash(identity)}"


def _category_slug(text: str) -> str:
    """Addresses of categories are ASCII; a name of other letters is told by its hash."""
    slug = slugify(text)
    return slug if slug and text.isascii() else f"field-{_short_hash(text)}"


def _is_chinese(title: str) -> bool:
    return any("\u4e00" <= character <= "\u9fff" for character in title)
