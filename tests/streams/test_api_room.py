"""The live room for clients without sockets."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts.models import User
from streams.models import LiveSession, Room, RoomPresence, Visit
from streams.polled_rooms import forget_polled_rooms, polled_rooms, store_polled_rooms
from streams.room_changes import touch_room
from tests.factories import (
    ChatMessageFactory,
    LiveSessionFactory,
    OrderAttributionFactory,
    OrderFactory,
    PurchaseFactory,
    RestrictionFactory,
    ShowcaseItemFactory,
    UserFactory,
    VisitFactory,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def session() -> LiveSession:
    return LiveSessionFactory(live=True)


def client_of(person: User | None = None) -> APIClient:
    client = APIClient(headers={"Accept-Language": "en"})
    if person:
        client.force_authenticate(person)
    return client


def address(session: LiveSession, rest: str = "room/") -> str:
    return f"/api/v1/live-sessions/{session.pk}/{rest}"


def beat(
    session: LiveSession, client: APIClient, seconds: int, key: uuid.UUID | None = None
) -> int:
    body = {"visit": str(key or uuid.uuid4()), "seconds": seconds, "source": "share"}
    return client.post(address(session, "beats/"), body).status_code


def told(session: LiveSession, client: APIClient | None = None, **query: Any) -> dict[str, Any]:
    return (client or client_of()).get(address(session), query).json()


def test_the_page_of_a_live_session_makes_an_anonymous_viewer_known(session, client) -> None:
    page = f"/live/{session.pk}/"

    known = client.get(page).cookies["visitor"].value

    assert uuid.UUID(known)
    assert "visitor" not in client.get(page).cookies
    client.force_login(UserFactory())
    del client.cookies["visitor"]
    assert "visitor" not in client.get(page).cookies
    # Elsewhere nobody is watched, and nobody need be known.
    client.logout()
    assert "visitor" not in client.get(f"/live/{LiveSessionFactory().pk}/").cookies


@pytest.mark.mariadb
def test_it_tells_what_a_socket_tells(session) -> None:
    item = ShowcaseItemFactory(live_session=session, course__seller=session.seller)
    line = ChatMessageFactory(live_session=session, text="Hello")

    room = told(session, client_of(line.author))

    assert room["type"] == "room"
    assert room["state"]["status"] == "live"
    assert room["state"]["viewers"] == 1
    (shown,) = room["state"]["showcase"]
    assert (shown["item"], shown["course"], shown["price"]) == (item.pk, item.course_id, "100.00")
    assert [one["text"] for one in room["messages"]] == ["Hello"]
    assert room["me"]["tag"] == room["messages"][0]["tag"]
    assert room["me"]["can_write"] is True


def test_it_reads_on_from_the_last_message(session) -> None:
    ids = [ChatMessageFactory(live_session=session).pk for _ in range(3)]

    assert [one["id"] for one in told(session, after=ids[0])["messages"]] == ids[1:]
    assert told(session, after=ids[2])["messages"] == []


def test_a_change_of_the_room_is_told_at_once(session) -> None:
    assert told(session)["state"]["showcase"] == []
    ShowcaseItemFactory(live_session=session, course__seller=session.seller)

    touch_room(session.pk)

    assert len(told(session)["state"]["showcase"]) == 1


def test_many_who_ask_share_what_the_room_shows(session, django_assert_max_num_queries) -> None:
    told(session)

    with django_assert_max_num_queries(6):
        told(session)


def test_a_buyer_is_shown_with_a_covered_name(session) -> None:
    buyer = UserFactory(display_name="Zhang")
    order = OrderFactory(buyer=buyer, paid_at=session.started_at)
    line = PurchaseFactory(order=order)
    OrderAttributionFactory(order=order, live_session=session)

    (bought,) = told(session)["state"]["bought"]

    assert (bought["name"], bought["course"]) == ("Z**", line.course_id)


def test_who_asks_is_present_and_a_browser_is_known_again(session) -> None:
    browser, other = client_of(), client_of()

    for client in (browser, browser, other):
        told(session, client)
    polled_rooms().store(moment=session.started_at, is_last=False)

    assert "visitor" in browser.cookies
    row = RoomPresence.objects.get()
    assert len(row.viewers) == 8
    # The others' words of that second are stored with the next turn.
    assert len(polled_rooms()._asking[session.pk]) == 2


def test_a_banned_person_is_refused_and_a_muted_one_told(session) -> None:
    banned, muted = UserFactory(), UserFactory()
    RestrictionFactory(user=banned, live_session=session, seller=session.seller, kind="ban")
    RestrictionFactory(user=muted, live_session=session, seller=session.seller, kind="mute")

    refused = client_of(banned).get(address(session))
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (403, "banned")
    me = told(session, client_of(muted))["me"]
    assert (me["can_write"], me["is_muted"]) == (False, True)


def test_likes_of_many_requests_are_few_writes_and_none_is_lost(
    session, django_assert_max_num_queries
) -> None:
    Room.objects.create(live_session=session)
    clients = [client_of() for _ in range(30)]

    with django_assert_max_num_queries(30 * 2 + 20):
        for client in clients:
            assert client.post(address(session, "likes/"), {"n": 3}).status_code == 204
    store_polled_rooms()

    assert Room.objects.get().n_likes == 90


def test_likes_of_one_viewer_come_no_faster_than_a_hand(session) -> None:
    Room.objects.create(live_session=session)
    client = client_of(UserFactory())

    for _ in range(5):
        client.post(address(session, "likes/"), {"n": 50})
    store_polled_rooms()

    assert 1 <= Room.objects.get().n_likes <= 40


def test_there_is_nothing_to_like_when_nobody_is_on_air() -> None:
    scheduled = LiveSessionFactory()

    assert client_of().post(address(scheduled, "likes/"), {"n": 1}).status_code == 409
    assert beat(scheduled, client_of(), 15) == 409


def test_heartbeats_become_a_stay_that_a_forged_one_does_not_lengthen(session) -> None:
    person, key = UserFactory(), uuid.uuid4()
    client = client_of(person)

    for seconds in (0, 86_400, 15):
        assert beat(session, client, seconds, key) == 204
    store_polled_rooms()

    stay = Visit.objects.get()
    assert (stay.user, stay.source) == (person, "share")
    assert stay.watched_seconds <= 5


def test_the_host_is_neither_present_nor_staying(session) -> None:
    host = client_of(session.seller)

    told(session, host)
    assert beat(session, host, 30) == 204

    assert session.pk not in polled_rooms()._asking
    store_polled_rooms()
    assert not Visit.objects.exists()


@pytest.mark.parametrize(
    "body",
    [
        {"visit": "x", "seconds": 1},
        {"visit": str(uuid.UUID(int=1)), "seconds": -1},
        {"visit": str(uuid.UUID(int=1)), "seconds": 86_401},
        {"visit": str(uuid.UUID(int=1)), "seconds": 1, "source": "nowhere"},
        {"seconds": 1},
    ],
)
def test_a_heartbeat_of_another_shape_is_refused(session, body) -> None:
    assert client_of().post(address(session, "beats/"), body).status_code == 400


def test_ones_stays_are_handed_out_and_erased(session) -> None:
    from streams.personal_data import erase_viewer, export_viewer

    person = UserFactory()
    VisitFactory(user=person, live_session=session, watched_seconds=77)
    VisitFactory(live_session=session)

    (shown,) = export_viewer(person)["visits"]
    erase_viewer(person)

    assert (shown["live_session_id"], shown["watched_seconds"]) == (session.pk, 77)
    assert Visit.objects.count() == 1
    forget_polled_rooms()
