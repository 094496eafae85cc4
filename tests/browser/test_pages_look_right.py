"""Nothing stands in anybody's way: contrast, names of controls, widths of screens."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from analytics.models import ListExposure, RunOutcome
from streams.draws import open_draw
from streams.polls import open_poll
from streams.room_changes import room_of
from tests.browser.market import Market, make_market
from tests.conftest import IS_LONG
from tests.factories import (
    ChatMessageFactory,
    CouponFactory,
    ModelRunFactory,
    OperatorFactory,
    SessionCouponFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db(transaction=True)

# Controls of the room that a finger would miss: less than 44 px high.
TOO_SMALL = """() => [...document.querySelectorAll(".room button, .room input:not([type=hidden])")]
  .filter((one) => one.offsetParent && !one.disabled && !one.matches(".line__menu"))
  .filter((one) => one.getBoundingClientRect().height < 44)
  .map((one) => one.outerHTML.slice(0, 120))"""

# Of the operator's page about the recommender.
N_PLOTS = 5

# Width, language and scheme: each of their values; with LIVECOURSE_LONG_TESTS=1 both languages and
# both schemes at both widths.
LOOKS = [(390, "en", "dark"), (1440, "zh", "light")]
if IS_LONG:
    LOOKS += [(390, "zh", "light"), (1440, "en", "dark")]

RUN_AXE = """async () => {
  const found = await axe.run(document, {resultTypes: ["violations"]});
  return found.violations
    .filter((one) => ["serious", "critical"].includes(one.impact))
    .map((one) => [one.id, one.nodes.map((node) => node.html.slice(0, 160))]);
}"""


@pytest.fixture
def market() -> Market:
    return make_market()


def fill_room(market: Market) -> None:
    """Everything that a room may show at once: chat, a coupon, a poll, a lucky draw."""
    live, now = market.live, timezone.now()
    room_of(live.pk)
    for author in (live.seller, market.viewer, UserFactory()):
        ChatMessageFactory(live_session=live, author=author, text="很长很长的一句话" * 12)
    SessionCouponFactory(live_session=live, coupon=CouponFactory(seller=live.seller, code="L10"))
    open_poll(live.pk, question="下一个讲什么？", options=["A" * 80, "B"], moment=now)
    open_draw(live.pk, prize="一对一", n_winners=1, closes_at=now + timedelta(1), moment=now)


def fill_recommender(market: Market) -> None:
    """Every plot and every table of the operator's page about the recommender."""
    now, seller = timezone.now(), market.live.seller
    scores = [
        {"method": name, "ndcg@10": 0.2, "recall@10": 0.3, "coverage": 0.8, "fit_seconds": 2.5}
        for name in ("popularity", "demographic_knn", "hybrid")
    ]
    ModelRunFactory(
        finished_at=now,
        method="hybrid",
        scores=scores,
        parameters={"weights": {"together": 1.0}},
        figures={
            "coverage": {"share": 0.8, "n_shown": 80, "n_courses": 100, "n_people": 500},
            "newcomers": [{"known": 0, "ndcg@10": 0.13, "popularity": 0.1, "n": 77}],
            "sellers": [{"seller": seller.pk, "share": 1.0, "n_places": 9, "n_courses": 6}],
        },
    )
    ModelRunFactory(outcome=RunOutcome.FAILED, served=False, message="KeyError: 'a'" * 9)
    ListExposure.objects.create(
        day=timezone.localdate(), course=market.course, n_shown=9, n_explored=1
    )


@pytest.mark.parametrize(("width", "language", "scheme"), LOOKS)
def test_a_room_with_everything_in_it_is_free_of_barriers_and_fits(
    open_room, axe, market, width, language, scheme
) -> None:
    fill_room(market)
    options = {"width": width, "language": language, "color_scheme": scheme, "bypass_csp": True}
    for person in (None, market.viewer, market.live.seller):
        page = open_room(f"/live/{market.live.pk}/", person=person, **options)
        expect(page.locator("[data-poll]")).to_be_visible(timeout=15_000)
        page.evaluate(axe)

        assert page.evaluate(RUN_AXE) == []
        small = page.evaluate(TOO_SMALL)
        assert small == [], small
        for narrow in (320, width):
            page.set_viewport_size({"width": narrow, "height": 844})
            assert page.evaluate("document.documentElement.scrollWidth") <= narrow


@pytest.mark.parametrize(("width", "language", "scheme"), LOOKS)
def test_axe_finds_nothing_serious_on_any_page(
    open_page, axe, live_server, market, width, language, scheme
) -> None:
    options = {"width": width, "language": language, "color_scheme": scheme, "bypass_csp": True}
    visitor = open_page("/", **options)
    member = open_page("/account/", person=market.viewer, **options)
    visited = [*market.paths(), "/courses/?q=nowhere", "/account/login/", "/account/signup/"]
    for page, paths in ((visitor, visited), (member, ["/account/", "/account/email/", "/"])):
        for path in paths:
            page.goto(live_server.url + path)
            page.evaluate(axe)

            assert page.evaluate(RUN_AXE) == [], json.dumps([path, width, language, scheme])


@pytest.mark.parametrize("language", ["en", "zh"])
def test_no_page_scrolls_sideways_on_a_small_screen(
    open_page, live_server, market, language
) -> None:
    visitor = open_page("/", language=language)
    member = open_page("/", language=language, person=market.viewer)
    visited = [*market.paths(), "/account/login/", "/account/signup/", "/nowhere/"]
    for page, paths in ((visitor, visited), (member, ["/account/", "/account/email/"])):
        for path in paths:
            page.goto(live_server.url + path)
            for width in (320, 390):
                page.set_viewport_size({"width": width, "height": 844})
                needed = page.evaluate("document.documentElement.scrollWidth")

                assert needed <= width, f"{path} at {width} px needs {needed} px"


@pytest.mark.parametrize(("width", "language", "scheme"), LOOKS)
def test_the_overviews_of_the_admin_are_free_of_barriers_and_fit(
    open_page, axe, live_server, market, width, language, scheme
) -> None:
    """Given a version that was scored, lists that were shown, and a fit that failed since."""
    fill_recommender(market)
    options = {"width": width, "language": language, "color_scheme": scheme, "bypass_csp": True}
    page = open_page("/", person=OperatorFactory(), **options)
    for path in ("/admin/", "/admin/analytics/modelrun/recommender/"):
        page.goto(live_server.url + path)
        expect(page.locator("[data-chart] svg")).to_have_count(page.locator("[data-chart]").count())
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.evaluate(axe)

        assert page.evaluate(RUN_AXE) == [], json.dumps([path, width, language, scheme])
    assert page.locator("[data-chart]").count() == N_PLOTS
    assert page.locator(".lc-alarm").count() == 1
