"""Rows of the platform as frames: the one module of analytics that reads other apps.

Every function documents its columns with units. Times are UTC without a zone
(datetime64), money is a float of the course's currency and serves as a feature only:
amounts that are shown come from the decimal columns.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

import numpy as np
import pandas as pd
from django.db.models import Count, F, Max, Min, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from accounts.models import Gender, Occupation, StatedAttributes, User
from analytics.models import Event, EventKind, FigureSource, SessionFigures
from catalog.models import (
    ChosenInterest,
    Course,
    Enrollment,
    LedgerEntry,
    Lesson,
    LessonProgress,
    MoneyMove,
    Purchase,
    Review,
)
from streams.models import LiveSession, OrderAttribution, SessionStatus, ShowcaseItem, Visit

# Rows per query: large enough that the round trips vanish, small enough for little memory.
CHUNK = 50_000
# Keys named in one query.
FEW = 1_000

GENDERS = {value: code for code, value in enumerate(Gender.values)}
OCCUPATIONS = {value: code for code, value in enumerate(Occupation.values)}

# Kinds that say something about what a viewer wants, as opposed to what they were shown.
INTENT_KINDS = (
    EventKind.VIEW,
    EventKind.CLICK,
    EventKind.WATCH,
    EventKind.LIKE,
    EventKind.SHARE,
    EventKind.ADD_TO_CART,
    EventKind.PURCHASE,
    EventKind.LESSON_PROGRESS,
)


def in_chunks(rows: QuerySet, columns: Sequence[str]) -> Iterator[list[tuple]]:
    """The rows by primary key, CHUNK at a time, so that a million of them stay out of memory.

    The drivers read whole results into memory even for `iterator()`; a range of keys does not.
    """
    last = 0
    while chunk := list(
        rows.filter(pk__gt=last).order_by("pk").values_list("pk", *columns)[:CHUNK]
    ):
        last = chunk[-1][0]
        yield chunk


def _of_people(
    rows: QuerySet, columns: Sequence[str], user_ids: Sequence[int]
) -> Iterator[list[tuple]]:
    """The rows of some people, FEW people at a time."""
    for start in range(0, len(user_ids), FEW):
        yield list(rows.filter(user__in=user_ids[start : start + FEW]).values_list("pk", *columns))


def _people_without_personalisation() -> np.ndarray:
    ids = User.objects.filter(is_personalised=False).values_list("pk", flat=True)
    return np.array(list(ids), dtype="int64")


def column_of(chunk: list[tuple], place: int, dtype: str, missing: object) -> np.ndarray:
    return np.array([missing if row[place] is None else row[place] for row in chunk], dtype=dtype)


def times_of(chunk: list[tuple], place: int) -> np.ndarray:
    """Aware datetimes, or None, as datetime64[us] in UTC."""
    stamps = [np.nan if row[place] is None else row[place].timestamp() for row in chunk]
    micros = np.array(stamps) * 1e6
    known = ~np.isnan(micros)
    out = np.full(len(chunk), np.datetime64("NaT"), dtype="datetime64[us]")
    out[known] = np.round(micros[known]).astype("int64").astype("datetime64[us]")
    return out


def _frame(parts: list[dict[str, np.ndarray]], empty: dict[str, str]) -> pd.DataFrame:
    if not parts:
        return pd.DataFrame({name: np.array([], dtype=dtype) for name, dtype in empty.items()})
    return pd.DataFrame(
        {name: np.concatenate([part[name] for part in parts]) for name in empty}, copy=False
    )


def last_event_id() -> int:
    """The id of the newest event; 0 without any."""
    return Event.objects.aggregate(v=Max("id"))["v"] or 0


def event_count(*, after_id: int, up_to_id: int) -> int:
    """How many events of anybody have an id above the one and up to the other."""
    return Event.objects.filter(id__gt=after_id, id__lte=up_to_id).count()


def event_frame(
    *,
    kinds: Sequence[EventKind] = tuple(EventKind),
    after_id: int = 0,
    up_to_id: int | None = None,
    user_ids: Sequence[int] | None = None,
    is_dated: bool = False,
) -> pd.DataFrame:
    """Events of signed-in people who allow personalisation, in the order in which they came.

    `user_ids` narrows them to those of some people (None: everybody; they come person by
    person then), `is_dated` to those whose time is known.

    Columns: id (int64), user_id (int64), kind (int8, an EventKind), course_id (int64, 0 for
    none), live_session_id (int64, 0 for none), value (float64, NaN for none), occurred_at
    (datetime64[us], NaT for none), position (int64, -1 for none).
    """
    rows = Event.objects.filter(user__isnull=False, kind__in=kinds, id__gt=after_id)
    if up_to_id is not None:
        rows = rows.filter(id__lte=up_to_id)
    if is_dated:
        rows = rows.filter(occurred_at__isnull=False)
    columns = (
        "user_id",
        "kind",
        "course_id",
        "live_session_id",
        "value",
        "occurred_at",
        "position",
    )
    # Left out here, since MariaDB would join from the people and sort all their events for
    # every chunk: 12 s instead of 3 s for 800,000 events.
    refused = _people_without_personalisation()
    parts = []
    for chunk in (
        in_chunks(rows, columns) if user_ids is None else _of_people(rows, columns, user_ids)
    ):
        people = column_of(chunk, 1, "int64", 0)
        allowed = ~np.isin(people, refused)
        part = {
            "id": column_of(chunk, 0, "int64", 0),
            "user_id": people,
            "kind": column_of(chunk, 2, "int8", 0),
            "course_id": column_of(chunk, 3, "int64", 0),
            "live_session_id": column_of(chunk, 4, "int64", 0),
            "value": column_of(chunk, 5, "float64", np.nan),
            "occurred_at": times_of(chunk, 6),
            "position": column_of(chunk, 7, "int64", -1),
        }
        parts.append({name: values[allowed] for name, values in part.items()})
    return _frame(
        parts,
        {
            "id": "int64",
            "user_id": "int64",
            "kind": "int8",
            "course_id": "int64",
            "live_session_id": "int64",
            "value": "float64",
            "occurred_at": "datetime64[us]",
            "position": "int64",
        },
    )


def enrollment_frame() -> pd.DataFrame:
    """Who has which course. Columns: user_id, course_id (int64), enrolled_at (datetime64[us]).

    People without personalisation are left out, as in every frame that a model learns from.
    """
    rows = Enrollment.objects.filter(is_active=True, user__is_personalised=True)
    parts = [
        {
            "user_id": column_of(chunk, 1, "int64", 0),
            "course_id": column_of(chunk, 2, "int64", 0),
            "enrolled_at": times_of(chunk, 3),
        }
        for chunk in in_chunks(rows, ("user_id", "course_id", "enrolled_at"))
    ]
    return _frame(
        parts, {"user_id": "int64", "course_id": "int64", "enrolled_at": "datetime64[us]"}
    )


def people_frame(*, as_of: datetime) -> pd.DataFrame:
    """What people said of themselves, those who allow personalisation only.

    Columns: user_id (int64), age (float64 in years, NaN unknown), gender and occupation
    (int16 codes in GENDERS and OCCUPATIONS, -1 unknown).
    """
    rows = StatedAttributes.objects.filter(user__is_personalised=True)
    parts = [
        {
            "user_id": column_of(chunk, 0, "int64", 0),
            "age": as_of.year - column_of(chunk, 1, "float64", np.nan),
            "gender": np.array([GENDERS.get(row[2], -1) for row in chunk], dtype="int16"),
            "occupation": np.array([OCCUPATIONS.get(row[3], -1) for row in chunk], dtype="int16"),
        }
        for chunk in in_chunks(rows, ("birth_year", "gender", "occupation"))
    ]
    return _frame(
        parts, {"user_id": "int64", "age": "float64", "gender": "int16", "occupation": "int16"}
    )


def chosen_interest_frame() -> pd.DataFrame:
    """Fields that people chose. Columns: user_id, category_id (int64)."""
    rows = ChosenInterest.objects.filter(user__is_personalised=True)
    parts = [
        {
            "user_id": column_of(chunk, 1, "int64", 0),
            "category_id": column_of(chunk, 2, "int64", 0),
        }
        for chunk in in_chunks(rows, ("user_id", "category_id"))
    ]
    return _frame(parts, {"user_id": "int64", "category_id": "int64"})


def course_frame() -> pd.DataFrame:
    """All courses but drafts. Columns: course_id, category_id, seller_id (int64), level (int8,
    1 to 3), kind (str), price (float64), currency (str), is_published (bool), title, summary
    (str), tags (list of str), published_at (datetime64[us], NaT for never)."""
    rows = Course.objects.exclude(status="draft").order_by("pk")
    return pd.DataFrame(
        list(
            rows.values_list(
                "pk",
                "category_id",
                "seller_id",
                "level",
                "kind",
                "list_price",
                "currency",
                "status",
                "title",
                "summary",
                "tags",
                "published_at",
            )
        ),
        columns=[
            "course_id",
            "category_id",
            "seller_id",
            "level",
            "kind",
            "price",
            "currency",
            "is_published",
            "title",
            "summary",
            "tags",
            "published_at",
        ],
    ).assign(
        price=lambda f: f["price"].astype("float64"),
        is_published=lambda f: f["is_published"] == "published",
        published_at=lambda f: (
            pd.to_datetime(f["published_at"], utc=True)
            .dt.tz_localize(None)
            .astype("datetime64[us]")
        ),
    )


def lesson_frame() -> pd.DataFrame:
    """Lessons in the order of their course. Columns: lesson_id, course_id (int64),
    position (int64, 0 is the first of the course), duration_seconds (int64)."""
    rows = Lesson.objects.order_by(
        "section__course_id", "section__position", "section_id", "position", "pk"
    ).values_list("pk", "section__course_id", "duration_seconds")
    frame = pd.DataFrame(list(rows), columns=["lesson_id", "course_id", "duration_seconds"])
    frame = frame.astype("int64")
    frame["position"] = frame.groupby("course_id").cumcount()
    return frame


def progress_frame() -> pd.DataFrame:
    """Lesson progress. Columns: user_id, lesson_id, course_id (int64), seconds (int64),
    opened_at, updated_at, completed_at (datetime64[us], the last NaT when not completed)."""
    rows = LessonProgress.objects.filter(user__is_personalised=True)
    columns = (
        "user_id",
        "lesson_id",
        "lesson__section__course_id",
        "seconds",
        "opened_at",
        "updated_at",
        "completed_at",
    )
    parts = [
        {
            "user_id": column_of(chunk, 1, "int64", 0),
            "lesson_id": column_of(chunk, 2, "int64", 0),
            "course_id": column_of(chunk, 3, "int64", 0),
            "seconds": column_of(chunk, 4, "int64", 0),
            "opened_at": times_of(chunk, 5),
            "updated_at": times_of(chunk, 6),
            "completed_at": times_of(chunk, 7),
        }
        for chunk in in_chunks(rows, columns)
    ]
    return _frame(
        parts,
        {
            "user_id": "int64",
            "lesson_id": "int64",
            "course_id": "int64",
            "seconds": "int64",
            "opened_at": "datetime64[us]",
            "updated_at": "datetime64[us]",
            "completed_at": "datetime64[us]",
        },
    )


def rating_frame() -> pd.DataFrame:
    """Ratings that are shown. Columns: course_id, rating (int64, 1 to 5)."""
    rows = Review.objects.filter(is_visible=True).values_list("course_id", "rating")
    return pd.DataFrame(list(rows), columns=["course_id", "rating"]).astype("int64")


def buyers_of(session_ids: Sequence[int]) -> QuerySet:
    return _sold_lines(session_ids).values_list("session_id", "order__buyer_id").distinct()


def _paid_lines(session_ids: Sequence[int]) -> QuerySet:
    """Paid lines of the orders that came from the given sessions, of whatever seller."""
    from_there = OrderAttribution.objects.filter(live_session__in=session_ids)
    return Purchase.objects.paid().filter(order__in=from_there.values("order"))


def _sold_lines(session_ids: Sequence[int]) -> QuerySet:
    """Lines that the given sessions sold, with their `session_id`: paid, and of a course of the
    session's own seller. What else was in the same order is somebody else's turnover."""
    attributed = OrderAttribution.objects.filter(order=OuterRef("order"))
    return (
        _paid_lines(session_ids)
        .annotate(
            session_id=Subquery(attributed.values("live_session")),
            host_id=Subquery(attributed.values("live_session__seller")),
        )
        .filter(course__seller=F("host_id"))
    )


def session_sales_frame(*, session_ids: Sequence[int]) -> pd.DataFrame:
    """What the given sessions sold: one row per paid line of a course of the session's seller.

    Columns: session_id, order_id, buyer_id, course_id (int64), paid_at (datetime64[us]),
    currency (str), price (Decimal, what was paid for the line), is_refunded (bool),
    promotion_id, coupon_id (object: int or None),
    coupon_discount (Decimal), promotion_price (Decimal or None), coupon_code (str or None).
    coupon_id is that of the order where it took something off this line.
    """
    columns = {
        "session_id": "session_id",
        "order_id": "order_id",
        "buyer_id": "order__buyer_id",
        "course_id": "course_id",
        "paid_at": "order__paid_at",
        "currency": "order__currency",
        "price": "price",
        "refunded_at": "refunded_at",
        "promotion_id": "promotion_id",
        "promotion_price": "promotion__price",
        "coupon_discount": "coupon_discount",
        "coupon_id": "order__coupon_id",
        "coupon_code": "order__coupon__code",
    }
    rows = _sold_lines(session_ids).order_by("pk").values_list(*columns.values())
    lines = list(rows)
    frame = pd.DataFrame(lines, columns=list(columns), dtype="object")
    whole = ["session_id", "order_id", "buyer_id", "course_id"]
    frame[whole] = frame[whole].astype("int64")
    frame["paid_at"] = times_of(lines, list(columns).index("paid_at"))
    is_used = np.array([cut > 0 for cut in frame["coupon_discount"]], dtype=bool)
    frame.loc[~is_used, ["coupon_id", "coupon_code"]] = None
    frame["is_refunded"] = [moment is not None for moment in frame["refunded_at"]]
    return frame.drop(columns="refunded_at")


def count_sold_lines(session_id: int) -> tuple[int, int]:
    """How many lines of the session's orders are paid, and how many of them were refunded."""
    counted = _paid_lines([session_id]).aggregate(paid=Count("pk"), refunded=Count("refunded_at"))
    return counted["paid"], counted["refunded"]


