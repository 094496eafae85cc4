"""What scoring reads of one person: by the rules of the fit, in one indexed statement."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from django.db import connection

from accounts.models import StatedAttributes, User
from analytics import history as module
from analytics.history import (
    MOST_EVENTS,
    owned_courses,
    read_histories,
    read_history,
)
from analytics.models import Event, EventKind, ProfileCorrection
from analytics.pipelines.learning_data import read_learning_data
from catalog.models import ChosenInterest, Course
from tests.factories import (
    CategoryFactory,
    CourseFactory,
    EnrollmentFactory,
    EventFactory,
    LessonProgressFactory,
    UserFactory,
)

pytestmark = [pytest.mark.django_db, pytest.mark.mariadb]
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def courses() -> list[Course]:
    return CourseFactory.create_batch(8)


def random_person(rng: random.Random, courses: list[Course]) -> User:
    """Somebody who did all kinds of things at few different times, so that some coincide."""
    person = UserFactory()
    for _ in range(rng.randrange(25)):
        is_dated = rng.random() < 0.7
        EventFactory(
            user=person,
            course=rng.choice([*courses, None]),
            kind=rng.choice(EventKind.values),
            occurred_at=NOON + timedelta(microseconds=rng.randrange(6) * 7) if is_dated else None,
            position=None if is_dated else rng.randrange(5),
        )
    for course in rng.sample(courses, rng.randrange(4)):
        EnrollmentFactory(
            user=person,
            course=course,
            is_active=rng.random() < 0.7,
            enrolled_at=NOON + timedelta(microseconds=rng.randrange(6) * 7),
        )
    if rng.random() < 0.6:
        StatedAttributes.objects.create(
            user=person,
            birth_year=rng.choice([None, 1980, 2001]),
            gender=rng.choice(["", "female", "male"]),
            occupation=rng.choice(["", "student"]),
        )
    for course in rng.sample(courses, rng.randrange(3)):
        ChosenInterest.objects.create(user=person, category=course.category)
    return person


@pytest.mark.parametrize("seed", range(4))
def test_a_person_is_read_as_the_fit_reads_everybody(seed, courses) -> None:
    rng = random.Random(seed)
    people = [random_person(rng, courses) for _ in range(12)]
    data = read_learning_data()
    interactions = data.interactions()
    index_of = {int(pk): at for at, pk in enumerate(data.course_ids)}
    category_index = {int(pk): at for at, pk in enumerate(data.category_ids)}
    together = read_histories([person.pk for person in people])

    for person in people:
        at = int(np.searchsorted(data.user_ids, person.pk))
        assert data.user_ids[at] == person.pk
        mine = slice(interactions.indptr[at], interactions.indptr[at + 1])
        for read in (read_history(person.pk), together[person.pk]):
            history = read.history(index_of)
            assert history.items.tolist() == interactions.indices[mine].tolist()
            assert history.weight.tolist() == interactions.weight[mine].tolist()
            assert history.age.tolist() == interactions.age[mine].tolist()
            taken = {pk for pk, (_order, _weight, is_taken) in read.did.items() if is_taken}
            assert {index_of[pk] for pk in taken} == set(data.taken()[at].indices.tolist())
            said = read.person(category_index, year=data.read_at.year)
            features = data.user_features
            assert said.age == pytest.approx(features.age[at], nan_ok=True)
            assert (said.gender, said.occupation) == (
                features.gender[at],
                features.occupation[at],
            )
            assert sorted(said.interests) == sorted(features.interests[at].indices.tolist())


def test_of_a_long_history_the_newest_events_are_read(courses) -> None:
    person = UserFactory()
    EventFactory(user=person, course=courses[0], kind=EventKind.LIKE, occurred_at=NOON)
    for minute in range(1, MOST_EVENTS + 1):
        EventFactory(
            user=person, course=courses[1], kind=2, occurred_at=NOON + timedelta(minutes=minute)
        )
    for read in (read_history(person.pk), read_histories([person.pk, person.pk + 1])[person.pk]):
        assert set(read.did) == {courses[1].pk}


def test_a_field_or_all_fields_that_were_switched_off_say_nothing(courses) -> None:
    person, off, on = UserFactory(), CategoryFactory(), CategoryFactory()
    for category in (off, on):
        ChosenInterest.objects.create(user=person, category=category)
    ProfileCorrection.objects.create(user=person, subject=f"interest:{off.pk}", is_off=True)
    ProfileCorrection.objects.create(user=person, subject="hours", is_off=True)
    index = {off.pk: 0, on.pk: 1}
    assert read_history(person.pk).person(index, year=2026).interests == (1,)
    assert read_history(person.pk).off == {off.pk}

    ProfileCorrection.objects.create(user=person, subject="interests", is_off=True)
    assert read_history(person.pk).person(index, year=2026).interests == ()


def test_one_person_or_many_cost_one_statement(courses, django_assert_num_queries) -> None:
    people = [random_person(random.Random(seed), courses) for seed in range(5)]
    with django_assert_num_queries(1):
        read_history(people[0].pk)
    with django_assert_num_queries(1):
        read_histories([person.pk for person in people])
    with django_assert_num_queries(1):
        owned_courses(people[0].pk)


def test_nobody_has_no_history(django_assert_num_queries) -> None:
    with django_assert_num_queries(0):
        assert read_histories([]) == {}
    assert read_history(12345).did == {}


def test_lessons_that_were_completed_are_read(courses) -> None:
    person, other = UserFactory(), UserFactory()
    done = LessonProgressFactory(user=person, completed_at=NOON)
    LessonProgressFactory(user=person, completed_at=None)
    LessonProgressFactory(user=other, completed_at=NOON)
    together = read_histories([person.pk, other.pk])
    for read in (read_history(person.pk), together[person.pk]):
        assert read.lessons_done == {done.lesson_id}


@pytest.mark.mariadb(only=True)
@pytest.mark.django_db(transaction=True)  # ANALYZE TABLE commits what was written before it.
def test_every_table_is_read_by_an_index(courses) -> None:
    """Given many others, of whom one is read."""
    others = UserFactory.create_batch(40)
    person = others[17]
    Event.objects.bulk_create(
        EventFactory.build(user=other, course=courses[at % 8], occurred_at=NOON, kind=2)
        for at, other in enumerate(others * 50)
    )
    for other in others:
        EnrollmentFactory(user=other, course=courses[0])
        ChosenInterest.objects.create(user=other, category=courses[0].category)
        StatedAttributes.objects.create(user=other, birth_year=1990)
        ProfileCorrection.objects.create(user=other, subject="hours", is_off=True)
        LessonProgressFactory(user=other)
    with connection.cursor() as cursor:
        tables = ["analytics_event", "catalog_enrollment", "catalog_choseninterest"]
        tables += ["accounts_statedattributes", "analytics_profilecorrection"]
        tables += ["catalog_lessonprogress"]
        cursor.execute(f"ANALYZE TABLE {', '.join(tables)}")
        cursor.fetchall()
        cursor.execute("EXPLAIN " + module._statement(1), [person.pk] * module.N_BRANCHES)
        names = [column[0] for column in cursor.description]
        plan = {
            row["table"]: row
            for row in (dict(zip(names, found, strict=True)) for found in cursor.fetchall())
            if row["table"] in tables
        }
    assert set(plan) == set(tables)
    for table, row in plan.items():
        assert row["type"] in {"ref", "const", "range"}, table
        assert int(row["rows"]) <= 60, table
    assert plan["analytics_event"]["key"] == "events_of_user"
    # The newest come by the index itself, not by sorting.
    assert "filesort" not in (plan["analytics_event"]["Extra"] or "")
