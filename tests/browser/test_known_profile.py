"""A person looks at what is known of them, on a phone, and switches a part of it off."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from accounts.models import User
from analytics.models import EventKind, Profile
from analytics.pipelines.profiles import refresh_profiles
from tests.factories import (
    CategoryFactory,
    CourseFactory,
    EventFactory,
    LedgerEntryFactory,
    LiveSessionFactory,
    OrderFactory,
    PurchaseFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ann() -> User:
    person, now = UserFactory(display_name="Ann"), timezone.now()
    session = LiveSessionFactory(ended=True)
    music, code, _ = (
        CategoryFactory(slug=slug, name_en=name, name_zh=zh)
        for slug, name, zh in [
            ("music", "Music", "音乐"),
            ("code", "Programming and data", "编程与数据"),
            ("chess", "Chess", "国际象棋"),
        ]
    )
    for hours_ago, field, kind, value in [
        (30, music, EventKind.VIEW, None),
        (31, music, EventKind.LIKE, 12),
        (54, music, EventKind.WATCH, 4000),
        (20, code, EventKind.VIEW, None),
    ]:
        EventFactory(
            user=person,
            course=CourseFactory(category=field),
            kind=kind,
            value=value,
            live_session=session,
            occurred_at=now - timedelta(hours=hours_ago),
        )
    order = OrderFactory(buyer=person)
    PurchaseFactory(order=order, course=CourseFactory(category=music), price=60)
    LedgerEntryFactory(order=order, recorded_at=now - timedelta(hours=30))
    refresh_profiles(now=now)
    return person


def no_sideways_scrolling(page: Page) -> bool:
    return page.evaluate(
        "() => document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    )


@pytest.mark.parametrize("has_script", [True, False])
def test_an_interest_that_is_switched_off_is_gone_and_comes_back(
    open_page, ann: User, has_script: bool
) -> None:
    page = open_page("/account/", width=390, person=ann, java_script_enabled=has_script)
    interests = page.locator("#known-interests")
    shown = interests.locator(".known__fields > li")
    expect(shown).to_have_count(2)
    field = shown.filter(has_text="Programming and data")

    field.get_by_text("Change").click()
    field.get_by_role("button", name="Switch off").click()

    expect(page).to_have_url(re.compile("/account/#known-interests$"))
    expect(shown).to_have_count(1)
    expect(shown).to_contain_text("100%")
    off = interests.locator(".known__off")
    expect(off).to_contain_text("Programming and data")
    assert len(Profile.objects.get(pk=ann.pk).interests) == 1

    off.get_by_role("button", name="Switch on Programming and data").click()

    expect(shown).to_have_count(2)


def test_hours_are_chosen_by_touch(open_page, ann: User) -> None:
    page = open_page("/account/", width=390, person=ann)
    hours = page.locator("#known-hours")
    chosen = len(Profile.objects.get(pk=ann.pk).favourite_hours)

    hours.get_by_text("Choose other hours").click()
    assert hours.locator("input:checked").count() == chosen
    for _ in range(chosen):
        hours.locator("label.chip:has(input:checked)").first.click()
    hours.locator("label.chip", has_text="07:00–08:00").click()
    hours.get_by_role("button", name="Save").click()

    expect(hours.locator(".known__values")).to_contain_text("07:00–08:00")
    expect(hours).to_contain_text("Chosen by you")


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("width", [390, 1440])
def test_the_page_fits_and_can_be_read_by_everybody(
    open_page, ann: User, axe: str, language: str, width: int
) -> None:
    page = open_page("/account/", width=width, language=language, person=ann)
    for summary in page.locator(".known summary").all():
        summary.click()

    assert no_sideways_scrolling(page)
    page.evaluate(axe)
    found = page.evaluate("() => axe.run('#known')")
    assert [(one["id"], one["nodes"][0]["html"]) for one in found["violations"]] == []
