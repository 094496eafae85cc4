"""Making an account and signing in to it by e-mail and password."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from allauth.account import app_settings
from allauth.account.internal.flows.email_verification import send_verification_email_for_user
from allauth.account.models import EmailAddress
from allauth.account.utils import has_verified_email
from axes.helpers import get_cool_off
from django.contrib.auth import authenticate
from django.contrib.auth.signals import user_logged_in
from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.utils.translation import gettext as _

from accounts.models import User, normalised_email


class EmailTaken(Exception):
    """Somebody has an account with this address already."""

    def __init__(self) -> None:
        super().__init__(_("There is an account with this e-mail address already."))


class LockedOut(Exception):
    """Too many wrong passwords; `wait_seconds` is how long the pause lasts at most."""

    def __init__(self, wait_seconds: int) -> None:
        super().__init__(_("Too many attempts to sign in. Please try again later."))
        self.wait_seconds = wait_seconds


class EmailUnconfirmed(Exception):
    """The account may be signed in to only after its address was confirmed."""

    def __init__(self) -> None:
        super().__init__(
            _("Please confirm your e-mail address first: we have sent you a message with a link.")
        )


def ensure_confirmed(*, request: HttpRequest, person: User) -> None:
    """Send the link to confirm the address and raise EmailUnconfirmed, where the platform
    demands that addresses are confirmed and the person's is not yet."""
    if not _must_confirm() or has_verified_email(person):
        return
    # Bounds how often one address is written to.
    send_verification_email_for_user(request, person)
    raise EmailUnconfirmed


def _must_confirm() -> bool:
    return app_settings.EMAIL_VERIFICATION == app_settings.EmailVerificationMethod.MANDATORY


def register_person(*, email: str, password: str, language: str = "") -> User:
    """Make a viewer's account with an address that is yet to be confirmed, or raise EmailTaken.

    Where addresses must be confirmed, a taken one raises EmailUnconfirmed like a new one: only
    its owner may learn that there is an account.
    """
    try:
        with transaction.atomic():
            person = User.objects.create_user(email, password, language=language)
            EmailAddress.objects.create(
                user=person, email=person.email, primary=True, verified=False
            )
    except IntegrityError as error:
        raise (EmailUnconfirmed if _must_confirm() else EmailTaken)() from error
    return person


def sign_in_person(*, request: HttpRequest, email: str, password: str) -> User | None:
    """The person with this address and password, or None; raises LockedOut during a pause.

    The request tells the lock-out from which address it came. It counts wrong passwords and
    forgets them when the right one comes.
    """
    person = authenticate(request, email=normalised_email(email), password=password)
    if getattr(request, "axes_locked_out", False):
        pause = get_cool_off(request)
        raise LockedOut(int(pause.total_seconds()) if pause else 0)
    if person is not None:
        user_logged_in.send(sender=User, request=request, user=person)
    return person  # type: ignore[return-value]


def attempted_email(request: HttpRequest, credentials: Mapping[str, Any] | None = None) -> str:
    """Whose password is being tried, for the lock-out; empty when no address was given.

    Web and API name it differently, and one person must not get five tries in each spelling.
    """
    given: Mapping[str, Any] = credentials or request.POST
    names = (given.get(name) for name in ("email", "login", "username"))
    return normalised_email(next((name for name in names if name), None)) or ""
