"""Lucky draws: bound before, picked once, and kept secret in between."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from threading import Event

import pytest
from django.core import mail
from django.db import transaction
from rest_framework.test import APIClient

from accounts.models import User
from accounts.outbox import send_due_letters
from accounts.personal_data import export_person
from streams.draws import (
    DrawAlreadyOpen,
    DrawClosed,
    MayNotEnter,
    NotADraw,
    draw_due,
    draw_part,
    draw_winners,
    enter_draw,
    entry_of,
    open_draw,
    winning_tickets,
)
from streams.models import Draw, DrawEntry, LiveSession, Moderator, Restriction, Room
from streams.taking_part import Banned, NotLive
from tests.factories import (
    PASSWORD,
    DrawEntryFactory,
    DrawFactory,
    LiveSessionFactory,
    OperatorFactory,
    SellerFactory,
    UserFactory,
)
from tests.streams.test_polls import at_desk, together

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 5, 1, 20, 0, tzinfo=UTC)
CLOSES = NOW + timedelta(minutes=5)


def opened(n_winners: int = 1, n_entries: int = 0) -> Draw:
    """A draw that is open at NOW and closes at CLOSES, with entries."""
    session = LiveSessionFactory(live=True)
    draw = open_draw(session.pk, prize="A book", n_winners=n_winners, closes_at=CLOSES, moment=NOW)
    for _ in range(n_entries):
        enter_draw(draw.pk, viewer=UserFactory(), moment=NOW)
    return draw


def test_the_commitment_is_the_hash_of_a_secret_of_its_own() -> None:
    draw, other = opened(), opened()

    assert len(bytes.fromhex(draw.secret)) == 32
    assert draw.secret != other.secret
    assert draw.commitment == hashlib.sha256(draw.secret.encode()).hexdigest()


@pytest.mark.mariadb
def test_the_winners_are_the_tickets_with_the_smallest_numbers() -> None:
    draw = opened(n_winners=3, n_entries=10)
    tickets = [entry.ticket for entry in draw.entries.all()]

    assert draw_winners(draw.pk, moment=CLOSES)

    won = draw.entries.filter(place__isnull=False).order_by("place")
    assert [entry.place for entry in won] == [1, 2, 3]
    assert [entry.ticket for entry in won] == winning_tickets(draw.secret, tickets, 3)
    assert len(set(tickets)) == 10
    assert all(len(ticket) == 10 for ticket in tickets)


def test_the_numbers_do_not_hang_on_the_order_of_entry() -> None:
    assert winning_tickets("key", ["A", "B", "C"], 3) == winning_tickets("key", "CBA", 3)
    assert winning_tickets("key", ["A", "B", "C"], 2) == winning_tickets("key", "BCA", 3)[:2]


@pytest.mark.mariadb
def test_winners_are_picked_once_and_only_after_closing() -> None:
    draw = opened(n_entries=4)

    assert not draw_winners(draw.pk, moment=CLOSES - timedelta(seconds=1))
    assert draw_winners(draw.pk, moment=CLOSES)
    first = draw_part(draw.live_session_id)
    assert not draw_winners(draw.pk, moment=CLOSES + timedelta(days=1))

    assert draw_part(draw.live_session_id) == first
    draw.refresh_from_db()
    assert draw.drawn_at == CLOSES


def test_the_clock_picks_what_is_due() -> None:
    due, over, later = opened(n_entries=1), opened(), opened()
    Draw.objects.filter(pk=later.pk).update(closes_at=CLOSES + timedelta(seconds=1))
    draw_winners(over.pk, moment=CLOSES)

    assert draw_due(CLOSES) == 1
    assert draw_due(CLOSES) == 0

    assert set(Draw.objects.filter(drawn_at=None)) == {later}
    assert due.entries.get().place == 1


def test_a_draw_that_nobody_entered_has_no_winner() -> None:
    draw = opened(n_winners=2)

    assert draw_due(CLOSES) == 1

    part = draw_part(draw.live_session_id)
    assert (part["is_drawn"], part["winners"], part["n_entries"]) == (True, [], 0)


def test_fewer_entries_than_winners_all_win() -> None:
    draw = opened(n_winners=5, n_entries=2)

    draw_due(CLOSES)

    assert sorted(entry.place for entry in draw.entries.all()) == [1, 2]


def test_the_room_shows_the_secret_with_the_winners_and_not_before() -> None:
    draw = opened(n_entries=1)
    entry = draw.entries.get()
    DrawEntry.objects.filter(pk=entry.pk).update(ticket="TICKET2345")
    entry.entrant.display_name = "Alma"
    entry.entrant.save()

    open_part = draw_part(draw.live_session_id)
    draw_due(CLOSES)
    drawn = draw_part(draw.live_session_id)

    assert open_part == {
        "id": draw.pk,
        "prize": "A book",
        "n_winners": 1,
        "commitment": draw.commitment,
        "closes_at": open_part["closes_at"],
        "n_entries": 1,
        "is_drawn": False,
        "secret": None,
        "winners": [],
    }
    assert datetime.fromisoformat(open_part["closes_at"]) == CLOSES
    assert drawn["secret"] == draw.secret
    assert drawn["winners"] == [{"ticket": "TICKET2345", "name": "A**"}]
    assert entry_of(entry.entrant, draw.live_session_id) == "TICKET2345"
    assert entry_of(UserFactory(), draw.live_session_id) is None


def test_nothing_tells_the_secret_before_the_draw(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", logger="streams")
    draw = DrawFactory()
    session, viewer = draw.live_session, UserFactory()
    api, seller, operator = APIClient(), at_desk(session.seller), at_desk(OperatorFactory())
    api.force_authenticate(viewer)
    root = f"/api/v1/live-sessions/{session.pk}/draws/"
    page = f"/live/{session.pk}/draws/{draw.pk}/"

    answers = [
        api.put(f"{root}{draw.pk}/entry/"),
        api.get(root),
        api.get(f"{root}{draw.pk}/"),
        at_desk(viewer).get(page),
        seller.get(page),
        seller.get(f"/live/{session.pk}/desk/games/"),
        seller.post(f"/live/{session.pk}/desk/draws/{draw.pk}/draw/"),
        operator.get("/admin/streams/draw/"),
        operator.get(f"/admin/streams/draw/{draw.pk}/change/"),
    ]

    assert [answer.status_code for answer in answers] == [200] * len(answers)
    for answer in answers:
        assert draw.secret not in answer.content.decode()
    assert draw.secret not in str([export_person(viewer), export_person(session.seller)])
    assert draw.secret not in caplog.text


def test_the_admin_shows_the_secret_when_everybody_sees_it() -> None:
    draw = DrawFactory()
    operator = at_desk(OperatorFactory())
    page = f"/admin/streams/draw/{draw.pk}/change/"

    before = operator.get(page).content.decode()
    draw_winners(draw.pk, moment=draw.closes_at)

    assert draw.commitment in before
    assert draw.secret not in before
    assert draw.secret in operator.get(page).content.decode()


@pytest.mark.mariadb
def test_a_viewer_has_one_ticket() -> None:
    draw, viewer = opened(), UserFactory()

    first = enter_draw(draw.pk, viewer=viewer, moment=NOW)

    assert enter_draw(draw.pk, viewer=viewer, moment=NOW).pk == first.pk
    # Asked late, it is still the ticket that one has.
    assert enter_draw(draw.pk, viewer=viewer, moment=CLOSES).pk == first.pk
    assert DrawEntry.objects.count() == 1


def test_an_entry_does_not_touch_the_room_and_drawing_does() -> None:
    draw = opened()
    version = Room.objects.get(pk=draw.live_session_id).version

    enter_draw(draw.pk, viewer=UserFactory(), moment=NOW)
    assert Room.objects.get(pk=draw.live_session_id).version == version
    draw_due(CLOSES)

    assert Room.objects.get(pk=draw.live_session_id).version == version + 1


def test_nobody_enters_after_closing_or_after_the_session() -> None:
    draw, ended = opened(), opened()
    LiveSession.objects.filter(pk=ended.live_session_id).update(
        status="ended", started_at=NOW, ended_at=NOW
    )

    with pytest.raises(DrawClosed):
        enter_draw(draw.pk, viewer=UserFactory(), moment=CLOSES)
    with pytest.raises(NotLive):
        enter_draw(ended.pk, viewer=UserFactory(), moment=NOW)

    assert DrawEntry.objects.count() == 0
    # What was promised is drawn all the same.
    assert draw_due(CLOSES) == 2


def test_an_entry_behind_the_clock_of_the_draw_is_refused() -> None:
    draw = opened()
    draw_winners(draw.pk, moment=CLOSES)

    with pytest.raises(DrawClosed):
        enter_draw(draw.pk, viewer=UserFactory(), moment=NOW)


def test_who_runs_the_session_and_who_is_banned_cannot_enter() -> None:
    draw = opened()
    session = draw.live_session
    moderator, banned, operator = UserFactory(), UserFactory(), OperatorFactory()
    Moderator.objects.create(live_session=session, user=moderator)
    Restriction.objects.create(
        seller=session.seller, live_session=session, user=banned, kind="ban", imposed_at=NOW
    )

    for person in (session.seller, moderator, operator):
        with pytest.raises(MayNotEnter):
            enter_draw(draw.pk, viewer=person, moment=NOW)
    with pytest.raises(Banned):
        enter_draw(draw.pk, viewer=banned, moment=NOW)

    assert DrawEntry.objects.count() == 0
    # Another seller is a viewer here like others.
    assert enter_draw(draw.pk, viewer=SellerFactory(), moment=NOW)


@pytest.mark.parametrize(
    "wrong",
    [
        {"prize": " "},
        {"n_winners": 0},
        {"n_winners": 101},
        {"closes_at": NOW + timedelta(seconds=9)},
        {"closes_at": NOW + timedelta(hours=24, seconds=1)},
    ],
    ids=str,
)
def test_a_draw_has_a_prize_winners_and_an_end(wrong: dict[str, object]) -> None:
    session = LiveSessionFactory(live=True)

    with pytest.raises(NotADraw):
        open_draw(
            session.pk,
            **{"prize": "A book", "n_winners": 1, "closes_at": CLOSES, "moment": NOW, **wrong},
        )


def test_one_draw_of_a_live_session_is_open_at_a_time() -> None:
    draw, ended = opened(), LiveSessionFactory(ended=True)
    values = {"prize": "A pen", "n_winners": 1, "closes_at": CLOSES, "moment": NOW}

    with pytest.raises(DrawAlreadyOpen):
        open_draw(draw.live_session_id, **values)
    with pytest.raises(NotLive):
        open_draw(ended.pk, **values)
    draw_due(CLOSES)

    assert open_draw(draw.live_session_id, **values)


def test_winners_are_written_to_once_in_their_language() -> None:
    draw = opened(n_entries=3)
    User.objects.update(language="en")

    draw_due(CLOSES)
    winner = draw.entries.get(place=1)
    send_due_letters(moment=CLOSES)
    send_due_letters(moment=CLOSES + timedelta(days=1))

    (letter,) = mail.outbox
    assert letter.to == [winner.entrant.email]
    assert letter.subject == "You have won: A book"
    assert winner.ticket in letter.body
    assert f"/live/{draw.live_session_id}/draws/{draw.pk}/" in letter.body


def test_who_leaves_the_platform_leaves_the_ticket_so_that_the_draw_can_be_checked() -> None:
    draw = opened(n_winners=2, n_entries=2)
    gone = draw.entries.first().entrant
    tickets = {entry.ticket for entry in draw.entries.all()}
    api = APIClient()
    api.force_authenticate(gone)

    assert api.delete("/api/v1/me/", {"password": PASSWORD}).status_code == 204
    draw_due(CLOSES)

    part = draw_part(draw.live_session_id)
    assert {one["ticket"] for one in part["winners"]} == tickets
    assert "" in {one["name"] for one in part["winners"]}
    assert not DrawEntry.objects.filter(entrant=gone).exists()


@pytest.mark.mariadb(only=True)
@pytest.mark.django_db(transaction=True)
def test_of_many_that_draw_at_once_one_picks() -> None:
    draw = opened(n_winners=2, n_entries=6)

    outcomes = together([lambda: draw_winners(draw.pk, moment=CLOSES)] * 4)

    assert sorted(map(str, outcomes)) == ["False", "False", "False", "True"]
    assert draw.entries.filter(place__isnull=False).count() == 2


@pytest.mark.mariadb(only=True)
@pytest.mark.django_db(transaction=True)
def test_an_entry_that_meets_the_pick_is_refused() -> None:
    draw, viewer = opened(n_entries=2), UserFactory()
    is_picking, is_over = Event(), Event()

    def pick() -> None:
        with transaction.atomic():
            draw_winners(draw.pk, moment=CLOSES)
            is_picking.set()
            # The entry has seen an open draw by then, and waits for its row.
            is_over.wait(0.5)

    def enter() -> object:
        is_picking.wait()
        return enter_draw(draw.pk, viewer=viewer, moment=NOW)

    outcomes = together([pick, enter])

    assert isinstance(outcomes[1], DrawClosed), outcomes
    assert draw.entries.count() == 2


@pytest.mark.mariadb(only=True)
@pytest.mark.django_db(transaction=True)
def test_two_tabs_of_a_viewer_get_the_same_ticket() -> None:
    draw, viewer = opened(), UserFactory()

    outcomes = together([lambda: enter_draw(draw.pk, viewer=viewer, moment=NOW)] * 4)

    assert len({entry.ticket for entry in outcomes}) == 1
    assert draw.entries.count() == 1


def test_an_app_enters_and_is_told_why_it_may_not() -> None:
    draw, viewer, api = DrawFactory(), UserFactory(), APIClient()
    address = f"/api/v1/live-sessions/{draw.live_session_id}/draws/{draw.pk}/"
    assert api.put(f"{address}entry/").status_code == 401
    api.force_authenticate(viewer)

    first, again = api.put(f"{address}entry/"), api.put(f"{address}entry/")
    shown = api.get(address).json()

    assert first.json() == again.json()
    assert shown["tickets"] == [first.json()["ticket"]] == [shown["my_ticket"]]
    assert (shown["secret"], shown["winners"], shown["drawn_at"]) == (None, [], None)
    api.force_authenticate(draw.live_session.seller)
    refused = api.put(f"{address}entry/")
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (403, "may_not_enter")
    api.force_authenticate(UserFactory())
    draw_winners(draw.pk, moment=draw.closes_at)
    late = api.put(f"{address}entry/")
    assert (late.status_code, late.json()["errors"][0]["code"]) == (409, "draw_closed")
    over = api.get(address).json()
    assert (over["secret"], over["my_ticket"]) == (draw.secret, None)
    assert [one["ticket"] for one in over["winners"]] == over["tickets"]


def test_an_entry_is_ones_own_whatever_is_sent() -> None:
    draw, viewer, stranger, api = DrawFactory(), UserFactory(), UserFactory(), APIClient()
    api.force_authenticate(viewer)
    address = f"/api/v1/live-sessions/{draw.live_session_id}/draws/{draw.pk}/entry/"

    api.put(address, {"entrant": stranger.pk, "ticket": "MINE", "place": 1})

    entry = DrawEntry.objects.get()
    assert (entry.entrant, entry.place) == (viewer, None)
    assert entry.ticket != "MINE"


def test_a_draw_of_another_session_is_not_found() -> None:
    draw, other = DrawFactory(), LiveSessionFactory(live=True)
    api = APIClient()
    api.force_authenticate(UserFactory())

    for path in (f"draws/{draw.pk}/", f"draws/{draw.pk}/entry/"):
        address = f"/api/v1/live-sessions/{other.pk}/{path}"
        method = api.put if "entry" in path else api.get
        assert method(address).status_code == 404


def test_the_seller_opens_and_draws_at_the_desk() -> None:
    session = LiveSessionFactory(live=True)
    client = at_desk(session.seller)
    desk = f"/live/{session.pk}/desk/"

    refused = client.post(f"{desk}draws/", {"prize": "", "n_winners": 0, "minutes": 2})
    shown = client.post(f"{desk}draws/", {"prize": "A book", "n_winners": 1, "minutes": 2})

    assert "field--wrong" in refused.content.decode()
    draw = Draw.objects.get()
    assert draw.closes_at - draw.opened_at == timedelta(minutes=2)
    assert "0 entries" in shown.content.decode()
    # Open still: the button is not there, and pressing it all the same does nothing.
    assert "Pick the winners" not in shown.content.decode()
    client.post(f"{desk}draws/{draw.pk}/draw/")
    draw.refresh_from_db()
    assert draw.drawn_at is None

    DrawEntryFactory(draw=draw, entrant__display_name="Alma")
    Draw.objects.update(opened_at=NOW, closes_at=CLOSES)
    assert "Pick the winners" in client.get(f"{desk}games/").content.decode()
    over = client.post(f"{desk}draws/{draw.pk}/draw/").content.decode()
    assert "Alma" in over
    assert "Open the draw" in over
