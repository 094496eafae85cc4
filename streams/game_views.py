"""Polls and lucky draws on pages: the desk's panel, and the public page of a draw."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from accounts.requests import AuthenticatedHttpRequest, HtmxHttpRequest
from streams import draws, polls
from streams.desk_access import managed_session
from streams.draws import DrawRefused
from streams.game_forms import DrawForm, PollForm
from streams.models import Draw, LiveSession, Poll
from streams.polls import PollRefused
from streams.taking_part import CannotTakePart


@require_safe
def draw_page(request: HttpRequest, pk: int, draw: int) -> HttpResponse:
    """One lucky draw: its commitment, all tickets, and after it the secret and the winners."""
    visible = LiveSession.objects.visible_to(request.user).select_related("seller")
    session = get_object_or_404(visible, pk=pk)
    found = get_object_or_404(Draw, pk=draw, live_session=session)
    moment = timezone.now()
    mine = draws.entry_in(found, request.user)
    is_open = found.drawn_at is None and found.closes_at > moment and session.is_live
    runs_it = request.user.is_authenticated and draws.runs_session(request.user, session)
    context = {
        "session": session,
        "draw": found,
        "is_open": is_open,
        "is_closing": found.drawn_at is None and found.closes_at <= moment,
        "may_enter": is_open and mine is None and not runs_it,
        "mine": mine,
        "secret": draws.secret_of(found),
        "winners": [(one, draws.name_of(one)) for one in draws.winners_of(found)],
        "tickets": draws.tickets_of(found),
        "json_url": request.build_absolute_uri(reverse("api:draw", args=[pk, draw])),
    }
    return render(request, "streams/draw.html", context)


@require_POST
@login_required
def enter(request: AuthenticatedHttpRequest, pk: int, draw: int) -> HttpResponse:
    """Enter the draw from its page."""
    session = get_object_or_404(LiveSession.objects.visible_to(request.user), pk=pk)
    found = get_object_or_404(Draw, pk=draw, live_session=session)
    try:
        draws.enter_draw(found.pk, viewer=request.user, moment=timezone.now())
    except (DrawRefused, CannotTakePart) as error:
        messages.error(request, str(error))
    return redirect("streams:draw", pk, draw)


@require_safe
def desk_games(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    """The panel with what is asked and drawn now."""
    return _panel(request, managed_session(request, pk))


@require_POST
def open_poll(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    session, form = managed_session(request, pk), PollForm(request.POST)
    if form.is_valid():
        try:
            polls.open_poll(session.pk, moment=timezone.now(), **form.cleaned_data)
        except (PollRefused, CannotTakePart) as error:
            form.add_error(None, str(error))
    return _panel(request, session, poll_form=form)


@require_POST
def close_poll(request: HtmxHttpRequest, pk: int, poll: int) -> HttpResponse:
    session = managed_session(request, pk)
    found = get_object_or_404(Poll, pk=poll, live_session=session)
    polls.close_poll(found.pk, moment=timezone.now())
    return _panel(request, session)


@require_POST
def open_draw(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    session, form = managed_session(request, pk), DrawForm(request.POST)
    if form.is_valid():
        moment = timezone.now()
        try:
            draws.open_draw(
                session.pk,
                prize=form.cleaned_data["prize"],
                n_winners=form.cleaned_data["n_winners"],
                closes_at=moment + form.length(),
                moment=moment,
            )
        except (DrawRefused, CannotTakePart) as error:
            form.add_error(None, str(error))
    return _panel(request, session, draw_form=form)


@require_POST
def pick_winners(request: HtmxHttpRequest, pk: int, draw: int) -> HttpResponse:
    """Pick the winners now, without waiting for the clock; of an open draw it changes nothing."""
    session = managed_session(request, pk)
    found = get_object_or_404(Draw, pk=draw, live_session=session)
    draws.draw_winners(found.pk, moment=timezone.now())
    return _panel(request, session)


def _panel(request: HtmxHttpRequest, session: LiveSession, **forms: Any) -> HttpResponse:
    """The panel as a fragment; without HTMX, back to the desk, which shows it."""
    refused = {name: form for name, form in forms.items() if form.errors}
    if request.htmx:
        context = {"session": session, **refused}
        return render(request, "streams/desk_games.html", context)
    for form in refused.values():
        for errors in form.errors.values():
            messages.error(request, " ".join(errors))
    return redirect(reverse("streams:desk", args=[session.pk]) + "#desk-games")
