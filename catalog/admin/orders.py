"""Orders, purchases and enrollments: read, exported and, line by line, refunded.

An order may hold courses of several sellers: each of them sees their own lines of it, and
what these come to, never its total.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.contrib.admin.models import LogEntry
from django.contrib.admin.views.main import PAGE_VAR
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import OuterRef, QuerySet, Subquery, Sum
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from import_export import resources
from import_export.fields import Field
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import action, display

from accounts.models import User
from accounts.rules import is_operator
from accounts.seller_admin import (
    ExportedModelAdmin,
    Label,
    OwnedRowFilter,
    ReadOnlyInline,
    RuledModelAdmin,
    admin_link,
    managed_rows,
    may,
)
from accounts.table_export import Moment
from accounts.templatetags.people import public_name
from catalog.admin.refunding import MOST_LINES, is_refundable, refund_page
from catalog.models import Enrollment, Order, OrderStatus, Payment, Purchase, RefundStatus
from catalog.templatetags.catalog_pages import money

STATUS_COLOURS = {
    OrderStatus.PENDING: "warning",
    OrderStatus.PAID: "success",
    OrderStatus.EXPIRED: "default",
    OrderStatus.CANCELLED: "default",
    OrderStatus.REFUNDED: "danger",
}
REFUND_COLOURS = {
    RefundStatus.REQUESTED: "info",
    RefundStatus.DONE: "success",
    RefundStatus.FAILED: "danger",
}


def amount_of_lines(person: User, order: str = "pk") -> Subquery:
    """What the lines that the person manages come to; `order` is the row's way to its order."""
    lines = managed_rows(Purchase.objects.filter(order=OuterRef(order)), person)
    return Subquery(lines.order_by().values("order").annotate(v=Sum("price")).values("v"))


def refunded_of_lines(person: User) -> Subquery:
    """What of it was refunded."""
    lines = Purchase.objects.filter(order=OuterRef("pk"), refunded_at__isnull=False)
    lines = managed_rows(lines, person)
    return Subquery(lines.order_by().values("order").annotate(v=Sum("price")).values("v"))


class PurchaseInline(ReadOnlyInline):
    """The lines of an order that the person manages, and what became of their refunds."""

    model = Purchase
    fields = readonly_fields = [
        "course", "list_price", "price", "promotion", "refunded_at", "refund_state",
    ]  # fmt: skip
    show_change_link = True

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        rows = super().get_queryset(request)
        rows = rows.select_related("course", "promotion__course", "refund")
        return managed_rows(rows, request.user)

    @display(description=gettext_lazy("transfer"))
    def refund_state(self, line: Purchase) -> str:
        return refund_text(line)


def refund_text(line: Purchase) -> str:
    """How far the transfer of a refund is, as a link to it, and what the provider said."""
    refund = getattr(line, "refund", None)
    if refund is None:
        return ""
    text = refund.get_status_display()
    return admin_link(refund, f"{text}: {refund.last_error}" if refund.last_error else text)


class OrderResource(resources.ModelResource):
    """One line per order; amounts are those of the exporting person's courses in it."""

    buyer = Field(column_name="buyer")
    amount = Field(column_name="amount")
    refunded = Field(column_name="refunded")
    created_at = Field("created_at", column_name="created_at", widget=Moment())
    paid_at = Field("paid_at", column_name="paid_at", widget=Moment())

    class Meta:
        model = Order
        fields = [
            "public_id", "status", "buyer", "currency", "amount", "refunded", "created_at",
            "paid_at",
        ]  # fmt: skip
        export_order = fields

    def dehydrate_buyer(self, order: Order) -> str:
        return public_name(order.buyer)

    def dehydrate_amount(self, order: Order) -> Decimal:
        return _in_cents(order.managed_amount)

    def dehydrate_refunded(self, order: Order) -> Decimal:
        return _in_cents(order.managed_refunded)


def _in_cents(amount: Decimal | None) -> Decimal:
    """A sum with two decimal places: some databases leave them out."""
    return (amount or Decimal(0)).quantize(Decimal("0.01"))


class PurchaseResource(resources.ModelResource):
    """One line per course that was bought."""

    order = Field("order__public_id", column_name="order")
    status = Field("order__status", column_name="order_status")
    course = Field("course__slug", column_name="course")
    title = Field("course__title", column_name="title")
    buyer = Field(column_name="buyer")
    currency = Field("order__currency", column_name="currency")
    ordered_at = Field("order__created_at", column_name="ordered_at", widget=Moment())
    paid_at = Field("order__paid_at", column_name="paid_at", widget=Moment())
    refunded_at = Field("refunded_at", column_name="refunded_at", widget=Moment())
    refund = Field("refund__status", column_name="refund")

    class Meta:
        model = Purchase
        fields = [
            "id", "order", "status", "course", "title", "buyer", "currency", "list_price",
            "coupon_discount", "price", "ordered_at", "paid_at", "refunded_at", "refund",
        ]  # fmt: skip
        export_order = fields

    def dehydrate_buyer(self, line: Purchase) -> str:
        return public_name(line.order.buyer)