def main_currency(lines: pd.DataFrame) -> str | None:
    """The currency of most lines of a `session_sales_frame`, the first by name among equals."""
    in_currency = lines.groupby("currency").size()
    return str(in_currency.idxmax()) if len(in_currency) else None


class PaidLine(NamedTuple):
    """One line of a paid order; `live_session_id` is where the order came from, or None."""

    line_id: int
    user_id: int
    course_id: int
    live_session_id: int | None
    price: Decimal
    paid_at: datetime


def paid_lines(*, since: datetime | None) -> Iterator[list[PaidLine]]:
    """Lines of orders paid at or after `since` (None: ever), FEW at a time; refunded ones too.

    Those of people who refuse personalisation are left out. The charge in the ledger, which is
    written when an order is paid, however late that is, says when.
    """
    charges = LedgerEntry.objects.filter(kind=MoneyMove.CHARGE, order__buyer__is_personalised=True)
    if since is not None:
        charges = charges.filter(recorded_at__gte=since)
    columns = (
        "order__lines__pk",
        "order__buyer_id",
        "order__lines__course_id",
        "session",
        "order__lines__price",
        "recorded_at",
    )
    attributed = OrderAttribution.objects.filter(order=OuterRef("order"))
    charges = charges.annotate(session=Subquery(attributed.values("live_session")))
    last = 0
    while entries := list(
        charges.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:FEW]
    ):
        last = entries[-1]
        rows = charges.filter(pk__in=entries).order_by("pk", "order__lines__pk")
        yield [PaidLine(*row) for row in rows.values_list(*columns)]


