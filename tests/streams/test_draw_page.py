"""The public page of a draw: from what it publishes anybody computes the same winners."""

from __future__ import annotations

import hashlib
import hmac
import subprocess
import sys
from datetime import timedelta
from html.parser import HTMLParser

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from streams.draws import draw_winners, enter_draw
from streams.models import Draw
from tests.factories import DrawEntryFactory, DrawFactory, LiveSessionFactory, UserFactory

pytestmark = pytest.mark.django_db


class Published(HTMLParser):
    """The texts of the elements that carry an attribute `data-...`, by its name."""

    VOID = ("meta", "link", "img", "input", "path", "use")

    def __init__(self, html: str) -> None:
        super().__init__()
        self.texts: dict[str, list[str]] = {}
        self._open: list[list[str]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            names = [name for name, _value in attrs if name.startswith("data-")]
            if tag == "li" and any("data-tickets" in one for one in self._open):
                names.append("ticket-of-all")
            self._open.append(names)
            for name in names:
                self.texts.setdefault(name, []).append("")

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        for names in self._open:
            for name in names:
                self.texts[name][-1] += data


def page(draw: Draw, viewer: User | None = None) -> str:
    client = Client(headers={"accept-language": "en"})
    if viewer:
        client.force_login(viewer, backend="django.contrib.auth.backends.ModelBackend")
    response = client.get(f"/live/{draw.live_session_id}/draws/{draw.pk}/")
    assert response.status_code == 200
    return response.content.decode()


def drawn(n_entries: int = 30, n_winners: int = 4) -> Draw:
    draw = DrawFactory(n_winners=n_winners)
    for _ in range(n_entries):
        enter_draw(draw.pk, viewer=UserFactory(), moment=timezone.now())
    assert draw_winners(draw.pk, moment=draw.closes_at)
    return draw


def test_the_winners_follow_from_the_published_page_alone() -> None:
    draw = DrawFactory(n_winners=4)
    for _ in range(30):
        enter_draw(draw.pk, viewer=UserFactory(), moment=timezone.now())
    before = Published(page(draw)).texts
    draw_winners(draw.pk, moment=draw.closes_at)

    after = Published(page(draw)).texts

    # What a viewer does, in their own words.
    (promised,) = before["data-commitment"]
    (secret,) = after["data-secret"]
    assert hashlib.sha256(secret.encode()).hexdigest() == promised
    numbers = {
        hmac.new(secret.encode(), ticket.encode(), hashlib.sha256).hexdigest(): ticket
        for ticket in before["ticket-of-all"]
    }
    n_winners = int(after["data-n-winners"][0])
    computed = [numbers[number] for number in sorted(numbers)[:n_winners]]
    assert computed == after["data-ticket"]
    assert len(computed) == 4
    assert before["ticket-of-all"] == after["ticket-of-all"]
    assert "data-secret" not in before


@pytest.mark.django_db(transaction=True)
def test_the_program_on_the_page_prints_the_winners(live_server) -> None:  # type: ignore[no-untyped-def]
    draw = drawn()
    client = Client(headers={"host": live_server.url.removeprefix("http://")})
    shown = client.get(f"/live/{draw.live_session_id}/draws/{draw.pk}/").content.decode()
    (program,) = Published(shown).texts["data-program"]

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )

    is_bound, computed, published = done.stdout.splitlines()
    assert is_bound == "True"
    assert computed == published
    assert computed == str(
        list(draw.entries.filter(place__gt=0).order_by("place").values_list("ticket", flat=True))
    )
    assert len([line for line in program.splitlines() if line]) <= 10


def test_a_viewer_sees_which_ticket_is_theirs_and_others_do_not() -> None:
    draw, viewer = DrawFactory(), UserFactory()
    entry = enter_draw(draw.pk, viewer=viewer, moment=timezone.now())
    DrawEntryFactory(draw=draw)

    mine, others = page(draw, viewer), page(draw, UserFactory())

    assert "Your ticket" in mine
    assert f'<li class="tickets__me">{entry.ticket}</li>' in mine
    assert "Your ticket" not in others
    assert "tickets__me" not in others
    assert "Enter the draw" in others
    assert "Sign in to enter" in page(draw)


def test_a_winner_is_told_so_and_who_was_not_drawn_too() -> None:
    draw = drawn(n_entries=2, n_winners=1)
    winner = draw.entries.get(place=1).entrant
    loser = draw.entries.get(place=None).entrant

    assert "That is you!" in page(draw, winner)
    assert "Not drawn this time" in page(draw, loser)


def test_one_enters_from_the_page() -> None:
    draw, viewer = DrawFactory(), UserFactory()
    client = Client(headers={"accept-language": "en"})
    address = f"/live/{draw.live_session_id}/draws/{draw.pk}/"
    assert client.post(f"{address}enter/").status_code == 302
    assert draw.entries.count() == 0
    client.force_login(viewer, backend="django.contrib.auth.backends.ModelBackend")

    entered = client.post(f"{address}enter/", follow=True)

    assert draw.entries.get().ticket in entered.content.decode()
    draw_winners(draw.pk, moment=draw.closes_at)
    client.force_login(UserFactory(), backend="django.contrib.auth.backends.ModelBackend")
    late = client.post(f"{address}enter/", follow=True)
    assert "This lucky draw is closed." in late.content.decode()


def test_it_says_what_comes_next_in_every_state() -> None:
    moment = timezone.now()
    closed = DrawFactory(opened_at=moment - timedelta(hours=1), closes_at=moment)
    ended = DrawFactory(live_session=LiveSessionFactory(ended=True))
    empty = DrawFactory()
    draw_winners(empty.pk, moment=empty.closes_at)

    assert "The winners stand here in a few seconds" in page(closed)
    assert "data-closing" in page(closed)
    assert "The session is over" in page(ended)
    assert "Nobody had entered" in page(empty)


def test_drafts_and_other_sessions_have_no_such_page(client: Client) -> None:
    draft = DrawFactory(live_session=LiveSessionFactory(draft=True))
    other = DrawFactory()

    for session, draw in ((draft.live_session_id, draft), (draft.live_session_id, other)):
        assert client.get(f"/live/{session}/draws/{draw.pk}/").status_code == 404


def test_names_of_winners_are_covered_and_escaped() -> None:
    draw = DrawFactory(prize="<b>Book</b>")
    DrawEntryFactory(draw=draw, entrant__display_name="<Alma>")
    draw_winners(draw.pk, moment=draw.closes_at)

    shown = page(draw)

    assert "&lt;**" in shown
    assert "Alma" not in shown
    assert "<b>Book" not in shown


def test_its_queries_do_not_grow_with_its_entries() -> None:
    few, many = drawn(n_entries=2, n_winners=2), drawn(n_entries=12, n_winners=12)
    counted = []
    for draw in (few, many):
        with CaptureQueriesContext(connection) as queries:
            page(draw)
        counted.append(len(queries))

    assert counted[0] == counted[1]
