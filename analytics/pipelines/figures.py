"""Counts of live sessions, from events and attributed orders, by the platform's definitions."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import pandas as pd
from django.utils import timezone

from analytics import frames
from analytics.models import FigureSource, ModelRun, SessionFigures, Task
from analytics.pipelines.runs import recorded_run, serve
from analytics.pipelines.writing import upsert

# Events of apps that were offline, and refunds, reach a session after its end.
LATE_ARRIVAL = timedelta(days=14)
BATCH = 200


def refresh_figures(*, everything: bool = False, now: datetime | None = None) -> ModelRun:
    """Count the sessions of the last days again, or all of them; imported ones stay as they are.

    Counting starts from the rows each time, so that running twice, late or in parallel
    gives the same figures.
    """
    now = now or timezone.now()
    with recorded_run(Task.FIGURES) as run:
        run.window_end = now
        run.window_start = None if everything else now - LATE_ARRIVAL
        session_ids = frames.sessions_to_count(since=run.window_start)
        for start in range(0, len(session_ids), BATCH):
            upsert(
                _count(session_ids[start : start + BATCH], now=now),
                key=["live_session"],
                # The peak is known to the live room alone, which keeps it up to date.
                leave=["peak_viewers", "currency"],
            )
        run.n_rows = run.n_results = len(session_ids)
        run.method = "counts"
        serve(run)
    return run


def _count(session_ids: list[int], *, now: datetime) -> list[SessionFigures]:
    counts = frames.session_count_frame(session_ids=session_ids)
    sales = frames.session_sales_frame(session_ids=session_ids)
    viewers = frames.session_viewer_frame(session_ids=session_ids).groupby("session_id").size()
    figures = pd.DataFrame(index=pd.Index(session_ids, name="session_id")).join([counts, sales])
    figures["n_viewers"] = viewers
    return [
        SessionFigures(
            live_session_id=row.Index,
            source=FigureSource.MEASURED,
            n_impressions=_whole(row.n_impressions),
            n_views=_whole(row.n_views),
            n_clicks=_whole(row.n_clicks),
            n_viewers=_whole(row.n_viewers),
            n_buyers=_whole(row.n_buyers),
            n_orders=_whole(row.n_orders),
            watched_seconds=_whole(row.watched_seconds),
            gmv=Decimal(0) if pd.isna(row.gmv) else row.gmv,
            net_sales=Decimal(0) if pd.isna(row.net_sales) else row.net_sales,
            updated_at=now,
        )
        for row in figures.itertuples()
    ]


def _whole(value: float) -> int:
    return 0 if pd.isna(value) else int(value)
