"""What the outbox promises: each letter that was promised goes out, once, whatever dies."""

from __future__ import annotations

import email
import logging
import socketserver
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
from django.core.mail.backends.locmem import EmailBackend
from django.db import IntegrityError, OperationalError, connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language

from accounts import outbox
from accounts.models import Letter, User
from accounts.outbox import (
    LEASE,
    LONGEST_PAUSE,
    MOST_ATTEMPTS,
    UnknownKind,
    WrittenLetter,
    message_id,
    pause_after,
    put_letter,
    register_letter,
    send_again,
    send_due_letters,
)
from accounts.personal_data import erase_person
from accounts.tasks import send_letters
from tests.factories import PASSWORD, LetterFactory, OperatorFactory, UserFactory
from tests.servers import free_port

NOW = datetime(2026, 6, 10, 12, 0, tzinfo=UTC)
on_both = [pytest.mark.mariadb, pytest.mark.django_db]
threaded = [pytest.mark.mariadb, pytest.mark.django_db(transaction=True)]


class Killed(BaseException):
    """The process ends here: no handler of the program sees it."""


@pytest.fixture
def written_by(monkeypatch: pytest.MonkeyPatch) -> Callable[[outbox.Writer], None]:
    """Registers the writer of kind `note` for one test."""

    def register(writer: outbox.Writer) -> None:
        monkeypatch.setitem(outbox._writers, "note", writer)

    register(lambda subject_id: WrittenLetter(f"Note {subject_id}", "Text"))
    return register


def put(recipient: User, *, key: str = "note-1", subject_id: int = 1, at: datetime = NOW) -> Letter:
    put_letter(kind="note", key=key, recipient_id=recipient.pk, subject_id=subject_id, moment=at)
    return Letter.objects.get(key=key)


