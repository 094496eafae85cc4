"""The platform, with each list of recommendations made anew: what nobody asked for a moment ago."""

from __future__ import annotations

from analytics import held_lists
from livecourse.wsgi import application

__all__ = ["application"]

held_lists.HELD_SECONDS = 0.0
