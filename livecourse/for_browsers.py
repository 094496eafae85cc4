"""Middleware that only browsers need; requests of apps pass by.

An app shows a token with each request of the API: it has no session, no form and no page, and its
answers are no pages either. Everything else that comes to the API, such as the scripts of our own
pages, is a browser's.
"""

from __future__ import annotations

from typing import Any

import csp.middleware
import django.contrib.auth.middleware
import django.contrib.messages.middleware
import django.contrib.sessions.middleware
import django_htmx.middleware
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from livecourse.caching import API

# Where tokens come from: the account library there writes messages, whoever asks.
SIGN_IN = "/api/v1/auth/"
SCHEME = "Bearer "


def is_of_app(request: HttpRequest) -> bool:
    """Whether the request shows a token to the API, which is all that it is then known by.

    Any other kind of Authorization is a browser's: a site behind a password of its own has it.
    """
    path = request.path_info
    return (
        path.startswith(API)
        and not path.startswith(SIGN_IN)
        and request.META.get("HTTP_AUTHORIZATION", "").startswith(SCHEME)
    )


class _ForBrowsers:
    get_response: Any

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if is_of_app(request):
            return self.get_response(request)
        return super().__call__(request)  # type: ignore[misc]


class ContentSecurityPolicy(_ForBrowsers, csp.middleware.CSPMiddleware):
    pass


class Session(_ForBrowsers, django.contrib.sessions.middleware.SessionMiddleware):
    pass


class SignedIn(_ForBrowsers, django.contrib.auth.middleware.AuthenticationMiddleware):
    """The person of a session. The API asks for the person of a token by itself."""


class Messages(_ForBrowsers, django.contrib.messages.middleware.MessageMiddleware):
    pass


class Htmx(_ForBrowsers, django_htmx.middleware.HtmxMiddleware):
    pass
