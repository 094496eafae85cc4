"""Orders, purchases and enrollments, to be read.

An order may hold courses of several sellers: each of them sees their own lines of it, and
what these come to, never its total.
"""

from __future__ import annotations

from decimal import Decimal

from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery, Sum
from django.http import HttpRequest
from django.utils.translation import gettext_lazy
from import_export import resources
from import_export.fields import Field
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from accounts.rules import is_operator
from accounts.seller_admin import (
    ExportedModelAdmin,
    Label,
    OwnedRowFilter,
    ReadOnlyInline,
    RuledModelAdmin,
    admin_link,
    managed_rows,
)
from accounts.templatetags.people import public_name
from catalog.models import Enrollment, Order, OrderStatus, Purchase
from catalog.templatetags.catalog_pages import money

STATUS_COLOURS = {
    OrderStatus.PENDING: "warning",
    OrderStatus.PAID: "success",
    OrderStatus.EXPIRED: "default",
    OrderStatus.CANCELLED: "default",
    OrderStatus.REFUNDED: "danger",
}


class PurchaseInline(ReadOnlyInline):
    """The lines of an order that the person manages."""

    model = Purchase
    fields = readonly_fields = ["course", "list_price", "price", "promotion", "refunded_at"]

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        rows = super().get_queryset(request).select_related("course", "promotion__course")
        return managed_rows(rows, request.user)


class OrderResource(resources.ModelResource):
    """One line per order; `amount` is what the exporting person's courses came to in it."""

    amount = Field("managed_amount", column_name="amount")

    class Meta:
        model = Order
        fields = ["public_id", "status", "currency", "amount", "created_at", "paid_at"]
        export_order = fields


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
    inlines = [PurchaseInline]

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        lines = managed_rows(Purchase.objects.filter(order=OuterRef("pk")), request.user)
        amounts = lines.order_by().values("order").annotate(v=Sum("price")).values("v")
        return super().get_queryset(request).annotate(managed_amount=Subquery(amounts))

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
class PurchaseAdmin(RuledModelAdmin):
    list_display = ["course", "paid_price", "status_label", "paid_at", "refunded_at"]
    list_select_related = ["course", "order"]
    list_filter = [("order__status", ChoicesDropdownFilter), ("course", OwnedRowFilter)]
    operator_filter = [("course__seller", OwnedRowFilter)]
    search_fields = ["course__title", "order__public_id"]
    ordering = ["-pk"]
    fields = ["order_link", "course", "list_price", "price", "promotion", "refunded_at"]
    readonly_fields = ["order_link"]

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
