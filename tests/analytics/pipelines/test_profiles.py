"""Profiles built little by little, and who has one."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection

from accounts.models import User
from analytics import corrections
from analytics.corrections import Answer, Change, correct_profile, subject_of_field
from analytics.models import (
    Event,
    EventKind,
    ModelRun,
    Profile,
    ProfileCorrection,
    Stage,
    Task,
)
from analytics.pipelines import profiles, runs
from analytics.pipelines.profiles import refresh_profiles
from catalog.models import ChosenInterest
from tests.factories import (
    LONG_AGO,
    CategoryFactory,
    CourseFactory,
    EventFactory,
    LedgerEntryFactory,
    LiveSessionFactory,
    ModelRunFactory,
    OrderFactory,
    PurchaseFactory,
    UserFactory,
)

pytestmark = [pytest.mark.django_db, pytest.mark.mariadb]

NOW = LONG_AGO + timedelta(days=5)
BUILD_DEPENDENT = ("run_id", "built_at")


def rows() -> list[dict]:
    table = list(Profile.objects.order_by("pk").values())
    for row in table:
        for name in BUILD_DEPENDENT:
            del row[name]
    return table


def rows_from_the_start(now: datetime = NOW) -> list[dict]:
    Profile.objects.all().delete()
    refresh_profiles(everything=True, now=now)
    return rows()


def profile_of(person: User) -> Profile:
    return Profile.objects.get(pk=person.pk)


def test_it_derives_what_a_person_wants_and_when() -> None:
    person = UserFactory()
    course = CourseFactory(list_price=80)
    EventFactory.create_batch(2, user=person, course=course, kind=EventKind.VIEW)
    EventFactory(user=person, course=course, kind=EventKind.PURCHASE, value=60)

    run = refresh_profiles(now=NOW)

    profile = profile_of(person)
    assert profile.interests == [{"category": course.category_id, "weight": 1.0, "n_events": 3}]
    # 12:00 of UTC is 20:00 in Shanghai.
    assert profile.favourite_hours == [{"hour": 20, "n_events": 3}]
    assert profile.price_band == "low"
    assert profile.stage == Stage.NEWCOMER
    assert profile.n_events == 3
    assert profile.last_active_at == LONG_AGO
    assert ModelRun.objects.served(Task.PROFILES) == run
    assert (run.n_rows, run.last_event_id) == (3, Event.objects.latest("pk").pk)


def test_purchases_here_tell_whether_they_were_reduced_and_imported_ones_do_not() -> None:
    person = UserFactory()
    order = OrderFactory(buyer=person)
    for price in ("100.00", "60.00"):
        PurchaseFactory(order=order, price=Decimal(price))
    PurchaseFactory(order=order, list_price=0, price=0)
    LedgerEntryFactory(order=order, recorded_at=NOW - timedelta(hours=1))
    EventFactory(user=person, kind=EventKind.PURCHASE, value=20)

    refresh_profiles(now=NOW)

    assert profile_of(person).price == {
        "band": "low",
        "mean": "45.00",
        "currency": "CNY",
        "n_purchases": 4,
        "n_known": 2,
        "n_discounted": 1,
        "discounted_share": 0.5,
    }
    assert profile_of(person).price_band == "low"


def test_being_shown_something_is_not_activity() -> None:
    person = UserFactory()
    EventFactory(user=person, kind=EventKind.IMPRESSION)
    refresh_profiles(now=NOW)
    assert profile_of(person).n_events == 0


def test_events_with_a_position_only_tell_interests_but_no_day_and_no_hour() -> None:
    event = EventFactory(kind=EventKind.PURCHASE, occurred_at=None, position=3)
    refresh_profiles(now=NOW)
    profile = profile_of(event.user)
    assert [row["category"] for row in profile.interests] == [event.course.category_id]
    assert (profile.favourite_hours, profile.stage, profile.last_active_at) == ([], "", None)


def test_everybody_who_allows_it_has_a_profile_and_a_newcomer_an_empty_one() -> None:
    person = UserFactory()
    UserFactory(is_personalised=False)
    refresh_profiles(now=NOW)
    profile = Profile.objects.get()
    assert profile.user == person
    assert (profile.stage, profile.n_events, profile.interests) == (Stage.NEWCOMER, 0, [])


def some_events(dice: random.Random, n: int) -> None:
    people = list(User.objects.filter(role="viewer"))
    courses, sessions = some_events.courses, some_events.sessions
    for _ in range(n):
        is_dated = dice.random() < 0.8
        EventFactory(
            user=dice.choice(people),
            kind=dice.choice(list(EventKind)),
            course=dice.choice([None, *courses]),
            live_session=dice.choice([None, *sessions]),
            value=dice.choice([None, 1.0, 2.5, 40.0]),
            # Late ones among them: what happened first may come last.
            occurred_at=NOW - timedelta(hours=dice.randrange(24 * 400)) if is_dated else None,
            position=None if is_dated else dice.randrange(50),
        )


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_new_events_added_to_profiles_give_what_a_build_from_the_start_gives(seed: int) -> None:
    dice = random.Random(seed)
    UserFactory.create_batch(5)
    some_events.courses = [CourseFactory(list_price=p) for p in (0, 50, 100, 400)]
    some_events.sessions = [LiveSessionFactory(ended=True) for _ in range(2)]
    refresh_profiles(now=NOW - timedelta(days=30))
    for days_before in (20, 10, 0):
        some_events(dice, 25)
        newcomer = UserFactory()
        EventFactory(user=newcomer, course=some_events.courses[0])
        run = refresh_profiles(now=NOW - timedelta(days=days_before))
        assert run.method == "new events"

    little_by_little = rows()

    assert little_by_little == rows_from_the_start()


def some_corrections(dice: random.Random, n: int, moment: datetime) -> None:
    people = list(User.objects.filter(role="viewer"))
    fields = [course.category_id for course in some_events.courses]
    for _ in range(n):
        subject, answers, values = dice.choice(
            [
                ("hours", "off on reset instead", [[20], [7, 8, 9]]),
                ("price", "off on reset instead", ["free", "high"]),
                ("interests", "off on reset", [None]),
                ("stage", "off on reset", [None]),
                ("engagement", "off on reset", [None]),
                (subject_of_field(dice.choice(fields)), "off on reset instead add", ["more"]),
                (subject_of_field(dice.choice(fields)), "off on reset instead add", ["less"]),
            ]
        )
        answer = Answer(dice.choice(answers.split()))
        value = dice.choice(values) if answer == Answer.INSTEAD else None
        change = Change(subject, answer, value)
        correct_profile(person=dice.choice(people), changes=[change], moment=moment)


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_new_events_added_to_corrected_profiles_give_what_a_build_from_the_start_gives(
    seed: int,
) -> None:
    dice = random.Random(seed)
    UserFactory.create_batch(4)
    some_events.courses = [CourseFactory(list_price=p) for p in (0, 50, 100, 400)]
    some_events.sessions = [LiveSessionFactory(ended=True) for _ in range(2)]
    refresh_profiles(now=NOW - timedelta(days=30))
    for days_before in (20, 10, 0):
        moment = NOW - timedelta(days=days_before)
        some_corrections(dice, 5, moment)
        some_events(dice, 20)
        assert refresh_profiles(now=moment).method == "new events"
        some_corrections(dice, 5, moment)

    at_once = rows()
    assert refresh_profiles(now=NOW).method == "new events"
    little_by_little = rows()

    assert at_once == little_by_little == rows_from_the_start()


def test_running_twice_counts_nothing_twice() -> None:
    EventFactory.create_batch(3)
    refresh_profiles(now=NOW)
    once = rows()
    again = refresh_profiles(now=NOW)
    assert rows() == once
    assert (again.n_rows, again.n_results) == (0, 0)


def test_a_stage_moves_on_by_time_alone() -> None:
    event = EventFactory()
    refresh_profiles(now=LONG_AGO + timedelta(days=1))
    stages = []
    for days in (7, 15, 61):
        now = LONG_AGO + timedelta(days=days)
        assert refresh_profiles(now=now).method == "new events"
        stages.append(profile_of(event.user).stage)
        assert rows() == rows_from_the_start(now)
    assert stages == [Stage.ACTIVE, Stage.SLIPPING, Stage.GONE]


def test_time_does_not_bring_back_a_stage_that_is_off() -> None:
    event = EventFactory()
    refresh_profiles(now=NOW)
    off = Change("stage", Answer.OFF)
    correct_profile(person=event.user, changes=[off], moment=NOW)
    for days in (15, 61):
        now = LONG_AGO + timedelta(days=days)
        assert refresh_profiles(now=now).method == "new events"
        profile = profile_of(event.user)
        assert (profile.stage, profile.last_active_at) == ("", None)
        assert rows() == rows_from_the_start(now)


class TestCorrectedDuringABuild:
    @pytest.mark.parametrize("everything", [True, False])
    def test_a_correction_after_the_build_began_to_read_is_not_overwritten(
        self, monkeypatch: pytest.MonkeyPatch, everything: bool
    ) -> None:
        event = EventFactory()
        refresh_profiles(now=NOW)
        EventFactory(user=event.user)
        look = profiles._make_sure_nobody_overtook

        def correct_and_look(before: ModelRun | None) -> None:
            off = Change("hours", Answer.OFF)
            correct_profile(person=event.user, changes=[off], moment=NOW)
            look(before)

        with monkeypatch.context() as late:
            late.setattr(profiles, "_make_sure_nobody_overtook", correct_and_look)
            refresh_profiles(everything=everything, now=NOW)

        profile = profile_of(event.user)
        assert (profile.favourite_hours, profile.n_events) == ([], 2)

    @pytest.mark.mariadb(only=True)
    @pytest.mark.django_db(transaction=True)
    def test_who_corrects_while_the_rows_are_written_waits_and_then_has_it(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        event = EventFactory()
        refresh_profiles(now=NOW)
        EventFactory(user=event.user)
        take_over = profiles._take_over_corrections
        threads = []

        def take_over_and_wait(*args: object, **kwargs: object) -> None:
            take_over(*args, **kwargs)
            threads.append(started(lambda: switch_off_hours(event.user)))
            # As long as this build has not committed, the correction cannot be done.
            threads[0].join(timeout=1)
            assert threads[0].is_alive()

        monkeypatch.setattr(profiles, "_take_over_corrections", take_over_and_wait)
        refresh_profiles(now=NOW)
        threads[0].join(timeout=30)

        profile = profile_of(event.user)
        assert (profile.favourite_hours, profile.n_events) == ([], 2)

    @pytest.mark.mariadb(only=True)
    @pytest.mark.django_db(transaction=True)
    def test_a_first_profile_waits_for_a_correction_that_is_under_way(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        person = self.correct_during_the_first_build(monkeypatch)
        assert profile_of(person).favourite_hours == []

    @pytest.mark.mariadb(only=True)
    @pytest.mark.django_db(transaction=True)
    def test_without_the_lock_on_the_person_the_first_profile_would_not_know_of_it(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(corrections, "_lock", lambda person: None)
        person = self.correct_during_the_first_build(monkeypatch)
        assert profile_of(person).favourite_hours != []

    def correct_during_the_first_build(self, monkeypatch: pytest.MonkeyPatch) -> User:
        """A correction that looked for the profile before the build made it, commits after."""
        person = EventFactory().user
        looked, wrote = threading.Event(), threading.Event()
        apply, take_over = corrections.apply_corrections, profiles._take_over_corrections

        def apply_and_wait(*args: object, **kwargs: object) -> None:
            apply(*args, **kwargs)
            looked.set()
            # With the lock the build cannot write meanwhile, and this comes to nothing.
            wrote.wait(timeout=2)

        def take_over_and_tell(*args: object, **kwargs: object) -> None:
            take_over(*args, **kwargs)
            wrote.set()

        monkeypatch.setattr(corrections, "apply_corrections", apply_and_wait)
        monkeypatch.setattr(profiles, "_take_over_corrections", take_over_and_tell)
        correcting = started(lambda: switch_off_hours(person))
        assert looked.wait(timeout=30)
        refresh_profiles(now=NOW)
        correcting.join(timeout=30)
        return person


def switch_off_hours(person: User) -> None:
    correct_profile(person=person, changes=[Change("hours", Answer.OFF)], moment=NOW)


def started(work: Callable[[], None]) -> threading.Thread:
    def in_own_connection() -> None:
        try:
            work()
        finally:
            connection.close()

    thread = threading.Thread(target=in_own_connection)
    thread.start()
    return thread


def test_whoever_refuses_loses_their_profile_and_gets_it_back_whole() -> None:
    event = EventFactory()
    person = event.user
    refresh_profiles(now=NOW)

    User.objects.filter(pk=person.pk).update(is_personalised=False)
    refresh_profiles(now=NOW)
    assert not Profile.objects.filter(pk=person.pk).exists()

    EventFactory(user=person)
    refresh_profiles(now=NOW)
    User.objects.filter(pk=person.pk).update(is_personalised=True)
    assert refresh_profiles(now=NOW).method == "new events"
    assert profile_of(person).n_events == 2
    assert rows() == rows_from_the_start()


def test_chosen_fields_come_and_go_without_any_event() -> None:
    person, field = UserFactory(), CategoryFactory()
    refresh_profiles(now=NOW)
    choice = ChosenInterest.objects.create(user=person, category=field)
    refresh_profiles(now=NOW)
    assert profile_of(person).interests == [{"category": field.pk, "weight": 1.0, "n_events": 0}]
    assert rows() == rows_from_the_start()
    choice.delete()
    refresh_profiles(now=NOW)
    assert profile_of(person).interests == []
    assert rows() == rows_from_the_start()


def test_an_event_that_was_committed_behind_the_last_one_read_is_not_lost() -> None:
    _, second, third = EventFactory.create_batch(3)
    late = Event.objects.get(pk=second.pk)
    second.delete()
    refresh_profiles(now=NOW)
    assert profile_of(late.user).n_events == 0

    late.save(force_insert=True)

    assert refresh_profiles(now=NOW).method == "whole history"
    assert profile_of(late.user).n_events == 1
    assert profile_of(third.user).n_events == 1


def test_other_price_bands_or_rules_make_all_profiles_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    course = CourseFactory(list_price=100)
    EventFactory(course=course, kind=EventKind.PURCHASE)
    refresh_profiles(now=NOW)
    CourseFactory.create_batch(3, list_price=900)
    assert refresh_profiles(now=NOW).method == "whole history"
    monkeypatch.setattr(profiles, "BUILD", profiles.BUILD + 1)
    assert refresh_profiles(now=NOW).method == "whole history"
    assert Profile.objects.filter(version=profiles.BUILD).count() == Profile.objects.count()


def test_a_failure_adds_nothing_so_that_the_next_run_adds_it_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    event = EventFactory()
    good = refresh_profiles(now=NOW)
    EventFactory(user=event.user)
    before = rows()

    def fail(run: ModelRun) -> None:
        raise OSError("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(profiles, "serve", fail)
        with pytest.raises(OSError, match="disk"):
            refresh_profiles(now=NOW)
    assert rows() == before
    assert ModelRun.objects.served(Task.PROFILES) == good
    assert ModelRun.objects.latest("pk").message == "OSError: the disk is full"

    refresh_profiles(now=NOW)
    assert profile_of(event.user).n_events == 2


def test_the_last_event_is_kept_with_the_sums_even_if_the_process_dies_right_after(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    event = EventFactory()
    serve = profiles.serve

    def serve_and_die(run: ModelRun) -> None:
        serve(run)
        monkeypatch.setattr(run, "save", die)

    def die() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(profiles, "serve", serve_and_die)
    with pytest.raises(KeyboardInterrupt):
        refresh_profiles(now=NOW)
    monkeypatch.undo()
    run = refresh_profiles(now=NOW)
    assert (run.method, run.n_rows) == ("new events", 0)
    assert profile_of(event.user).n_events == 1


def test_a_run_of_another_build_is_not_built_on() -> None:
    event = EventFactory()
    ModelRunFactory(task=Task.PROFILES, last_event_id=event.pk)
    refresh_profiles(now=NOW)
    assert profile_of(event.user).n_events == 1


@pytest.mark.mariadb(only=True)
@pytest.mark.django_db(transaction=True)
class TestTwoWorkersAtOnce:
    def given_new_events(self) -> User:
        person = UserFactory()
        EventFactory(user=person)
        refresh_profiles(now=NOW)
        EventFactory.create_batch(20, user=person)
        return person

    def test_one_of_them_does_it_and_each_event_counts_once(self, in_parallel) -> None:
        person = self.given_new_events()
        raised = in_parallel(lambda: refresh_profiles(now=NOW))
        assert {type(error) for error in raised} <= {type(None), runs.AlreadyRunning}
        assert None in raised
        assert profile_of(person).n_events == 21
        assert rows() == rows_from_the_start()

    def test_even_without_the_lock_no_event_counts_twice(
        self, in_parallel, free_for_all, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        person = self.given_new_events()
        everybody_looked = threading.Barrier(4)
        look = profiles._make_sure_nobody_overtook

        def look_and_wait(before: ModelRun | None) -> None:
            look(before)
            # Comes to nothing where the first one to look keeps the others from looking.
            with suppress(threading.BrokenBarrierError):
                everybody_looked.wait(timeout=1)

        monkeypatch.setattr(runs, "only_one", free_for_all)
        monkeypatch.setattr(profiles, "_make_sure_nobody_overtook", look_and_wait)
        raised = in_parallel(lambda: refresh_profiles(now=NOW))
        assert raised.count(None) == 1
        assert {type(error) for error in raised} == {type(None), profiles.Overtaken}
        assert profile_of(person).n_events == 21
        assert rows() == rows_from_the_start()


@pytest.mark.mariadb(only=True)
@pytest.mark.django_db(transaction=True)
class TestManyCorrectionsAtOnce:
    def test_all_that_somebody_says_in_several_tabs_is_kept(self, in_parallel) -> None:
        person = EventFactory().user
        refresh_profiles(now=NOW)
        parts = iter(["interests", "hours", "price", "stage"])

        def switch_off_the_next() -> None:
            change = Change(next(parts), Answer.OFF)
            correct_profile(person=person, changes=[change], moment=NOW)

        assert in_parallel(switch_off_the_next) == [None] * 4
        assert ProfileCorrection.objects.filter(user=person, is_off=True).count() == 4
        profile = profile_of(person)
        assert (profile.interests, profile.favourite_hours, profile.stage) == ([], [], "")

    def test_corrections_while_builds_go_on_give_what_a_build_from_the_start_gives(
        self, in_parallel
    ) -> None:
        UserFactory.create_batch(4)
        some_events.courses = [CourseFactory(list_price=p) for p in (0, 50, 100, 400)]
        some_events.sessions = [LiveSessionFactory(ended=True)]
        some_events(random.Random(0), 20)
        refresh_profiles(now=NOW)
        seeds = iter([1, 2, 3, None])

        def correct_or_build() -> None:
            seed = next(seeds)
            if seed is not None:
                some_corrections(random.Random(seed), 15, NOW)
                return
            for build in range(4):
                some_events(random.Random(10 + build), 5)
                refresh_profiles(everything=build == 2, now=NOW)

        assert in_parallel(correct_or_build) == [None] * 4

        refresh_profiles(now=NOW)
        assert rows() == rows_from_the_start()
