"""The hub of one process, without a network: what it costs, and what it does with slow sockets."""

from __future__ import annotations

import asyncio
import json
import threading
import uuid
from collections.abc import Callable, Coroutine, Iterator
from datetime import timedelta
from typing import Any, TypeVar

import pytest
from django.db import OperationalError, close_old_connections
from django.db.backends.signals import connection_created
from django.utils import timezone

from streams import presence
from streams.attendance import Stay, stay_of, store_stays
from streams.chat import Refused, Stored
from streams.hub import MOST_IN_BURST, Hub
from streams.models import LiveSession, Room, RoomMinute, Visit
from streams.room_changes import touch_room
from streams.seats import MOST_BEHIND, MOST_BYTES_BEHIND, Frame, Seat
from tests.concurrency.buyers import in_own_loop
from tests.factories import ChatRulesFactory, LiveSessionFactory, UserFactory

pytestmark = pytest.mark.django_db(transaction=True)

T = TypeVar("T")
WRITES = ("INSERT", "UPDATE", "DELETE", "REPLACE")


@pytest.fixture
def session() -> LiveSession:
    return LiveSessionFactory(live=True)


@pytest.fixture
def statements() -> Iterator[list[str]]:
    """What every connection that is made from now on is asked, in any thread."""
    seen: list[str] = []

    def note(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        seen.append(sql)
        return execute(sql, *rest)

    def watch(connection: Any, **_: Any) -> None:
        if note not in connection.execute_wrappers:
            connection.execute_wrappers.append(note)

    connection_created.connect(watch)
    close_old_connections()
    yield seen
    connection_created.disconnect(watch)


class Socket:
    """A place in a room whose network takes all that it is given."""

    def __init__(self, session: LiveSession, *, writer_id: int | None = None) -> None:
        self.got: list[dict[str, Any]] = []
        self.closed_with: list[int] = []
        visitor = uuid.uuid4()
        self.stay = stay_of(
            client_key=uuid.uuid4(),
            session_id=session.pk,
            user=None,
            visitor_id=visitor,
            source="home",
            moment=timezone.now(),
        )
        self.seat = Seat(
            send=self.send,
            close=self.close,
            stay=self.stay,
            viewer=presence.viewer_hash(session_id=session.pk, user_id=None, visitor_id=visitor),
            writer_id=writer_id,
        )

    async def send(self, text: str) -> None:
        self.got.append(json.loads(text))

    async def close(self, code: int) -> None:
        self.closed_with.append(code)


def with_hub(work: Callable[[Hub], Coroutine[Any, Any, T]]) -> T:
    async def run() -> T:
        hub = Hub()
        try:
            return await work(hub)
        finally:
            await hub.close()

    return in_own_loop(run())


async def seated(hub: Hub, session: LiveSession, **more: Any) -> Socket:
    socket = Socket(session, **more)
    socket.seat.open_with(Frame(await hub.enter(session.pk, socket.seat, last=None)))
    return socket


def test_a_thousand_likes_and_heartbeats_are_a_handful_of_writes(session, statements) -> None:
    async def work(hub: Hub) -> int:
        sockets = [await seated(hub, session) for _ in range(100)]
        await asyncio.sleep(1.2)
        n_before = len(statements)
        for turn in range(10):
            for socket in sockets:
                hub.beat(session.pk, socket.seat, float(turn))
                hub.like(session.pk, socket.seat, 1)
        await asyncio.sleep(1.5)
        return n_before

    n_before = with_hub(work)
    writes = [sql for sql in statements[n_before:] if sql.lstrip().startswith(WRITES)]

    assert Visit.objects.count() == 100
    assert sum(Visit.objects.values_list("n_likes", flat=True)) == 1000
    assert sum(RoomMinute.objects.values_list("n_likes", flat=True)) == 1000
    # Those of some two seconds, whatever happens in them.
    assert 3 <= len(writes) <= 20, writes


def test_a_look_at_quiet_rooms_is_one_query_however_many_they_are(statements) -> None:
    sessions = LiveSessionFactory.create_batch(5, live=True)

    async def work(hub: Hub) -> list[str]:
        for session in sessions:
            await seated(hub, session)
        await hub._look_at(list(hub.rooms.values()))
        n_before = len(statements)
        await hub._look_at(list(hub.rooms.values()))
        return [sql for sql in statements[n_before:] if "streams_roompresence" not in sql]

    asked = with_hub(work)

    looks = [sql for sql in asked if "streams_room" in sql]
    # The hub may have looked by itself meanwhile, once or twice.
    assert 1 <= len(looks) < len(sessions), looks


def test_a_thousand_who_come_at_once_read_the_room_once(session, statements) -> None:
    async def work(hub: Hub) -> int:
        n_before = len(statements)
        await asyncio.gather(*(seated(hub, session) for _ in range(200)))
        return n_before

    n_before = with_hub(work)

    assert sum("streams_showcaseitem" in sql for sql in statements[n_before:]) < 20


def test_all_get_the_same_frame_and_it_is_made_once(session) -> None:
    async def work(hub: Hub) -> list[bytes]:
        given: list[bytes] = []

        def write(frame: bytes) -> int:
            given.append(frame)
            return 0

        sockets = [await seated(hub, session) for _ in range(3)]
        for socket in sockets:
            socket.seat.write = write
        hub._send(hub.rooms[session.pk], {"viewers": 3}, [])
        return given

    given = with_hub(work)

    assert len({id(frame) for frame in given[-3:]}) == 1
    assert given[-1] == b'\x81\x33{"type":"room","state":{"viewers":3},"messages":[]}'[:2] + (
        b'{"type":"room","state":{"viewers":3},"messages":[]}'
    )


@pytest.mark.parametrize("n", [5, 125, 126, 65535, 65536])
def test_the_bytes_of_a_frame_are_those_of_the_protocol(n) -> None:
    from websockets.frames import Frame as Expected
    from websockets.frames import Opcode

    frame = Frame({"text": "x" * (n - 11)}) if n > 11 else Frame({})

    expected = Expected(Opcode.TEXT, frame.text.encode()).serialize(mask=False)
    assert frame.data == expected


def test_a_socket_that_takes_nothing_is_closed_and_holds_up_nobody(session) -> None:
    async def work(hub: Hub) -> tuple[Socket, Socket]:
        slow, quick = await seated(hub, session), await seated(hub, session)
        never = asyncio.Event()

        async def wait(_text: str) -> None:
            await never.wait()

        slow.seat.send = wait
        for n in range(MOST_BEHIND + 2):
            hub._send(hub.rooms[session.pk], {"viewers": n}, [])
        await asyncio.sleep(0.05)
        return slow, quick

    slow, quick = with_hub(work)

    assert slow.closed_with == [4408]
    assert len(quick.got) > MOST_BEHIND
    assert quick.closed_with == []


def test_a_server_that_holds_too_much_for_a_socket_closes_it(session) -> None:
    async def work(hub: Hub) -> Socket:
        socket = await seated(hub, session)
        socket.seat.write = lambda frame: MOST_BYTES_BEHIND + 1
        hub._send(hub.rooms[session.pk], {"viewers": 1}, [])
        await asyncio.sleep(0.05)
        return socket

    assert with_hub(work).closed_with == [4408]


def test_a_flood_is_held_back_before_it_costs_the_database_anything(session, statements) -> None:
    ChatRulesFactory(live_session=session, burst=3, burst_seconds=5)
    writer = UserFactory()

    async def work(hub: Hub) -> list[Any]:
        socket = await seated(hub, session, writer_id=writer.pk)
        first = [await hub.say(session.pk, socket.seat, uuid.uuid4(), "x") for _ in range(4)]
        # What was stored has been shown by then.
        await asyncio.sleep(0.5)
        n_before = sum("streams_chatmessage" in sql for sql in statements)
        rest = await asyncio.gather(
            *(hub.say(session.pk, socket.seat, uuid.uuid4(), "x") for _ in range(500))
        )
        n_after = sum("streams_chatmessage" in sql for sql in statements)
        assert n_after == n_before
        return [*first, *rest]

    answers = with_hub(work)

    assert [type(answer) for answer in answers[:4]] == [Stored] * 3 + [Refused]
    assert {answer.code.value for answer in answers[3:]} == {"too_fast"}
    assert all(answer.retry_after > 0 for answer in answers[3:])


def test_who_says_more_than_any_rules_allow_is_paused_here(session) -> None:
    ChatRulesFactory(live_session=session, burst=20, burst_seconds=1)
    writer = UserFactory()

    async def work(hub: Hub) -> list[Any]:
        socket = await seated(hub, session, writer_id=writer.pk)
        return await asyncio.gather(
            *(hub.say(session.pk, socket.seat, uuid.uuid4(), str(n)) for n in range(100))
        )

    answers = with_hub(work)

    assert sum(isinstance(answer, Stored) for answer in answers) <= MOST_IN_BURST


def test_likes_of_one_socket_come_no_faster_than_a_hand(session) -> None:
    async def work(hub: Hub) -> int:
        socket = await seated(hub, session)
        for _ in range(100):
            hub.like(session.pk, socket.seat, 50)
        return hub.rooms[session.pk].n_likes

    assert with_hub(work) <= 60


def test_the_hub_goes_on_after_a_look_that_failed(session, caplog) -> None:
    other = LiveSessionFactory(live=True)

    async def work(hub: Hub) -> tuple[Socket, Socket]:
        stays, loses = await seated(hub, session), await seated(hub, other)
        await asyncio.to_thread(_delete, other)
        await asyncio.to_thread(touch_room, session.pk)
        await asyncio.to_thread(close_old_connections)
        for _ in range(40):
            await asyncio.sleep(0.05)
            if loses.closed_with:
                break
        return stays, loses

    stays, loses = with_hub(work)

    assert loses.closed_with == [4404]
    assert stays.closed_with == []


def _delete(session: LiveSession) -> None:
    LiveSession.objects.filter(pk=session.pk).delete()
    close_old_connections()


def test_stays_that_take_long_to_store_hold_up_no_message(session, monkeypatch) -> None:
    """A full room's stays are stored every ten seconds: nobody may notice."""
    has_begun, may_end = threading.Event(), threading.Event()

    def slowly(stays: Any) -> None:
        has_begun.set()
        assert may_end.wait(60)

    monkeypatch.setattr("streams.hub.store_stays", slowly)
    writer = UserFactory()

    async def work(hub: Hub) -> list[str]:
        socket = await seated(hub, session, writer_id=writer.pk)
        try:
            assert await asyncio.to_thread(has_begun.wait, 60)
            async with asyncio.timeout(30):
                await hub.say(session.pk, socket.seat, uuid.uuid4(), "Is it on?")
                while not (said := [text for frame in socket.got for text in _texts(frame)]):
                    await asyncio.sleep(0.02)
            return said
        finally:
            may_end.set()

    assert with_hub(work) == ["Is it on?"]


def _texts(frame: dict[str, Any]) -> list[str]:
    return [message["text"] for message in frame["messages"]]


def test_likes_of_stays_are_stored_once_though_some_stays_could_not_be(
    session, monkeypatch
) -> None:
    n_calls = 0

    def but_for_the_second(stays: Any) -> None:
        nonlocal n_calls
        n_calls += 1
        if n_calls == 2:
            raise OperationalError("away")
        store_stays(stays)

    monkeypatch.setattr("streams.hub.STAYS_AT_ONCE", 2)
    monkeypatch.setattr("streams.hub.store_stays", but_for_the_second)
    monkeypatch.setattr(Hub, "_start", lambda hub: None)

    async def work(hub: Hub) -> None:
        for _ in range(3):
            socket = await seated(hub, session)
            hub.like(session.pk, socket.seat, 2)
        with pytest.raises(OperationalError):
            await hub._store_stays()

    with_hub(work)

    assert sorted(Visit.objects.values_list("n_likes", flat=True)) == [2, 2, 2]


class SlowLikes:
    """Likes on their way into the database, until they may end."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.has_begun, self.may_end = threading.Event(), threading.Event()
        self.add_likes = presence.add_likes
        monkeypatch.setattr(presence, "add_likes", self)

    def __call__(self, session_id: int, n: int) -> None:
        self.has_begun.set()
        assert self.may_end.wait(60)
        self.add_likes(session_id, n)


def likes_of(session: LiveSession) -> tuple[int, int]:
    """Those of the room, and those of the minutes of its curve."""
    of_room = Room.objects.get(pk=session.pk).n_likes
    return of_room, sum(RoomMinute.objects.values_list("n_likes", flat=True))


def test_likes_that_could_not_be_stored_are_stored_later_though_everybody_left(
    session, monkeypatch
) -> None:
    add_likes, failures = presence.add_likes, []

    def not_at_once(*told: Any) -> None:
        if not failures:
            failures.append(told)
            raise OperationalError("away")
        add_likes(*told)

    monkeypatch.setattr(presence, "add_likes", not_at_once)

    async def work(hub: Hub) -> None:
        socket = await seated(hub, session)
        hub.like(session.pk, socket.seat, 3)
        hub.leave(session.pk, socket.seat)
        async with asyncio.timeout(30):
            while session.pk in hub.rooms:
                await asyncio.sleep(0.05)

    with_hub(work)

    assert failures == [(session.pk, 3)]
    assert likes_of(session) == (3, 3)


def test_a_room_is_not_left_while_its_likes_are_stored(session, monkeypatch) -> None:
    likes = SlowLikes(monkeypatch)

    async def work(hub: Hub) -> None:
        socket = await seated(hub, session)
        hub.like(session.pk, socket.seat, 3)
        hub.leave(session.pk, socket.seat)
        assert await asyncio.to_thread(likes.has_begun.wait, 60)
        hub.rooms[session.pk].minutes.clear()
        await hub._leave_empty_rooms()
        likes.may_end.set()

    with_hub(work)

    assert likes_of(session) == (3, 3)


def test_a_server_that_ends_while_likes_are_stored_counts_them_once(session, monkeypatch) -> None:
    likes = SlowLikes(monkeypatch)

    async def work(hub: Hub) -> None:
        socket = await seated(hub, session)
        hub.like(session.pk, socket.seat, 3)
        assert await asyncio.to_thread(likes.has_begun.wait, 60)
        # By then the hub is closing.
        asyncio.get_running_loop().call_later(0.1, likes.may_end.set)

    with_hub(work)

    assert likes_of(session) == (3, 3)


def test_a_room_is_not_left_that_somebody_enters_meanwhile(session, monkeypatch) -> None:
    other = LiveSessionFactory(live=True)
    # Nothing goes by the clock here.
    monkeypatch.setattr(Hub, "_start", lambda hub: None)

    async def work(hub: Hub) -> bool:
        for one in (session, other):
            socket = await seated(hub, one)
            hub.rooms[one.pk].has_joined = True
            hub.leave(one.pk, socket.seat)

        async def while_the_layer_is_told(what: str, session_id: int) -> bool:
            if what == "group_discard" and session_id == session.pk:
                await seated(hub, other)
            return True

        monkeypatch.setattr(hub, "_tell_layer", while_the_layer_is_told)
        await hub._leave_empty_rooms()
        return session.pk not in hub.rooms and len(hub.rooms[other.pk].seats) == 1

    assert with_hub(work)


def test_what_another_process_sent_already_is_not_sent_again(session) -> None:
    writer = UserFactory()

    async def work(faster: Hub) -> tuple[list[int], list[int]]:
        slower = Hub()
        try:
            await seated(slower, session)
            # From here on it looks only when somebody comes.
            for task in slower.tasks:
                task.cancel()
            slower.tasks = [asyncio.create_task(asyncio.sleep(3600))]
            here = await seated(faster, session, writer_id=writer.pk)
            said = [
                await faster.say(session.pk, here.seat, uuid.uuid4(), f"line {n}") for n in range(3)
            ]
            ids = [one.id for one in said if isinstance(one, Stored)]
            there = Socket(session)
            first = await slower.enter(session.pk, there.seat, last=ids[1])
            there.seat.open_with(Frame(first))
            await slower._look_at(list(slower.rooms.values()))
            return ids, [one["id"] for frame in there.got for one in frame["messages"]]
        finally:
            await slower.close()

    ids, came = with_hub(work)

    assert len(ids) == 3
    assert came == ids[2:]


def test_a_stay_of_a_room_that_is_not_on_air_is_not_counted(session) -> None:
    scheduled = LiveSessionFactory(scheduled_at=timezone.now() + timedelta(hours=1))

    async def work(hub: Hub) -> Stay:
        socket = await seated(hub, scheduled)
        hub.beat(scheduled.pk, socket.seat, 10)
        hub.like(scheduled.pk, socket.seat, 3)
        return socket.stay

    assert with_hub(work).n_likes == 0
    assert Visit.objects.count() == 0
