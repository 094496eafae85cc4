"""Reminders of a live session: told once, in time or as soon as the clock runs again."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone, translation

from accounts.models import Letter, User
from accounts.outbox import put_letter, send_due_letters
from streams import reminders
from streams.models import ChangeCause, LiveSession, Reminder
from streams.reminders import ask_for_reminder, drop_reminder, send_due_reminders, write_reminder
from streams.session_life import end_session, start_session
from tests.factories import LiveSessionFactory, ReminderFactory, SellerFactory, UserFactory
from tests.hostile import HOSTILE

pytestmark = pytest.mark.django_db

BEGINS = datetime(2026, 6, 10, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
on_both = pytest.mark.mariadb


@pytest.fixture(autouse=True)
def site(settings) -> None:
    settings.SITE_URL = "https://courses.example.com"
    settings.REMINDER_MINUTES = 15


def wish(**session: Any) -> Reminder:
    return ReminderFactory(live_session=LiveSessionFactory(**{"scheduled_at": BEGINS, **session}))


def put_off(session: LiveSession, *, to: datetime) -> None:
    LiveSession.objects.filter(pk=session.pk).update(scheduled_at=to)


@on_both
def test_nobody_is_told_before_it_is_time() -> None:
    wish()
    assert send_due_reminders(moment=BEGINS - 15 * MINUTE - timedelta(seconds=1)) == 0
    assert not Letter.objects.exists()


@on_both
def test_everybody_who_waits_is_told_once() -> None:
    asked = wish()
    others = [ReminderFactory(live_session=asked.live_session) for _ in range(2)]
    at = BEGINS - 15 * MINUTE

    assert send_due_reminders(moment=at) == 3
    for later in (at, at + MINUTE, BEGINS + 10 * MINUTE):
        assert send_due_reminders(moment=later) == 0

    assert set(Reminder.objects.values_list("sent_at", flat=True)) == {at}
    told = Letter.objects.values_list("kind", "recipient", "subject_id", "not_before")
    waiting = [asked, *others]
    assert set(told) == {("reminder", one.user_id, asked.live_session_id, at) for one in waiting}


def test_more_than_one_transaction_can_hold_are_all_told(monkeypatch) -> None:
    monkeypatch.setattr(reminders, "AT_ONCE", 2)
    session = wish().live_session
    for _ in range(4):
        ReminderFactory(live_session=session)
    assert send_due_reminders(moment=BEGINS) == 5


def test_who_asks_in_the_last_minutes_is_told_at_once() -> None:
    session = LiveSessionFactory(scheduled_at=BEGINS)
    ask_for_reminder(viewer=UserFactory(), session=session)
    assert send_due_reminders(moment=BEGINS - 2 * MINUTE) == 1


def test_a_worker_that_was_down_at_the_minute_tells_what_can_still_be_seen() -> None:
    late, missed = wish(), wish(scheduled_at=BEGINS - 3 * HOUR)
    live = wish(live=True, scheduled_at=BEGINS - 3 * HOUR, started_at=BEGINS - 2 * HOUR)
    over = wish(ended=True)

    assert send_due_reminders(moment=BEGINS + 20 * MINUTE) == 2

    told = set(Reminder.objects.exclude(sent_at=None).values_list("pk", flat=True))
    assert told == {late.pk, live.pk}
    assert not {missed.pk, over.pk} & told


def test_who_waits_for_a_session_that_begins_early_is_told_as_it_begins() -> None:
    session = wish(scheduled_at=BEGINS + 5 * HOUR).live_session
    assert send_due_reminders(moment=BEGINS) == 0
    start_session(session.pk, by=None, cause=ChangeCause.STREAM, moment=BEGINS)
    assert send_due_reminders(moment=BEGINS) == 1
    assert send_due_reminders(moment=BEGINS + MINUTE) == 0


def test_nobody_is_told_of_what_has_ended_or_was_taken_back() -> None:
    session = wish(live=True, started_at=BEGINS).live_session
    end_session(session.pk, by=None, cause=ChangeCause.SELLER, moment=BEGINS + MINUTE)
    wish(draft=True, scheduled_at=BEGINS)
    assert send_due_reminders(moment=BEGINS + MINUTE) == 0


@pytest.mark.parametrize(
    ("by", "n_told_again"), [(HOUR, 0), (HOUR + MINUTE, 1), (24 * HOUR, 1)], ids=str
)
def test_who_was_told_is_told_again_when_it_is_put_off_by_more_than_an_hour(
    by: timedelta, n_told_again: int
) -> None:
    session = wish().live_session
    send_due_reminders(moment=BEGINS - 15 * MINUTE)

    put_off(session, to=BEGINS + by)

    assert send_due_reminders(moment=BEGINS - 14 * MINUTE) == 0
    assert send_due_reminders(moment=BEGINS + by - 15 * MINUTE) == n_told_again
    assert send_due_reminders(moment=BEGINS + by) == 0
    assert Letter.objects.count() == 1 + n_told_again


def test_put_off_and_then_begun_early_it_is_told_no_second_time() -> None:
    session = wish().live_session
    send_due_reminders(moment=BEGINS - 15 * MINUTE)
    put_off(session, to=BEGINS + 24 * HOUR)
    start_session(session.pk, by=None, cause=ChangeCause.STREAM, moment=BEGINS)
    assert send_due_reminders(moment=BEGINS) == 0


def test_a_session_that_begins_more_than_an_hour_late_is_told_again_as_it_begins() -> None:
    session = wish().live_session
    send_due_reminders(moment=BEGINS - 15 * MINUTE)
    start_session(session.pk, by=None, cause=ChangeCause.STREAM, moment=BEGINS + 2 * HOUR)
    assert send_due_reminders(moment=BEGINS + 2 * HOUR) == 1
    assert send_due_reminders(moment=BEGINS + 4 * HOUR) == 0


def test_a_wish_dropped_and_made_again_is_not_told_of_the_same_beginning_twice() -> None:
    asked = wish()
    send_due_reminders(moment=BEGINS - 15 * MINUTE)
    drop_reminder(viewer=asked.user, session=asked.live_session)
    ask_for_reminder(viewer=asked.user, session=asked.live_session)
    send_due_reminders(moment=BEGINS - 10 * MINUTE)
    assert Letter.objects.count() == 1


@on_both
def test_a_letter_that_cannot_be_promised_leaves_the_wish_open(monkeypatch) -> None:
    wish()

    def power_cut(**letter: Any) -> None:
        put_letter(**letter)
        raise OSError("power cut")

    monkeypatch.setattr(reminders, "put_letter", power_cut)
    with pytest.raises(OSError, match="power cut"):
        send_due_reminders(moment=BEGINS)
    monkeypatch.undo()

    assert not Letter.objects.exists()
    assert send_due_reminders(moment=BEGINS) == 1


@pytest.mark.mariadb(only=True)
@pytest.mark.django_db(transaction=True)
def test_of_six_workers_at_once_each_wish_is_answered_by_one() -> None:
    for _ in range(3):
        session = LiveSessionFactory(scheduled_at=BEGINS)
        for _ in range(20):
            ReminderFactory(live_session=session)
    barrier = threading.Barrier(6)
    outcomes: list[Any] = []

    def work() -> None:
        try:
            barrier.wait(timeout=20)
            outcomes.append(send_due_reminders(moment=BEGINS))
        except BaseException as error:  # noqa: BLE001 handed to the test as it is
            outcomes.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)

    assert sum(outcomes) == 60
    assert Letter.objects.count() == 60


def letter_about(session: LiveSession, language: str = "en") -> Any:
    with translation.override(language):
        return write_reminder(session.pk)


def test_the_letter_says_what_begins_when_and_where_to_go() -> None:
    begins = timezone.now() + 10 * MINUTE
    session = LiveSessionFactory(title="Knots & ropes", scheduled_at=begins)
    letter = letter_about(session)

    assert letter.subject == "Soon live: Knots & ropes"
    hour = timezone.localtime(begins).strftime("%Y-%m-%d %H:%M UTC+08:00")
    link = f"https://courses.example.com/live/{session.pk}/?from=reminder"
    for text in (letter.text, letter.html.replace("&amp;", "&")):
        for part in ("Knots & ropes", session.seller.display_name, hour, link):
            assert part in text
        assert "begins soon" in text


def test_the_letter_says_what_holds_when_it_is_sent() -> None:
    late = LiveSessionFactory(scheduled_at=timezone.now() - 5 * MINUTE)
    assert "begins any moment" in letter_about(late).text
    live = LiveSessionFactory(live=True, title="Knots")
    assert letter_about(live).subject == "On air now: Knots"
    assert "has begun" in letter_about(live).text


@pytest.mark.parametrize(
    "session",
    [
        {"ended": True},
        {"draft": True},
        {"scheduled_at": timedelta(days=1)},
        {"scheduled_at": timedelta(hours=-1)},
    ],
    ids=["ended", "draft", "put off", "nobody came"],
)
def test_no_letter_is_sent_when_there_is_nothing_to_come_to(session: dict[str, Any]) -> None:
    fields = {
        name: timezone.now() + value if isinstance(value, timedelta) else value
        for name, value in session.items()
    }
    assert write_reminder(LiveSessionFactory(**fields).pk) is None
    assert write_reminder(987654321) is None


def test_nothing_that_sellers_write_runs_in_the_letter() -> None:
    session = LiveSessionFactory(live=True)
    for text in HOSTILE:
        LiveSession.objects.filter(pk=session.pk).update(title=text[:120])
        html = letter_about(session).html
        assert "<script" not in html.lower()
        assert "<img" not in html.lower()
        assert "<svg" not in html.lower()


def test_it_goes_out_by_the_outbox_in_the_language_of_the_viewer(mailoutbox) -> None:
    viewer = UserFactory(email="viewer@example.com", language="en")
    session = LiveSessionFactory(title="Knots", scheduled_at=timezone.now() + 5 * MINUTE)
    ask_for_reminder(viewer=viewer, session=session)

    send_due_reminders(moment=timezone.now())
    send_due_letters(moment=timezone.now())

    (message,) = mailoutbox
    assert (message.to, message.subject) == (["viewer@example.com"], "Soon live: Knots")


class TestOnThePage:
    def post(self, client: Client, session: LiveSession, wish: str = "set") -> Any:
        address = reverse("streams:reminder", args=[session.pk])
        return client.post(address, {"wish": wish}, HTTP_ACCEPT_LANGUAGE="en")

    def page(self, client: Client, session: LiveSession) -> str:
        address = reverse("streams:session_detail", args=[session.pk])
        return client.get(address, HTTP_ACCEPT_LANGUAGE="en").content.decode()

    def signed_in(self, person: User) -> Client:
        client = Client()
        client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
        return client

    def test_a_viewer_sets_and_drops_it(self) -> None:
        session, viewer = LiveSessionFactory(), UserFactory()
        client = self.signed_in(viewer)

        for _ in range(2):
            answer = self.post(client, session)
            assert answer["Location"] == f"/live/{session.pk}/"
            assert Reminder.objects.get().user == viewer
        html = self.page(client, session)
        assert "You will be reminded" in html
        assert "1 viewer waits for it." in html

        self.post(client, session, "drop")
        assert not Reminder.objects.exists()
        html = self.page(client, session)
        assert "Remind me" in html
        assert "waits for it" not in html

    def test_a_visitor_is_led_to_sign_up_and_back(self, client) -> None:
        session = LiveSessionFactory()
        address = f"{reverse('account_signup')}?next=%2Flive%2F{session.pk}%2F"
        assert self.post(client, session)["Location"] == address
        assert not Reminder.objects.exists()
        assert f"{reverse('account_signup')}?next=/live/{session.pk}/" in self.page(client, session)

    def test_what_has_begun_cannot_be_awaited_any_more(self) -> None:
        session = LiveSessionFactory(live=True)
        client = self.signed_in(UserFactory())
        self.post(client, session)
        assert not Reminder.objects.exists()
        assert "Reminders are for sessions that have not begun." in self.page(client, session)

    def test_of_a_late_session_it_names_no_minutes_that_are_over(self, client) -> None:
        ahead = LiveSessionFactory(scheduled_at=timezone.now() + HOUR)
        assert "By e-mail, 15 minutes before it begins." in self.page(client, ahead)
        late = LiveSessionFactory(scheduled_at=timezone.now() - MINUTE)
        html = self.page(client, late)
        assert "Sign up to be reminded" in html
        assert "before it begins" not in html

    def test_a_draft_is_nobodys_to_await(self, client) -> None:
        draft = LiveSessionFactory(draft=True)
        for someone in (client, self.signed_in(UserFactory()), self.signed_in(SellerFactory())):
            assert self.post(someone, draft).status_code == 404

    def test_it_takes_a_form_of_this_site_alone(self) -> None:
        session = LiveSessionFactory()
        careful = Client(enforce_csrf_checks=True)
        careful.force_login(UserFactory(), backend="django.contrib.auth.backends.ModelBackend")
        assert self.post(careful, session).status_code == 403
        assert careful.get(reverse("streams:reminder", args=[session.pk])).status_code == 405
