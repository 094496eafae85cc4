"""The figures of one live session as they stand now: what its desk shows while it runs, and its
report afterwards.

Everything is counted from the rows. The events of a session may be a million, so that each
process keeps the counts of those whose ids lie well behind the newest one, and counts the rest
anew; visits it reads when they have changed. What it keeps it makes anew every few minutes, and
computes one session at most once a second, however many desks ask, unless it sold something:
a desk that asks because of a sale shows that sale.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd

from analytics import frames, room_frames
from analytics.live_audience import Audience, audience_of
from analytics.methods.rates import Rate
from analytics.methods.session_curve import (
    MOST_MINUTES,
    Curve,
    figures_at,
    figures_of_sums,
    present_by_minute,
    summed_by_minute,
    watched_by_minute,
)
from analytics.methods.usual import Usual, usual_of
from analytics.models import EventKind, FigureSource, SessionFigures
from analytics.room_frames import Happened, Person
from streams.models import LiveSession, Room
from streams.presence import count_viewers

# One computation a second and session, unless something was sold meanwhile.
HOLDS = timedelta(seconds=1)
# An event whose transaction was open during the last look has an id below the newest one: so
# many ids are counted anew each time.
TAIL = 10_000
# What an erasure or a very late transaction changed in what is kept shows after this.
REBUILT_AFTER = timedelta(minutes=5)
# Visits are dated before their transaction ends: look back a little further than the last look.
OVERLAP = timedelta(minutes=1)
# Sessions of which a process keeps something, those asked for last.
MOST_KEPT = 50
N_FORMER = 10
FORMER_HOLD = timedelta(hours=1)
AUDIENCE_HOLDS = timedelta(seconds=20)
ZERO = Decimal("0.00")


@dataclass(frozen=True)
class Counts:
    """What was counted of a session, of one of its products, or of one source of its viewers.

    Rates and averages follow the definitions of the platform; None where the counts allow none.
    """

    n_viewers: int = 0
    n_views: int = 0
    watched_seconds: int = 0
    n_impressions: int = 0
    n_clicks: int = 0
    n_orders: int = 0
    n_buyers: int = 0
    gmv: Decimal = ZERO
    net_sales: Decimal = ZERO

    @property
    def conversion(self) -> Rate:
        """Distinct buyers of distinct viewers."""
        return Rate(self.n_buyers, self.n_viewers)

    @property
    def click_through(self) -> Rate | None:
        """Clicks of impressions; None with more clicks: then some impressions were not recorded."""
        return _rate(self.n_clicks, self.n_impressions)

    @property
    def click_to_order(self) -> Rate | None:
        """Orders of clicks; None with more orders: then some were placed without a click."""
        return _rate(self.n_orders, self.n_clicks)

    @property
    def average_watch_seconds(self) -> float | None:
        """Watched seconds per distinct viewer; None without viewers."""
        return self.watched_seconds / self.n_viewers if self.n_viewers else None

    @property
    def gmv_per_thousand_views(self) -> Decimal | None:
        """GMV per thousand views, a view being one entering of the room; None without views."""
        if not self.n_views:
            return None
        return (1000 * self.gmv / self.n_views).quantize(ZERO)


def _rate(part: int, whole: int) -> Rate | None:
    return Rate(part, whole) if part <= whole else None


@dataclass(frozen=True)
class Product:
    """What one course did in the session; in the order of the showcase, then what else sold."""

    course_id: int
    title: str
    is_in_showcase: bool
    counts: Counts


@dataclass(frozen=True)
class TrafficSource:
    """The viewers who first came from one place; `source` is "" where that was not recorded."""

    source: str
    counts: Counts


@dataclass(frozen=True)
class LiveFigures:
    """All figures of one session as of `moment`.

    `seconds` is how long it has been, or was, on air, 0 before. `viewers_now` is None unless it
    is live, `peak_viewers` None where nobody recorded it. `usual` holds, by the keys of
    `methods.session_curve.FIGURES`, what the seller's last `n_former` sessions reached, at the
    same second of the show (`is_same_minute`) or in all. Amounts are in `currency`, sales in
    others are left out of them.
    """

    session_id: int
    moment: datetime
    started_at: datetime | None
    seconds: float
    is_live: bool
    counts: Counts
    viewers_now: int | None
    peak_viewers: int | None
    n_likes: int
    currency: str
    products: list[Product]
    sources: list[TrafficSource]
    curve: Curve | None
    happened: list[Happened]
    audience: Audience | None
    usual: dict[str, Usual]
    n_former: int
    is_same_minute: bool

    @property
    def values(self) -> dict[str, float]:
        """The figures as plain numbers, NaN where there is none; keys as in `usual`."""
        return _values(self.counts, self.viewers_now, self.peak_viewers)


def _values(counts: Counts, viewers_now: int | None, peak: int | None) -> dict[str, float]:
    nan = float("nan")
    return figures_of_sums(
        viewers_now=nan if viewers_now is None else float(viewers_now),
        peak_viewers=nan if peak is None else float(peak),
        n_viewers=float(counts.n_viewers),
        n_views=float(counts.n_views),
        watched_seconds=float(counts.watched_seconds),
        n_impressions=float(counts.n_impressions),
        n_clicks=float(counts.n_clicks),
        n_orders=float(counts.n_orders),
        n_buyers=float(counts.n_buyers),
        gmv=float(counts.gmv),
    )


# --- What a process keeps --------------------------------------------------------------


@dataclass
class Former:
    """The seller's last sessions: their curves and currencies, and what each product did."""

    curves: dict[int, Curve] = field(default_factory=dict)
    currencies: dict[int, str | None] = field(default_factory=dict)
    # session_id, course_id, n_impressions, n_clicks, n_orders
    products: pd.DataFrame = field(default_factory=pd.DataFrame)
    read_at: datetime | None = None


