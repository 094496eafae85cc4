"""Letters: e-mails that are promised with the rows that they are about, and sent until they went.

A letter is one row in the transaction of what it tells about: a crash loses neither or both. It
holds no text. It is written when it is sent, in the language of whoever gets it, so that no
personal data lies about, and what is told is what is so by then.
"""

from __future__ import annotations

import logging
import random
import smtplib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parseaddr

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.db.models import F, QuerySet
from django.utils import translation

from accounts.models import Letter

logger = logging.getLogger(__name__)

LEASE = timedelta(minutes=10)
FIRST_WAIT = timedelta(minutes=1)
LONGEST_WAIT = timedelta(hours=6)
MOST_ATTEMPTS = 12
LONGEST_ERROR = 200


@dataclass(frozen=True)
class WrittenLetter:
    """What a letter says. `html` may be empty."""

    subject: str
    text: str
    html: str = ""


@dataclass(frozen=True)
class Sent:
    """What one round did: letters sent, given up, and left for another time."""

    n_sent: int = 0
    n_dropped: int = 0
    n_failed: int = 0


Writer = Callable[[int], WrittenLetter | None]
_writers: dict[str, Writer] = {}


def register_letter(kind: str, writer: Writer) -> None:
    """Say how letters of a kind are written: from the id of what they are about.

    A writer that returns None has nothing to tell any more; the letter is dropped.
    """
    _writers[kind] = writer


def put_letter(
    *, kind: str, key: str, recipient_id: int, subject_id: int, moment: datetime
) -> None:
    """Promise a letter, in the caller's transaction; promised twice under one key, it is one.

    Whether the recipient can be written to is asked when it goes.
    """
    letter = Letter(
        kind=kind,
        key=key,
        recipient_id=recipient_id,
        subject_id=subject_id,
        created_at=moment,
        not_before=moment,
    )
    # Unlike a caught error, a conflict that the database ignores leaves the transaction usable.
    Letter.objects.bulk_create([letter], ignore_conflicts=True)


def waiting_letters() -> QuerySet[Letter]:
    """Letters that are neither sent nor given up."""
    return Letter.objects.filter(sent_at=None, dropped_at=None)


def send_due_letters(*, moment: datetime, most: int = 200) -> Sent:
    """Send the letters that are due, each at least once and, but for a crash, exactly once.

    Who moves `not_before` of a letter sends it, so that workers at the same time share them.
    Nothing is sent within a transaction. A letter that cannot go waits, longer each time; a
    server that cannot be reached ends the round.
    """
    due = waiting_letters().filter(not_before__lte=moment).order_by("not_before", "pk")
    n_sent = n_dropped = n_failed = 0
    with get_connection() as mail:
        for letter in due.select_related("recipient")[:most]:
            claim = waiting_letters().filter(pk=letter.pk, not_before=letter.not_before)
            if not claim.update(not_before=moment + LEASE, n_attempts=F("n_attempts") + 1):
                continue
            try:
                is_sent = _send(letter, mail, moment=moment)
            except (smtplib.SMTPServerDisconnected, smtplib.SMTPConnectError, OSError) as error:
                # SMTPException is an OSError: only what says nothing of this letter ends here.
                n_failed += 1
                _put_off(letter, error, moment=moment)
                if not isinstance(error, smtplib.SMTPResponseException):
                    break
            except Exception as error:
                # A writer of another app, or a template: the letters behind it must go out.
                logger.exception("letter %s cannot be written", letter.key)
                n_failed += 1
                _put_off(letter, error, moment=moment)
            else:
                n_sent, n_dropped = n_sent + is_sent, n_dropped + (not is_sent)
    return Sent(n_sent, n_dropped, n_failed)


def _send(letter: Letter, mail: object, *, moment: datetime) -> bool:
    """Send one letter; False when there is nothing to tell, or nobody to tell it to."""
    person = letter.recipient
    written = None
    if person.email and person.is_active:
        with translation.override(person.language or settings.LANGUAGE_CODE):
            written = _writers[letter.kind](letter.subject_id)
    if written is None or person.email is None:
        waiting_letters().filter(pk=letter.pk).update(dropped_at=moment)
        return False
    message = EmailMultiAlternatives(
        subject=" ".join(written.subject.split()),
        body=written.text,
        to=[person.email],
        connection=mail,  # type: ignore[arg-type]
        headers={"Message-ID": message_id(letter.key)},
    )
    if written.html:
        message.attach_alternative(written.html, "text/html")
    message.send()
    waiting_letters().filter(pk=letter.pk).update(sent_at=moment, last_error="")
    return True


def message_id(key: str) -> str:
    """The same for every copy of a letter, so that a mailbox can tell that it is one."""
    _name, address = parseaddr(settings.DEFAULT_FROM_EMAIL)
    return f"<{key}@{address.rpartition('@')[2] or 'localhost'}>"


def _put_off(letter: Letter, error: Exception, *, moment: datetime) -> None:
    """Let the letter wait, twice as long each time and never all at the same second."""
    n_attempts = letter.n_attempts + 1
    text = f"{type(error).__name__}"[:LONGEST_ERROR]
    if n_attempts >= MOST_ATTEMPTS:
        logger.error("letter %s is given up after %d attempts", letter.key, n_attempts)
        waiting_letters().filter(pk=letter.pk).update(dropped_at=moment, last_error=text)
        return
    wait = min(FIRST_WAIT * 2**letter.n_attempts, LONGEST_WAIT) * random.uniform(0.8, 1.2)  # noqa: S311
    waiting_letters().filter(pk=letter.pk).update(not_before=moment + wait, last_error=text)
