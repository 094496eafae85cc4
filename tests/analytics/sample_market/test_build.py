"""What a sample market holds, looked at before it is stored."""

from __future__ import annotations

import json
import math
from collections import Counter
from datetime import timedelta

import pytest
from django.db.models import Model

from accounts.models import StatedAttributes, User
from analytics.models import Event, EventKind
from analytics.sample_market import truth
from analytics.sample_market.courses import TooManyCourses
from analytics.sample_market.market import Market, build_market
from analytics.sample_market.texts import topics
from catalog.models import (
    Coupon,
    Course,
    Enrollment,
    Lesson,
    LessonProgress,
    Order,
    OrderStatus,
    Promotion,
    Purchase,
    Review,
)
from streams.models import ChatMessage, LiveSession, OrderAttribution, ShowcaseItem
from tests.analytics.sample_market.plans import EVENING, plan


@pytest.fixture(scope="module")
def market() -> Market:
    return build_market(plan(n_users=300, n_courses=320, n_sessions=30))


def values(rows: list[Model], *skipped: str) -> list[dict]:
    """Columns of rows without what is only set when they are stored."""
    return [
        {
            f.attname: getattr(row, f.attname)
            for f in row._meta.concrete_fields
            if f.name not in skipped
        }
        for row in rows
    ]


def test_one_seed_makes_one_market_and_another_seed_another():
    first, again = build_market(plan()), build_market(plan())
    other = build_market(plan(seed=2))
    for model in first.rows:
        assert values(first.rows[model], "updated_at") == values(again.rows[model], "updated_at")
    assert first.truth == again.truth
    titles = [{course.title for course in market.rows[Course]} for market in (first, other)]
    assert titles[0] != titles[1]


def test_more_viewers_change_no_course():
    few, many = build_market(plan(n_users=40)), build_market(plan(n_users=90))
    titles = [[(c.title, c.list_price) for c in m.rows[Course]] for m in (few, many)]
    assert titles[0] == titles[1]


def test_titles_and_addresses_are_unique(market):
    for name in ("title", "slug"):
        counted = Counter(getattr(course, name) for course in market.rows[Course])
        assert counted.most_common(1)[0][1] == 1


def test_both_languages_and_all_kinds_and_levels_are_sold(market):
    courses = market.rows[Course]
    assert {course.language for course in courses} == {"zh", "en"}
    assert {course.kind for course in courses} == {"course", "ebook", "consultation"}
    assert {course.level for course in courses} == {1, 2, 3}
    parents = {course.category.parent.slug for course in courses}
    assert parents == {"education", "profession", "health"}


def test_texts_keep_to_their_language_and_hold_no_open_template(market):
    for course in market.rows[Course]:
        has_chinese = any("\u4e00" <= c <= "\u9fff" for c in course.title + course.summary)
        assert has_chinese == (course.language == "zh"), course.title
    for model, names in {
        Course: ("title", "summary", "description"),
        Lesson: ("title", "body"),
        LiveSession: ("title", "summary"),
        ChatMessage: ("text",),
        Review: ("text",),
        User: ("display_name",),
    }.items():
        for row in market.rows[model]:
            for name in names:
                assert not set("{}|") & set(getattr(row, name)), getattr(row, name)


def test_lessons_of_a_course_are_told_apart(market):
    by_section = {}
    for lesson in market.rows[Lesson]:
        by_section.setdefault(lesson.section.course.pk, []).append(lesson.title)
    assert all(len(titles) == len(set(titles)) for titles in by_section.values())


def test_every_topic_teaches_six_things_in_both_languages():
    for topic in topics():
        assert [len(topic.points[language]) for language in ("zh", "en")] == [6, 6], topic.slug
        assert truth.cluster_of(topic.category)


def test_some_are_on_air_and_some_come_up_this_week(market):
    live = [s for s in market.rows[LiveSession] if s.status == "live"]
    ahead = [s for s in market.rows[LiveSession] if s.status == "scheduled"]
    assert live
    assert all(s.started_at < EVENING < s.started_at + timedelta(hours=2) for s in live)
    assert len(ahead) >= 5
    assert all(EVENING < s.scheduled_at < EVENING + timedelta(days=8) for s in ahead)


def test_nothing_but_plans_lies_ahead(market):
    for model, names in {
        Event: ("occurred_at",),
        Order: ("created_at", "paid_at"),
        LessonProgress: ("opened_at", "updated_at", "completed_at"),
        Review: ("created_at",),
        ChatMessage: ("sent_at",),
        User: ("joined_at",),
        Purchase: ("refunded_at",),
    }.items():
        for row in market.rows[model]:
            moments = [getattr(row, name) for name in names]
            assert all(moment is None or moment <= EVENING for moment in moments)


