"""Stays in rooms become events, once, and figures without counting anything twice."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta

import pytest

from analytics.models import Event, EventKind, SessionFigures, Task
from analytics.pipelines.figures import refresh_figures
from analytics.visits import SILENT_FOR, record_visits
from streams.attendance import unlinked_visitor
from streams.models import LiveSession, Room, SessionStatus
from tests.analytics.rooms import NOW, at, bought, came, did, live_room
from tests.factories import ChatMessageFactory, CourseFactory, ModelRunFactory, UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.mariadb]

# Late enough that every visit of these tests is over.
OVER = NOW + SILENT_FOR + timedelta(minutes=1)


@pytest.fixture
def session() -> LiveSession:
    return live_room()


def events(kind: EventKind) -> list[Event]:
    return list(Event.objects.filter(kind=kind).order_by("pk"))


def figures_of(session: LiveSession) -> SessionFigures:
    return SessionFigures.objects.get(pk=session.pk)


def test_a_finished_visit_is_one_watch_event_under_its_key(session: LiveSession) -> None:
    visit = came(session, UserFactory(), minute=2, watched=75)

    record_visits(since=None, now=OVER)
    record_visits(since=None, now=OVER)

    (event,) = events(EventKind.WATCH)
    assert (event.uuid, event.user, event.value) == (visit.key, visit.user, 75)
    assert (event.live_session, event.occurred_at) == (session, visit.last_seen_at)


def test_an_anonymous_visit_is_none_since_it_may_be_of_somebody_who_refuses(
    session: LiveSession,
) -> None:
    came(session, watched=30, n_likes=2)
    record_visits(since=None, now=OVER)
    assert Event.objects.count() == 0


def test_a_visit_that_goes_on_is_not_yet_one(session: LiveSession) -> None:
    came(session, UserFactory(), minute=9)
    record_visits(since=None, now=NOW)
    assert Event.objects.count() == 0


def test_the_end_of_the_session_ends_its_visits(session: LiveSession) -> None:
    came(session, UserFactory(), minute=1, last_seen_at=at(45))
    session.status, session.ended_at = SessionStatus.ENDED, at(5)
    session.save()
    record_visits(since=None, now=at(6) + SILENT_FOR)
    assert len(events(EventKind.WATCH)) == 1


def test_a_visit_that_went_on_after_all_raises_its_event(session: LiveSession) -> None:
    visit = came(session, UserFactory(), watched=60)
    record_visits(since=None, now=OVER)
    visit.watched_seconds, visit.last_seen_at = 200, OVER
    visit.save()

    record_visits(since=OVER, now=OVER + SILENT_FOR + timedelta(minutes=1))

    (event,) = events(EventKind.WATCH)
    assert (event.value, event.occurred_at) == (200, OVER)


def test_an_event_of_somebody_else_under_the_same_key_is_left_alone(session: LiveSession) -> None:
    visit = came(session, UserFactory(), watched=60)
    other = did(session, EventKind.WATCH, user=UserFactory(), value=5)
    Event.objects.filter(pk=other.pk).update(uuid=visit.key)

    record_visits(since=None, now=OVER)

    (event,) = events(EventKind.WATCH)
    assert (event.user, event.value) == (other.user, 5)


def test_of_who_refuses_personalisation_there_is_none(session: LiveSession) -> None:
    person = UserFactory(is_personalised=False)
    came(session, person, n_likes=3)
    ChatMessageFactory(live_session=session, author=person, key=uuid.uuid4(), sent_at=at(1))

    record_visits(since=None, now=OVER)

    assert Event.objects.count() == 0


def test_a_refusal_between_the_look_and_the_insert_is_heard(
    session: LiveSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given that somebody refuses while their visit is on its way to becoming an event."""
    from analytics import room_frames

    person = UserFactory()
    came(session, person)
    read = room_frames.finished_stays

    def refused_meanwhile(**when: object) -> list:
        stays = list(read(**when))
        person.is_personalised = False
        person.save()
        return stays

    monkeypatch.setattr(room_frames, "finished_stays", refused_meanwhile)
    record_visits(since=None, now=OVER)

    assert Event.objects.count() == 0


def test_likes_and_chat_become_events_once(session: LiveSession) -> None:
    person = UserFactory()
    came(session, person, watched=0, last_seen_at=at(2), n_likes=12)
    written = {"live_session": session, "author": person, "sent_at": at(3)}
    ChatMessageFactory(key=uuid.uuid4(), **written)
    ChatMessageFactory(key=uuid.uuid4(), hidden_at=at(4), **written)
    ChatMessageFactory(key=None, **written)

    for _ in range(2):
        record_visits(since=None, now=OVER)

    (like,) = events(EventKind.LIKE)
    (chat,) = events(EventKind.CHAT)
    assert (like.user, like.value) == (person, 12)
    assert (chat.user, chat.live_session, chat.occurred_at) == (person, session, at(3))
    assert events(EventKind.WATCH) == []


def test_two_processes_at_once_add_each_event_once(
    transactional_db: None, in_parallel: Callable
) -> None:
    session = live_room()
    for _ in range(30):
        came(session, UserFactory(), n_likes=1)

    raised = in_parallel(lambda: record_visits(since=None, now=OVER), n_workers=2)

    # SQLite lets one write at a time and may refuse the other, which comes again by the clock.
    if any(raised):
        record_visits(since=None, now=OVER)
    assert len(events(EventKind.WATCH)) == len(events(EventKind.LIKE)) == 30


def test_the_figures_are_those_of_visits_and_events_together(session: LiveSession) -> None:
    person, by_app = UserFactory.create_batch(2)
    came(session, person, watched=100)
    came(session, person, minute=5, watched=50)
    came(session, watched=30)
    did(session, EventKind.WATCH, user=person, value=120)
    did(session, EventKind.WATCH, user=by_app, value=20)
    did(session, EventKind.VIEW, user=by_app)
    did(session, EventKind.WATCH, value=600)
    Room.objects.create(live_session=session, peak_viewers=9)

    for _ in range(2):
        refresh_figures(now=OVER)

    figures = figures_of(session)
    assert (figures.n_viewers, figures.n_views) == (3, 4)
    assert figures.watched_seconds == 150 + 30 + 20
    assert figures.peak_viewers == 9
    assert len(events(EventKind.WATCH)) == 3 + 2


def test_a_buyer_whose_stay_is_not_linked_to_them_is_one_viewer(session: LiveSession) -> None:
    person = UserFactory(is_personalised=False)
    came(session, visitor=unlinked_visitor(session_id=session.pk, user_id=person.pk))
    bought(session, person, CourseFactory(seller=session.seller))
    refresh_figures(now=OVER)
    assert figures_of(session).conversion.percent == "100.0%"
    assert figures_of(session).n_viewers == 1


def test_a_peak_that_no_room_counted_stays_as_it_was(session: LiveSession) -> None:
    SessionFigures.objects.create(live_session=session, peak_viewers=55)
    refresh_figures(now=NOW)
    assert figures_of(session).peak_viewers == 55


def test_a_late_visit_of_an_old_replay_is_counted(session: LiveSession) -> None:
    session.status, session.ended_at = SessionStatus.REPLAY, at(10)
    session.save()
    much_later = NOW + timedelta(days=100)
    ModelRunFactory(task=Task.FIGURES, window_end=much_later - timedelta(minutes=10))
    came(session, UserFactory(), joined_at=much_later, last_seen_at=much_later)

    refresh_figures(now=much_later)

    assert figures_of(session).n_viewers == 1
