"""The overview of the admin: what a seller's sessions, courses and learners did, and what to
expect; for operators also how the models and the background jobs do.

The number of queries is fixed: no row is asked for by itself.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, time, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

from django.db.models import Avg, Count, Q, Sum
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.dates import WEEKDAYS
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.models import User
from accounts.rules import is_operator
from analytics.dashboard_operator import job_outcomes, operator_panels
from analytics.methods.rates import Rate
from analytics.models import CourseRetention, Forecast, LearningSummary, SessionFigures
from analytics.panels import Dashboard, Panel, Tile, moment_text
from analytics.rate_text import hours_text, rate_text, share_text
from catalog.models import Purchase
from catalog.templatetags.catalog_pages import money
from streams.models import LiveSession, OrderAttribution, SessionStatus

N_SESSIONS_PLOTTED = 30
# Sessions behind the heat map, the newest.
N_SESSIONS_BY_HOUR = 500
N_COMING = 10
N_COURSES = 10
N_SALES = 10
N_TABLE_ROWS = 8
SALES_DAYS = 30


def admin_dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add `dashboard` to the context of the admin's first page."""
    context["dashboard"] = dashboard_for(request.user, now=timezone.now())
    context["title"] = _("Overview")
    return context


def dashboard_for(person: User, *, now: datetime) -> Dashboard:
    """What the person may see of everything, as of `now`."""
    figures = list(
        SessionFigures.objects.managed_by(person)
        .filter(live_session__started_at__isnull=False)
        .select_related("live_session")
        .order_by("-live_session__started_at", "-pk")[:N_SESSIONS_BY_HOUR]
    )
    coming = list(
        Forecast.objects.managed_by(person)
        .filter(live_session__status=SessionStatus.SCHEDULED, live_session__scheduled_at__gte=now)
        .select_related("live_session")
        .order_by("live_session__scheduled_at", "pk")[:N_COMING]
    )
    learning = _learning_rows(person)
    days = _sales_by_day(person, now=now)
    panels = [
        _conversion_panel(figures[:N_SESSIONS_PLOTTED], coming),
        _hours_panel(figures),
        _sales_panel(days, _last_sales(person)),
        _retention_panel(person),
        _learning_panel(learning),
    ]
    jobs = []
    if is_operator(person):
        panels += operator_panels()
        jobs = job_outcomes()
    tiles = [
        _conversion_tile(figures, since=now - timedelta(days=SALES_DAYS)),
        _sales_tile(days),
        _coming_tile(person, coming, now=now),
    ]
    return Dashboard(tiles=tiles, panels=panels, jobs=jobs)


# --- Sessions -------------------------------------------------------------------------


def _summed(figures: list[SessionFigures]) -> Rate:
    """Buyers of viewers, each person counted once per session."""
    return Rate(sum(row.n_buyers for row in figures), sum(row.n_viewers for row in figures))


def _conversion_tile(figures: list[SessionFigures], *, since: datetime) -> Tile:
    recent = [row for row in figures if row.live_session.started_at >= since]
    text = ngettext(
        "%(n)d session in %(days)d days", "%(n)d sessions in %(days)d days", len(recent)
    )
    return Tile(
        label=_("Conversion"),
        value=rate_text(_summed(recent)),
        detail=text % {"n": len(recent), "days": SALES_DAYS},
    )


def _coming_tile(person: User, coming: list[Forecast], *, now: datetime) -> Tile:
    n = LiveSession.objects.managed_by(person).coming_up(now).count()
    return Tile(
        label=_("Sessions coming up"),
        value=str(n),
        detail=_("next: %(when)s") % {"when": moment_text(coming[0].live_session.scheduled_at)}
        if coming
        else "",
    )


def _conversion_panel(figures: list[SessionFigures], coming: list[Forecast]) -> Panel:
    past = []
    for row in reversed(figures):
        interval = row.conversion.interval()
        if interval is None:
            continue
        past.append(
            {
                "at": row.live_session.started_at.isoformat(),
                "name": row.live_session.title,
                "rate": round(row.conversion.value * 100, 4),
                "low": round(interval[0] * 100, 4),
                "high": round(interval[1] * 100, 4),
                "text": rate_text(row.conversion),
            }
        )
    ahead = [
        {
            "at": row.live_session.scheduled_at.isoformat(),
            "name": row.live_session.title,
            "rate": round(row.expected_rate * 100, 4),
            "low": round(row.low * 100, 4),
            "high": round(row.high * 100, 4),
            "text": _expected_text(row),
        }
        for row in coming
    ]
    rows = [
        (
            row.live_session.title,
            moment_text(row.live_session.scheduled_at),
            _("expected: %(rate)s") % {"rate": _expected_text(row)},
            f"{row.best_hours[0]['hour']}:00" if row.best_hours else "–",
        )
        for row in coming
    ] + [
        (
            row.live_session.title,
            moment_text(row.live_session.started_at),
            rate_text(row.conversion),
            "–",
        )
        for row in figures[:N_TABLE_ROWS]
    ]
    return Panel(
        key="conversion",
        title=_("Conversion of live sessions"),
        note=_(
            "Distinct buyers of distinct viewers. The line is what was, the open dots what is "
            "expected; the bars say between which rates the truth lies with 95%."
        ),
        headings=[_("live session"), _("begins"), _("conversion"), _("advised hour")],
        rows=rows,
        empty=_("No session was held yet and none is scheduled."),
        chart={
            "kind": "rates",
            "past": past,
            "ahead": ahead,
            "names": {"past": _("measured"), "ahead": _("expected"), "bars": _("interval")},
        }
        if past or ahead
        else None,
        is_wide=True,
        more=reverse("admin:analytics_sessionfigures_changelist"),
    )


