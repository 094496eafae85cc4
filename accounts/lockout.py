"""Whose door somebody knocks at, for the pause after too many wrong passwords."""

from __future__ import annotations

from collections.abc import Mapping

from django.http import HttpRequest

from accounts.models import normalised_email

# What pages, admin, API and the pause itself call the name in what they pass on.
_NAMES = ("email", "username", "login")


def name_tried(
    request: HttpRequest | None, credentials: Mapping[str, str | None] | None
) -> str | None:
    """The address that was tried, in the form in which it is stored; None for none.

    Without it every failure would count for the network address alone, and one guesser would
    lock out everybody behind the same router.
    """
    given = credentials or (request.POST if request is not None else {})
    return next((normalised_email(given[name]) for name in _NAMES if given.get(name)), None)
