"""What is known about a person: handing it out, and removing it.

Every app that holds rows about people registers here, in its `apps.py`, how to export and how
to erase them; this module knows none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from allauth.account.models import EmailAddress
from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.db import transaction
from django.utils.translation import gettext as _
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

from accounts.models import Consent, Letter, Role, StatedAttributes, User

# One list of rows for each name, each row with plain values.
Sections = dict[str, list[dict[str, Any]]]


class WrongPassword(Exception):
    """The password is not the person's."""

    def __init__(self) -> None:
        super().__init__(_("The password is not right."))


class EndedByOperator(Exception):
    """The account of a seller or an operator: others depend on what it holds."""

    def __init__(self) -> None:
        super().__init__(
            _("Learners depend on the courses of this account: ask an operator to close it.")
        )


@dataclass(frozen=True)
class Holder:
    """One part of the program that holds rows about people."""

    export: Callable[[User], Sections]
    erase: Callable[[User], None]


_holders: dict[str, Holder] = {}


def register_holder(
    name: str, *, export: Callable[[User], Sections], erase: Callable[[User], None]
) -> None:
    """Say how an app exports and erases what it holds. `erase` runs inside a transaction."""
    _holders[name] = Holder(export, erase)


def export_person(person: User) -> Sections:
    """Everything that the platform holds about the person, and nothing about anybody else."""
    sections: Sections = {}
    for holder in _holders.values():
        sections |= holder.export(person)
    return sections


def erase_person(*, person: User, password: str) -> None:
    """Remove what is known about the person; orders stay, without a name.

    The row of the person stays as an empty shell, since orders must keep a buyer. Signing in,
    tokens and sessions end with it. Consents stay as proof, bound to the shell alone.
    Raises WrongPassword or EndedByOperator, and changes nothing then.
    """
    if not person.check_password(password):
        raise WrongPassword
    if person.role != Role.VIEWER:
        raise EndedByOperator
    with transaction.atomic():
        locked = User.objects.select_for_update().get(pk=person.pk)
        # What depends on others' rows goes first.
        for holder in reversed(_holders.values()):
            holder.erase(locked)
    _end_sessions(person)


def rows(found: Iterable[Any], *names: str) -> list[dict[str, Any]]:
    """The named columns of a queryset's rows, for a section of the export.

    A decimal, such as money, is a string with all of its places: as a number of JSON, most readers
    would make it a float.
    """
    return [
        {name: str(value) if isinstance(value, Decimal) else value for name, value in row.items()}
        for row in found.values(*names)  # type: ignore[attr-defined]
    ]


def export_account(person: User) -> Sections:
    """The person's account, statements, consents, sign-ins and what they were written."""
    signed_in = AccessLog.objects.filter(username=person.email) if person.email else []
    return {
        "account": rows(
            User.objects.filter(pk=person.pk),
            *("id", "email", "display_name", "role", "language", "is_personalised"),
            *("joined_at", "last_login", "import_source", "external_id"),
        ),
        "stated_attributes": rows(
            StatedAttributes.objects.filter(user=person),
            *("birth_year", "gender", "occupation", "updated_at"),
        ),
        "consents": rows(
            Consent.objects.filter(user=person).order_by("pk"),
            *("purpose", "is_granted", "document_version", "decided_at"),
        ),
        "letters": rows(
            Letter.objects.filter(recipient=person).order_by("pk"),
            *("kind", "key", "created_at", "sent_at"),
        ),
        "sign_ins": [
            {
                "signed_in_at": one.attempt_time,
                "ip_address": one.ip_address,
                "user_agent": one.user_agent,
            }
            for one in signed_in
        ],
    }


def erase_account(person: User) -> None:
    """Empty the person's row and drop what hangs on it."""
    addresses = set(EmailAddress.objects.filter(user=person).values_list("email", flat=True))
    addresses |= {person.email} if person.email else set()
    for log in (AccessAttempt, AccessLog, AccessFailureLog):
        log.objects.filter(username__in=addresses).delete()
    EmailAddress.objects.filter(user=person).delete()
    StatedAttributes.objects.filter(user=person).delete()
    # Also those that wait: there is nobody to write to any more.
    Letter.objects.filter(recipient=person).delete()
    # The admin's log keeps the name, or the address, under which a row was once changed.
    LogEntry.objects.filter(
        content_type=ContentType.objects.get_for_model(User), object_id=str(person.pk)
    ).update(object_repr=str(person.pk))
    BlacklistedToken.objects.bulk_create(
        [BlacklistedToken(token=token) for token in OutstandingToken.objects.filter(user=person)],
        ignore_conflicts=True,
    )
    person.email = person.external_id = person.last_login = None
    person.display_name = person.language = person.import_source = ""
    person.is_active = person.is_personalised = False
    person.set_unusable_password()
    person.save()


def _end_sessions(person: User) -> None:
    """Delete the person's sessions. They are void already; the address in them must go too."""
    key = str(person.pk)
    for session in Session.objects.iterator(chunk_size=500):
        if session.get_decoded().get("_auth_user_id") == key:
            session.delete()


register_holder("accounts", export=export_account, erase=erase_account)
