"""A live room while database or Redis are away: sockets stay, and it heals by itself."""

from __future__ import annotations

import asyncio
import time
import urllib.parse
import uuid
from collections.abc import Iterator

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

from streams.chat import Incoming, store_messages
from streams.models import ChatMessage, LiveSession
from tests.concurrency.buyers import in_own_loop
from tests.concurrency.shop import url_of_test_database
from tests.factories import ChatRulesFactory, LiveSessionFactory
from tests.faults.breakable_line import BreakableLine, line_to
from tests.streams.live_room import Server, cookie_of, entered, served

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.mariadb(only=True)]

AWAY_SECONDS = 1.5


@pytest.fixture(scope="module")
def lines(django_db_setup, redis_url) -> Iterator[tuple[BreakableLine, BreakableLine]]:
    """The lines to the database and to Redis."""
    ports = [urllib.parse.urlparse(url).port for url in (url_of_test_database(), redis_url)]
    with line_to(ports[0] or 0) as database, line_to(ports[1] or 0) as redis:
        yield database, redis


@pytest.fixture(scope="module")
def server(lines, tmp_path_factory) -> Iterator[Server]:
    database, redis = lines
    here = urllib.parse.urlparse(url_of_test_database())
    through = here._replace(netloc=here.netloc.replace(str(here.port), str(database.port)))
    folder = tmp_path_factory.mktemp("outages")
    redis_url = f"redis://127.0.0.1:{redis.port}/0"
    with served(folder, n=1, database_url=through.geturl(), REDIS_URL=redis_url) as (running,):
        yield running


@pytest.fixture
def session() -> LiveSession:
    session = LiveSessionFactory(live=True)
    ChatRulesFactory(live_session=session, burst=20, burst_seconds=1)
    return session


def say_elsewhere(session: LiveSession, text: str) -> int:
    """A message that another process stores, over a line of its own."""
    incoming = [Incoming(session.seller_id, uuid.uuid4(), text)]
    (stored,) = store_messages(session.pk, incoming, moment=timezone.now())
    return stored.id  # type: ignore[union-attr]


def test_without_the_database_viewers_stay_and_read_on_afterwards(server, lines, session) -> None:
    database, _redis = lines

    async def run() -> tuple[list[int], float, int]:
        viewer = await entered(server.port, session.pk)
        first = await sync_to_async(say_elsewhere)(session, "before")
        await viewer.until(lambda: first in viewer.said)
        database.cut()
        second = await sync_to_async(say_elsewhere)(session, "meanwhile")
        await viewer.read_for(AWAY_SECONDS)
        n_meanwhile = len(viewer.said)
        database.mend()
        began = time.monotonic()
        await viewer.until(lambda: second in viewer.said)
        return viewer.said, time.monotonic() - began, n_meanwhile

    said, seconds, n_meanwhile = in_own_loop(run())

    assert said == list(ChatMessage.objects.order_by("pk").values_list("pk", flat=True))
    assert n_meanwhile == 1
    assert seconds < 5
    assert server.log.read_text().count("live rooms cannot be read for now") == 1


def test_who_writes_while_the_database_is_away_is_told_to_come_back(server, lines, session) -> None:
    database, _redis = lines
    cookie = cookie_of(session.seller)

    async def run() -> tuple[int | None, str]:
        viewer = await entered(server.port, session.pk, cookie=cookie)
        database.cut()
        try:
            await viewer.send(
                type="chat", key="b9a1f8d2-0c5e-4c37-8a55-3d7f6f1e2a10", text="Is it on?"
            )
            code = await viewer.closed_with()
        finally:
            database.mend()
        await asyncio.sleep(1.2)
        again = await entered(server.port, session.pk, cookie=cookie)
        return code, (await again.say("It is"))["type"]

    assert in_own_loop(run()) == (1013, "ack")


def test_without_redis_messages_come_by_the_clock(server, lines, session) -> None:
    _database, redis = lines

    async def run() -> float:
        viewer = await entered(server.port, session.pk)
        redis.cut()
        try:
            # A machine that others share may stand still: what is slow is slow each time.
            for _ in range(3):
                began = time.monotonic()
                said = await sync_to_async(say_elsewhere)(session, "without")
                await viewer.until(lambda said=said: said in viewer.said)
                seconds = time.monotonic() - began
                if seconds < 1:
                    break
            # Whoever comes now gets in as well.
            await entered(server.port, session.pk)
            return seconds
        finally:
            redis.mend()

    assert in_own_loop(run()) < 1
