"""What was recorded, imported and computed, and how each computation went."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet, Value
from django.db.models.fields import BigIntegerField
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from accounts.seller_admin import Label, RuledModelAdmin, admin_link
from analytics.admin.people import html_table
from analytics.models import Event, ImportRun, ModelRun, RunOutcome
from analytics.recommender_page import recommender_page

OUTCOME_COLOURS = {
    RunOutcome.RUNNING: "info",
    RunOutcome.SERVED: "success",
    RunOutcome.KEPT_OUT: "warning",
    RunOutcome.FAILED: "danger",
}


def metric_text(value: Any) -> str:
    """A score with four digits, a count as it is, a dash for none."""
    if value is None:
        return "–"
    return f"{value:.4f}" if isinstance(value, float) else str(value)


@admin.register(ModelRun)
class ModelRunAdmin(RuledModelAdmin):
    list_display = [
        "__str__", "outcome_label", "is_served", "method", "n_rows", "n_results", "seconds",
        "started_at",
    ]  # fmt: skip
    list_select_related = ["servedrun"]
    list_filter = [("task", ChoicesDropdownFilter), ("outcome", ChoicesDropdownFilter)]
    search_fields = ["method", "message"]
    ordering = ["-started_at", "-pk"]
    fieldsets = [
        (None, {"fields": [("task", "method"), ("outcome_label", "is_served"), "message"]}),
        (gettext_lazy("Scores on held-out data"), {"fields": ["scores_table"]}),
        (
            gettext_lazy("Data"),
            {"fields": [("window_start", "window_end"), ("n_rows", "n_results")]},
        ),
        (
            gettext_lazy("Effort"),
            {"fields": [("started_at", "finished_at"), ("fit_seconds", "seconds", "peak_mb")]},
        ),
        (gettext_lazy("Parameters"), {"fields": ["parameters_table"]}),
    ]
    readonly_fields = ["outcome_label", "is_served", "scores_table", "parameters_table"]

    @display(description=gettext_lazy("outcome"), ordering="outcome", label=OUTCOME_COLOURS)
    def outcome_label(self, run: ModelRun) -> Label:
        return Label(run.outcome, run.get_outcome_display())

    @display(description=gettext_lazy("shown now"), boolean=True)
    def is_served(self, run: ModelRun) -> bool:
        return hasattr(run, "servedrun")

    @display(description=gettext_lazy("scores"))
    def scores_table(self, run: ModelRun) -> str:
        metrics = list(dict.fromkeys(name for one in run.scores for name in one))
        return html_table(
            [_("method") if name == "method" else name for name in metrics],
            [[metric_text(one.get(name)) for name in metrics] for one in run.scores],
            _("this run was not scored"),
        )

    @display(description=gettext_lazy("parameters"))
    def parameters_table(self, run: ModelRun) -> str:
        return html_table(
            [_("parameter"), _("value")],
            [(name, metric_text(value)) for name, value in sorted(run.parameters.items())],
            _("none"),
        )

    def get_urls(self) -> list[URLPattern]:
        return [
            path(
                "recommender/",
                self.admin_site.admin_view(self.recommender_view),
                name="analytics_recommender",
            ),
            *super().get_urls(),
        ]

    def recommender_view(self, request: HttpRequest) -> HttpResponse:
        """The operator's page about the recommender."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return TemplateResponse(
            request,
            "admin/analytics/recommender.html",
            {
                **self.admin_site.each_context(request),
                "title": _("Recommender"),
                "page": recommender_page(now=timezone.now()),
            },
        )


@admin.register(ImportRun)
class ImportRunAdmin(RuledModelAdmin):
    list_display = [
        "file_name", "target", "n_lines", "n_stored", "n_unchanged", "n_refused", "started_at",
        "finished_at",
    ]  # fmt: skip
    list_filter = ["target"]
    search_fields = ["file_name"]
    ordering = ["-started_at", "-pk"]
    fields = [
        ("target", "file_name"), ("n_lines", "n_stored", "n_unchanged", "n_refused"),
        ("started_at", "finished_at"), "byte_offset", "fingerprint",
    ]  # fmt: skip


@admin.register(Event)
class EventAdmin(RuledModelAdmin):
    """The newest first. A seller reads what was done, not by whom."""

    list_display = ["kind", "course_shown", "session_shown", "value", "when"]
    list_select_related = ["course", "live_session", "user"]
    list_filter = [("kind", ChoicesDropdownFilter)]
    operator_display = ["user"]
    operator_fields = ["user_link", "visitor_id", "uuid"]
    search_fields = ["course__title", "live_session__title"]
    operator_search = ["user__email", "user__display_name"]
    ordering = ["-pk"]
    show_full_result_count = False
    fields = [
        ("kind", "value"), ("course_shown", "session_shown"), ("user_link", "visitor_id"),
        ("when", "received_at"), "uuid",
    ]  # fmt: skip
    readonly_fields = ["course_shown", "session_shown", "user_link", "when"]

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        # Another seller's session or course beside one's own is none of one's business.
        reader = 0 if request.user.is_superuser else request.user.pk
        return (
            super()
            .get_queryset(request)
            .annotate(reader=Value(reader, output_field=BigIntegerField()))
        )

    def get_search_results(
        self, request: HttpRequest, rows: QuerySet, search_term: str
    ) -> tuple[QuerySet, bool]:
        if request.user.is_superuser or not search_term:
            return super().get_search_results(request, rows, search_term)
        # Found by the titles of the seller's own alone: a hit by another's would tell it.
        found = rows.filter(
            course__seller=request.user, course__title__icontains=search_term
        ) | rows.filter(
            live_session__seller=request.user, live_session__title__icontains=search_term
        )
        return found, False

    @display(description=gettext_lazy("course"))
    def course_shown(self, event: Event) -> str:
        return self._own(event, event.course)

    @display(description=gettext_lazy("live session"))
    def session_shown(self, event: Event) -> str:
        return self._own(event, event.live_session)

    @display(description=gettext_lazy("viewer"))
    def user_link(self, event: Event) -> str:
        return admin_link(event.user)

    @display(description=gettext_lazy("happened at"), ordering="occurred_at")
    def when(self, event: Event) -> object:
        return event.occurred_at or _("position %(n)d") % {"n": event.position}

    @staticmethod
    def _own(event: Event, row: Any) -> str:
        if row is None or (event.reader and row.seller_id != event.reader):
            return "–"
        return admin_link(row)
