"""Who comes back and how people learn."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import ExpressionWrapper, F, FloatField
from django.db.models.functions import NullIf
from django.db.models.query import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from import_export import resources
from import_export.fields import Field
from unfold.decorators import display

from accounts.seller_admin import (
    ExportedModelAdmin,
    Label,
    OwnedRowFilter,
    RuledModelAdmin,
    admin_link,
)
from accounts.templatetags.people import public_name
from analytics.methods.rates import Rate
from analytics.models import CohortRetention, CourseRetention, LearningSummary, UserRetention
from analytics.rate_text import hours_text, rate_text
from catalog.models import Lesson

N_STEPS_SHOWN = 40


class CourseRetentionResource(resources.ModelResource):
    """One line per course."""

    title = Field("course__title", column_name="title")

    class Meta:
        model = CourseRetention
        fields = [
            "course", "title", "n_learners", "longest_run_days", "n_active_days", "n_ratings",
            "rating_sum",
        ]  # fmt: skip
        export_order = fields


@admin.register(CourseRetention)
class CourseRetentionAdmin(ExportedModelAdmin, RuledModelAdmin):
    resource_classes = [CourseRetentionResource]
    list_display = ["course", "n_learners", "retention", "day_one", "day_seven", "satisfaction"]
    list_select_related = ["course"]
    operator_filter = [("course__seller", OwnedRowFilter)]
    search_fields = ["course__title"]
    ordering = ["-n_learners", "-pk"]
    fields = [
        "course_link", "n_learners", "retention", "come_back", "satisfaction", "updated_at",
    ]  # fmt: skip
    readonly_fields = ["course_link", "retention", "come_back", "satisfaction"]

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return (
            super()
            .get_queryset(request)
            .annotate(
                share=_share("longest_run_days", "n_active_days"),
                stars=_share("rating_sum", "n_ratings"),
            )
        )

    @display(description=gettext_lazy("course"))
    def course_link(self, row: CourseRetention) -> str:
        return admin_link(row.course)

    @display(description=gettext_lazy("retention, days in a row"), ordering="share")
    def retention(self, row: CourseRetention) -> str:
        return rate_text(row.rate, nobody=_("no learners yet"))

    @display(description=gettext_lazy("back on day 1"))
    def day_one(self, row: CourseRetention) -> str:
        return cohort_text(row, 1)

    @display(description=gettext_lazy("back on day 7"))
    def day_seven(self, row: CourseRetention) -> str:
        return cohort_text(row, 7)

    @display(description=gettext_lazy("come back"))
    def come_back(self, row: CourseRetention) -> str:
        if not row.cohorts:
            return _("no learners yet")
        return format_html_join(
            "",
            "<div>{}: {}</div>",
            [
                (_("day %(n)d") % {"n": one["day"]}, cohort_text(row, one["day"]))
                for one in row.cohorts
            ],
        )

    @display(description=gettext_lazy("rating"), ordering="stars")
    def satisfaction(self, row: CourseRetention) -> str:
        return stars_text(row)


def cohort_text(row: CourseRetention, day: int) -> str:
    """Of those who could be seen on day n, how many were active again."""
    for one in row.cohorts:
        if one["day"] == day:
            return rate_text(Rate(one["returned"], one["cohort"]), nobody=_("no learners yet"))
    return "–"


def stars_text(row: CourseRetention) -> str:
    """The mean rating with the number of ratings."""
    if row.rating_mean is None:
        return _("No ratings yet")
    return f"{row.rating_mean:.1f} ({row.n_ratings})"


def _share(part: str, whole: str) -> ExpressionWrapper:
    return ExpressionWrapper(F(part) * 1.0 / NullIf(F(whole), 0), output_field=FloatField())


class LearningSummaryResource(resources.ModelResource):
    """One line per learner and course, without the learner's name."""

    title = Field("course__title", column_name="title")

    class Meta:
        model = LearningSummary
        fields = [
            "course", "title", "study_seconds", "n_active_days", "days_per_week", "n_opened",
            "n_completed", "n_lessons", "is_struggling", "last_studied_at",
        ]  # fmt: skip
        export_order = fields


