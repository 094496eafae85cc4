"""The showcase of a live session: arranged, added to, pinned, by its seller's desk."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from streams.models import ChangeCause, LiveSession, PinnedSpan, Room
from streams.session_life import start_session
from streams.showcase import (
    MOST_SHOWN,
    NothingPinnedAfterwards,
    NotInShowcase,
    NotYoursToShow,
    ShowcaseFull,
    add_to_showcase,
    pin_course,
    remove_from_showcase,
    reorder_showcase,
    unpin_course,
)
from tests.factories import CourseFactory, LiveSessionFactory, ShowcaseItemFactory

pytestmark = pytest.mark.django_db
NOW = timezone.now()


def session_with(n: int, **fields: object) -> LiveSession:
    session = LiveSessionFactory(**(fields or {"live": True}))
    for _ in range(n):
        ShowcaseItemFactory(live_session=session, course__seller=session.seller)
    return session


def courses_of(session: LiveSession) -> list[int]:
    return list(session.showcase.values_list("course", flat=True))


def pinned_course(session: LiveSession) -> int | None:
    return LiveSession.objects.values_list("pinned__course", flat=True).get(pk=session.pk)


def spans_of(session: LiveSession) -> list[tuple]:
    spans = session.pinned_spans.values_list("course", "pinned_at", "unpinned_at")
    return list(spans.order_by("pk"))


def version_of(session: LiveSession) -> int:
    return Room.objects.filter(pk=session.pk).values_list("version", flat=True).first() or 0


def test_pinning_another_course_ends_the_time_of_the_one_before() -> None:
    session = session_with(2)
    first, second = courses_of(session)
    later = NOW + timedelta(minutes=5)

    pin_course(session.pk, first, moment=NOW)
    pin_course(session.pk, second, moment=later)

    assert pinned_course(session) == second
    assert spans_of(session) == [(first, NOW, later), (second, later, None)]


def test_pinning_what_is_pinned_goes_on_with_the_same_time() -> None:
    session = session_with(1)
    (course,) = courses_of(session)

    pin_course(session.pk, course, moment=NOW)
    pin_course(session.pk, course, moment=NOW + timedelta(minutes=5))

    assert spans_of(session) == [(course, NOW, None)]


def test_unpinning_ends_the_time_and_can_be_done_twice() -> None:
    session = session_with(1)
    (course,) = courses_of(session)
    pin_course(session.pk, course, moment=NOW)

    unpin_course(session.pk, moment=NOW + timedelta(minutes=1))
    unpin_course(session.pk, moment=NOW + timedelta(minutes=2))

    assert pinned_course(session) is None
    assert spans_of(session) == [(course, NOW, NOW + timedelta(minutes=1))]


def test_a_time_never_ends_before_it_began() -> None:
    session = session_with(1)
    (course,) = courses_of(session)
    pin_course(session.pk, course, moment=NOW)

    unpin_course(session.pk, moment=NOW - timedelta(seconds=3))

    assert spans_of(session) == [(course, NOW, NOW)]


def test_every_change_is_told_to_the_open_rooms() -> None:
    session = session_with(2)
    first, second = courses_of(session)
    another = CourseFactory(seller=session.seller)
    changes = [
        lambda: pin_course(session.pk, first, moment=NOW),
        lambda: unpin_course(session.pk, moment=NOW),
        lambda: reorder_showcase(session.pk, [second, first]),
        lambda: add_to_showcase(session.pk, another.pk),
        lambda: remove_from_showcase(session.pk, first, moment=NOW),
    ]

    for change in changes:
        before = version_of(session)
        change()
        assert version_of(session) > before


def test_only_what_is_shown_and_on_sale_can_be_pinned() -> None:
    session = session_with(1)
    off_sale = ShowcaseItemFactory(live_session=session, course__status="archived").course
    shown_elsewhere = ShowcaseItemFactory(course__seller=session.seller).course

    for course in (off_sale, shown_elsewhere):
        with pytest.raises(NotInShowcase):
            pin_course(session.pk, course.pk, moment=NOW)

    assert pinned_course(session) is None
    assert version_of(session) == 0


@pytest.mark.parametrize("status", ["ended", "replay"])
def test_nothing_is_pinned_after_the_session(status) -> None:
    session = session_with(1, ended=True, status=status)

    with pytest.raises(NothingPinnedAfterwards):
        pin_course(session.pk, courses_of(session)[0], moment=NOW)

    assert (pinned_course(session), spans_of(session)) == (None, [])


def test_what_is_pinned_before_the_start_is_seen_from_the_start_on() -> None:
    session = session_with(1, status="scheduled")
    (course,) = courses_of(session)

    pin_course(session.pk, course, moment=NOW)
    assert (pinned_course(session), spans_of(session)) == (course, [])

    start_session(session.pk, by=session.seller, cause=ChangeCause.SELLER, moment=NOW)
    assert spans_of(session) == [(course, NOW, None)]


def test_the_showcase_takes_the_order_it_was_given() -> None:
    session = session_with(3)
    first, second, third = courses_of(session)

    reorder_showcase(session.pk, [third, first, second])

    assert courses_of(session) == [third, first, second]


def test_an_order_made_before_another_desk_changed_the_showcase_still_counts() -> None:
    session = session_with(3)
    first, second, third = courses_of(session)
    added = CourseFactory(seller=session.seller)
    add_to_showcase(session.pk, added.pk)
    remove_from_showcase(session.pk, second, moment=NOW)

    reorder_showcase(session.pk, [third, second, first, third])

    assert courses_of(session) == [third, first, added.pk]


def test_an_order_never_moves_what_another_session_shows() -> None:
    session, other = session_with(1), session_with(2)
    before = courses_of(other)

    reorder_showcase(session.pk, [*reversed(before), *courses_of(session)])

    assert courses_of(other) == before
    assert len(courses_of(session)) == 1


def test_a_course_is_added_at_the_end_once() -> None:
    session = session_with(2)
    course = CourseFactory(seller=session.seller)

    add_to_showcase(session.pk, course.pk)
    add_to_showcase(session.pk, course.pk)

    assert courses_of(session)[2:] == [course.pk]


def test_only_courses_of_the_seller_that_are_on_sale_are_shown() -> None:
    session = session_with(0)
    draft = CourseFactory(seller=session.seller, status="draft", published_at=None)

    for course in (draft, CourseFactory()):
        with pytest.raises(NotYoursToShow):
            add_to_showcase(session.pk, course.pk)

    assert courses_of(session) == []


def test_the_showcase_has_a_limit() -> None:
    session = session_with(MOST_SHOWN)

    with pytest.raises(ShowcaseFull):
        add_to_showcase(session.pk, CourseFactory(seller=session.seller).pk)

    assert len(courses_of(session)) == MOST_SHOWN


def test_what_is_taken_out_is_pinned_no_more() -> None:
    session = session_with(2)
    first, second = courses_of(session)
    pin_course(session.pk, first, moment=NOW)

    remove_from_showcase(session.pk, first, moment=NOW + timedelta(minutes=1))
    remove_from_showcase(session.pk, first, moment=NOW + timedelta(minutes=2))

    assert courses_of(session) == [second]
    assert pinned_course(session) is None
    assert spans_of(session) == [(first, NOW, NOW + timedelta(minutes=1))]
    assert not PinnedSpan.objects.filter(unpinned_at__isnull=True).exists()
