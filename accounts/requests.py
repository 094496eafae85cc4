"""Requests as views get them after decorators and middleware, for type checks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.http import HttpRequest

if TYPE_CHECKING:
    from django_htmx.middleware import HtmxDetails

    from accounts.models import User


class AuthenticatedHttpRequest(HttpRequest):
    """Behind `login_required`."""

    user: User


class HtmxHttpRequest(HttpRequest):
    """With what HTMX says about the request."""

    htmx: HtmxDetails
