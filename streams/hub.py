"""The sockets of one process, room by room: what all of them see is made once and sent to each.

The hub looks at the rooms that it holds several times a second, with one query for all of them,
and at once when the channel layer wakes it (streams/room_changes.py). Of a room that has changed
it reads the changed parts and the new messages, and sends each socket the same text. Messages
that viewers write wait for the batch before them to be stored: one transaction for all that came
meanwhile. Likes, stays and presence are kept in memory and stored by the clock.

Everything here runs in one event loop; the database is asked in threads of the hub's own, one for
looking and one for writing, so that a slow write holds up nobody who only watches.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from channels.layers import get_channel_layer
from django.db import DatabaseError, InterfaceError, close_old_connections
from django.utils import timezone
from redis.exceptions import RedisError

from catalog.models import LedgerEntry, MoneyMove, Promotion
from streams import presence
from streams.attendance import Stay, store_stays
from streams.chat import Incoming, Refusal, Refused, Stored, messages_after, store_messages
from streams.models import (
    LiveSession,
    OrderAttribution,
    RestrictionKind,
    Room,
    SessionStatus,
    ShowcaseItem,
)
from streams.restrictions import restrictions_in
from streams.room_changes import group_of, room_of
from streams.room_state import room_parts

logger = logging.getLogger(__name__)

T = TypeVar("T")

# Seconds between two looks at the rooms, at what is sold in them, and at who is there.
LOOK_SECONDS = 0.25
SALES_SECONDS = 1.0
VIEWERS_SECONDS = 2.0
LIKES_SECONDS = 1.0
STAYS_SECONDS = 10.0
# Prices change outside the room too; what changes in it is seen at once.
SHOWCASE_SECONDS = 10.0
# A socket that is so many frames behind is closed; its client comes back and reads on.
MOST_BEHIND = 200
MESSAGES_AT_ONCE = 200
MESSAGES_AT_FIRST = 50
# What one writer may have waiting, and may send within BURST_SECONDS; the rules of the chat, which
# are tighter, are kept where messages are stored. This keeps a flood from getting that far.
MOST_WAITING = 5
BURST_SECONDS = 2.0
MOST_IN_BURST = 8
PAUSE_SECONDS = 10
# A person's sockets of one room in one process, and what a socket may like at once.
MOST_LIKES = 50
# What changes by itself or by others' doing, and is read again with each new version.
VERSIONED = ("status", "video", "showcase", "coupons", "poll", "draw", "chat", "hidden")
TOO_SLOW = 4408
BANNED = 4403
# What the server raises for a socket that is closed or closing.
CLOSED = (OSError, RuntimeError)
# So long a database that is away is not asked again.
REST_SECONDS = 1.0


@dataclass(eq=False)
class Seat:
    """One socket in a room. `send` and `close` are the socket's own."""

    send: Callable[[str], Coroutine[Any, Any, None]]
    close: Callable[[int], Awaitable[None]]
    stay: Stay
    viewer: bytes
    writer_id: int | None = None
    behind: deque[str] = field(default_factory=deque)
    sender: asyncio.Task[None] | None = None
    sent_at: deque[float] = field(default_factory=deque)
    paused_until: float = 0.0
    n_waiting: int = 0
    is_open: bool = False
    is_gone: bool = False

    def open_with(self, text: str) -> None:
        """Send the first frame, and then what came while it was made."""
        came, self.behind = self.behind, deque()
        self.is_open = True
        for one in (text, *came):
            self.give(one)

    def give(self, text: str) -> None:
        """Send the text after all that was given before; never waits for the network."""
        if self.is_gone:
            return
        if self.sender is not None or not self.is_open:
            self.behind.append(text)
            if len(self.behind) > MOST_BEHIND:
                self.leave_with(TOO_SLOW)
            return
        sending = self.send(text)
        try:
            # A socket whose buffer has room takes the text without waiting.
            waited_for = sending.send(None)
        except StopIteration:
            return
        except CLOSED:
            # Its consumer hears of it too, and gives the seat up.
            self.is_gone = True
            return
        self.sender = asyncio.get_running_loop().create_task(
            self._go_on(_Rest(sending, waited_for))
        )

    async def _go_on(self, rest: Awaitable[None]) -> None:
        try:
            await rest
            while self.behind and not self.is_gone:
                await self.send(self.behind.popleft())
        except CLOSED:
            self.is_gone = True
        finally:
            self.sender = None

    def leave_with(self, code: int) -> None:
        """Close the socket; its client learns the code."""
        if self.is_gone:
            return
        self.is_gone = True
        self.behind.clear()
        _keep(asyncio.get_running_loop().create_task(self._close(code)))

    async def _close(self, code: int) -> None:
        try:
            await asyncio.wait_for(self.close(code), timeout=5)
        except (TimeoutError, *CLOSED) as error:
            logger.debug("a socket could not be closed: %s", error)


