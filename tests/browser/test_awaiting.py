"""Waiting for a session in a browser: the reminder, and the page that becomes the live room."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, Request, expect

from streams.models import ChangeCause, LiveSession, Reminder
from streams.session_life import start_session
from tests.browser.conftest import OpenPage
from tests.factories import LiveSessionFactory, UserFactory

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.mariadb]


def await_session(open_page: OpenPage, session: LiveSession) -> tuple[Page, list[Request]]:
    """The page of the session, whose clock the test moves, and all that it asks the server."""
    page = open_page("/healthz")
    asked: list[Request] = []
    page.on("request", lambda one: asked.append(one))
    page.clock.install(time=timezone.now())
    page.goto(page.url.replace("/healthz", f"/live/{session.pk}/"))
    return page, asked


def asks_of_sessions(asked: list[Request]) -> int:
    return sum("/api/v1/live-sessions/" in one.url for one in asked)


def test_the_page_becomes_the_room_when_the_session_starts(open_page: OpenPage) -> None:
    session = LiveSessionFactory(scheduled_at=timezone.now() - timedelta(minutes=1))
    page, asked = await_session(open_page, session)
    with page.expect_response("**/api/v1/live-sessions/*/"):
        page.clock.run_for(16_000)
    expect(page.locator("[data-awaits]")).to_be_visible()

    start_session(session.pk, by=None, cause=ChangeCause.STREAM, moment=timezone.now())
    with page.expect_navigation():
        page.clock.run_for(16_000)

    expect(page.locator("body.page-room")).to_be_visible()
    assert asks_of_sessions(asked) >= 2


def test_nobody_asks_while_the_beginning_is_far_or_the_page_out_of_sight(
    open_page: OpenPage,
) -> None:
    session = LiveSessionFactory(scheduled_at=timezone.now() + timedelta(hours=2))
    page, asked = await_session(open_page, session)
    page.clock.run_for(60 * 60 * 1000)
    assert asks_of_sessions(asked) == 0

    page.evaluate("Object.defineProperty(document, 'hidden', { get: () => true })")
    page.clock.run_for(70 * 60 * 1000)
    assert asks_of_sessions(asked) == 0


def test_a_viewer_asks_to_be_reminded_and_thinks_better_of_it(open_page: OpenPage) -> None:
    session, viewer = LiveSessionFactory(), UserFactory()
    page = open_page(f"/live/{session.pk}/", person=viewer)

    page.get_by_role("button", name="Remind me").click()
    expect(page.get_by_role("button", name="You will be reminded")).to_be_visible()
    assert Reminder.objects.get().user == viewer

    page.get_by_role("button", name="You will be reminded").click()
    expect(page.get_by_role("button", name="Remind me")).to_be_visible()
    assert not Reminder.objects.exists()
