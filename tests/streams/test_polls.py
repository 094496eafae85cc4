"""Polls: one at a time, one vote each that stands, and counts that are exact."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier, Event

import pytest
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import User
from streams.models import LiveSession, Poll, PollVote, Restriction, Room
from streams.polls import (
    AlreadyVoted,
    NotAPoll,
    PollAlreadyOpen,
    PollClosed,
    UnknownOption,
    close_poll,
    open_poll,
    poll_part,
    vote,
    vote_of,
)
from streams.room_changes import room_of
from streams.taking_part import Banned, NotLive
from tests.factories import (
    LONG_AGO,
    LiveSessionFactory,
    OperatorFactory,
    PollOptionFactory,
    SellerFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db
NOW = LONG_AGO
QUESTION = {"question": "Tea or coffee?", "options": ["Tea", "Coffee"]}


def asked(**session: object) -> Poll:
    """An open poll with two answers in a live session."""
    live = LiveSessionFactory(live=True, **session)
    return open_poll(live.pk, **QUESTION, moment=NOW)


def options(poll: Poll) -> list[int]:
    return list(poll.options.order_by("position").values_list("pk", flat=True))


@pytest.mark.mariadb
def test_the_room_shows_the_newest_poll_with_its_counts() -> None:
    poll = asked()
    tea, coffee = options(poll)
    for option in (tea, coffee, coffee):
        vote(poll.pk, option, voter=UserFactory(), moment=NOW)

    assert poll_part(poll.live_session_id) == {
        "id": poll.pk,
        "question": "Tea or coffee?",
        "options": [
            {"id": tea, "text": "Tea", "n_votes": 1},
            {"id": coffee, "text": "Coffee", "n_votes": 2},
        ],
        "n_votes": 3,
        "is_open": True,
    }
    assert close_poll(poll.pk, moment=NOW)
    assert poll_part(poll.live_session_id)["is_open"] is False
    later = open_poll(poll.live_session_id, **QUESTION, moment=NOW)
    assert poll_part(poll.live_session_id)["id"] == later.pk


def test_a_session_without_polls_shows_none() -> None:
    session = LiveSessionFactory(live=True)

    assert poll_part(session.pk) is None
    assert vote_of(UserFactory(), session.pk) is None


def test_opening_and_closing_touch_the_room_and_votes_do_not() -> None:
    poll = asked()
    version = Room.objects.get(pk=poll.live_session_id).version

    vote(poll.pk, options(poll)[0], voter=UserFactory(), moment=NOW)
    assert Room.objects.get(pk=poll.live_session_id).version == version
    close_poll(poll.pk, moment=NOW)
    close_poll(poll.pk, moment=NOW)

    assert Room.objects.get(pk=poll.live_session_id).version == version + 1


def test_one_poll_of_a_session_is_open_at_a_time() -> None:
    poll = asked()

    with pytest.raises(PollAlreadyOpen):
        open_poll(poll.live_session_id, **QUESTION, moment=NOW)

    assert Poll.objects.count() == 1
    assert asked().live_session_id != poll.live_session_id


@pytest.mark.parametrize(
    "answers", [[], ["Tea"], ["Tea", " tea "], ["Tea", " "], list("ABCDEFG")], ids=str
)
def test_a_poll_has_two_to_six_different_answers(answers: list[str]) -> None:
    session = LiveSessionFactory(live=True)

    with pytest.raises(NotAPoll):
        open_poll(session.pk, question="Which?", options=answers, moment=NOW)
    with pytest.raises(NotAPoll):
        open_poll(session.pk, question=" ", options=["A", "B"], moment=NOW)

    assert open_poll(session.pk, question="Which?", options=list("ABCDEF"), moment=NOW)


@pytest.mark.parametrize("status", ["draft", "ended"])
def test_a_poll_is_asked_in_a_live_session_alone(status: str) -> None:
    session = LiveSessionFactory(**{status: True})

    with pytest.raises(NotLive):
        open_poll(session.pk, **QUESTION, moment=NOW)


@pytest.mark.mariadb
def test_a_vote_stands() -> None:
    poll, viewer = asked(), UserFactory()
    tea, coffee = options(poll)

    first = vote(poll.pk, tea, voter=viewer, moment=NOW)
    again = vote(poll.pk, tea, voter=viewer, moment=NOW + timedelta(minutes=1))
    with pytest.raises(AlreadyVoted):
        vote(poll.pk, coffee, voter=viewer, moment=NOW)

    assert again.pk == first.pk
    assert PollVote.objects.get().voted_at == NOW
    assert vote_of(viewer, poll.live_session_id) == tea
    # A retry that comes late is still the vote that was cast.
    close_poll(poll.pk, moment=NOW)
    assert vote(poll.pk, tea, voter=viewer, moment=NOW).pk == first.pk


def test_a_closed_poll_takes_no_votes() -> None:
    poll = asked()
    close_poll(poll.pk, moment=NOW)

    with pytest.raises(PollClosed):
        vote(poll.pk, options(poll)[0], voter=UserFactory(), moment=NOW)

    assert PollVote.objects.count() == 0


def test_votes_end_with_the_session() -> None:
    poll = asked()
    LiveSession.objects.update(status="ended", started_at=NOW, ended_at=NOW)

    with pytest.raises(NotLive):
        vote(poll.pk, options(poll)[0], voter=UserFactory(), moment=NOW)

    assert poll_part(poll.live_session_id)["is_open"] is False


def test_answers_of_other_polls_are_no_answers() -> None:
    poll, other = asked(), PollOptionFactory()

    with pytest.raises(UnknownOption):
        vote(poll.pk, other.pk, voter=UserFactory(), moment=NOW)


def test_who_is_banned_has_no_vote_and_who_may_not_write_has() -> None:
    poll, banned, muted = asked(), UserFactory(), UserFactory()
    for person, kind in ((banned, "ban"), (muted, "mute")):
        Restriction.objects.create(
            seller=poll.live_session.seller, user=person, kind=kind, imposed_at=NOW
        )

    with pytest.raises(Banned):
        vote(poll.pk, options(poll)[0], voter=banned, moment=NOW)
    vote(poll.pk, options(poll)[0], voter=muted, moment=NOW)

    assert PollVote.objects.get().voter == muted


def together(works: list[Callable[[], object]]) -> list[object]:
    """Do all at once, each in a thread with a connection of its own; what came, errors too."""
    start = Barrier(len(works))

    def run(work: Callable[[], object]) -> object:
        try:
            start.wait()
            return work()
        except Exception as error:  # noqa: BLE001 which one is the test's to say
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(works)) as threads:
        return list(threads.map(run, works))


@pytest.mark.mariadb(only=True)
@pytest.mark.django_db(transaction=True)
def test_votes_from_many_tabs_at_once_are_counted_exactly() -> None:
    poll = asked()
    tea, coffee = options(poll)
    viewers = [UserFactory() for _ in range(8)]
    # Each from two tabs, in which different answers are chosen.
    choices = [(viewer, option) for viewer in viewers for option in (tea, coffee)]

    outcomes = together(
        [
            lambda viewer=viewer, option=option: vote(poll.pk, option, voter=viewer, moment=NOW)
            for viewer, option in choices
        ]
    )

    refused = [one for one in outcomes if isinstance(one, Exception)]
    assert [type(one) for one in refused] == [AlreadyVoted] * len(viewers)
    part = poll_part(poll.live_session_id)
    assert part["n_votes"] == PollVote.objects.count() == len(viewers)


@pytest.mark.mariadb(only=True)
@pytest.mark.django_db(transaction=True)
def test_of_two_polls_opened_at_once_one_is() -> None:
    session = LiveSessionFactory(live=True)
    room_of(session.pk)

    outcomes = together([lambda: open_poll(session.pk, **QUESTION, moment=NOW)] * 4)

    assert sum(isinstance(one, PollAlreadyOpen) for one in outcomes) == 3, outcomes
    assert Poll.objects.count() == 1


@pytest.mark.mariadb(only=True)
@pytest.mark.django_db(transaction=True)
def test_a_vote_that_meets_the_closing_of_its_poll_is_refused() -> None:
    poll, viewer = asked(), UserFactory()
    (tea, _coffee) = options(poll)
    is_closing, is_voting = Event(), Event()

    def close() -> None:
        with transaction.atomic():
            close_poll(poll.pk, moment=NOW)
            is_closing.set()
            # The vote has read an open poll by then, and waits for its row.
            is_voting.wait(0.5)

    def cast() -> object:
        is_closing.wait()
        return vote(poll.pk, tea, voter=viewer, moment=NOW)

    outcomes = together([close, cast])

    assert isinstance(outcomes[1], PollClosed), outcomes
    assert PollVote.objects.count() == 0


def address(poll: Poll) -> str:
    return f"/api/v1/live-sessions/{poll.live_session_id}/polls/{poll.pk}/vote/"


def test_an_app_votes_and_is_told_why_it_may_not() -> None:
    poll, viewer, api = asked(), UserFactory(), APIClient()
    tea, coffee = options(poll)
    assert api.put(address(poll), {"option": tea}).status_code == 401
    api.force_authenticate(viewer)

    def answer(body: dict) -> tuple[int, str | None]:
        response = api.put(address(poll), body)
        errors = response.json().get("errors")
        return response.status_code, errors[0]["code"] if errors else None

    assert answer({"option": PollOptionFactory().pk}) == (400, "unknown_option")
    assert answer({}) == (400, "required")
    assert answer({"option": tea}) == (200, None)
    assert answer({"option": tea}) == (200, None)
    assert answer({"option": coffee}) == (409, "already_voted")
    api.force_authenticate(UserFactory())
    close_poll(poll.pk, moment=timezone.now())
    assert answer({"option": tea}) == (409, "poll_closed")


def test_a_vote_is_ones_own_whatever_is_sent() -> None:
    poll, viewer, stranger, api = asked(), UserFactory(), UserFactory(), APIClient()
    api.force_authenticate(viewer)
    body = {"option": options(poll)[0], "voter": stranger.pk, "voter_id": stranger.pk}

    assert api.put(address(poll), body).status_code == 200

    assert PollVote.objects.get().voter == viewer


def at_desk(person: User) -> Client:
    client = Client(headers={"HX-Request": "true", "accept-language": "en"})
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    return client


def test_the_seller_asks_and_closes_at_the_desk() -> None:
    session = LiveSessionFactory(live=True)
    client = at_desk(session.seller)
    desk = f"/live/{session.pk}/desk/"

    refused = client.post(f"{desk}polls/", {"question": "Which?", "options": "only one"})
    too_long = client.post(f"{desk}polls/", {"question": "Which?", "options": "a\n" + "b" * 81})
    shown = client.post(f"{desk}polls/", {"question": "Which?", "options": "One\r\nTwo\n"})

    assert "two to six different answers" in refused.content.decode()
    assert "80 characters" in too_long.content.decode()
    poll = Poll.objects.get()
    assert [option.text for option in poll.options.all()] == ["One", "Two"]
    assert "Close the poll" in shown.content.decode()
    vote(poll.pk, options(poll)[1], voter=UserFactory(), moment=timezone.now())
    assert "1 vote" in client.get(f"{desk}games/").content.decode()
    closed = client.post(f"{desk}polls/{poll.pk}/close/")
    assert "Ask the room" in closed.content.decode()
    poll.refresh_from_db()
    assert poll.closed_at is not None


def test_nobody_but_the_seller_and_operators_is_at_the_desk() -> None:
    poll = asked()
    desk = f"/live/{poll.live_session_id}/desk/"
    paths = [f"{desk}polls/", f"{desk}polls/{poll.pk}/close/", f"{desk}draws/"]

    for person in (UserFactory(), SellerFactory()):
        client = at_desk(person)
        assert [client.post(path).status_code for path in paths] == [404] * 3
        assert client.get(f"{desk}games/").status_code == 404
    assert [Client().post(path).status_code for path in paths] == [404] * 3
    # One's own session does not open the polls of another's.
    other = LiveSessionFactory(live=True)
    foreign = f"/live/{other.pk}/desk/polls/{poll.pk}/close/"
    assert at_desk(other.seller).post(foreign).status_code == 404
    poll.refresh_from_db()
    assert poll.closed_at is None
    assert at_desk(OperatorFactory()).get(f"{desk}games/").status_code == 200
