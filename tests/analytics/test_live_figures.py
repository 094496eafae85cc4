"""The figures of a running session, each against a room counted by hand."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import translation

from accounts.models import User
from analytics import live_figures as module
from analytics.live_audience import Division
from analytics.live_figures import REBUILT_AFTER, LiveFigures, live_figures
from analytics.live_words import basis_text, figures_shown, minute_table, report_of
from analytics.methods.rates import Rate
from analytics.models import Event, EventKind, Profile, Task
from catalog.models import Course, Purchase
from streams.attendance import unlinked_visitor
from streams.models import (
    LiveSession,
    PinnedSpan,
    Poll,
    Room,
    RoomMinute,
    RoomPresence,
    SessionStatus,
)
from tests.analytics.rooms import NOW, START, at, bought, came, did, ended_room, live_room
from tests.factories import (
    CategoryFactory,
    CourseFactory,
    ModelRunFactory,
    SessionCouponFactory,
    SessionFiguresFactory,
    SessionPromotionFactory,
    ShowcaseItemFactory,
    StatedAttributesFactory,
    UserFactory,
)

pytestmark = [pytest.mark.django_db, pytest.mark.mariadb]

LATER = timedelta(seconds=2)


@pytest.fixture(autouse=True)
def in_english() -> Iterator[None]:
    with translation.override("en"):
        yield


@pytest.fixture
def session() -> LiveSession:
    return live_room()


def shown_in(session: LiveSession, n: int = 2) -> list[Course]:
    courses = [CourseFactory(seller=session.seller) for _ in range(n)]
    for course in courses:
        ShowcaseItemFactory(live_session=session, course=course)
    return courses


def figures_of(session: LiveSession, *, after: timedelta = timedelta(0)) -> LiveFigures:
    return live_figures(session, moment=NOW + after)


def words_of(figures: LiveFigures) -> dict[str, tuple[str, str]]:
    return {one.key: (one.value, one.detail) for one in figures_shown(figures)}


class TestEveryFigure:
    def test_a_room_counted_by_hand(self, session: LiveSession) -> None:
        """Given 12 viewers, 8 clicks of 40 impressions, 3 orders by 2 buyers."""
        ink, brush = shown_in(session)
        people = UserFactory.create_batch(11)
        for person in people:
            came(session, person, watched=120)
        came(session, people[0], minute=4, watched=60)
        came(session, watched=300)
        for n in range(40):
            did(session, EventKind.IMPRESSION, user=people[n % 11], course=ink, minute=n / 10)
        for n in range(8):
            did(session, EventKind.CLICK, user=people[n], course=ink, minute=2)
        bought(session, people[0], ink, price=120, minute=3)
        bought(session, people[0], brush, price=30, minute=5)
        bought(session, people[1], ink, brush, price=75, minute=6)
        Room.objects.create(live_session=session, peak_viewers=12, n_likes=77)

        figures = figures_of(session)

        counts = figures.counts
        assert (counts.n_viewers, counts.n_views) == (12, 13)
        assert counts.watched_seconds == 11 * 120 + 60 + 300
        assert counts.average_watch_seconds == 1680 / 12
        assert (counts.n_impressions, counts.n_clicks) == (40, 8)
        assert counts.click_through == Rate(8, 40)
        assert (counts.n_orders, counts.n_buyers) == (3, 2)
        assert counts.click_to_order == Rate(3, 8)
        assert counts.conversion == Rate(2, 12)
        assert counts.gmv == Decimal("300.00")
        assert counts.gmv_per_thousand_views == Decimal("23076.92")
        assert (figures.peak_viewers, figures.n_likes, figures.seconds) == (12, 77, 600.0)

    def test_no_rate_stands_without_its_two_counts_or_with_nothing_to_divide_by(
        self, session: LiveSession
    ) -> None:
        empty = words_of(figures_of(session))
        assert empty["conversion"] == ("no viewers yet", "")
        assert empty["click_through"] == ("nothing shown yet", "")
        assert empty["click_to_order"] == ("no clicks yet", "")
        assert empty["average_watch"] == ("no viewers yet", "")
        assert empty["gmv_per_thousand_views"] == ("no viewers yet", "")

        person = UserFactory()
        came(session, person)
        bought(session, person, CourseFactory(seller=session.seller))
        shown = words_of(figures_of(session, after=LATER))

        assert shown["conversion"] == ("100.0%", "1 of 1")
        # More orders than clicks were recorded: that share would be above one.
        assert shown["click_to_order"] == ("–", "")

    def test_a_refund_lowers_net_sales_alone(self, session: LiveSession) -> None:
        course = CourseFactory(seller=session.seller)
        (kept,) = bought(session, UserFactory(), course, price=80)
        (returned,) = bought(session, UserFactory(), course, price=20)
        returned.refunded_at = NOW
        returned.save()

        counts = figures_of(session).counts

        assert (counts.gmv, counts.net_sales, counts.n_buyers) == (100, 80, 2)
        assert words_of(figures_of(session))["gmv"] == ("¥100", "¥20 given back")
        assert kept.refunded_at is None

    def test_what_an_order_holds_of_other_sellers_is_not_in_it(self, session: LiveSession) -> None:
        bought(session, UserFactory(), CourseFactory(seller=session.seller), CourseFactory())
        assert figures_of(session).counts.gmv == 100

    def test_viewers_now_are_the_union_of_what_the_processes_hold(
        self, session: LiveSession
    ) -> None:
        one, two, three = (bytes([n]) * 8 for n in (1, 2, 3))
        for viewers, seen_at in ((one + two, NOW), (two + three, NOW), (b"x" * 8, at(5))):
            RoomPresence.objects.create(
                live_session=session, process=uuid.uuid4(), viewers=viewers, seen_at=seen_at
            )
        figures = figures_of(session)
        assert (figures.viewers_now, figures.peak_viewers) == (3, 3)


class TestNothingIsCountedTwice:
    def test_a_stay_told_by_the_room_and_by_events_is_one(self, session: LiveSession) -> None:
        person = UserFactory()
        visit = came(session, person, watched=200)
        Event.objects.create(
            uuid=visit.key,
            kind=EventKind.WATCH,
            user=person,
            live_session=session,
            value=200,
            occurred_at=NOW,
        )
        did(session, EventKind.VIEW, user=person)

        counts = figures_of(session).counts

        assert (counts.n_viewers, counts.n_views, counts.watched_seconds) == (1, 1, 200)

    def test_anonymous_viewers_cannot_be_made_up_where_the_room_counted(
        self, session: LiveSession
    ) -> None:
        did(session, EventKind.VIEW)
        assert figures_of(session).counts.n_viewers == 1

        came(session, UserFactory())

        assert figures_of(session, after=LATER).counts.n_viewers == 1

    def test_a_buyer_who_refuses_personalisation_is_one_viewer(self, session: LiveSession) -> None:
        """Given that their stay is not linked to them, as the room stores it."""
        person = UserFactory(is_personalised=False)
        unlinked = unlinked_visitor(session_id=session.pk, user_id=person.pk)
        came(session, visitor=unlinked, source="home")
        bought(session, person, CourseFactory(seller=session.seller))

        figures = figures_of(session)

        assert figures.counts.conversion == Rate(1, 1)
        assert [one.source for one in figures.sources] == ["home"]
        assert figures.curve is not None and figures.curve.n_viewers[-1] == 1

    def test_nobody_watched_longer_than_it_lasted(self, session: LiveSession) -> None:
        did(session, EventKind.WATCH, value=86_400)
        assert figures_of(session).counts.watched_seconds == 600

    def test_what_came_late_is_counted_and_what_grew_is_read_again(
        self, session: LiveSession
    ) -> None:
        visit = came(session, UserFactory(), minute=8, watched=60)
        did(session, EventKind.CLICK, minute=1)
        assert figures_of(session).counts.n_clicks == 1

        visit.watched_seconds, visit.last_seen_at = 90, at(9.5)
        visit.save()
        did(session, EventKind.CLICK, minute=0.5)
        counts = figures_of(session, after=LATER).counts

        assert (counts.n_clicks, counts.watched_seconds) == (2, 90)


class TestWhatAProcessKeeps:
    @pytest.fixture(autouse=True)
    def short_tail(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "TAIL", 5)

    def test_kept_counts_and_new_events_give_the_same_as_counting_anew(
        self, session: LiveSession
    ) -> None:
        course = CourseFactory()
        people = UserFactory.create_batch(3)
        elsewhere = live_room()
        for n in range(30):
            kind = (EventKind.IMPRESSION, EventKind.CLICK, EventKind.VIEW)[n % 3]
            did(session, kind, user=people[n % 2], course=course, minute=n / 6)
            did(elsewhere, kind, user=people[2])
            figures = figures_of(session, after=n * LATER)

        fresh = live_room()
        Event.objects.filter(live_session=session).update(live_session=fresh)
        again = live_figures(fresh, moment=NOW + 29 * LATER)

        assert figures.counts == again.counts
        assert figures.counts.n_clicks == 10
        assert figures.curve is not None and again.curve is not None
        assert figures.curve.n_clicks.tolist() == again.curve.n_clicks.tolist()

    def test_an_event_that_committed_behind_the_newest_one_is_counted(
        self, session: LiveSession
    ) -> None:
        for _ in range(20):
            did(session, EventKind.CLICK)
        newest = Event.objects.latest("pk")
        slow = did(session, EventKind.CLICK)
        values = {f.attname: getattr(slow, f.attname) for f in Event._meta.concrete_fields}
        slow.delete()
        Event.objects.filter(pk=newest.pk).update(id=newest.pk + 100)
        assert figures_of(session).counts.n_clicks == 20

        Event.objects.create(**{**values, "id": newest.pk + 97})

        assert figures_of(session, after=LATER).counts.n_clicks == 21

    def test_what_was_erased_goes_when_it_is_built_anew(self, session: LiveSession) -> None:
        for _ in range(20):
            did(session, EventKind.CLICK)
        came(session, UserFactory())
        assert figures_of(session).counts.n_clicks == 20
        Event.objects.all().delete()
        session.visits.all().delete()

        counts = figures_of(session, after=REBUILT_AFTER).counts

        assert (counts.n_clicks, counts.n_viewers) == (0, 0)

    def test_it_is_computed_once_a_second_however_many_ask(
        self, session: LiveSession, django_assert_num_queries
    ) -> None:
        first = figures_of(session)
        # Whether something was sold meanwhile.
        with django_assert_num_queries(1):
            assert figures_of(session, after=timedelta(milliseconds=900)) is first
        assert figures_of(session, after=timedelta(seconds=1)) is not first

    def test_what_was_sold_or_given_back_since_shows_at_once(self, session: LiveSession) -> None:
        course = CourseFactory(seller=session.seller)
        assert figures_of(session).counts.n_orders == 0

        (line,) = bought(session, UserFactory(), course, price=100)
        bought(live_room(), UserFactory(), course)
        sold = figures_of(session).counts
        Purchase.objects.filter(pk=line.pk).update(refunded_at=NOW)
        returned = figures_of(session).counts

        assert (sold.n_orders, sold.net_sales) == (1, 100)
        assert returned.net_sales == 0

    def test_the_end_of_the_session_shows_at_once(self, session: LiveSession) -> None:
        assert figures_of(session).is_live
        session.status, session.ended_at = SessionStatus.ENDED, NOW
        session.save()
        assert not figures_of(session).is_live


class TestByProductAndSource:
    def test_products_stand_in_the_order_of_the_showcase(self, session: LiveSession) -> None:
        ink, brush = shown_in(session)
        besides = CourseFactory(seller=session.seller)
        did(session, EventKind.IMPRESSION, course=brush)
        did(session, EventKind.CLICK, course=brush)
        did(session, EventKind.CLICK)
        bought(session, UserFactory(), brush, besides, price=40)

        found = figures_of(session).products

        assert [one.course_id for one in found] == [ink.pk, brush.pk, besides.pk]
        assert [one.is_in_showcase for one in found] == [True, True, False]
        assert found[1].counts.click_through == Rate(1, 1)
        assert [one.counts.n_orders for one in found] == [0, 1, 1]
        assert [one.counts.gmv for one in found] == [0, 40, 40]

    def test_a_viewer_belongs_to_the_source_of_the_first_visit(self, session: LiveSession) -> None:
        course = CourseFactory(seller=session.seller)
        buyer, seen_by_events, unseen = UserFactory.create_batch(3)
        came(session, buyer, source="home")
        came(session, buyer, source="share", minute=3)
        came(session, source="share")
        did(session, EventKind.CLICK, user=buyer)
        did(session, EventKind.VIEW, user=seen_by_events)
        bought(session, buyer, course)
        bought(session, unseen, course, price=50)

        figures = figures_of(session)

        by_source = {one.source: one.counts for one in figures.sources}
        assert set(by_source) == {"home", "share", ""}
        assert by_source["home"].conversion == Rate(1, 1)
        assert (by_source["home"].n_clicks, by_source["home"].gmv) == (1, 100)
        assert by_source["share"].conversion == Rate(0, 1)
        assert by_source[""].conversion == Rate(1, 2)
        for name in ("n_viewers", "n_views", "n_clicks", "n_orders", "n_buyers", "gmv"):
            total = sum(getattr(counts, name) for counts in by_source.values())
            assert total == getattr(figures.counts, name), name


class TestMinuteByMinute:
    def test_the_curve_has_each_minute_and_marks_pins_and_offers(
        self, session: LiveSession
    ) -> None:
        (course,) = shown_in(session, 1)
        person = UserFactory()
        came(session, person, minute=1, watched=120)
        did(session, EventKind.CLICK, user=person, course=course, minute=2.5)
        did(session, EventKind.IMPRESSION, user=person, course=course, minute=-30)
        bought(session, person, course, price=60, minute=4.2)
        RoomMinute.objects.create(live_session=session, minute=at(1), n_viewers=5)
        RoomMinute.objects.create(live_session=session, minute=at(2), n_viewers=3)
        PinnedSpan.objects.create(live_session=session, course=course, pinned_at=at(2.1))
        Poll.objects.create(live_session=session, question="Which?", opened_at=at(3))
        coupon = SessionCouponFactory(live_session=session, coupon__starts_at=at(-60)).coupon
        promotion = SessionPromotionFactory(
            live_session=session,
            promotion__course=course,
            promotion__starts_at=at(6),
            promotion__ends_at=at(20),
        )

        figures = figures_of(session)
        curve = figures.curve

        assert curve is not None and curve.n_minutes == 11
        assert curve.n_viewers.tolist() == [0] + [1] * 10
        assert curve.n_clicks.tolist() == [0, 0, 1] + [1] * 8
        assert curve.n_impressions.tolist() == [1] * 11
        assert curve.gmv.tolist() == [0, 0, 0, 0] + [60] * 7
        assert curve.watched_seconds.tolist()[:4] == [0, 60, 120, 120]
        assert curve.at_once.tolist()[1:3] == [5, 3]
        assert figures.peak_viewers == 5
        rows = {row[0]: row for row in reversed(minute_table(figures).rows)}
        first, third, seventh = (list(rows.values())[n] for n in (0, 2, 6))
        assert first[-1] == f"Coupon: {coupon.code}"
        assert third[1:] == ["3", "0", "1", "0", "¥0", f"Pin: {course.title}"]
        assert seventh[-1] == f"Promotion: {promotion.promotion.course.title}"

    def test_before_it_begins_there_is_no_curve(self) -> None:
        session = live_room(status=SessionStatus.SCHEDULED)
        LiveSession.objects.filter(pk=session.pk).update(started_at=None)
        session.refresh_from_db()

        figures = figures_of(session)

        assert (figures.curve, figures.seconds, figures.viewers_now) == (None, 0, None)
        assert minute_table(figures).rows == []


class TestBesideTheSellersLastSessions:
    def test_a_running_one_is_compared_at_the_same_minute(self, session: LiveSession) -> None:
        """Given three sessions with 10, 20 and 30 viewers after ten minutes, and more later."""
        for n in (1, 2, 3):
            before = ended_room(session.seller, days_ago=n)
            for person in UserFactory.create_batch(10 * n):
                did(before, EventKind.VIEW, user=person, minute=4)
            for person in UserFactory.create_batch(7):
                did(before, EventKind.VIEW, user=person, minute=30)
        ended_room(UserFactory(role="seller"), days_ago=1)
        for _ in range(40):
            came(session, watched=30)

        figures = figures_of(session)

        assert (figures.n_former, figures.is_same_minute) == (3, True)
        assert figures.usual["viewers"].median == 20
        assert (figures.usual["viewers"].low, figures.usual["viewers"].high) == (15, 25)
        stands = {one.key: one.stand for one in figures_shown(figures)}
        assert stands["viewers"] == "above"
        assert stands["clicks"] == ""
        assert "3 sessions" in basis_text(figures)

    def test_with_fewer_than_three_nothing_is_called_unusual(self, session: LiveSession) -> None:
        for n in (1, 2):
            ended_room(session.seller, days_ago=n)
        came(session, UserFactory())
        figures = figures_of(session)
        assert figures.n_former == 2
        assert {one.stand for one in figures_shown(figures)} == {""}
        assert basis_text(figures).startswith("Beside")

    def test_an_ended_one_is_compared_as_a_whole(self, session: LiveSession) -> None:
        for n in range(12):
            before = ended_room(session.seller, days_ago=n + 1)
            SessionFiguresFactory(live_session=before, n_viewers=100 + n, n_buyers=1)
        session.status, session.ended_at = SessionStatus.ENDED, NOW
        session.save()
        came(session, UserFactory())

        figures = figures_of(session)

        assert (figures.n_former, figures.is_same_minute) == (10, False)
        assert figures.usual["viewers"].median == 104.5
        assert {one.key: one.stand for one in figures_shown(figures)}["viewers"] == "below"

    def test_imported_ones_have_no_minutes_to_compare_with(self, session: LiveSession) -> None:
        before = ended_room(session.seller, days_ago=1)
        SessionFiguresFactory(live_session=before, source="imported")
        assert figures_of(session).n_former == 0


class TestAudience:
    @pytest.fixture
    def people(self, session: LiveSession) -> list[User]:
        """Thirty viewers: 14 like ink, 12 tea, 4 go; all regulars but twelve."""
        fields = [CategoryFactory(name_en=name) for name in ("Ink", "Tea", "Go")]
        run = ModelRunFactory(task=Task.PROFILES)
        people = UserFactory.create_batch(30)
        before = ended_room(session.seller, days_ago=7)
        for n, person in enumerate(people):
            field = fields[0 if n < 14 else 1 if n < 26 else 2]
            interests = [{"category": field.pk, "weight": 1.0, "n_events": 3}]
            Profile.objects.create(user=person, run=run, interests=interests)
            StatedAttributesFactory(user=person, birth_year=2000 if n % 2 else 1985)
            came(session, person, minute=n / 10)
            if n >= 12:
                did(before, EventKind.VIEW, user=person)
        return people

    def test_groups_under_ten_are_never_shown_nor_left_to_subtraction(
        self, session: LiveSession, people: list[User]
    ) -> None:
        audience = figures_of(session).audience

        assert audience is not None and audience.n_people == 30
        assert audience.interests is not None
        # Four like go; alone among the others they would be told by 30 - 14 - 12.
        assert list(audience.interests.shown.values()) == [14]
        assert audience.interests.n_others == 16
        assert audience.ages == Division({25: 15, 35: 15}, 0)
        assert audience.regulars == Division({1: 18, 0: 12}, 0)

    def test_two_groups_of_which_one_is_small_are_not_shown_at_all(
        self, session: LiveSession, people: list[User]
    ) -> None:
        before = ended_room(session.seller, days_ago=3)
        for person in people[:5]:
            came(before, person)

        audience = figures_of(session).audience

        assert audience is not None
        assert audience.regulars is None

    def test_one_more_viewer_changes_nothing_that_is_shown(
        self, session: LiveSession, people: list[User]
    ) -> None:
        first = figures_of(session).audience
        for n in range(9):
            person = UserFactory()
            StatedAttributesFactory(user=person, birth_year=1950)
            came(session, person, minute=9)
            assert figures_of(session, after=timedelta(minutes=n + 1)).audience == first
        came(session, UserFactory(), minute=9.5)

        changed = figures_of(session, after=timedelta(minutes=11)).audience

        assert changed is not None and changed.n_people == 40

    def test_who_refuses_personalisation_is_in_no_group(
        self, session: LiveSession, people: list[User]
    ) -> None:
        User.objects.filter(pk__in=[one.pk for one in people[:15]]).update(is_personalised=False)
        audience = figures_of(session).audience
        assert audience is not None and audience.n_people == 10

    def test_fewer_than_ten_are_no_audience(self, session: LiveSession) -> None:
        for person in UserFactory.create_batch(9):
            came(session, person)
        figures = figures_of(session)
        assert figures.audience is None
        assert words_of(figures)["average_watch"] == ("–", "shown from 10 viewers on")


def test_more_rows_do_not_cost_more_queries(session: LiveSession) -> None:
    def fill() -> None:
        before = ended_room(session.seller, days_ago=5)
        for course in shown_in(session, 3):
            for person in UserFactory.create_batch(10):
                came(session, person)
                came(before, person)
                did(session, EventKind.CLICK, user=person, course=course)
            bought(session, person, course)

    def n_queries(after: timedelta) -> int:
        with CaptureQueriesContext(connection) as asked:
            figures_of(session, after=after)
        return len(asked)

    fill()
    first, next_one = n_queries(timedelta(0)), n_queries(LATER)
    fill()
    fill()
    many = n_queries(2 * LATER)
    again = n_queries(timedelta(hours=2))

    assert many <= next_one <= 17
    assert again <= first <= 36


def test_the_report_has_every_figure_with_its_counts(session: LiveSession) -> None:
    (course,) = shown_in(session, 1)
    people = UserFactory.create_batch(12)
    for person in people:
        came(session, person, watched=100, source="home")
    did(session, EventKind.IMPRESSION, course=course)
    bought(session, people[0], course, price=99, minute=1)

    table = report_of(figures_of(session))

    lines = {(row["part"], row["name"], row["figure"]): row for row in table.dict}
    conversion = lines["session", "", "conversion"]
    assert (conversion["numerator"], conversion["denominator"]) == (1, 12)
    assert lines["session", "", "average_watch"]["value"] == 100
    assert lines["session", "", "gmv"]["currency"] == "CNY"
    assert lines["product", course.title, "orders"]["value"] == 1
    assert lines["source", "home page", "viewers"]["value"] == 12
    assert sum(1 for part, _name, figure in lines if (part, figure) == ("minute", "orders")) == 11
    assert START < NOW
