"""What a process remembers between two requests is never old, and never somebody else's."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone, translation
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from analytics import rendered_cards
from analytics.api import RecommendationsView
from analytics.held_lists import HELD_SECONDS, HeldLists
from analytics.rendered_cards import HOLDS_SECONDS, READ_AGAIN_SECONDS, RenderedCard, Shelves
from analytics.serializers import RecommendedSerializer
from analytics.serving import recommended_courses
from analytics.shop_window import Window
from catalog.cards import course_cards
from catalog.models import Course, CourseStatus
from tests.analytics.models_of import served_model
from tests.factories import (
    CourseFactory,
    EventFactory,
    PromotionFactory,
    ReviewFactory,
    UserFactory,
)

pytestmark = [pytest.mark.django_db, pytest.mark.mariadb]


class Clock:
    now = 50.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def request_() -> Request:
    return Request(APIRequestFactory().get("/", HTTP_HOST="127.0.0.1"))


class TestLists:
    def test_a_list_is_held_while_it_would_be_made_of_the_same(self, clock) -> None:
        lists: HeldLists[str] = HeldLists(clock=clock)
        lists.put(1, ("did", 1), "list")
        assert lists.get(1, ("did", 1)) == "list"
        assert lists.get(1, ("did", 2)) is None
        assert lists.get(2, ("did", 1)) is None
        clock.now += HELD_SECONDS
        assert lists.get(1, ("did", 1)) is None

    def test_no_more_people_are_held_than_a_process_has_room_for(self, clock, monkeypatch) -> None:
        monkeypatch.setattr("analytics.held_lists.MOST_PEOPLE", 2)
        lists: HeldLists[str] = HeldLists(clock=clock)
        for person in (1, 2, 1, 3):
            lists.put(person, "same", f"list {person}")
        assert lists.get(2, "same") is None
        assert (lists.get(1, "same"), lists.get(3, "same")) == ("list 1", "list 3")
        lists.drop(1)
        assert lists.get(1, "same") is None

    def test_anything_that_a_person_does_makes_it_anew(self) -> None:
        a, b, c = (CourseFactory() for _ in range(3))
        served_model([a, b, c], after={0: {1: 0.5}}, popular=[0, 0, 1])
        person = UserFactory()
        for _ in range(2):
            assert recommended_courses(user=person)[0].course == c
        EventFactory(user=person, course=a, kind=2)
        assert recommended_courses(user=person)[0].course == b


class TestWindow:
    def test_what_is_on_sale_is_read_every_two_seconds_and_kept_while_equal(self, clock) -> None:
        course = CourseFactory()
        window = Window(clock=clock)
        first = window.now()
        Course.objects.filter(pk=course.pk).update(title="Another")
        clock.now += 2
        assert window.now() is first
        Course.objects.filter(pk=course.pk).update(status=CourseStatus.ARCHIVED)
        clock.now += 1.9
        assert window.now() is first
        clock.now += 0.1
        assert window.now().ids == []
        assert window.now().number != first.number


class TestCards:
    @pytest.fixture
    def shelves(self, clock) -> Shelves:
        return Shelves(clock=clock)

    def test_a_card_is_what_the_serializer_writes(self, request_) -> None:
        promotion = PromotionFactory()
        courses = [promotion.course, CourseFactory(title="“Ink” \u2028 & <b>brush</b>")]
        ReviewFactory(course=courses[1], rating=4)
        served_model(courses, after={}, popular=[1, 0.25])
        answer = RecommendationsView.as_view()(
            APIRequestFactory().get("/", HTTP_HOST="127.0.0.1", HTTP_ACCEPT_LANGUAGE="en")
        )
        found = recommended_courses(user=AnonymousUser())
        cards = course_cards(
            Course.objects.with_ratings().filter(pk__in=[one.pk for one in courses]),
            moment=timezone.now(),
        )
        of_course = {card.course.pk: card for card in cards}
        for one in found:
            card = of_course[one.course.pk]
            card.__dict__.update(score=one.score, reason=one.reason, reason_code=one.reason_code)
        wanted = RecommendedSerializer(
            [of_course[one.course.pk] for one in found], many=True, context={"request": request_}
        )
        body = {"next": None, "previous": None, "results": wanted.data}
        assert answer.content == JSONRenderer().render(body)

    @pytest.mark.parametrize(
        ("what", "seconds"),
        [
            ("price", HOLDS_SECONDS),
            ("list price", HOLDS_SECONDS),
            ("seats", HOLDS_SECONDS),
            ("title", HOLDS_SECONDS),
            ("rating", READ_AGAIN_SECONDS),
            ("field", READ_AGAIN_SECONDS),
            ("seller", READ_AGAIN_SECONDS),
        ],
    )
    def test_nothing_on_a_card_is_older_than_it_may_be(
        self, what, seconds, shelves, clock, request_
    ) -> None:
        promotion = PromotionFactory(seats=9, seats_left=7)
        course = promotion.course

        def card() -> RenderedCard:
            return shelves.cards([course.pk], request=request_)[course.pk]

        before = card()
        if what == "price":
            type(promotion).objects.update(price=promotion.price - 1)
        elif what == "list price":
            Course.objects.update(list_price=course.list_price + 1)
        elif what == "seats":
            type(promotion).objects.update(seats_left=6)
        elif what == "rating":
            ReviewFactory(course=course)
        elif what == "title":
            course.title = "Another"
            course.save()
        elif what == "field":
            type(course.category).objects.update(name_zh="别的", name_en="Another")
        else:
            type(course.seller).objects.filter(pk=course.seller_id).update(display_name="An")
        clock.now += 0.1
        assert card() is before
        # The last look at which it was as before may have been just now.
        clock.now += seconds - HOLDS_SECONDS - 0.2
        card()
        clock.now += HOLDS_SECONDS + 0.1
        assert card().opened != before.opened

    def test_nor_where_it_changes_back_between_two_looks(
        self, shelves, clock, request_, monkeypatch
    ) -> None:
        """A seat is taken just after the look that says 7, and free again before the next one."""
        promotion = PromotionFactory(seats=9, seats_left=7)
        course = promotion.course
        shelves.cards([course.pk], request=request_)
        clock.now += READ_AGAIN_SECONDS
        looks = rendered_cards._looks

        def seat_is_taken_after(course_ids):
            found = looks(course_ids)
            type(promotion).objects.update(seats_left=6)
            return found

        monkeypatch.setattr(rendered_cards, "_looks", seat_is_taken_after)
        between = shelves.cards([course.pk], request=request_)[course.pk]
        assert b'"seats_left":6' in between.opened
        monkeypatch.undo()
        type(promotion).objects.update(seats_left=7)
        clock.now += HOLDS_SECONDS
        after = shelves.cards([course.pk], request=request_)[course.pk]
        assert b'"seats_left":7' in after.opened

    def test_a_course_that_is_withdrawn_is_known_to_be_at_the_next_look(
        self, shelves, clock, request_
    ) -> None:
        course = CourseFactory()
        assert shelves.cards([course.pk], request=request_)[course.pk].is_published
        Course.objects.update(status=CourseStatus.ARCHIVED)
        clock.now += HOLDS_SECONDS
        assert not shelves.cards([course.pk], request=request_)[course.pk].is_published

    def test_a_promotion_that_ends_by_itself_leaves_the_card(
        self, shelves, clock, request_
    ) -> None:
        promotion = PromotionFactory()
        course = promotion.course
        before = shelves.cards([course.pk], request=request_)[course.pk]
        type(promotion).objects.update(ends_at=timezone.now() - timedelta(seconds=1))
        clock.now += HOLDS_SECONDS
        after = shelves.cards([course.pk], request=request_)[course.pk]
        assert b'"price_ends_at":null' in after.opened
        assert before.opened != after.opened

    def test_cards_are_read_together_and_unchanged_ones_not_written_again(
        self, shelves, clock, request_
    ) -> None:
        ids = [PromotionFactory().course.pk for _ in range(5)]
        before = shelves.cards(ids, request=request_)
        with CaptureQueriesContext(connection) as none:
            shelves.cards(ids[:3], request=request_)
        clock.now += HOLDS_SECONDS
        with CaptureQueriesContext(connection) as again:
            after = shelves.cards(ids[:1], request=request_)
            after = shelves.cards(ids, request=request_)
        assert (len(none), len(again)) == (0, 2)
        assert all(after[pk] is before[pk] for pk in ids)
        clock.now += READ_AGAIN_SECONDS
        with CaptureQueriesContext(connection) as whole:
            after = shelves.cards(ids, request=request_)
        assert len(whole) == 4
        assert all(after[pk] is before[pk] for pk in ids)

    def test_each_language_has_its_own(self, shelves, request_) -> None:
        course = CourseFactory()
        type(course.category).objects.update(name_zh="书法", name_en="Brush")
        seen = {}
        for language in ("en", "zh-hans"):
            with translation.override(language):
                seen[language] = shelves.cards([course.pk], request=request_)[course.pk].opened
        assert b"Brush" in seen["en"]
        assert "书法".encode() in seen["zh-hans"]

    def test_a_course_that_is_gone_has_no_card(self, shelves, clock, request_) -> None:
        course = CourseFactory()
        assert shelves.cards([404, course.pk], request=request_).keys() == {course.pk}
        course.delete()
        clock.now += HOLDS_SECONDS
        assert shelves.cards([404, course.pk], request=request_) == {}
