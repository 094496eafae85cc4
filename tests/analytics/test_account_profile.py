"""What people see of their profile on the page of their account, and through the API."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import User
from analytics.models import EventKind, Profile, ProfileCorrection
from analytics.pipelines.profiles import refresh_profiles
from catalog.models import Category
from tests.factories import (
    CategoryFactory,
    CourseFactory,
    EventFactory,
    LedgerEntryFactory,
    LiveSessionFactory,
    OperatorFactory,
    OrderFactory,
    PurchaseFactory,
    SellerFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db

PATH = "/api/v1/me/profile/"


@pytest.fixture
def music() -> Category:
    return CategoryFactory(slug="music", name_en="Music", name_zh="音乐")


@pytest.fixture
def ann(client: Client, music: Category) -> User:
    """Somebody signed in who watched, liked and bought something at a reduced price."""
    person = UserFactory()
    now = timezone.now()
    at_eight = {"occurred_at": now.replace(hour=12, minute=5) - timedelta(days=2), "user": person}
    course = CourseFactory(category=music, list_price=100)
    session = LiveSessionFactory(ended=True)
    EventFactory(kind=EventKind.WATCH, value=5400, course=None, live_session=session, **at_eight)
    EventFactory(kind=EventKind.LIKE, value=7, course=course, live_session=session, **at_eight)
    order = OrderFactory(buyer=person)
    PurchaseFactory(order=order, course=course, list_price=100, price=60)
    LedgerEntryFactory(order=order, recorded_at=at_eight["occurred_at"])
    refresh_profiles(now=now)
    client.force_login(person)
    return person


@pytest.fixture
def api(ann: User) -> APIClient:
    client = APIClient(headers={"accept-language": "en"})
    client.force_authenticate(ann)
    return client


def page_of(client: Client, language: str = "en") -> str:
    html = client.get("/account/", headers={"accept-language": language}).content.decode()
    return re.sub(r"\s+", " ", html)


def post(client: Client, **data: object):
    return client.post("/account/profile/", data, headers={"accept-language": "en"})


class TestThePage:
    def test_each_value_stands_beside_the_events_behind_it(self, client, ann) -> None:
        page = page_of(client)
        for text in (
            "What we know of you",
            "Worked out from 3 things that you did here",
            "<b>Music</b><span>100%</span>",
            "from 2 things you did",
            '<b>20:00–21:00</b><span class="quiet">from 3 things you did',
            "Price band: low",
            "¥60 on average, from 1 purchase",
            "100.0% (1 of 1)",
            "<b>Newcomer</b>",
            "<dt>Watched</dt><dd>1 h 30 min</dd>",
            "<dt>Likes</dt><dd>7</dd>",
        ):
            assert text in page

    def test_each_part_can_be_switched_off_and_on_and_then_says_so(self, client, ann) -> None:
        for part in ("interests", "hours", "price", "stage", "engagement"):
            response = post(client, subject=part, say="off")
            assert response["Location"] == f"/account/#known-{part}"
        page = page_of(client)
        assert page.count("Switched off by you: neither derived nor shown nor used.") == 5
        for gone in ("<b>Music</b>", "20:00–21:00", "on average", "<b>Newcomer</b>", "1 h 30"):
            assert gone not in page

        post(client, subject="hours", say="on")
        assert "<b>20:00–21:00</b>" in page_of(client)

    def test_a_field_is_switched_off_weighed_and_added(self, client, ann, music) -> None:
        subject = f"interest:{music.pk}"
        post(client, subject=subject, say="more")
        assert "you said: more" in page_of(client)

        response = post(client, subject=subject, say="off")
        assert response["Location"] == "/account/#known-interests"
        assert "<b>Music</b>" not in page_of(client)
        assert "<span>Music</span>" in page_of(client)

        chess = CategoryFactory(name_en="Chess")
        post(client, category=chess.pk, say="add")
        assert "<b>Chess</b><span>100%</span>" in page_of(client)
        assert "chosen by you" in page_of(client)

    def test_hours_and_band_are_chosen_and_taken_back(self, client, ann) -> None:
        post(client, subject="hours", say="instead", hours=["7", "22"])
        post(client, subject="price", say="instead", band="high")
        page = page_of(client)
        assert "<b>07:00–08:00</b>" in page
        assert "Chosen by you; times in UTC+08:00." in page
        assert "Price band: high" in page

        post(client, subject="hours", say="reset")
        post(client, subject="price", say="reset")
        assert not ProfileCorrection.objects.exists()
        assert "<b>20:00–21:00</b>" in page_of(client)

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            ({"subject": "hours", "say": "instead"}, "Choose from one to 3 hours of the day."),
            (
                {"subject": "hours", "say": "instead", "hours": ["1", "2", "3", "4"]},
                "Choose from one to 3 hours of the day.",
            ),
            ({"subject": "hours", "say": "instead", "hours": ["25"]}, "25"),
            ({"subject": "price", "say": "instead"}, "Choose one of the price bands."),
            ({"subject": "stage", "say": "instead"}, "can only be switched off or on"),
            ({"say": "add"}, "Choose a field."),
            ({"subject": "interest:0", "say": "off"}, "There is no such field."),
            ({"subject": "x", "say": "off"}, "There is no such part of a profile."),
            ({"subject": "hours"}, "required"),
        ],
    )
    def test_what_cannot_be_is_refused_in_words(self, client, ann, data, message) -> None:
        response = post(client, **data)
        assert response["Location"] == "/account/"
        assert message in page_of(client)
        assert not ProfileCorrection.objects.exists()

    def test_without_personalisation_it_says_that_nothing_is_derived(self, client, ann) -> None:
        User.objects.filter(pk=ann.pk).update(is_personalised=False)
        page = page_of(client)
        assert "Personal recommendations are off: nothing is derived about you." in page
        assert "Music</b>" not in page
        assert "known__part" not in page
        post(client, subject="hours", say="off")
        assert "Nothing is derived about you while" in page_of(client)

    def test_before_the_first_build_it_says_what_is_not_known_yet(self, client) -> None:
        client.force_login(UserFactory())
        page = page_of(client)
        for text in ("No interest is known yet.", "Nothing was bought yet.", "No stage is known"):
            assert text in page

    def test_a_stranger_is_asked_to_sign_in_and_a_link_changes_nothing(self, client) -> None:
        assert post(client, subject="hours", say="off").status_code == 302
        assert not ProfileCorrection.objects.exists()
        client.force_login(UserFactory())
        assert client.get("/account/profile/?subject=hours&say=off").status_code == 405

    def test_other_sites_cannot_send_the_form(self, ann) -> None:
        strict = Client(enforce_csrf_checks=True)
        strict.force_login(ann)
        assert strict.post("/account/profile/", {"subject": "hours"}).status_code == 403

    def test_the_number_of_queries_does_not_grow_with_what_is_known(
        self, client, ann, django_assert_max_num_queries
    ) -> None:
        person = Profile.objects.get(pk=ann.pk)
        person.interests = [
            {"category": CategoryFactory().pk, "weight": 0.1, "n_events": 1} for _ in range(10)
        ]
        person.save()
        with django_assert_max_num_queries(16):
            client.get("/account/")


class TestTheApi:
    def test_it_tells_each_value_with_its_counts(self, api, ann, music) -> None:
        known = api.get(PATH).json()
        assert (known["is_personalised"], known["n_events"]) == (True, 3)
        assert known["interests"] == {
            "is_off": False,
            "known": [
                {
                    "category": {"slug": "music", "name": "Music"},
                    "weight": 1.0,
                    "n_events": 2,
                    "is_chosen": False,
                    "answer": None,
                }
            ],
            "switched_off": [],
        }
        assert known["hours"]["hours"] == [{"hour": 20, "n_events": 3}]
        assert known["hours"]["zone"] == "Asia/Shanghai"
        assert known["price"] == {
            "is_off": False,
            "is_corrected": False,
            "band": "low",
            "mean": "60.00",
            "currency": "CNY",
            "n_purchases": 1,
            "discounted": {"numerator": 1, "denominator": 1, "value": 1.0, "percent": "100.0%"},
        }
        assert (known["stage"]["stage"], known["stage"]["n_events"]) == ("newcomer", 3)
        assert known["engagement"]["watched_seconds"] == 5400

    def test_all_changes_of_one_request_count_at_once(self, api, music) -> None:
        chess = CategoryFactory(slug="chess")
        changes = {
            "interests": {
                "said": [
                    {"category": "music", "answer": "less"},
                    {"category": "chess", "answer": "add"},
                ]
            },
            "hours": {"hours": [7]},
            "price": {"band": "high", "is_off": True},
            "stage": {"is_off": True},
        }

        response = api.patch(PATH, changes, format="json")

        known = response.json()
        assert response.status_code == 200
        assert {
            one["category"]["slug"]: (one["answer"], one["is_chosen"])
            for one in known["interests"]["known"]
        } == {"music": ("less", False), "chess": (None, True)}
        assert known["hours"]["hours"] == [{"hour": 7, "n_events": 0}]
        assert known["hours"]["is_corrected"] is True
        assert (known["price"]["is_off"], known["price"]["band"]) == (True, None)
        assert (known["stage"]["is_off"], known["stage"]["stage"]) == (True, None)
        assert known == api.get(PATH).json()
        assert chess.pk

        back = {"hours": {"hours": None}, "price": {"is_off": False}, "stage": {"is_off": False}}
        known = api.patch(PATH, back, format="json").json()
        assert known["hours"]["hours"] == [{"hour": 20, "n_events": 3}]
        assert (known["price"]["band"], known["price"]["is_corrected"]) == ("high", True)
        assert known["stage"]["stage"] == "newcomer"

    @pytest.mark.parametrize(
        ("changes", "attr"),
        [
            ({"hours": {"hours": [24]}}, "hours.hours.0"),
            ({"hours": {"hours": []}}, "hours.hours"),
            ({"hours": {"hours": [1, 2, 3, 4]}}, "hours.hours"),
            ({"hours": {"hours": [7, 7]}}, "hours"),
            ({"price": {"band": "cheap"}}, "price.band"),
            ({"stage": {"is_off": "perhaps"}}, "stage.is_off"),
            ({"interests": {"said": [{"category": "no", "answer": "off"}]}}, "interests.said"),
            (
                {"interests": {"said": [{"category": "music", "answer": "most"}]}},
                "interests.said.0.answer",
            ),
        ],
    )
    def test_what_cannot_be_is_refused_by_name_and_nothing_of_it_is_kept(
        self, api, changes, attr
    ) -> None:
        response = api.patch(PATH, {"engagement": {"is_off": True}, **changes}, format="json")
        assert response.status_code == 400
        assert [error["attr"] for error in response.json()["errors"]] == [attr]
        assert not ProfileCorrection.objects.exists()

    def test_without_personalisation_all_is_empty_and_nothing_can_be_corrected(
        self, api, ann
    ) -> None:
        ann.is_personalised = False
        ann.save()
        known = api.get(PATH).json()
        assert (known["is_personalised"], known["interests"]["known"]) == (False, [])
        response = api.patch(PATH, {"stage": {"is_off": True}}, format="json")
        assert response.status_code == 409
        assert response.json()["errors"][0]["code"] == "not_personalised"

    def test_one_sees_and_changes_ones_own_only(self, api, ann, music) -> None:
        other = APIClient()
        other.force_authenticate(UserFactory())
        assert other.get(PATH).json()["n_events"] == 0
        other.patch(PATH, {"interests": {"is_off": True}}, format="json")
        assert api.get(PATH).json()["interests"]["known"] != []
        assert APIClient().get(PATH).status_code == 401


class TestTheAdmin:
    def page(self, ann: User) -> str:
        operator = Client(headers={"accept-language": "en"})
        operator.force_login(OperatorFactory())
        html = operator.get(f"/admin/analytics/profile/{ann.pk}/change/").content.decode()
        return re.sub(r"\s+", " ", html)

    def test_operators_see_price_sensitivity_and_what_the_person_said(
        self, client, ann, music
    ) -> None:
        page = self.page(ann)
        assert "<td>mean price</td><td>¥60</td>" in page
        assert "<td>below the list price</td><td>100.0% (1 of 1)</td>" in page
        assert "discounted_share" not in page
        assert "nothing: all of it is as derived" in page

        post(client, subject=f"interest:{music.pk}", say="off")
        post(client, subject="price", say="off")
        post(client, subject="hours", say="instead", hours=["7"])

        page = self.page(ann)
        assert "<td>Music</td><td>switched off</td>" in page
        assert "<td>price sensitivity</td><td>switched off</td>" in page
        assert "<td>favourite hours</td><td>07:00–08:00</td>" in page
        assert "¥60" not in page

    def test_the_list_shows_the_price_band_in_words(self, ann) -> None:
        operator = Client(headers={"accept-language": "en"})
        operator.force_login(OperatorFactory())
        page = operator.get("/admin/analytics/profile/").content.decode()
        assert re.search(r"field-band[^>]*>\s*(<[^>]*>\s*)*low", page)
        assert "discounted_share" not in page

    def test_a_seller_does_not_see_it(self, client, ann) -> None:
        client.force_login(SellerFactory())
        assert client.get(f"/admin/analytics/profile/{ann.pk}/change/").status_code in (302, 403)
