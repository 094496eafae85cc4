"""The life of a live session: every change that is allowed, every other one, and who made it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import translation

from accounts.models import User
from streams.models import (
    ChangeCause,
    LiveSession,
    PinnedSpan,
    Room,
    SessionChange,
    SessionStatus,
)
from streams.session_life import (
    CannotEnd,
    CannotStart,
    ChangeNotAllowed,
    announce_sessions,
    end_session,
    publish_replay,
    start_session,
    take_back_sessions,
    withdraw_replay,
)
from tests.factories import LiveSessionFactory, ShowcaseItemFactory, UserFactory

NOW = datetime(2026, 6, 10, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)

# What each call makes of a session, by the status that it finds; everything else is refused.
CHANGES: dict[Callable[..., Any], dict[str, str]] = {
    start_session: {"draft": "live", "scheduled": "live"},
    end_session: {"live": "ended"},
    publish_replay: {"ended": "replay"},
    withdraw_replay: {"replay": "ended"},
}
IN_BULK: dict[Callable[..., int], dict[str, str]] = {
    announce_sessions: {"draft": "scheduled"},
    take_back_sessions: {"scheduled": "draft"},
}


def session_in(status: str) -> LiveSession:
    """A session that could be announced, if it were a draft."""
    begun = {"started_at": NOW - HOUR} if status in ("live", "ended", "replay") else {}
    over = {"ended_at": NOW - HOUR / 2} if status in ("ended", "replay") else {}
    session = LiveSessionFactory(
        title="Knots", status=status, scheduled_at=NOW + HOUR, **begun, **over
    )
    ShowcaseItemFactory(live_session=session)
    return session


def as_stored(session: LiveSession) -> dict[str, Any]:
    return LiveSession.objects.filter(pk=session.pk).values().get()


@pytest.mark.mariadb
@pytest.mark.django_db
@pytest.mark.parametrize("status", SessionStatus.values)
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_it_makes_the_allowed_changes_and_no_other(change: Any, status: str) -> None:
    session, person = session_in(status), UserFactory()
    before = as_stored(session)
    after = CHANGES[change].get(status)

    if after is None:
        refused = pytest.raises(ChangeNotAllowed, match="“Knots” .*: it is " + status)
        with translation.override("en"), refused:
            change(session.pk, by=person, cause=ChangeCause.SELLER, moment=NOW)
        assert as_stored(session) == before
        assert not SessionChange.objects.exists()
        assert not Room.objects.exists()
    else:
        made = change(session.pk, by=person, cause=ChangeCause.STREAM, moment=NOW)
        assert as_stored(session)["status"] == after
        assert SessionChange.objects.get() == made
        assert (made.live_session, made.before, made.after) == (session, status, after)
        assert (made.changed_by, made.cause, made.changed_at) == (person, "stream", NOW)
        assert Room.objects.get(pk=session.pk).version == 1


@pytest.mark.mariadb
@pytest.mark.django_db
@pytest.mark.parametrize("status", SessionStatus.values)
@pytest.mark.parametrize("change", IN_BULK, ids=lambda change: change.__name__)
def test_it_announces_drafts_and_takes_back_what_is_scheduled_alone(
    change: Any, status: str
) -> None:
    session = session_in(status)
    after = IN_BULK[change].get(status)

    assert change([session], by=session.seller, moment=NOW) == (after is not None)

    assert as_stored(session)["status"] == (after or status)
    recorded = SessionChange.objects.values_list(
        "before", "after", "cause", "changed_by", "changed_at"
    )
    made = [(status, after, "seller", session.seller_id, NOW)] if after else []
    assert list(recorded) == made
    assert Room.objects.filter(pk=session.pk, version=1).exists() == (after is not None)


@pytest.mark.django_db
def test_what_is_refused_for_one_session_is_recorded_for_none() -> None:
    ready, unready = session_in("draft"), LiveSessionFactory(draft=True)
    with pytest.raises(ChangeNotAllowed):
        announce_sessions([ready, unready], by=ready.seller, moment=NOW)
    assert not SessionChange.objects.exists()
    assert not Room.objects.exists()


@pytest.mark.django_db
def test_starting_says_since_when_it_is_on_air() -> None:
    session = session_in("scheduled")
    start_session(session.pk, by=None, cause=ChangeCause.STREAM, moment=NOW)
    stored = as_stored(session)
    assert (stored["started_at"], stored["ended_at"]) == (NOW, None)
    assert stored["scheduled_at"] == NOW + HOUR


@pytest.mark.django_db
def test_a_spontaneous_session_needs_neither_a_time_nor_a_showcase() -> None:
    draft = LiveSessionFactory(draft=True)
    start_session(draft.pk, by=draft.seller, cause=ChangeCause.SELLER, moment=NOW)
    assert as_stored(draft)["status"] == "live"


@pytest.mark.mariadb
@pytest.mark.django_db
@pytest.mark.parametrize("late", [HOUR, -2 * HOUR], ids=["later", "by a clock that is behind"])
def test_ending_unpins_and_ends_no_earlier_than_it_began(late: timedelta) -> None:
    session = session_in("live")
    item = session.showcase.get()
    LiveSession.objects.filter(pk=session.pk).update(pinned=item)
    over = PinnedSpan.objects.create(
        live_session=session, course=item.course, pinned_at=NOW - HOUR, unpinned_at=NOW
    )
    pinned = PinnedSpan.objects.create(
        live_session=session, course=item.course, pinned_at=NOW - HOUR / 2
    )
    elsewhere = PinnedSpan.objects.create(
        live_session=session_in("live"), course=item.course, pinned_at=NOW
    )

    end_session(session.pk, by=None, cause=ChangeCause.CLOCK, moment=NOW + late)

    stored = as_stored(session)
    assert stored["ended_at"] == max(NOW - HOUR, NOW + late)
    assert stored["pinned_id"] is None
    for span in (over, pinned, elsewhere):
        span.refresh_from_db()
    assert pinned.unpinned_at == max(NOW - HOUR / 2, NOW + late)
    assert (over.unpinned_at, elsewhere.unpinned_at) == (NOW, None)


@pytest.mark.django_db
def test_a_replay_comes_and_goes_and_leaves_the_times_as_they_were() -> None:
    session = session_in("ended")
    before = as_stored(session)
    publish_replay(session.pk, by=None, cause=ChangeCause.STREAM, moment=NOW)
    withdraw_replay(session.pk, by=session.seller, cause=ChangeCause.SELLER, moment=NOW + HOUR)
    assert as_stored(session) == before
    assert list(SessionChange.objects.values_list("before", "after")) == [
        ("ended", "replay"),
        ("replay", "ended"),
    ]


@pytest.mark.django_db
def test_it_says_in_words_why_a_change_is_refused() -> None:
    ended, scheduled = session_in("ended"), session_in("scheduled")
    with translation.override("en"):
        with pytest.raises(CannotStart) as refused:
            start_session(ended.pk, by=None, cause=ChangeCause.STREAM, moment=NOW)
        assert str(refused.value) == "“Knots” cannot go live: it is ended."
        with pytest.raises(CannotEnd) as refused:
            end_session(scheduled.pk, by=None, cause=ChangeCause.CLOCK, moment=NOW)
        assert str(refused.value) == "“Knots” cannot be ended: it is scheduled."


@pytest.mark.mariadb
@pytest.mark.django_db
def test_what_does_not_exist_cannot_be_changed() -> None:
    with pytest.raises(LiveSession.DoesNotExist):
        start_session(987654321, by=None, cause=ChangeCause.SELLER, moment=NOW)


@pytest.mark.django_db
def test_the_record_outlives_the_person_who_made_the_change() -> None:
    session, person = session_in("scheduled"), UserFactory()
    start_session(session.pk, by=person, cause=ChangeCause.SELLER, moment=NOW)
    User.objects.get(pk=person.pk).delete()
    assert SessionChange.objects.get().changed_by is None


@pytest.mark.mariadb(only=True)
@pytest.mark.django_db(transaction=True)
def test_of_eight_who_start_a_session_at_once_one_does() -> None:
    for _ in range(4):
        session = LiveSessionFactory(scheduled_at=NOW)
        barrier = threading.Barrier(8)
        outcomes: list[object] = []

        def start(
            pk: int = session.pk,
            barrier: threading.Barrier = barrier,
            outcomes: list[object] = outcomes,
        ) -> None:
            try:
                barrier.wait(timeout=20)
                outcomes.append(start_session(pk, by=None, cause=ChangeCause.STREAM, moment=NOW))
            except BaseException as error:  # noqa: BLE001 handed to the test as it is
                outcomes.append(error)
            finally:
                connection.close()

        threads = [threading.Thread(target=start) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=60)

        kinds = sorted(type(outcome).__name__ for outcome in outcomes)
        assert kinds == ["CannotStart"] * 7 + ["SessionChange"]
        assert session.changes.count() == 1
        assert Room.objects.get(pk=session.pk).version == 1
