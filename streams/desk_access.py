"""Who sees the control desk of a live session: its seller and operators, and nobody else."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.cache import never_cache

from streams.models import LiveSession


def managed_session(request: HttpRequest, pk: int) -> LiveSession:
    """The session with its seller, if the person who asks manages it. Raises Http404."""
    sessions = LiveSession.objects.managed_by(request.user).select_related("seller")
    return get_object_or_404(sessions, pk=pk)


def of_desk(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Give the view the session that the address names, to those who manage it alone."""

    @wraps(view)
    def find(request: HttpRequest, pk: int, **names: Any) -> HttpResponse:
        return view(request, managed_session(request, pk), **names)

    return never_cache(find)
