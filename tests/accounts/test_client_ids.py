"""Ids that clients make: what the database cannot keep is refused before it gets there."""

from __future__ import annotations

import random
import uuid
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.client_ids import is_client_id
from analytics.models import Event
from tests.factories import CourseFactory, EventFactory

pytestmark = [pytest.mark.django_db, pytest.mark.mariadb]

STRANGE = "e4b06ce6-0741-c7a8-7ce4-2c8218072e8c"


def made_ids() -> list[uuid.UUID]:
    """One of each version and variant, and those that libraries make."""
    chance = random.Random(7)
    ids = [uuid.uuid1(), uuid.uuid4()]
    for version in "0123456789abcdef":
        for variant in "0123456789abcdef":
            digits = list(f"{chance.getrandbits(128):032x}")
            digits[12], digits[16] = version, variant
            ids.append(uuid.UUID("".join(digits)))
    return ids


def test_the_database_keeps_every_id_that_is_let_through() -> None:
    let_through = [one for one in made_ids() if is_client_id(one)]
    assert {one.version for one in let_through} == {1, 2, 3, 4, 5, 6, 7}
    course: Any = CourseFactory()

    for one in let_through:
        EventFactory(uuid=one, course=course)

    assert set(Event.objects.values_list("uuid", flat=True)) == set(let_through)


@pytest.mark.parametrize("visitor", [None, STRANGE])
def test_an_event_with_another_id_or_visitor_is_refused_and_nothing_stored(visitor) -> None:
    course: Any = CourseFactory()
    event = {
        "id": STRANGE if visitor is None else str(uuid.uuid4()),
        "kind": "view",
        "occurred_at": timezone.now().isoformat(),
        "course": course.pk,
    }
    headers = {} if visitor is None else {"X-Visitor-Id": visitor}

    language = {"accept-language": "en"}

    answer = APIClient().post("/api/v1/events/", {"events": [event]}, headers=headers | language)

    assert answer.status_code == 400, answer.json()
    assert "version 1 to 7" in answer.content.decode()
    assert not Event.objects.exists()
