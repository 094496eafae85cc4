"""Times of consultations: planned many at once, and safe once somebody has taken them."""

from __future__ import annotations

from datetime import date, time, timedelta
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from catalog.models import ConsultationSlot, Course, CourseKind, OrderStatus
from catalog.slots import MOST_AT_ONCE, add_times, plan_times
from tests.factories import (
    ConsultationSlotFactory,
    CourseFactory,
    OperatorFactory,
    OrderFactory,
    PurchaseFactory,
    SellerFactory,
    UserFactory,
)

pytestmark = [pytest.mark.django_db, pytest.mark.mariadb]

LIST = "admin:catalog_consultationslot_changelist"


def signed_in(person: User) -> Client:
    client = Client(headers={"accept-language": "en"})
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    return client


def consultation(seller: User, **fields: Any) -> Course:
    return CourseFactory(seller=seller, kind=CourseKind.CONSULTATION, **fields)


def planned(course: Course, **fields: Any) -> dict[str, Any]:
    """Two mornings of two hours each, a year ahead: four times of an hour."""
    first = timezone.localdate() + timedelta(days=300)
    return {
        "course": course.pk,
        "first_day": first.isoformat(),
        "last_day": (first + timedelta(days=1)).isoformat(),
        "begins": "09:00",
        "ends": "11:00",
        "minutes": 60,
        **fields,
    }


def add(person: User, data: dict[str, Any]) -> Any:
    return signed_in(person).post(reverse("admin:catalog_consultationslot_add"), data)


def taken(course: Course, **fields: Any) -> ConsultationSlot:
    buyer = UserFactory(display_name="Vera", email="vera@example.com")
    line = PurchaseFactory(order=OrderFactory(buyer=buyer, **fields), course=course)
    return ConsultationSlotFactory(course=course, purchase=line)


def moved(person: User, slot: ConsultationSlot, days: int = 10) -> Any:
    start = timezone.localtime(slot.starts_at + timedelta(days=days))
    data = {
        "starts_at_0": start.date().isoformat(),
        "starts_at_1": start.time().isoformat("seconds"),
        "ends_at_0": start.date().isoformat(),
        "ends_at_1": "23:59:59",
    }
    address = reverse("admin:catalog_consultationslot_change", args=[slot.pk])
    return signed_in(person).post(address, data)


@pytest.fixture
def seller() -> User:
    return SellerFactory(display_name="Alma")


def test_it_plans_as_many_times_as_fit_on_the_chosen_weekdays() -> None:
    # Given Monday to Sunday, and half past nine to noon
    spans = plan_times(
        first_day=date(2026, 6, 8),
        last_day=date(2026, 6, 14),
        weekdays=[0, 2],
        begins=time(9, 30),
        ends=time(12, 0),
        minutes=60,
    )
    told = [f"{timezone.localtime(span.starts_at):%a %H:%M}" for span in spans]
    assert told == ["Mon 09:30", "Mon 10:30", "Wed 09:30", "Wed 10:30"]
    assert {span.ends_at - span.starts_at for span in spans} == {timedelta(hours=1)}


def test_a_seller_adds_several_times_at_once(seller) -> None:
    course = consultation(seller)

    answer = add(seller, planned(course))

    assert answer.status_code == 302
    assert [str(one) for one in get_messages(answer.wsgi_request)] == ["4 times are added."]
    assert course.slots.count() == 4
    assert not course.slots.exclude(purchase=None).exists()


def test_what_is_there_already_is_not_added_again(seller) -> None:
    course = consultation(seller)
    add(seller, planned(course))

    again = add(seller, planned(course))
    longer = add(seller, planned(course, ends="12:00"))

    assert again.status_code == 200
    assert "others are there already" in again.content.decode()
    assert longer.status_code == 302
    assert course.slots.count() == 6


