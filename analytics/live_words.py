"""Live figures and what to show next, in words: what the panels of the desk and the export say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext
from tablib import Dataset

from analytics.live_audience import AGE_BANDS, Audience, Division
from analytics.live_figures import Counts, LiveFigures
from analytics.methods.rates import Rate
from analytics.methods.session_curve import Curve
from analytics.methods.small_groups import SMALLEST_GROUP
from analytics.methods.usual import FEWEST_SESSIONS, Usual
from analytics.next_course import Advice, NextCourse
from analytics.rate_text import rate_text, share_text
from analytics.room_frames import category_names
from catalog.templatetags.catalog_pages import length_of_time, sum_of_money
from streams.models import Source

# Minutes in the table beside the curve; all of them are in the export.
MINUTES_SHOWN = 30

LABELS = {
    "viewers_now": gettext_lazy("Viewers now"),
    "peak_viewers": gettext_lazy("Most viewers at once"),
    "viewers": gettext_lazy("Viewers in all"),
    "average_watch": gettext_lazy("Average watch time"),
    "impressions": gettext_lazy("Impressions"),
    "clicks": gettext_lazy("Clicks"),
    "click_through": gettext_lazy("Click-through rate"),
    "orders": gettext_lazy("Orders"),
    "click_to_order": gettext_lazy("Click-to-order rate"),
    "conversion": gettext_lazy("Conversion"),
    "gmv": gettext_lazy("GMV"),
    "gmv_per_thousand_views": gettext_lazy("GMV per thousand views"),
}
RATES = ("click_through", "click_to_order", "conversion")
AMOUNTS = ("gmv", "gmv_per_thousand_views")
KINDS = {
    "pin": gettext_lazy("Pin"),
    "promotion": gettext_lazy("Promotion"),
    "coupon": gettext_lazy("Coupon"),
    "poll": gettext_lazy("Poll"),
    "draw": gettext_lazy("Draw"),
}


@dataclass(frozen=True)
class Figure:
    """One figure: what it is called, how much, of what, and what was usual. `stand` is "above",
    "below" or ""."""

    key: str
    label: str
    value: str
    detail: str
    usual: str
    stand: str


@dataclass(frozen=True)
class Table:
    """Cells of text under headings; `empty` is said when there are no rows."""

    title: str
    headings: list[str]
    rows: list[list[str]]
    empty: str
    note: str = ""


# --- Figures ----------------------------------------------------------------------------


def sum_text(amount: Decimal | float, currency: str) -> str:
    """A sum of money. A sum of nothing is a zero, while a price of nothing reads “free”."""
    return sum_of_money(Decimal(amount).quantize(Decimal("0.01")), currency)


def figures_shown(figures: LiveFigures) -> list[Figure]:
    """Each figure with its counts and what was usual; no present viewers once it is over."""
    counts = figures.counts
    nobody = _("no viewers yet")
    few = _("shown from %(n)d viewers on") % {"n": SMALLEST_GROUP}
    seconds = counts.average_watch_seconds
    if not counts.n_viewers or seconds is None:
        watch, watch_detail = nobody, ""
    elif counts.n_viewers < SMALLEST_GROUP:
        watch, watch_detail = "–", few
    else:
        watch, watch_detail = length_of_time(round(seconds)), ""
    per_thousand = counts.gmv_per_thousand_views
    texts: dict[str, tuple[str, str]] = {
        "viewers_now": (_whole(figures.viewers_now), ""),
        "peak_viewers": (_whole(figures.peak_viewers), ""),
        "viewers": (
            str(counts.n_viewers),
            ngettext("%(n)d view", "%(n)d views", counts.n_views) % {"n": counts.n_views},
        ),
        "average_watch": (watch, watch_detail),
        "impressions": (str(counts.n_impressions), ""),
        "clicks": (str(counts.n_clicks), ""),
        "click_through": _rate_texts(counts.click_through, nobody=_("nothing shown yet")),
        "orders": (
            str(counts.n_orders),
            ngettext("%(n)d buyer", "%(n)d buyers", counts.n_buyers) % {"n": counts.n_buyers},
        ),
        "click_to_order": _rate_texts(counts.click_to_order, nobody=_("no clicks yet")),
        "conversion": _rate_texts(counts.conversion, nobody=nobody),
        "gmv": (sum_text(counts.gmv, figures.currency), _refund_text(counts, figures.currency)),
        "gmv_per_thousand_views": (
            (nobody, "") if per_thousand is None else (sum_text(per_thousand, figures.currency), "")
        ),
    }
    values = figures.values
    shown = []
    for key, (value, detail) in texts.items():
        if key == "viewers_now" and not figures.is_live:
            continue
        usual = figures.usual.get(key)
        shown.append(
            Figure(
                key=key,
                label=str(LABELS[key]),
                value=value,
                detail=detail,
                usual=_usual_text(key, usual, figures.currency),
                stand="" if usual is None else usual.stand(values[key]),
            )
        )
    return shown


def _whole(n: int | None) -> str:
    return "–" if n is None else str(n)


def _rate_texts(rate: Rate | None, *, nobody: str) -> tuple[str, str]:
    """The percentage, and its two counts below it."""
    if rate is None or rate.percent is None:
        return rate_text(rate, nobody=nobody), ""
    counts = _("%(part)d of %(whole)d") % {"part": rate.numerator, "whole": rate.denominator}
    return rate.percent, counts


def _refund_text(counts: Counts, currency: str) -> str:
    refunded = counts.gmv - counts.net_sales
    if not refunded:
        return ""
    return _("%(amount)s given back") % {"amount": sum_text(refunded, currency)}


def _number_text(key: str, value: float, currency: str) -> str:
    if key in RATES:
        return share_text(value)
    if key in AMOUNTS:
        return sum_text(value, currency)
    return length_of_time(round(value)) if key == "average_watch" else str(round(value))


def _usual_text(key: str, usual: Usual | None, currency: str) -> str:
    """The middle half of the last sessions, or their median where they are too few."""
    if usual is None:
        return ""
    if usual.n < FEWEST_SESSIONS:
        return _("before: %(value)s") % {"value": _number_text(key, usual.median, currency)}
    low, high = (_number_text(key, one, currency) for one in (usual.low, usual.high))
    if low == high:
        return _("usually %(value)s") % {"value": low}
    return _("usually %(low)s to %(high)s") % {"low": low, "high": high}


def basis_text(figures: LiveFigures) -> str:
    """With what the figures are compared."""
    n = figures.n_former
    if not n:
        return _("No session before this one to compare with.")
    if figures.is_same_minute:
        text = ngettext(
            "Beside: the same minute of your last session.",
            "Beside: the same minute of your last %(n)d sessions, the middle half of them.",
            n,
        )
    else:
        text = ngettext(
            "Beside: your last session.",
            "Beside: your last %(n)d sessions, the middle half of them.",
            n,
        )
    return text % {"n": n}


# --- Tables -----------------------------------------------------------------------------


def product_table(figures: LiveFigures) -> Table:
    """What each course did."""
    return Table(
        title=_("By product"),
        headings=[
            _("course"), _("impressions"), _("clicks"), _("click-through"), _("orders"),
            _("click-to-order"), _("GMV"),
        ],
        rows=[
            [
                one.title,
                str(one.counts.n_impressions),
                str(one.counts.n_clicks),
                rate_text(one.counts.click_through, nobody="–"),
                str(one.counts.n_orders),
                rate_text(one.counts.click_to_order, nobody="–"),
                sum_text(one.counts.gmv, figures.currency),
            ]
            for one in figures.products
        ],
        empty=_("The showcase is empty."),
    )  # fmt: skip


def source_text(source: str) -> str:
    """From where somebody came, in words."""
    return str(Source(source).label) if source else _("not recorded")


def source_table(figures: LiveFigures) -> Table:
    """What viewers did by where they came from."""
    return Table(
        title=_("By source of traffic"),
        headings=[
            _("came from"), _("viewers"), _("clicks"), _("click-through"), _("orders"),
            _("conversion"), _("GMV"),
        ],
        rows=[
            [
                source_text(one.source),
                str(one.counts.n_viewers),
                str(one.counts.n_clicks),
                rate_text(one.counts.click_through, nobody="–"),
                str(one.counts.n_orders),
                rate_text(one.counts.conversion, nobody="–"),
                sum_text(one.counts.gmv, figures.currency),
            ]
            for one in figures.sources
        ],
        empty=_("no viewers yet"),
    )  # fmt: skip


def audience_tables(audience: Audience | None) -> list[Table]:
    """The audience by interest, age band and newcomer or regular, where it may be shown."""
    if audience is None:
        return []
    ids = list(audience.interests.shown) if audience.interests else []
    fields = category_names([one for one in ids if one])
    return [
        _division_table(
            _("By interest"),
            _("strongest interest"),
            audience.interests,
            lambda key: fields.get(key, _("other")) if key else _("not known yet"),
        ),
        _division_table(_("By age"), _("age"), audience.ages, _band_text),
        _division_table(
            _("Newcomers and regulars"),
            _("viewers"),
            audience.regulars,
            lambda key: _("regulars") if key else _("newcomers"),
        ),
    ]


def audience_note(audience: Audience | None) -> str:
    """Of whom the audience is made."""
    if audience is None:
        return _("Shown from %(n)d signed-in viewers on, never for smaller groups.") % {
            "n": SMALLEST_GROUP
        }
    return _(
        "Of the first %(n)d signed-in viewers, counted in tens. Groups under %(smallest)d are "
        "never shown."
    ) % {"n": audience.n_people, "smallest": SMALLEST_GROUP}


def _division_table(
    title: str, heading: str, division: Division | None, name: Callable[[int], str]
) -> Table:
    rows = []
    if division is not None:
        whole = sum(division.shown.values()) + division.n_others
        parts = [(name(key), n) for key, n in division.shown.items()]
        if division.n_others:
            parts.append((_("all others"), division.n_others))
        rows = [[text, rate_text(Rate(n, whole))] for text, n in parts]
    return Table(
        title=title,
        headings=[heading, pgettext("of a whole", "share")],
        rows=rows,
        empty=_("The groups are too small to be shown."),
    )


def _band_text(lower: int) -> str:
    if lower < 0:
        return _("not stated")
    at = AGE_BANDS.index(lower)
    if at == len(AGE_BANDS) - 1:
        return _("%(age)d and older") % {"age": lower}
    if at == 0:
        return _("under %(age)d") % {"age": AGE_BANDS[1]}
    return f"{lower}–{AGE_BANDS[at + 1] - 1}"


# --- Minutes ----------------------------------------------------------------------------


def _minute_starts(figures: LiveFigures, curve: Curve) -> list[datetime]:
    assert figures.started_at is not None, "a curve begins when its session did"
    first = figures.started_at.replace(second=0, microsecond=0)
    return [first + timedelta(minutes=at) for at in range(curve.n_minutes)]


def _steps(sums: np.ndarray) -> np.ndarray:
    return np.diff(sums, prepend=0.0)


def _marks(figures: LiveFigures, curve: Curve) -> list[tuple[int, str, str]]:
    """Pins and offers as (minute of the curve, kind, name), those outside the session left out.

    What was prepared and held from the beginning stands at the first minute.
    """
    first = _minute_starts(figures, curve)[0]
    marks = []
    for one in figures.happened:
        at = max(0, int((one.at - first).total_seconds() // 60))
        if at < curve.n_minutes:
            marks.append((at, one.kind, one.name))
    return marks


def minute_table(figures: LiveFigures, *, most: int = MINUTES_SHOWN) -> Table:
    """The last minutes, the newest first, with what was pinned and offered in them."""
    title, headings = _("Minute by minute"), [
        _("minute"), _("viewers at once"), _("came"), _("clicks"), _("orders"), _("GMV"),
        _("pins and offers"),
    ]  # fmt: skip
    empty = _("It has not begun yet.")
    curve = figures.curve
    if curve is None:
        return Table(title, headings, [], empty)
    happened: dict[int, list[str]] = {}
    for at, kind, name in _marks(figures, curve):
        happened.setdefault(at, []).append(f"{KINDS[kind]}: {name}")
    came, clicks, orders, gmv = (
        _steps(one) for one in (curve.n_viewers, curve.n_clicks, curve.n_orders, curve.gmv)
    )
    starts = _minute_starts(figures, curve)
    newest = range(curve.n_minutes - 1, max(-1, curve.n_minutes - 1 - most), -1)
    rows = [
        [
            f"{timezone.localtime(starts[at]):%H:%M}",
            "–" if np.isnan(curve.at_once[at]) else str(int(curve.at_once[at])),
            str(round(came[at])),
            str(round(clicks[at])),
            str(round(orders[at])),
            sum_text(gmv[at], figures.currency),
            "; ".join(happened.get(at, [])),
        ]
        for at in newest
    ]
    left_out = curve.n_minutes - len(rows)
    note = (
        ngettext(
            "%(n)d earlier minute is in the export.",
            "%(n)d earlier minutes are in the export.",
            left_out,
        )
        % {"n": left_out}
        if left_out
        else ""
    )
    return Table(title, headings, rows, empty, note)


def chart_of(figures: LiveFigures) -> dict[str, Any] | None:
    """What static/js/desk_figures.js draws; None before the session began."""
    curve = figures.curve
    if curve is None:
        return None
    starts = _minute_starts(figures, curve)
    return {
        "labels": [f"{timezone.localtime(one):%H:%M}" for one in starts],
        "viewers": [None if np.isnan(one) else int(one) for one in curve.at_once],
        "clicks": [round(one) for one in _steps(curve.n_clicks)],
        "orders": [round(one) for one in _steps(curve.n_orders)],
        "marks": [
            {"at": at, "kind": kind, "label": str(KINDS[kind]), "name": name}
            for at, kind, name in _marks(figures, curve)
        ],
        "names": {
            "viewers": _("viewers at once"),
            "clicks": _("clicks"),
            "orders": _("orders"),
            "marks": _("pins and offers"),
        },
    }


# --- Export -----------------------------------------------------------------------------


def report_of(figures: LiveFigures) -> Dataset:
    """Everything as one long table: a line per figure, with its counts and what was usual.

    Columns: part, name, figure, value (a number, empty where there is none), numerator and
    denominator of a rate, currency of an amount, usual_low, usual_median, usual_high,
    usual_sessions.
    """
    table = Dataset(
        headers=[
            *("part", "name", "figure", "value", "numerator", "denominator", "currency"),
            *("usual_low", "usual_median", "usual_high", "usual_sessions"),
        ]
    )

    def add(part: str, name: str, figure: str, value: Any, **columns: Any) -> None:
        usual: Usual | None = columns.get("usual")
        rate: Rate | None = columns.get("rate")
        middle = [usual.low, usual.median, usual.high, usual.n] if usual else [None] * 4
        table.append(
            [
                *(part, name, figure, value),
                rate.numerator if rate else None,
                rate.denominator if rate else None,
                columns.get("currency"),
                *(round(one, 4) if one is not None else None for one in middle),
            ]
        )

    def add_counts(part: str, name: str, counts: Counts, keys: tuple[str, ...]) -> None:
        usual = figures.usual if part == "session" else {}
        values: dict[str, Any] = {
            "viewers": counts.n_viewers,
            "views": counts.n_views,
            "average_watch": None
            if counts.n_viewers < SMALLEST_GROUP
            else round(counts.average_watch_seconds or 0, 1),
            "impressions": counts.n_impressions,
            "clicks": counts.n_clicks,
            "orders": counts.n_orders,
            "buyers": counts.n_buyers,
            "gmv": counts.gmv,
            "net_sales": counts.net_sales,
            "gmv_per_thousand_views": counts.gmv_per_thousand_views,
        }
        for key in keys:
            rate = getattr(counts, key) if key in RATES else None
            value = values.get(key) if rate is None else rate.value
            is_amount = key in (*AMOUNTS, "net_sales")
            add(
                *(part, name, key, value),
                rate=rate,
                usual=usual.get(key),
                currency=figures.currency if is_amount else None,
            )

    session_keys = (
        *("viewers", "views", "average_watch", "impressions", "clicks", "click_through"),
        *("orders", "buyers", "click_to_order", "conversion", "gmv", "net_sales"),
        "gmv_per_thousand_views",
    )
    peak = figures.usual.get("peak_viewers")
    add("session", "", "peak_viewers", figures.peak_viewers, usual=peak)
    add_counts("session", "", figures.counts, session_keys)
    add("session", "", "likes", figures.n_likes)
    product_keys = (
        *("impressions", "clicks", "click_through", "orders", "click_to_order"),
        *("gmv", "net_sales"),
    )
    for product in figures.products:
        add_counts("product", product.title, product.counts, product_keys)
    source_keys = (
        *("viewers", "views", "impressions", "clicks", "click_through", "orders", "buyers"),
        *("conversion", "gmv", "net_sales"),
    )
    for one in figures.sources:
        add_counts("source", source_text(one.source), one.counts, source_keys)
    for part in audience_tables(figures.audience):
        for name, share in part.rows:
            add("audience", f"{part.title}: {name}", "share", share)
    if figures.curve is not None:
        _add_minutes(figures, figures.curve, add)
    return table


def _add_minutes(figures: LiveFigures, curve: Curve, add: Callable[..., None]) -> None:
    starts = _minute_starts(figures, curve)
    series = {
        "viewers_at_once": curve.at_once,
        "came": _steps(curve.n_viewers),
        "impressions": _steps(curve.n_impressions),
        "clicks": _steps(curve.n_clicks),
        "orders": _steps(curve.n_orders),
        "gmv": _steps(curve.gmv),
    }
    names = [timezone.localtime(one).isoformat(timespec="minutes") for one in starts]
    for at, name in enumerate(names):
        for key, values in series.items():
            value = None if np.isnan(values[at]) else round(float(values[at]), 2)
            currency = figures.currency if key == "gmv" else None
            add("minute", name, key, value, currency=currency)
    for at, kind, what in _marks(figures, curve):
        add("minute", names[at], kind, what)


# --- What to show next ------------------------------------------------------------------


def advice_note(advice: Advice) -> str:
    """For whom the ranking is made."""
    if not advice.n_viewers:
        return _("Nobody is in the room yet: for an audience like those before.")
    text = ngettext(
        "For the %(n)d viewer in the room now.", "For the %(n)d viewers in the room now.",
        advice.n_viewers,
    ) % {"n": advice.n_viewers}  # fmt: skip
    if advice.knows_audience:
        return text
    few = _("What they like counts from %(n)d known viewers on.") % {"n": SMALLEST_GROUP}
    return f"{text} {few}"


def expected_text(one: NextCourse) -> str:
    """The expected conversion with its interval."""
    return _("%(rate)s (%(low)s to %(high)s)") % {
        "rate": share_text(one.expected),
        "low": share_text(one.low),
        "high": share_text(one.high),
    }


def reason_text(one: NextCourse) -> str:
    """Why the course stands where it does."""
    return {
        "audience": _("It suits the people who are here now better than the others do."),
        "session": _("It does better in this session than was to be expected."),
        "past": _("It did well in your sessions before."),
        "untried": _("Not shown yet in this session: what it can do is open."),
        "usual": _("It does as your courses usually do."),
    }[one.reason]


def session_counts_text(one: NextCourse) -> str:
    """What the course did in this session."""
    if not one.n_impressions:
        return _("not seen yet in this session")
    return _("here: seen %(seen)d, clicked %(clicked)d, ordered %(ordered)d times") % {
        "seen": one.n_impressions,
        "clicked": one.n_clicks,
        "ordered": one.n_orders,
    }