class PaymentInline(ReadOnlyInline):
    """For operators: how the order was paid, or was tried to be."""

    model = Payment
    fields = readonly_fields = [
        "provider", "amount", "status", "reference", "started_at", "settled_at",
    ]  # fmt: skip
    show_change_link = True


@admin.register(Order)
class OrderAdmin(ExportedModelAdmin, RuledModelAdmin):
    resource_classes = [OrderResource]
    list_display = ["public_id", "status_label", "buyer_name", "amount", "created_at", "paid_at"]
    list_select_related = ["buyer"]
    list_filter = [("status", ChoicesDropdownFilter)]
    search_fields = ["public_id"]
    operator_search = ["buyer__email", "buyer__display_name"]
    operator_sees = {"buyer_name": "buyer_link"}
    operator_fields = ["list_total", "total", "coupon"]
    ordering = ["-created_at", "-pk"]
    fieldsets = [
        (None, {"fields": ["public_id", ("status_label", "buyer_name"), "amount"]}),
        (gettext_lazy("The whole order"), {"fields": ["list_total", "total", "coupon"]}),
        (gettext_lazy("When"), {"fields": [("created_at", "expires_at", "paid_at")]}),
    ]
    readonly_fields = ["public_id", "status_label", "buyer_name", "amount"]
    inlines = [PurchaseInline, PaymentInline]
    actions_detail = ["refund"]

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        person = request.user
        return (
            super()
            .get_queryset(request)
            .annotate(
                managed_amount=amount_of_lines(person), managed_refunded=refunded_of_lines(person)
            )
        )

    def get_inlines(self, request: HttpRequest, obj: Order | None) -> list[Any]:
        return [PurchaseInline, *([PaymentInline] if is_operator(request.user) else [])]

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        order = self.get_object(request, str(object_id))
        lines = managed_rows(order.lines.select_related("order"), request.user) if order else ()
        shown = super().get_actions_detail(request, object_id)
        return shown if any(is_refundable(line) for line in lines) else []

    @action(description=gettext_lazy("Refund…"), icon="currency_exchange")
    def refund(self, request: HttpRequest, object_id: str) -> HttpResponse:
        order = self.get_object(request, object_id)
        if order is None or not self.has_view_permission(request, order):
            raise PermissionDenied
        back = reverse("admin:catalog_order_change", args=[order.pk])
        return refund_page(request, self, lines=Purchase.objects.filter(order=order), back=back)

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: Any = None
    ) -> HttpResponse:
        # An order has no history of its own: what happened to it happened to its lines, and
        # each seller sees that of theirs.
        order = self.get_object(request, object_id)
        lines = managed_rows(order.lines.all(), request.user) if order else Purchase.objects.none()
        entries = LogEntry.objects.filter(
            content_type=ContentType.objects.get_for_model(Purchase),
            object_id__in=[str(pk) for pk in lines.values_list("pk", flat=True)],
        )
        pages = Paginator(entries.select_related("user").order_by("action_time", "pk"), 100)
        page = pages.get_page(request.GET.get(PAGE_VAR))
        shown = {"action_list": page, "page_range": pages.get_elided_page_range(page.number)}
        return super().history_view(request, object_id, {**shown, **(extra_context or {})})

    def get_fieldsets(self, request: HttpRequest, obj: Order | None = None) -> list:
        shown = super().get_fieldsets(request, obj)
        return shown if is_operator(request.user) else [part for part in shown if part[1]["fields"]]

    @display(description=gettext_lazy("status"), ordering="status", label=STATUS_COLOURS)
    def status_label(self, order: Order) -> Label:
        return Label(order.status, order.get_status_display())

    @display(description=gettext_lazy("amount"), ordering="managed_amount")
    def amount(self, order: Order) -> str:
        return money(order.managed_amount or Decimal(0), order.currency)

    @display(description=gettext_lazy("buyer"))
    def buyer_name(self, order: Order) -> str:
        return public_name(order.buyer)

    @display(description=gettext_lazy("buyer"))
    def buyer_link(self, order: Order) -> str:
        return admin_link(order.buyer)