@dataclass
class _Kept:
    """What is kept of one session; used by the one thread that holds `lock`."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    figures: LiveFigures | None = None
    # Paid and refunded, before `figures` were computed.
    n_lines: tuple[int, int] = (0, 0)
    built_at: datetime | None = None
    up_to_id: int = 0
    shown: pd.DataFrame = field(default_factory=pd.DataFrame)
    told: pd.DataFrame = field(default_factory=pd.DataFrame)
    visits: pd.DataFrame = field(default_factory=pd.DataFrame)
    visits_at: datetime | None = None
    audience: Audience | None = None
    audience_at: datetime | None = None
    people: dict[int, Person] = field(default_factory=dict)
    former: Former = field(default_factory=Former)


_kept: OrderedDict[tuple[int, datetime], _Kept] = OrderedDict()
_kept_lock = threading.Lock()


def _kept_of(session: LiveSession) -> _Kept:
    # With the moment of its making: a database put back from a backup gives numbers anew.
    key = (session.pk, session.created_at)
    with _kept_lock:
        kept = _kept.setdefault(key, _Kept())
        _kept.move_to_end(key)
        while len(_kept) > MOST_KEPT:
            _kept.popitem(last=False)
        return kept


def live_figures(session: LiveSession, *, moment: datetime) -> LiveFigures:
    """The figures of the session as of `moment`, at most a second old, with every line that was
    paid or given back by now."""
    kept = _kept_of(session)
    with kept.lock:
        found = kept.figures
        # Before the lines themselves are read: what is paid meanwhile is seen the next time.
        n_lines = frames.count_sold_lines(session.pk)
        if (
            found is None
            or not timedelta(0) <= moment - found.moment < HOLDS
            or found.is_live != session.is_live
            or n_lines != kept.n_lines
        ):
            found = kept.figures = _compute(session, kept, moment=moment)
            kept.n_lines = n_lines
        return found


def former_products(session: LiveSession, *, moment: datetime) -> pd.DataFrame:
    """What products did in the seller's last sessions: a row per session and course.

    Columns: session_id, course_id, n_impressions, n_clicks, n_orders (int64).
    """
    kept = _kept_of(session)
    with kept.lock:
        return _former(session, kept, moment=moment).products


# --- Counting ---------------------------------------------------------------------------


def _compute(session: LiveSession, kept: _Kept, *, moment: datetime) -> LiveFigures:
    shown, told = _read_events(session.pk, kept, moment=moment)
    visits = _read_visits(session.pk, kept, moment=moment)
    lengths = room_frames.seconds_on_air([session.pk], now=moment)
    present = room_frames.present_viewers(visits, told, lengths)
    sales = _with_buyers(session.pk, frames.session_sales_frame(session_ids=[session.pk]), present)
    currency = frames.main_currency(sales) or SessionFigures().currency
    minutes = room_frames.minute_frame(session_ids=[session.pk])
    room = Room.objects.filter(pk=session.pk).first()
    now = count_viewers([session.pk], moment=moment)[session.pk] if session.is_live else None
    curve = _curve(session, shown, present, visits, sales, minutes, currency, moment=moment)
    counts = _counts_of_session(shown, present, sales, currency)
    peak = _peak(session, room, now, curve if len(minutes) else None)
    seconds = _seconds(session, moment)
    former = _usual(session, kept, currency, seconds, moment=moment)
    return LiveFigures(
        session_id=session.pk,
        moment=moment,
        started_at=session.started_at,
        seconds=seconds,
        is_live=session.is_live,
        counts=counts,
        viewers_now=now,
        peak_viewers=peak,
        n_likes=room.n_likes if room else 0,
        currency=currency,
        products=_products(session.pk, shown, sales, currency),
        sources=_sources(visits, present, told, sales, currency),
        curve=curve,
        happened=room_frames.happenings(session.pk),
        audience=_audience(session, kept, present, moment=moment),
        usual={
            key: usual
            for key in _values(counts, now, peak)
            if (usual := usual_of([one[key] for one in former])) is not None
        },
        n_former=len(former),
        is_same_minute=session.is_live,
    )


def _seconds(session: LiveSession, moment: datetime) -> float:
    if session.started_at is None:
        return 0.0
    return max(0.0, ((session.ended_at or moment) - session.started_at).total_seconds())


def _read_events(
    session_id: int, kept: _Kept, *, moment: datetime
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The session's `shown_frame` and `told_frame`, from what is kept and what is new."""
    safe = max(frames.last_event_id() - TAIL, 0)
    is_old = kept.built_at is None or not timedelta(0) <= moment - kept.built_at < REBUILT_AFTER
    if is_old:
        kept.up_to_id, kept.built_at = safe, moment
        # Visits and people are read anew as well: some may have gone or changed.
        kept.visits_at, kept.people = None, {}
        kept.shown, kept.told = _events_after(session_id, 0, up_to_id=safe)
    elif safe - kept.up_to_id > TAIL:
        shown, told = _events_after(session_id, kept.up_to_id, up_to_id=safe)
        kept.shown, kept.told = _sum_of_shown(kept.shown, shown), _sum_of_told(kept.told, told)
        kept.up_to_id = safe
    shown, told = _events_after(session_id, kept.up_to_id)
    return _sum_of_shown(kept.shown, shown), _sum_of_told(kept.told, told)


