"""Addresses of the parts of pages that analytics owns."""

from __future__ import annotations

from django.urls import path

from analytics import account_views, desk_views

app_name = "analytics"
urlpatterns = [
    path("account/profile/", account_views.correct, name="correct_profile"),
    path("live/<int:pk>/desk/figures/", desk_views.figures, name="desk_figures"),
    path("live/<int:pk>/desk/next/", desk_views.next_course, name="desk_next"),
    path(
        "live/<int:pk>/desk/report.csv", desk_views.report, {"form": "csv"}, name="desk_report_csv"
    ),
    path(
        "live/<int:pk>/desk/report.xlsx",
        desk_views.report,
        {"form": "xlsx"},
        name="desk_report_xlsx",
    ),
]