@admin.register(Purchase)
class PurchaseAdmin(ExportedModelAdmin, RuledModelAdmin):
    resource_classes = [PurchaseResource]
    list_display = [
        "course", "buyer_name", "paid_price", "status_label", "paid_at", "refund_label",
    ]  # fmt: skip
    list_select_related = ["course", "order__buyer", "refund"]
    list_filter = [("order__status", ChoicesDropdownFilter), ("course", OwnedRowFilter)]
    operator_filter = [("course__seller", OwnedRowFilter)]
    operator_sees = {"buyer_name": "buyer_link"}
    operator_search = ["order__buyer__email", "order__buyer__display_name"]
    search_fields = ["course__title", "order__public_id"]
    ordering = ["-pk"]
    fields = [
        ("order_link", "buyer_name"), "course", ("list_price", "coupon_discount", "price"),
        "promotion", ("refunded_at", "refund_state"),
    ]  # fmt: skip
    readonly_fields = ["order_link", "buyer_name", "refund_state"]
    actions = ["refund"]

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).select_related(*self.list_select_related)

    def get_urls(self) -> list[Any]:
        own = path(
            "refund/",
            self.admin_site.admin_view(self.refund_view),
            name="catalog_purchase_refund",
        )
        return [own, *super().get_urls()]

    def has_refund_permission(self, request: HttpRequest) -> bool:
        return may(request, "refund", Purchase)

    @action(description=gettext_lazy("Refund…"), permissions=["refund"])
    def refund(self, request: HttpRequest, purchases: QuerySet[Purchase]) -> HttpResponse | None:
        keys = list(purchases.order_by("pk").values_list("pk", flat=True)[: MOST_LINES + 1])
        if len(keys) > MOST_LINES:
            text = _("At most %(n)d lines can be refunded at once.") % {"n": MOST_LINES}
            self.message_user(request, text, messages.ERROR)
            return None
        address = reverse("admin:catalog_purchase_refund")
        return HttpResponseRedirect(f"{address}?{urlencode({'line': keys}, doseq=True)}")

    def refund_view(self, request: HttpRequest) -> HttpResponse:
        """The lines that the address names, as far as they are the person's."""
        if not self.has_refund_permission(request):
            raise PermissionDenied
        keys = [key for key in request.GET.getlist("line") if key.isascii() and key.isdigit()]
        lines = Purchase.objects.filter(pk__in=[key[:18] for key in keys[:MOST_LINES]])
        return refund_page(
            request, self, lines=lines, back=reverse("admin:catalog_purchase_changelist")
        )

    @display(description=gettext_lazy("buyer"))
    def buyer_name(self, purchase: Purchase) -> str:
        return public_name(purchase.order.buyer)

    @display(description=gettext_lazy("buyer"))
    def buyer_link(self, purchase: Purchase) -> str:
        return admin_link(purchase.order.buyer)

    @display(description=gettext_lazy("refund"), label=REFUND_COLOURS)
    def refund_label(self, purchase: Purchase) -> Label | None:
        refund = getattr(purchase, "refund", None)
        return Label(refund.status, refund.get_status_display()) if refund else None

    @display(description=gettext_lazy("transfer"))
    def refund_state(self, purchase: Purchase) -> str:
        return refund_text(purchase)

    @display(description=gettext_lazy("price paid"), ordering="price")
    def paid_price(self, purchase: Purchase) -> str:
        return money(purchase.price, purchase.order.currency)

    @display(description=gettext_lazy("status"), label=STATUS_COLOURS)
    def status_label(self, purchase: Purchase) -> Label:
        return Label(purchase.order.status, purchase.order.get_status_display())

    @display(description=gettext_lazy("paid at"), ordering="order__paid_at")
    def paid_at(self, purchase: Purchase) -> object:
        return purchase.order.paid_at

    @display(description=gettext_lazy("order"))
    def order_link(self, purchase: Purchase) -> str:
        return admin_link(purchase.order)


@admin.register(Enrollment)
class EnrollmentAdmin(RuledModelAdmin):
    list_display = ["course", "learner_name", "is_active", "enrolled_at"]
    list_select_related = ["course", "user"]
    list_filter = ["is_active", ("course", OwnedRowFilter)]
    operator_filter = [("course__seller", OwnedRowFilter)]
    operator_sees = {"learner_name": "learner_link"}
    operator_search = ["user__email", "user__display_name"]
    search_fields = ["course__title"]
    ordering = ["-enrolled_at", "-pk"]
    fields = ["course", "learner_name", "is_active", "enrolled_at", "purchase"]
    readonly_fields = ["learner_name"]

    @display(description=gettext_lazy("learner"))
    def learner_name(self, enrollment: Enrollment) -> str:
        return public_name(enrollment.user)

    @display(description=gettext_lazy("learner"))
    def learner_link(self, enrollment: Enrollment) -> str:
        return admin_link(enrollment.user)
