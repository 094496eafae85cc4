"""Files of lessons: who gets them, through links that soon end."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.core import signing
from django.core.exceptions import SuspiciousFileOperation
from django.utils.translation import gettext as _

from accounts.models import User
from catalog.learning import Access, access_to
from catalog.lesson_progress import NotALearner
from catalog.models import Lesson
from catalog.private_files import CONTENT_TYPES, UNKNOWN_TYPE, extension_of

LINK_MINUTES = 10
# Characters; of three bytes each they stay below what file systems take.
LONGEST_NAME = 80
_SALT = "catalog.downloads"
# What a file system, a shell or a header could take for something else than a part of a name.
_UNSAFE = re.compile(r'[\\/:*?"<>|;%$`\x00-\x1f\x7f]+')


class LinkBroken(Exception):
    """The link was not made here, or what it led to is gone."""


class NoFile(LinkBroken):
    """The lesson has no file, or the file is not where it was."""


class LinkOfSomebodyElse(Exception):
    """The link was made for another person, or nobody is signed in."""

    def __init__(self) -> None:
        super().__init__(_("This link works only for the person who got it, when signed in."))


class LinkExpired(Exception):
    """The link was good until a moment ago; `lesson` is where there is a new one."""

    def __init__(self, lesson: Lesson) -> None:
        super().__init__(_("This link to a file has expired."))
        self.lesson = lesson


@dataclass(frozen=True)
class FileLink:
    """A signed text that opens one file for one person, until it expires."""

    token: str
    expires_at: datetime


def link_to_file(*, person: User, lesson: Lesson, moment: datetime) -> FileLink:
    """A link for the person, good for LINK_MINUTES; raises NotALearner or NoFile."""
    _ensure_owner(person=person, lesson=lesson)
    if not lesson.file:
        raise NoFile
    # Whole seconds, as the token holds them.
    expires_at = (moment + timedelta(minutes=LINK_MINUTES)).replace(microsecond=0)
    payload = [person.pk, lesson.pk, int(expires_at.timestamp())]
    return FileLink(signing.dumps(payload, salt=_SALT), expires_at)


def lesson_of_link(token: str, *, person: User | None, moment: datetime) -> Lesson:
    """The lesson whose file the link opens for the person at this moment.

    Raises LinkBroken, LinkOfSomebodyElse, LinkExpired, or NotALearner when access was taken
    back since the link was made. Only its own person learns that a link has expired.
    """
    try:
        person_id, lesson_id, expires = signing.loads(token, salt=_SALT)
    except signing.BadSignature as error:
        raise LinkBroken from error
    if person is None or person.pk != person_id:
        raise LinkOfSomebodyElse
    lesson = Lesson.objects.select_related("section__course").filter(pk=lesson_id).first()
    if lesson is None:
        raise LinkBroken
    _ensure_owner(person=person, lesson=lesson)
    if moment >= datetime.fromtimestamp(expires, UTC):
        raise LinkExpired(lesson)
    ensure_stored(lesson)
    return lesson


def ensure_stored(lesson: Lesson) -> None:
    """Raise NoFile unless the file of the lesson is where its row says, inside its storage."""
    try:
        is_stored = bool(lesson.file) and lesson.file.storage.exists(lesson.file.name or "")
    except SuspiciousFileOperation:
        is_stored = False
    if not is_stored:
        raise NoFile


def download_name(lesson: Lesson) -> str:
    """What the file is called on the learner's machine: the lesson's title and its extension."""
    title = unicodedata.normalize("NFC", lesson.title)
    # Marks that turn the direction of writing could hide the extension.
    shown = "".join(" " if unicodedata.category(one)[0] == "C" else one for one in title)
    stem = " ".join(_UNSAFE.sub(" ", shown).split()).strip(". ")[:LONGEST_NAME].rstrip(". ")
    extension = extension_of(lesson.file.name or "")
    return (stem or f"lesson-{lesson.pk}") + (f".{extension}" if extension else "")


def content_type(lesson: Lesson) -> str:
    """What the browser is told that the file is."""
    return CONTENT_TYPES.get(extension_of(lesson.file.name or ""), UNKNOWN_TYPE)


def _ensure_owner(*, person: User, lesson: Lesson) -> None:
    # A lesson that is free to try shows its page to all; its file is for owners.
    if access_to(lesson.section.course, person=person) is Access.NONE:
        raise NotALearner