class _Rest:
    """What is left of a coroutine that was begun by hand and waits for `waited_for`."""

    def __init__(self, begun: Coroutine[Any, Any, None], waited_for: Any) -> None:
        self.begun, self.waited_for = begun, waited_for

    def __await__(self) -> Generator[Any, Any, None]:
        answer = yield self.waited_for
        while True:
            try:
                waited_for = self.begun.send(answer)
            except StopIteration:
                return
            answer = yield waited_for


_kept: set[asyncio.Task[Any]] = set()


def _keep(task: asyncio.Task[Any]) -> None:
    # The loop itself holds tasks weakly.
    _kept.add(task)
    task.add_done_callback(_kept.discard)


@dataclass
class _Room:
    """What this process knows of one room that it holds."""

    session_id: int
    state: dict[str, Any] = field(default_factory=dict)
    seats: set[Seat] = field(default_factory=set)
    version: int = -1
    last_message_id: int = 0
    waiting: list[tuple[Incoming, asyncio.Future[Stored | Refused]]] = field(default_factory=list)
    writing: asyncio.Task[None] | None = None
    n_likes: int = 0
    n_likes_of_minute: int = 0
    minute: datetime | None = None
    restricted: dict[int, str] = field(default_factory=dict)
    course_ids: frozenset[int] = frozenset()
    offers: Any = None
    showcase_at: float = 0.0


@dataclass
class _News:
    """What a look found of one room."""

    version: int
    last_message_id: int
    parts: dict[str, Any]
    messages: list[dict[str, Any]]
    restricted: dict[int, str] | None = None
    course_ids: frozenset[int] | None = None
    offers: Any = None


