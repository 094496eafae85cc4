"""Past live sessions of another system with their results."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from analytics.csv_import import cells
from analytics.csv_import.columns import Column
from analytics.csv_import.errors import RowRefused, UnusableFile
from analytics.csv_import.matched_rows import Draft, MatchedRows
from analytics.csv_import.targets import EXTERNAL_ID_LENGTH, ImportContext, Row, Sellers, Stored
from analytics.models import FigureSource, SessionFigures
from catalog.models import DEFAULT_CURRENCY
from streams.models import LiveSession, SessionStatus

MOST_MONEY = Decimal("999999999999.99")
# A broadcast that lasts longer is two of them, or a wrong date.
LONGEST = timedelta(days=3)
_COUNTS = ("n_impressions", "n_views", "n_clicks", "n_orders", "peak_viewers", "watched_seconds")


class Sessions:
    """Target `sessions`: broadcasts that are over, and their figures."""

    name = "sessions"
    batch_size = 500

    def __init__(self, context: ImportContext) -> None:
        self._context = context
        self._sellers = Sellers(context)
        moment = cells.past_moment(context.now)
        self.columns: Sequence[Column] = [
            Column("external_id", cells.text(EXTERNAL_ID_LENGTH), is_required=True),
            Column("title", cells.text(120), is_required=True),
            Column("summary", cells.text(300)),
            Column("scheduled_at", moment),
            Column("started_at", moment, is_required=True),
            Column("ended_at", moment),
            Column("planned_minutes", cells.whole(1, 24 * 60)),
            Column("n_viewers", cells.whole(), is_required=True),
            Column("n_buyers", cells.whole(), is_required=True),
            *[Column(name, cells.whole()) for name in _COUNTS],
            Column("gmv", cells.money(MOST_MONEY)),
            Column("net_sales", cells.money(MOST_MONEY)),
            Column("currency", cells.currency),
            Column("seller", self._sellers.parse),
        ]
        self._rows = MatchedRows(
            LiveSession,
            source=context.source,
            part=SessionFigures,
            part_key="live_session_id",
        )

    def check_columns(self, present: Collection[str]) -> None:
        if not {"ended_at", "planned_minutes"} & set(present):
            raise UnusableFile(
                'a column "ended_at" or "planned_minutes" is needed, to know how long a session '
                "was; --map THEIRS=OURS names it, --set planned_minutes=60 holds for all rows"
            )

    def forget(self) -> None:
        self._sellers.forget()

    def store(self, rows: Sequence[Row]) -> Stored:
        drafts = []
        refused = []
        for row in rows:
            try:
                drafts.append(self._draft(row))
            except RowRefused as reason:
                refused.append((row.line, str(reason)))
        stored = self._rows.store(drafts)
        stored.refused += refused
        return stored

    def _draft(self, row: Row) -> Draft:
        values = row.values
        own: dict[str, Any] = {
            "title": values["title"],
            "scheduled_at": values.get("scheduled_at", values["started_at"]),
            "started_at": values["started_at"],
            "ended_at": self._end(values),
            "status": SessionStatus.ENDED.value,
        }
        own |= {name: values[name] for name in ("summary", "planned_minutes") if name in values}
        if "seller" in values:
            own["seller_id"] = values["seller"]
        elif self._context.seller is not None:
            own["seller_id"] = self._context.seller.pk
        first = partial(self._first, is_seller_known="seller_id" in own)
        return Draft(row.line, values["external_id"], own, first, _figures(values))

    def _first(self, *, is_seller_known: bool) -> dict[str, Any]:
        return {} if is_seller_known else {"seller_id": self._sellers.default_id}

    def _end(self, values: dict[str, Any]) -> datetime:
        start = values["started_at"]
        if "ended_at" in values:
            end = values["ended_at"]
        elif "planned_minutes" in values:
            end = start + timedelta(minutes=values["planned_minutes"])
        else:
            raise RowRefused("has neither an end nor a length in minutes")
        if end < start:
            raise RowRefused("ended_at: is before started_at")
        if end - start > LONGEST:
            raise RowRefused(f"ended_at: is more than {LONGEST.days} days after started_at")
        if end > self._context.now:
            raise RowRefused("ends in the future: only sessions that are over have results")
        return end


def _figures(values: dict[str, Any]) -> dict[str, Any]:
    """The figures of a row, all of them, so that what is stored was checked as a whole."""
    viewers, buyers = values["n_viewers"], values["n_buyers"]
    gmv = values.get("gmv", Decimal(0))
    figures = {
        "source": FigureSource.IMPORTED.value,
        "n_viewers": viewers,
        "n_buyers": buyers,
        "n_views": values.get("n_views", viewers),
        "n_clicks": values.get("n_clicks", 0),
        "n_impressions": values.get("n_impressions", 0),
        "n_orders": values.get("n_orders", buyers),
        "peak_viewers": values.get("peak_viewers"),
        "watched_seconds": values.get("watched_seconds", 0),
        "gmv": gmv,
        "net_sales": values.get("net_sales", gmv),
        "currency": values.get("currency", DEFAULT_CURRENCY),
    }
    for few, many in (
        ("n_buyers", "n_viewers"),
        ("n_viewers", "n_views"),
        ("peak_viewers", "n_viewers"),
        ("n_buyers", "n_orders"),
        ("net_sales", "gmv"),
    ):
        if figures[few] is not None and figures[few] > figures[many]:
            raise RowRefused(f"{few}: {figures[few]} is more than {many}, {figures[many]}")
    return figures
