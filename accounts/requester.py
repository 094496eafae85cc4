"""Who asks, and from where."""

from __future__ import annotations

from ipaddress import ip_address

from django.conf import settings
from django.http import HttpRequest
from rest_framework.request import Request

from accounts.models import User


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
