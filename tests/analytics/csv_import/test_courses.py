"""`import_csv courses`."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.core.management import CommandError

from accounts.models import User
from catalog.models import Category, Course, CourseStatus
from tests.factories import CategoryFactory, SellerFactory, UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.mariadb]


def test_it_stores_a_course_with_all_that_the_row_says(import_csv, csv_file):
    seller = SellerFactory(email="seller@example.com")
    category = CategoryFactory(slug="design")
    path = csv_file(
        "external_id,title,summary,description,kind,language,level,category,tags,list_price,"
        "currency,status,published_at\n"
        'C_1,Colour,Short,"Two\nlines",ebook,en,advanced,design,art| colour |art,199.5,USD,'
        "published,2025/1/5\n"
    )

    import_csv("courses", path, "--seller", "Seller@example.com")

    course = Course.objects.get(external_id="C_1")
    assert course.seller == seller
    assert course.category == category
    assert (course.kind, course.language, course.level) == ("ebook", "en", 3)
    assert course.description == "Two\nlines"
    assert course.tags == ["art", "colour"]
    assert (course.list_price, course.currency) == (Decimal("199.50"), "USD")
    assert course.published_at.isoformat() == "2025-01-04T16:00:00+00:00"


def test_it_fills_in_what_a_row_does_not_say(import_csv, csv_file):
    import_csv("courses", csv_file("external_id,title\nC_1,色彩\nC_2,Colour\nC_3,Colour\n"))
    chinese, english, same = Course.objects.order_by("external_id")
    assert (chinese.language, english.language) == ("zh", "en")
    assert chinese.slug.startswith("色彩-")
    assert english.slug != same.slug
    assert chinese.category.slug == "imported"
    assert (chinese.list_price, chinese.status) == (Decimal(0), CourseStatus.PUBLISHED)
    assert chinese.published_at is not None


def test_it_makes_a_seller_of_the_source_who_cannot_sign_in_where_none_is_named(
    import_csv, csv_file
):
    import_csv("courses", csv_file("external_id,title\nC_1,A\n"), "--source", "mooc")
    import_csv("courses", csv_file("external_id,title\nC_2,B\n"), "--source", "mooc")
    seller = User.objects.get(role="seller")
    assert not seller.has_usable_password()
    assert seller.courses.count() == 2


def test_it_takes_the_seller_of_the_row(import_csv, csv_file):
    SellerFactory(email="one@example.com")
    UserFactory(email="viewer@example.com")
    outcome = import_csv(
        "courses",
        csv_file(
            "external_id,title,seller\nC_1,A,ONE@example.com\nC_2,B,two@example.com\n"
            "C_3,C,viewer@example.com\n"
        ),
    )
    assert Course.objects.get().seller.email == "one@example.com"
    assert "line 3: seller: no seller has this e-mail address" in outcome.err
    assert "line 4: seller: no seller has this e-mail address" in outcome.err


@pytest.mark.parametrize("email", ["nobody@example.com", "viewer@example.com"])
def test_it_stops_before_anything_where_the_seller_is_none(import_csv, csv_file, email):
    UserFactory(email="viewer@example.com")
    with pytest.raises(CommandError, match="no seller with the e-mail address"):
        import_csv("courses", csv_file("external_id,title\nC_1,A\n"), "--seller", email)
    assert not Course.objects.exists()


def test_it_finds_a_category_by_address_or_name_and_makes_what_is_missing(import_csv, csv_file):
    CategoryFactory(slug="maths", name_zh="数学", name_en="Mathematics")
    path = csv_file(
        "external_id,title,category\nC_1,A,maths\nC_2,B,数学\nC_3,C,Mathematics\n"
        "C_4,D,物理学|数学\nC_5,E,物理学\nC_6,F,Life science\nC_7,G,|\n"
    )
    import_csv("courses", path)
    of = {course.external_id: course.category for course in Course.objects.all()}
    assert of["C_1"] == of["C_2"] == of["C_3"]
    assert of["C_4"] == of["C_5"]
    assert of["C_4"].name_zh == "物理学"
    assert of["C_4"].slug.isascii()
    assert of["C_6"].slug == "life-science"
    assert of["C_7"].slug == "imported"
    assert Category.objects.count() == 4


def test_it_keeps_the_address_of_a_course_whose_title_changes_and_records_the_price(
    import_csv, csv_file
):
    import_csv("courses", csv_file("external_id,title,list_price\nC_1,Old,10\nC_2,Same,10\n"))
    before = Course.objects.get(external_id="C_1")

    outcome = import_csv(
        "courses", csv_file("external_id,title,list_price\nC_1,New,12\nC_2,Same,10.00\n")
    )

    assert outcome.last.startswith("1 rows stored, 1 already there, 0 refused")
    after = Course.objects.get(external_id="C_1")
    assert (after.pk, after.slug, after.title) == (before.pk, before.slug, "New")
    prices = after.history.order_by("history_id").values_list("list_price", flat=True)
    assert list(prices) == [Decimal(10), Decimal(12)]


def test_it_imports_drafts_and_publishes_them_later(import_csv, csv_file):
    path = csv_file("external_id,title\nC_1,A\n")
    import_csv("courses", path, "--set", "status=draft")
    course = Course.objects.get()
    assert (course.status, course.published_at) == (CourseStatus.DRAFT, None)
    import_csv("courses", path, "--set", "status=published")
    course.refresh_from_db()
    assert course.is_published
    assert course.published_at is not None
