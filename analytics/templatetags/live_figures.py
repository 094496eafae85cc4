"""Panels of the control desk that analytics owns: live figures, and what to show next."""

from __future__ import annotations

from typing import Any

from django import template

from streams.models import LiveSession

register = template.Library()


@register.inclusion_tag("analytics/desk/figures_panel.html")
def session_figures_panel(session: LiveSession) -> dict[str, Any]:
    """The figures of a session, which refresh themselves while it is live."""
    return {"session": session}


@register.inclusion_tag("analytics/desk/next_panel.html")
def next_course_panel(session: LiveSession) -> dict[str, Any]:
    """Which course of the showcase to pin next; refreshes itself while the session is live."""
    return {"session": session}