def test_nobody_acts_before_joining(market):
    joined = {user.pk: user.joined_at for user in market.rows[User]}
    for event in market.rows[Event]:
        assert event.user_id is None or event.occurred_at >= joined[event.user_id]


def test_orders_add_up_and_give_access_once(market):
    lines = {}
    for line in market.rows[Purchase]:
        lines.setdefault(line.order.pk, []).append(line)
    for order in market.rows[Order]:
        assert order.total == sum(line.price for line in lines[order.pk])
        assert order.list_total == sum(line.list_price for line in lines[order.pk])
    pairs = [(e.user.pk, e.course.pk) for e in market.rows[Enrollment]]
    assert len(pairs) == len(set(pairs))
    open_to_learn = {(e.user.pk, e.course.pk) for e in market.rows[Enrollment] if e.is_active}
    for row in market.rows[LessonProgress]:
        assert (row.user.pk, row.lesson.section.course.pk) in open_to_learn


def test_coupons_and_seats_are_counted_as_they_were_used(market):
    for coupon in market.rows[Coupon]:
        orders = [o for o in market.rows[Order] if o.coupon_id == coupon.pk]
        assert coupon.n_used == len(orders)
    for promotion in market.rows[Promotion]:
        if promotion.seats is not None:
            taken = [
                line
                for line in market.rows[Purchase]
                if line.promotion_id == promotion.pk and line.order.status != OrderStatus.EXPIRED
            ]
            assert promotion.seats - promotion.seats_left == len(taken)


def test_a_buyer_in_a_session_was_seen_there_and_bought_what_it_showed(market):
    shown = {(i.live_session.pk, i.course.pk) for i in market.rows[ShowcaseItem]}
    seen = {
        (event.live_session_id, event.user_id)
        for event in market.rows[Event]
        if event.kind == EventKind.VIEW
    }
    sessions = {a.order.pk: a.live_session.pk for a in market.rows[OrderAttribution]}
    assert sessions
    for line in market.rows[Purchase]:
        session = sessions.get(line.order.pk)
        if session:
            assert (session, line.course.pk) in shown
            assert (session, line.order.buyer.pk) in seen


def test_reviews_say_what_their_stars_say(market):
    low = [r.text for r in market.rows[Review] if r.rating <= 2 and r.text]
    high = [r.text for r in market.rows[Review] if r.rating == 5 and r.text]
    assert not set(low) & set(high)
    assert len(market.rows[Review]) > 30


def test_some_people_say_little_of_themselves(market):
    stated = market.rows[StatedAttributes]
    assert 0 < len(stated) < 300
    assert any(row.birth_year is None for row in stated)
    assert any(row.birth_year and row.gender and row.occupation for row in stated)


def test_only_five_people_can_be_written_to(market):
    with_mail = [user for user in market.rows[User] if user.email]
    assert with_mail == market.sign_ins
    assert Counter(user.role for user in with_mail) == {"operator": 1, "seller": 2, "viewer": 2}
    assert all(user.email.endswith(".example") for user in with_mail)


def test_the_best_hour_is_the_one_that_truth_names():
    assert max(range(24), key=truth.hour_effect) == truth.BEST_HOUR


def test_truth_is_plain_enough_for_json(market):
    told = json.loads(json.dumps(market.truth.as_json()))
    assert told["best_hour"] == truth.BEST_HOUR
    assert len(told["taste_of"]) == 300
    assert len(told["session_rates"]) == 30
    assert all(0 < rate < 1 for rate in told["session_rates"].values())


def test_a_lower_price_a_coupon_a_cut_and_a_fitting_audience_raise_the_odds():
    usual = {
        "hour": 12,
        "mean_price": 150.0,
        "has_coupon": False,
        "discount": 0.0,
        "audience_fit": 0.5,
        "seller_effect": 0.0,
    }
    odds = truth.log_odds(**usual)
    for better in (
        {"hour": 20},
        {"mean_price": 50.0},
        {"has_coupon": True},
        {"discount": 0.3},
        {"audience_fit": 0.8},
    ):
        assert truth.log_odds(**usual | better) > odds
    assert math.isclose(odds, truth.BASE + truth.hour_effect(12))


def test_more_courses_than_titles_are_refused():
    with pytest.raises(TooManyCourses):
        build_market(plan(n_courses=5000))
