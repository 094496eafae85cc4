"""The sidebar of the admin: every table by subject, and only what the person may see."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

# Group, then (table, symbol of the theme's icon font) in the order of the sidebar.
GROUPS = [
    (
        gettext_lazy("Courses"),
        [
            ("catalog.Course", "school"),
            ("catalog.Section", "list"),
            ("catalog.Category", "category"),
            ("catalog.Review", "reviews"),
        ],
    ),
    (
        gettext_lazy("Live"),
        [
            ("streams.LiveSession", "live_tv"),
            ("streams.ChatMessage", "chat"),
            ("streams.ChatRules", "rule"),
            ("streams.Restriction", "block"),
            ("streams.ModerationAct", "gavel"),
            ("streams.Poll", "ballot"),
            ("streams.Draw", "featured_seasonal_and_gifts"),
            ("streams.Reminder", "notifications"),
            ("streams.StreamKey", "key"),
        ],
    ),
    (
        gettext_lazy("Sales"),
        [
            ("catalog.Order", "receipt_long"),
            ("catalog.Purchase", "shopping_bag"),
            ("catalog.Enrollment", "badge"),
            ("catalog.ConsultationSlot", "event_available"),
            ("catalog.Coupon", "confirmation_number"),
            ("catalog.Promotion", "sell"),
            ("streams.OrderAttribution", "cast"),
        ],
    ),
    (
        gettext_lazy("Money"),
        [
            ("catalog.Payment", "payments"),
            ("catalog.Refund", "currency_exchange"),
            ("catalog.LedgerEntry", "account_balance"),
            ("catalog.SandboxPayment", "science"),
        ],
    ),
    (
        gettext_lazy("What we learn"),
        [
            ("analytics.SessionFigures", "monitoring"),
            ("analytics.Forecast", "online_prediction"),
            ("analytics.CourseRetention", "event_repeat"),
            ("analytics.LearningSummary", "menu_book"),
            ("analytics.CohortRetention", "groups"),
        ],
    ),
    (
        gettext_lazy("People"),
        [
            ("accounts.User", "person"),
            ("analytics.Profile", "psychology"),
            ("analytics.UserRetention", "calendar_month"),
        ],
    ),
    (
        gettext_lazy("System"),
        [
            ("analytics.ModelRun", "model_training"),
            ("analytics.ImportRun", "upload_file"),
            ("analytics.Event", "bolt"),
            ("accounts.Letter", "mail"),
        ],
    ),
]


def admin_navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """Groups of links as the admin theme wants them; groups without a link are left out."""
    tables = {model._meta.label: model_admin for model, model_admin in admin.site._registry.items()}
    groups: list[dict[str, Any]] = [
        {"items": [{"title": _("Overview"), "icon": "dashboard", "link": reverse("admin:index")}]}
    ]
    for title, entries in GROUPS:
        items: list[dict[str, Any]] = []
        if entries[0][0] == "analytics.ModelRun" and request.user.is_superuser:
            address = reverse("admin:analytics_recommender")
            items.append({"title": _("Recommender"), "icon": "recommend", "link": address})
        for label, icon in entries:
            model_admin = tables.get(label)
            if model_admin is None or not model_admin.has_view_permission(request):
                continue
            options = model_admin.opts
            link = reverse(f"admin:{options.app_label}_{options.model_name}_changelist")
            item: dict[str, Any] = {
                "title": capfirst(str(options.verbose_name_plural)),
                "icon": icon,
                "link": link,
            }
            if any(request.path.startswith(other["link"]) for other in items):
                item["active"] = False  # The theme would mark it too: its address begins the other.
            items.append(item)
        if items:
            groups.append({"title": title, "separator": True, "items": items})
    return groups