def _expected_text(forecast: Forecast) -> str:
    return _("%(rate)s (%(low)s to %(high)s)") % {
        "rate": share_text(forecast.expected_rate),
        "low": share_text(forecast.low),
        "high": share_text(forecast.high),
    }


def _hours_panel(figures: list[SessionFigures]) -> Panel:
    """Conversion by weekday and hour of the beginning, in the platform's time zone."""
    cells: dict[tuple[int, int], list[SessionFigures]] = defaultdict(list)
    for row in figures:
        began = timezone.localtime(row.live_session.started_at)
        cells[began.weekday(), began.hour].append(row)
    rates = {cell: _summed(rows) for cell, rows in cells.items()}
    known = {cell: rate for cell, rate in rates.items() if rate.value is not None}
    best = sorted(known, key=lambda cell: (-known[cell].value, cell))
    hours = [hour for _weekday, hour in known]
    shown = list(range(min(hours), max(hours) + 1)) if hours else []
    return Panel(
        key="hours",
        title=_("Best hours"),
        note=_("Conversion by the hour at which a session began; viewers counted per session."),
        headings=[_("hour"), _("live sessions"), _("conversion")],
        rows=[
            (_hour_text(cell), len(cells[cell]), rate_text(known[cell]))
            for cell in best[:N_TABLE_ROWS]
        ],
        empty=_("No session was held yet."),
        chart={
            "kind": "heat",
            "columns": [f"{hour}:00" for hour in shown],
            "rows": [str(WEEKDAYS[day]) for day in range(7)],
            "cells": [
                {
                    "column": hour - shown[0],
                    "row": day,
                    "value": round(rate.value * 100, 4),
                    "name": _hour_text((day, hour)),
                    "text": rate_text(rate),
                }
                for (day, hour), rate in sorted(known.items())
            ],
        }
        if known
        else None,
    )


def _hour_text(cell: tuple[int, int]) -> str:
    return f"{WEEKDAYS[cell[0]]} {cell[1]}:00"


# --- Sales ----------------------------------------------------------------------------


def _sales_by_day(person: User, *, now: datetime) -> list[dict[str, Any]]:
    """Per currency the paid amounts, refunded ones included, of the last SALES_DAYS days.

    Days are bounded here, because MySQL knows time zones only where its tables were loaded.
    """
    zone = timezone.get_default_timezone()
    today = now.astimezone(zone).date()
    bounds = [
        datetime.combine(today - timedelta(days=back), time(), tzinfo=zone)
        for back in range(SALES_DAYS - 1, -2, -1)
    ]
    windows = [
        Q(order__paid_at__gte=start, order__paid_at__lt=end) for start, end in pairwise(bounds)
    ]
    rows = (
        Purchase.objects.managed_by(person)
        .paid()
        .filter(order__paid_at__gte=bounds[0], order__paid_at__lt=bounds[-1])
        .values("order__currency")
        .order_by("order__currency")
        .annotate(
            n=Count("pk"),
            **{f"day_{at}": Sum("price", filter=window) for at, window in enumerate(windows)},
        )
    )
    return [
        {
            "currency": row["order__currency"],
            "n": row["n"],
            "days": [start.date() for start in bounds[:-1]],
            "amounts": [row[f"day_{at}"] or Decimal(0) for at in range(len(windows))],
        }
        for row in rows
    ]


def _sales_tile(sales: list[dict[str, Any]]) -> Tile:
    totals = [_amount(sum(one["amounts"]), one["currency"]) for one in sales]
    n = sum(one["n"] for one in sales)
    text = ngettext("%(n)d course sold in %(days)d days", "%(n)d courses sold in %(days)d days", n)
    return Tile(
        label=_("GMV"),
        value=" + ".join(totals) if totals else "0",
        detail=text % {"n": n, "days": SALES_DAYS},
    )


