"""The video of a live session: who may send it, what follows from its coming and going.

A stream that comes starts its session. One that goes away is waited for: the room says so, and
only after a grace time is the session over. The video server tells of each stream when it begins,
every few seconds, and when it ends; what is heard of no more has ended too.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypedDict

from django.conf import settings
from django.db.models import F
from django.templatetags.static import static

from accounts.transactions import in_one_transaction
from streams.models import Broadcast, ChangeCause, LiveSession, SessionStatus
from streams.room_changes import touch_room
from streams.session_life import PLANNED, ChangeNotAllowed, end_session, start_session
from streams.stream_keys import owner_of_key

# In place of an HLS address: the clip that comes with the platform.
SAMPLE_CLIP = "static:clip/sample.m3u8"
# The video server speaks of each stream every ten seconds (deploy/nginx-rtmp.conf).
SILENT_AFTER = timedelta(seconds=35)


class StreamRefused(Exception):
    """The stream may not be sent; why is for the log, and names no key."""


@dataclass(frozen=True)
class Publication:
    """One stream among others of its session: the run of the video server, its connection there.

    A server that is started anew counts its connections from one again, so it gives each of its
    runs a number.
    """

    run: int
    connection: int

    def begun_at(self, moment: datetime) -> datetime:
        """The moment, its microseconds replaced by what tells this stream from another one."""
        return moment.replace(microsecond=self.run % 1000 * 1000 + self.connection % 1000)

    def is_of(self, since: datetime | None) -> bool:
        """Whether the stream that began then is this one."""
        return since is not None and self.begun_at(since) == since

    def is_beside(self, since: datetime | None) -> bool:
        """Whether the stream that began then came to the same run of the video server."""
        return since is not None and since.microsecond // 1000 == self.run % 1000


class VideoPart(TypedDict):
    """The part `video` of a room's state."""

    kind: str
    url: str | None
    is_on_air: bool
    is_away: bool
    is_sample: bool


@dataclass(frozen=True)
class StreamHealth:
    """What the desk says of a seller's own stream."""

    is_on_air: bool
    is_away: bool
    on_air_since: datetime | None
    dropped_at: datetime | None
    # When the session ends unless the stream comes back; None while it is there.
    ends_at: datetime | None
    kbps: int | None
    n_drops: int
    external_url: str
    is_sample: bool


@in_one_transaction
def admit_stream(session_id: int, *, key: str, publication: Publication, moment: datetime) -> None:
    """Put the stream on air, and start its session if it does not run. Raises StreamRefused.

    The first of two streams of one session stays. After a new start of the video server nobody
    told of the end of the old stream: the new one takes its place.
    """
    _session_of_key(session_id, key)
    touch_room(session_id)
    # Again, now that nobody else can end it.
    session = _session_of_key(session_id, key)
    broadcast, _is_new = Broadcast.objects.get_or_create(live_session=session)
    since = broadcast.on_air_since
    if broadcast.is_on_air and not publication.is_of(since):
        if publication.is_beside(since) and not _is_silent(broadcast, moment):
            raise StreamRefused(f"session {session_id} is streamed already")
        broadcast.n_drops += 1
    Broadcast.objects.filter(pk=session_id).update(
        is_on_air=True,
        on_air_since=publication.begun_at(moment),
        dropped_at=None,
        last_heard_at=moment,
        kbps=None,
        n_drops=broadcast.n_drops,
    )
    if session.status in PLANNED:
        try:
            start_session(session_id, by=session.seller, cause=ChangeCause.STREAM, moment=moment)
        except ChangeNotAllowed as error:
            raise StreamRefused(f"session {session_id} cannot start") from error


@in_one_transaction
def hear_stream(session_id: int, *, key: str, publication: Publication, moment: datetime) -> None:
    """Note that the stream still comes. Raises StreamRefused when it should come no longer.

    One that was believed gone is back on air.
    """
    _session_of_key(session_id, key)
    broadcast = Broadcast.objects.filter(pk=session_id).first()
    if broadcast is None or not broadcast.is_on_air:
        admit_stream(session_id, key=key, publication=publication, moment=moment)
        return
    if not publication.is_of(broadcast.on_air_since):
        raise StreamRefused(f"another stream of session {session_id} has taken its place")
    Broadcast.objects.filter(pk=session_id, is_on_air=True).update(last_heard_at=moment)


@in_one_transaction
def lose_stream(session_id: int, *, publication: Publication, moment: datetime) -> bool:
    """Take the stream off air; the session waits for it. Returns whether it was on air.

    What is told late, when another stream has taken its place, changes nothing.
    """
    if not LiveSession.objects.filter(pk=session_id).exists():
        return False
    touch_room(session_id)
    broadcast = Broadcast.objects.filter(pk=session_id, is_on_air=True).first()
    if broadcast is None or not publication.is_of(broadcast.on_air_since):
        return False
    _take_off_air(broadcast, moment)
    return True


def end_silent_sessions(*, moment: datetime) -> int:
    """End live sessions whose stream has been gone for too long; returns how many.

    Streams that nobody speaks of any more are gone from now on, not from when they fell silent:
    it may be this platform that did not listen. A session that was never streamed here, or that
    has an address elsewhere, has no stream to miss.
    """
    on_air = Broadcast.objects.filter(is_on_air=True, last_heard_at__lt=moment - SILENT_AFTER)
    for broadcast in on_air:
        _lose_silent(broadcast.pk, moment=moment)
    gone = Broadcast.objects.filter(
        live_session__status=SessionStatus.LIVE,
        is_on_air=False,
        external_url="",
        dropped_at__lte=moment - grace(),
    )
    return sum(_end_unless_back(pk, moment=moment) for pk in gone.values_list("pk", flat=True))