class Hub:
    """All rooms of one process."""

    def __init__(self) -> None:
        self.process = uuid.uuid4()
        self.rooms: dict[int, _Room] = {}
        self.gone_stays: dict[uuid.UUID, Stay] = {}
        self.reading = ThreadPoolExecutor(1, thread_name_prefix="hub-reads")
        self.writing = ThreadPoolExecutor(1, thread_name_prefix="hub-writes")
        self.changed = asyncio.Event()
        self.tasks: list[asyncio.Task[None]] = []
        self.last_charge = 0
        self.channel: str | None = None
        self.due = dict.fromkeys(("sales", "viewers", "likes", "stays", "presence", "tidy"), 0.0)
        self.is_away = False
        self.says_presence = False

    # --- Coming and going ---------------------------------------------------------------------

    async def enter(self, session_id: int, seat: Seat, *, last: int | None) -> dict[str, Any]:
        """Take a seat; returns the first frame, which has all parts and what came after `last`.

        Raises LiveSession.DoesNotExist.
        """
        self._start()
        room = self.rooms.get(session_id)
        if room is None:
            room = self.rooms[session_id] = _Room(session_id)
            await self._join_group(session_id)
        room.seats.add(seat)
        try:
            if room.version < 0:
                await self._look_at([session_id])
            if room.version < 0:
                # Away, or nobody else has seen it either: the first frame must have something.
                raise DatabaseError("the room cannot be read now")
            messages = await self._read(_messages_for, session_id, last, room.last_message_id)
        except BaseException:
            self.leave(session_id, seat)
            raise
        self.says_presence = True
        return {"type": "room", "state": room.state, "messages": messages}

    def leave(self, session_id: int, seat: Seat) -> None:
        """Give the seat up; what is known of the stay is stored at the next turn."""
        seat.is_gone = True
        room = self.rooms.get(session_id)
        if room is None or seat not in room.seats:
            return
        room.seats.discard(seat)
        self.gone_stays[seat.stay.key] = seat.stay
        self.says_presence = True

    def viewers_of(self, session_id: int) -> set[bytes]:
        room = self.rooms.get(session_id)
        return {seat.viewer for seat in room.seats} if room else set()

    # --- What viewers do ----------------------------------------------------------------------

    def like(self, session_id: int, seat: Seat, n: int) -> None:
        """Count likes; stored once a second for the whole room."""
        room = self.rooms[session_id]
        given = max(1, min(n, MOST_LIKES))
        room.n_likes += given
        seat.stay.n_likes += given

    async def say(self, session_id: int, seat: Seat, key: uuid.UUID, text: str) -> Stored | Refused:
        """Store a message with the next batch of its room; returns when that is committed.

        Raises DatabaseError when it could not be stored: the client sends it again.
        """
        room = self.rooms[session_id]
        if seat.writer_id is None:
            return Refused(key, Refusal.NOT_SIGNED_IN)
        if (refused := self._flooded(seat, key)) is not None:
            return refused
        answer: asyncio.Future[Stored | Refused] = asyncio.get_running_loop().create_future()
        room.waiting.append((Incoming(seat.writer_id, key, text), answer))
        seat.n_waiting += 1
        if room.writing is None:
            room.writing = asyncio.get_running_loop().create_task(self._write(room))
        try:
            return await answer
        finally:
            seat.n_waiting -= 1

    def _flooded(self, seat: Seat, key: uuid.UUID) -> Refused | None:
        now = time.monotonic()
        while seat.sent_at and seat.sent_at[0] < now - BURST_SECONDS:
            seat.sent_at.popleft()
        if now < seat.paused_until:
            return Refused(key, Refusal.TOO_FAST, max(1, round(seat.paused_until - now)))
        seat.sent_at.append(now)
        if len(seat.sent_at) > MOST_IN_BURST or seat.n_waiting >= MOST_WAITING:
            seat.paused_until = now + PAUSE_SECONDS
            return Refused(key, Refusal.TOO_FAST, PAUSE_SECONDS)
        return None

    @staticmethod
    def take(doing: Coroutine[Any, Any, None]) -> None:
        """Do it beside what else the socket says: waiting for a commit holds up no heartbeat."""
        _keep(asyncio.get_running_loop().create_task(doing))

    async def _write(self, room: _Room) -> None:
        try:
            while room.waiting:
                batch, room.waiting = room.waiting, []
                incoming = [one for one, _answer in batch]
                try:
                    results = await self._run(self.writing, _store_batch, room.session_id, incoming)
                except (DatabaseError, InterfaceError, LiveSession.DoesNotExist) as error:
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
        self.tasks = [loop.create_task(self._keep_looking()), loop.create_task(self._listen())]

    async def _keep_looking(self) -> None:
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.changed.wait(), timeout=LOOK_SECONDS)
            self.changed.clear()
            try:
                await self._turn()
            except (DatabaseError, InterfaceError) as error:
                if not self.is_away:
                    logger.warning("live rooms cannot be read for now: %s", error)
                self.is_away = True
                await asyncio.sleep(REST_SECONDS)
            else:
                if self.is_away:
                    logger.warning("live rooms can be read again")
                self.is_away = False

    async def _turn(self) -> None:
        for session_id in [key for key, room in self.rooms.items() if self._is_empty(room)]:
            del self.rooms[session_id]
            await self._leave_group(session_id)
        now = time.monotonic()
        await self._look_at(list(self.rooms))
        if self._is_due("sales", now, SALES_SECONDS):
            await self._look_at_sales(now)
        if self._is_due("likes", now, LIKES_SECONDS):
            await self._store_likes()
        if self._is_due("presence", now, 1.0 if self.says_presence else _SAY_SECONDS):
            await self._say_presence()
        if self._is_due("viewers", now, VIEWERS_SECONDS):
            await self._count_viewers()
        if self._is_due("stays", now, STAYS_SECONDS):
            await self._store_stays()
        if self._is_due("tidy", now, 60.0):
            await self._run(self.writing, _tidy)

    def _is_due(self, name: str, now: float, every: float) -> bool:
        if now < self.due[name] + every:
            return False
        self.due[name] = now
        return True

    @staticmethod
    def _is_empty(room: _Room) -> bool:
        is_busy = room.waiting or room.writing is not None or room.n_likes
        return not room.seats and not is_busy

    async def _look_at(self, session_ids: list[int]) -> None:
        if not session_ids:
            return
        known = {
            session_id: (room.version, room.last_message_id, room.state.get("likes"))
            for session_id in session_ids
            if (room := self.rooms.get(session_id)) is not None
        }
        found = await self._read(_look, known)
        for session_id, news in found.items():
            if (room := self.rooms.get(session_id)) is not None:
                self._take(room, news)

    def _take(self, room: _Room, news: _News) -> None:
        room.version = max(room.version, news.version)
        if news.restricted is not None:
            room.restricted = news.restricted
            for seat in list(room.seats):
                if room.restricted.get(seat.writer_id or 0) == RestrictionKind.BAN:
                    seat.leave_with(BANNED)
        if news.course_ids is not None:
            room.course_ids = news.course_ids
        changed = {
            name: value for name, value in news.parts.items() if room.state.get(name, ...) != value
        }
        room.state = room.state | changed
        messages = [one for one in news.messages if one["id"] > room.last_message_id]
        room.last_message_id = max([room.last_message_id, *(one["id"] for one in messages)])
        if news.last_message_id and not news.messages:
            room.last_message_id = max(room.last_message_id, news.last_message_id)
        if changed or messages:
            self._send(room, changed, messages)

    @staticmethod
    def _send(room: _Room, parts: dict[str, Any], messages: list[dict[str, Any]]) -> None:
        text = encoded({"type": "room", "state": parts, "messages": messages})
        for seat in list(room.seats):
            seat.give(text)

    async def _look_at_sales(self, now: float) -> None:
        """Seats, prices and what was just bought: one query each for all rooms."""
        rooms = {key: room for key, room in self.rooms.items() if room.seats}
        if not rooms:
            return
        course_ids = {course for room in rooms.values() for course in room.course_ids}
        offers, charges, bought = await self._read(
            _look_at_sales, course_ids, list(rooms), self.last_charge
        )
        self.last_charge = max(self.last_charge, charges)
        for session_id, room in rooms.items():
            seen = sorted(offer for offer in offers if offer[0] in room.course_ids)
            names = ["bought"] if session_id in bought else []
            is_old = now - room.showcase_at > SHOWCASE_SECONDS
            if seen != room.offers or is_old:
                room.offers, room.showcase_at = seen, now
                names += ["showcase", "coupons"]
            for part in ("poll", "draw"):
                # Votes and entries touch no room: what is open is counted once a second.
                shown = room.state.get(part)
                if shown and (shown.get("is_open") or shown.get("is_drawn") is False):
                    names.append(part)
            if names:
                parts = await self._read(_parts, session_id, names)
                if parts is not None:
                    self._take(room, _News(room.version, 0, parts, []))

    # --- By the clock -------------------------------------------------------------------------

    async def _store_likes(self) -> None:
        for room in list(self.rooms.values()):
            if room.n_likes:
                n, room.n_likes = room.n_likes, 0
                room.n_likes_of_minute += n
                try:
                    await self._run(self.writing, presence.add_likes, room.session_id, n)
                except (DatabaseError, InterfaceError):
                    room.n_likes += n
                    room.n_likes_of_minute -= n
                    raise

    async def _say_presence(self) -> None:
        held = {key: {seat.viewer for seat in room.seats} for key, room in self.rooms.items()}
        self.says_presence = False
        await self._run(self.writing, _say_present, self.process, held, timezone.now())

    async def _count_viewers(self) -> None:
        rooms = {key: room for key, room in self.rooms.items() if room.seats}
        if not rooms:
            return
        moment = timezone.now()
        counted = await self._read(_count_viewers, list(rooms), moment)
        minute = moment.replace(second=0, microsecond=0)
        for session_id, n in counted.items():
            room = rooms[session_id]
            is_more = n > (room.state.get("viewers") or 0)
            self._take(room, _News(room.version, 0, {"viewers": n}, []))
            if room.minute != minute or is_more:
                likes, room.n_likes_of_minute = room.n_likes_of_minute, 0
                room.minute = minute
                if room.state.get("status") == SessionStatus.LIVE:
                    await self._run(self.writing, _note, session_id, minute, n, likes)

    async def _store_stays(self) -> None:
        gone, self.gone_stays = self.gone_stays, {}
        now = timezone.now()
        stays = dict(gone)
        for room in self.rooms.values():
            for seat in room.seats:
                seat.stay.last_seen_at = now
                stays[seat.stay.key] = _joined(stays.get(seat.stay.key), seat.stay)
        if not stays:
            return
        try:
            await self._run(self.writing, store_stays, list(stays.values()))
        except (DatabaseError, InterfaceError):
            self.gone_stays = gone | self.gone_stays
            raise

    # --- Threads and the layer ----------------------------------------------------------------

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
                for session_id in list(self.rooms):
                    await layer.group_add(group_of(session_id), self.channel)
                while True:
                    await layer.receive(self.channel)
                    self.changed.set()
            except (RedisError, OSError) as error:
                # The looks by the clock go on meanwhile.
                logger.warning("nobody can wake the live rooms for now: %s", error)
                await asyncio.sleep(REST_SECONDS)

    async def _join_group(self, session_id: int) -> None:
        await self._tell_layer("group_add", session_id)

    async def _leave_group(self, session_id: int) -> None:
        await self._tell_layer("group_discard", session_id)

    async def _tell_layer(self, what: str, session_id: int) -> None:
        layer = get_channel_layer()
        if layer is None or self.channel is None:
            return
        try:
            await getattr(layer, what)(group_of(session_id), self.channel)
        except (RedisError, OSError) as error:
            logger.warning("the layer between processes is away: %s", error)


