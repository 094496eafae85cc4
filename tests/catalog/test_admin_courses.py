"""Taking parts of a course away: drafts vanish, what somebody has learned from stays."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from catalog.models import Course, CourseStatus, Lesson, Section
from tests.factories import (
    ConsultationSlotFactory,
    CourseFactory,
    LessonFactory,
    LessonProgressFactory,
    OperatorFactory,
    PromotionFactory,
    PurchaseFactory,
    SectionFactory,
    SellerFactory,
)

pytestmark = pytest.mark.django_db


def signed_in(person: User) -> Client:
    client = Client(headers={"accept-language": "en"})
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    return client


def address(row: Any, page: str) -> str:
    options = row._meta
    return reverse(f"admin:{options.app_label}_{options.model_name}_{page}", args=[row.pk])


def without_section(person: User, section: Section) -> Any:
    """Save the form of the course with the section marked to be deleted."""
    course = section.course
    data = {
        "title": course.title, "slug": course.slug, "list_price": course.list_price,
        "currency": "CNY", "kind": course.kind, "level": course.level, "language": "zh",
        "category": course.category_id, "tags": "", "seller": course.seller_id,
        "sections-TOTAL_FORMS": 1, "sections-INITIAL_FORMS": 1, "sections-0-id": section.pk,
        "sections-0-course": course.pk, "sections-0-title": section.title,
        "sections-0-position": 0, "sections-0-DELETE": "on",
    }  # fmt: skip
    return signed_in(person).post(address(course, "change"), data)


def without_lesson(person: User, lesson: Lesson) -> Any:
    data = {
        "title": lesson.section.title,
        "lessons-TOTAL_FORMS": 1, "lessons-INITIAL_FORMS": 1, "lessons-0-id": lesson.pk,
        "lessons-0-section": lesson.section_id, "lessons-0-title": lesson.title,
        "lessons-0-kind": lesson.kind, "lessons-0-duration_seconds": 60,
        "lessons-0-position": 0, "lessons-0-DELETE": "on",
    }  # fmt: skip
    return signed_in(person).post(address(lesson.section, "change"), data)


@pytest.fixture
def seller() -> User:
    return SellerFactory()


@pytest.mark.parametrize("is_operator", [False, True])
def test_a_section_that_somebody_has_learned_from_stays(seller, is_operator) -> None:
    section = SectionFactory(course__seller=seller, title="Basics")
    LessonProgressFactory(lesson__section=section)
    person = OperatorFactory() if is_operator else seller

    by_form = without_section(person, section)
    by_page = signed_in(person).post(address(section, "delete"), {"post": "yes"})
    signed_in(person).post(
        reverse("admin:catalog_section_changelist"),
        {"action": "delete_selected", "_selected_action": [section.pk], "post": "yes"},
    )

    assert by_form.status_code == 200
    assert "Learners have learned from “Basics”" in by_form.content.decode()
    assert by_page.status_code == 403
    assert Section.objects.filter(pk=section.pk).exists()


def test_a_section_that_nobody_has_learned_from_goes(seller) -> None:
    section = SectionFactory(course__seller=seller)
    LessonFactory(section=section)

    assert without_section(seller, section).status_code == 302
    assert not Section.objects.exists()


def test_a_lesson_that_somebody_has_learned_from_stays(seller) -> None:
    lesson = LessonFactory(section__course__seller=seller, title="Chords")
    progress = LessonProgressFactory(lesson=lesson)

    refused = without_lesson(seller, lesson)
    still_there = Lesson.objects.filter(pk=lesson.pk).exists()
    progress.delete()
    taken = without_lesson(seller, lesson)

    assert refused.status_code == 200
    assert "Learners have learned from “Chords”" in refused.content.decode()
    assert still_there
    assert taken.status_code == 302
    assert not Lesson.objects.exists()


@pytest.mark.parametrize("by_action", [False, True])
def test_an_own_draft_vanishes_with_all_that_it_has(seller, by_action) -> None:
    draft = CourseFactory(seller=seller, status=CourseStatus.DRAFT, published_at=None)
    LessonFactory(section__course=draft)
    PromotionFactory(course=draft)
    ConsultationSlotFactory(course=draft)
    client = signed_in(seller)

    if by_action:
        chosen = {"action": "delete_selected", "_selected_action": [draft.pk], "post": "yes"}
        client.post(reverse("admin:catalog_course_changelist"), chosen)
    else:
        client.post(address(draft, "delete"), {"post": "yes"})

    assert not Course.objects.exists()


@pytest.mark.parametrize("why", ["was on sale", "is another seller's", "has a sold time"])
def test_no_other_course_vanishes(seller, why) -> None:
    fields = {"status": CourseStatus.DRAFT, "published_at": None, "seller": seller}
    if why == "was on sale":
        del fields["published_at"]
    if why == "is another seller's":
        fields["seller"] = SellerFactory()
    course = CourseFactory(**fields)
    SectionFactory(course=course)
    if why == "has a sold time":
        ConsultationSlotFactory(course=course, purchase=PurchaseFactory(course=course))
    client = signed_in(seller)

    client.post(address(course, "delete"), {"post": "yes"})
    chosen = {"action": "delete_selected", "_selected_action": [course.pk], "post": "yes"}
    client.post(reverse("admin:catalog_course_changelist"), chosen)

    assert Course.objects.filter(pk=course.pk).exists()
    assert course.sections.exists()


def test_a_promotion_that_somebody_bought_at_stays(seller) -> None:
    sold = PromotionFactory(course__seller=seller)
    PurchaseFactory(course=sold.course, promotion=sold)

    assert signed_in(seller).post(address(sold, "delete"), {"post": "yes"}).status_code == 403
