"""Figures of live sessions that were, and forecasts for those to come."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.db.models import ExpressionWrapper, F, FloatField
from django.db.models.functions import NullIf
from django.db.models.query import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from import_export import resources
from import_export.fields import Field
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from accounts.seller_admin import ExportedModelAdmin, OwnedRowFilter, RuledModelAdmin, admin_link
from analytics.models import Forecast, SessionFigures
from analytics.rate_text import rate_text, share_text
from catalog.models import Promotion
from catalog.templatetags.catalog_pages import length_of_time, money

N_HOURS_SHOWN = 5


class SessionFiguresResource(resources.ModelResource):
    """One line per session; the counts of every rate stand beside each other."""

    session_id = Field("live_session_id", column_name="session_id")
    title = Field("live_session__title", column_name="title")
    started_at = Field("live_session__started_at", column_name="started_at")

    class Meta:
        model = SessionFigures
        fields = [
            "session_id", "title", "started_at", "source", "n_impressions", "n_views", "n_clicks",
            "n_viewers", "n_buyers", "n_orders", "peak_viewers", "watched_seconds", "gmv",
            "net_sales", "currency",
        ]  # fmt: skip
        export_order = fields


@admin.register(SessionFigures)
class SessionFiguresAdmin(ExportedModelAdmin, RuledModelAdmin):
    resource_classes = [SessionFiguresResource]
    list_display = [
        "live_session", "started_at", "conversion", "click_through", "average_watch",
        "peak_viewers", "n_orders", "gross", "net",
    ]  # fmt: skip
    list_select_related = ["live_session"]
    list_filter = [("source", ChoicesDropdownFilter), ("live_session", OwnedRowFilter)]
    operator_filter = [("live_session__seller", OwnedRowFilter)]
    search_fields = ["live_session__title"]
    ordering = ["-live_session__started_at", "-pk"]
    fieldsets = [
        (None, {"fields": ["session_link", ("source", "updated_at")]}),
        (
            gettext_lazy("Rates"),
            {"fields": ["conversion", ("click_through", "average_watch")]},
        ),
        (
            gettext_lazy("Counts"),
            {
                "fields": [
                    ("n_impressions", "n_views", "n_clicks"),
                    ("n_viewers", "n_buyers", "peak_viewers"),
                ]
            },
        ),
        (
            gettext_lazy("Sales"),
            {
                "fields": [
                    ("n_orders", "gross"),
                    ("net", "given_back"),
                    "by_promotion",
                    "by_coupon",
                ],
                "description": gettext_lazy(
                    "Sales of the seller's own courses in orders that came from the session."
                ),
            },
        ),
    ]
    readonly_fields = [
        "session_link", "conversion", "click_through", "average_watch", "gross", "net",
        "given_back", "by_promotion", "by_coupon",
    ]  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        share = ExpressionWrapper(
            F("n_buyers") * 1.0 / NullIf(F("n_viewers"), 0), output_field=FloatField()
        )
        return super().get_queryset(request).annotate(conversion_share=share)

    @display(description=gettext_lazy("live session"))
    def session_link(self, figures: SessionFigures) -> str:
        return admin_link(figures.live_session)

    @display(description=gettext_lazy("started at"), ordering="live_session__started_at")
    def started_at(self, figures: SessionFigures) -> object:
        return figures.live_session.started_at

    @display(description=gettext_lazy("conversion"), ordering="conversion_share")
    def conversion(self, figures: SessionFigures) -> str:
        return rate_text(figures.conversion)

    @display(description=gettext_lazy("click-through"))
    def click_through(self, figures: SessionFigures) -> str:
        return rate_text(figures.click_through, nobody=_("nothing shown yet"))

    @display(description=gettext_lazy("average watch time"))
    def average_watch(self, figures: SessionFigures) -> str:
        seconds = figures.average_watch_seconds
        return _("no viewers yet") if seconds is None else length_of_time(round(seconds))

    @display(description=gettext_lazy("GMV"), ordering="gmv")
    def gross(self, figures: SessionFigures) -> str:
        return sum_of_money(figures.gmv, figures.currency)

    @display(description=gettext_lazy("net sales"), ordering="net_sales")
    def net(self, figures: SessionFigures) -> str:
        return sum_of_money(figures.net_sales, figures.currency)

    @display(description=gettext_lazy("refunded"))
    def given_back(self, figures: SessionFigures) -> str:
        return sum_of_money(figures.refunded, figures.currency)

    @display(description=gettext_lazy("by promotion"))
    def by_promotion(self, figures: SessionFigures) -> str:
        parts = (figures.sales or {}).get("promotions", [])
        known = Promotion.objects.select_related("course").in_bulk(
            [part["id"] for part in parts if part["id"] is not None]
        )
        names = []
        for part in parts:
            promotion = known.get(part["id"])
            title = promotion.course.title if promotion else _("deleted")
            price = sum_of_money(Decimal(part["promotion_price"] or 0), part["currency"])
            names.append(f"{title}, {price}" if part["id"] else _("without a promotion"))
        return _sales_lines(parts, names)

    @display(description=gettext_lazy("by coupon"))
    def by_coupon(self, figures: SessionFigures) -> str:
        parts = (figures.sales or {}).get("coupons", [])
        names = [part["coupon_code"] or _("without a coupon") for part in parts]
        return _sales_lines(parts, names)


def _sales_lines(parts: Sequence[dict[str, Any]], names: Sequence[str]) -> str:
    """Sales by offer, a line for each, or a word that there are none."""
    if not parts:
        return _("nothing sold yet")
    text = _(
        "%(name)s: orders %(n_orders)d, buyers %(n_buyers)d, GMV %(gmv)s, net sales %(net_sales)s"
    )
    return format_html_join(
        mark_safe("<br>"),
        "{}",
        [
            (
                text
                % {
                    "name": name,
                    "n_orders": part["n_orders"],
                    "n_buyers": part["n_buyers"],
                    "gmv": sum_of_money(Decimal(part["gmv"]), part["currency"]),
                    "net_sales": sum_of_money(Decimal(part["net_sales"]), part["currency"]),
                },
            )
            for name, part in zip(names, parts, strict=True)
        ],
    )


def sum_of_money(amount: object, currency: str) -> str:
    """Sales as text. A sum of nothing is a zero, while a price of nothing reads “free”."""
    return money(amount, currency) if amount else f"{currency} 0"


@admin.register(Forecast)
class ForecastAdmin(RuledModelAdmin):
    list_display = ["live_session", "begins_at", "expected", "interval", "advised_hour", "basis"]
    list_select_related = ["live_session"]
    list_filter = [("live_session__status", ChoicesDropdownFilter)]
    operator_filter = [("live_session__seller", OwnedRowFilter)]
    operator_fields = ["run_link"]
    search_fields = ["live_session__title"]
    ordering = ["-live_session__scheduled_at", "-pk"]
    fieldsets = [
        (None, {"fields": ["session_link", "begins_at"]}),
        (
            gettext_lazy("Forecast"),
            {"fields": [("expected", "interval"), "hours", ("basis", "made_at"), "run_link"]},
        ),
    ]
    readonly_fields = ["session_link", "begins_at", "expected", "interval", "hours", "run_link"]

    @display(description=gettext_lazy("live session"))
    def session_link(self, forecast: Forecast) -> str:
        return admin_link(forecast.live_session)

    @display(description=gettext_lazy("scheduled for"), ordering="live_session__scheduled_at")
    def begins_at(self, forecast: Forecast) -> object:
        return forecast.live_session.scheduled_at

    @display(description=gettext_lazy("expected conversion"), ordering="expected_rate")
    def expected(self, forecast: Forecast) -> str:
        return share_text(forecast.expected_rate)

    @display(description=gettext_lazy("interval"))
    def interval(self, forecast: Forecast) -> str:
        return interval_text(forecast)

    @display(description=gettext_lazy("advised hour"))
    def advised_hour(self, forecast: Forecast) -> str:
        return advised_hour_text(forecast)

    @display(description=gettext_lazy("best hours of the day"))
    def hours(self, forecast: Forecast) -> str:
        best = forecast.best_hours[:N_HOURS_SHOWN]
        if not best:
            return _("no difference between hours is known yet")
        return format_html_join(
            ", ", "{}:00 ({})", [(one["hour"], share_text(one["rate"])) for one in best]
        )

    @display(description=gettext_lazy("model run"))
    def run_link(self, forecast: Forecast) -> str:
        return admin_link(forecast.run)


def interval_text(forecast: Forecast) -> str:
    """Between which rates the session will end, and how probable that is."""
    return _("%(low)s to %(high)s (%(level)d%% sure)") % {
        "low": share_text(forecast.low),
        "high": share_text(forecast.high),
        "level": round(forecast.level * 100),
    }


def advised_hour_text(forecast: Forecast) -> str:
    """The hour of the day with the highest expected rate, or a dash where none is known."""
    return f"{forecast.best_hours[0]['hour']}:00" if forecast.best_hours else "–"
