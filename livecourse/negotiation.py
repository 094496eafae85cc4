"""Which form an answer of the API has: asked of the library once for each Accept header."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

# Apps send the same few headers; others may send what they like.
MOST_HEADERS = 256


class RememberedNegotiation(DefaultContentNegotiation):
    """The library's answer for the same header and renderers, as it was before."""

    _chosen: ClassVar[dict[tuple[object, ...], tuple[int, str]]] = {}

    def select_renderer(
        self,
        request: Request,
        renderers: Iterable[BaseRenderer],
        format_suffix: str | None = None,
    ) -> tuple[Any, str]:
        """Raises NotAcceptable, which is never remembered."""
        if format_suffix or request.query_params:
            return super().select_renderer(request, renderers, format_suffix)
        renderers = list(renderers)
        key = (request.META.get("HTTP_ACCEPT"), *map(type, renderers))
        known = self._chosen.get(key)
        if known is None:
            renderer, media_type = super().select_renderer(request, renderers)
            if len(self._chosen) >= MOST_HEADERS:
                self._chosen.clear()
            known = self._chosen[key] = (renderers.index(renderer), media_type)
        at, media_type = known
        return renderers[at], media_type
