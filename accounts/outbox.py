"""E-mails that survive a crash: promised in a transaction, sent afterwards by whoever is up.

A rule puts a letter into the outbox inside its own transaction: with the order the receipt is
promised, and without it not. A background job sends what is due. Each letter is claimed by one
conditional update, so that of many workers one sends it; a worker that dies leaves a claim that
ends by itself. Only one that dies between sending and writing that down makes a copy, which has
the same Message-ID, by which mail servers and readers know it.

Every app says in its `apps.py` how its kinds of letter are written; this module knows none.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from email.utils import parseaddr
from enum import Enum
from hashlib import blake2b
from pathlib import Path
from smtplib import SMTPDataError, SMTPException, SMTPRecipientsRefused, SMTPResponseException
from time import monotonic
from traceback import extract_tb

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db.models import F, Q
from django.utils.encoding import punycode
from django.utils.translation import override

from accounts.models import Letter, LetterQuerySet, User
from accounts.plain_rows import insert_row
from accounts.transactions import in_one_transaction

logger = logging.getLogger(__name__)

# How long a claim holds. It must be longer than a batch and its last letter may take: see
# BATCH_SECONDS and the time limit in accounts/tasks.py.
LEASE = timedelta(minutes=10)
# A batch ends after it, so that letters never take every process of a worker when the mail server
# is slow: the next batch starts after longer than this.
BATCH_SECONDS = 15
MOST_ATTEMPTS = 12
FIRST_PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(hours=6)
# So many lost connections one after another are no letter's fault: the mail server is unwell.
MOST_LOST_IN_A_ROW = 3

# What may stand in a Message-ID as it is, and what no collation takes for something else.
_KEY = re.compile(r"[a-z0-9]+([._-][a-z0-9]+)*")
_LONGEST_KEY = 80
_KIND = re.compile(r"[a-z][a-z0-9_]{0,31}")
_BREAKS = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029]+")


class UnknownKind(LookupError):
    """No app has registered how letters of this kind are written."""


@dataclass(frozen=True)
class WrittenLetter:
    """What a letter says. Line breaks in the subject become spaces; `html` may be empty."""

    subject: str
    text: str
    html: str = ""


@dataclass(frozen=True)
class Sent:
    """What one batch did: letters sent, dropped unsent, failed for now or for good.

    `is_server_down`: it ended early because the mail server was away.
    """

    n_sent: int = 0
    n_dropped: int = 0
    n_failed: int = 0
    is_server_down: bool = False


# Called with the language of the recipient switched on and outside any transaction.
# None: there is nothing to tell any more.
Writer = Callable[[int], WrittenLetter | None]

_writers: dict[str, Writer] = {}


def register_letter(kind: str, writer: Writer) -> None:
    """Say how letters of a kind are written, from the id of the row that they are about.

    Raises ValueError for a kind that is not up to 32 small letters, digits and underscores.
    """
    if not _KIND.fullmatch(kind):
        raise ValueError(f"kind {kind!r} must be up to 32 small letters, digits and underscores")
    _writers[kind] = writer


def put_letter(
    *, kind: str, key: str, recipient_id: int, subject_id: int, moment: datetime
) -> None:
    """Promise a letter, as part of the caller's transaction, with one INSERT.

    The same `key` again changes nothing. Whether the recipient can be written to is seen when
    it is sent. Raises UnknownKind, or ValueError for a key other than up to 80 small letters
    and digits, with single dots, dashes and underscores between them.
    """
    if kind not in _writers:
        raise UnknownKind(kind)
    if len(key) > _LONGEST_KEY or not _KEY.fullmatch(key):
        raise ValueError(f"key {key!r} cannot be the key of a letter")
    letter = Letter(
        key=key,
        kind=kind,
        recipient_id=recipient_id,
        subject_id=subject_id,
        created_at=moment,
        not_before=moment,
    )
    # Not by ignoring conflicts: on MariaDB that is INSERT IGNORE, which forgives a recipient who
    # does not exist as well, and drops the letter without a word. Nothing of the row changes.
    insert_row(letter, update_on_conflict=["key"], unique=["key"])


def send_due_letters(*, moment: datetime, most: int = 200, seconds: float = BATCH_SECONDS) -> Sent:
    """Send up to `most` letters that are due at `moment`, through one connection.

    Must not be called inside a transaction: what is sent cannot be rolled back. No letter holds
    up another; when the mail server is away the batch ends, and letters that it has not tried
    lose no attempt by it. Otherwise it ends with the first letter after `seconds`.
    """
    due = list(Letter.objects.due(moment).order_by("not_before", "pk")[:most])
    done = Sent()
    if not due:
        return done
    ends = monotonic() + seconds
    n_lost = 0
    mail = get_connection()
    try:
        for letter in due:
            try:
                mail.open()
            except OSError as error:  # every SMTPException is one
                _note_outage(due, error=error, moment=moment)
                return replace(done, is_server_down=True)
            if not _claim(letter, moment=moment):
                continue
            outcome = _deliver(letter, mail=mail, moment=moment)
            done = _counted(done, outcome)
            n_lost = n_lost + 1 if outcome is _Outcome.LOST else 0
            if n_lost == MOST_LOST_IN_A_ROW:
                return replace(done, is_server_down=True)
            if monotonic() >= ends:
                break
    finally:
        _close(mail)
    return done


def send_again(letters: Sequence[int], *, moment: datetime) -> int:
    """Let letters that failed, were dropped or wait for another attempt be due now, by their ids.

    They get all their attempts anew. What was sent stays sent, and what a worker is at is left
    to it. Returns how many.
    """
    # While an attempt is under way there is no error of it yet.
    under_way = Q(dropped_at=None, n_attempts__gt=0, last_error="")
    return (
        Letter.objects.filter(pk__in=list(letters), sent_at=None)
        .exclude(under_way)
        .update(dropped_at=None, n_attempts=0, last_error="", not_before=moment)
    )


def pause_after(n_attempts: int, *, key: str) -> timedelta:
    """How long a letter rests after its n-th attempt: 1 to 2 minutes, each time about double.

    Never more than LONGEST_PAUSE. Letters that failed together part by a share of the pause
    that follows from the key.
    """
    longest = min(FIRST_PAUSE * 2**n_attempts, LONGEST_PAUSE)
    # A checksum would not do: keys that differ in one digit would come out side by side.
    digest = blake2b(f"{key} {n_attempts}".encode(), digest_size=4).digest()
    share = int.from_bytes(digest) / 2**32
    return longest * (1 + share) / 2


class _Outcome(Enum):
    SENT = "sent"
    DROPPED = "dropped"
    # The letter's own fault.
    FAILED = "failed"
    # The connection's fault, as far as can be told.
    LOST = "lost"


def _counted(done: Sent, outcome: _Outcome) -> Sent:
    return replace(
        done,
        n_sent=done.n_sent + (outcome is _Outcome.SENT),
        n_dropped=done.n_dropped + (outcome is _Outcome.DROPPED),
        n_failed=done.n_failed + (outcome in (_Outcome.FAILED, _Outcome.LOST)),
    )


@in_one_transaction
def _claim(letter: Letter, *, moment: datetime) -> bool:
    """Take the letter for this process; False when another one was faster.

    Workers that claim at once change the same index, for which the database may end one of them.
    """
    is_ours = (
        Letter.objects.due(moment)
        .filter(pk=letter.pk, n_attempts=letter.n_attempts)
        .update(n_attempts=F("n_attempts") + 1, not_before=moment + LEASE, last_error="")
    )
    letter.n_attempts += is_ours
    return bool(is_ours)


def _deliver(letter: Letter, *, mail: BaseEmailBackend, moment: datetime) -> _Outcome:
    """Write a claimed letter, send it, and record what came of it."""
    try:
        message = _written(letter)
    except Exception as error:  # noqa: BLE001 whatever a writer does wrong is its letter's alone
        return _record_failure(letter, f"writing: {_described(error)}", moment=moment)
    if message is None:
        _of_this_attempt(letter).update(dropped_at=moment, last_error="")
        return _Outcome.DROPPED
    try:
        if not mail.send_messages([message]):
            raise SMTPException("not taken")
    except (SMTPRecipientsRefused, SMTPDataError) as error:
        # A refused letter leaves some servers in the middle of a conversation: begin a new one.
        _close(mail)
        return _record_failure(letter, f"sending: {_described(error)}", moment=moment)
    except OSError as error:
        _close(mail)
        _record_failure(letter, f"sending: {_described(error)}", moment=moment)
        return _Outcome.LOST
    except Exception as error:  # noqa: BLE001 an address or header that no mail can have
        _close(mail)
        return _record_failure(letter, f"sending: {_described(error)}", moment=moment)
    # Whichever attempt it was: it has been sent.
    Letter.objects.waiting().filter(pk=letter.pk).update(sent_at=moment, last_error="")
    return _Outcome.SENT


def _written(letter: Letter) -> EmailMultiAlternatives | None:
    """The message as it goes out; None for nothing to tell, or nobody to tell it."""
    recipient = User.objects.filter(pk=letter.recipient_id, is_active=True).first()
    if recipient is None or not recipient.email:
        return None
    if letter.kind not in _writers:
        raise UnknownKind(letter.kind)
    spoken = dict(settings.LANGUAGES)
    with override(recipient.language if recipient.language in spoken else settings.LANGUAGE_CODE):
        written = _writers[letter.kind](letter.subject_id)
        if written is None:
            return None
        message = EmailMultiAlternatives(
            subject=_BREAKS.sub(" ", str(written.subject)).strip(),
            body=str(written.text),
            to=[recipient.email],
            # Nobody's out-of-office notice answers it.
            headers={"Message-ID": message_id(letter), "Auto-Submitted": "auto-generated"},
        )
        if written.html:
            message.attach_alternative(str(written.html), "text/html")
    return message


def message_id(letter: Letter) -> str:
    """The same for every copy of a letter, another for every other letter.

    The moment tells it from a letter of that key which a restored backup no longer knows.
    """
    _name, address = parseaddr(settings.DEFAULT_FROM_EMAIL)
    domain = punycode(address.rpartition("@")[2]) or "localhost"
    return f"<{letter.key}.{int(letter.created_at.timestamp())}@{domain}>"


def _of_this_attempt(letter: Letter) -> LetterQuerySet:
    """The row, as long as no later attempt has taken the letter over."""
    return Letter.objects.waiting().filter(pk=letter.pk, n_attempts=letter.n_attempts)


def _record_failure(letter: Letter, error: str, *, moment: datetime) -> _Outcome:
    if letter.n_attempts >= MOST_ATTEMPTS:
        logger.error("letter %s was given up: %s", letter.key, error)
        after = {"dropped_at": moment}
    else:
        logger.warning("letter %s will be tried again: %s", letter.key, error)
        after = {"not_before": moment + pause_after(letter.n_attempts, key=letter.key)}
    _of_this_attempt(letter).update(last_error=error[:200], **after)
    return _Outcome.FAILED


def _note_outage(due: Sequence[Letter], *, error: OSError, moment: datetime) -> None:
    """Write on the letters of the batch why they wait; they stay due and keep their attempts."""
    reason = f"mail server: {_described(error)}"[:200]
    logger.warning("no letter can be sent: %s", reason)
    Letter.objects.due(moment).filter(pk__in=[letter.pk for letter in due]).exclude(
        last_error=reason
    ).update(last_error=reason)


def _described(error: Exception) -> str:
    """What went wrong and where. Never the error's own words: they may hold an address."""
    name = type(error).__name__
    if isinstance(error, SMTPRecipientsRefused):
        codes = {str(code) for code, _text in error.recipients.values()}
        return " ".join([name, *sorted(codes)])
    if isinstance(error, SMTPResponseException):
        return f"{name} {error.smtp_code}"
    if isinstance(error, UnknownKind):
        return name
    if isinstance(error, OSError):
        return f"{name} {error.errno}" if error.errno else name
    place = extract_tb(error.__traceback__)[-1]
    return f"{name} at {'/'.join(Path(place.filename).parts[-2:])}:{place.lineno}"


def _close(mail: BaseEmailBackend) -> None:
    # The goodbye of a connection that is lost already.
    with suppress(OSError):
        mail.close()
