"""Over a thousand strings that try to run as script: none runs, wherever a live room shows them.

The pages are looked at twice: without their policy, which would hide a hole, and with it, when the
browser reports whatever it had to stop.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import timezone
from playwright.sync_api import Browser, Page, WebSocketRoute, expect

from accounts.models import User
from catalog.models import Course
from streams.models import (
    ChatMessage,
    Draw,
    LiveSession,
    Poll,
    PollOption,
    SessionStatus,
    ShowcaseItem,
)
from tests.conftest import IS_LONG
from tests.factories import (
    CategoryFactory,
    CourseFactory,
    LiveSessionFactory,
    SellerFactory,
)
from tests.hostile import ROOM_CORPUS

pytestmark = pytest.mark.django_db(transaction=True)

# In every frame of the page: what a text that runs sets, and what the policy stopped.
DETECTOR = """() => {
  const note = (what) => {
    const told = top.document.documentElement.dataset;
    told.ran = (told.ran ?? "") + what + "\\n";
  };
  Object.defineProperty(window, "pwned", { set: () => note("ran") });
  document.addEventListener("securitypolicyviolation", (event) =>
    note(`${event.violatedDirective} ${event.sample} ${event.blockedURI}`));
}"""
AT_ONCE = 100
# A poll or a draw takes the place of the one before: every fourth text is enough of a trial.
GAMES_STEP = 4
# What the server writes into a page is escaped alike whatever it is: all of them by a setting.
PAGES_STEP = 1 if IS_LONG else 3


@pytest.fixture
def watched(browser: Browser) -> Iterator[list[Page]]:
    """Two pages that tell in `data-ran` of their root what ran, or what the policy stopped.

    The first one has no policy.
    """
    pages = []
    for has_policy in (False, True):
        context = browser.new_context(bypass_csp=not has_policy, locale="en-GB")
        context.add_init_script(f"({DETECTOR})()")
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.on("dialog", lambda dialog: pytest.fail(f"a dialog opened: {dialog.message}"))
        pages.append(page)
    yield pages
    for page in pages:
        page.context.close()


def ran(page: Page) -> str | None:
    return page.evaluate("document.documentElement.dataset.ran")


def test_the_corpus_is_large_and_the_detector_sees_what_runs(browser: Browser) -> None:
    assert len(set(ROOM_CORPUS)) == len(ROOM_CORPUS) >= 1000
    context = browser.new_context()
    context.add_init_script(f"({DETECTOR})()")
    page = context.new_page()
    page.goto("about:blank")

    n_ran = page.evaluate(
        """async (texts) => {
          let n = 0;
          for (const text of texts) {
            const place = document.body.appendChild(document.createElement("div"));
            place.innerHTML = text;
            await new Promise((done) => setTimeout(done, 2));
            place.remove();
          }
          await new Promise((done) => setTimeout(done, 200));
          return (document.documentElement.dataset.ran ?? "").split("ran").length - 1;
        }""",
        ROOM_CORPUS,
    )

    assert n_ran > 200
    context.close()


def hostile_frames() -> Iterator[dict]:
    """Frames of the room in which the texts of the corpus stand in every place for a text."""
    now = timezone.now().isoformat()
    for start in range(0, len(ROOM_CORPUS), AT_ONCE):
        texts = ROOM_CORPUS[start : start + AT_ONCE]
        messages = [
            {
                "id": start + number + 1,
                "tag": text[:12],
                "author": text,
                "role": text if number % 3 else "seller",
                "text": text,
                "sent_at": now,
            }
            for number, text in enumerate(texts)
        ]
        showcase = [
            {
                "item": start + number + 1,
                "course": start + number + 1,
                "slug": text,
                "title": text,
                "kind": text,
                # Each would ask the server for a picture; a few show what becomes of them.
                "cover": text if number % 10 == 0 else "/static/favicon.svg",
                "is_pinned": number == 0,
                "list_price": "20.00",
                "price": "10.00",
                "currency": "CNY",
                "seats_left": 3,
                "offer_ends_at": now,
            }
            for number, text in enumerate(texts)
        ]
        yield {"type": "room", "state": {"showcase": showcase}, "messages": messages}
    for number, text in enumerate(ROOM_CORPUS[::-GAMES_STEP]):
        options = [{"id": 2 * number + place, "text": text, "n_votes": 1} for place in (1, 2)]
        poll = {"id": number, "question": text, "options": options, "n_votes": 2, "is_open": True}
        draw = {
            "id": number,
            "prize": text,
            "n_winners": 1,
            "commitment": text,
            "closes_at": now,
            "n_entries": 1,
            "is_drawn": True,
            "secret": text,
            "winners": [{"ticket": text, "name": text}],
        }
        bought = [{"id": text, "name": text, "course": 1, "title": text, "at": now}]
        coupon = {
            "id": number,
            "code": text,
            "kind": "percent",
            "percent": 10,
            "amount": None,
            "minimum_spend": "0.00",
            "currency": "CNY",
            "ends_at": now,
        }
        state = {"poll": poll, "draw": draw, "bought": bought, "coupons": [coupon]}
        yield {"type": "room", "state": state, "messages": []}


def test_nothing_that_comes_over_the_line_runs(watched: list[Page], live_server) -> None:
    session = LiveSessionFactory(live=True)
    frames = [json.dumps(frame) for frame in hostile_frames()]

    def answer(line: WebSocketRoute) -> None:
        def greet(greeting: str | bytes) -> None:
            if json.loads(greeting)["type"] == "hello":
                for frame in frames:
                    line.send(frame)

        line.on_message(greet)

    for page in watched:
        page.route_web_socket("**/ws/live/*/", answer)
        page.goto(f"{live_server.url}/live/{session.pk}/")

        last_poll, last_line = ROOM_CORPUS[::-GAMES_STEP][-1], ROOM_CORPUS[-1]
        expect(page.locator("[data-poll] h3")).to_have_text(last_poll, timeout=30_000)
        expect(page.locator(".talk__log .line__text").last).to_have_text(last_line)
        assert page.locator(".talk__log .line").count() == 300
        assert ran(page) is None


def hostile_market() -> list[LiveSession]:
    """As many people, courses and sessions as texts; returns a few sessions that together show all
    courses, AT_ONCE each, and what everybody said."""
    texts = ROOM_CORPUS[::PAGES_STEP]
    category = CategoryFactory()
    people = [SellerFactory.build(display_name=text[:80]) for text in texts]
    User.objects.bulk_create(people)
    courses = Course.objects.bulk_create(
        CourseFactory.build(title=text[:200], seller=people[number], category=category)
        for number, text in enumerate(texts)
    )
    now = timezone.now()
    sessions = LiveSession.objects.bulk_create(
        LiveSession(
            title=text[:120],
            summary=text,
            seller=people[number],
            status=SessionStatus.LIVE,
            started_at=now,
        )
        for number, text in enumerate(texts)
    )
    opened = sessions[::-AT_ONCE]
    ShowcaseItem.objects.bulk_create(
        ShowcaseItem(live_session=opened[place // AT_ONCE], course=course, position=place)
        for place, course in enumerate(courses)
    )
    for session in opened:
        session.pinned = session.showcase.first()
        session.save()
    ChatMessage.objects.bulk_create(
        ChatMessage(live_session=opened[number // AT_ONCE], author=people[number], text=text)
        for number, text in enumerate(texts)
    )
    return opened


def test_nothing_that_pages_are_made_of_runs(watched: list[Page], live_server) -> None:
    sessions = hostile_market()
    text = '</title></script>"><img src=x onerror=window.pwned=1>'
    poll = Poll.objects.create(live_session=sessions[0], question=text)
    PollOption.objects.create(poll=poll, text=text, position=0)
    draw = Draw.objects.create(
        live_session=sessions[0],
        prize=text,
        secret="0" * 64,
        commitment="0" * 64,
        closes_at=timezone.now() + timedelta(hours=1),
    )

    rooms = [f"/live/{session.pk}/" for session in sessions]
    shown = ["/live/", *rooms, f"/live/{sessions[0].pk}/draws/{draw.pk}/"]
    for page in watched:
        for path in shown:
            response = page.goto(live_server.url + path, wait_until="domcontentloaded")
            # The room's script has had its turn, too.
            expect(page.locator("[data-share]:visible")).to_have_count(int(path in rooms))

            assert response is not None and response.ok
            assert ran(page) is None, path


def test_no_script_of_ours_makes_markup_of_a_text() -> None:
    makes_markup = re.compile(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|setHTML"
    )
    files = [
        file
        for file in Path(settings.BASE_DIR, "static", "js").glob("*.js")
        if file.name.startswith(("room", "share", "events", "player"))
    ]
    assert len(files) > 5
    for file in files:
        assert not makes_markup.search(file.read_text()), file.name
