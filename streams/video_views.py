"""The video of a live session at its desk: for those who manage the session alone.

A new stream key is in the answer to the request that made it, and nowhere else.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from accounts.requests import HtmxHttpRequest
from streams.broadcast import set_video_address
from streams.desk_access import managed_session
from streams.models import LiveSession
from streams.stream_keys import new_stream_key
from streams.video_forms import VideoAddressForm

INVALID = 422


@require_safe
@never_cache
def show_health(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    """How the stream is, for a desk that asks every few seconds."""
    context = {"session": managed_session(request, pk), "is_fragment": True}
    return render(request, "streams/desk_stream.html", context)


@require_POST
@never_cache
def make_key(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    """Make the seller a new stream key and show it, once."""
    session = managed_session(request, pk)
    return _answer(request, session, new_key=new_stream_key(session.seller, moment=timezone.now()))


@require_POST
@never_cache
def set_address(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    """Play what comes from elsewhere."""
    session = managed_session(request, pk)
    form = VideoAddressForm(request.POST)
    if not form.is_valid():
        fault = " ".join(map(str, form.errors["url"]))
        return _answer(request, session, fault=fault, given=request.POST.get("url", ""))
    set_video_address(session.pk, form.cleaned_data["url"])
    return _answer(request, session, is_saved=True)


def _answer(request: HtmxHttpRequest, session: LiveSession, **more: Any) -> HttpResponse:
    """The part of the desk where HTMX asked, a page with it elsewhere."""
    name = "streams/desk_video.html" if request.htmx else "streams/desk_video_page.html"
    context = {"session": session, **more}
    return render(request, name, context, status=INVALID if "fault" in more else 200)
