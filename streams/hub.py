"""The sockets of one process, room by room: what all of them see is made once and sent to each.

The hub looks at the rooms that it holds several times a second, with one query for all of them,
and at once when the channel layer wakes it (streams/room_changes.py). Of a room that has changed
it reads the changed parts and the new messages, and sends each socket the same frame. Messages
that viewers write wait for the batch before them to be stored: one transaction for all that came
meanwhile. Likes, stays and presence are kept in memory and stored by the clock.

Everything here runs in one event loop; the database is asked in threads of the hub's own: one for
looking, one for what viewers write and one for what is stored by the clock, so that the stays of a
full room hold up no message, and a slow write nobody who only watches. While the database or the
layer is away the hub goes on looking, and says so once.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from channels.layers import get_channel_layer
from django.db import DatabaseError, InterfaceError, close_old_connections, connections
from django.utils import timezone
from redis.exceptions import RedisError

from accounts.transactions import in_one_transaction
from streams import presence
from streams.attendance import STAYS_AT_ONCE, Stay, store_stays
from streams.chat import Incoming, Refusal, Refused, Stored, store_messages
from streams.models import LiveSession, RestrictionKind, SessionStatus
from streams.room_changes import group_of
from streams.room_looks import (
    MESSAGES_AT_ONCE,
    Known,
    News,
    People,
    look,
    look_at_sales,
    messages_between,
    parts_of,
)
from streams.room_state import standing
from streams.seats import Frame, Seat, keep

logger = logging.getLogger(__name__)

T = TypeVar("T")

# Seconds between two looks at the rooms, and at least between them, so that what comes in a rush
# is sent together.
LOOK_SECONDS, SOONEST_SECONDS = 0.22, 0.03
# Seconds between two turns of what goes by the clock.
SALES_SECONDS = 0.5
VIEWERS_SECONDS = 1.0
LIKES_SECONDS = 1.0
MINUTES_SECONDS = 5.0
STAYS_SECONDS = 10.0
TIDY_SECONDS = 60.0
SAY_SECONDS = presence.SAY_EVERY.total_seconds()
# Prices change with time too, such as when a promotion ends.
SHOWCASE_SECONDS = 10.0
# Who is there but tells nothing is noted as seen so often.
SEEN_EVERY = timedelta(seconds=60)
MESSAGES_AT_FIRST = 50
# The newest messages of a room are kept, so that a thousand who come back ask no database.
MOST_RECENT = 300
# Whoever was away for longer than that much talk gets the newest, and reads the rest by the API.
MOST_MISSED = 2000
# What one socket may have waiting, and may say within BURST_SECONDS: what the loosest rules of a
# chat allow. The rules are kept where messages are stored; this keeps a flood from getting there.
MOST_WAITING = 20
BURST_SECONDS = 1.0
MOST_IN_BURST = 20
PAUSE_SECONDS = 10
MOST_LIKES = 40
BANNED, NOT_THERE = 4403, 4404
# So long a database that is away is not asked again.
REST_SECONDS = 1.0
AWAY = (DatabaseError, InterfaceError)
LAYER_AWAY = (RedisError, OSError)
Answer = Stored | Refused


class RoomGone(Exception):
    """The session was deleted."""


@dataclass
class _Room:
    """What this process knows of one room that it holds."""

    session_id: int
    state: dict[str, Any] = field(default_factory=dict)
    seats: set[Seat] = field(default_factory=set)
    version: int = -1
    last_message_id: int = 0
    # All messages in sight with ids above `recent_after`, up to the last one.
    recent: deque[dict[str, Any]] = field(default_factory=deque)
    recent_after: int = 0
    waiting: list[tuple[Incoming, asyncio.Future[Answer]]] = field(default_factory=list)
    opening: asyncio.Task[None] | None = None
    writing: asyncio.Task[None] | None = None
    n_likes: int = 0
    # By minute: the most viewers at once, and likes that its row has not.
    minutes: dict[datetime, list[int]] = field(default_factory=dict)
    people: People = field(default_factory=lambda: People({}, frozenset()))
    course_ids: frozenset[int] = frozenset()
    offers: list[tuple[Any, ...]] | None = None
    bought: frozenset[int] = frozenset()
    showcase_at: float = 0.0
    is_gone: bool = False
    has_joined: bool = False

    @property
    def is_live(self) -> bool:
        return bool(self.state.get("status") == SessionStatus.LIVE)

    @property
    def is_needed(self) -> bool:
        return bool(self.seats or self.waiting or self.writing or self.n_likes or self.minutes)


class Hub:
    """All rooms of one process."""

    def __init__(self) -> None:
        self.process = uuid.uuid4()
        self.rooms: dict[int, _Room] = {}
        self.gone_stays: dict[uuid.UUID, Stay] = {}
        self.reading = ThreadPoolExecutor(1, thread_name_prefix="hub-reads")
        self.writing = ThreadPoolExecutor(1, thread_name_prefix="hub-writes")
        self.storing = ThreadPoolExecutor(1, thread_name_prefix="hub-stores")
        # Of its own, so that a crowd that comes back holds up no look.
        self.admitting = ThreadPoolExecutor(1, thread_name_prefix="hub-admits")
        self.changed = asyncio.Event()
        self.tasks: list[asyncio.Task[None]] = []
        # Held while something is stored by the clock: what is half stored is not stored again.
        self.is_storing = asyncio.Lock()
        self.newest_sale = 0
        self.channel: str | None = None
        self.done_at: dict[str, float] = {}
        # What cannot be done while the database is away.
        self.away: set[str] = set()
        self.is_layer_away = False
        self.says_presence = False

    # --- Coming and going ---------------------------------------------------------------------

    async def enter(self, session_id: int, seat: Seat, *, last: int | None) -> dict[str, Any]:
        """Take a seat; returns the first frame, which has all parts and what came after `last`.

        Raises RoomGone, and DatabaseError when the room cannot be read now.
        """
        self._start()
        room = self.rooms.get(session_id)
        if room is None:
            room = self.rooms[session_id] = _Room(session_id)
        room.seats.add(seat)
        try:
            if room.version < 0:
                await self._open(room)
            if last is not None and last > room.last_message_id:
                # Another process was faster: what the client has from there is not sent again.
                await self._look_at([room])
            if room.is_gone:
                raise RoomGone
            # From here on what is sent to the room waits at the seat; what came before is known.
            seat.behind.clear()
            messages = await self._messages_for(room, last)
        except BaseException:
            self.leave(session_id, seat)
            raise
        self.says_presence = True
        # Between the question who may enter and this place somebody may have been banned.
        self._apply_people(room, [seat])
        return {"type": "room", "state": room.state, "messages": messages}

    async def _open(self, room: _Room) -> None:
        """Look at a room for the first time, once for all who come meanwhile."""
        if room.opening is None:
            room.opening = asyncio.get_running_loop().create_task(self._look_at([room]))
        opening = room.opening
        try:
            await asyncio.shield(opening)
        finally:
            if room.opening is opening and opening.done():
                room.opening = None

    def leave(self, session_id: int, seat: Seat) -> None:
        """Give the seat up; what is known of the stay is stored at the next turn."""
        seat.is_gone = True
        room = self.rooms.get(session_id)
        if room is None or seat not in room.seats:
            return
        room.seats.discard(seat)
        if room.is_live:
            seat.stay.last_seen_at = timezone.now()
            seat.stay.is_changed = True
        if seat.stay.is_changed and not seat.is_host:
            self._let_go(seat.stay)
        self.says_presence = True

    def _let_go(self, stay: Stay) -> None:
        known = self.gone_stays.get(stay.key)
        self.gone_stays[stay.key] = stay if known is None else _joined(known, stay)

    async def _messages_for(self, room: _Room, last: int | None) -> list[dict[str, Any]]:
        """What a client that has everything up to `last` lacks of what the room was sent."""
        hidden = set(room.state.get("hidden", ()))
        if last is None:
            newest = [one for one in room.recent if one["id"] not in hidden]
            return newest[-MESSAGES_AT_FIRST:]
        older: list[dict[str, Any]] = []
        kept, up_to = list(room.recent), room.recent_after
        if last < up_to:
            older = await self._read(_messages_between, room.session_id, last, up_to)
            hidden = set(room.state.get("hidden", ()))
        return [one for one in (*older, *kept) if one["id"] > last and one["id"] not in hidden]

    # --- What viewers do ----------------------------------------------------------------------

    def like(self, session_id: int, seat: Seat, n: int) -> None:
        """Count likes, of one socket no faster than a hand; stored once a second for the room."""
        room = self.rooms[session_id]
        now = time.monotonic()
        gained = presence.MOST_LIKES_A_SECOND * (now - seat.liked_at)
        seat.liked_at, seat.likes_left = now, min(MOST_LIKES, seat.likes_left + gained)
        counted = min(n, int(seat.likes_left))
        if counted <= 0 or not room.is_live:
            return
        seat.likes_left -= counted
        seat.stay.n_likes += counted
        seat.stay.is_changed = True
        room.n_likes += counted

    def beat(self, session_id: int, seat: Seat, seconds: float) -> None:
        """The viewer has watched for so long in this stay; stored by the clock."""
        seat.stay.tell(seconds, moment=timezone.now())

    async def say(self, session_id: int, seat: Seat, key: uuid.UUID, text: str) -> Answer:
        """Store a message with the next batch of its room; returns when that is committed.

        Raises DatabaseError when it could not be stored: the client sends it again.
        """
        room = self.rooms[session_id]
        if seat.writer_id is None:
            return Refused(key, Refusal.NOT_SIGNED_IN)
        if (refused := _flooding(seat, key)) is not None:
            return refused
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        room.waiting.append((Incoming(seat.writer_id, key, text), answer))
        seat.n_waiting += 1
        if room.writing is None:
            room.writing = asyncio.get_running_loop().create_task(self._write(room))
        try:
            told = await answer
        finally:
            seat.n_waiting -= 1
        if isinstance(told, Refused) and told.code == Refusal.TOO_FAST and told.retry_after:
            # What comes during the pause costs the database nothing any more.
            seat.paused_until = max(seat.paused_until, time.monotonic() + told.retry_after)
        return told

    @staticmethod
    def take(doing: Coroutine[Any, Any, None]) -> None:
        """Do it beside what else the socket says: waiting for a commit holds up no heartbeat."""
        keep(asyncio.get_running_loop().create_task(doing))

    async def _write(self, room: _Room) -> None:
        try:
            while room.waiting:
                batch, room.waiting = room.waiting, []
                incoming = [one for one, _answer in batch]
                try:
                    results = await self._run(self.writing, _store_batch, room.session_id, incoming)
                except (*AWAY, LiveSession.DoesNotExist) as error:
                    # Each writer hears of it, and sends again.
                    for _one, answer in batch:
                        if not answer.done():
                            answer.set_exception(error)
                    continue
                for (_one, answer), result in zip(batch, results, strict=True):
                    if not answer.done():
                        answer.set_result(result)
                self.changed.set()
        finally:
            room.writing = None

    # --- Looking ------------------------------------------------------------------------------

    def _start(self) -> None:
        self.tasks = [task for task in self.tasks if not task.done()]
        if self.tasks:
            return
        loop = asyncio.get_running_loop()
        keeping = (self._keep_looking(), self._keep_storing(), self._listen())
        self.tasks = [loop.create_task(doing) for doing in keeping]

    async def close(self) -> None:
        """Store what is known and say that nobody is here any more."""
        async with self.is_storing:
            for task in self.tasks:
                task.cancel()
        for room in self.rooms.values():
            for seat in list(room.seats):
                self.leave(room.session_id, seat)
        for store in (self._store_likes, self._store_stays, self._note_minutes, self._say_presence):
            try:
                await store()
            except AWAY as error:
                logger.warning("what viewers last did in live rooms is lost: %s", error)
        for pool in (self.reading, self.writing, self.storing, self.admitting):
            await asyncio.get_running_loop().run_in_executor(pool, connections.close_all)
            pool.shutdown()

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(SOONEST_SECONDS)
            with suppress(TimeoutError):
                await asyncio.wait_for(self.changed.wait(), timeout=LOOK_SECONDS)
            self.changed.clear()
            await self._turn("live rooms cannot be read", self._look_around)

    async def _keep_storing(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self._turn(
                "what viewers do in live rooms cannot be stored", self._store_what_is_due
            )

    async def _turn(self, missed: str, do: Callable[[], Coroutine[Any, Any, bool]]) -> None:
        """Do it once, which tells whether the database was asked. `missed` is what is said once,
        and that it is over, where it is away."""
        try:
            has_asked = await do()
        except AWAY as error:
            if missed not in self.away:
                logger.warning("%s for now: %s", missed, error)
            self.away.add(missed)
            await asyncio.sleep(REST_SECONDS)
        except Exception:
            # Whatever it is, the rooms of this process must not stand still for it.
            logger.exception("a turn of the live rooms failed")
            await asyncio.sleep(REST_SECONDS)
        else:
            if has_asked and missed in self.away:
                logger.warning("over: %s", missed)
                self.away.discard(missed)

    async def _look_around(self) -> bool:
        now = time.monotonic()
        await self._leave_empty_rooms()
        rooms = [room for room in self.rooms.values() if room.version >= 0]
        await self._look_at(rooms)
        if self._is_due("sales", now, SALES_SECONDS):
            await self._look_at_sales(now)
        return bool(rooms)

    async def _store_what_is_due(self) -> bool:
        now = time.monotonic()
        by_the_clock: list[tuple[str, float, Callable[[], Coroutine[Any, Any, bool]]]] = [
            ("likes", LIKES_SECONDS, self._store_likes),
            ("viewers", VIEWERS_SECONDS, self._count_viewers),
            ("minutes", MINUTES_SECONDS, self._note_minutes),
            ("stays", STAYS_SECONDS, self._store_stays),
            ("tidy", TIDY_SECONDS, self._forget_gone),
        ]
        if self.rooms or self.says_presence:
            says_anew = VIEWERS_SECONDS if self.says_presence else SAY_SECONDS
            by_the_clock.insert(1, ("presence", says_anew, self._say_presence))
        async with self.is_storing:
            asked = [
                await store()
                for name, seconds, store in by_the_clock
                if self._is_due(name, now, seconds)
            ]
        return any(asked)

    def _is_due(self, name: str, now: float, every: float) -> bool:
        if now < self.done_at.get(name, 0.0) + every:
            return False
        self.done_at[name] = now
        return True

    async def _leave_empty_rooms(self) -> None:
        for room in list(self.rooms.values()):
            # Asked now: while the layer was told of another room, somebody may have come.
            if room.is_needed or self.rooms.get(room.session_id) is not room:
                continue
            del self.rooms[room.session_id]
            if room.has_joined:
                room.has_joined = False
                await self._tell_layer("group_discard", room.session_id)
        for room in [room for room in self.rooms.values() if not room.has_joined]:
            room.has_joined = await self._tell_layer("group_add", room.session_id)

    async def _look_at(self, rooms: list[_Room]) -> None:
        if not rooms:
            return
        known = {
            room.session_id: Known(room.version, room.last_message_id, room.state.get("likes"))
            for room in rooms
        }
        found = await self._read(_look, known)
        for room in rooms:
            if room.session_id not in found:
                continue
            news = found[room.session_id]
            if news is not None:
                self._take(room, news)
                continue
            room.is_gone = True
            for seat in list(room.seats):
                seat.leave_with(NOT_THERE)

    def _take(self, room: _Room, news: News) -> None:
        is_first = room.version < 0
        room.version = max(room.version, news.version)
        if news.course_ids is not None:
            room.course_ids = news.course_ids
        changed = {
            name: value for name, value in news.parts.items() if room.state.get(name, ...) != value
        }
        room.state = room.state | changed
        messages = [one for one in news.messages if one["id"] > room.last_message_id]
        if is_first and len(messages) >= MESSAGES_AT_ONCE:
            room.recent_after = messages[0]["id"] - 1
        for one in messages:
            room.recent.append(one)
            room.last_message_id = one["id"]
        while len(room.recent) > MOST_RECENT:
            room.recent_after = room.recent.popleft()["id"]
        if not news.messages:
            # Those in between were hidden before anybody saw them.
            room.last_message_id = max(room.last_message_id, news.last_message_id)
        if (changed or messages) and not is_first:
            self._send(room, changed, messages)
        if news.people is not None:
            room.people = news.people
            self._apply_people(room, list(room.seats))

    @staticmethod
    def _send(room: _Room, parts: dict[str, Any], messages: list[dict[str, Any]]) -> None:
        frame = Frame({"type": "room", "state": parts, "messages": messages})
        for seat in list(room.seats):
            seat.give(frame)

    @staticmethod
    def _apply_people(room: _Room, seats: list[Seat]) -> None:
        """Show out who is banned by now, and tell those for whom something has changed."""
        is_open = bool(room.state.get("chat", {}).get("is_open"))
        for seat in seats:
            if seat.writer_id is None:
                continue
            held = room.people.restricted.get(seat.writer_id)
            if held is not None and held.kind == RestrictionKind.BAN:
                seat.leave_with(BANNED)
                continue
            keeps_order = seat.is_operator or seat.writer_id in room.people.keepers
            now = standing(held=held, keeps_order=keeps_order, is_open=is_open)
            if seat.me and seat.me | now != seat.me:
                seat.me = seat.me | now
                seat.give(Frame({"type": "room", "state": {}, "messages": [], "me": seat.me}))

    async def _look_at_sales(self, now: float) -> None:
        """Seats, prices and what was just bought: a query each for all rooms."""
        rooms = [room for room in self.rooms.values() if room.seats and room.version >= 0]
        if not rooms:
            return
        course_ids = {course for room in rooms for course in room.course_ids}
        session_ids = [room.session_id for room in rooms]
        sales = await self._read(_look_at_sales, course_ids, session_ids, self.newest_sale)
        self.newest_sale = max(self.newest_sale, sales.newest)
        for room in rooms:
            names = []
            offers = [offer for offer in sales.offers if offer[0] in room.course_ids]
            if offers != room.offers or now - room.showcase_at > SHOWCASE_SECONDS:
                room.offers, room.showcase_at = offers, now
                names += ["showcase", "coupons"]
            bought = frozenset(order for where, order in sales.bought if where == room.session_id)
            if not bought <= room.bought:
                names.append("bought")
            room.bought = bought
            for part in ("poll", "draw"):
                # Votes and entries touch no room: what is open is counted with the sales.
                shown = room.state.get(part)
                if shown and (shown.get("is_open") or shown.get("is_drawn") is False):
                    names.append(part)
            if names:
                self._take(room, News(await self._read(_parts_of, room.session_id, names)))

    # --- By the clock -------------------------------------------------------------------------

    async def _store_likes(self) -> bool:
        liked = [room for room in self.rooms.values() if room.n_likes]
        for room in liked:
            # Held until it is stored, so that the room is not left meanwhile.
            n = room.n_likes
            await self._run(self.storing, presence.add_likes, room.session_id, n)
            room.n_likes -= n
            _minute(room, timezone.now())[1] += n
        return bool(liked)

    async def _say_presence(self) -> bool:
        held = {
            room.session_id: {seat.viewer for seat in room.seats if not seat.is_host}
            for room in self.rooms.values()
            if room.seats
        }
        self.says_presence = False
        await self._run(self.storing, _say_present, self.process, held, timezone.now())
        return True

    async def _count_viewers(self) -> bool:
        rooms = [room for room in self.rooms.values() if room.seats and room.version >= 0]
        if not rooms:
            return False
        moment = timezone.now()
        counted = await self._read(_count_viewers, [room.session_id for room in rooms], moment)
        for room in rooms:
            n = counted[room.session_id]
            self._take(room, News({"viewers": n}))
            if room.is_live:
                # It may have been left meanwhile.
                minute = _minute(self.rooms.setdefault(room.session_id, room), moment)
                minute[0] = max(minute[0], n)
        return True

    async def _note_minutes(self) -> bool:
        noted = [room for room in self.rooms.values() if room.minutes]
        for room in noted:
            for minute, (n_viewers, n_likes) in list(room.minutes.items()):
                await self._run(self.storing, _note, room.session_id, minute, n_viewers, n_likes)
                room.minutes[minute][1] -= n_likes
                if room.minutes[minute] == [n_viewers, 0]:
                    del room.minutes[minute]
        return bool(noted)

    async def _forget_gone(self) -> bool:
        await self._run(self.storing, _tidy)
        return True

    async def _store_stays(self) -> bool:
        now = timezone.now()
        gone, self.gone_stays = self.gone_stays, {}
        told = list(gone.values())
        for room in self.rooms.values():
            for seat in room.seats:
                if seat.is_host:
                    continue
                stay = seat.stay
                if room.is_live and now - stay.last_seen_at > SEEN_EVERY:
                    stay.last_seen_at, stay.is_changed = now, True
                if stay.is_changed:
                    told.append(replace(stay))
                    stay.is_changed, stay.n_likes = False, 0
        by_key: dict[uuid.UUID, Stay] = {}
        for stay in told:
            known = by_key.get(stay.key)
            by_key[stay.key] = stay if known is None else _joined(known, stay)
        stays = list(by_key.values())
        for start in range(0, len(stays), STAYS_AT_ONCE):
            try:
                await self._run(self.storing, store_stays, stays[start : start + STAYS_AT_ONCE])
            except AWAY:
                # Those before are stored, with their likes.
                for stay in stays[start:]:
                    self._let_go(stay)
                raise
        return bool(stays)

    # --- Threads and the layer ----------------------------------------------------------------

    async def ask(self, call: Callable[..., T], *arguments: Any) -> T:
        """What `call` finds in the database about somebody who wants to enter."""
        return await self._run(self.admitting, call, *arguments)

    async def _read(self, call: Callable[..., T], *arguments: Any) -> T:
        return await self._run(self.reading, call, *arguments)

    @staticmethod
    async def _run(pool: ThreadPoolExecutor, call: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(
            pool, _with_database, call, arguments
        )

    async def _listen(self) -> None:
        """Look at once when another process says that a room has changed."""
        layer = get_channel_layer()
        while layer is not None:
            try:
                self.channel = self.channel or await layer.new_channel()
                await layer.receive(self.channel)
                self.changed.set()
            except LAYER_AWAY as error:
                self._miss_layer(error)
                await asyncio.sleep(REST_SECONDS)

    async def _tell_layer(self, what: str, session_id: int) -> bool:
        layer = get_channel_layer()
        if layer is None or self.channel is None:
            return False
        try:
            await getattr(layer, what)(group_of(session_id), self.channel)
        except LAYER_AWAY as error:
            self._miss_layer(error)
            return False
        self.is_layer_away = False
        return True

    def _miss_layer(self, error: Exception) -> None:
        if not self.is_layer_away:
            # The looks by the clock go on meanwhile.
            logger.warning("nobody can wake the live rooms for now: %s", error)
        self.is_layer_away = True


def _flooding(seat: Seat, key: uuid.UUID) -> Refused | None:
    """Hold back who sends faster than anybody may, before it costs the database anything."""
    now = time.monotonic()
    while seat.said_at and seat.said_at[0] < now - BURST_SECONDS:
        seat.said_at.popleft()
    if now < seat.paused_until:
        return Refused(key, Refusal.TOO_FAST, max(1, round(seat.paused_until - now)))
    seat.said_at.append(now)
    if len(seat.said_at) > MOST_IN_BURST or seat.n_waiting >= MOST_WAITING:
        seat.paused_until = now + PAUSE_SECONDS
        return Refused(key, Refusal.TOO_FAST, PAUSE_SECONDS)
    return None


def _minute(room: _Room, moment: datetime) -> list[int]:
    return room.minutes.setdefault(moment.replace(second=0, microsecond=0), [0, 0])


def _joined(one: Stay, other: Stay) -> Stay:
    """Two seats of one stay, such as before and after a lost connection, as one."""
    return replace(
        one,
        joined_at=min(one.joined_at, other.joined_at),
        last_seen_at=max(one.last_seen_at, other.last_seen_at),
        watched_seconds=max(one.watched_seconds, other.watched_seconds),
        n_likes=one.n_likes + other.n_likes,
    )


def _with_database(call: Callable[..., T], arguments: tuple[Any, ...]) -> T:
    # As before a request: a connection that is too old or was lost is made anew. None is closed
    # afterwards: with the last one, SQLite would write its whole log into the database each time.
    close_old_connections()
    return call(*arguments)


def _store_batch(session_id: int, incoming: list[Incoming]) -> list[Answer]:
    return store_messages(session_id, incoming, moment=timezone.now())


def _messages_between(session_id: int, after: int, up_to: int) -> list[dict[str, Any]]:
    return messages_between(session_id, after, up_to, most=MOST_MISSED)


def _look(known: dict[int, Known]) -> dict[int, News | None]:
    return look(known, moment=timezone.now())


def _look_at_sales(course_ids: set[int], session_ids: list[int], newest: int) -> Any:
    return look_at_sales(course_ids, session_ids, newest=newest, moment=timezone.now())


def _parts_of(session_id: int, names: list[str]) -> dict[str, Any]:
    return parts_of(session_id, names, moment=timezone.now())


def _say_present(process: uuid.UUID, held: dict[int, set[bytes]], moment: datetime) -> None:
    presence.say_present(process, held, moment=moment)


def _count_viewers(session_ids: list[int], moment: datetime) -> dict[int, int]:
    return presence.count_viewers(session_ids, moment=moment)


@in_one_transaction
def _note(session_id: int, minute: datetime, n_viewers: int, n_likes: int) -> None:
    presence.note_minute(session_id, minute=minute, n_viewers=n_viewers, n_likes=n_likes)
    presence.note_peak(session_id, n_viewers)


def _tidy() -> None:
    presence.forget_gone(moment=timezone.now())


_hubs: dict[asyncio.AbstractEventLoop, Hub] = {}


def hub_of_process() -> Hub:
    """The hub of the running event loop; a process has one."""
    loop = asyncio.get_running_loop()
    hub = _hubs.get(loop)
    if hub is None:
        hub = _hubs[loop] = Hub()
    return hub


async def close_hub() -> None:
    """The server ends: store what only this process knows."""
    if (hub := _hubs.pop(asyncio.get_running_loop(), None)) is not None:
        await hub.close()
