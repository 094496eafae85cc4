"""Beginning to pay an order."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from accounts.plain_rows import change_row, fetch_rows, insert_row_unless
from accounts.transactions import in_one_transaction
from catalog.models import Order, OrderStatus, Payment, PaymentStatus
from catalog.payments.provider import PaymentRequest, Provider


class NotPayable(Exception):
    """The order does not wait for payment: it is paid, has ended, or its time is over."""

    def __init__(self) -> None:
        super().__init__(_("This order does not wait for payment any more."))


class CurrencyNotTaken(Exception):
    """The provider does not take the order's currency."""

    def __init__(self, provider: Provider, currency: str) -> None:
        super().__init__(
            _("%(provider)s does not take %(currency)s.")
            % {"provider": provider.label, "currency": currency}
        )


def start_payment(
    *,
    order: Order,
    provider: Provider,
    return_url: str,
    moment: datetime,
    is_phone: bool = False,
    client_ip: str = "",
) -> Payment:
    """Begin to pay the order through the provider; asked again, it is the same payment.

    Where the buyer goes on stands in `redirect_url` or `qr_code` of the payment; of a provider
    that restarts, the address is a new one each time. Raises
    NotPayable, CurrencyNotTaken or ProviderUnavailable; after the last, asking again goes on
    with the same payment.
    """
    if provider.currencies is not None and order.currency not in provider.currencies:
        raise CurrencyNotTaken(provider, order.currency)
    payment, _is_new = open_payment(order, provider=provider, moment=moment)
    if payment.qr_code or (payment.redirect_url and not provider.restarts):
        return payment
    # The vendor knows the payment by our number: a second call starts no second one there.
    started = provider.start(
        request_for(
            payment,
            provider=provider,
            return_url=return_url,
            is_phone=is_phone,
            client_ip=client_ip,
        )
    )
    payment.reference = started.reference or payment.reference
    payment.redirect_url, payment.qr_code = started.redirect_url, started.qr_code
    known = {
        "reference": payment.reference,
        "redirect_url": payment.redirect_url,
        "qr_code": payment.qr_code,
    }
    change_row(Payment, payment.pk, where={}, to=known)
    return payment


def notify_url(provider: Provider) -> str:
    """Where the provider sends its notifications."""
    return f"{settings.SITE_URL}/payments/{provider.name}/notify/"


def request_for(
    payment: Payment,
    *,
    provider: Provider,
    return_url: str,
    is_phone: bool = False,
    client_ip: str = "",
) -> PaymentRequest:
    """What the provider is asked for, of a payment that was opened."""
    order = payment.order
    assert order.expires_at is not None, "an order that waits for payment has an end"
    return PaymentRequest(
        number=payment.number.hex,
        amount=payment.amount,
        currency=payment.currency,
        title=_title(order),
        return_url=return_url,
        notify_url=notify_url(provider),
        expires_at=order.expires_at,
        is_phone=is_phone,
        client_ip=client_ip,
    )


@in_one_transaction
def open_payment(
    order: Order, *, provider: Provider, moment: datetime, is_locked: bool = False
) -> tuple[Payment, bool]:
    """The payment of the order that is under way with the provider, or a new one; and whether new.

    `is_locked`: the order was read in this transaction, with its row locked. Raises NotPayable.
    """
    now = order
    if not is_locked:
        # So that two clicks meet one payment.
        (now,) = fetch_rows(Order, fields=["status", "expires_at"], pk=order.pk, is_locked=True)
    if now.status != OrderStatus.PENDING or (now.expires_at or moment) <= moment:
        raise NotPayable
    payment = Payment(
        order=order,
        provider=provider.name,
        amount=order.total,
        currency=order.currency,
        started_at=moment,
    )
    under_way: dict[str, Any] = {
        "order": order,
        "provider": provider.name,
        "status": PaymentStatus.STARTED,
    }
    while not insert_row_unless(payment, Payment, **under_way):
        # None any more: it has failed in between.
        if started := fetch_rows(Payment, **under_way):
            started[-1].order = order
            return started[-1], False
    return payment, True


def _title(order: Order) -> str:
    titles = [line.course.title for line in order.shown_lines]
    more = f" +{len(titles) - 1}" if len(titles) > 1 else ""
    return f"{titles[0][:100]}{more}"
