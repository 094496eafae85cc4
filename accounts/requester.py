"""Who asks."""

from __future__ import annotations

from rest_framework.request import Request

from accounts.models import User


def person_of(request: Request) -> User:
    """The signed-in person, or the anonymous one, of whom the same can be asked.

    A view that needs a signed-in person says so by its permissions, before this is called.
    """
    return request.user  # type: ignore[return-value]
