"""Where the drawn cover of a live session is found."""

from __future__ import annotations

from django.urls import reverse

from catalog.covers import cover_version
from streams.models import LiveSession


def session_cover_url(session: LiveSession) -> str:
    """The address of the drawn cover, with its version."""
    return f"{reverse('streams:cover', args=[session.pk])}?v={session_cover_version(session)}"


def session_cover_version(session: LiveSession) -> str:
    """Twelve hexadecimal digits that change whenever the drawn cover would."""
    return cover_version("session", session.seller_id, session_host(session))


def session_host(session: LiveSession) -> str:
    """The name on the cover: the seller's, or the session's own where the seller has none."""
    return session.seller.display_name or session.title
