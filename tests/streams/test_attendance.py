"""Stays in live rooms: exact, whatever comes twice, late, from two processes or made up."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import User
from streams.attendance import Stay, stay_of, store_stays
from streams.models import LiveSession, Visit
from tests.factories import LiveSessionFactory, UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.mariadb]

NOW = timezone.now().replace(microsecond=0)
KEY = uuid.UUID("b9a1f8d2-0c5e-4c37-8a55-3d7f6f1e2a10")
VISITOR = uuid.UUID(int=7)


@pytest.fixture
def session() -> LiveSession:
    return LiveSessionFactory(live=True)


def stay(
    session: LiveSession, user: User | None = None, *, began: int = 600, key: uuid.UUID = KEY
) -> Stay:
    """A stay that began so many seconds ago."""
    return stay_of(
        client_key=key,
        session_id=session.pk,
        user=user,
        visitor_id=VISITOR,
        source="home",
        moment=NOW - timedelta(seconds=began),
    )


def told(one: Stay, seconds: float, *, ago: int = 0) -> Stay:
    one.tell(seconds, moment=NOW - timedelta(seconds=ago))
    return one


def test_heartbeats_that_come_twice_or_late_change_nothing(session) -> None:
    one = stay(session)
    for seconds in (15, 30, 30, 15, 45, 0):
        store_stays([told(replace(one), seconds)])

    assert Visit.objects.get().watched_seconds == 45


def test_nobody_watches_for_longer_than_the_stay_has_lasted(session) -> None:
    store_stays([told(stay(session, began=60), 86_400)])

    assert Visit.objects.get().watched_seconds == pytest.approx(60, abs=3)


def test_a_process_that_takes_a_stay_over_knows_from_the_row_when_it_began(session) -> None:
    store_stays([told(stay(session, began=600), 300, ago=290)])
    # The line broke; another process sees the viewer come a moment ago.
    store_stays([told(stay(session, began=5), 580)])

    row = Visit.objects.get()
    assert row.watched_seconds == 580
    assert row.joined_at == NOW - timedelta(seconds=600)
    assert row.last_seen_at == NOW


def test_what_is_watched_counts_from_the_start_to_the_end_of_the_session(session) -> None:
    started, ended = NOW - timedelta(seconds=500), NOW - timedelta(seconds=100)
    LiveSession.objects.filter(pk=session.pk).update(
        status="ended", started_at=started, ended_at=ended
    )

    # A last heartbeat that arrives after the end.
    store_stays([told(stay(session, began=600), 600)])

    row = Visit.objects.get()
    assert row.watched_seconds == pytest.approx(400, abs=3)
    assert row.last_seen_at == ended


def test_who_comes_after_the_end_has_no_stay(session) -> None:
    ended = NOW - timedelta(seconds=100)
    LiveSession.objects.filter(pk=session.pk).update(status="ended", ended_at=ended)

    store_stays([told(stay(session, began=50), 50)])

    assert not Visit.objects.exists()


def test_likes_of_several_processes_add_up(session) -> None:
    for n in (3, 4):
        store_stays([replace(stay(session), n_likes=n)])

    assert Visit.objects.get().n_likes == 7


def test_a_key_that_somebody_learned_opens_nobody_elses_stay(session) -> None:
    mine, others = UserFactory(), UserFactory()
    store_stays([told(stay(session, mine), 100)])

    store_stays([told(stay(session, others), 500)])

    assert Visit.objects.get(user=mine).watched_seconds == 100
    assert Visit.objects.get(user=others).watched_seconds == 500


def test_one_key_in_two_rooms_is_two_stays(session) -> None:
    person = UserFactory()
    other = LiveSessionFactory(live=True)

    store_stays([stay(session, person), stay(other, person)])

    assert Visit.objects.count() == 2


def test_of_who_refuses_personalisation_a_stay_is_counted_and_not_linked(session) -> None:
    person = UserFactory(is_personalised=False)
    other = LiveSessionFactory(live=True)

    store_stays([told(stay(session, person), 60), stay(other, person)])

    here, there = Visit.objects.order_by("pk")
    assert (here.user, there.user) == (None, None)
    # Not even two sessions can be told to be of the same person.
    assert here.visitor_id != there.visitor_id
    assert VISITOR not in (here.visitor_id, there.visitor_id)


def test_nothing_is_written_behind_an_erasure(session) -> None:
    person = UserFactory()
    one = told(stay(session, person), 60)
    store_stays([one])
    Visit.objects.filter(user=person).delete()
    User.objects.filter(pk=person.pk).update(is_active=False)

    store_stays([told(one, 75)])

    assert not Visit.objects.exists()


def test_a_thousand_stays_are_some_statements(session, django_assert_max_num_queries) -> None:
    people = [stay(session, key=uuid.UUID(int=n)) for n in range(1, 1001)]
    store_stays(people)

    # SQLite takes fewer rows in one statement than MariaDB does.
    with django_assert_max_num_queries(60):
        store_stays([told(one, 30) for one in people])

    assert Visit.objects.filter(watched_seconds=30).count() == 1000


def test_of_a_session_that_is_gone_nothing_is_stored(session) -> None:
    one = told(stay(session), 10)
    session.delete()
    other = told(stay(LiveSessionFactory(live=True)), 10)

    store_stays([one, other])

    assert Visit.objects.count() == 1