def _amount(amount: Decimal, currency: str) -> str:
    # A price of nothing reads "free"; a sum of nothing is a zero.
    return money(amount, currency) if amount else f"{currency} 0"


def _last_sales(person: User) -> list[tuple[Any, ...]]:
    lines = list(
        Purchase.objects.managed_by(person)
        .paid()
        .select_related("course", "order")
        .order_by("-order__paid_at", "-pk")[:N_SALES]
    )
    sessions = LiveSession.objects.managed_by(person)
    titles = dict(
        OrderAttribution.objects.filter(
            order__in=[line.order_id for line in lines], live_session__in=sessions
        ).values_list("order", "live_session__title")
    )
    return [
        (
            line.course.title,
            money(line.price, line.order.currency),
            moment_text(line.order.paid_at),
            titles.get(line.order_id, "–"),
            _("refunded") if line.refunded_at else "",
        )
        for line in lines
    ]


def _sales_panel(sales: list[dict[str, Any]], last: list[tuple[Any, ...]]) -> Panel:
    return Panel(
        key="sales",
        title=_("Recent sales"),
        note=_("What was paid per day, before refunds, and the last courses sold."),
        headings=[_("course"), _("price paid"), _("paid at"), _("live session"), ""],
        rows=last,
        empty=_("Nothing was sold yet."),
        chart={
            "kind": "bars",
            "labels": [f"{day.month}-{day.day:02}" for day in sales[0]["days"]],
            "series": [
                {
                    "name": one["currency"],
                    "values": [float(amount) for amount in one["amounts"]],
                    "texts": [_amount(amount, one["currency"]) for amount in one["amounts"]],
                }
                for one in sales
            ],
        }
        if sales
        else None,
        more=reverse("admin:catalog_order_changelist"),
    )


# --- Courses and learners -------------------------------------------------------------


def _retention_panel(person: User) -> Panel:
    rows = list(
        CourseRetention.objects.managed_by(person)
        .select_related("course")
        .order_by("-n_learners", "pk")[:N_COURSES]
    )
    plotted = [row for row in rows if row.rate.value is not None]
    nobody = _("no learners yet")
    return Panel(
        key="retention",
        title=_("Retention of courses"),
        note=_("Days in the learners' longest runs of all their active days."),
        headings=[_("course"), _("learners"), _("retention"), _("back on day 7"), _("rating")],
        rows=[
            (
                row.course.title,
                row.n_learners,
                rate_text(row.rate, nobody=nobody),
                _cohort_text(row, 7),
                f"{row.rating_mean:.1f} ({row.n_ratings})" if row.n_ratings else "–",
            )
            for row in rows
        ],
        empty=nobody,
        chart={
            "kind": "across",
            "unit": "%",
            "labels": [row.course.title for row in plotted],
            "series": [
                {
                    "name": _("retention"),
                    "values": [round(row.rate.value * 100, 4) for row in plotted],
                    "texts": [rate_text(row.rate) for row in plotted],
                }
            ],
        }
        if plotted
        else None,
        more=reverse("admin:analytics_courseretention_changelist"),
    )


def _cohort_text(row: CourseRetention, day: int) -> str:
    for one in row.cohorts:
        if one["day"] == day:
            return rate_text(Rate(one["returned"], one["cohort"]), nobody="–")
    return "–"


def _learning_rows(person: User) -> list[dict[str, Any]]:
    return list(
        LearningSummary.objects.managed_by(person)
        .values("course", "course__title")
        .annotate(
            n=Count("pk"),
            n_struggling=Count("pk", filter=Q(is_struggling=True)),
            mean_seconds=Avg("study_seconds"),
            mean_days=Avg("days_per_week"),
        )
        .order_by("-n_struggling", "-n", "course")[:N_COURSES]
    )


def _learning_panel(rows: list[dict[str, Any]]) -> Panel:
    return Panel(
        key="learning",
        title=_("How people learn"),
        note=_("Struggling: a learner of a week or more who leaves most lessons early."),
        headings=[_("course"), _("struggling"), _("mean study time"), _("days a week")],
        rows=[
            (
                row["course__title"],
                rate_text(Rate(row["n_struggling"], row["n"])),
                hours_text(row["mean_seconds"]),
                f"{row['mean_days']:.1f}",
            )
            for row in rows
        ],
        empty=_("no learners yet"),
        chart={
            "kind": "across",
            "is_stacked": True,
            "labels": [row["course__title"] for row in rows],
            "series": [
                {
                    "name": _("struggling"),
                    "tone": "warn",
                    "values": [row["n_struggling"] for row in rows],
                },
                {
                    "name": _("well"),
                    "values": [row["n"] - row["n_struggling"] for row in rows],
                },
            ],
        }
        if rows
        else None,
        more=reverse("admin:analytics_learningsummary_changelist"),
    )
