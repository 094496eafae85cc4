"""Payments, refunds and the ledger, to be read. Nothing here is ever typed by hand.

Sellers see what belongs to their lines: of a payment or a charge, which are of a whole order,
what their lines come to in it, and never the amount of another seller.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy, ngettext
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateTimeFilter
from unfold.decorators import action, display

from accounts.models import User
from accounts.seller_admin import (
    Label,
    OwnedRowFilter,
    ReadOnlyInline,
    RuledModelAdmin,
    admin_link,
    may,
)
from accounts.templatetags.people import public_name
from catalog.admin.orders import REFUND_COLOURS, amount_of_lines
from catalog.admin.refunding import log_asked_again, provider_label
from catalog.models import (
    LedgerEntry,
    MoneyMove,
    Payment,
    PaymentStatus,
    Refund,
    SandboxNotice,
    SandboxPayment,
    SandboxRefund,
    SandboxState,
)
from catalog.refunds import ask_again
from catalog.templatetags.catalog_pages import money

PAYMENT_COLOURS = {
    PaymentStatus.STARTED: "info",
    PaymentStatus.SUCCEEDED: "success",
    PaymentStatus.FAILED: "default",
    PaymentStatus.SURPLUS: "warning",
}
MOVE_COLOURS = {
    MoneyMove.CHARGE: "success",
    MoneyMove.REFUND: "danger",
    MoneyMove.SURPLUS: "warning",
    MoneyMove.SURPLUS_RETURN: "warning",
}
SANDBOX_COLOURS = {
    SandboxState.OPEN: "info",
    SandboxState.PAID: "success",
    SandboxState.DECLINED: "danger",
    SandboxState.CLOSED: "default",
}


class _OfOrderAdmin(RuledModelAdmin):
    """Rows about the money of an order."""

    list_filter_submit = True

    @display(description=gettext_lazy("order"))
    def order_link(self, row: Any) -> str:
        return admin_link(row.order)


@admin.register(Payment)
class PaymentAdmin(_OfOrderAdmin):
    list_display = ["number", "order_link", "way", "share", "status_label", "started_at"]
    list_select_related = ["order"]
    list_filter = [
        ("status", ChoicesDropdownFilter),
        "provider",
        ("started_at", RangeDateTimeFilter),
    ]
    operator_search = ["reference", "order__buyer__email"]
    operator_fields = ["reference"]
    operator_sees = {"share": "whole"}
    search_fields = ["number", "order__public_id"]
    ordering = ["-started_at", "-pk"]
    fieldsets = [
        (
            None,
            {
                "fields": [
                    ("number", "order_link"),
                    ("way", "reference"),
                    ("share", "status_label"),
                    ("started_at", "settled_at"),
                ]
            },
        )
    ]
    readonly_fields = ["number", "order_link", "way", "share", "status_label"]

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        rows = super().get_queryset(request).select_related("order")
        return rows.annotate(managed_amount=amount_of_lines(request.user, "order"))

    @display(description=gettext_lazy("provider"), ordering="provider")
    def way(self, payment: Payment) -> str:
        return provider_label(payment)

    @display(description=gettext_lazy("your part"))
    def share(self, payment: Payment) -> str:
        return money(payment.managed_amount or Decimal(0), payment.currency)

    @display(description=gettext_lazy("amount"), ordering="amount")
    def whole(self, payment: Payment) -> str:
        return money(payment.amount, payment.currency)

    @display(description=gettext_lazy("status"), ordering="status", label=PAYMENT_COLOURS)
    def status_label(self, payment: Payment) -> Label:
        return Label(payment.status, payment.get_status_display())


@admin.register(LedgerEntry)
class LedgerEntryAdmin(_OfOrderAdmin):
    list_display = ["recorded_at", "kind_label", "share", "currency", "order_link", "course"]
    list_select_related = ["order", "purchase__course", "payment"]
    list_filter = [("kind", ChoicesDropdownFilter), ("recorded_at", RangeDateTimeFilter)]
    operator_filter = [("purchase__course", OwnedRowFilter)]
    operator_fields = ["payment_link"]
    operator_sees = {"share": "whole"}
    search_fields = ["order__public_id"]
    ordering = ["-recorded_at", "-pk"]
    fieldsets = [
        (
            None,
            {
                "fields": [
                    ("recorded_at", "kind_label"),
                    ("share", "currency"),
                    ("order_link", "course"),
                    "payment_link",
                ]
            },
        )
    ]
    readonly_fields = ["kind_label", "share", "order_link", "course", "payment_link"]

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        # Past what the rows' owners manage: a charge is of all sellers of its order.
        rows = super(RuledModelAdmin, self).get_queryset(request).concerning(request.user)
        rows = rows.select_related(*self.list_select_related)
        return rows.annotate(managed_amount=amount_of_lines(request.user, "order"))

    @display(description=gettext_lazy("kind"), ordering="kind", label=MOVE_COLOURS)
    def kind_label(self, entry: LedgerEntry) -> Label:
        return Label(entry.kind, entry.get_kind_display())

    @display(description=gettext_lazy("your part"))
    def share(self, entry: LedgerEntry) -> str:
        if entry.purchase_id is not None:
            return f"{entry.amount:.2f}"
        return f"{entry.managed_amount or Decimal(0):.2f}"

    @display(description=gettext_lazy("amount"), ordering="amount")
    def whole(self, entry: LedgerEntry) -> str:
        return f"{entry.amount:.2f}"

    @display(description=gettext_lazy("course"))
    def course(self, entry: LedgerEntry) -> str:
        return entry.purchase.course.title if entry.purchase else ""

    @display(description=gettext_lazy("payment"))
    def payment_link(self, entry: LedgerEntry) -> str:
        return admin_link(entry.payment)


@admin.register(Refund)
class RefundAdmin(_OfOrderAdmin):
    list_display = [
        "requested_at", "course", "sum", "status_label", "last_error", "requester", "reason",
    ]  # fmt: skip
    list_select_related = ["order", "purchase__course", "requested_by", "payment"]
    list_filter = [("status", ChoicesDropdownFilter), ("requested_at", RangeDateTimeFilter)]
    operator_filter = [("purchase__course", OwnedRowFilter)]
    operator_fields = ["payment_link"]
    search_fields = ["order__public_id", "purchase__course__title", "reason"]
    ordering = ["-requested_at", "-pk"]
    fieldsets = [
        (None, {"fields": [("order_link", "course"), ("sum", "reason"), "requester"]}),
        (
            gettext_lazy("Transfer"),
            {
                "fields": [
                    ("status_label", "last_error"),
                    ("n_attempts", "not_before"),
                    ("reference", "payment_link"),
                ]
            },
        ),
        (gettext_lazy("When"), {"fields": [("requested_at", "settled_at")]}),
    ]
    readonly_fields = ["order_link", "course", "sum", "requester", "status_label", "payment_link"]
    actions = ["transfer_again"]

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).select_related(*self.list_select_related)

    def has_ask_again_permission(self, request: HttpRequest) -> bool:
        return may(request, "ask_again", Refund)

    @display(description=gettext_lazy("course"))
    def course(self, refund: Refund) -> str:
        return refund.purchase.course.title if refund.purchase else ""

    @display(description=gettext_lazy("amount"), ordering="amount")
    def sum(self, refund: Refund) -> str:
        return money(refund.amount, refund.currency)

    @display(description=gettext_lazy("status"), ordering="status", label=REFUND_COLOURS)
    def status_label(self, refund: Refund) -> Label:
        return Label(refund.status, refund.get_status_display())

    @display(description=gettext_lazy("requested by"))
    def requester(self, refund: Refund) -> str:
        return public_name(refund.requested_by) if refund.requested_by else ""

    @display(description=gettext_lazy("payment"))
    def payment_link(self, refund: Refund) -> str:
        return admin_link(refund.payment)

    @action(
        description=gettext_lazy("Ask the provider again for what failed"),
        permissions=["ask_again"],
    )
    def transfer_again(self, request: HttpRequest, refunds: QuerySet[Refund]) -> None:
        person = request.user
        assert isinstance(person, User)
        asked = left = 0
        for refund in refunds:
            if may(request, "ask_again", Refund, refund) and ask_again(
                refund, moment=timezone.now()
            ):
                log_asked_again(person, refund)
                asked += 1
            else:
                left += 1
        if asked:
            text = ngettext(
                "%(n)d refund is asked of its provider again.",
                "%(n)d refunds are asked of their providers again.",
                asked,
            )
            self.message_user(request, text % {"n": asked}, messages.SUCCESS)
        if left:
            text = ngettext(
                "%(n)d refund had not failed; it was left alone.",
                "%(n)d refunds had not failed; they were left alone.",
                left,
            )
            self.message_user(request, text % {"n": left}, messages.WARNING)


class SandboxRefundInline(ReadOnlyInline):
    model = SandboxRefund
    fields = readonly_fields = ["key", "amount", "created_at"]


class SandboxNoticeInline(ReadOnlyInline):
    model = SandboxNotice
    fields = readonly_fields = [
        "outcome", "created_at", "n_attempts", "not_before", "delivered_at",
    ]  # fmt: skip


@admin.register(SandboxPayment)
class SandboxPaymentAdmin(RuledModelAdmin):
    """What the sandbox, which stands for a vendor, keeps in its own book."""

    list_display = ["reference", "title", "sum", "refunded", "state_label", "created_at"]
    list_filter = [("state", ChoicesDropdownFilter)]
    search_fields = ["reference", "number", "title"]
    ordering = ["-created_at", "-pk"]
    fields = [
        ("reference", "number"), "title", ("amount", "refunded", "currency"),
        ("state_label", "created_at"),
    ]  # fmt: skip
    readonly_fields = ["reference", "number", "state_label"]
    inlines = [SandboxRefundInline, SandboxNoticeInline]

    @display(description=gettext_lazy("amount"), ordering="amount")
    def sum(self, payment: SandboxPayment) -> str:
        return money(payment.amount, payment.currency)

    @display(description=gettext_lazy("status"), ordering="state", label=SANDBOX_COLOURS)
    def state_label(self, payment: SandboxPayment) -> Label:
        return Label(payment.state, payment.get_state_display())
