"""The page on which lines of orders are refunded, and what is written down of who did it.

What is offered is what the person manages; an id of any other line is no choice, and the rule
(`catalog.refund_purchase`) is asked of each line once more.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.widgets import UnfoldAdminTextInputWidget

from accounts.models import User
from accounts.seller_admin import may
from accounts.templatetags.people import public_name
from accounts.transactions import in_one_transaction
from catalog.models import Order, OrderStatus, Payment, PaymentStatus, Purchase, Refund
from catalog.payments.registry import UnknownProvider, provider_named
from catalog.querysets import PurchaseQuerySet
from catalog.refunds import NotRefundable, refund_lines
from catalog.templatetags.catalog_pages import money

MOST_LINES = 100


class RefundForm(forms.Form):
    """Which of the lines offered are refunded, and why."""

    lines = forms.TypedMultipleChoiceField(
        coerce=int,
        error_messages={"required": gettext_lazy("Choose at least one line.")},
    )
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=200,
        help_text=gettext_lazy("The payment provider may show it to the buyer."),
        widget=UnfoldAdminTextInputWidget,
    )

    def __init__(self, *args: Any, offered: Iterable[Purchase], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["lines"].choices = [(line.pk, line.course.title) for line in offered]


@dataclass(frozen=True)
class _Offer:
    """One line on the page: what goes back, to whom, by which way."""

    line: Purchase
    amount: str
    buyer: str
    way: str
    is_chosen: bool


def is_refundable(line: Purchase) -> bool:
    return line.order.status == OrderStatus.PAID and line.refunded_at is None


def refund_page(
    request: HttpRequest, model_admin: ModelAdmin, *, lines: PurchaseQuerySet, back: str
) -> HttpResponse:
    """Show what would be refunded of the lines, or refund what was sent; then go `back`."""
    managed = lines.managed_by(request.user).select_related("course", "order__buyer")
    offered = list(managed.prefetch_related("order__payments").order_by("order", "pk")[:MOST_LINES])
    form = RefundForm(request.POST or None, offered=offered)
    if request.method == "POST" and form.is_valid():
        chosen = [line for line in offered if line.pk in form.cleaned_data["lines"]]
        refund_chosen(request, model_admin, chosen, reason=form.cleaned_data["reason"])
        return HttpResponseRedirect(back)
    refundable = [line for line in offered if is_refundable(line)]
    if not refundable:
        model_admin.message_user(request, str(NotRefundable()), messages.WARNING)
        return HttpResponseRedirect(back)
    sent = form.data.getlist("lines") if form.is_bound else None
    context = {
        **model_admin.admin_site.each_context(request),
        "title": _("Refund"),
        "opts": model_admin.opts,
        "form": form,
        "back": back,
        "offers": [_offer(line, sent) for line in refundable],
        "total": _amounts(refundable),
    }
    return TemplateResponse(request, "admin/catalog/refund.html", context)


def _offer(line: Purchase, sent: list[str] | None) -> _Offer:
    paid = [one for one in line.order.payments.all() if one.status == PaymentStatus.SUCCEEDED]
    return _Offer(
        line=line,
        amount=money(line.price, line.order.currency),
        buyer=public_name(line.order.buyer),
        way=provider_label(paid[0]) if paid and line.price else _("nothing is transferred"),
        is_chosen=sent is None or str(line.pk) in sent,
    )


def provider_label(payment: Payment) -> str:
    """The provider as buyers know it; its bare name when it is not set up any more."""
    try:
        return provider_named(payment.provider).label
    except UnknownProvider:
        return payment.provider


def refund_chosen(
    request: HttpRequest, model_admin: ModelAdmin, chosen: list[Purchase], *, reason: str
) -> None:
    """Refund the lines, each order's together, and tell the person what happened.

    Raises PermissionDenied, and refunds nothing, when one of them is not theirs to refund.
    """
    if not all(may(request, "refund", Purchase, line) for line in chosen):
        raise PermissionDenied
    person = request.user
    assert isinstance(person, User)
    refunds: list[Refund] = []
    for order, lines in groupby(chosen, key=lambda line: line.order):
        try:
            refunds += _refund_and_log(order, [line.pk for line in lines], by=person, reason=reason)
        except NotRefundable:
            # Sent twice, or somebody was faster: said below.
            continue
    if refunds:
        model_admin.message_user(request, told_of(refunds), messages.SUCCESS)
    if n_left := len(chosen) - len(refunds):
        text = ngettext(
            "%(n)d line was refunded before, or never paid: nothing happened to it.",
            "%(n)d lines were refunded before, or never paid: nothing happened to them.",
            n_left,
        )
        model_admin.message_user(request, text % {"n": n_left}, messages.WARNING)


@in_one_transaction
def _refund_and_log(order: Order, line_ids: list[int], *, by: User, reason: str) -> list[Refund]:
    """Refund lines of one order; who did it is recorded with it or not at all."""
    refunds = refund_lines(
        order=order, line_ids=line_ids, by=by, reason=reason, moment=timezone.now()
    )
    for refund in refunds:
        # Names that are translated when they are read.
        told = {"name": "refund", "object": f"{refund.amount} {refund.currency}: {reason}"}
        assert refund.purchase is not None, "what is refunded here are lines"
        _log(by, refund.purchase, CHANGE, [{"added": told}])
        _log(by, refund, ADDITION, [{"added": {}}])
    return refunds


def log_asked_again(by: User, refund: Refund) -> None:
    """Record that a refund that failed was asked of its provider again."""
    _log(by, refund, CHANGE, [{"changed": {"fields": ["next attempt"]}}])


def _log(by: User, row: Model, flag: int, message: list[dict[str, Any]]) -> None:
    LogEntry.objects.log_actions(by.pk, [row], flag, change_message=message, single_object=True)


def told_of(refunds: list[Refund]) -> str:
    """What happened, for whoever did it."""
    amounts = _sums((refund.currency, refund.amount) for refund in refunds)
    text = ngettext(
        "%(n)d line is refunded: %(amount)s. The buyer has no access to it any more.",
        "%(n)d lines are refunded: %(amount)s. The buyers have no access to them any more.",
        len(refunds),
    ) % {"n": len(refunds), "amount": amounts}
    if any(refund.settled_at is None for refund in refunds):
        return f"{text} {_('The money is on its way; the list of refunds shows when it is done.')}"
    return f"{text} {_('It was not paid through a provider, so no money is transferred.')}"


def _amounts(lines: list[Purchase]) -> str:
    return _sums((line.order.currency, line.price) for line in lines)


def _sums(amounts: Iterable[tuple[str, Decimal]]) -> str:
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for currency, amount in amounts:
        sums[currency] += amount
    return ", ".join(money(amount, currency) for currency, amount in sorted(sums.items()))