class BoughtLine(NamedTuple):
    """What one line of an order cost, beside the list price of that moment."""

    line_id: int
    currency: str
    list_price: Decimal
    price: Decimal


def bought_lines(user_ids: Sequence[int]) -> list[BoughtLine]:
    """All lines that some people ordered, paid or not, of at most FEW people."""
    rows = Purchase.objects.filter(order__buyer__in=user_ids).order_by("pk")
    columns = ("pk", "order__currency", "list_price", "price")
    return [BoughtLine(*row) for row in rows.values_list(*columns)]


def session_frame() -> pd.DataFrame:
    """What is known of every session but drafts: its plan, and its figures once it was on air.

    Columns: session_id, seller_id (int64), is_finished, is_scheduled (bool: over; not yet on
    air), starts_at (datetime64[us], UTC),
    planned_minutes (int64), n_showcase, n_reminders (int64), min_price, mean_price (float64, the
    lowest price offered per course of the showcase; NaN without a showcase), discount (float64,
    0 to 1, the deepest cut of a promotion of the session below the list price), has_coupon
    (bool), category (int64, the most frequent of the showcase, 0 without), n_views, n_clicks,
    n_viewers, n_buyers (int64, 0 before the session).
    """
    sessions = list(
        LiveSession.objects.exclude(status=SessionStatus.DRAFT)
        .annotate(
            starts=Coalesce("started_at", "scheduled_at"),
            n_reminders=Count("reminders", distinct=True),
            n_coupons=Count("coupons", distinct=True),
        )
        .order_by("pk")
        .values_list(
            "pk", "seller_id", "status", "starts", "planned_minutes", "n_reminders", "n_coupons"
        )
    )
    frame = pd.DataFrame(
        sessions,
        columns=[
            "session_id",
            "seller_id",
            "status",
            "starts_at",
            "planned_minutes",
            "n_reminders",
            "n_coupons",
        ],
    )
    frame["is_finished"] = frame["status"].isin([SessionStatus.ENDED, SessionStatus.REPLAY])
    frame["is_scheduled"] = frame["status"] == SessionStatus.SCHEDULED
    frame["has_coupon"] = frame["n_coupons"] > 0
    frame["starts_at"] = pd.to_datetime(frame["starts_at"], utc=True).dt.tz_localize(None)
    frame["starts_at"] = frame["starts_at"].astype("datetime64[us]")
    figures = ["n_views", "n_clicks", "n_viewers", "n_buyers"]
    counted = pd.DataFrame(
        list(SessionFigures.objects.values_list("live_session_id", *figures)),
        columns=["session_id", *figures],
    )
    frame = (
        frame.drop(columns=["status", "n_coupons"])
        .merge(counted, on="session_id", how="left")
        .merge(_showcase_frame(), on="session_id", how="left")
    )
    whole = [*figures, "n_showcase", "category"]
    frame[whole] = frame[whole].fillna(0).astype("int64")
    frame["discount"] = frame["discount"].fillna(0.0)
    return frame