def test_sent_twice_at_the_same_moment_each_time_is_added_once(seller) -> None:
    course = consultation(seller)
    spans = plan_times(
        first_day=date(2026, 6, 8),
        last_day=date(2026, 6, 8),
        weekdays=[],
        begins=time(9, 0),
        ends=time(10, 30),
        minutes=30,
    )
    moment = spans[0].starts_at - timedelta(days=1)
    assert len(add_times(course, spans, moment=moment)) == 3
    assert add_times(course, spans, moment=moment) == []


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"ends": "09:30"}, "No time of this length fits in."),
        ({"minutes": 1}, "greater than or equal to 5"),
        ({"first_day": "2020-01-01", "last_day": "2020-01-02"}, "These times are past"),
        ({"last_day": "2020-01-01"}, "The end must be after the start."),
        ({"last_day": "2999-01-01"}, "at most a year"),
        ({"ends": "23:59", "minutes": 5, "days": 40}, f"more than {MOST_AT_ONCE}"),
    ],
)
def test_it_refuses_what_makes_no_sense(seller, fields, told) -> None:
    course = consultation(seller)
    data = planned(course, **fields)
    if days := data.pop("days", None):
        first = date.fromisoformat(data["first_day"])
        data["last_day"] = (first + timedelta(days=days)).isoformat()

    answer = add(seller, data)

    assert answer.status_code == 200
    assert told in answer.content.decode()
    assert not course.slots.exists()


def test_times_are_of_own_consultations_alone(seller) -> None:
    hers, no_consultation = consultation(SellerFactory()), CourseFactory(seller=seller)

    for course in (hers, no_consultation):
        assert add(seller, planned(course)).status_code == 200
    assert not ConsultationSlot.objects.exists()
    assert add(OperatorFactory(), planned(hers)).status_code == 302


def test_the_list_says_by_whom_a_time_is_taken_and_no_address(seller) -> None:
    course = consultation(seller)
    taken(course)
    ConsultationSlotFactory(course=course)
    PurchaseFactory()

    text = signed_in(seller).get(reverse(LIST)).content.decode()

    assert "Vera" in text
    assert "vera@example.com" not in text
    assert "not taken" in text


def test_a_time_of_an_unpaid_order_is_held(seller) -> None:
    taken(consultation(seller), status=OrderStatus.PENDING, paid_at=None)

    assert "held until it is paid" in signed_in(seller).get(reverse(LIST)).content.decode()


def test_a_free_time_is_moved(seller) -> None:
    slot = ConsultationSlotFactory(course=consultation(seller))
    before = slot.starts_at

    assert moved(seller, slot).status_code == 302

    slot.refresh_from_db()
    assert slot.starts_at.date() == (before + timedelta(days=10)).date()


def test_a_free_time_is_moved_neither_onto_another_nor_into_the_past(seller) -> None:
    course = consultation(seller)
    slot, other = ConsultationSlotFactory.create_batch(2, course=course)
    before = slot.starts_at

    other.starts_at, other.ends_at = (
        slot.starts_at + timedelta(days=10, minutes=5),
        slot.starts_at + timedelta(days=10, minutes=35),
    )
    other.save()
    onto, into = moved(seller, slot), moved(seller, slot, days=-10)

    assert (onto.status_code, into.status_code) == (200, 200)
    assert "is there already" in onto.content.decode()
    assert "must lie ahead" in into.content.decode()
    slot.refresh_from_db()
    assert slot.starts_at == before


@pytest.mark.parametrize("who", ["seller", "operator", "stranger"])
def test_a_taken_time_neither_moves_nor_vanishes(seller, who) -> None:
    slot = taken(consultation(seller))
    person = {"seller": seller}.get(who) or (
        OperatorFactory() if who == "operator" else SellerFactory()
    )
    before = ConsultationSlot.objects.values().get(pk=slot.pk)
    client = signed_in(person)

    assert moved(person, slot).status_code in (302, 403, 404)
    address = reverse("admin:catalog_consultationslot_delete", args=[slot.pk])
    assert client.post(address, {"post": "yes"}).status_code in (302, 403, 404)
    chosen = {"action": "delete_selected", "_selected_action": [slot.pk], "post": "yes"}
    client.post(reverse(LIST), chosen)

    assert ConsultationSlot.objects.values().get(pk=slot.pk) == before


def test_free_times_are_deleted(seller) -> None:
    course = consultation(seller)
    first, second, third = ConsultationSlotFactory.create_batch(3, course=course)
    client = signed_in(seller)

    client.post(reverse("admin:catalog_consultationslot_delete", args=[first.pk]), {"post": "yes"})
    chosen = {"action": "delete_selected", "_selected_action": [second.pk], "post": "yes"}
    client.post(reverse(LIST), chosen)

    assert list(course.slots.all()) == [third]
