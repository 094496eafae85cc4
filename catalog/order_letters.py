"""What buyers are told by e-mail about an order: a receipt, a refund."""

from __future__ import annotations

from django.conf import settings
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.outbox import WrittenLetter
from catalog.models import Order, OrderStatus


def write_receipt(order_id: int) -> WrittenLetter | None:
    """What was bought, what it cost and where it is; None when it was never paid."""
    order = _order(order_id)
    if order is None or order.status not in (OrderStatus.PAID, OrderStatus.REFUNDED):
        return None
    return _letter(order, _("Your receipt from LiveCourse"), "receipt")


def write_refund(order_id: int) -> WrittenLetter | None:
    """Which lines were refunded and what comes back."""
    order = _order(order_id)
    if order is None:
        return None
    return _letter(order, _("Your refund from LiveCourse"), "refund")


def _order(order_id: int) -> Order | None:
    orders = Order.objects.prefetch_related("lines__course", "lines__slot").select_related("coupon")
    return orders.filter(pk=order_id).first()


def _letter(order: Order, subject: str, template: str) -> WrittenLetter:
    lines = list(order.lines.all())
    context = {
        "order": order,
        "lines": lines,
        "refunded": [line for line in lines if line.refunded_at is not None],
        "order_url": settings.SITE_URL + reverse("catalog:order", args=[order.public_id]),
        "learn_url": settings.SITE_URL + reverse("catalog:my_courses"),
    }
    return WrittenLetter(
        subject=subject,
        text=render_to_string(f"catalog/letters/{template}.txt", context),
        html=render_to_string(f"catalog/letters/{template}.html", context),
    )
