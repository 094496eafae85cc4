"""Pages of the API's lists: by cursor, so that rows that come or go meanwhile move no page."""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import urlencode

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.generics import GenericAPIView
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.views import APIView

LARGEST_ID = 2**63 - 1


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > LARGEST_ID:
        raise ValueError("not a whole number of 64 bits")
    return value


def _real(value: object) -> float:
    if not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError("not a number")
    return float(value)


def _moment(value: object) -> datetime:
    moment = datetime.fromisoformat(str(value))
    if moment.tzinfo is None:
        raise ValueError("no zone")
    # Here, where an overflow is caught: the first and last hours of the calendar have no UTC.
    return moment.astimezone(UTC)


def _amount(value: object) -> Decimal:
    amount = Decimal(str(value))
    if not amount.is_finite() or abs(amount) > LARGEST_ID or amount != round(amount, 2):
        raise ValueError("not an amount")
    return amount


@dataclass(frozen=True)
class SortKey:
    """A column or annotation, never NULL, by which a list is ordered."""

    name: str
    is_descending: bool
    read: Callable[[Any], Any]


def whole(name: str, *, is_descending: bool = False) -> SortKey:
    return SortKey(name, is_descending, _whole)


def real(name: str, *, is_descending: bool = False) -> SortKey:
    return SortKey(name, is_descending, _real)


def moment(name: str, *, is_descending: bool = False) -> SortKey:
    return SortKey(name, is_descending, _moment)


def amount(name: str, *, is_descending: bool = False) -> SortKey:
    return SortKey(name, is_descending, _amount)


class KeysetPagination(CursorPagination):
    """A page after or before the row that the cursor names by its sort keys.

    A view sets `sort_keys` or overrides `get_sort_keys`; the last key must be unique. DRF's
    own cursors count offsets among equal values of a first key, and lose rows beyond a
    thousand equal ones; these compare all keys.
    """

    page_size = 20
    max_page_size = 100
    page_size_query_param = "limit"

    def paginate_queryset(  # type: ignore[override]
        self, queryset: QuerySet, request: Request, view: APIView | None = None
    ) -> list[Any]:
        self._address = request.build_absolute_uri(request.path)
        self._query = {
            name: request.query_params.getlist(name)
            for name in request.query_params
            if name != self.cursor_query_param
        }
        keys: Sequence[SortKey] = view.get_sort_keys()  # type: ignore[union-attr]
        size = self._size(request)
        is_backward, position = self._read_cursor(request, keys)
        rows = queryset
        if position is not None:
            rows = rows.filter(_beyond(keys, position, is_backward=is_backward))
        found = list(rows.order_by(*_order(keys, is_backward=is_backward))[: size + 1])
        has_more, page = len(found) > size, found[:size]
        if is_backward:
            page.reverse()
        has_next = position is not None if is_backward else has_more
        has_previous = has_more if is_backward else position is not None
        self._next = self._link(keys, page[-1], is_backward=False) if page and has_next else None
        self._previous = (
            self._link(keys, page[0], is_backward=True) if page and has_previous else None
        )
        self.page = page
        return page

    def get_next_link(self) -> str | None:
        return self._next

    def get_previous_link(self) -> str | None:
        return self._previous

    def get_schema_operation_parameters(self, view: APIView) -> list[dict[str, Any]]:
        cursor, limit = super().get_schema_operation_parameters(view)
        limit["schema"] |= {"minimum": 1, "maximum": self.max_page_size, "default": self.page_size}
        limit["description"] = f"Rows of one page, at most {self.max_page_size}."
        cursor["description"] = "Where the page begins; taken from `next` or `previous`."
        return [cursor, limit]

    def get_paginated_response_schema(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        link = {"type": "string", "nullable": True, "format": "uri"}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {"next": link, "previous": link, "results": schema},
        }

    def _size(self, request: Request) -> int:
        given = request.query_params.get(self.page_size_query_param)
        if given is None:
            return self.page_size
        if given.isascii() and given.isdigit() and len(given) < 6:
            size = int(given)
            if 1 <= size <= self.max_page_size:
                return size
        message = _("The limit must be a whole number from 1 to %(most)d.")
        raise ValidationError(
            {self.page_size_query_param: [message % {"most": self.max_page_size}]}
        )

    def _read_cursor(
        self, request: Request, keys: Sequence[SortKey]
    ) -> tuple[bool, list[Any] | None]:
        given = request.query_params.get(self.cursor_query_param)
        if not given:
            return False, None
        try:
            is_backward, values = json.loads(base64.urlsafe_b64decode(given.encode("ascii")))
            if not isinstance(is_backward, bool) or len(values) != len(keys):
                raise ValueError("not made for this list")
            return is_backward, [key.read(value) for key, value in zip(keys, values, strict=True)]
        except (
            ValueError,
            TypeError,
            binascii.Error,
            InvalidOperation,
            RecursionError,
            OverflowError,
        ) as error:
            raise NotFound(_("There is no such page: the cursor is not valid.")) from error

    def _link(self, keys: Sequence[SortKey], row: Any, *, is_backward: bool) -> str:
        values = [getattr(row, key.name) for key in keys]
        plain = [
            value.isoformat()
            if isinstance(value, datetime)
            else str(value)
            if isinstance(value, Decimal)
            else value
            for value in values
        ]
        text = json.dumps([is_backward, plain], separators=(",", ":"))
        cursor = base64.urlsafe_b64encode(text.encode()).decode()
        query = urlencode({**self._query, self.cursor_query_param: cursor}, doseq=True)
        return f"{self._address}?{query}"


class PagedByKeys(GenericAPIView):
    """A view whose lists have pages by `sort_keys`."""

    pagination_class = KeysetPagination
    sort_keys: Sequence[SortKey] = (whole("pk", is_descending=True),)

    def get_sort_keys(self) -> Sequence[SortKey]:
        return self.sort_keys

    def page(self, rows: QuerySet) -> list[Any]:
        """The rows of the page that the request asks for."""
        return self.paginate_queryset(rows) or []


def _order(keys: Sequence[SortKey], *, is_backward: bool) -> list[str]:
    return [f"-{key.name}" if key.is_descending != is_backward else key.name for key in keys]


def _beyond(keys: Sequence[SortKey], position: Sequence[Any], *, is_backward: bool) -> Q:
    """Rows after the position in the order of the keys: (a, b) > (1, 2) column by column."""
    condition = Q()
    same: dict[str, Any] = {}
    for key, value in zip(keys, position, strict=True):
        comparison = "lt" if key.is_descending != is_backward else "gt"
        condition |= Q(**same, **{f"{key.name}__{comparison}": value})
        same[key.name] = value
    return condition
