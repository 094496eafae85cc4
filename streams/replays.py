"""Replays: what the video server recorded of a session, put together, with its chapters.

A stream that broke off and came back leaves several recordings. Each lies in a folder of its own
below MEDIA_ROOT/replays/<session>/, named for when it began (scripts/keep_recording.py), with its
playlist. The replay is one more playlist that plays them one after the other, so that a recording
of another size or sound needs no other treatment.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.db.models import Exists, OuterRef
from django.utils.crypto import salted_hmac

from accounts.transactions import in_one_transaction
from streams.models import (
    Broadcast,
    ChangeCause,
    LiveSession,
    PinnedSpan,
    SessionChange,
    SessionStatus,
)
from streams.room_changes import touch_room
from streams.session_life import ChangeNotAllowed, publish_replay

FOLDER = "replays"
PLAYLIST = "index.m3u8"
# The second at which it began, and what makes its address one that nobody guesses.
_PART_NAME = re.compile(r"(\d{9,11})-[0-9a-f]{16}")
_PIECE = re.compile(r"#EXTINF:([0-9.]+),[^\n]*\n([0-9A-Za-z_.-]+\.ts)\b")
_BEGUN = re.compile(r"#EXT-X-PROGRAM-DATE-TIME:(\S+)")
_LENGTH = re.compile(r"#EXTINF:([0-9.]+)")
# What the replay shows pinned for less was a slip of the hand.
SHORTEST_CHAPTER_SECONDS = 3


@dataclass(frozen=True)
class Part:
    """One recording: when it began, its pieces (seconds, name) in order, and where they lie."""

    begun_at: datetime
    folder: str
    pieces: tuple[tuple[float, str], ...]

    @property
    def seconds(self) -> float:
        return sum(length for length, _name in self.pieces)


@dataclass(frozen=True)
class Chapter:
    """From which second of the replay on a course was pinned."""

    seconds: int
    title: str

    @property
    def clock(self) -> str:
        """The time as players write it: 2:03, or 1:02:03."""
        minutes, seconds = divmod(self.seconds, 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def store_recordings(session_id: int, *, moment: datetime) -> bool:
    """Make the replay of everything that was recorded; returns whether there is anything.

    Published when the session is over. Called again with nothing new, it changes nothing.
    """
    session = LiveSession.objects.filter(pk=session_id).first()
    parts = list(_parts_of(session_id)) if session else []
    if not parts:
        return False
    name = f"{FOLDER}/{session_id}/{_playlist_name(session_id)}"
    _write_whole(Path(settings.MEDIA_ROOT) / name, joined(parts))
    _note(session_id, name, parts)
    _publish_if_over(session_id, moment=moment)
    return True


def publish_due_replays(*, moment: datetime) -> int:
    """Publish what was recorded of sessions that are over and had no replay yet; returns how many.

    A replay that its seller has taken away stays away.
    """
    was_shown = SessionChange.objects.filter(
        live_session=OuterRef("live_session"), after=SessionStatus.REPLAY
    )
    due = Broadcast.objects.filter(
        ~Exists(was_shown), live_session__status=SessionStatus.ENDED, is_on_air=False
    ).exclude(recording="")
    keys = list(due.values_list("pk", flat=True))
    return sum(_publish_if_over(key, moment=moment) for key in keys)


def chapters(session: LiveSession) -> list[Chapter]:
    """The moments of the replay at which courses were pinned, in order.

    What was pinned before the recording began, or while the stream was away, stands where the
    picture goes on.
    """
    broadcast = Broadcast.objects.filter(pk=session.pk).first()
    if broadcast is None or not broadcast.recording or broadcast.recorded_from is None:
        return []
    parts = _stretches(broadcast)
    total = sum(seconds for _begun_at, seconds in parts)
    spans = PinnedSpan.objects.filter(live_session=session).select_related("course")
    found: list[Chapter] = []
    for span in spans.order_by("pinned_at", "pk"):
        at = _place_of(span.pinned_at, parts)
        until = total if span.unpinned_at is None else _place_of(span.unpinned_at, parts)
        is_another = not found or found[-1].title != span.course.title
        if until - at >= SHORTEST_CHAPTER_SECONDS and is_another:
            found.append(Chapter(int(at), span.course.title))
    return found


def joined(parts: list[Part]) -> str:
    """One playlist of all parts; each says when it was recorded."""
    longest = max((length for part in parts for length, _name in part.pieces), default=1)
    lines = [
        "#EXTM3U",
        "#EXT-X-VERSION:3",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        f"#EXT-X-TARGETDURATION:{int(longest) + 1}",
        "#EXT-X-MEDIA-SEQUENCE:0",
    ]
    for number, part in enumerate(parts):
        if number:
            lines.append("#EXT-X-DISCONTINUITY")
        lines.append(f"#EXT-X-PROGRAM-DATE-TIME:{part.begun_at.isoformat(timespec='milliseconds')}")
        for length, name in part.pieces:
            lines += [f"#EXTINF:{length:.3f},", f"{part.folder}/{name}"]
    return "\n".join([*lines, "#EXT-X-ENDLIST", ""])


def _parts_of(session_id: int) -> Iterator[Part]:
    """What lies on disk, in order; folders that are still being written have another name."""
    folder = Path(settings.MEDIA_ROOT) / FOLDER / str(session_id)
    for place in sorted(folder.glob(f"*/{PLAYLIST}")):
        named = _PART_NAME.fullmatch(place.parent.name)
        pieces = tuple((float(s), name) for s, name in _PIECE.findall(place.read_text()))
        if named and pieces:
            begun_at = datetime.fromtimestamp(int(named[1]), UTC)
            yield Part(begun_at, place.parent.name, pieces)


def _playlist_name(session_id: int) -> str:
    # Always the same, so that the address of a replay stays; and nobody's to guess.
    return f"{salted_hmac('streams.replays', str(session_id)).hexdigest()[:24]}.m3u8"


def _write_whole(target: Path, text: str) -> None:
    """Put the file there at once: who reads it meanwhile has the old or the new one."""
    handle, draft = tempfile.mkstemp(dir=target.parent, prefix=".", suffix=".new")
    with os.fdopen(handle, "w") as file:
        file.write(text)
    # A web server under another account reads it.
    Path(draft).chmod(0o644)
    Path(draft).replace(target)


@in_one_transaction
def _note(session_id: int, name: str, parts: list[Part]) -> None:
    touch_room(session_id)
    Broadcast.objects.update_or_create(
        live_session_id=session_id,
        defaults={
            "recording": name,
            "recorded_from": parts[0].begun_at,
            "recorded_seconds": round(sum(part.seconds for part in parts)),
        },
    )


def _publish_if_over(session_id: int, *, moment: datetime) -> bool:
    was_shown = SessionChange.objects.filter(live_session=session_id, after=SessionStatus.REPLAY)
    is_sent = Broadcast.objects.filter(pk=session_id, is_on_air=True)
    if was_shown.exists() or is_sent.exists():
        return False
    try:
        publish_replay(session_id, by=None, cause=ChangeCause.STREAM, moment=moment)
    except ChangeNotAllowed:
        # It is not over yet; or somebody has published it just now.
        return False
    return True


def _stretches(broadcast: Broadcast) -> list[tuple[datetime, float]]:
    """When each part of the replay was recorded and how many seconds it has, in order."""
    assert broadcast.recorded_from is not None, "a recording has a beginning"
    whole = (broadcast.recorded_from, float(broadcast.recorded_seconds or 0))
    try:
        text = (Path(settings.MEDIA_ROOT) / broadcast.recording).read_text()
    except OSError:
        # Kept elsewhere: told as if it had no gaps.
        return [whole]
    begun = [datetime.fromisoformat(at) for at in _BEGUN.findall(text)]
    lengths = [sum(map(float, _LENGTH.findall(part))) for part in _BEGUN.split(text)[2::2]]
    return list(zip(begun, lengths, strict=True)) or [whole]


def _place_of(moment: datetime, parts: list[tuple[datetime, float]]) -> float:
    """The second of the replay that shows the moment, or the first one after it."""
    before = 0.0
    for begun_at, seconds in parts:
        into = (moment - begun_at) / timedelta(seconds=1)
        if into < seconds:
            return before + max(into, 0.0)
        before += seconds
    return before
