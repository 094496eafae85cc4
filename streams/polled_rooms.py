"""Viewers who have no socket: they ask again and again, and tell by requests what they do.

What they tell is kept in the process and stored at most once a second, with the request that
comes then: statements grow with time, not with requests. The last of it goes with the process.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import DatabaseError, InterfaceError
from django.utils import timezone

from accounts.models import User
from streams import presence
from streams.attendance import Stay, stay_of, store_stays
from streams.models import Room
from streams.room_state import room_parts

logger = logging.getLogger(__name__)

# Who has not asked for so long is gone: a hidden page asks every twenty seconds.
PRESENT_FOR = timedelta(seconds=30)
STORE_EVERY_SECONDS = 1.0
# What a room shows is made at most so often, however many ask; its own changes show at once.
PARTS_HOLD_SECONDS = 1.0
# Rooms of which a process remembers what they show.
MOST_KEPT = 100


@dataclass
class _Asking:
    """One viewer who asks: since when, when last, and when they last gave likes."""

    since: datetime
    at: datetime
    liked_at: datetime | None = None


@dataclass
class _Kept:
    """What a room showed, of which version, and when that was made."""

    version: int
    made_at: float
    parts: dict[str, Any]


@dataclass
class PolledRooms:
    """What one process knows of those who ask. Safe for threads."""

    process: uuid.UUID = field(default_factory=uuid.uuid4)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    # One thread stores at a time; the others' words wait for the next turn.
    _storing: threading.Lock = field(default_factory=threading.Lock)
    _asking: dict[int, dict[bytes, _Asking]] = field(default_factory=dict)
    _likes: dict[int, int] = field(default_factory=dict)
    _stays: dict[uuid.UUID, Stay] = field(default_factory=dict)
    _kept: dict[int, _Kept] = field(default_factory=dict)
    _stored_at: float = -STORE_EVERY_SECONDS
    _said_at: datetime | None = None
    _is_changed: bool = False

    def ask(self, session_id: int, viewer: bytes, *, moment: datetime) -> None:
        """The viewer looks at the room now, and is present for PRESENT_FOR."""
        with self._lock:
            self._asked(session_id, viewer, moment)

    def like(self, session_id: int, viewer: bytes, n: int, *, moment: datetime) -> int:
        """Count likes, at most MOST_LIKES_A_SECOND of one viewer; returns how many counted."""
        with self._lock:
            asking = self._asked(session_id, viewer, moment)
            since = asking.liked_at or moment - timedelta(seconds=1)
            most = int(presence.MOST_LIKES_A_SECOND * (moment - since).total_seconds())
            counted = max(0, min(n, most))
            if counted:
                asking.liked_at = moment
                self._likes[session_id] = self._likes.get(session_id, 0) + counted
            return counted

    def beat(
        self,
        *,
        visit: uuid.UUID,
        session_id: int,
        user: User | None,
        visitor_id: uuid.UUID,
        seconds: float,
        source: str,
        moment: datetime,
    ) -> None:
        """The viewer has watched so many seconds of this stay in all."""
        viewer = presence.viewer_hash(
            session_id=session_id, user_id=user.pk if user else None, visitor_id=visitor_id
        )
        with self._lock:
            asking = self._asked(session_id, viewer, moment)
            new = stay_of(
                client_key=visit,
                session_id=session_id,
                user=user,
                visitor_id=visitor_id,
                source=source,
                # The first beat comes some seconds after the first look.
                moment=asking.since,
            )
            stay = self._stays.setdefault(new.key, new)
            stay.tell(seconds, moment=moment)

    def parts(self, session_id: int, *, moment: datetime) -> dict[str, Any]:
        """All parts of the room. Raises LiveSession.DoesNotExist."""
        row = Room.objects.filter(pk=session_id).first()
        version = row.version if row else 0
        now = time.monotonic()
        kept = self._kept.get(session_id)
        if kept and kept.version == version and now - kept.made_at < PARTS_HOLD_SECONDS:
            return kept.parts
        # The version was read before: what changes meanwhile is made again for the next one.
        made = _Kept(version, now, room_parts(session_id, moment=moment))
        with self._lock:
            if len(self._kept) >= MOST_KEPT:
                self._kept.clear()
            self._kept[session_id] = made
        return made.parts

    def store(self, *, moment: datetime, is_last: bool = False) -> None:
        """Store what was told, unless that was done within STORE_EVERY_SECONDS.

        What cannot be stored now is kept for the next time.
        """
        if not self._storing.acquire(blocking=is_last):
            return
        try:
            now = time.monotonic()
            if not is_last and now - self._stored_at < STORE_EVERY_SECONDS:
                return
            self._stored_at = now
            self._store_likes()
            self._store_stays()
            self._say_present(moment, is_last=is_last)
        finally:
            self._storing.release()

    def _asked(self, session_id: int, viewer: bytes, moment: datetime) -> _Asking:
        room = self._asking.setdefault(session_id, {})
        asking = room.get(viewer)
        if asking is None or asking.at < moment - PRESENT_FOR:
            asking = room[viewer] = _Asking(moment, moment)
            self._is_changed = True
        asking.at = max(asking.at, moment)
        return asking

    def _store_likes(self) -> None:
        with self._lock:
            likes, self._likes = self._likes, {}
        while likes:
            session_id, n = next(iter(likes.items()))
            with self._kept_unless_stored(self._likes, likes):
                presence.add_likes(session_id, n)
            del likes[session_id]

    def _store_stays(self) -> None:
        with self._lock:
            stays, self._stays = self._stays, {}
        if stays:
            with self._kept_unless_stored(self._stays, stays):
                store_stays(list(stays.values()))

    @contextmanager
    def _kept_unless_stored(self, waiting: dict[Any, Any], taken: dict[Any, Any]) -> Iterator[None]:
        try:
            yield
        except (DatabaseError, InterfaceError):
            with self._lock:
                for key, value in taken.items():
                    if isinstance(value, int):
                        waiting[key] = waiting.get(key, 0) + value
                    else:
                        waiting.setdefault(key, value)
            raise

    def _say_present(self, moment: datetime, *, is_last: bool) -> None:
        with self._lock:
            for session_id, room in list(self._asking.items()):
                for viewer in [key for key, one in room.items() if one.at < moment - PRESENT_FOR]:
                    del room[viewer]
                    self._is_changed = True
                if not room:
                    del self._asking[session_id]
            held = {} if is_last else {key: list(room) for key, room in self._asking.items()}
            is_due = self._said_at is None or moment - self._said_at >= presence.SAY_EVERY
            if not (self._is_changed or is_last or (held and is_due)):
                return
            self._is_changed = False
            self._said_at = moment
        presence.say_present(self.process, held, moment=moment)


_of_processes: dict[int, PolledRooms] = {}


def polled_rooms() -> PolledRooms:
    """Those of this process: a server that forks has one for each."""
    pid = os.getpid()
    return _of_processes.get(pid) or _of_processes.setdefault(pid, PolledRooms())


def forget_polled_rooms() -> None:
    """Begin anew, without storing what was told."""
    _of_processes.clear()


def store_polled_rooms() -> None:
    """Store at once what this process alone knows, as it does at its end."""
    rooms = _of_processes.pop(os.getpid(), None)
    if rooms is None:
        return
    try:
        rooms.store(moment=timezone.now(), is_last=True)
    except (DatabaseError, InterfaceError) as error:
        logger.warning("what viewers without sockets last did is lost: %s", error)


atexit.register(store_polled_rooms)
