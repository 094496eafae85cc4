"""The parts of the desk that analytics owns: what they say, how they refresh, what they export."""

from __future__ import annotations

import re
from datetime import timedelta
from io import BytesIO

import pytest
import tablib
from django.core.cache import cache
from django.db import connection
from django.template import engines
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from analytics import next_course as module
from analytics.models import EventKind, Profile, Task
from analytics.next_course import next_courses
from catalog.models import Course
from streams.models import LiveSession, SessionStatus
from tests.analytics.models_of import served_model
from tests.analytics.rooms import NOW, bought, came, did, ended_room, live_room
from tests.factories import (
    CourseFactory,
    EnrollmentFactory,
    LiveSessionFactory,
    ModelRunFactory,
    SellerFactory,
    SessionFiguresFactory,
    ShowcaseItemFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def session() -> LiveSession:
    return LiveSessionFactory(live=True)


@pytest.fixture
def desk(client: Client, session: LiveSession) -> Client:
    client.force_login(session.seller)
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
    return client


def shown_in(session: LiveSession, title: str = "Ink") -> Course:
    course = CourseFactory(seller=session.seller, title=title)
    ShowcaseItemFactory(live_session=session, course=course)
    return course


def address(session: LiveSession, name: str = "desk_figures") -> str:
    return reverse(f"analytics:{name}", args=[session.pk])


def tile(html: str, key: str) -> str:
    """The text of one figure."""
    found = re.search(rf'id="figure-{key}">(.*?)</div>', html, re.S)
    assert found, key
    return " ".join(re.sub(r"<[^>]+>", " ", found[1]).split())


class TestFigures:
    def test_they_move_with_what_happens(
        self, desk: Client, session: LiveSession, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        course = shown_in(session)
        html = desk.get(address(session)).content.decode()
        assert tile(html, "viewers") == "Viewers in all 0 0 views"
        assert tile(html, "conversion") == "Conversion no viewers yet"

        buyer = UserFactory()
        came(session, buyer, source="home")
        bought(session, buyer, course, price=90)
        later = timezone.now() + timedelta(seconds=1)
        monkeypatch.setattr(timezone, "now", lambda: later)
        html = desk.get(address(session)).content.decode()

        assert tile(html, "viewers") == "Viewers in all 1 1 view"
        assert tile(html, "conversion") == "Conversion 100.0% 1 of 1"
        assert tile(html, "gmv") == "GMV ¥90"
        assert "home page" in html and "Ink" in html

    def test_what_the_page_shows_already_is_not_sent_again(
        self, desk: Client, session: LiveSession
    ) -> None:
        html = desk.get(address(session)).content.decode()
        seen = re.search(r'name="seen" value="(\w+)" data-live="yes"', html)
        assert seen
        assert desk.get(address(session), {"seen": seen[1]}).status_code == 204
        assert desk.get(address(session), {"seen": "other"}).status_code == 200

    def test_after_the_session_they_are_its_report(
        self, desk: Client, session: LiveSession
    ) -> None:
        session.status, session.ended_at = SessionStatus.ENDED, timezone.now()
        session.save()
        html = desk.get(address(session)).content.decode()
        assert 'data-live="no"' in html
        assert "Viewers now" not in html

    def test_a_title_is_text_and_nothing_else(self, desk: Client, session: LiveSession) -> None:
        shown_in(session, "</script><script>alert(1)</script>")
        html = desk.get(address(session)).content.decode()
        assert "<script>alert" not in html

    def test_the_tags_ask_for_both_parts(self, session: LiveSession) -> None:
        template = engines["django"].from_string(
            "{% load live_figures %}{% session_figures_panel s %}{% next_course_panel s %}"
        )
        html = template.render({"s": session})
        for name in ("desk_figures", "desk_next"):
            assert f'hx-get="{address(session, name)}"' in html


class TestReport:
    @pytest.mark.parametrize("form", ["csv", "xlsx"])
    def test_it_opens_in_a_spreadsheet_without_becoming_a_formula(
        self, desk: Client, session: LiveSession, form: str
    ) -> None:
        shown_in(session, "=1+1")
        response = desk.get(address(session, f"desk_report_{form}"))

        assert response["Content-Disposition"] == (
            f'attachment; filename="session-{session.pk}.{form}"'
        )
        table = tablib.Dataset()
        if form == "csv":
            table.load(response.content.decode("utf-8-sig"), format="csv")
        else:
            table.load(BytesIO(response.content), format="xlsx")
        names = {row["name"] for row in table.dict if row["part"] == "product"}
        assert names == {"'=1+1"}
        assert ("session", "conversion") in {(row["part"], row["figure"]) for row in table.dict}


class TestNextCourse:
    @pytest.fixture
    def room(self) -> LiveSession:
        """A live room with past sessions in which brush sold and ink did not."""
        session = live_room()
        ink, brush = shown_in(session, "Ink"), shown_in(session, "Brush")
        for n in range(3):
            before = ended_room(session.seller, days_ago=n + 1)
            for course, n_sold in ((ink, 0), (brush, 4)):
                for person in UserFactory.create_batch(12):
                    did(before, EventKind.IMPRESSION, user=person, course=course)
                    if n_sold > 0:
                        did(before, EventKind.CLICK, user=person, course=course)
                        bought(before, person, course)
                    n_sold -= 1
        return session

    def titles(self, session: LiveSession) -> list[str]:
        cache.clear()
        advice = next_courses(session, moment=NOW)
        assert advice is not None
        return [one.title for one in advice.courses]

    def test_what_sold_before_comes_first_and_says_so(self, room: LiveSession) -> None:
        assert self.titles(room) == ["Brush", "Ink"]
        advice = next_courses(room, moment=NOW)
        assert advice is not None
        best = advice.courses[0]
        assert best.reason == "past"
        assert 0 < best.low < best.expected < best.high < 1
        assert not advice.knows_audience

    def test_it_follows_who_is_in_the_room(self, room: LiveSession) -> None:
        """Given twelve in the room who have brush already and are recommended ink."""
        ink, brush = Course.objects.filter(seller=room.seller).order_by("pk")
        served_model([ink, brush], after={1: {0: 0.9}})
        for person in UserFactory.create_batch(12):
            came(room, person, minute=9)
            EnrollmentFactory(user=person, course=brush)

        assert self.titles(room) == ["Ink", "Brush"]
        advice = next_courses(room, moment=NOW)
        assert advice is not None and advice.knows_audience
        assert advice.n_viewers == 12

    def test_fewer_than_ten_known_viewers_leave_no_trace_in_it(self, room: LiveSession) -> None:
        before = next_courses(room, moment=NOW)
        _ink, brush = Course.objects.filter(seller=room.seller).order_by("pk")
        run = ModelRunFactory(task=Task.PROFILES)
        for person in UserFactory.create_batch(9):
            came(room, person, minute=9)
            EnrollmentFactory(user=person, course=brush)
            Profile.objects.create(user=person, run=run, interests=[])
        cache.clear()
        after = next_courses(room, moment=NOW)

        assert before is not None and after is not None
        assert (after.n_viewers, after.knows_audience) == (9, False)
        assert after.courses == before.courses

    def test_who_left_a_minute_ago_is_not_in_the_room(self, room: LiveSession) -> None:
        came(room, UserFactory(), minute=7, watched=60)
        advice = next_courses(room, moment=NOW)
        assert advice is not None and advice.n_viewers == 0

    def test_what_is_not_on_sale_is_not_advised(self, room: LiveSession) -> None:
        Course.objects.filter(title="Brush").update(status="archived")
        assert self.titles(room) == ["Ink"]

    def test_it_is_made_once_in_ten_seconds(
        self, room: LiveSession, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made = []
        rank = module._rank
        monkeypatch.setattr(module, "_rank", lambda *a, **k: (made.append(1), rank(*a, **k))[1])
        for _ in range(3):
            next_courses(room, moment=NOW)
        assert len(made) == 1

    def test_more_viewers_do_not_cost_more_queries(self, room: LiveSession) -> None:
        ink, brush = Course.objects.filter(seller=room.seller).order_by("pk")
        served_model([ink, brush], after={1: {0: 0.9}})

        def fill(n: int) -> None:
            for person in UserFactory.create_batch(n):
                came(room, person, minute=9)
                EnrollmentFactory(user=person, course=brush)

        def n_queries() -> int:
            cache.clear()
            with CaptureQueriesContext(connection) as asked:
                next_courses(room, moment=NOW)
            return len(asked)

        fill(12)
        n_queries()
        few = n_queries()
        fill(40)
        assert n_queries() <= few <= 10

    def test_the_page_ranks_and_offers_to_pin(self, desk: Client, session: LiveSession) -> None:
        shown_in(session)
        html = desk.get(address(session, "desk_next")).content.decode()
        assert "Not shown yet in this session" in html
        assert f'action="{reverse("streams:desk_pin", args=[session.pk])}"' in html

    def test_after_the_session_there_is_nothing_to_show_next(
        self, desk: Client, session: LiveSession
    ) -> None:
        LiveSession.objects.filter(pk=session.pk).update(status="ended", ended_at=timezone.now())
        html = desk.get(address(session, "desk_next")).content.decode()
        assert "while the session is live" in html and 'data-live="no"' in html


class TestApi:
    def test_the_metrics_hold_the_figures_of_now(self) -> None:
        session = live_room()
        course, buyer = shown_in(session), UserFactory()
        came(session, buyer, source="share")
        bought(session, buyer, course, price=70)
        client = APIClient()
        client.force_authenticate(session.seller)

        live = client.get(f"/api/v1/seller/sessions/{session.pk}/metrics/").json()["live"]

        assert live["counts"]["conversion"]["percent"] == "100.0%"
        assert live["counts"]["gmv_per_thousand_views"] == "70000.00"
        assert live["products"][0]["counts"]["gmv"] == "70.00"
        assert live["sources"][0]["source"] == "share"
        # Of one viewer it would be that viewer's own time.
        assert live["average_watch_seconds"] is None

    def test_of_imported_ones_there_are_none(self) -> None:
        figures = SessionFiguresFactory(source="imported", live_session__seller=SellerFactory())
        client = APIClient()
        client.force_authenticate(figures.live_session.seller)
        shown = client.get(f"/api/v1/seller/sessions/{figures.pk}/metrics/").json()
        assert shown["live"] is None
        assert shown["n_viewers"] == 1000