class MailServer(socketserver.ThreadingTCPServer):
    """A small SMTP server on loopback, with the vices that a test gives it."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Conversation)
        self.received: list[Message] = []
        self.n_connections = 0
        # Answers of the server to RCPT, by address.
        self.refused: dict[str, str] = {}
        # It hangs up when it is given a message with one of these words in it.
        self.hangs_up_on: set[str] = set()
        self.answers_sender = "250 fine"


class _Conversation(socketserver.StreamRequestHandler):
    server: MailServer

    def say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())

    def handle(self) -> None:
        self.server.n_connections += 1
        self.say("220 test")
        while line := self.rfile.readline().decode().strip():
            verb = line[:4].upper()
            if verb == "MAIL":
                self.say(self.server.answers_sender)
            elif verb == "RCPT":
                address = line.partition("<")[2].partition(">")[0]
                self.say(self.server.refused.get(address, "250 fine"))
            elif verb == "DATA":
                self.say("354 go on")
                text = b"".join(iter(self.rfile.readline, b".\r\n"))
                if any(word.encode() in text for word in self.server.hangs_up_on):
                    return
                self.server.received.append(email.message_from_bytes(text))
                self.say("250 taken")
            elif verb == "QUIT":
                self.say("221 bye")
                return
            else:
                self.say("250 fine")


@pytest.fixture
def mail_server(settings: Any) -> Iterator[MailServer]:
    with MailServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = server.server_address
        yield server
        server.shutdown()
        thread.join(timeout=10)


class DiesAfterSending(EmailBackend):
    """Takes the message, and then the process is gone."""

    def send_messages(self, messages: Any) -> int:
        super().send_messages(messages)
        raise Killed


@pytest.mark.usefixtures("written_by")
class TestPutting:
    pytestmark = on_both

    def test_it_is_one_insert(self, django_assert_num_queries) -> None:
        person = UserFactory()
        with django_assert_num_queries(1):
            put_letter(kind="note", key="note-1", recipient_id=person.pk, subject_id=7, moment=NOW)
        letter = Letter.objects.get()
        assert (letter.kind, letter.key, letter.subject_id) == ("note", "note-1", 7)
        assert letter.created_at == letter.not_before == NOW

    def test_the_same_key_twice_is_one_letter_and_spoils_no_transaction(self) -> None:
        person, other = UserFactory(), UserFactory()
        with transaction.atomic():
            first = put(person)
            put(other, subject_id=2, at=NOW + timedelta(days=1))
            User.objects.filter(pk=person.pk).update(display_name="after")
        person.refresh_from_db()
        again = Letter.objects.get()
        assert person.display_name == "after"
        assert (again.pk, again.recipient, again.subject_id) == (first.pk, person, 1)
        assert again.not_before == NOW

    def test_the_key_of_a_letter_that_was_sent_sends_no_second_one(self, mailoutbox) -> None:
        person = UserFactory()
        put(person)
        send_due_letters(moment=NOW)
        put(person)
        assert send_due_letters(moment=NOW + timedelta(days=1)).n_sent == 0
        assert len(mailoutbox) == 1

    def test_a_transaction_that_is_rolled_back_promises_nothing(self) -> None:
        person = UserFactory()
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            put(person)
            _ = 1 / 0
        assert not Letter.objects.exists()

    @pytest.mark.parametrize(
        "key", ["", "a" * 81, "Note-1", "note 1", "note-1\r\nBcc: a@b.c", "a..b", "-a", "é", "a:b"]
    )
    def test_a_key_that_a_collation_or_a_header_could_misread_is_refused(self, key: str) -> None:
        with pytest.raises(ValueError, match="cannot be the key"):
            put_letter(kind="note", key=key, recipient_id=1, subject_id=1, moment=NOW)

    def test_a_kind_that_nobody_writes_is_refused_where_it_is_promised(self) -> None:
        with pytest.raises(UnknownKind):
            put_letter(kind="nonsense", key="a", recipient_id=1, subject_id=1, moment=NOW)

    @pytest.mark.parametrize("kind", ["", "Note", "a b", "a" * 33])
    def test_a_kind_must_be_a_plain_word(self, kind: str) -> None:
        with pytest.raises(ValueError, match="must be up to 32"):
            register_letter(kind, lambda subject_id: None)


@pytest.mark.mariadb(only=True)
@pytest.mark.django_db
@pytest.mark.usefixtures("written_by")
def test_a_letter_to_nobody_is_an_error_and_not_silently_lost() -> None:
    """INSERT IGNORE, which ignored conflicts are on MariaDB, would forgive this too."""
    with pytest.raises(IntegrityError), transaction.atomic():
        put_letter(kind="note", key="a", recipient_id=987654321, subject_id=1, moment=NOW)


class TestSending:
    pytestmark = on_both

    def test_it_sends_what_the_writer_writes_and_marks_it_sent(
        self, written_by, mailoutbox
    ) -> None:
        written_by(lambda pk: WrittenLetter(f"Order {pk}", "Thank you", "<p>Thank you</p>"))
        letter = put(UserFactory(email="buyer@example.com"), subject_id=12)

        done = send_due_letters(moment=NOW)

        (message,) = mailoutbox
        assert (message.subject, message.body) == ("Order 12", "Thank you")
        assert message.to == ["buyer@example.com"]
        assert [one.content for one in message.alternatives] == ["<p>Thank you</p>"]
        assert message.message()["Auto-Submitted"] == "auto-generated"
        letter.refresh_from_db()
        assert (letter.sent_at, letter.dropped_at, letter.n_attempts) == (NOW, None, 1)
        assert done == outbox.Sent(n_sent=1)
        assert send_due_letters(moment=NOW + timedelta(days=1)) == outbox.Sent()

    def test_nothing_due_opens_no_connection(self, mail_server, django_assert_num_queries) -> None:
        with django_assert_num_queries(1):
            send_due_letters(moment=NOW)
        assert mail_server.n_connections == 0

    def test_many_letters_go_through_one_connection(self, written_by, mail_server) -> None:
        for n in range(5):
            put(UserFactory(), key=f"note-{n}")
        assert send_due_letters(moment=NOW).n_sent == 5
        assert (len(mail_server.received), mail_server.n_connections) == (5, 1)

    def test_it_takes_the_oldest_first_and_no_more_than_asked(self, written_by, mailoutbox) -> None:
        for n in (3, 1, 2):
            put(UserFactory(), key=f"note-{n}", subject_id=n, at=NOW - timedelta(hours=n))
        assert send_due_letters(moment=NOW, most=2).n_sent == 2
        assert [message.subject for message in mailoutbox] == ["Note 3", "Note 2"]

    def test_a_batch_whose_time_is_over_ends_after_the_letter_that_it_is_at(
        self, written_by
    ) -> None:
        for n in range(3):
            put(UserFactory(), key=f"note-{n}")
        assert send_due_letters(moment=NOW, seconds=0).n_sent == 1
        assert Letter.objects.due(NOW).count() == 2

    @pytest.mark.parametrize(
        ("language", "expected"),
        [("en", "en"), ("zh-hans", "zh-hans"), ("", "zh-hans"), ("tlh", "zh-hans")],
    )
    def test_it_is_written_in_the_language_of_the_recipient(
        self, language, expected, written_by, mailoutbox
    ) -> None:
        written_by(lambda pk: WrittenLetter(str(get_language()), ""))
        put(UserFactory(language=language))
        send_due_letters(moment=NOW)
        assert [message.subject for message in mailoutbox] == [expected]

    @pytest.mark.parametrize("fields", [{"email": None}, {"is_active": False}])
    def test_nobody_to_write_to_drops_it_unwritten(self, fields, written_by, mailoutbox) -> None:
        written_by(lambda pk: pytest.fail("written for nobody"))
        letter = put(UserFactory(**fields))
        assert send_due_letters(moment=NOW) == outbox.Sent(n_dropped=1)
        letter.refresh_from_db()
        assert (letter.dropped_at, letter.state, mailoutbox) == (NOW, "not_needed", [])

    def test_nothing_to_tell_any_more_drops_it(self, written_by, mailoutbox) -> None:
        written_by(lambda pk: None)
        letter = put(UserFactory())
        assert send_due_letters(moment=NOW) == outbox.Sent(n_dropped=1)
        letter.refresh_from_db()
        assert (letter.state, mailoutbox) == ("not_needed", [])

    def test_who_was_erased_in_between_is_not_written_to(self, written_by, mailoutbox) -> None:
        person = UserFactory()
        put(person)
        erase_person(person=person, password=PASSWORD)
        assert not Letter.objects.exists()
        # Promised by a rule that did not know of it yet.
        put(person, key="note-2")
        assert send_due_letters(moment=NOW) == outbox.Sent(n_dropped=1)
        assert mailoutbox == []

    def test_who_is_erased_while_the_batch_runs_is_not_written_to(
        self, written_by, mailoutbox
    ) -> None:
        first, second = UserFactory(), UserFactory()
        written_by(
            lambda pk: (
                erase_person(person=second, password=PASSWORD),
                WrittenLetter("Note", "Text"),
            )[1]
        )
        put(first, key="note-1")
        put(second, key="note-2")
        assert send_due_letters(moment=NOW) == outbox.Sent(n_sent=1)
        assert [message.to for message in mailoutbox] == [[first.email]]

    @pytest.mark.parametrize("gap", ["\r\n", "\n", "\r", "\x0b", "\x85", "\u2028", "\x00", "\t"])
    def test_a_title_with_line_breaks_makes_no_header(self, gap, written_by, mail_server) -> None:
        written_by(lambda pk: WrittenLetter(f"Course{gap}Bcc: spy@example.com", "Text"))
        put(UserFactory())
        assert send_due_letters(moment=NOW).n_sent == 1
        (message,) = mail_server.received
        assert message["Bcc"] is None
        assert message["Subject"] == "Course Bcc: spy@example.com"

    def test_an_address_that_is_two_gets_nothing(self, written_by, mail_server) -> None:
        put(UserFactory(email="me@example.com\nBcc: spy@example.com"), key="note-1")
        put(UserFactory(email="me@example.com, spy@example.com"), key="note-2")
        put(UserFactory(email="good@example.com"), key="note-3")
        assert send_due_letters(moment=NOW) == outbox.Sent(n_sent=1, n_failed=2)
        assert [message["To"] for message in mail_server.received] == ["good@example.com"]

    def test_the_task_sends_what_is_due(self, written_by, mailoutbox) -> None:
        put(UserFactory())
        send_letters()
        assert len(mailoutbox) == 1


class TestFailing:
    pytestmark = on_both

    def test_a_writer_that_raises_holds_up_no_other_letter(
        self, written_by, mailoutbox, caplog, monkeypatch
    ) -> None:
        def write(subject_id: int) -> WrittenLetter:
            if subject_id == 1:
                raise ValueError("canary@example.com is no good")
            return WrittenLetter("Note", "Text")

        written_by(write)
        bad = put(UserFactory(), key="note-1", subject_id=1)
        put(UserFactory(), key="note-2", subject_id=2)
        monkeypatch.setattr(outbox.logger, "propagate", True)

        with caplog.at_level(logging.INFO):
            done = send_due_letters(moment=NOW)

        assert (done, len(mailoutbox)) == (outbox.Sent(n_sent=1, n_failed=1), 1)
        bad.refresh_from_db()
        place = "/".join(Path(__file__).parts[-2:])
        assert bad.last_error.startswith(f"writing: ValueError at {place}:")
        assert timedelta(minutes=1) <= bad.not_before - NOW <= timedelta(minutes=2)
        assert bad.state == "waiting"
        # The words of an error may hold an address.
        assert "note-1" in caplog.text
        assert "canary" not in caplog.text + bad.last_error

    def test_a_kind_that_this_program_does_not_know_yet_waits(self, mailoutbox) -> None:
        """A worker of the former version, while a new one puts letters in."""
        letter = LetterFactory(kind="tomorrow", not_before=NOW)
        assert send_due_letters(moment=NOW).n_failed == 1
        letter.refresh_from_db()
        assert (letter.last_error, letter.state) == ("writing: UnknownKind", "waiting")

    def test_refused_recipients_hold_up_nobody_and_are_not_named(
        self, written_by, mail_server
    ) -> None:
        """However many of them: a server that refuses somebody is up."""
        for n in range(5):
            address = f"bad{n}@example.com"
            mail_server.refused[address] = f"550 no {address} here"
            put(UserFactory(email=address), key=f"note-{n}")
        put(UserFactory(email="good@example.com"), key="note-5")

        assert send_due_letters(moment=NOW) == outbox.Sent(n_sent=1, n_failed=5)

        errors = Letter.objects.waiting().values_list("last_error", flat=True)
        assert set(errors) == {"sending: SMTPRecipientsRefused 550"}
        assert [message["To"] for message in mail_server.received] == ["good@example.com"]

    def test_a_letter_that_makes_the_server_hang_up_holds_up_nobody(
        self, written_by, mail_server
    ) -> None:
        mail_server.hangs_up_on.add("Note 1")
        bad = put(UserFactory(), key="note-1", subject_id=1)
        put(UserFactory(), key="note-2", subject_id=2)

        assert send_due_letters(moment=NOW) == outbox.Sent(n_sent=1, n_failed=1)

        bad.refresh_from_db()
        assert bad.last_error == "sending: SMTPServerDisconnected"
        assert bad.not_before > NOW

    def test_a_mail_server_that_is_down_is_tried_once_and_costs_no_attempt(
        self, written_by, settings, mail_server
    ) -> None:
        for n in range(5):
            put(UserFactory(), key=f"note-{n}")
        up, settings.EMAIL_PORT = settings.EMAIL_PORT, free_port()

        for _round in range(2 * MOST_ATTEMPTS):
            assert send_due_letters(moment=NOW) == outbox.Sent(is_server_down=True)

        letters = Letter.objects.due(NOW)
        assert set(letters.values_list("n_attempts", "last_error")) == {
            (0, "mail server: ConnectionRefusedError 111")
        }
        settings.EMAIL_PORT = up
        assert send_due_letters(moment=NOW) == outbox.Sent(n_sent=5)
        assert set(Letter.objects.values_list("last_error", flat=True)) == {""}

    @pytest.mark.parametrize("vice", ["hangs up", "refuses the sender"])
    def test_a_mail_server_that_takes_no_letter_is_left_after_three(
        self, vice, written_by, mail_server
    ) -> None:
        if vice == "hangs up":
            mail_server.hangs_up_on.add("Note")
        else:
            mail_server.answers_sender = "451 not now"
        for n in range(10):
            put(UserFactory(), key=f"note-{n}")

        done = send_due_letters(moment=NOW)

        assert done == outbox.Sent(n_failed=3, is_server_down=True)
        assert Letter.objects.due(NOW).count() == 7

    def test_after_the_last_attempt_it_has_failed_for_good(self, written_by) -> None:
        def fail(subject_id: int) -> WrittenLetter:
            raise KeyError(subject_id)

        written_by(fail)
        letter = put(UserFactory())
        moment, n_rounds = NOW, 0
        while letter.dropped_at is None:
            send_due_letters(moment=moment)
            n_rounds += 1
            letter.refresh_from_db()
            moment = letter.not_before
        assert (n_rounds, letter.n_attempts, letter.state) == (12, MOST_ATTEMPTS, "failed")
        assert timedelta(hours=12) < moment - NOW < timedelta(hours=30)
        assert send_due_letters(moment=moment + timedelta(days=1)) == outbox.Sent()

    def test_pauses_double_stay_within_bounds_and_part_the_letters(self) -> None:
        for n in range(1, MOST_ATTEMPTS):
            pauses = [pause_after(n, key=f"note-{k}") for k in range(50)]
            longest = min(timedelta(minutes=2**n), LONGEST_PAUSE)
            assert longest / 2 <= min(pauses) < max(pauses) <= longest
            assert max(pauses) - min(pauses) > longest / 4
        assert pause_after(1, key="a") == pause_after(1, key="a") >= timedelta(minutes=1)


class TestCrashing:
    pytestmark = on_both

    def test_a_worker_that_dies_before_sending_leaves_it_for_the_length_of_the_lease(
        self, written_by, mailoutbox
    ) -> None:
        def die(subject_id: int) -> WrittenLetter:
            raise Killed

        written_by(die)
        put(UserFactory())
        with pytest.raises(Killed):
            send_due_letters(moment=NOW)
        written_by(lambda pk: WrittenLetter("Note", "Text"))

        before_its_end = NOW + LEASE - timedelta(seconds=1)
        assert send_due_letters(moment=before_its_end) == outbox.Sent()
        assert send_due_letters(moment=NOW + LEASE) == outbox.Sent(n_sent=1)
        assert len(mailoutbox) == 1

    def test_a_worker_that_dies_after_sending_makes_a_copy_that_can_be_known(
        self, written_by, mailoutbox, settings
    ) -> None:
        other = put(UserFactory(), key="note-2", at=NOW + timedelta(days=1))
        letter = put(UserFactory())
        backend = settings.EMAIL_BACKEND
        settings.EMAIL_BACKEND = f"{__name__}.DiesAfterSending"
        with pytest.raises(Killed):
            send_due_letters(moment=NOW)
        settings.EMAIL_BACKEND = backend

        send_due_letters(moment=NOW + LEASE)

        ids = [message.message()["Message-ID"] for message in mailoutbox]
        assert ids == [message_id(letter)] * 2
        assert ids[0] == f"<note-1.{int(NOW.timestamp())}@localhost>"
        assert message_id(other) not in ids

    def test_a_worker_that_was_overtaken_spoils_nothing_of_the_later_attempt(
        self, written_by
    ) -> None:
        """It failed, but so slowly that its lease was over and another worker is at it."""

        def slow(subject_id: int) -> WrittenLetter:
            Letter.objects.update(n_attempts=2, not_before=NOW + 2 * LEASE)
            raise ValueError

        written_by(slow)
        letter = put(UserFactory())
        send_due_letters(moment=NOW)
        letter.refresh_from_db()
        assert (letter.n_attempts, letter.not_before) == (2, NOW + 2 * LEASE)
        assert letter.last_error == ""


def send_together(*, n_workers: int) -> list[BaseException]:
    """Let workers with a connection each send what is due, all at once; what they raised."""
    start = threading.Barrier(n_workers)
    raised: list[BaseException] = []

    def work() -> None:
        try:
            start.wait(timeout=30)
            send_due_letters(moment=NOW, seconds=60)
        except BaseException as error:  # noqa: BLE001 handed to the test as it is
            raised.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(n_workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    return raised


class TestWorkersAtOnce:
    pytestmark = threaded

    def test_eight_workers_send_each_of_fifty_letters_once(self, written_by, mail_server) -> None:
        for n in range(50):
            put(UserFactory(), key=f"note-{n}", subject_id=n)

        assert send_together(n_workers=8) == []

        subjects = [message["Subject"] for message in mail_server.received]
        assert sorted(subjects) == sorted(f"Note {n}" for n in range(50))
        assert Letter.objects.sent().count() == 50
        assert set(Letter.objects.values_list("n_attempts", flat=True)) == {1}

    def test_a_claim_that_the_database_gave_up_for_another_one_is_made_again(
        self, written_by, mail_server
    ) -> None:
        put(UserFactory())
        claims: list[str] = []

        def first_meets_another(execute, sql, params, many, context):
            if sql.startswith("UPDATE") and "n_attempts" in sql.partition("WHERE")[0]:
                claims.append(sql)
                if len(claims) == 1:
                    raise OperationalError(1213, "Deadlock found when trying to get lock")
            return execute(sql, params, many, context)

        with connection.execute_wrapper(first_meets_another):
            assert send_due_letters(moment=NOW).n_sent == 1

        assert len(claims) == 2
        assert len(mail_server.received) == 1

    def test_without_the_claim_two_workers_send_the_same_letter(
        self, written_by, mail_server, monkeypatch
    ) -> None:
        """The control: both have read the letter before one of them sends it."""
        both_at_it = threading.Barrier(2)

        def write(subject_id: int) -> WrittenLetter:
            both_at_it.wait(timeout=20)
            return WrittenLetter("Note", "Text")

        written_by(write)
        monkeypatch.setattr(outbox, "_claim", lambda letter, moment: True)
        put(UserFactory())

        assert send_together(n_workers=2) == []

        assert len(mail_server.received) == 2

    def test_the_same_key_from_many_transactions_is_one_letter(self, written_by) -> None:
        person = UserFactory()
        start = threading.Barrier(8)
        raised: list[BaseException] = []

        def work() -> None:
            try:
                start.wait(timeout=30)
                for n in range(10):
                    with transaction.atomic():
                        put(person, key=f"note-{n}")
            except BaseException as error:  # noqa: BLE001 handed to the test as it is
                raised.append(error)
            finally:
                connection.close()

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=60)
        assert raised == []
        assert Letter.objects.count() == 10


class TestSendingAgain:
    pytestmark = on_both

    def test_it_lets_what_failed_was_dropped_or_waits_be_due_now(self) -> None:
        far = NOW + timedelta(hours=5)
        letters = [
            LetterFactory(n_attempts=12, dropped_at=NOW, last_error="sending: X", not_before=far),
            LetterFactory(n_attempts=1, dropped_at=NOW, not_before=far),
            LetterFactory(n_attempts=3, last_error="sending: X", not_before=far),
        ]
        assert send_again([letter.pk for letter in letters], moment=NOW) == 3
        assert Letter.objects.due(NOW).filter(n_attempts=0, last_error="").count() == 3

    def test_it_leaves_what_was_sent_and_what_a_worker_is_at(self) -> None:
        sent = LetterFactory(n_attempts=1, sent_at=NOW)
        claimed = LetterFactory(n_attempts=1, not_before=NOW + LEASE)
        LetterFactory(n_attempts=12, dropped_at=NOW, last_error="sending: X")
        before = list(Letter.objects.order_by("pk").values())
        assert send_again([sent.pk, claimed.pk], moment=NOW) == 0
        assert list(Letter.objects.order_by("pk").values()) == before


class TestInTheAdmin:
    pytestmark = on_both

    @pytest.fixture
    def client(self) -> Client:
        client = Client(headers={"accept-language": "en"})
        client.force_login(OperatorFactory(), backend="django.contrib.auth.backends.ModelBackend")
        return client

    @pytest.mark.parametrize("state", ["waiting", "failed", "sent", "not_needed"])
    def test_it_finds_letters_by_their_state(self, client: Client, state: str) -> None:
        letters = [
            LetterFactory(),
            LetterFactory(n_attempts=12, dropped_at=NOW, last_error="sending: X"),
            LetterFactory(n_attempts=1, sent_at=NOW),
            LetterFactory(n_attempts=1, dropped_at=NOW),
        ]
        page = client.get(reverse("admin:accounts_letter_changelist"), {"state": state})
        shown = list(page.context["cl"].queryset)
        assert shown == [letter for letter in letters if letter.state == state]
        assert len(shown) == 1

    def test_it_sends_again_what_failed_and_says_what_it_left(self, client: Client) -> None:
        failed = LetterFactory(n_attempts=12, dropped_at=NOW, last_error="sending: X")
        sent = LetterFactory(n_attempts=1, sent_at=NOW)
        answer = client.post(
            reverse("admin:accounts_letter_changelist"),
            {"action": "try_again", "_selected_action": [failed.pk, sent.pk]},
            follow=True,
        )
        assert [str(message) for message in answer.context["messages"]] == [
            "1 letter goes out with the next round.",
            "1 letter was sent already, or is being sent.",
        ]
        failed.refresh_from_db()
        assert failed.state == "waiting"

    def test_nothing_of_a_letter_is_typed_by_hand(self, client: Client) -> None:
        letter = LetterFactory()
        address = reverse("admin:accounts_letter_change", args=[letter.pk])
        assert client.get(address).status_code == 200
        assert client.post(address, {"n_attempts": 5}).status_code == 403


class TestInTheCounters:
    pytestmark = on_both

    @staticmethod
    def figures(client: Client) -> dict[str, float]:
        lines = client.get("/metrics").content.decode().splitlines()
        pairs = [line.split() for line in lines if line.startswith("livecourse_letters_")]
        return {name.removeprefix("livecourse_letters_"): float(value) for name, value in pairs}

    def test_they_say_how_many_wait_for_how_long_and_how_many_failed(self, client) -> None:
        now = timezone.now()
        LetterFactory(created_at=now - timedelta(hours=2), not_before=now + timedelta(hours=1))
        LetterFactory(created_at=now - timedelta(hours=1), not_before=now - timedelta(minutes=10))
        LetterFactory(created_at=now - timedelta(days=9), sent_at=now, n_attempts=1)
        LetterFactory(created_at=now - timedelta(days=9), dropped_at=now, last_error="x")
        figures = self.figures(client)
        assert (figures["waiting"], figures["failed"]) == (2, 1)
        assert figures["oldest_seconds"] == pytest.approx(7200, abs=30)
        assert figures["overdue_seconds"] == pytest.approx(600, abs=30)

    def test_with_nothing_waiting_they_are_nought(self, client) -> None:
        assert set(self.figures(client).values()) == {0}
