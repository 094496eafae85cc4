"""The parts of the control desk that analytics owns: live figures, what to show next, the report.

Sellers see those of their own sessions, operators all; for anybody else there is none.
"""

from __future__ import annotations

import hashlib
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.table_export import EXPORT_FORMATS, SafeCSV, SafeXLSX
from analytics import live_words
from analytics.live_figures import live_figures
from analytics.next_course import next_courses
from streams.desk_access import of_desk
from streams.models import LiveSession

_FORMATS = {"csv": SafeCSV, "xlsx": SafeXLSX}
assert set(_FORMATS.values()) == set(EXPORT_FORMATS)


@require_safe
@of_desk
def figures(request: HttpRequest, session: LiveSession) -> HttpResponse:
    """The live figures, or 204 when they read as the page says they do already."""
    found = live_figures(session, moment=timezone.now())
    context = {
        "session": session,
        "is_live": found.is_live,
        "figures": live_words.figures_shown(found),
        "basis": live_words.basis_text(found),
        "minutes": live_words.minute_table(found),
        "tables": [live_words.product_table(found), live_words.source_table(found)],
        "audience": live_words.audience_tables(found.audience),
        "audience_note": live_words.audience_note(found.audience),
        "chart": live_words.chart_of(found),
    }
    return _fragment(request, "analytics/desk/figures.html", context)


@require_safe
@of_desk
def next_course(request: HttpRequest, session: LiveSession) -> HttpResponse:
    """The ranking of the showcase for the people in the room, or 204 when it has not changed."""
    advice = next_courses(session, moment=timezone.now())
    courses = [
        {
            "course": one,
            "expected": live_words.expected_text(one),
            "reason": live_words.reason_text(one),
            "counts": live_words.session_counts_text(one),
        }
        for one in (advice.courses if advice else [])
    ]
    context = {
        "session": session,
        "is_live": session.is_live,
        "advice": advice,
        "courses": courses,
        "note": live_words.advice_note(advice) if advice else "",
        "level": round(advice.level * 100) if advice else 0,
    }
    return _fragment(request, "analytics/desk/next.html", context)


def _fragment(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    """The fragment with a digest of itself, which comes back with the next question."""
    body = render_to_string(template, context, request=request)
    digest = hashlib.sha256(body.encode()).hexdigest()[:16]
    if request.GET.get("seen") == digest:
        return HttpResponse(status=204)
    state = render_to_string(
        "analytics/desk/seen.html", {"digest": digest, "is_live": context["is_live"]}
    )
    return HttpResponse(body + state)


@require_safe
@of_desk
def report(request: HttpRequest, session: LiveSession, form: str) -> HttpResponse:
    """All figures of the session as a file for a spreadsheet."""
    file_format = _FORMATS[form]()
    table = live_words.report_of(live_figures(session, moment=timezone.now()))
    response = HttpResponse(
        file_format.export_data(table), content_type=file_format.get_content_type()
    )
    response["Content-Disposition"] = f'attachment; filename="session-{session.pk}.{form}"'
    return response
