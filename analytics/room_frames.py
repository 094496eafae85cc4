"""Rows of live rooms as frames: who was there, what they watched and what they saw.

Beside `frames`, whose conventions hold here: columns with units, times in UTC without a zone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import numpy as np
import pandas as pd
from django.db.models import CharField, Count, Exists, F, Min, OuterRef, Q, QuerySet, Sum
from django.db.models.functions import Coalesce, Substr

from accounts.models import StatedAttributes, User
from analytics.frames import FEW, buyers_of, column_of, times_of
from analytics.models import Event, EventKind, Profile
from analytics.serving import rankings_of
from catalog.models import Category, Course, CourseStatus, Enrollment
from streams.attendance import unlinked_visitor
from streams.models import (
    ChatMessage,
    Draw,
    LiveSession,
    PinnedSpan,
    Poll,
    Room,
    RoomMinute,
    SessionCoupon,
    SessionPromotion,
    SessionStatus,
    ShowcaseItem,
    Visit,
)

# Who was seen so long ago is taken for being in the room.
PRESENT_FOR = timedelta(seconds=60)


def session_count_frame(*, session_ids: Sequence[int], present: pd.DataFrame) -> pd.DataFrame:
    """Counts of the given sessions, indexed by session_id; `present` is their `presence_frame`.

    Columns: n_impressions, n_views, n_clicks (int64), watched_seconds (float64).
    """
    columns = ["n_impressions", "n_clicks"]
    rows = (
        Event.objects.filter(
            live_session_id__in=session_ids, kind__in=[EventKind.IMPRESSION, EventKind.CLICK]
        )
        .values("live_session_id")
        .annotate(
            n_impressions=Count("pk", filter=Q(kind=EventKind.IMPRESSION)),
            n_clicks=Count("pk", filter=Q(kind=EventKind.CLICK)),
        )
        .values_list("live_session_id", *columns)
    )
    shown = pd.DataFrame(list(rows), columns=["session_id", *columns]).set_index("session_id")
    watched = present.groupby("session_id")[["n_views", "watched_seconds"]].sum()
    counts = shown.join(watched, how="outer").fillna(0)
    whole = ["n_impressions", "n_views", "n_clicks"]
    return counts[[*whole, "watched_seconds"]].astype(dict.fromkeys(whole, "int64"))


def session_viewer_frame(*, session_ids: Sequence[int], present: pd.DataFrame) -> pd.DataFrame:
    """Who was in the given sessions: one row per session and person or anonymous visitor.

    Columns: session_id (int64), viewer (str). `present` is their `presence_frame`. Somebody who
    bought was there, also when their viewing was not recorded (they refused personalisation, or
    a script was blocked).
    """
    pairs = set(zip(present["session_id"], present["viewer"], strict=True))
    for session, buyer in buyers_of(session_ids):
        unlinked = f"v{unlinked_visitor(session_id=session, user_id=buyer)}"
        pairs.add((session, unlinked if (session, unlinked) in pairs else f"u{buyer}"))
    return pd.DataFrame(sorted(pairs), columns=["session_id", "viewer"])


def presence_frame(*, session_ids: Sequence[int], now: datetime) -> pd.DataFrame:
    """Who was seen in the given sessions and for how long: a row per session and viewer.

    Columns: session_id (int64), viewer (str: u and the person's id, or v and the visitor's),
    n_views (int64), watched_seconds (float64), first_seen_at (datetime64[us]).

    A stay may be told twice, by the room itself (a visit) and by events that an app sent: of the
    two accounts of one viewer the larger counts, never their sum.
    Nobody watched longer than the session lasted, whatever they claim. Where the room recorded
    visits, anonymous visitors are those that it saw: any number can be made up in events.
    """
    visits = visit_frame(session_ids=session_ids)
    return present_viewers(
        visits, told_frame(session_ids=session_ids), seconds_on_air(session_ids, now=now)
    )


def present_viewers(
    visits: pd.DataFrame, told: pd.DataFrame, lengths: Mapping[int, float]
) -> pd.DataFrame:
    """`presence_frame` from what `visit_frame` and `told_frame` say, and seconds on air."""
    stays = visits.groupby(["session_id", "viewer"], as_index=False).agg(
        n_views=("visit_id", "size"),
        watched_seconds=("watched_seconds", "sum"),
        first_seen_at=("joined_at", "min"),
    )
    told = told.loc[told["first_seen_at"].notna(), stays.columns]
    is_made_up = told["session_id"].isin(set(visits["session_id"])) & told["viewer"].str.startswith(
        "v"
    )
    both = pd.concat([stays, told[~is_made_up]], ignore_index=True)
    present = both.groupby(["session_id", "viewer"], as_index=False).agg(
        n_views=("n_views", "max"),
        watched_seconds=("watched_seconds", "max"),
        first_seen_at=("first_seen_at", "min"),
    )
    most = present["session_id"].map(lengths).fillna(0.0)
    present["watched_seconds"] = np.minimum(present["watched_seconds"], most)
    return present


COUNTED_KINDS = (EventKind.IMPRESSION, EventKind.CLICK)


def shown_frame(
    *, session_ids: Sequence[int], after_id: int = 0, up_to_id: int | None = None
) -> pd.DataFrame:
    """How often courses were seen and clicked in the given sessions, minute by minute.

    Columns: session_id (int64), kind (int8), course_id (int64, 0 for none), minute
    (datetime64[us], NaT for events without a time), n (int64).
    """
    rows = list(
        _events_between(session_ids, after_id, up_to_id)
        .filter(kind__in=COUNTED_KINDS)
        # Both databases keep times in UTC and write them alike; their own functions for dates
        # need tables of zones, or are slow.
        .annotate(minute=Substr("occurred_at", 1, 16, output_field=CharField()))
        .values("live_session_id", "kind", "course_id", "minute")
        .annotate(n=Count("pk"))
        .values_list("live_session_id", "kind", "course_id", "minute", "n")
    )
    return pd.DataFrame(
        {
            "session_id": column_of(rows, 0, "int64", 0),
            "kind": column_of(rows, 1, "int8", 0),
            "course_id": column_of(rows, 2, "int64", 0),
            "minute": column_of(rows, 3, "datetime64[us]", "NaT"),
            "n": column_of(rows, 4, "int64", 0),
        }
    )


def told_frame(
    *, session_ids: Sequence[int], after_id: int = 0, up_to_id: int | None = None
) -> pd.DataFrame:
    """What events say of each viewer of the given sessions.

    Columns: session_id (int64), viewer (str, as in `presence_frame`), user_id (int64, 0 for an
    anonymous visitor), n_impressions, n_clicks, n_views (int64), watched_seconds (float64),
    first_seen_at (datetime64[us], NaT for who neither viewed nor watched).
    """
    was_there = Q(kind__in=[EventKind.VIEW, EventKind.WATCH])
    # What was made of a visit is told by the visit itself.
    is_told = Q(~Exists(Visit.objects.filter(key=OuterRef("uuid"))), kind=EventKind.WATCH)
    rows = list(
        _events_between(session_ids, after_id, up_to_id)
        .filter(kind__in=[*COUNTED_KINDS, EventKind.VIEW, EventKind.WATCH])
        .values("live_session_id", "user_id", "visitor_id")
        .annotate(
            n_impressions=Count("pk", filter=Q(kind=EventKind.IMPRESSION)),
            n_clicks=Count("pk", filter=Q(kind=EventKind.CLICK)),
            n_views=Count("pk", filter=Q(kind=EventKind.VIEW)),
            watched=Coalesce(Sum("value", filter=is_told), 0.0),
            first=Min("occurred_at", filter=was_there),
        )
        .values_list(
            *("live_session_id", "user_id", "visitor_id", "n_impressions", "n_clicks"),
            *("n_views", "watched", "first"),
        )
    )
    return pd.DataFrame(
        {
            "session_id": column_of(rows, 0, "int64", 0),
            "viewer": np.array([viewer_name(row[1], row[2]) for row in rows], dtype="object"),
            "user_id": column_of(rows, 1, "int64", 0),
            "n_impressions": column_of(rows, 3, "int64", 0),
            "n_clicks": column_of(rows, 4, "int64", 0),
            "n_views": column_of(rows, 5, "int64", 0),
            "watched_seconds": column_of(rows, 6, "float64", 0.0),
            "first_seen_at": times_of(rows, 7),
        }
    )


def _events_between(session_ids: Sequence[int], after_id: int, up_to_id: int | None) -> QuerySet:
    if not after_id:
        rows = Event.objects.filter(live_session_id__in=session_ids)
    else:
        # The newest events of everybody are few, those of a session may be a million. Adding
        # nothing to its id keeps the database from going by the session.
        rows = Event.objects.annotate(there=F("live_session_id") + 0)
        rows = rows.filter(pk__gt=after_id, there__in=session_ids)
    return rows if up_to_id is None else rows.filter(pk__lte=up_to_id)


def viewer_name(user_id: int | None, visitor_id: object) -> str:
    """One name for a person or an anonymous visitor."""
    return f"u{user_id}" if user_id else f"v{visitor_id}"


def viewers_of_buyers(
    session_id: int, buyer_ids: Iterable[int], present: Collection[str]
) -> dict[int, str]:
    """Which viewer each buyer is; `present` are the viewers of the session.

    The stay of somebody who refuses personalisation is not linked to them, and is theirs all the
    same: they are one viewer, not two.
    """
    found = {}
    for buyer in set(buyer_ids):
        unlinked = f"v{unlinked_visitor(session_id=session_id, user_id=buyer)}"
        found[buyer] = unlinked if unlinked in present else f"u{buyer}"
    return found


VISIT_COLUMNS = (
    *("live_session_id", "user_id", "visitor_id", "source", "joined_at", "last_seen_at"),
    *("watched_seconds", "n_likes"),
)


def visit_frame(
    *, session_ids: Sequence[int], seen_since: datetime | None = None, after_id: int = 0
) -> pd.DataFrame:
    """Visits of the given sessions; with `seen_since`, those last seen from then on alone, and
    those whose id is above `after_id`.

    Columns: visit_id, session_id (int64), user_id (int64, 0 for an anonymous visitor), viewer
    (str, as in `presence_frame`), source (str), joined_at, last_seen_at (datetime64[us]),
    watched_seconds (float64), n_likes (int64).
    """
    found = Visit.objects.filter(live_session_id__in=session_ids)
    if seen_since is not None:
        found = found.filter(Q(last_seen_at__gte=seen_since) | Q(pk__gt=after_id))
    rows = list(found.order_by("pk").values_list("pk", *VISIT_COLUMNS))
    return pd.DataFrame(
        {
            "visit_id": column_of(rows, 0, "int64", 0),
            "session_id": column_of(rows, 1, "int64", 0),
            "user_id": column_of(rows, 2, "int64", 0),
            "viewer": np.array([viewer_name(row[2], row[3]) for row in rows], dtype="object"),
            "source": np.array([row[4] for row in rows], dtype="object"),
            "joined_at": times_of(rows, 5),
            "last_seen_at": times_of(rows, 6),
            "watched_seconds": column_of(rows, 7, "float64", 0.0),
            "n_likes": column_of(rows, 8, "int64", 0),
        }
    )


def seconds_on_air(session_ids: Sequence[int], *, now: datetime) -> dict[int, float]:
    """How long each of the given sessions was on air, up to `now`; 0 before its start.

    A replay is watched after the end: for it, the time since the start.
    """
    rows = LiveSession.objects.filter(pk__in=session_ids).values_list(
        "pk", "status", "started_at", "ended_at"
    )
    lengths = {}
    for key, status, started, ended in rows:
        end = now if ended is None or status == SessionStatus.REPLAY else ended
        lengths[key] = max(0.0, (end - started).total_seconds()) if started else 0.0
    return lengths


def room_peaks(session_ids: Sequence[int]) -> dict[int, int]:
    """The most viewers at once of those of the given sessions whose room has counted them."""
    rooms = Room.objects.filter(pk__in=session_ids, peak_viewers__gt=0)
    return dict(rooms.values_list("pk", "peak_viewers"))


class Stay(NamedTuple):
    """One visit that is over, or was at its last look."""

    visit_id: int
    key: UUID
    user_id: int
    live_session_id: int
    watched_seconds: int
    n_likes: int
    last_seen_at: datetime


def finished_stays(*, since: datetime | None, silent_since: datetime) -> Iterator[list[Stay]]:
    """Visits last seen from `since` (None: ever) on that are over, FEW at a time.

    Over is what was last seen before `silent_since`, and every visit of a session that had ended
    by then. Only those of signed-in people who allow personalisation: nothing learns from the
    others, and an anonymous visit may be that of somebody who refuses.
    """
    is_over = Q(last_seen_at__lt=silent_since) | Q(live_session__ended_at__lt=silent_since)
    rows = Visit.objects.filter(is_over, user__isnull=False, user__is_personalised=True)
    if since is not None:
        rows = rows.filter(last_seen_at__gte=since)
    last = 0
    columns = ("pk", *Stay._fields[1:])
    while stays := list(rows.filter(pk__gt=last).order_by("pk").values_list(*columns)[:FEW]):
        last = stays[-1][0]
        yield [Stay(*row) for row in stays]


class SaidLine(NamedTuple):
    """One line of chat that was written in a room."""

    message_id: int
    user_id: int
    live_session_id: int
    sent_at: datetime


def said_lines(*, since: datetime | None) -> Iterator[list[SaidLine]]:
    """Chat written in rooms from `since` (None: ever) on, FEW at a time.

    Left out is what was hidden by then, and what was imported, which has no key of a writer's
    client; so are people who refuse personalisation.
    """
    rows = ChatMessage.objects.filter(
        key__isnull=False, hidden_at__isnull=True, author__is_personalised=True
    )
    if since is not None:
        rows = rows.filter(sent_at__gte=since)
    last = 0
    columns = ("pk", "author_id", "live_session_id", "sent_at")
    while lines := list(rows.filter(pk__gt=last).order_by("pk").values_list(*columns)[:FEW]):
        last = lines[-1][0]
        yield [SaidLine(*row) for row in lines]


def minute_frame(*, session_ids: Sequence[int]) -> pd.DataFrame:
    """Minutes of rooms. Columns: session_id (int64), minute (datetime64[us]), n_viewers (int64,
    the most at once), n_likes (int64)."""
    found = RoomMinute.objects.filter(live_session_id__in=session_ids).order_by("minute")
    rows = list(found.values_list("live_session_id", "minute", "n_viewers", "n_likes"))
    return pd.DataFrame(
        {
            "session_id": column_of(rows, 0, "int64", 0),
            "minute": times_of(rows, 1),
            "n_viewers": column_of(rows, 2, "int64", 0),
            "n_likes": column_of(rows, 3, "int64", 0),
        }
    )


class Happened(NamedTuple):
    """A pin or an offer of a session: what (`kind`), when, and its name."""

    kind: str
    at: datetime
    name: str


def happenings(session_id: int) -> list[Happened]:
    """Pins, promotions, coupons, polls and draws of one session, the earliest first.

    Kinds: pin, promotion, coupon, poll, draw. What was prepared before the beginning keeps the
    moment from which it held.
    """
    of_session = {"live_session_id": session_id}
    found = [
        *(
            Happened("pin", *row)
            for row in PinnedSpan.objects.filter(**of_session).values_list(
                "pinned_at", "course__title"
            )
        ),
        *(
            Happened("promotion", *row)
            for row in SessionPromotion.objects.filter(**of_session).values_list(
                "promotion__starts_at", "promotion__course__title"
            )
        ),
        *(
            Happened("coupon", *row)
            for row in SessionCoupon.objects.filter(**of_session).values_list(
                "coupon__starts_at", "coupon__code"
            )
        ),
        *(
            Happened("poll", *row)
            for row in Poll.objects.filter(**of_session).values_list("opened_at", "question")
        ),
        *(
            Happened("draw", *row)
            for row in Draw.objects.filter(**of_session).values_list("opened_at", "prize")
        ),
    ]
    return sorted(found, key=lambda one: one.at)


def former_sessions(session: LiveSession, *, n: int) -> list[LiveSession]:
    """The last `n` sessions of the same seller that are over and began before this one."""
    before = session.started_at or session.scheduled_at or session.created_at
    return list(
        LiveSession.objects.filter(seller=session.seller_id, started_at__lt=before)
        .finished()
        .exclude(pk=session.pk)
        .order_by("-started_at", "-pk")[:n]
    )


def courses_shown(session_id: int) -> list[tuple[int, str]]:
    """Ids and titles of the showcase, in its order."""
    items = ShowcaseItem.objects.filter(live_session_id=session_id).order_by("position", "pk")
    return list(items.values_list("course_id", "course__title"))


def course_titles(course_ids: Iterable[int]) -> dict[int, str]:
    """Titles by id."""
    return dict(Course.objects.filter(pk__in=course_ids).values_list("pk", "title"))


def personalised_among(user_ids: Sequence[int]) -> set[int]:
    """Those of the people who allow personalisation."""
    return {
        person
        for some in _few(user_ids)
        for person in User.objects.filter(
            pk__in=some, is_personalised=True, is_active=True
        ).values_list("pk", flat=True)
    }


class Person(NamedTuple):
    """What counts of groups need of somebody: the category of the strongest interest and the
    year of birth, 0 for unknown, and whether they were in an earlier session of the seller."""

    interest: int
    birth_year: int
    is_regular: bool


def people_of_audience(user_ids: Sequence[int], *, session: LiveSession) -> dict[int, Person]:
    """What is known of some people, by their ids; for counts of groups only."""
    interests: dict[int, int] = {}
    years: dict[int, int] = {}
    regulars: set[int] = set()
    others = LiveSession.objects.filter(seller=session.seller_id).exclude(pk=session.pk)
    earlier = others.filter(started_at__lt=session.started_at).values("pk")
    for some in _few(user_ids):
        for person, found in Profile.objects.filter(pk__in=some).values_list("pk", "interests"):
            if found:
                interests[person] = int(found[0]["category"])
        stated = StatedAttributes.objects.filter(pk__in=some, birth_year__isnull=False)
        years.update((pk, year) for pk, year in stated.values_list("pk", "birth_year") if year)
        seen = Visit.objects.filter(user__in=some, live_session__in=earlier)
        regulars.update(seen.values_list("user_id", flat=True).distinct())
        told = Event.objects.filter(
            user__in=some,
            live_session__in=earlier,
            kind__in=[EventKind.VIEW, EventKind.WATCH],
        )
        regulars.update(told.values_list("user_id", flat=True).distinct())
    return {
        one: Person(interests.get(one, 0), years.get(one, 0), one in regulars) for one in user_ids
    }


def _few(user_ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(user_ids), FEW):
        yield user_ids[start : start + FEW]


class Shown(NamedTuple):
    """A course of a showcase that is on sale."""

    course_id: int
    title: str
    category_id: int
    is_pinned: bool


def courses_on_sale(session_id: int) -> list[Shown]:
    """The published courses of the showcase, in its order."""
    pinned = LiveSession.objects.filter(pk=session_id).values_list("pinned_id", flat=True).first()
    items = ShowcaseItem.objects.filter(
        live_session_id=session_id, course__status=CourseStatus.PUBLISHED
    ).order_by("position", "pk")
    columns = ("course_id", "course__title", "course__category_id", "pk")
    return [
        Shown(course_id, title, category_id, item == pinned)
        for course_id, title, category_id, item in items.values_list(*columns)
    ]


def room_viewers(session_id: int, *, moment: datetime, most: int) -> pd.DataFrame:
    """Who was seen in the room a moment ago, those seen last first, `most` at most.

    Columns: user_id (int64, 0 for an anonymous visitor), viewer (str, as in `presence_frame`).
    """
    seen = Visit.objects.filter(
        live_session_id=session_id, last_seen_at__gte=moment - PRESENT_FOR
    ).order_by("-last_seen_at", "-pk")
    rows = list(seen.values_list("user_id", "visitor_id")[:most])
    frame = pd.DataFrame(
        {
            "user_id": column_of(rows, 0, "int64", 0),
            "viewer": np.array([viewer_name(*row) for row in rows], dtype="object"),
        }
    )
    return frame.drop_duplicates("viewer", ignore_index=True)


class Fits(NamedTuple):
    """How courses fit people: `affinity` (v, m) float64 from 0 to 1, `owned` (v, m) bool."""

    user_ids: list[int]
    affinity: np.ndarray
    owned: np.ndarray

    def of_nobody(self) -> Fits:
        """The same for no people."""
        return Fits([], self.affinity[:0], self.owned[:0])


def affinity_frame(user_ids: Sequence[int], courses: Sequence[Shown]) -> Fits:
    """How the courses fit those of the people who allow personalisation and are known.

    A course that the served run recommends to somebody fits by its place in their list, from 1
    for the first towards 0; else by the share of their interests that its field has. Known is
    who has a profile or recommendations.
    """
    allowed = personalised_among(user_ids)
    interests: dict[int, dict[int, float]] = {}
    lists: dict[int, dict[int, float]] = {}
    taken: set[tuple[int, int]] = set()
    ids = [one.course_id for one in courses]
    for some in _few(sorted(allowed)):
        for person, found in Profile.objects.filter(pk__in=some).values_list("pk", "interests"):
            interests[person] = {int(one["category"]): float(one["weight"]) for one in found}
        for person, listed in rankings_of(some).items():
            lists[person] = {
                course: 1 - at / len(listed) for at, (course, _score) in enumerate(listed)
            }
        owners = Enrollment.objects.active().filter(user__in=some, course__in=ids)
        taken.update(owners.values_list("user_id", "course_id"))
    known = sorted(interests.keys() | lists.keys())
    affinity = np.zeros((len(known), len(courses)))
    owned = np.zeros((len(known), len(courses)), dtype=bool)
    for at, person in enumerate(known):
        ranked, liked = lists.get(person, {}), interests.get(person, {})
        for place, one in enumerate(courses):
            affinity[at, place] = max(
                ranked.get(one.course_id, 0.0), liked.get(one.category_id, 0.0)
            )
            owned[at, place] = (person, one.course_id) in taken
    return Fits(known, affinity, owned)


def category_names(category_ids: Sequence[int]) -> dict[int, str]:
    """Names of categories by id, in the language of the request."""
    return {one.pk: one.name for one in Category.objects.filter(pk__in=category_ids)}
