"""Two desks of one session, orders and chat at the same time: real connections, MariaDB."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from catalog.models import Promotion
from streams.chat import Incoming, Stored, store_messages
from streams.desk_offers import OfferRunning, start_promotion
from streams.models import LiveSession, PinnedSpan
from streams.showcase import add_to_showcase, pin_course, reorder_showcase, unpin_course
from tests.factories import CourseFactory, LiveSessionFactory, ShowcaseItemFactory, UserFactory

pytestmark = [pytest.mark.mariadb(only=True), pytest.mark.django_db(transaction=True)]
SECONDS = 60


@pytest.fixture
def session() -> LiveSession:
    session = LiveSessionFactory(live=True)
    for _ in range(4):
        ShowcaseItemFactory(live_session=session, course__seller=session.seller)
    return session


def at_once(*steps: Callable[[], Any]) -> list[Any]:
    """What the steps return, each run in a thread with a connection of its own."""

    def run(step: Callable[[], Any]) -> Any:
        try:
            return step()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(steps)) as pool:
        return [one.result(SECONDS) for one in [pool.submit(run, step) for step in steps]]


def test_two_desks_that_pin_at_once_leave_one_course_pinned_at_a_time(session) -> None:
    courses = list(session.showcase.values_list("course", flat=True))
    writer = UserFactory()

    def press(seed: int) -> Callable[[], None]:
        def presses() -> None:
            choice = random.Random(seed)
            for _ in range(12):
                act = choice.random()
                if act < 0.7:
                    pin_course(session.pk, choice.choice(courses), moment=timezone.now())
                elif act < 0.85:
                    unpin_course(session.pk, moment=timezone.now())
                else:
                    reorder_showcase(session.pk, choice.sample(courses, 4))

        return presses

    def write() -> list[Any]:
        lines = [Incoming(writer.pk, uuid.uuid4(), f"line {n}") for n in range(3)]
        return [store_messages(session.pk, [one], moment=timezone.now())[0] for one in lines]

    *_, said = at_once(press(1), press(2), press(3), write)

    assert all(isinstance(one, Stored) for one in said)
    session.refresh_from_db()
    open_spans = PinnedSpan.objects.filter(live_session=session, unpinned_at=None)
    pinned = [session.pinned.course_id] if session.pinned else []
    assert list(open_spans.values_list("course", flat=True)) == pinned
    assert sorted(session.showcase.values_list("position", flat=True)) == [0, 1, 2, 3]


def test_two_desks_that_start_an_offer_for_one_course_start_one(session) -> None:
    course = session.showcase.first().course_id

    def start() -> str:
        try:
            start_promotion(
                session.pk,
                course,
                price=Decimal(50),
                minutes=5,
                seats=None,
                by=session.seller,
                moment=timezone.now(),
            )
        except OfferRunning:
            return "refused"
        return "started"

    outcomes = at_once(*[start] * 4)

    assert sorted(outcomes) == ["refused", "refused", "refused", "started"]
    assert Promotion.objects.count() == 1


def test_two_desks_that_add_courses_give_each_a_place_of_its_own(session) -> None:
    courses = [CourseFactory(seller=session.seller).pk for _ in range(4)]

    at_once(*[lambda course=course: add_to_showcase(session.pk, course) for course in courses])

    positions = list(session.showcase.values_list("position", flat=True))
    assert len(positions) == len(set(positions)) == 8