def _showcase_frame() -> pd.DataFrame:
    """The showcase of each session in numbers; the columns are those of `session_frame`."""
    columns = ["session_id", "category", "list_price", "promotion_price"]
    rows = ShowcaseItem.objects.annotate(
        promotion_price=Min(
            "live_session__promotions__promotion__price",
            filter=Q(live_session__promotions__promotion__course=F("course")),
        )
    ).values_list("live_session_id", "course__category_id", "course__list_price", "promotion_price")
    items = pd.DataFrame(list(rows), columns=columns)
    items[["list_price", "promotion_price"]] = items[["list_price", "promotion_price"]].astype(
        "float64"
    )
    items["offered"] = items[["list_price", "promotion_price"]].min(axis=1)
    items["cut"] = (
        1 - items["offered"] / items["list_price"].where(items["list_price"] > 0)
    ).fillna(0)
    by_session = items.groupby("session_id")
    return by_session.agg(
        n_showcase=("category", "size"),
        min_price=("offered", "min"),
        mean_price=("offered", "mean"),
        discount=("cut", "max"),
        category=("category", lambda values: values.mode().iloc[0]),
    ).reset_index()


def sessions_to_count(*, since: datetime | None) -> list[int]:
    """Sessions on air at or after `since` (None: ever) whose figures are measured here."""
    rows = _measured_sessions()
    if since is not None:
        rows = rows.filter(Q(ended_at__isnull=True) | Q(ended_at__gte=since))
    return list(rows.order_by("pk").values_list("pk", flat=True))


