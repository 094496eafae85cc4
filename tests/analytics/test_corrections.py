"""What people say of their own profile: who may, what can be said, and what follows at once."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

import pytest

from accounts.models import User
from accounts.personal_data import erase_person, export_person
from analytics.corrections import (
    Answer,
    BadCorrection,
    Change,
    NotPersonalised,
    correct_profile,
    subject_of_field,
)
from analytics.history import read_history
from analytics.known_profile import known_profile
from analytics.models import EventKind, Profile, ProfileCorrection
from analytics.pipelines.profiles import refresh_profiles
from analytics.profile_rows import BUILD
from analytics.room_frames import people_of_audience
from catalog.models import ChosenInterest
from tests.factories import (
    LONG_AGO,
    PASSWORD,
    CategoryFactory,
    CourseFactory,
    EventFactory,
    LiveSessionFactory,
    UserFactory,
)

pytestmark = [pytest.mark.django_db, pytest.mark.mariadb]

NOW = LONG_AGO + timedelta(days=5)


@pytest.fixture
def ann() -> User:
    """Somebody with three events in one field, one in another, and a purchase."""
    person = UserFactory()
    session = LiveSessionFactory(ended=True)
    much, little = CourseFactory(list_price=100), CourseFactory(list_price=300)
    EventFactory.create_batch(2, user=person, course=much, live_session=session)
    EventFactory(user=person, course=much, kind=EventKind.PURCHASE, value=60)
    EventFactory(user=person, course=little)
    refresh_profiles(now=NOW)
    return person


def profile_of(person: User) -> Profile:
    return Profile.objects.get(pk=person.pk)


def say(person: User, subject: str, answer: Answer, value: object = None) -> Profile:
    changes = [Change(subject, answer, value)]
    correct_profile(person=person, changes=changes, moment=NOW)
    return profile_of(person)


def fields_of(profile: Profile) -> list[int]:
    return [one["category"] for one in profile.interests]


COLUMNS = {
    "interests": ("interests",),
    "hours": ("favourite_hours",),
    "price": ("price", "price_band"),
    "stage": ("stage", "last_active_at"),
    "engagement": ("engagement",),
}


def values(profile: Profile, names: Iterable[str]) -> list[object]:
    return [getattr(profile, name) for name in names]


@pytest.mark.parametrize("part", COLUMNS)
def test_what_is_switched_off_is_gone_at_once_and_there_again_when_switched_on(
    ann: User, part: str
) -> None:
    names = COLUMNS[part]
    before = values(profile_of(ann), names)
    assert all(before)

    assert not any(values(say(ann, part, Answer.OFF), names))
    assert values(say(ann, part, Answer.ON), names) == before
    assert not ProfileCorrection.objects.exists()


def test_a_field_that_is_off_is_not_shown_not_used_and_its_share_is_the_others(ann: User) -> None:
    first, second = fields_of(profile_of(ann))
    ChosenInterest.objects.create(user=ann, category_id=first)

    profile = say(ann, subject_of_field(first), Answer.OFF)

    assert [(one["category"], one["weight"]) for one in profile.interests] == [(second, 1.0)]
    assert [one.pk for one in known_profile(ann).fields_off] == [first]
    audience = people_of_audience([ann.pk], session=LiveSessionFactory(live=True))
    assert audience[ann.pk].interest == second
    # What the recommender reads leaves it out too.
    history = read_history(ann.pk)
    assert history.off == {first}
    assert history.person({first: 0, second: 1}, year=2026).interests == ()


def test_more_and_less_move_the_weight_and_reset_takes_it_back(ann: User) -> None:
    first, second = fields_of(profile_of(ann))
    before = profile_of(ann).interests

    more = say(ann, subject_of_field(second), Answer.INSTEAD, "more")
    assert fields_of(more)[0] == first
    assert more.interests[1]["weight"] > before[1]["weight"]
    assert more.interests[1]["n_events"] == before[1]["n_events"] == 1

    less = say(ann, subject_of_field(second), Answer.INSTEAD, "less")
    assert less.interests[1]["weight"] < before[1]["weight"]
    assert say(ann, subject_of_field(second), Answer.RESET).interests == before


def test_a_field_that_is_added_is_chosen_and_no_longer_off(ann: User) -> None:
    field = CategoryFactory()
    say(ann, subject_of_field(field.pk), Answer.OFF)

    profile = say(ann, subject_of_field(field.pk), Answer.ADD)

    assert field.pk in fields_of(profile)
    assert ann.chosen_interests.get().category == field
    assert refresh_profiles(now=NOW).n_results == 0


def test_hours_and_band_are_put_right_and_come_back_when_switched_on_again(ann: User) -> None:
    correct_profile(
        person=ann,
        changes=[
            Change("hours", Answer.INSTEAD, [7, 20]),
            Change("price", Answer.INSTEAD, "high"),
        ],
        moment=NOW,
    )
    profile = profile_of(ann)
    hours = [{"hour": 20, "n_events": 4}, {"hour": 7, "n_events": 0}]
    assert (profile.favourite_hours, profile.price_band) == (hours, "high")
    assert profile.price["n_purchases"] == 1

    assert say(ann, "hours", Answer.OFF).favourite_hours == []
    assert say(ann, "hours", Answer.ON).favourite_hours == hours
    assert say(ann, "hours", Answer.RESET).favourite_hours == hours[:1]


@pytest.mark.parametrize(
    ("subject", "answer", "value", "part"),
    [
        ("shoe_size", Answer.OFF, None, "shoe_size"),
        ("interest:", Answer.OFF, None, "interests"),
        ("interest:-1", Answer.OFF, None, "interests"),
        ("interest:1e3", Answer.OFF, None, "interests"),
        ("interest:" + "9" * 30, Answer.OFF, None, "interests"),
        ("interest:999999", Answer.ADD, None, "interests"),
        ("hours", Answer.ADD, None, "hours"),
        ("hours", Answer.INSTEAD, None, "hours"),
        ("hours", Answer.INSTEAD, [], "hours"),
        ("hours", Answer.INSTEAD, [24], "hours"),
        ("hours", Answer.INSTEAD, [True], "hours"),
        ("hours", Answer.INSTEAD, [7, 7], "hours"),
        ("hours", Answer.INSTEAD, [1, 2, 3, 4], "hours"),
        ("hours", Answer.INSTEAD, "20", "hours"),
        ("price", Answer.INSTEAD, "", "price"),
        ("price", Answer.INSTEAD, "cheap", "price"),
        ("interests", Answer.INSTEAD, "more", "interests"),
        ("stage", Answer.INSTEAD, "active", "stage"),
        ("engagement", Answer.INSTEAD, {}, "engagement"),
    ],
)
def test_what_cannot_be_said_is_refused_with_one_message_and_nothing_of_it_is_kept(
    ann: User, subject: str, answer: Answer, value: object, part: str
) -> None:
    good, bad = Change("stage", Answer.OFF), Change(subject, answer, value)
    with pytest.raises(BadCorrection) as refused:
        correct_profile(person=ann, changes=[good, bad], moment=NOW)
    assert refused.value.part == part
    assert str(refused.value)
    assert not ProfileCorrection.objects.exists()
    assert profile_of(ann).stage


@pytest.mark.parametrize("value", ["much", None, 7])
def test_of_a_field_one_can_say_more_or_less_only(ann: User, value: object) -> None:
    with pytest.raises(BadCorrection):
        say(ann, subject_of_field(fields_of(profile_of(ann))[0]), Answer.INSTEAD, value)


def test_without_personalisation_there_is_nothing_to_correct(ann: User) -> None:
    User.objects.filter(pk=ann.pk).update(is_personalised=False)
    # The request was let in before the decision: `ann` still says that it is allowed.
    with pytest.raises(NotPersonalised):
        say(ann, "hours", Answer.OFF)
    assert not ProfileCorrection.objects.exists()


def test_nobody_elses_profile_moves(ann: User) -> None:
    other = EventFactory(course=CourseFactory()).user
    refresh_profiles(now=NOW)
    before = Profile.objects.filter(pk=other.pk).values().get()
    for part in COLUMNS:
        say(ann, part, Answer.OFF)
    assert Profile.objects.filter(pk=other.pk).values().get() == before


def test_who_has_no_profile_yet_gets_one_by_what_they_said(ann: User) -> None:
    person = UserFactory()
    EventFactory(user=person)
    correct_profile(person=person, changes=[Change("hours", Answer.OFF)], moment=NOW)
    refresh_profiles(now=NOW)
    profile = profile_of(person)
    assert (profile.n_events, profile.favourite_hours) == (1, [])


def test_a_profile_by_older_rules_goes_until_the_next_build_makes_it_anew(ann: User) -> None:
    Profile.objects.filter(pk=ann.pk).update(version=BUILD - 1)
    correct_profile(person=ann, changes=[Change("hours", Answer.OFF)], moment=NOW)
    assert not Profile.objects.filter(pk=ann.pk).exists()
    refresh_profiles(now=NOW)
    assert (profile_of(ann).n_events, profile_of(ann).favourite_hours) == (4, [])


def test_what_was_said_is_in_the_export_and_goes_with_the_account(ann: User) -> None:
    say(ann, "hours", Answer.INSTEAD, [7])
    other = UserFactory()
    correct_profile(person=other, changes=[Change("stage", Answer.OFF)], moment=NOW)

    sections = export_person(ann)
    assert [
        (one["subject"], one["is_off"], one["value"]) for one in sections["profile_corrections"]
    ] == [("hours", False, [7])]
    assert sections["profile"][0]["price"]["n_purchases"] == 1

    erase_person(person=ann, password=PASSWORD)
    assert [row.user for row in ProfileCorrection.objects.all()] == [other]
