"""Counts of live sessions, from visits, events and orders, by the platform's definitions."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pandas as pd
from django.utils import timezone

from analytics import frames, room_frames
from analytics.models import FigureSource, ModelRun, SessionFigures, Task
from analytics.pipelines.runs import recorded_run, serve
from analytics.pipelines.writing import upsert
from analytics.visits import record_visits

# Events of apps that were offline reach a session after its end.
LATE_ARRIVAL = timedelta(days=14)
# A sale or refund is dated before its transaction ends: look back a little further.
OVERLAP = timedelta(hours=1)
BATCH = 200


def refresh_figures(*, everything: bool = False, now: datetime | None = None) -> ModelRun:
    """Count the sessions again of which something may have changed; imported ones stay as they are.

    Those are the sessions of the last days, and any session, however old, whose orders were paid
    or refunded, or that somebody visited, since the last run. What visitors did becomes events
    on the way, once (`analytics.visits`). Counting starts from the rows each time, so that running
    twice, late or in parallel gives the same figures.
    """
    now = now or timezone.now()
    with recorded_run(Task.FIGURES) as run:
        before = ModelRun.objects.served(Task.FIGURES)
        run.window_end = now
        run.window_start = None if everything else _window_start(before, now)
        record_visits(since=before.window_end if before else None, now=now)
        session_ids = frames.sessions_to_count(since=run.window_start)
        if run.window_start is not None:
            since = (before.window_end if before else None) or run.window_start
            moved = frames.sessions_with_moved_money(since=since - OVERLAP)
            visited = frames.sessions_visited(since=since - OVERLAP)
            session_ids = sorted({*session_ids, *moved, *visited})
        for start in range(0, len(session_ids), BATCH):
            _write(_count(session_ids[start : start + BATCH], now=now))
        run.n_rows = run.n_results = len(session_ids)
        run.method = "counts"
        serve(run)
    return run


def _write(figures: list[SessionFigures]) -> None:
    """Only the live room knows the peak: what is there stays where the room says nothing."""
    known = [row for row in figures if row.peak_viewers is not None]
    unknown = [row for row in figures if row.peak_viewers is None]
    upsert(known, key=["live_session"])
    upsert(unknown, key=["live_session"], leave=["peak_viewers"])


def _window_start(before: ModelRun | None, now: datetime) -> datetime:
    """After a pause, sessions that ended during it are late as well."""
    last = before.window_end if before else None
    return min(last or now, now) - LATE_ARRIVAL


def _count(session_ids: list[int], *, now: datetime) -> list[SessionFigures]:
    present = room_frames.presence_frame(session_ids=session_ids, now=now)
    counts = room_frames.session_count_frame(session_ids=session_ids, present=present)
    sales = frames.session_sales_frame(session_ids=session_ids)
    viewers = room_frames.session_viewer_frame(session_ids=session_ids, present=present)
    peaks = room_frames.room_peaks(session_ids)
    figures = pd.DataFrame(index=pd.Index(session_ids, name="session_id")).join(counts)
    figures["n_viewers"] = viewers.groupby("session_id").size()
    by_session = dict(list(sales.groupby("session_id")))
    return [
        SessionFigures(
            live_session_id=row.Index,
            source=FigureSource.MEASURED,
            n_impressions=_whole(row.n_impressions),
            n_views=_whole(row.n_views),
            n_clicks=_whole(row.n_clicks),
            n_viewers=_whole(row.n_viewers),
            watched_seconds=_whole(row.watched_seconds),
            peak_viewers=peaks.get(row.Index),
            updated_at=now,
            **_sales(by_session.get(row.Index, sales.iloc[:0])),
        )
        for row in figures.itertuples()
    ]


def _sales(lines: pd.DataFrame) -> dict[str, Any]:
    """What one session sold, from its lines as `frames.session_sales_frame` gives them.

    An order counts when one of its lines does. A buyer is who paid, also when all was refunded
    afterwards: refunds lower net sales, never GMV or the conversion rate. Amounts of different
    currencies have no sum: gmv and net_sales are of the one in which most lines were sold, the
    first by name among equals; `sales` has the others as well.
    """
    currency = frames.main_currency(lines) or SessionFigures().currency
    gmv, net_sales = _amounts(lines[lines["currency"] == currency])
    return {
        "n_orders": lines["order_id"].nunique(),
        "n_buyers": lines["buyer_id"].nunique(),
        "gmv": gmv,
        "net_sales": net_sales,
        "currency": currency,
        "sales": {
            "promotions": _by(lines, "promotion_id", names=["promotion_price"]),
            "coupons": _by(lines, "coupon_id", names=["coupon_code"]),
        },
    }


def _by(lines: pd.DataFrame, offer: str, *, names: list[str]) -> list[dict[str, Any]]:
    """The sales by an offer and currency, those without one (None) last; each line is in one."""
    parts = []
    for (_key, currency), part in lines.groupby(
        [lines[offer].map(lambda key: 0 if key is None else int(key)), "currency"]
    ):
        gmv, net_sales = _amounts(part)
        first = part.iloc[0]
        parts.append(
            {
                "id": None if first[offer] is None else int(first[offer]),
                **{name: None if first[name] is None else str(first[name]) for name in names},
                "n_orders": part["order_id"].nunique(),
                "n_buyers": part["buyer_id"].nunique(),
                "gmv": str(gmv),
                "net_sales": str(net_sales),
                "currency": currency,
            }
        )
    return sorted(parts, key=lambda one: (one["id"] is None, one["id"] or 0, one["currency"]))


def _amounts(lines: pd.DataFrame) -> tuple[Decimal, Decimal]:
    """What was paid for the lines, before and after refunds."""
    zero = Decimal("0.00")
    gmv = sum(lines["price"], zero)
    return gmv, gmv - sum(lines.loc[lines["is_refunded"].astype(bool), "price"], zero)


def _whole(value: float) -> int:
    return 0 if pd.isna(value) else int(value)
