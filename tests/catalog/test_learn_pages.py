"""The pages on which people learn: who may open what, where they go on, what is kept of it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from catalog.learning import complete_lesson
from catalog.models import Course, CourseStatus, Enrollment, Lesson, LessonProgress
from tests.factories import (
    LONG_AGO,
    CourseFactory,
    EnrollmentFactory,
    LessonFactory,
    LessonProgressFactory,
    OperatorFactory,
    SectionFactory,
    SellerFactory,
    UserFactory,
)
from tests.hostile import HOSTILE

pytestmark = pytest.mark.django_db

PEOPLE = ("anonymous", "learner", "refunded", "stranger", "seller", "other_seller", "operator")
OPEN, SIGN_IN, TO_COURSE, TO_MINE, MISSING = "open", "sign in", "course", "my courses", "missing"


@pytest.fixture
def course() -> Course:
    """A course of two sections with two lessons each; the first is free to try."""
    course = CourseFactory(slug="knots", title="Knots")
    for _ in range(2):
        section = SectionFactory(course=course)
        LessonFactory(section=section, body="How to tie it.")
        LessonFactory(section=section, body="How to tie it.")
    first = lessons_of(course)[0]
    first.is_preview = True
    first.save()
    return course


def lessons_of(course: Course) -> list[Lesson]:
    return list(Lesson.objects.filter(section__course=course).order_by("section__position", "pk"))


@pytest.fixture
def people(course: Course) -> dict:
    return {
        "anonymous": None,
        "learner": EnrollmentFactory(course=course).user,
        "refunded": EnrollmentFactory(course=course, is_active=False).user,
        "stranger": UserFactory(),
        "seller": course.seller,
        "other_seller": SellerFactory(),
        "operator": OperatorFactory(),
    }


def browser_of(person) -> Client:
    browser = Client(headers={"accept-language": "en"})
    if person is not None:
        browser.force_login(person)
    return browser


def address(lesson: Lesson, of: str = "lesson") -> str:
    return reverse(f"catalog:{of}", args=[lesson.section.course.slug, lesson.pk])


def html(browser: Client, path: str) -> str:
    response = browser.get(path, follow=True)
    assert response.status_code == 200
    return response.content.decode()


def outcome(response) -> str:
    if response.status_code in (200, 404):
        return {200: OPEN, 404: MISSING}[response.status_code]
    where = response["Location"]
    if where.startswith(reverse("account_login")):
        return SIGN_IN
    if where.startswith("/courses/"):
        return TO_COURSE
    return TO_MINE if where == reverse("catalog:my_courses") else OPEN


# --- Who may open what ---------------------------------------------------------------------

CLOSED = {
    **dict.fromkeys(("refunded", "stranger", "other_seller"), TO_COURSE),
    "anonymous": SIGN_IN,
}
MANAGED = {"seller": OPEN, "operator": OPEN}
HIDDEN = {"refunded": TO_MINE, "stranger": MISSING, "other_seller": MISSING, "anonymous": SIGN_IN}


@pytest.mark.parametrize("who", PEOPLE)
@pytest.mark.parametrize(
    ("route", "status", "expected"),
    [
        ("learn", "published", {"learner": OPEN, **MANAGED, **CLOSED}),
        ("lesson", "published", {"learner": OPEN, **MANAGED, **CLOSED}),
        ("preview", "published", dict.fromkeys(PEOPLE, OPEN)),
        ("learn", "archived", {"learner": OPEN, **MANAGED, **HIDDEN}),
        ("lesson", "archived", {"learner": OPEN, **MANAGED, **HIDDEN}),
        ("preview", "archived", {"learner": OPEN, **MANAGED, **HIDDEN, "refunded": OPEN}),
        ("learn", "draft", {"learner": OPEN, **MANAGED, **HIDDEN}),
        ("lesson", "draft", {"learner": OPEN, **MANAGED, **HIDDEN}),
    ],
)
def test_everybody_opens_what_is_theirs_and_nothing_else(
    course, people, who, route, status, expected
) -> None:
    Course.objects.filter(pk=course.pk).update(status=status)
    first, second, *_ = lessons_of(course)
    path = {
        "learn": reverse("catalog:learn", args=[course.slug]),
        "lesson": address(second),
        "preview": address(first),
    }[route]

    response = browser_of(people[who]).get(path)

    assert outcome(response) == expected[who]
    assert ("How to tie it." in response.content.decode()) == (
        expected[who] == OPEN and route != "learn"
    )


@pytest.mark.parametrize("who", PEOPLE)
def test_only_learners_mark_a_lesson_as_done(course, people, who) -> None:
    # Also one that is free to try, and also for whoever may look at it.
    first = lessons_of(course)[0]

    response = browser_of(people[who]).post(address(first, "complete_lesson"))

    assert response.status_code == 302
    done = LessonProgress.objects.filter(completed_at__isnull=False)
    assert [one.user for one in done] == ([people["learner"]] if who == "learner" else [])


@pytest.mark.parametrize("who", PEOPLE)
def test_a_visit_alone_stores_nothing(course, people, who) -> None:
    browser = browser_of(people[who])

    for lesson in lessons_of(course):
        browser.get(address(lesson))
    browser.get(reverse("catalog:learn", args=[course.slug]))

    assert not LessonProgress.objects.exists()


def test_the_page_reports_for_learners_alone(course, people) -> None:
    first = lessons_of(course)[0]

    reports = {
        who
        for who, person in people.items()
        if "data-report" in html(browser_of(person), address(first))
    }

    assert reports == {"learner"}


def test_a_lesson_of_another_course_is_not_found_under_this_one(course, people) -> None:
    other = LessonFactory(is_preview=True)
    path = reverse("catalog:lesson", args=[course.slug, other.pk])

    assert browser_of(people["operator"]).get(path).status_code == 404


def test_who_may_not_open_a_lesson_is_told_why(course, people) -> None:
    second = lessons_of(course)[1]

    stranger = html(browser_of(people["stranger"]), address(second))
    refunded = html(browser_of(people["refunded"]), address(second))

    assert "The lessons of “Knots” open once you have the course." in stranger
    assert "You do not have access to “Knots” any more." in refunded


def test_signing_in_leads_back_to_the_lesson(course) -> None:
    second = lessons_of(course)[1]

    response = browser_of(None).get(address(second))

    assert response["Location"] == f"{reverse('account_login')}?next={address(second)}"


def test_an_anonymous_visitor_cannot_tell_a_draft_from_nothing(course) -> None:
    Course.objects.update(status=CourseStatus.DRAFT)
    browser = browser_of(None)

    draft = browser.get(address(lessons_of(course)[0]))
    nothing = browser.get(reverse("catalog:lesson", args=["nothing", 1]))

    assert (draft.status_code, nothing.status_code) == (302, 302)


# --- Where a learner goes on ---------------------------------------------------------------


def led_to(person, course: Course) -> Lesson:
    response = browser_of(person).get(reverse("catalog:learn", args=[course.slug]))
    return next(one for one in lessons_of(course) if address(one) == response["Location"])


def test_a_new_learner_begins_with_the_first_lesson(course, people) -> None:
    assert led_to(people["learner"], course) == lessons_of(course)[0]


def test_a_lesson_that_was_left_is_gone_on_with(course, people) -> None:
    first, _, third, _ = lessons_of(course)
    LessonProgressFactory(user=people["learner"], lesson=first)
    LessonProgressFactory(
        user=people["learner"], lesson=third, updated_at=LONG_AGO + timedelta(hours=1)
    )

    assert led_to(people["learner"], course) == third


def test_after_a_lesson_that_is_done_comes_the_next_that_is_not(course, people) -> None:
    first, second, third, fourth = lessons_of(course)
    learner = people["learner"]
    complete_lesson(learner=learner, lesson=third, moment=LONG_AGO)
    complete_lesson(learner=learner, lesson=second, moment=LONG_AGO + timedelta(hours=1))

    assert led_to(learner, course) == fourth

    complete_lesson(learner=learner, lesson=fourth, moment=LONG_AGO + timedelta(hours=2))
    assert led_to(learner, course) == first

    complete_lesson(learner=learner, lesson=first, moment=LONG_AGO + timedelta(hours=3))
    assert led_to(learner, course) == first


def test_the_progress_of_others_leads_nobody(course, people) -> None:
    third = lessons_of(course)[2]
    LessonProgressFactory(lesson=third)

    assert led_to(people["learner"], course) == lessons_of(course)[0]
    page = html(browser_of(people["learner"]), address(third))
    assert "0 of 4 lessons done" in page


def test_previous_and_next_follow_the_outline_across_sections(course, people) -> None:
    first, second, third, fourth = lessons_of(course)
    browser = browser_of(people["learner"])

    middle = html(browser, address(second))

    assert f'rel="prev" href="{address(first)}"' in middle
    assert f'rel="next" href="{address(third)}"' in middle
    assert 'rel="prev"' not in html(browser, address(first))
    assert 'rel="next"' not in html(browser, address(fourth))


def test_who_tries_a_lesson_is_led_to_no_closed_one(course, people) -> None:
    first, second, *_, fourth = lessons_of(course)
    Lesson.objects.filter(pk=fourth.pk).update(is_preview=True)

    page = html(browser_of(None), address(first))

    assert address(second) not in page
    assert f'rel="next" href="{address(fourth)}"' in page


def test_a_lesson_marked_as_done_shows_it_and_counts(course, people) -> None:
    first = lessons_of(course)[0]
    browser = browser_of(people["learner"])
    before = html(browser, address(first))

    response = browser.post(address(first, "complete_lesson"))

    assert response["Location"] == address(first)
    after = html(browser, address(first))
    assert "Mark as done" in before
    assert "Mark as done" not in after
    assert "1 of 4 lessons done" in after
    assert browser.post(address(first, "complete_lesson")).status_code == 302


def test_marking_as_done_leaves_time_and_position_alone(course, people) -> None:
    lesson = lessons_of(course)[0]
    LessonProgressFactory(user=people["learner"], lesson=lesson, seconds=300, position_seconds=590)
    # Cut shorter since.
    Lesson.objects.filter(pk=lesson.pk).update(duration_seconds=500)

    browser_of(people["learner"]).post(address(lesson, "complete_lesson"))

    progress = LessonProgress.objects.get()
    assert (progress.seconds, progress.position_seconds) == (300, 500)
    assert progress.completed_at is not None


# --- What the pages show -------------------------------------------------------------------


def test_a_lesson_shows_its_text_video_and_file(course, people) -> None:
    lesson = lessons_of(course)[0]
    Lesson.objects.filter(pk=lesson.pk).update(
        body="**bold** <script>alert(1)</script>",
        video_url="https://videos.example/a.mp4",
        file="lessons/0a.pdf",
    )

    page = html(browser_of(people["learner"]), address(lesson))

    assert "<strong>bold</strong>" in page
    assert "<script>alert" not in page
    assert 'src="https://videos.example/a.mp4"' in page
    assert address(lesson, "lesson_file") in page
    assert "PDF" in page
    assert "lessons/0a" not in page


def test_a_lesson_without_anything_says_so(course, people) -> None:
    Lesson.objects.update(body="")

    page = html(browser_of(people["learner"]), address(lessons_of(course)[0]))

    assert "neither a text nor a video nor a file" in page


def test_a_course_without_lessons_says_so(people) -> None:
    bare = CourseFactory()
    EnrollmentFactory(course=bare, user=people["learner"])

    page = html(browser_of(people["learner"]), reverse("catalog:learn", args=[bare.slug]))

    assert "The seller has not added lessons so far." in page


@pytest.mark.parametrize("video", ["javascript:alert(1)", "ftp://a.example/b.mp4", "data:,x", "x"])
def test_only_an_address_on_the_web_is_played(course, people, video) -> None:
    lesson = lessons_of(course)[0]
    Lesson.objects.filter(pk=lesson.pk).update(video_url=video)

    page = html(browser_of(people["learner"]), address(lesson))

    assert "<video" not in page
    assert f'="{video}"' not in page


def test_hostile_texts_of_a_seller_stay_texts(course, people) -> None:
    browser = browser_of(people["learner"])
    lesson = lessons_of(course)[0]
    for text in HOSTILE[::5]:
        Lesson.objects.filter(pk=lesson.pk).update(title=text[:200], body=text)

        page = html(browser, address(lesson))

        assert "<script>" not in page
        assert "<img src=x" not in page
        assert "<svg onload" not in page


def test_media_may_come_from_elsewhere_and_nothing_else_may(course, people) -> None:
    response = browser_of(people["learner"]).get(address(lessons_of(course)[0]))

    parts = dict(
        part.strip().split(" ", 1) for part in response["Content-Security-Policy"].split(";")
    )
    media = parts["media-src"].split()
    assert {"'self'", "https:", "http:"} <= set(media)
    assert "*" not in media
    assert parts["default-src"] == "'self'"


def test_my_courses_come_with_progress_those_studied_last_first(course, people) -> None:
    learner = people["learner"]
    now = timezone.now()
    others = [EnrollmentFactory(user=learner, course__title=f"Other {n}") for n in range(2)]
    EnrollmentFactory(user=learner, is_active=False, course__title="Given back")
    EnrollmentFactory(course__title="Of somebody else")
    complete_lesson(learner=learner, lesson=lessons_of(course)[0], moment=now)
    LessonProgressFactory(
        user=learner,
        lesson__section__course=others[0].course,
        updated_at=now - timedelta(days=1),
    )
    LessonProgressFactory(lesson=lessons_of(course)[1], completed_at=now)

    page = html(browser_of(learner), "/learn/")

    places = [page.index(text) for text in ("Knots", "Other 0", "Other 1")]
    assert places == sorted(places)
    assert "1 of 4 lessons done" in page
    assert "0 of 1 lesson done" in page
    assert "Given back" not in page
    assert "Of somebody else" not in page


def test_without_courses_the_list_says_so_and_leads_to_some(people) -> None:
    page = html(browser_of(people["stranger"]), "/learn/")

    assert "You have no courses yet" in page
    assert reverse("catalog:course_list") in page


def test_the_list_asks_visitors_to_sign_in() -> None:
    assert outcome(browser_of(None).get("/learn/")) == SIGN_IN


def test_an_archived_course_stays_in_the_list_and_links_to_no_dead_page(course, people) -> None:
    Course.objects.filter(pk=course.pk).update(status=CourseStatus.ARCHIVED)
    browser = browser_of(people["learner"])

    page = html(browser, address(lessons_of(course)[0]))

    assert "Knots" in html(browser, "/learn/")
    assert reverse("catalog:course_detail", args=[course.slug]) not in page


def test_the_course_page_leads_owners_to_the_lessons_and_others_to_free_ones(
    course, people
) -> None:
    first, second, *_ = lessons_of(course)
    path = reverse("catalog:course_detail", args=[course.slug])

    owner, visitor = html(browser_of(people["learner"]), path), html(browser_of(None), path)

    assert f'href="{reverse("catalog:learn", args=[course.slug])}"' in owner
    assert reverse("catalog:learn", args=[course.slug]) + '"' not in visitor
    assert address(first) in visitor
    assert address(second) not in visitor
    assert "Free to try" in visitor


@pytest.mark.parametrize("path", ["/", "/account/"])
def test_signed_in_people_find_their_courses_from_every_page(people, path) -> None:
    assert 'href="/learn/"' in html(browser_of(people["stranger"]), path)


def test_visitors_are_not_offered_courses_of_their_own() -> None:
    assert 'href="/learn/"' not in html(browser_of(None), "/")


def test_no_route_takes_another_method(course, people) -> None:
    lesson = lessons_of(course)[1]
    browser = browser_of(people["learner"])

    for path in (
        "/learn/",
        f"/learn/{course.slug}/",
        address(lesson),
        address(lesson, "lesson_file"),
    ):
        assert browser.post(path).status_code == 405
    assert browser.get(address(lesson, "complete_lesson")).status_code == 405
    assert browser.post(reverse("catalog:file", args=["a:b:c"])).status_code == 405


def test_marking_as_done_needs_a_form_of_ours(course, people) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(people["learner"])

    response = browser.post(address(lessons_of(course)[0], "complete_lesson"))

    assert response.status_code == 403
    assert Enrollment.objects.active().count() == 1
    assert not LessonProgress.objects.exists()
