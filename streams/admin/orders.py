"""Which orders came from which live session, in the admin."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery, Sum
from django.http import HttpRequest
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from accounts.seller_admin import OwnedRowFilter, RuledModelAdmin, admin_link
from catalog.models import Purchase
from catalog.templatetags.catalog_pages import money
from streams.models import OrderAttribution


@admin.register(OrderAttribution)
class OrderAttributionAdmin(RuledModelAdmin):
    """Which orders came from which live session; the checkout writes it down, nobody else."""

    list_display = ["order_link", "live_session", "order_status", "amount", "placed_at"]
    list_select_related = ["order", "live_session"]
    list_filter = [
        ("live_session", OwnedRowFilter),
        ("order__status", ChoicesDropdownFilter),
    ]
    operator_filter = [("live_session__seller", OwnedRowFilter)]
    search_fields = ["live_session__title", "order__public_id"]
    ordering = ["-order"]
    fields = ["order_link", "session_link", ("order_status", "amount"), "placed_at"]
    readonly_fields = ["order_link", "session_link", "order_status", "amount", "placed_at"]

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        lines = Purchase.objects.managed_by(request.user).filter(order=OuterRef("order"))
        sums = lines.order_by().values("order").annotate(v=Sum("price")).values("v")
        rows = super().get_queryset(request).select_related(*self.list_select_related)
        return rows.annotate(managed_amount=Subquery(sums))

    @display(description=gettext_lazy("order"), ordering="order")
    def order_link(self, row: OrderAttribution) -> str:
        return admin_link(row.order)

    @display(description=gettext_lazy("live session"))
    def session_link(self, row: OrderAttribution) -> str:
        return admin_link(row.live_session)

    @display(description=gettext_lazy("status"), ordering="order__status")
    def order_status(self, row: OrderAttribution) -> str:
        return row.order.get_status_display()

    @display(description=gettext_lazy("amount"), ordering="managed_amount")
    def amount(self, row: OrderAttribution) -> str:
        return money(row.managed_amount or Decimal(0), row.order.currency)

    @display(description=gettext_lazy("placed at"), ordering="order__created_at")
    def placed_at(self, row: OrderAttribution) -> datetime:
        return row.order.created_at
