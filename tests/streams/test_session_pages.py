"""The home page and the pages of live sessions as visitors see them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from streams.covers import session_cover_version
from streams.room_page import MESSAGES_AT_LOAD
from streams.views import PAST_PER_PAGE
from tests.factories import (
    ChatMessageFactory,
    CourseFactory,
    LiveSessionFactory,
    OperatorFactory,
    SellerFactory,
    ShowcaseItemFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db
ENGLISH = {"HTTP_ACCEPT_LANGUAGE": "en"}


def page(client, path: str, **query: object) -> str:
    response = client.get(path, query, **ENGLISH)
    assert response.status_code == 200
    return response.content.decode()


def address(session) -> str:
    return reverse("streams:session_detail", args=[session.pk])


def test_an_empty_platform_has_a_home_page_that_says_what_will_be_there(client) -> None:
    html = page(client, "/")

    assert "Nothing to recommend yet" in html
    assert "Live now" not in html


def test_an_empty_platform_has_a_list_of_sessions_that_says_so(client) -> None:
    assert "No session is scheduled" in page(client, "/live/")


def test_home_shows_who_is_live_before_what_comes(client) -> None:
    LiveSessionFactory(live=True, title="On air")
    LiveSessionFactory(title="Tomorrow")

    html = page(client, "/")

    assert html.index("Live now") < html.index("On air") < html.index("Tomorrow")


def test_home_shows_the_next_session_with_a_countdown_when_nobody_is_live(client) -> None:
    LiveSessionFactory(title="Tomorrow")

    html = page(client, "/")

    assert "Next live session" in html
    assert "data-countdown" in html
    assert "No further session is scheduled." in html


def test_home_names_no_number_of_courses_where_there_are_none(client) -> None:
    LiveSessionFactory()

    assert "0 courses shown" not in page(client, "/") + page(client, "/live/")


def test_the_list_has_live_then_coming_then_past_sessions(client) -> None:
    LiveSessionFactory(live=True, title="On air")
    LiveSessionFactory(title="Tomorrow")
    LiveSessionFactory(ended=True, title="Long over")
    LiveSessionFactory(draft=True, title="Secret plan")

    html = page(client, "/live/")

    assert html.index("On air") < html.index("Tomorrow") < html.index("Long over")
    assert "Secret plan" not in html


def test_past_sessions_are_paged_and_other_pages_show_nothing_else(client) -> None:
    for _ in range(PAST_PER_PAGE + 1):
        LiveSessionFactory(ended=True)
    LiveSessionFactory(live=True, title="On air")

    second = page(client, "/live/", page=2)

    assert "Page 2 of 2" in second
    assert "On air" not in second
    assert client.get("/live/", {"page": "3"}).status_code == 404


def test_a_late_session_is_said_to_be_late_on_list_and_page(client) -> None:
    late = LiveSessionFactory(scheduled_at=timezone.now() - timedelta(minutes=5), title="Late one")

    assert "Should have begun" in page(client, "/live/")
    html = page(client, address(late))
    assert "This session should have begun and has not yet." in html
    assert "data-countdown" not in html


def test_a_scheduled_session_says_when_it_begins_and_how_long_it_is_planned(client) -> None:
    html = page(client, address(LiveSessionFactory(planned_minutes=45)))

    assert "45 minutes" in html
    assert "UTC+08:00" in html
    assert "data-countdown" in html


def test_a_live_session_is_a_room_with_what_was_said_and_what_is_sold(client) -> None:
    session = LiveSessionFactory(live=True, seller__display_name="林小川")
    item = ShowcaseItemFactory(live_session=session)
    ChatMessageFactory(live_session=session, author=session.seller, text="welcome")
    ChatMessageFactory(live_session=session, text="hidden", hidden_at=timezone.now())

    html = page(client, address(session))

    assert "welcome" in html
    assert ">hidden<" not in html
    assert f'data-adds="{item.course_id}" data-in-session="{session.pk}"' in html
    assert "Sign in to write" in html


def test_a_room_shows_at_load_the_newest_messages_alone(client) -> None:
    session = LiveSessionFactory(live=True)
    for n in range(MESSAGES_AT_LOAD + 1):
        ChatMessageFactory(live_session=session, text=f"message {n}!")

    html = page(client, address(session))

    assert "message 0!" not in html
    assert html.index("message 1!") < html.index(f"message {MESSAGES_AT_LOAD}!")


def test_an_ended_session_says_what_was_shown(client) -> None:
    item = ShowcaseItemFactory(live_session=LiveSessionFactory(ended=True))

    html = page(client, address(item.live_session))

    assert "Courses that were shown" in html
    assert item.course.title in html


def test_a_showcase_without_courses_says_so(client) -> None:
    assert "No course chosen yet" in page(client, address(LiveSessionFactory()))


def test_cards_of_a_showcase_carry_the_session_from_which_they_are_clicked(client) -> None:
    item = ShowcaseItemFactory(live_session=LiveSessionFactory(live=True))

    html = page(client, address(item.live_session))

    assert f'data-course="{item.course_id}" data-session="{item.live_session_id}"' in html


def test_a_draft_is_seen_by_its_seller_and_operators_alone(client) -> None:
    draft = LiveSessionFactory(draft=True)
    cover = reverse("streams:cover", args=[draft.pk])

    for stranger in (None, UserFactory(), SellerFactory()):
        if stranger:
            client.force_login(stranger)
        assert client.get(address(draft)).status_code == 404
        assert client.get(cover).status_code == 404
    for allowed in (draft.seller, OperatorFactory()):
        client.force_login(allowed)
        assert "Only you see this draft." in page(client, address(draft))
        assert client.get(cover)["Cache-Control"].startswith("private")


def test_the_cover_of_a_session_is_kept_for_good_under_its_version_alone(client) -> None:
    session = LiveSessionFactory()
    cover = reverse("streams:cover", args=[session.pk])

    current = client.get(cover, {"v": session_cover_version(session)})

    assert current["Cache-Control"] == "public, max-age=31536000, immutable"
    assert client.get(cover, {"v": "0"})["Cache-Control"] == "public, max-age=300"


def test_the_menu_marks_that_somebody_is_live(client) -> None:
    assert "Somebody is live now" not in page(client, "/courses/")
    LiveSessionFactory(live=True)
    assert "Somebody is live now" in page(client, "/courses/")


def test_new_courses_do_not_repeat_what_is_recommended(client) -> None:
    course = CourseFactory()

    html = page(client, "/")

    assert html.count(f'data-course="{course.pk}"') == 1


@pytest.mark.parametrize("path", ["/live/99999/", "/live/99999/cover.svg", "/live/x/"])
def test_what_does_not_exist_is_not_found(client, path) -> None:
    assert client.get(path).status_code == 404
