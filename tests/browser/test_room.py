"""The room of a live session in a real browser: what one does, the others see."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from analytics.models import Event, EventKind
from streams.draws import open_draw
from streams.models import (
    ChangeCause,
    ChatMessage,
    ChatRules,
    DrawEntry,
    LiveSession,
    Moderator,
    PollVote,
    Visit,
)
from streams.polls import open_poll
from streams.room_changes import room_of
from streams.session_life import end_session
from streams.showcase import pin_course
from tests.browser.conftest import OpenPage
from tests.browser.market import Market, make_market
from tests.browser.test_pages_work import ALL_SENT
from tests.factories import (
    ChatMessageFactory,
    CouponFactory,
    PromotionFactory,
    SessionCouponFactory,
    SessionPromotionFactory,
    ShowcaseItemFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db(transaction=True)

WITHIN_A_SECOND = 1000
SHOWN_LATER = 15_000
# The line is open: what is written goes over it.
READY = '[data-room][data-line="open"]'


@pytest.fixture
def market() -> Market:
    return make_market()


def enter(open_page: OpenPage, session: LiveSession, **options: object) -> Page:
    """The room of the session, with its line open."""
    page = open_page(f"/live/{session.pk}/", **options)
    expect(page.locator(READY)).to_have_count(1, timeout=SHOWN_LATER)
    return page


def write(page: Page, text: str) -> None:
    page.fill("#say", text)
    page.press("#say", "Enter")


def line(page: Page, text: str):
    return page.locator(".talk__log .line", has=page.get_by_text(text, exact=True))


def test_what_one_viewer_writes_the_others_read_once(open_room, market) -> None:
    other = UserFactory(display_name="林同学")
    writer = enter(open_room, market.live, person=market.viewer)
    reader = enter(open_room, market.live, person=other, width=1440)
    visitor = enter(open_room, market.live)

    write(writer, "老师好 <b>hello</b>")

    for page in (writer, reader, visitor):
        expect(line(page, "老师好 <b>hello</b>")).to_have_count(1)
    expect(writer.locator("#say")).to_have_value("")
    expect(writer.locator(".line--mine")).to_have_count(1)
    expect(reader.locator(".line--mine")).to_have_count(0)
    expect(visitor.locator("#say")).to_have_count(0)
    assert ChatMessage.objects.get().author == market.viewer


def test_a_text_that_was_held_back_stays_and_is_sent_after_the_countdown(open_room, market) -> None:
    ChatRules.objects.create(live_session=market.live, burst=1, burst_seconds=60, pause_seconds=3)
    page = enter(open_room, market.live, person=market.viewer)

    write(page, "first")
    expect(line(page, "first")).to_have_count(1)
    write(page, "second")

    expect(page.locator("[data-held]")).to_contain_text("Your text is kept")
    expect(page.locator("#say")).to_have_value("second")
    expect(page.locator(".talk__send")).to_be_disabled()
    # The rules say three seconds; the burst is over as well when they are.
    ChatRules.objects.update(burst_seconds=1)
    expect(page.locator(".talk__send")).to_be_enabled(timeout=SHOWN_LATER)
    page.press("#say", "Enter")
    expect(line(page, "second")).to_have_count(1)


def test_what_the_seller_pins_is_shown_within_a_second_and_bought(open_room, market) -> None:
    live = market.live
    second = live.showcase.last().course
    SessionPromotionFactory(
        live_session=live,
        promotion__course=second,
        promotion__price=Decimal("12.50"),
        promotion__seats=9,
        promotion__seats_left=7,
    )
    page = enter(open_room, live, person=market.viewer)

    pin_course(live.pk, second.pk, moment=timezone.now())

    pinned = page.locator(".talk__pinned .good")
    expect(pinned).to_have_attribute("data-course", str(second.pk), timeout=WITHIN_A_SECOND)
    expect(pinned).to_contain_text("¥12.50")
    expect(pinned).to_contain_text("Seats left: 7")
    expect(pinned.locator("[data-until]")).to_contain_text("Ends in")
    pinned.locator("button[value=buy]").click()
    expect(page).to_have_url(re.compile("/cart/$"))
    expect(page.locator(".checkout__sum .sums__total")).to_contain_text("¥12.50")


def test_a_course_is_put_into_the_cart_and_the_viewer_stays(open_room, market) -> None:
    page = enter(open_room, market.live, person=market.viewer)
    page.evaluate("window.isSamePage = true")

    page.locator(f"#shown-{market.course.pk} button[value=stay]").click()

    expect(page.locator(".site-cart__n")).to_have_text("1")
    expect(page.locator("[data-told]")).to_contain_text("is in your cart")
    assert page.evaluate("window.isSamePage") is True


def test_a_coupon_a_vote_and_a_ticket_are_had_without_leaving(open_room, market) -> None:
    live, now = market.live, timezone.now()
    page = enter(open_room, live, person=market.viewer)
    page.evaluate("window.isSamePage = true")
    coupon = CouponFactory(seller=live.seller, code="LIVE10")
    SessionCouponFactory(live_session=live, coupon=coupon)
    poll = open_poll(live.pk, question="下一个讲什么？", options=["A", "B"], moment=now)
    draw = open_draw(
        live.pk, prize="一对一", n_winners=1, closes_at=now + timedelta(minutes=5), moment=now
    )

    page.locator("[data-coupon] button").click()
    expect(page.locator(".ticket__mine")).to_be_visible()
    page.locator(".poll__choice", has_text="B").click()
    expect(page.locator("[data-poll]")).to_contain_text("100% · 1")
    expect(page.locator(".poll__choice").first).to_be_disabled()
    page.get_by_role("button", name="Enter the draw").click()

    entry = DrawEntry.objects.filter(draw=draw)
    expect(page.locator("[data-draw]")).to_contain_text("Your ticket: ")
    expect(page.locator("[data-draw]")).to_contain_text(entry.get().ticket)
    expect(page.locator("[data-draw] a")).to_have_attribute(
        "href", f"/live/{live.pk}/draws/{draw.pk}/"
    )
    vote = PollVote.objects.get(poll=poll)
    assert (vote.voter, vote.option.text) == (market.viewer, "B")
    assert page.evaluate("window.isSamePage") is True


def test_a_moderator_hides_a_message_and_it_leaves_every_page(open_room, market) -> None:
    keeper = UserFactory()
    Moderator.objects.create(live_session=market.live, user=keeper)
    room_of(market.live.pk)
    said = ChatMessageFactory(live_session=market.live, text="buy elsewhere")
    moderator = enter(open_room, market.live, person=keeper)
    viewer = enter(open_room, market.live, person=market.viewer)
    expect(viewer.locator(".line__menu")).to_have_count(0)

    line(moderator, "buy elsewhere").locator(".line__menu").click()
    moderator.get_by_role("button", name="Hide").click()

    for page in (moderator, viewer):
        expect(line(page, "buy elsewhere")).to_have_count(0)
    said.refresh_from_db()
    assert said.hidden_by == keeper


def test_whoever_reads_back_stays_there_and_the_log_stays_short(open_room, market) -> None:
    room_of(market.live.pk)
    author = UserFactory()
    for n in range(60):
        ChatMessageFactory(live_session=market.live, author=author, text=f"old {n}")
    page = enter(open_room, market.live, person=market.viewer)
    log = page.locator("[data-log]")
    log.evaluate("log => log.scrollTop = 40")

    write(page, "new one")

    expect(line(page, "new one")).to_have_count(1)
    page.evaluate("document.querySelector('[data-log]').scrollTop = 40")
    ChatMessage.objects.bulk_create(
        ChatMessage(live_session=market.live, author=author, text=f"flood {n}") for n in range(320)
    )
    touch = ChatMessageFactory(live_session=market.live, author=author, text="the last")
    room = room_of(market.live.pk)
    room.last_message_id = touch.pk
    room.save()
    expect(line(page, "the last")).to_have_count(1, timeout=SHOWN_LATER)
    expect(page.locator("[data-newer]")).to_be_visible()
    assert page.locator(".talk__log .line").count() <= 300
    assert log.evaluate("log => log.scrollHeight - log.scrollTop - log.clientHeight") > 200
    page.locator("[data-newer]").click()
    assert log.evaluate("log => log.scrollHeight - log.scrollTop - log.clientHeight") < 5


def test_the_end_of_a_session_is_told_without_a_new_page(open_room, market) -> None:
    page = enter(open_room, market.live, person=market.viewer)
    page.evaluate("window.isSamePage = true")

    end_session(
        market.live.pk, by=market.live.seller, cause=ChangeCause.SELLER, moment=timezone.now()
    )

    expect(page.get_by_text("Thank you for watching")).to_be_visible()
    expect(page.locator("#say")).to_be_disabled()
    assert page.evaluate("window.isSamePage") is True


def test_likes_count_at_once_and_reach_the_others(open_room, market) -> None:
    page = enter(open_room, market.live, person=market.viewer)
    other = enter(open_room, market.live)

    for _ in range(3):
        page.locator("[data-like]").click()

    expect(page.locator("[data-likes]")).to_have_text("3")
    expect(other.locator("[data-likes]")).to_have_text("3", timeout=SHOWN_LATER)


def test_only_what_is_in_sight_counts_as_watched(open_room, market) -> None:
    page = open_room("/healthz", person=market.viewer)
    page.clock.install(time=timezone.now())
    beats: list[int] = []
    page.on("websocket", lambda line: line.on("framesent", lambda sent: beats.append(sent)))
    page.goto(page.url.replace("/healthz", f"/live/{market.live.pk}/?from=share"))
    expect(page.locator(READY)).to_have_count(1, timeout=SHOWN_LATER)
    assert "from=" not in page.url

    page.clock.run_for(16_000)
    page.evaluate("Object.defineProperty(document, 'hidden', { get: () => true })")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    before = len(beats)
    page.clock.run_for(120_000)

    seconds = [int(one) for one in re.findall(r'"seconds":(\d+)', " ".join(map(str, beats)))]
    assert 14 <= max(seconds) <= 18
    assert len(beats) == before
    page.goto("about:blank")
    assert_eventually(lambda: Visit.objects.filter(source="share").exists(), page)


def assert_eventually(holds, page: Page) -> None:
    for _ in range(150):
        if holds():
            return
        page.wait_for_timeout(100)
    raise AssertionError("it never came to hold")


def test_the_view_cards_that_script_made_and_sharing_become_events(
    open_room, room_server, market
) -> None:
    page = enter(open_room, market.live, person=market.viewer)
    page.evaluate("Object.defineProperty(navigator, 'share', { value: async () => {} })")
    added = ShowcaseItemFactory(live_session=market.live, course__title="Just added").course

    pin_course(market.live.pk, added.pk, moment=timezone.now())
    expect(page.locator(".talk__pinned .good")).to_have_attribute("data-course", str(added.pk))
    page.locator("[data-share]").click()
    # An impression is half of a card for a second.
    page.wait_for_timeout(1500)
    page.locator(".talk__pinned .good__title a").click()
    page.wait_for_url("**/courses/**")
    page.evaluate(ALL_SENT)

    kinds = set(
        Event.objects.filter(live_session=market.live, user=market.viewer).values_list(
            "kind", "course"
        )
    )
    assert {
        (EventKind.VIEW, None),
        (EventKind.SHARE, None),
        (EventKind.IMPRESSION, added.pk),
        (EventKind.CLICK, added.pk),
    } <= kinds


def test_without_script_the_room_shows_its_state_and_sells(open_page, live_server, market) -> None:
    ChatMessageFactory(live_session=market.live, text="hello there")
    page = open_page("/", person=market.viewer, java_script_enabled=False)

    page.goto(f"{live_server.url}/live/{market.live.pk}/")

    expect(page.get_by_text("hello there")).to_be_visible()
    expect(page.get_by_text("Writing needs JavaScript")).to_be_visible()
    expect(page.locator("#say")).to_be_hidden()
    page.locator(".talk__pinned button[value=buy]").click()
    expect(page).to_have_url(re.compile("/cart/$"))


def test_without_sockets_the_room_is_read_and_written_by_asking(
    open_page, live_server, market
) -> None:
    PromotionFactory(course=market.live.showcase.last().course)
    writer = enter(open_page, market.live, person=market.viewer)
    reader = enter(open_page, market.live)

    write(writer, "over plain HTTP")

    expect(line(writer, "over plain HTTP")).to_have_count(1, timeout=SHOWN_LATER)
    expect(line(reader, "over plain HTTP")).to_have_count(1, timeout=SHOWN_LATER)