def sessions_with_moved_money(*, since: datetime) -> list[int]:
    """Sessions whose sales changed at or after `since`, however long ago they ended.

    Every sale and every refund leaves its entry in the ledger when it happens: nothing else
    changes what a session has sold.
    """
    moved = LedgerEntry.objects.filter(
        recorded_at__gte=since, kind__in=[MoneyMove.CHARGE, MoneyMove.REFUND]
    )
    rows = _measured_sessions().filter(attributed_orders__order__ledger__in=moved).distinct()
    return list(rows.order_by("pk").values_list("pk", flat=True))


def sessions_visited(*, since: datetime) -> list[int]:
    """Measured sessions, however old, in which somebody was seen at or after `since`."""
    seen = Visit.objects.filter(last_seen_at__gte=since).values("live_session")
    rows = _measured_sessions().filter(pk__in=seen)
    return list(rows.order_by("pk").values_list("pk", flat=True))


def _measured_sessions() -> QuerySet:
    imported = SessionFigures.objects.filter(source=FigureSource.IMPORTED).values("live_session")
    return LiveSession.objects.exclude(
        status__in=[SessionStatus.DRAFT, SessionStatus.SCHEDULED]
    ).exclude(pk__in=imported)


def lock_personalised(user_ids: Sequence[int]) -> set[int]:
    """Those of the people who allow personalisation, locked until the transaction ends.

    Without the lock, an erasure or a refusal that commits between the look and an insert would
    leave rows about somebody that nothing removes any more.
    """
    people = User.objects.filter(pk__in=user_ids, is_active=True, is_personalised=True)
    locked = people.order_by("pk").select_for_update()
    return set(locked.values_list("pk", flat=True))


def personalised_people() -> set[int]:
    """Everybody who allows personalisation."""
    return set(User.objects.filter(is_personalised=True).values_list("pk", flat=True))
