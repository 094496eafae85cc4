"""A learner studies in a real browser, and what they do reaches the server."""

from __future__ import annotations

import json
import time
import wave
from io import BytesIO

import pytest
from django.core.files.base import ContentFile
from playwright.sync_api import expect

from catalog.models import Lesson, LessonProgress
from tests.browser.market import Market, make_market
from tests.browser.test_pages_look_right import LOOKS, RUN_AXE
from tests.factories import EnrollmentFactory, LessonFactory, SectionFactory, UserFactory

pytestmark = pytest.mark.django_db(transaction=True)

RATE = 8000
SOUND_SECONDS = 3


@pytest.fixture
def market() -> Market:
    market = make_market()
    EnrollmentFactory(course=market.course, user=market.viewer)
    return market


@pytest.fixture
def text(market: Market) -> Lesson:
    """A lesson to read, with one after it."""
    section = SectionFactory(course=market.course, title="第二章 条件与循环")
    lesson = LessonFactory(
        section=section, title="if 与 else", kind="text", body="## 选择\n\n`if x:`\n\n- 一\n- 二"
    )
    LessonFactory(section=section, title="Every kind of loop, and when to use which")
    return lesson


@pytest.fixture
def video(market: Market) -> Lesson:
    return LessonFactory(
        section=SectionFactory(course=market.course),
        video_url="https://videos.example/silence.wav",
        duration_seconds=0,
    )


def silence() -> bytes:
    """Three seconds without a sound, which is enough for the player."""
    file = BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(1)
        sound.setframerate(RATE)
        sound.writeframes(b"\x80" * RATE * SOUND_SECONDS)
    return file.getvalue()


def address(lesson: Lesson) -> str:
    return f"/learn/{lesson.section.course.slug}/{lesson.pk}/"


def reported(page, lesson: Lesson, act) -> None:
    """Act on the page and wait until the server has answered a report of it."""
    with page.expect_response(f"**/api/v1/lessons/{lesson.pk}/progress/") as answer:
        act()
    assert answer.value.ok, answer.value.text()


def test_opening_a_lesson_and_marking_it_as_done_is_kept(
    open_page, live_server, market, text
) -> None:
    page = open_page("/", person=market.viewer)

    reported(page, text, lambda: page.goto(live_server.url + address(text)))
    opened = LessonProgress.objects.get()
    page.get_by_role("button", name="Mark as done").click()

    expect(page.locator(".lesson__state")).to_have_text("Done")
    expect(page.locator(".study__progress")).to_contain_text("1 of 3 lessons done")
    done = LessonProgress.objects.get()
    assert (opened.user, opened.lesson, opened.completed_at) == (market.viewer, text, None)
    assert done.completed_at is not None


def test_a_lesson_is_marked_as_done_without_script(open_page, live_server, market, text) -> None:
    page = open_page("/", person=market.viewer, java_script_enabled=False)

    page.goto(live_server.url + address(text))
    page.get_by_role("button", name="Mark as done").click()

    expect(page.locator(".lesson__state")).to_have_text("Done")
    assert LessonProgress.objects.get().completed_at is not None


def test_time_counts_while_a_lesson_is_in_view_and_is_sent_on_leaving(
    open_page, live_server, market, text
) -> None:
    page = open_page("/", person=market.viewer)
    page.clock.install()
    reported(page, text, lambda: page.goto(live_server.url + address(text)))

    # Fifteen seconds of the page's clock, second by second.
    reported(page, text, lambda: page.clock.run_for(16_000))
    after = LessonProgress.objects.get().seconds
    page.clock.run_for(4_000)
    page.goto(live_server.url + "/learn/")

    assert 14 <= after <= 17
    # The answer goes to a page that is gone: the row alone tells.
    deadline = time.monotonic() + 15
    while (later := LessonProgress.objects.get().seconds) == after:
        assert time.monotonic() < deadline, "nothing was sent on leaving"
        page.wait_for_timeout(50)
    assert after + 3 <= later <= after + 6


def test_a_video_counts_while_it_plays_and_is_done_at_its_end(
    open_page, live_server, market, video
) -> None:
    page = open_page("/", person=market.viewer)
    page.route(
        video.video_url, lambda route: route.fulfill(body=silence(), content_type="audio/wav")
    )
    reported(page, video, lambda: page.goto(live_server.url + address(video)))
    assert LessonProgress.objects.get().seconds == 0

    page.evaluate("document.querySelector('video').play()")

    expect(page.locator(".badge[data-when-done]")).to_be_visible(timeout=20_000)
    progress = LessonProgress.objects.get()
    assert progress.completed_at is not None
    assert progress.position_seconds == SOUND_SECONDS
    assert 1 <= progress.seconds <= 2 * SOUND_SECONDS


def test_a_video_that_cannot_be_played_leaves_a_way_to_it(
    open_page, live_server, market, text
) -> None:
    Lesson.objects.filter(pk=text.pk).update(video_url=f"{live_server.url}/nowhere.mp4")
    page = open_page("/", person=market.viewer)

    page.goto(live_server.url + address(text))

    expect(page.locator("[data-video-failed]")).to_be_visible()


def test_who_lost_access_meanwhile_is_told_that_nothing_is_kept(
    open_page, live_server, market, text
) -> None:
    page = open_page("/", person=market.viewer)
    page.clock.install()
    reported(page, text, lambda: page.goto(live_server.url + address(text)))
    market.viewer.enrollments.update(is_active=False)

    page.clock.run_for(16_000)

    expect(page.locator("[data-not-kept]")).to_be_visible()


def test_a_visitor_tries_a_free_lesson_and_nothing_is_kept(open_page, market) -> None:
    free = Lesson.objects.get(is_preview=True)
    page = open_page(f"/courses/{market.course.slug}/")

    page.get_by_role("link", name=free.title).click()

    expect(page.get_by_role("heading", level=1)).to_have_text(free.title)
    expect(page.get_by_text("You are trying this lesson for free.")).to_be_visible()
    assert not LessonProgress.objects.exists()


@pytest.mark.parametrize(("width", "language", "scheme"), LOOKS)
def test_the_pages_of_learners_are_free_of_barriers_and_fit(
    open_page, axe, live_server, market, text, settings, tmp_path, width, language, scheme
) -> None:
    settings.PRIVATE_ROOT = tmp_path
    text.file.save("答案.pdf", ContentFile(b"%PDF"))
    Lesson.objects.filter(pk=text.pk).update(video_url="https://videos.example/a.mp4")
    free = Lesson.objects.get(is_preview=True)
    options = {"width": width, "language": language, "color_scheme": scheme, "bypass_csp": True}
    member = open_page("/", person=market.viewer, **options)
    visitor = open_page("/", **options)
    newcomer = open_page("/", person=UserFactory(), **options)
    for page, paths in (
        (member, ["/learn/", address(text), address(free), "/learn/files/a:b:c/"]),
        (visitor, [address(free)]),
        (newcomer, ["/learn/"]),
    ):
        for path in paths:
            page.goto(live_server.url + path)
            page.evaluate(axe)

            assert page.evaluate(RUN_AXE) == [], json.dumps([path, width, language, scheme])
            for narrow in (320, width):
                page.set_viewport_size({"width": narrow, "height": 844})
                needed = page.evaluate("document.documentElement.scrollWidth")
                assert needed <= narrow, f"{path} at {narrow} px needs {needed} px"
