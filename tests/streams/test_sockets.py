"""Sockets of live rooms, in two processes that share the database and nothing else."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import websockets
from asgiref.sync import sync_to_async
from django.utils import timezone

from accounts.models import User
from accounts.tokens import tokens_of
from streams import moderation
from streams.models import ChatMessage, LiveSession, Room, Visit
from streams.session_life import end_session
from tests.concurrency.buyers import in_own_loop
from tests.factories import ChatMessageFactory, ChatRulesFactory, LiveSessionFactory, UserFactory
from tests.operation.processes import eventually
from tests.streams.live_room import (
    PRESENCE_SECONDS,
    Server,
    connected,
    cookie_of,
    entered,
    served,
)

pytestmark = pytest.mark.django_db(transaction=True)

PARTS = {
    *("status", "video", "viewers", "likes", "showcase", "coupons"),
    *("poll", "draw", "chat", "bought", "hidden"),
}


@pytest.fixture(scope="module")
def servers(django_db_setup, tmp_path_factory) -> Iterator[list[Server]]:
    with served(tmp_path_factory.mktemp("sockets"), n=2) as running:
        yield running


@pytest.fixture
def session() -> LiveSession:
    session = LiveSessionFactory(live=True)
    # So many words in a row are nobody's flood here.
    ChatRulesFactory(live_session=session, burst=20, burst_seconds=1)
    return session


def code_of_closing(port: int, session_id: int, *frames: Any, **who: Any) -> int | None:
    """The code with which the server closes after the frames."""

    async def run() -> int | None:
        viewer = await connected(port, session_id, **who)
        for frame in frames:
            await viewer.socket.send(frame)
        return await viewer.closed_with()

    return in_own_loop(run())


HELLO = '{"type":"hello","visit":"b9a1f8d2-0c5e-4c37-8a55-3d7f6f1e2a10","last":null}'


def test_a_page_of_another_site_is_refused_at_the_handshake(servers, session) -> None:
    async def status(origin: str | None) -> int:
        try:
            viewer = await connected(servers[0].port, session.pk, origin=origin)
        except websockets.InvalidStatus as refused:
            return refused.response.status_code
        await viewer.leave()
        return 101

    async def run() -> list[int]:
        own = f"http://127.0.0.1:{servers[0].port}"
        asked = ("http://evil.example", "null", "http://127.0.0.1.evil.example", own, None)
        return [await status(origin) for origin in asked]

    # The last one is an app, which sends no origin.
    assert in_own_loop(run()) == [403, 403, 403, 101, 101]


def test_there_is_no_room_of_a_draft_nor_of_nothing(servers) -> None:
    draft = LiveSessionFactory(draft=True)
    its_seller = cookie_of(draft.seller)

    assert code_of_closing(servers[0].port, draft.pk, HELLO) == 4404
    assert code_of_closing(servers[0].port, draft.pk, HELLO, cookie=its_seller) == 4404
    assert code_of_closing(servers[0].port, 999_999, HELLO) == 4404


@pytest.mark.parametrize(
    "frame",
    [
        "no json",
        "[]",
        '{"type":"chat"}',
        '{"type":"hello"}',
        '{"type":"hello","visit":"b9a1f8d2-0c5e-4c37-8a55-3d7f6f1e2a10","last":-1}',
        '{"type":"hello","visit":"b9a1f8d2-0c5e-4c37-8a55-3d7f6f1e2a10","last":true}',
        HELLO.replace("null", "1" * 5000),
        b"\x00\x01",
    ],
)
def test_what_no_client_of_the_room_sends_closes_the_socket(servers, session, frame) -> None:
    assert code_of_closing(servers[0].port, session.pk, frame) == 4400


def test_a_token_is_taken_from_the_header_or_the_first_frame(servers, session) -> None:
    person = UserFactory()
    token = tokens_of(person)["access"]

    async def run() -> list[bool]:
        port = servers[0].port
        first = await entered(port, session.pk, token=token, origin=None)
        second = await entered(port, session.pk, hello={"token": token}, origin=None)
        return [viewer.frames[0]["me"]["is_signed_in"] for viewer in (first, second)]

    assert in_own_loop(run()) == [True, True]
    forged = HELLO.replace('"last"', '"token":"abc","last"')
    assert code_of_closing(servers[0].port, session.pk, forged) == 4401
    assert code_of_closing(servers[0].port, session.pk, HELLO, token="abc") == 4401


def test_anonymous_visitors_watch_and_do_not_write(servers, session) -> None:
    ChatMessageFactory(live_session=session, text="Welcome")

    async def run() -> tuple[dict[str, Any], dict[str, Any]]:
        viewer = await entered(servers[0].port, session.pk)
        return viewer.frames[0], await viewer.say("Let me in")

    first, answer = in_own_loop(run())

    assert set(first["state"]) == PARTS
    assert first["me"]["can_write"] is False
    assert [one["text"] for one in first["messages"]] == ["Welcome"]
    assert (answer["type"], answer["code"]) == ("refused", "not_signed_in")
    assert answer["detail"] == "Sign in to write."
    assert ChatMessage.objects.count() == 1


def test_what_changes_comes_alone_and_to_both_processes(servers, session) -> None:
    async def run() -> list[dict[str, Any]]:
        viewers = [await entered(server.port, session.pk) for server in servers]
        await sync_to_async(end_session)(
            session.pk, by=session.seller, cause="seller", moment=timezone.now()
        )
        for viewer in viewers:
            await viewer.until(lambda viewer=viewer: viewer.state["status"] == "ended")
        return [viewer.frames[-1] for viewer in viewers]

    for frame in in_own_loop(run()):
        assert frame["state"]["status"] == "ended"
        assert "showcase" not in frame["state"]


def test_the_same_key_is_one_message_and_everybody_gets_it_once(servers, session) -> None:
    writer, key = cookie_of(UserFactory()), uuid.uuid4()

    async def run() -> tuple[list[dict[str, Any]], list[list[int]]]:
        mine, others = [await entered(server.port, session.pk, cookie=writer) for server in servers]
        answers = [await mine.say("Hello", key), await mine.say("Hello", key)]
        # Sent again over another process, as after a lost connection.
        answers.append(await others.say("Hello", key))
        last = await mine.say("Goodbye")
        for viewer in (mine, others):
            await viewer.until(lambda viewer=viewer: last["id"] in viewer.said)
        return [*answers, last], [mine.said, others.said]

    answers, said = in_own_loop(run())

    assert [answer["type"] for answer in answers] == ["ack"] * 4
    first, last = answers[0]["id"], answers[3]["id"]
    assert [answer["id"] for answer in answers] == [first, first, first, last]
    assert said == [[first, last]] * 2


def test_who_comes_back_reads_on_without_gap_or_double(servers, session) -> None:
    writer = cookie_of(session.seller)

    async def run() -> tuple[list[int], list[int]]:
        speaker = await entered(servers[0].port, session.pk, cookie=writer)
        viewer = await entered(servers[1].port, session.pk)
        for place in range(30):
            await speaker.say(f"Line {place}")
            await viewer.read_for(0.01)
            if place % 6 == 5:
                await speaker.read_for(0.4)
                # The connection breaks wherever it is; the client knows what it has.
                viewer.socket.transport.abort()
                known = viewer.frames
                last = max(viewer.said, default=None)
                port = servers[place % 2].port
                viewer = await entered(port, session.pk, last=last or 0)
                viewer.frames = known + viewer.frames
        await viewer.until(lambda: len(viewer.said) >= 30)
        await viewer.read_for(0.3)
        return viewer.said, speaker.said

    said, all_said = in_own_loop(run())

    assert said == list(ChatMessage.objects.order_by("pk").values_list("pk", flat=True))
    assert all_said == said[: len(all_said)]


def test_who_was_away_for_long_gets_all_of_it(servers, session) -> None:
    ids = [ChatMessageFactory(live_session=session).pk for _ in range(450)]
    Room.objects.update_or_create(live_session=session, defaults={"last_message_id": ids[-1]})

    async def run() -> list[list[int]]:
        port = servers[0].port
        return [(await entered(port, session.pk, last=last)).said for last in (0, ids[9], ids[440])]

    assert in_own_loop(run()) == [ids, ids[10:], ids[441:]]


def test_a_ban_shows_out_within_a_second_in_both_processes(servers, session) -> None:
    async def run(person: User, cookie: str) -> tuple[list[int | None], float]:
        viewers = [await entered(server.port, session.pk, cookie=cookie) for server in servers]
        await sync_to_async(moderation.ban)(
            session=session, person=person, by=session.seller, moment=timezone.now()
        )
        began = time.monotonic()
        codes = [await viewer.closed_with() for viewer in viewers]
        return codes, time.monotonic() - began

    # A machine that others share may stand still for a moment: what is slow is slow each time.
    for person in UserFactory.create_batch(3):
        cookie = cookie_of(person)
        codes, seconds = in_own_loop(run(person, cookie))
        assert codes == [4403, 4403]
        if seconds < 1:
            break

    assert seconds < 1
    assert code_of_closing(servers[0].port, session.pk, HELLO, cookie=cookie) == 4403


def test_a_mute_and_its_end_are_told_to_the_one_it_concerns(servers, session) -> None:
    person = UserFactory()
    cookies = [cookie_of(person), cookie_of(UserFactory())]

    async def run() -> tuple[dict[str, Any], list[bool], list[dict[str, Any]]]:
        muted = await entered(servers[1].port, session.pk, cookie=cookies[0])
        other = await entered(servers[1].port, session.pk, cookie=cookies[1])
        restriction = await sync_to_async(moderation.mute)(
            session=session, person=person, by=session.seller, moment=timezone.now(), minutes=5
        )
        await muted.until(lambda: muted.frames[-1].get("me", {}).get("is_muted"))
        answer = await muted.say("May I?")
        await sync_to_async(moderation.lift)(
            restriction=restriction, by=session.seller, moment=timezone.now()
        )
        await muted.until(lambda: muted.frames[-1].get("me", {}).get("can_write"))
        await other.read_for(0.1)
        told = [frame["me"]["can_write"] for frame in muted.frames if "me" in frame]
        return answer, told, other.frames

    answer, told, others = in_own_loop(run())

    assert (answer["type"], answer["code"]) == ("refused", "muted")
    assert 0 < answer["retry_after"] <= 300
    assert told == [True, False, True]
    assert [frame for frame in others[1:] if "me" in frame] == []


def test_a_viewer_of_two_processes_is_counted_once(servers, session) -> None:
    person, other = UserFactory(), UserFactory()
    cookies = [cookie_of(person), cookie_of(other)]

    async def run() -> list[int]:
        one = await entered(servers[0].port, session.pk, cookie=cookies[0])
        same = await entered(servers[1].port, session.pk, cookie=cookies[0])
        second = await entered(servers[1].port, session.pk, cookie=cookies[1])
        visitor = await entered(servers[0].port, session.pk)
        await one.until(lambda: one.state["viewers"] == 3)
        await second.until(lambda: second.state["viewers"] == 3)
        await same.leave()
        await visitor.leave()
        await one.until(lambda: one.state["viewers"] == 2)
        await second.leave()
        await one.until(lambda: one.state["viewers"] == 1)
        return [frame["state"]["viewers"] for frame in one.frames if "viewers" in frame["state"]]

    counted = in_own_loop(run())

    assert max(counted) == 3
    eventually(
        lambda: Room.objects.filter(pk=session.pk, peak_viewers=3).exists(),
        what="the most viewers at once are kept",
    )


def test_heartbeats_and_likes_become_a_stay_with_what_really_passed(servers, session) -> None:
    person, visit = UserFactory(), uuid.uuid4()
    cookie = cookie_of(person)

    async def run() -> None:
        viewer = await entered(servers[0].port, session.pk, cookie=cookie, visit=visit)
        # Twice, late, and forged: nobody has watched for an hour in half a second.
        for seconds in (1, 1, 0, 3600):
            await viewer.send(type="beat", seconds=seconds)
        await viewer.send(type="like", n=3)
        await viewer.until(lambda: viewer.state["likes"] == 3)
        await viewer.leave()
        # The line broke: the stay goes on in another process.
        again = await entered(servers[1].port, session.pk, cookie=cookie, visit=visit)
        await again.send(type="beat", seconds=2)
        await again.send(type="like", n=2)
        await again.until(lambda: again.state["likes"] == 5)
        await again.leave()

    in_own_loop(run())
    eventually(lambda: Visit.objects.filter(n_likes=5).exists(), what="the stay of both is one row")

    stay = Visit.objects.get()
    passed = (stay.last_seen_at - stay.joined_at).total_seconds()
    assert (stay.user, stay.source, stay.live_session) == (person, "home", session)
    assert 1 <= stay.watched_seconds <= passed + 3
    assert Room.objects.get(pk=session.pk).n_likes == 5


def test_after_a_crash_viewers_come_back_and_are_counted_right(
    servers, session, tmp_path_factory
) -> None:
    async def run(lost: Server) -> list[int]:
        stays = await entered(servers[0].port, session.pk)
        crashing = [await entered(lost.port, session.pk) for _ in range(5)]
        await stays.until(lambda: stays.state["viewers"] == 6)
        lost.process.kill()
        codes = [await viewer.closed_with() for viewer in crashing]
        # Two of the five never come back.
        for _ in codes[:3]:
            await entered(servers[1].port, session.pk)
        began = time.monotonic()
        await stays.until(lambda: stays.state["viewers"] == 4)
        return [round(time.monotonic() - began)]

    with served(tmp_path_factory.mktemp("crash"), n=1) as (lost,):
        (seconds,) = in_own_loop(run(lost))

    assert seconds <= 2 * PRESENCE_SECONDS