_SAY_SECONDS = presence.SAY_EVERY.total_seconds()


def encoded(frame: dict[str, Any]) -> str:
    """A frame as the text of the wire."""
    return json.dumps(frame, ensure_ascii=False, separators=(",", ":"))


def _joined(one: Stay | None, other: Stay) -> Stay:
    """Two seats of one stay, such as before and after a lost connection, as one."""
    if one is None or one is other:
        return other
    other.watched_seconds = max(one.watched_seconds, other.watched_seconds)
    other.n_likes = max(one.n_likes, other.n_likes)
    other.joined_at = min(one.joined_at, other.joined_at)
    return other


def _with_database(call: Callable[..., T], arguments: tuple[Any, ...]) -> T:
    # As around a request: connections that are too old or were closed are made anew.
    close_old_connections()
    try:
        return call(*arguments)
    finally:
        close_old_connections()


def _store_batch(session_id: int, incoming: list[Incoming]) -> list[Stored | Refused]:
    return store_messages(session_id, incoming, moment=timezone.now())


def _messages_for(session_id: int, last: int | None, up_to: int) -> list[dict[str, Any]]:
    """What a client that has everything up to `last` lacks of what the room has been sent."""
    if last is None:
        return [
            one
            for one in messages_after(session_id, None, limit=MESSAGES_AT_FIRST)
            if one["id"] <= up_to
        ]
    messages: list[dict[str, Any]] = []
    while last < up_to:
        more = messages_after(session_id, last, limit=MESSAGES_AT_ONCE)
        messages += [one for one in more if one["id"] <= up_to]
        if len(more) < MESSAGES_AT_ONCE:
            break
        last = more[-1]["id"]
    return messages


