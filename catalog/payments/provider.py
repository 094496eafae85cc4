"""What LiveCourse asks of whoever moves the money.

A provider translates between a vendor and the types below; it reads and writes no row. What its
words mean for an order is decided in `catalog.payments.settling`, for all vendors alike.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum


class ForgedNotification(Exception):
    """A message that does not carry the vendor's valid signature, or is too old to be trusted."""


class ProviderUnavailable(Exception):
    """The vendor could not be reached or could not answer now; asking again may succeed."""


class RefundRefused(Exception):
    """The vendor says no to a refund; asking again will not help."""


class Outcome(StrEnum):
    """What the vendor says of one payment."""

    OPEN = "open"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True)
class PaymentRequest:
    """One payment to be made.

    `number` is our own number of it (32 hexadecimal digits), unique for ever: a vendor that is
    asked twice with the same number starts one payment. `amount` has two decimal places;
    `currency` is an ISO 4217 code. `is_phone` says that the buyer holds a phone.
    """

    number: str
    amount: Decimal
    currency: str
    title: str
    return_url: str
    notify_url: str
    expires_at: datetime
    is_phone: bool = False
    client_ip: str = ""


@dataclass(frozen=True)
class StartedPayment:
    """Where the buyer goes on: an address to visit, or a text to be shown as a QR code.

    `reference` is the vendor's own number, empty while the vendor has not given one.
    """

    reference: str = ""
    redirect_url: str = ""
    qr_code: str = ""


@dataclass(frozen=True)
class PaymentResult:
    """What the vendor says happened: to which payment, of how much, in which currency."""

    number: str
    reference: str
    outcome: Outcome
    amount: Decimal
    currency: str


class Provider(ABC):
    """One vendor, set up with its keys."""

    name: str
    # What the vendor takes; None for whatever it is asked for.
    currencies: frozenset[str] | None = None
    # Whether an address to visit holds for a shorter time than an order waits, so that it is asked
    # for anew each time.
    restarts: bool = False

    @property
    @abstractmethod
    def label(self) -> str:
        """The name that a buyer knows it by, in the language of the request."""

    @abstractmethod
    def start(self, request: PaymentRequest) -> StartedPayment:
        """Begin a payment. Raises ProviderUnavailable."""

    @abstractmethod
    def read_notification(
        self, *, headers: Mapping[str, str], body: bytes, moment: datetime
    ) -> PaymentResult | None:
        """Read what the vendor sent, or None when it is genuine and about something else.

        `headers` are found without regard to case. Raises ForgedNotification.
        """

    @abstractmethod
    def acknowledgement(self) -> tuple[str, bytes]:
        """The content type and the body, with status 200, after which the vendor is content."""

    @abstractmethod
    def query(self, *, number: str, reference: str) -> PaymentResult | None:
        """Ask what became of a payment; None when the vendor does not know it.

        Raises ProviderUnavailable.
        """

    @abstractmethod
    def refund(
        self,
        *,
        number: str,
        reference: str,
        key: str,
        amount: Decimal,
        total: Decimal,
        currency: str,
        reason: str,
    ) -> str:
        """Give back `amount` of a payment of `total` and return the vendor's number of that.

        Asked twice with the same `key`, the vendor pays once. Raises ProviderUnavailable or
        RefundRefused.
        """

    @abstractmethod
    def close(self, *, number: str, reference: str) -> None:
        """Ask the vendor to take no money for this payment any more, as far as it can.

        Raises ProviderUnavailable; a payment that is closed or paid already is left alone.
        """
