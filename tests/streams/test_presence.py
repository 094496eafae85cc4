"""Who is in a room, over the processes that hold its viewers."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from streams import presence
from streams.models import LiveSession, Room, RoomMinute, RoomPresence
from tests.factories import LiveSessionFactory

pytestmark = [pytest.mark.django_db, pytest.mark.mariadb]

NOW = timezone.now()
ONE, OTHER = uuid.UUID(int=1), uuid.UUID(int=2)


@pytest.fixture
def session() -> LiveSession:
    return LiveSessionFactory(live=True)


def people(session: LiveSession, *user_ids: int) -> list[bytes]:
    return [
        presence.viewer_hash(session_id=session.pk, user_id=pk, visitor_id=uuid.UUID(int=0))
        for pk in user_ids
    ]


def test_who_is_in_two_processes_counts_once(session) -> None:
    presence.say_present(ONE, {session.pk: people(session, 1, 2, 2)}, moment=NOW)
    presence.say_present(OTHER, {session.pk: people(session, 2, 3)}, moment=NOW)

    assert presence.viewers_now(session.pk, moment=NOW) == 3


def test_what_a_process_said_last_takes_the_place_of_what_it_said_before(session) -> None:
    presence.say_present(ONE, {session.pk: people(session, 1, 2)}, moment=NOW)
    presence.say_present(ONE, {session.pk: people(session, 3)}, moment=NOW)

    assert presence.viewers_now(session.pk, moment=NOW) == 1
    presence.say_present(ONE, {}, moment=NOW)
    assert not RoomPresence.objects.exists()


def test_the_word_of_a_process_that_is_gone_counts_for_half_a_minute(session) -> None:
    presence.say_present(ONE, {session.pk: people(session, 1)}, moment=NOW)

    assert presence.viewers_now(session.pk, moment=NOW + timedelta(seconds=29)) == 1
    assert presence.viewers_now(session.pk, moment=NOW + timedelta(seconds=30)) == 0
    assert presence.forget_gone(moment=NOW + timedelta(minutes=11)) == 1


def test_a_hash_tells_neither_the_person_nor_the_same_person_in_two_rooms(session) -> None:
    other = LiveSessionFactory(live=True)

    assert people(session, 7) != people(other, 7)
    assert len(people(session, 7)[0]) == presence.HASH_BYTES


def test_any_number_of_rooms_is_said_in_a_few_statements(
    session, django_assert_max_num_queries
) -> None:
    rooms = [session, *LiveSessionFactory.create_batch(9, live=True)]
    held = {room.pk: people(room, *range(100)) for room in rooms}

    with django_assert_max_num_queries(6):
        presence.say_present(ONE, held, moment=NOW)

    counted = presence.count_viewers(list(held), moment=NOW)
    assert set(counted.values()) == {100}
    assert presence.held_by_processes(moment=NOW) == (1, 1000)


def test_a_minute_keeps_the_most_viewers_and_all_likes(session) -> None:
    for n_viewers, n_likes in ((5, 3), (9, 4), (2, 1)):
        presence.note_minute(session.pk, minute=NOW, n_viewers=n_viewers, n_likes=n_likes)

    minute = RoomMinute.objects.get()
    assert (minute.n_viewers, minute.n_likes) == (9, 8)
    assert minute.minute == NOW.replace(second=0, microsecond=0)


def test_the_largest_number_present_at_once_is_kept(session) -> None:
    Room.objects.create(live_session=session)
    for n in (5, 9, 2):
        presence.note_peak(session.pk, n)

    assert Room.objects.get().peak_viewers == 9


def test_of_a_session_that_is_gone_nothing_is_counted() -> None:
    presence.say_present(ONE, {999_999: [b"12345678"]}, moment=NOW)
    presence.add_likes(999_999, 3)
    presence.note_minute(999_999, minute=NOW, n_viewers=1, n_likes=1)

    assert not RoomPresence.objects.exists()
    assert not Room.objects.exists()
    assert not RoomMinute.objects.exists()
