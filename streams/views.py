"""The home page and the pages of live sessions."""

from __future__ import annotations

from typing import Any

from csp.decorators import csp_update
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_GET

from accounts.requester import VISITOR_COOKIE, remember_visitor, visitor_of
from catalog.covers import draw_session_cover
from catalog.responses import address_without, cover_response, numbered_page
from streams import schedule
from streams.covers import session_cover_version, session_host
from streams.models import LiveSession, SessionStatus
from streams.room_page import room_at_load

PAST_PER_PAGE = 12
COMING_UP_ON_HOME = 6
LIVE_ON_HOME = 4
MOST_COMING_UP = 60


@require_GET
def home(request: HttpRequest) -> HttpResponse:
    """What is live, what is chosen for the viewer, what comes."""
    sessions = LiveSession.objects.select_related("seller").with_showcase_size()
    live = list(sessions.live_now()[:LIVE_ON_HOME])
    announced = schedule.announced(sessions, moment=timezone.now())
    coming_up = list(announced[:COMING_UP_ON_HOME])
    first = next(iter(live + coming_up), None)
    context = {"live": live, "coming_up": coming_up, "first": first}
    return render(request, "streams/home.html", context)


@require_GET
def session_list(request: HttpRequest) -> HttpResponse:
    """Live now, coming up by day, and what was shown before."""
    sessions = LiveSession.objects.select_related("seller").with_showcase_size()
    page = numbered_page(sessions.finished(), PAST_PER_PAGE, request.GET.get("page"))
    context: dict[str, Any] = {"page": page, "query": address_without(request, "page")}
    if page.number == 1:
        coming_up = schedule.announced(sessions, moment=timezone.now())[:MOST_COMING_UP]
        context |= {"live": sessions.live_now(), "days": schedule.by_day(coming_up)}
    return render(request, "streams/session_list.html", context)


@require_GET
# A seller who streams elsewhere gives an address anywhere, also while viewers are in the room.
@csp_update({"connect-src": settings.ANY_SITE})  # type: ignore[arg-type]
def session_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """One live session: the room while it is on air; before and after, when, by whom, and what."""
    moment = timezone.now()
    visible = LiveSession.objects.visible_to(request.user).select_related("seller")
    session = get_object_or_404(visible, pk=pk)
    context = {
        "session": session,
        "now": moment,
        "is_overdue": schedule.is_overdue(session, moment=moment),
        "showcase": schedule.showcase_cards(session, moment=moment),
    }
    if session.is_live:
        context |= room_at_load(session, viewer=request.user)
    response = render(request, "streams/session_detail.html", context)
    is_unknown = not request.user.is_authenticated and VISITOR_COOKIE not in request.COOKIES
    if session.is_live and is_unknown:
        # One visitor in all sockets and after every reload, and not one more with each.
        remember_visitor(response, visitor_of(header=None, cookies=request.COOKIES))
    return response


@require_GET
def session_cover(request: HttpRequest, pk: int) -> HttpResponse:
    """The drawn cover of a live session; for good when the address carries its version."""
    visible = LiveSession.objects.visible_to(request.user).select_related("seller")
    session = get_object_or_404(visible, pk=pk)
    svg = draw_session_cover(seller_id=session.seller_id, host=session_host(session))
    return cover_response(
        svg,
        is_public=session.status != SessionStatus.DRAFT,
        is_current=request.GET.get("v") == session_cover_version(session),
    )
