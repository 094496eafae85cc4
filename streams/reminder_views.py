"""Waiting for a live session: the reminder, and the file for one's own calendar."""

from __future__ import annotations

from urllib.parse import urlencode

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from streams.calendar_file import NoBeginning, calendar_of
from streams.models import LiveSession
from streams.reminders import NotScheduled, ask_for_reminder, drop_reminder


@require_POST
def reminder(request: HttpRequest, pk: int) -> HttpResponse:
    """Set or drop the reminder, as the button says; then back to the page of the session."""
    session = get_object_or_404(LiveSession.objects.visible_to(request.user), pk=pk)
    page = reverse("streams:session_detail", args=[pk])
    if not request.user.is_authenticated:
        query = urlencode({"next": page})
        return redirect(f"{reverse('account_signup')}?{query}")
    if request.POST.get("wish") == "drop":
        drop_reminder(viewer=request.user, session=session)
        messages.success(request, _("You will not be reminded of this session."))
    else:
        try:
            ask_for_reminder(viewer=request.user, session=session)
        except NotScheduled as error:
            messages.error(request, str(error))
        else:
            messages.success(request, _("You will get an e-mail before the session begins."))
    return redirect(page)


@require_safe
def calendar_file(request: HttpRequest, pk: int) -> HttpResponse:
    """The session for one's own calendar; phones offer to add it when they open it."""
    session = get_object_or_404(LiveSession.objects.visible_to(request.user), pk=pk)
    try:
        text = calendar_of(session, moment=timezone.now())
    except NoBeginning as error:
        raise Http404(_("Nobody has said yet when this session begins.")) from error
    response = HttpResponse(text, content_type="text/calendar; charset=utf-8")
    response["Content-Disposition"] = f'inline; filename="livecourse-{pk}.ics"'
    # It holds what a change of the plan makes wrong.
    response["Cache-Control"] = "private, no-cache"
    return response