@admin.register(LearningSummary)
class LearningSummaryAdmin(ExportedModelAdmin, RuledModelAdmin):
    resource_classes = [LearningSummaryResource]
    list_display = [
        "learner_name", "course", "study_time", "frequency", "completed", "struggling",
        "last_studied_at",
    ]  # fmt: skip
    list_select_related = ["user", "course"]
    list_filter = ["is_struggling", ("course", OwnedRowFilter)]
    operator_filter = [("course__seller", OwnedRowFilter)]
    operator_search = ["user__email", "user__display_name"]
    operator_sees = {"learner_name": "learner_link"}
    search_fields = ["course__title"]
    ordering = ["-last_studied_at", "-pk"]
    fieldsets = [
        (None, {"fields": [("learner_name", "course_link")]}),
        (
            gettext_lazy("Learning"),
            {
                "fields": [
                    ("study_time", "frequency"),
                    ("opened", "completed"),
                    ("struggling", "easier_course"),
                    "steps",
                    ("last_studied_at", "updated_at"),
                ]
            },
        ),
    ]
    readonly_fields = [
        "learner_name", "course_link", "study_time", "frequency", "opened", "completed",
        "struggling", "easier_course", "steps",
    ]  # fmt: skip

    @display(description=gettext_lazy("learner"))
    def learner_name(self, row: LearningSummary) -> str:
        return public_name(row.user)

    @display(description=gettext_lazy("learner"))
    def learner_link(self, row: LearningSummary) -> str:
        return admin_link(row.user)

    @display(description=gettext_lazy("course"))
    def course_link(self, row: LearningSummary) -> str:
        return admin_link(row.course)

    @display(description=gettext_lazy("study time"), ordering="study_seconds")
    def study_time(self, row: LearningSummary) -> str:
        return hours_text(row.study_seconds)

    @display(description=gettext_lazy("days a week"), ordering="days_per_week")
    def frequency(self, row: LearningSummary) -> str:
        return f"{row.days_per_week:.1f}"

    @display(description=gettext_lazy("lessons opened"), ordering="n_opened")
    def opened(self, row: LearningSummary) -> str:
        return rate_text(Rate(row.n_opened, row.n_lessons), nobody=_("no lessons yet"))

    @display(description=gettext_lazy("lessons completed"), ordering="n_completed")
    def completed(self, row: LearningSummary) -> str:
        return rate_text(Rate(row.n_completed, row.n_lessons), nobody=_("no lessons yet"))

    @display(
        description=gettext_lazy("how it goes"),
        ordering="is_struggling",
        label={"struggling": "warning", "well": "success"},
    )
    def struggling(self, row: LearningSummary) -> Label:
        if row.is_struggling:
            return Label("struggling", _("struggling"))
        return Label("well", _("well"))

    @display(description=gettext_lazy("something easier"))
    def easier_course(self, row: LearningSummary) -> str:
        # Another seller's course may be the easier one: its title is public, its page is not.
        return row.easier.title if row.easier else "–"

    @display(description=gettext_lazy("path through the lessons"))
    def steps(self, row: LearningSummary) -> str:
        keys = [key for key in row.path[:N_STEPS_SHOWN] if isinstance(key, int)]
        lessons = Lesson.objects.filter(section__course=row.course_id).in_bulk(keys)
        titles = [lessons[key].title for key in keys if key in lessons]
        return " → ".join(titles) if titles else _("no lesson opened yet")


@admin.register(UserRetention)
class UserRetentionAdmin(RuledModelAdmin):
    list_display = ["user", "retention", "current_streak", "first_day", "last_day"]
    list_select_related = ["user"]
    search_fields = ["user__email", "user__display_name"]
    ordering = ["-last_day", "-pk"]
    date_hierarchy = "last_day"
    fields = [
        "user_link", "retention", ("longest_run", "n_active_days", "current_streak"),
        ("first_day", "last_day"), "updated_at",
    ]  # fmt: skip
    readonly_fields = ["user_link", "retention"]

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        share = _share("longest_run", "n_active_days")
        return super().get_queryset(request).annotate(share=share)

    @display(description=gettext_lazy("viewer"))
    def user_link(self, row: UserRetention) -> str:
        return admin_link(row.user)

    @display(description=gettext_lazy("retention, days in a row"), ordering="share")
    def retention(self, row: UserRetention) -> str:
        return rate_text(row.rate)


@admin.register(CohortRetention)
class CohortRetentionAdmin(RuledModelAdmin):
    list_display = ["cohort_week", "day_of_cohort", "retention"]
    list_filter = ["day"]
    ordering = ["-cohort_week", "day"]
    date_hierarchy = "cohort_week"
    fields = ["cohort_week", "day_of_cohort", "retention"]
    readonly_fields = ["day_of_cohort", "retention"]

    @display(description=gettext_lazy("day"), ordering="day")
    def day_of_cohort(self, row: CohortRetention) -> str:
        return _("day %(n)d") % {"n": row.day}

    @display(description=gettext_lazy("active again"))
    def retention(self, row: CohortRetention) -> str:
        return rate_text(row.rate)
