"""Who asks, and from where."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from ipaddress import ip_address

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from accounts.client_ids import is_client_id
from accounts.models import User

# A browser's anonymous visitor is known by a cookie, an app's by a header.
VISITOR_COOKIE = "visitor"
VISITOR_HEADER = "X-Visitor-Id"
VISITOR_SECONDS = 365 * 24 * 3600


class BadVisitorId(Exception):
    """The header of an app names no visitor: it must be a UUID of version 1 to 7."""


def visitor_of(*, header: str | None, cookies: Mapping[str, str]) -> uuid.UUID:
    """The anonymous visitor: from the header of an app, the cookie of a browser, or a new one.

    Raises BadVisitorId.
    """
    told = cookies.get(VISITOR_COOKIE, "") if header is None else header
    try:
        visitor_id = uuid.UUID(told)
        if not is_client_id(visitor_id):
            raise ValueError(told)
    except ValueError:
        if header is not None:
            raise BadVisitorId from None
        # None yet, or one that somebody edited.
        return uuid.uuid4()
    return visitor_id


def visitor_of_api(request: Request) -> uuid.UUID:
    """The same for a request of the API. Raises a ValidationError that names the header."""
    try:
        return visitor_of(header=request.headers.get(VISITOR_HEADER), cookies=request.COOKIES)
    except BadVisitorId as error:
        message = _("The visitor id must be a UUID of version 1 to 7.")
        raise ValidationError({VISITOR_HEADER: [message]}) from error


def remember_visitor(response: HttpResponseBase, visitor_id: uuid.UUID) -> None:
    """Give a browser the cookie by which its visitor is known."""
    response.set_cookie(
        VISITOR_COOKIE,
        str(visitor_id),
        max_age=VISITOR_SECONDS,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def person_of(request: Request) -> User:
    """The signed-in person, or the anonymous one, of whom the same can be asked.

    A view that needs a signed-in person says so by its permissions, before this is called.
    """
    return request.user  # type: ignore[return-value]


def address_of(request: HttpRequest | Request) -> str | None:
    """The IP address of the client, or None when it cannot be told.

    Each proxy adds to X-Forwarded-For who came to it: with N_PROXIES in front, the entry so many
    from the end is the client. What stands before it, the client may have made up.
    """
    told = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if settings.N_PROXIES else []
    entries = [entry.strip() for entry in told if entry.strip()]
    nearest = entries[-settings.N_PROXIES :] or [request.META.get("REMOTE_ADDR", "")]
    try:
        return str(ip_address(nearest[0]))
    except ValueError:
        return None


def has_phone(request: Request | HttpRequest) -> bool:
    """Whether a phone asks, by what its browser calls itself."""
    return "Mobi" in request.headers.get("User-Agent", "")
