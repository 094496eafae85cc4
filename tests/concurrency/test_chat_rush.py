"""Several processes that store messages of one room: no reader misses one, no key counts twice.

Each thread stands for a process: it has a connection of its own.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import User
from streams import chat
from streams.chat import Incoming, Refused, Stored, messages_after, store_messages
from streams.models import ChatMessage, LiveSession, Room
from tests.factories import ChatRulesFactory, LiveSessionFactory, UserFactory

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.mariadb(only=True)]

N_PROCESSES = 4
N_BATCHES = 25
# As long as a process is given that waits for the other's lock.
PATIENCE = 0.5


@pytest.fixture
def session() -> LiveSession:
    session = LiveSessionFactory(live=True)
    Room.objects.create(live_session=session)
    return session


def with_own_connection(work: Callable[..., Any]) -> Callable[..., Any]:
    def run(*given: Any) -> Any:
        try:
            return work(*given)
        finally:
            connection.close()

    return run


def at_once(work: Callable[[int], Any], *, n: int) -> list[Any]:
    """What `work` returns for 0 to n - 1, done by as many threads that begin together."""
    barrier = threading.Barrier(n)

    @with_own_connection
    def run(place: int) -> Any:
        connection.ensure_connection()
        barrier.wait()
        return work(place)

    with ThreadPoolExecutor(n) as pool:
        return list(pool.map(run, range(n)))


def test_whoever_reads_on_by_the_last_id_misses_no_message_and_sees_none_twice(session) -> None:
    ChatRulesFactory(live_session=session, burst=20, burst_seconds=1)
    authors = [UserFactory() for _ in range(40)]
    is_over = threading.Event()
    seen: list[int] = []

    @with_own_connection
    def read() -> None:
        is_last = False
        while not is_last:
            is_last = is_over.is_set()
            found = messages_after(session.pk, seen[-1] if seen else 0, limit=1000)
            seen.extend(one["id"] for one in found)

    def write(process: int) -> list[Stored | Refused]:
        answers = []
        for number in range(N_BATCHES):
            batch = [
                Incoming(author.pk, uuid.uuid4(), f"{process} {number}")
                for author in authors[number % 5 :: 5]
            ]
            answers += store_messages(session.pk, batch, moment=timezone.now())
        return answers

    reader = threading.Thread(target=read)
    reader.start()
    try:
        answers = [one for batch in at_once(write, n=N_PROCESSES) for one in batch]
    finally:
        is_over.set()
        reader.join()

    stored = [one.id for one in answers if isinstance(one, Stored)]
    assert len(stored) > N_PROCESSES * N_BATCHES
    assert seen == sorted(stored)
    assert Room.objects.get(pk=session.pk).last_message_id == seen[-1]


def seen_while_two_write(session: LiveSession) -> tuple[list[int], list[int]]:
    """The ids that somebody reads on to who looks between two writers, and those stored.

    The slow writer stands still between its insert and its commit until the fast one is done, or
    has waited for PATIENCE seconds.
    """
    slow, fast = UserFactory(), UserFactory()
    inserted, goes_on = threading.Event(), threading.Event()

    def hold(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        result = execute(sql, params, many, context)
        if sql.startswith("INSERT INTO `streams_chatmessage`"):
            inserted.set()
            goes_on.wait()
        return result

    def write(author: User) -> None:
        sent = Incoming(author.pk, uuid.uuid4(), "Hello")
        store_messages(session.pk, [sent], moment=timezone.now())

    @with_own_connection
    def write_slowly() -> None:
        with connection.execute_wrapper(hold):
            write(slow)

    @with_own_connection
    def write_fast() -> None:
        inserted.wait()
        write(fast)

    writers = [threading.Thread(target=one) for one in (write_slowly, write_fast)]
    for writer in writers:
        writer.start()
    writers[1].join(PATIENCE)
    seen = [one["id"] for one in messages_after(session.pk, 0, limit=10)]
    goes_on.set()
    for writer in writers:
        writer.join()
    last = seen[-1] if seen else 0
    seen += [one["id"] for one in messages_after(session.pk, last, limit=10)]
    return seen, list(ChatMessage.objects.order_by("pk").values_list("pk", flat=True))


def test_a_slow_process_holds_up_the_others_of_its_room_and_nothing_is_missed(session) -> None:
    seen, stored = seen_while_two_write(session)

    assert len(stored) == 2
    assert seen == stored


def test_without_the_lock_a_reader_misses_what_was_stored_slowly(session, monkeypatch) -> None:
    """The control."""
    monkeypatch.setattr(chat, "_lock_room", lambda _session_id: None)

    seen, stored = seen_while_two_write(session)

    assert len(stored) == 2
    assert seen == stored[1:]


def test_the_same_key_sent_ten_times_at_once_is_one_message(session) -> None:
    sent = Incoming(UserFactory().pk, uuid.uuid4(), "Hello")

    answers = at_once(
        lambda _place: store_messages(session.pk, [sent], moment=timezone.now())[0], n=10
    )

    row = ChatMessage.objects.get()
    assert {one.id for one in answers} == {row.pk}
    assert sum(one.is_new for one in answers) == 1


def test_ten_processes_let_one_writer_through_as_often_as_one_process_does(session) -> None:
    author, moment = UserFactory(), timezone.now()

    answers = at_once(
        lambda place: store_messages(
            session.pk, [Incoming(author.pk, uuid.uuid4(), f"{place}")], moment=moment
        )[0],
        n=10,
    )

    assert sum(isinstance(one, Stored) for one in answers) == 3
    assert {one.code for one in answers if isinstance(one, Refused)} == {"too_fast"}
    assert session.restrictions.count() == 1


def test_a_room_that_ten_enter_at_once_is_made_once(session) -> None:
    Room.objects.all().delete()
    authors = [UserFactory().pk for _ in range(10)]

    answers = at_once(
        lambda place: store_messages(
            session.pk, [Incoming(authors[place], uuid.uuid4(), "Hello")], moment=timezone.now()
        )[0],
        n=10,
    )

    assert all(isinstance(one, Stored) for one in answers)
    assert Room.objects.get().last_message_id == max(one.id for one in answers)