def _look(known: dict[int, tuple[int, int, int | None]]) -> dict[int, _News]:
    """What has changed in the rooms, of which version, last message and likes are known."""
    rows = {row.pk: row for row in Room.objects.filter(pk__in=list(known))}
    found = {}
    for session_id, (version, last_id, likes) in known.items():
        row = rows.get(session_id) or room_of(session_id)
        parts: dict[str, Any] = {}
        news = _News(row.version, row.last_message_id, parts, [])
        if row.version > version:
            names = VERSIONED if version >= 0 else None
            read = _parts(session_id, names)
            if read is None:
                continue
            parts |= read
            session = LiveSession.objects.get(pk=session_id)
            held = restrictions_in(session, moment=timezone.now())
            news.restricted = {user_id: one.kind for user_id, one in held.items()}
            news.course_ids = frozenset(
                ShowcaseItem.objects.filter(live_session=session_id).values_list(
                    "course_id", flat=True
                )
            )
        if row.n_likes != likes:
            parts["likes"] = row.n_likes
        if version >= 0 and row.last_message_id > last_id:
            news.messages = messages_after(session_id, last_id, limit=MESSAGES_AT_ONCE)
        if parts or news.messages or row.last_message_id > last_id or row.version > version:
            found[session_id] = news
    return found


def _parts(session_id: int, names: Iterable[str] | None) -> dict[str, Any] | None:
    """The parts, or None when the session is gone."""
    try:
        return room_parts(session_id, names=names)
    except LiveSession.DoesNotExist:
        return None


def _look_at_sales(
    course_ids: set[int], session_ids: list[int], last_charge: int
) -> tuple[list[tuple[Any, ...]], int, set[int]]:
    now = timezone.now()
    offers = [
        (course_id, pk, price, seats_left, starts_at <= now)
        for course_id, pk, price, seats_left, starts_at in Promotion.objects.filter(
            course__in=course_ids, is_active=True, ends_at__gt=now
        ).values_list("course_id", "pk", "price", "seats_left", "starts_at")
    ]
    newest = LedgerEntry.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    if not last_charge:
        return offers, newest, set()
    # Entries are not committed in the order of their keys: those just before are seen again.
    orders = LedgerEntry.objects.filter(
        pk__gt=last_charge - _OVERLAP, pk__lte=newest, kind=MoneyMove.CHARGE
    ).values("order_id")
    if newest == last_charge:
        return offers, newest, set()
    bought = OrderAttribution.objects.filter(order__in=orders, live_session__in=session_ids)
    return offers, newest, set(bought.values_list("live_session_id", flat=True))


_OVERLAP = 50


def _say_present(process: uuid.UUID, held: dict[int, set[bytes]], moment: datetime) -> None:
    presence.say_present(process, held, moment=moment)


def _count_viewers(session_ids: list[int], moment: datetime) -> dict[int, int]:
    return presence.count_viewers(session_ids, moment=moment)


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
