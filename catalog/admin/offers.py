"""Coupons and promotions."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display
from unfold.widgets import UnfoldAdminIntegerFieldWidget

from accounts.seller_admin import (
    OwnedRowFilter,
    RecordedModelAdmin,
    RuledModelAdmin,
    SellerRowsAdmin,
)
from catalog.models import Coupon, DiscountKind, Promotion
from catalog.new_coupons import discount_faults
from catalog.promotions import (
    NotBelowListPrice,
    SeatsTaken,
    change_seats,
    ensure_below_list_price,
)
from catalog.templatetags.catalog_pages import money


class _WindowForm(ModelForm):
    """A form of an offer that begins and ends."""

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        starts_at, ends_at = cleaned.get("starts_at"), cleaned.get("ends_at")
        if starts_at and ends_at and ends_at <= starts_at:
            self.add_error("ends_at", _("The end must be after the start."))
        return cleaned


class CouponForm(_WindowForm):
    """A coupon takes off a percentage or an amount, never both."""

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        kind, percent, amount = (cleaned.get(name) for name in ("kind", "percent", "amount"))
        for name, fault in discount_faults(kind, percent=percent, amount=amount).items():
            if name not in self.errors:
                self.add_error(name, fault)
        seller_id = self.instance.seller_id or getattr(cleaned.get("seller"), "pk", None)
        if any(course.seller_id != seller_id for course in cleaned.get("courses") or []):
            self.add_error("courses", _("Every course must be of the coupon's seller."))
        return cleaned


@admin.register(Coupon)
class CouponAdmin(RecordedModelAdmin, SellerRowsAdmin):
    form = CouponForm
    list_display = ["code", "reduction", "starts_at", "ends_at", "uses", "spent", "is_active"]
    list_select_related = ["seller"]
    list_filter = ["is_active", ("kind", ChoicesDropdownFilter)]
    search_fields = ["code"]
    ordering = ["-starts_at", "-pk"]
    autocomplete_fields = ["seller", "courses", "categories"]
    readonly_fields = ["n_used", "spent"]
    fieldsets = [
        (None, {"fields": ["seller", ("code", "is_active"), ("starts_at", "ends_at")]}),
        (
            gettext_lazy("Reduction"),
            {"fields": ["kind", ("percent", "amount", "currency"), "minimum_spend"]},
        ),
        (
            gettext_lazy("What it covers"),
            {
                "fields": ["courses", "categories"],
                "description": gettext_lazy("Nothing chosen: everything of this seller."),
            },
        ),
        (
            gettext_lazy("Limits"),
            {"fields": [("max_uses", "n_used"), ("budget", "spent"), "per_user_limit"]},
        ),
    ]
    counters = ["n_used", "spent"]

    @display(description=gettext_lazy("reduction"))
    def reduction(self, coupon: Coupon) -> str:
        if coupon.kind == DiscountKind.PERCENT:
            return f"{coupon.percent}%"
        return money(coupon.amount, coupon.currency)

    @display(description=gettext_lazy("used"), ordering="n_used")
    def uses(self, coupon: Coupon) -> str:
        return f"{coupon.n_used} / {coupon.max_uses}" if coupon.max_uses else str(coupon.n_used)


class PromotionForm(_WindowForm):
    """A promotion; its seats are set here and counted down by sales."""

    seats = forms.IntegerField(
        label=gettext_lazy("seats"),
        required=False,
        min_value=1,
        help_text=gettext_lazy("Empty: no limit."),
        widget=UnfoldAdminIntegerFieldWidget,
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        course, price = cleaned.get("course"), cleaned.get("price")
        if course and price is not None:
            try:
                ensure_below_list_price(course, price)
            except NotBelowListPrice as error:
                self.add_error("price", str(error))
        seats, promotion = cleaned.get("seats"), self.instance
        if seats is not None and promotion.pk and self.initial["seats"] is not None:
            n_taken = self.initial["seats"] - promotion.seats_left
            if seats < n_taken:
                self.add_error("seats", self.too_few_seats(n_taken))
        return cleaned

    @staticmethod
    def too_few_seats(n_taken: int) -> str:
        return _("%(n)d seats are taken already; there cannot be fewer.") % {"n": n_taken}


@admin.register(Promotion)
class PromotionAdmin(RecordedModelAdmin, RuledModelAdmin):
    form = PromotionForm
    list_display = ["course", "reduced", "starts_at", "ends_at", "places", "is_public", "is_active"]
    list_select_related = ["course"]
    list_filter = ["is_active", "is_public", ("course", OwnedRowFilter)]
    operator_filter = [("course__seller", OwnedRowFilter)]
    search_fields = ["course__title"]
    ordering = ["-starts_at", "-pk"]
    autocomplete_fields = ["course"]
    readonly_fields = ["seats_left"]
    counters = ["seats", "seats_left"]
    fieldsets = [
        (None, {"fields": ["course", "price", ("starts_at", "ends_at")]}),
        (gettext_lazy("Limits"), {"fields": [("seats", "seats_left"), ("is_public", "is_active")]}),
    ]

    @display(description=gettext_lazy("price"), ordering="price")
    def reduced(self, promotion: Promotion) -> str:
        course = promotion.course
        before = money(course.list_price, course.currency)
        return f"{money(promotion.price, course.currency)} ({before})"

    @display(description=gettext_lazy("seats left"), ordering="seats_left")
    def places(self, promotion: Promotion) -> str:
        if promotion.seats is None:
            return _("no limit")
        return f"{promotion.seats_left} / {promotion.seats}"

    def save_model(
        self, request: HttpRequest, obj: Promotion, form: ModelForm, change: bool
    ) -> None:
        if not change:
            obj.seats_left = obj.seats
        elif "seats" in form.changed_data:
            # Before the row is saved, so that its history holds the new seats.
            try:
                change_seats(obj, seats=obj.seats)
            except SeatsTaken as error:
                self.message_user(request, form.too_few_seats(error.n_taken), messages.ERROR)
        super().save_model(request, obj, form, change)
