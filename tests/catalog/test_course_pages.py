"""The pages of the catalogue as visitors see them."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.urls import reverse
from django.utils import timezone

from catalog.models import ConsultationSlot, CourseKind, CourseStatus
from catalog.reviews import star_counts
from catalog.views import COURSES_PER_PAGE, REVIEWS_PER_PAGE
from tests.factories import (
    CategoryFactory,
    CourseFactory,
    EnrollmentFactory,
    LessonFactory,
    LiveSessionFactory,
    OperatorFactory,
    PromotionFactory,
    ReviewFactory,
    SectionFactory,
    SellerFactory,
    ShowcaseItemFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db
LIST = "/courses/"
ENGLISH = {"HTTP_ACCEPT_LANGUAGE": "en"}


def address(course) -> str:
    return reverse("catalog:course_detail", args=[course.slug])


def page(client, path: str, **query: object) -> str:
    response = client.get(path, query, **ENGLISH)
    assert response.status_code == 200
    return response.content.decode()


def test_the_list_shows_title_seller_price_and_rating(client) -> None:
    course = CourseFactory(title="Knots", list_price=Decimal(1299))
    ReviewFactory(course=course, rating=4)

    html = page(client, LIST)

    for text in ("Knots", course.seller.display_name, "¥1,299", "<b>4.0</b>", "1 course"):
        assert text in html


def test_a_reduced_price_stands_beside_the_list_price(client) -> None:
    PromotionFactory(price=Decimal("66.60"))

    html = page(client, LIST)

    assert "¥66.60" in html
    assert "¥100</s>" in html
    assert "-33%" in html  # 33.4 percent, rounded down


def test_a_promotion_of_a_live_session_does_not_lower_the_price_on_the_list(client) -> None:
    PromotionFactory(price=Decimal("66.60"), is_public=False)

    assert "¥66.60" not in page(client, LIST)


def test_without_matches_the_list_says_so_and_offers_a_way_back(client) -> None:
    html = page(client, LIST, q="nowhere")

    assert "No course matches" in html
    assert "See all courses" in html


@pytest.mark.parametrize("number", ["0", "2", "-1", "x", "1.5", "99999999999", "٣", "1e1"])
def test_a_page_that_does_not_exist_is_not_found(client, number) -> None:
    CourseFactory()

    assert client.get(LIST, {"page": number}).status_code == 404


def test_links_between_pages_keep_the_filters(client) -> None:
    field = CategoryFactory(slug="knots")
    for _ in range(COURSES_PER_PAGE + 1):
        CourseFactory(category=field)

    first = page(client, LIST, category="knots", q="", sort="price")

    assert 'href="?category=knots&amp;sort=price&amp;page=2#results"' in first
    assert "Page 2 of 2" in page(client, LIST, category="knots", page=2)


def test_htmx_gets_the_results_alone_and_caches_keep_the_two_apart(client) -> None:
    CourseFactory(title="Knots")

    fragment = client.get(LIST, headers={"HX-Request": "true"})
    restored = client.get(
        LIST, headers={"HX-Request": "true", "HX-History-Restore-Request": "true"}
    )

    assert b"Knots" in fragment.content
    assert b"<html" not in fragment.content
    assert b"<html" in restored.content
    assert "HX-Request" in fragment["Vary"]


def test_an_invalid_filter_is_named_and_does_not_empty_the_list(client) -> None:
    CourseFactory(title="Knots")

    html = page(client, LIST, price_min="50", price_max="10")

    assert "The highest price must not be below the lowest price." in html
    assert "Knots" in html


def test_the_page_of_a_course_says_what_it_holds(client) -> None:
    course = CourseFactory(description="You learn **knots**.", tags=["rope"])
    section = SectionFactory(course=course, title="First steps")
    LessonFactory(section=section, title="The bowline", duration_seconds=3723)
    EnrollmentFactory(course=course)

    html = page(client, address(course))

    for text in ("<strong>knots</strong>", "First steps", "The bowline", "1:02:03", "1 learner"):
        assert text in html
    assert "?q=rope" in html


def test_the_page_says_until_when_and_for_how_many_seats_a_price_holds(client) -> None:
    promotion = PromotionFactory(seats=20, seats_left=3)

    html = page(client, address(promotion.course))

    assert "This price ends" in html
    assert "3 of 20 seats left at this price" in html


def test_a_course_can_be_bought_or_put_into_the_cart(client) -> None:
    course = CourseFactory()
    LessonFactory(section__course=course)

    html = page(client, address(course))

    assert "Buy now" in html
    assert "Add to cart" in html
    assert f'name="course" value="{course.pk}"' in html
    assert "Free to try" not in html


def test_a_free_course_says_so_on_its_button(client) -> None:
    html = page(client, address(CourseFactory(list_price=0)))

    assert "Get it for free" in html
    assert "Buy now" not in html


def test_a_promotion_that_is_sold_out_is_said_with_the_price_that_holds(client) -> None:
    promotion = PromotionFactory(seats=2, seats_left=0)

    html = page(client, address(promotion.course))

    assert "All seats at ¥60 are taken; this is the price now." in html


def test_a_consultation_offers_its_free_times_and_none_without_any(client) -> None:
    course = CourseFactory(kind=CourseKind.CONSULTATION)
    begins = timezone.now() + timedelta(days=1)
    none_free = page(client, address(course))
    slot = ConsultationSlot.objects.create(
        course=course, starts_at=begins, ends_at=begins + timedelta(hours=1)
    )

    one_free = page(client, address(course))

    assert "No time of this consultation is free at present." in none_free
    assert "Buy now" not in none_free
    assert f'<option value="{slot.pk}">' in one_free
    assert "The next free time" in one_free


def test_sellers_are_not_offered_their_own_courses(client) -> None:
    course = CourseFactory()
    client.force_login(course.seller)

    html = page(client, address(course))

    assert "This is your own course" in html
    assert "Buy now" not in html


def test_a_course_in_the_cart_leads_there(client) -> None:
    course = CourseFactory()
    client.post("/cart/add/", {"course": course.pk, "then": "buy"})

    html = page(client, address(course))

    assert "This course is in your cart" in html
    assert "Buy now" not in html


def test_who_has_the_course_is_told_so(client) -> None:
    enrollment = EnrollmentFactory()
    client.force_login(enrollment.user)

    assert "You have this course" in page(client, address(enrollment.course))


def test_lost_access_is_not_shown_as_access(client) -> None:
    enrollment = EnrollmentFactory(is_active=False)
    client.force_login(enrollment.user)

    assert "You have this course" not in page(client, address(enrollment.course))


def test_the_page_leads_to_the_next_live_sessions_that_show_the_course(client) -> None:
    course = CourseFactory()
    for days in (1, 2, 3, 4):
        session = LiveSessionFactory(
            title=f"In {days} days", scheduled_at=timezone.now() + timedelta(days=days)
        )
        ShowcaseItemFactory(course=course, live_session=session)
    ShowcaseItemFactory(course=course, live_session=LiveSessionFactory(live=True, title="Now"))
    ShowcaseItemFactory(course=course, live_session=LiveSessionFactory(draft=True, title="Secret"))

    html = page(client, address(course))

    shown = [title for title in ("Now", "In 1 days", "In 2 days", "In 3 days") if title in html]
    assert shown == ["Now", "In 1 days", "In 2 days"]
    assert "Secret" not in html


@pytest.mark.parametrize("status", [CourseStatus.DRAFT, CourseStatus.ARCHIVED])
def test_what_is_not_on_sale_is_seen_by_its_seller_and_operators_alone(client, status) -> None:
    course = CourseFactory(status=status)

    for stranger in (None, UserFactory(), SellerFactory()):
        if stranger:
            client.force_login(stranger)
        assert client.get(address(course)).status_code == 404
    for allowed in (course.seller, OperatorFactory()):
        client.force_login(allowed)
        assert "Only you and the operators see this page." in page(client, address(course))


def test_reviews_are_shown_newest_first_without_hidden_ones(client) -> None:
    course = CourseFactory()
    now = timezone.now()
    ReviewFactory(course=course, text="older words", created_at=now - timedelta(days=2))
    ReviewFactory(course=course, text="newer words", created_at=now)
    ReviewFactory(course=course, text="hidden words", is_visible=False, rating=1)

    html = page(client, address(course))

    assert html.index("newer words") < html.index("older words")
    assert "hidden words" not in html
    assert "from 2 ratings" in html


def test_star_counts_go_from_five_to_one_and_leave_hidden_reviews_out() -> None:
    course = CourseFactory()
    for rating in (5, 5, 4, 1):
        ReviewFactory(course=course, rating=rating)
    ReviewFactory(course=course, rating=1, is_visible=False)

    counted = star_counts(course)

    assert [(c.stars, c.n) for c in counted] == [(5, 2), (4, 1), (3, 0), (2, 0), (1, 1)]
    assert [c.percent for c in counted] == [50, 25, 0, 0, 25]


def test_without_ratings_no_share_is_made_up(client) -> None:
    course = CourseFactory()

    assert {count.percent for count in star_counts(course)} == {0}
    assert "No reviews yet" in page(client, address(course))


def test_reviews_are_paged(client) -> None:
    course = CourseFactory()
    for _ in range(REVIEWS_PER_PAGE + 1):
        ReviewFactory(course=course)

    assert "Page 1 of 2" in page(client, address(course))
    assert "Page 2 of 2" in page(client, address(course), reviews=2)
    assert client.get(address(course), {"reviews": 3}).status_code == 404


def test_a_reviewer_without_a_name_is_shown_without_the_address(client) -> None:
    review = ReviewFactory(user=UserFactory(display_name="", email="secret@example.com"))

    html = page(client, address(review.course))

    assert "secret" not in html
    assert "Learner" in html


def test_a_chinese_address_is_found(client) -> None:
    course = CourseFactory(slug="零基础学-python", title="零基础学 Python")

    assert "零基础学 Python" in page(client, address(course))


@pytest.mark.parametrize("path", ["/courses/nowhere/", "/courses/999999/cover.svg"])
def test_what_does_not_exist_is_not_found(client, path) -> None:
    assert client.get(path).status_code == 404


@pytest.mark.parametrize("path", [LIST, "/courses/a/", "/courses/1/cover.svg"])
def test_pages_are_only_read(client, path) -> None:
    assert client.post(path).status_code == 405