def grace() -> timedelta:
    """For how long a session waits for its stream."""
    return timedelta(seconds=settings.STREAM_GRACE_SECONDS)


@in_one_transaction
def set_video_address(session_id: int, url: str) -> None:
    """Play what is at this HLS address when no stream comes here; empty for nothing."""
    touch_room(session_id)
    Broadcast.objects.update_or_create(live_session_id=session_id, defaults={"external_url": url})


def video_part(session: LiveSession) -> VideoPart:
    """What the room plays now: nothing, a live picture, or a recording."""
    nothing: VideoPart = {
        "kind": "none",
        "url": None,
        "is_on_air": False,
        "is_away": False,
        "is_sample": False,
    }
    broadcast = Broadcast.objects.filter(pk=session.pk).first()
    if broadcast is None or session.status not in (SessionStatus.LIVE, SessionStatus.REPLAY):
        return nothing
    elsewhere = broadcast.external_url
    is_sample = elsewhere == SAMPLE_CLIP
    playing = nothing | {
        "kind": "hls",
        "url": static(SAMPLE_CLIP.removeprefix("static:")) if is_sample else elsewhere,
        "is_sample": is_sample,
    }
    if session.status == SessionStatus.REPLAY:
        if broadcast.recording:
            address = f"{settings.REPLAYS_URL}/{broadcast.recording.removeprefix('replays/')}"
            return nothing | {"kind": "hls", "url": address}
        return playing if elsewhere else nothing
    if broadcast.is_on_air or (broadcast.dropped_at and not elsewhere):
        return nothing | {
            "kind": "hls",
            "url": f"{settings.HLS_URL}/{session.pk}.m3u8",
            "is_on_air": broadcast.is_on_air,
            "is_away": not broadcast.is_on_air,
        }
    return playing | {"is_on_air": True} if elsewhere else nothing


def stream_health(session: LiveSession) -> StreamHealth:
    """How the seller's own stream of this session is."""
    broadcast = Broadcast.objects.filter(pk=session.pk).first() or Broadcast()
    is_sample = broadcast.external_url == SAMPLE_CLIP
    is_away = bool(session.is_live and not broadcast.is_on_air and broadcast.dropped_at)
    is_waited_for = is_away and not broadcast.external_url
    return StreamHealth(
        is_on_air=broadcast.is_on_air,
        is_away=is_away,
        on_air_since=broadcast.on_air_since if broadcast.is_on_air else None,
        dropped_at=broadcast.dropped_at if is_away else None,
        ends_at=broadcast.dropped_at + grace() if is_waited_for and broadcast.dropped_at else None,
        kbps=broadcast.kbps if broadcast.is_on_air else None,
        n_drops=broadcast.n_drops,
        external_url="" if is_sample else broadcast.external_url,
        is_sample=is_sample,
    )


def _session_of_key(session_id: int, key: str) -> LiveSession:
    """The session that the owner of the key may stream now. Raises StreamRefused."""
    session = LiveSession.objects.select_related("seller").filter(pk=session_id).first()
    owner = owner_of_key(key) if key else None
    if owner is None:
        raise StreamRefused("the key is wrong or revoked")
    if session is None or session.seller_id != owner:
        raise StreamRefused(f"the key is not that of the seller of session {session_id}")
    if session.status not in (*PLANNED, SessionStatus.LIVE):
        raise StreamRefused(f"session {session_id} is over")
    # A draft goes live without having been announced, but not with nothing to show.
    if session.status == SessionStatus.DRAFT and not session.showcase.exists():
        raise StreamRefused(f"the draft {session_id} shows nothing")
    return session


def _is_silent(broadcast: Broadcast, moment: datetime) -> bool:
    heard = broadcast.last_heard_at
    return heard is None or heard < moment - SILENT_AFTER


@in_one_transaction
def _lose_silent(session_id: int, *, moment: datetime) -> None:
    touch_room(session_id)
    broadcast = Broadcast.objects.filter(pk=session_id, is_on_air=True).first()
    if broadcast is not None and _is_silent(broadcast, moment):
        _take_off_air(broadcast, moment)


def _take_off_air(broadcast: Broadcast, moment: datetime) -> None:
    """As part of the caller's transaction, in which the room is locked."""
    # Who ends a session and then stops sending has interrupted nothing.
    is_missed = LiveSession.objects.filter(pk=broadcast.pk, status=SessionStatus.LIVE).exists()
    Broadcast.objects.filter(pk=broadcast.pk).update(
        is_on_air=False,
        dropped_at=moment if is_missed else None,
        n_drops=F("n_drops") + int(is_missed),
        kbps=None,
    )


@in_one_transaction
def _end_unless_back(session_id: int, *, moment: datetime) -> bool:
    touch_room(session_id)
    broadcast = Broadcast.objects.get(pk=session_id)
    if broadcast.is_on_air or broadcast.external_url:
        return False
    if broadcast.dropped_at is None or broadcast.dropped_at > moment - grace():
        return False
    try:
        end_session(session_id, by=None, cause=ChangeCause.STREAM, moment=moment)
    except ChangeNotAllowed:
        # The seller ended it meanwhile.
        return False
    Broadcast.objects.filter(pk=session_id).update(dropped_at=None)
    return True