def _events_after(
    session_id: int, after_id: int, *, up_to_id: int | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    ids = [session_id]
    return (
        room_frames.shown_frame(session_ids=ids, after_id=after_id, up_to_id=up_to_id),
        room_frames.told_frame(session_ids=ids, after_id=after_id, up_to_id=up_to_id),
    )


def _sum_of_shown(one: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    if one.empty or other.empty:
        return other if one.empty else one
    both = pd.concat([one, other], ignore_index=True)
    keys = ["session_id", "kind", "course_id", "minute"]
    return both.groupby(keys, as_index=False, dropna=False)["n"].sum()


def _sum_of_told(one: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    if one.empty or other.empty:
        return other if one.empty else one
    both = pd.concat([one, other], ignore_index=True)
    return both.groupby(["session_id", "viewer"], as_index=False).agg(
        user_id=("user_id", "max"),
        n_impressions=("n_impressions", "sum"),
        n_clicks=("n_clicks", "sum"),
        n_views=("n_views", "sum"),
        watched_seconds=("watched_seconds", "sum"),
        first_seen_at=("first_seen_at", "min"),
    )


def _read_visits(session_id: int, kept: _Kept, *, moment: datetime) -> pd.DataFrame:
    since = None if kept.visits_at is None else kept.visits_at - OVERLAP
    newest = int(kept.visits["visit_id"].max()) if len(kept.visits) else 0
    changed = room_frames.visit_frame(session_ids=[session_id], seen_since=since, after_id=newest)
    if since is None or kept.visits.empty:
        kept.visits = changed
    elif len(changed):
        both = pd.concat([kept.visits, changed], ignore_index=True)
        both = both.drop_duplicates("visit_id", keep="last")
        kept.visits = both.sort_values("visit_id", ignore_index=True)
    kept.visits_at = moment
    return kept.visits


def _with_buyers(session_id: int, sales: pd.DataFrame, present: pd.DataFrame) -> pd.DataFrame:
    """The lines with `buyer` (str), the name of the viewer who bought."""
    names = room_frames.viewers_of_buyers(session_id, sales["buyer_id"], set(present["viewer"]))
    return sales.assign(buyer=sales["buyer_id"].map(names).astype("object"))


def _of_kind(shown: pd.DataFrame, kind: EventKind) -> pd.DataFrame:
    return shown[shown["kind"] == kind]


def _sold(counts: Counts, lines: pd.DataFrame, currency: str) -> Counts:
    """The counts with the orders, buyers and amounts of the lines."""
    in_currency = lines[lines["currency"] == currency]
    gmv = sum(in_currency["price"], ZERO)
    refunded = sum(in_currency.loc[in_currency["is_refunded"].astype(bool), "price"], ZERO)
    return replace(
        counts,
        n_orders=lines["order_id"].nunique(),
        n_buyers=lines["buyer_id"].nunique(),
        gmv=gmv,
        net_sales=gmv - refunded,
    )


def _counts_of_session(
    shown: pd.DataFrame, present: pd.DataFrame, sales: pd.DataFrame, currency: str
) -> Counts:
    # Somebody who bought was there, also when their viewing was not recorded.
    counts = Counts(
        n_viewers=len({*sales["buyer"], *present["viewer"]}),
        n_views=int(present["n_views"].sum()),
        watched_seconds=int(present["watched_seconds"].sum()),
        n_impressions=int(_of_kind(shown, EventKind.IMPRESSION)["n"].sum()),
        n_clicks=int(_of_kind(shown, EventKind.CLICK)["n"].sum()),
    )
    return _sold(counts, sales, currency)


def _products(
    session_id: int, shown: pd.DataFrame, sales: pd.DataFrame, currency: str
) -> list[Product]:
    showcase = dict(room_frames.courses_shown(session_id))
    seen = _of_kind(shown, EventKind.IMPRESSION).groupby("course_id")["n"].sum()
    clicked = _of_kind(shown, EventKind.CLICK).groupby("course_id")["n"].sum()
    sold = dict(list(sales.groupby("course_id")))
    besides = sorted({*sold, *(int(key) for key in clicked.index if key)} - set(showcase))
    titles = showcase | (room_frames.course_titles(besides) if besides else {})
    products = []
    for course_id in [*showcase, *besides]:
        lines = sold.get(course_id, sales.iloc[:0])
        counts = Counts(
            n_impressions=int(seen.get(course_id, 0)),
            n_clicks=int(clicked.get(course_id, 0)),
        )
        counts = _sold(counts, lines, currency)
        products.append(
            Product(course_id, titles.get(course_id, ""), course_id in showcase, counts)
        )
    return products


def _sources(
    visits: pd.DataFrame,
    present: pd.DataFrame,
    told: pd.DataFrame,
    sales: pd.DataFrame,
    currency: str,
) -> list[TrafficSource]:
    """By the source of each viewer's first visit, the largest first; the sums are the session's."""
    first = visits.drop_duplicates("viewer").set_index("viewer")["source"]

    def source_of(viewers: pd.Series) -> pd.Series:
        return viewers.map(first).fillna("") if len(first) else viewers.map(lambda _one: "")

    there = present.groupby(source_of(present["viewer"])).agg(
        n_viewers=("viewer", "size"),
        n_views=("n_views", "sum"),
        watched_seconds=("watched_seconds", "sum"),
    )
    did = told.groupby(source_of(told["viewer"]))[["n_impressions", "n_clicks"]].sum()
    sold = dict(list(sales.groupby(source_of(sales["buyer"]))))
    # Buyers whose viewing was not recorded are viewers from where nobody knows.
    unseen = len(set(sales["buyer"]) - set(present["viewer"]))
    found = []
    for source in {*there.index, *did.index, *sold}:
        lines = sold.get(source, sales.iloc[:0])
        unseen_here = unseen if source == "" else 0
        counts = Counts(
            n_viewers=_cell(there, source, "n_viewers") + unseen_here,
            n_views=_cell(there, source, "n_views"),
            watched_seconds=_cell(there, source, "watched_seconds"),
            n_impressions=_cell(did, source, "n_impressions"),
            n_clicks=_cell(did, source, "n_clicks"),
        )
        counts = _sold(counts, lines, currency)
        found.append(TrafficSource(source, counts))
    return sorted(found, key=lambda one: (-one.counts.n_viewers, one.source == "", one.source))


def _cell(table: pd.DataFrame, row: str, column: str) -> int:
    return int(table.loc[row, column]) if row in table.index else 0


def _peak(
    session: LiveSession, room: Room | None, now: int | None, curve: Curve | None
) -> int | None:
    """What the room recorded, never less than what is seen right now; else what was imported."""
    known = [one for one in (room.peak_viewers if room else 0, now or 0) if one]
    if curve is not None:
        recorded = curve.at_once[np.isfinite(curve.at_once)]
        known += [int(recorded.max())] if len(recorded) else []
    if known:
        return max(known)
    stored = SessionFigures.objects.filter(pk=session.pk).values_list("peak_viewers", flat=True)
    return stored.first()


def _audience(
    session: LiveSession, kept: _Kept, present: pd.DataFrame, *, moment: datetime
) -> Audience | None:
    is_old = (
        kept.audience_at is None or not timedelta(0) <= moment - kept.audience_at < AUDIENCE_HOLDS
    )
    if is_old:
        people = present[present["viewer"].str.startswith("u")]
        people = people.assign(user_id=people["viewer"].str[1:].astype("int64"))
        people = people.sort_values(["first_seen_at", "user_id"])
        kept.audience = audience_of(
            session, people["user_id"].tolist(), moment=moment, known=kept.people
        )
        kept.audience_at = moment
    return kept.audience


# --- Minute by minute -------------------------------------------------------------------


def _curve(
    session: LiveSession,
    shown: pd.DataFrame,
    present: pd.DataFrame,
    visits: pd.DataFrame,
    sales: pd.DataFrame,
    minutes: pd.DataFrame,
    currency: str,
    *,
    moment: datetime,
) -> Curve | None:
    """The session minute by minute; None before it began. Frames hold rows of it alone."""
    if session.started_at is None:
        return None
    # Minutes of the clock, as the room and `shown_frame` count them.
    first = session.started_at.replace(second=0, microsecond=0)
    end = max(session.ended_at or moment, session.started_at)
    n = min(int((end - first).total_seconds() // 60) + 1, MOST_MINUTES)
    start = np.datetime64(int(first.timestamp() * 1e6), "us")

    def minute_of(times: pd.Series) -> np.ndarray:
        since = times.to_numpy(dtype="datetime64[us]") - start
        return np.floor(since / np.timedelta64(60, "s")).astype("int64")

    def second_of(times: pd.Series) -> np.ndarray:
        since = times.to_numpy(dtype="datetime64[us]") - start
        return np.maximum(since / np.timedelta64(1, "s"), 0.0)

    dated = shown[shown["minute"].notna()]
    seen, clicked = (_of_kind(dated, kind) for kind in (EventKind.IMPRESSION, EventKind.CLICK))
    paid = sales.sort_values("paid_at")
    bought = paid.drop_duplicates("buyer_id")
    in_currency = paid[paid["currency"] == currency]
    unseen = bought[~bought["buyer"].isin(set(present["viewer"]))]
    came = pd.concat([present["first_seen_at"], unseen["paid_at"]])
    return Curve(
        n_viewers=summed_by_minute(minute_of(came), n),
        n_views=summed_by_minute(
            minute_of(present["first_seen_at"]), n, present["n_views"].to_numpy()
        ),
        watched_seconds=watched_by_minute(
            second_of(present["first_seen_at"]), present["watched_seconds"].to_numpy(), n
        ),
        n_impressions=summed_by_minute(minute_of(seen["minute"]), n, seen["n"].to_numpy()),
        n_clicks=summed_by_minute(minute_of(clicked["minute"]), n, clicked["n"].to_numpy()),
        n_orders=summed_by_minute(minute_of(paid.drop_duplicates("order_id")["paid_at"]), n),
        n_buyers=summed_by_minute(minute_of(bought["paid_at"]), n),
        gmv=summed_by_minute(
            minute_of(in_currency["paid_at"]), n, in_currency["price"].astype("float64").to_numpy()
        ),
        at_once=_at_once(minutes, visits, minute_of, second_of, n),
        lead_seconds=(session.started_at - first).total_seconds(),
    )


def _at_once(
    minutes: pd.DataFrame,
    visits: pd.DataFrame,
    minute_of: Callable[[pd.Series], np.ndarray],
    second_of: Callable[[pd.Series], np.ndarray],
    n: int,
) -> np.ndarray:
    """From the minutes that the room recorded, else from its visits, else unknown."""
    at_once = np.full(n, np.nan)
    if len(minutes):
        at = minute_of(minutes["minute"])
        inside = (at >= 0) & (at < n)
        at_once[at[inside]] = minutes["n_viewers"].to_numpy(dtype="float64")[inside]
        return at_once
    if len(visits):
        return present_by_minute(
            second_of(visits["joined_at"]), second_of(visits["last_seen_at"]), n
        )
    return at_once


# --- What is usual ----------------------------------------------------------------------


def _usual(
    session: LiveSession, kept: _Kept, currency: str, seconds: float, *, moment: datetime
) -> list[dict[str, float]]:
    """The figures of the seller's last sessions: at the same second of a live one, else whole."""
    if session.started_at is None:
        return []
    if session.is_live:
        former = _former(session, kept, moment=moment)
        found = [
            _in_same_currency(figures_at(curve, seconds), former.currencies[key], currency)
            for key, curve in former.curves.items()
        ]
    else:
        before = room_frames.former_sessions(session, n=N_FORMER)
        rows = SessionFigures.objects.filter(pk__in=[one.pk for one in before])
        found = [
            _in_same_currency(_values_of_row(row), row.currency if row.gmv else None, currency)
            for row in rows
        ]
    return found


def _in_same_currency(
    values: dict[str, float], theirs: str | None, currency: str
) -> dict[str, float]:
    """Without amounts where they are in another currency; who sold nothing sold it in any."""
    if theirs is None or theirs == currency:
        return values
    nan = float("nan")
    return values | {"gmv": nan, "gmv_per_thousand_views": nan}


def _values_of_row(row: SessionFigures) -> dict[str, float]:
    counts = Counts(
        n_viewers=row.n_viewers,
        n_views=row.n_views,
        watched_seconds=row.watched_seconds,
        n_impressions=row.n_impressions,
        n_clicks=row.n_clicks,
        n_orders=row.n_orders,
        n_buyers=row.n_buyers,
        gmv=row.gmv,
    )
    return _values(counts, None, row.peak_viewers)


def _former(session: LiveSession, kept: _Kept, *, moment: datetime) -> Former:
    """The seller's last sessions that were measured here; imported ones have no minutes."""
    read_at = kept.former.read_at
    if read_at is not None and timedelta(0) <= moment - read_at < FORMER_HOLD:
        return kept.former
    before = room_frames.former_sessions(session, n=N_FORMER)
    ids = [one.pk for one in before]
    imported = set(
        SessionFigures.objects.filter(pk__in=ids, source=FigureSource.IMPORTED).values_list(
            "pk", flat=True
        )
    )
    before = [one for one in before if one.pk not in imported]
    ids = [one.pk for one in before]
    shown = room_frames.shown_frame(session_ids=ids)
    told = room_frames.told_frame(session_ids=ids)
    visits = room_frames.visit_frame(session_ids=ids)
    lengths = room_frames.seconds_on_air(ids, now=moment)
    present = room_frames.present_viewers(visits, told, lengths)
    sales = frames.session_sales_frame(session_ids=ids)
    minutes = room_frames.minute_frame(session_ids=ids)
    former = Former(read_at=moment, products=_former_products(shown, sales))
    for one in before:
        own_shown, own_present, own_visits, own_sales, own_minutes = (
            frame[frame["session_id"] == one.pk]
            for frame in (shown, present, visits, sales, minutes)
        )
        own_sales = _with_buyers(one.pk, own_sales, own_present)
        theirs = frames.main_currency(own_sales)
        curve = _curve(
            *(one, own_shown, own_present, own_visits, own_sales, own_minutes, theirs or ""),
            moment=moment,
        )
        if curve is not None:
            former.curves[one.pk], former.currencies[one.pk] = curve, theirs
    kept.former = former
    return former


def _former_products(shown: pd.DataFrame, sales: pd.DataFrame) -> pd.DataFrame:
    keys = ["session_id", "course_id"]
    parts = {
        "n_impressions": _of_kind(shown, EventKind.IMPRESSION).groupby(keys)["n"].sum(),
        "n_clicks": _of_kind(shown, EventKind.CLICK).groupby(keys)["n"].sum(),
        "n_orders": sales.groupby(keys)["order_id"].nunique(),
    }
    both = pd.DataFrame(parts).fillna(0).astype("int64").reset_index()
    return both[both["course_id"] > 0]
