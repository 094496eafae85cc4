"""Nothing stands in anybody's way: contrast, names of controls, widths of screens."""

from __future__ import annotations

import json

import pytest

from tests.browser.market import Market, make_market

pytestmark = pytest.mark.django_db(transaction=True)

RUN_AXE = """async () => {
  const found = await axe.run(document, {resultTypes: ["violations"]});
  return found.violations
    .filter((one) => ["serious", "critical"].includes(one.impact))
    .map((one) => [one.id, one.nodes.map((node) => node.html.slice(0, 160))]);
}"""


@pytest.fixture
def market() -> Market:
    return make_market()


# Both languages at both widths, both schemes at both widths.
@pytest.mark.parametrize(
    ("width", "language", "scheme"),
    [(390, "en", "light"), (390, "zh", "dark"), (1440, "zh", "light"), (1440, "en", "dark")],
)
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
