"""Answers that several pages give alike."""

from __future__ import annotations

from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _

YEAR_SECONDS = 365 * 24 * 3600
DOUBTFUL_SECONDS = 300


def cover_response(svg: bytes, *, is_public: bool, is_current: bool) -> HttpResponse:
    """A drawn cover with the headers that let browsers keep it."""
    response = HttpResponse(svg, content_type="image/svg+xml; charset=utf-8")
    seconds = YEAR_SECONDS if is_current else DOUBTFUL_SECONDS
    scope = "public" if is_public else "private"
    immutable = ", immutable" if is_current else ""
    response["Cache-Control"] = f"{scope}, max-age={seconds}{immutable}"
    return response


def numbered_page(rows: QuerySet, per_page: int, number: str | None) -> Page:
    """The page of that number, the first without one; a number that does not exist is a 404."""
    paginator = Paginator(rows, per_page)
    wanted = number or "1"
    is_number = wanted.isascii() and wanted.isdigit() and len(wanted) < 10
    if not is_number or not 1 <= int(wanted) <= paginator.num_pages:
        raise Http404(
            _("There is no page %(number)s; the last one is %(last)d.")
            % {"number": wanted[:20], "last": paginator.num_pages}
        )
    return paginator.page(int(wanted))


def address_without(request: HttpRequest, name: str) -> str:
    """The query of the request without one field and without empty ones, for links to pages."""
    query = request.GET.copy()
    for key in [key for key, value in query.items() if key == name or not value]:
        del query[key]
    return query.urlencode()
