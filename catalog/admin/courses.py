"""Courses with their lessons, categories and reviews."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from import_export import resources
from import_export.fields import Field
from unfold.admin import StackedInline
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import action, display
from unfold.forms import PaginationInlineFormSet
from unfold.widgets import UnfoldAdminTextInputWidget

from accounts.seller_admin import (
    ExportedModelAdmin,
    Label,
    OwnedRowFilter,
    PartInline,
    RecordedModelAdmin,
    RuledModelAdmin,
    SellerRowsAdmin,
    admin_link,
)
from accounts.templatetags.people import public_name
from catalog.admin.lesson_files import LessonForm
from catalog.models import (
    Category,
    Course,
    CourseStatus,
    Lesson,
    LessonProgress,
    Review,
    Section,
)
from catalog.publishing import archive_courses, publish_courses
from catalog.templatetags.catalog_pages import money

STATUS_COLOURS = {
    CourseStatus.DRAFT: "warning",
    CourseStatus.PUBLISHED: "success",
    CourseStatus.ARCHIVED: "default",
}


class TagsField(forms.CharField):
    """A list of short texts, written on one line with commas between them."""

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> list[str]:
        parts = (super().to_python(value) or "").replace("，", ",").split(",")
        return list(dict.fromkeys(tag for part in parts if (tag := part.strip())))

    def has_changed(self, initial: Any, data: Any) -> bool:
        return (initial or []) != self.to_python(data)


class CourseForm(ModelForm):
    """The seller's form of a course."""

    tags = TagsField(
        label=gettext_lazy("tags"),
        required=False,
        help_text=gettext_lazy("With commas between them."),
        widget=UnfoldAdminTextInputWidget,
    )


class StudiedParts(PaginationInlineFormSet):
    """Parts of a course, of which those stay that somebody has learned from.

    `progress_of` is the look-up from a learner's progress to the part.
    """

    progress_of = ""

    def clean(self) -> None:
        super().clean()
        parts = [form.instance for form in self.deleted_forms if form.instance.pk]
        progress = LessonProgress.objects.filter(**{f"{self.progress_of}__in": parts})
        studied = set(progress.values_list(self.progress_of, flat=True).distinct())
        if titles := [str(part) for part in parts if part.pk in studied]:
            raise ValidationError(
                _("Learners have learned from %(titles)s: it stays, so that their progress does.")
                % {"titles": ", ".join(f"“{title}”" for title in titles)},
                "studied",
            )


class StudiedSections(StudiedParts):
    progress_of = "lesson__section"


class StudiedLessons(StudiedParts):
    progress_of = "lesson"


class SectionInline(PartInline):
    model = Section
    formset = StudiedSections
    fields = ["title", "n_lessons", "position"]
    readonly_fields = ["n_lessons"]
    ordering_field = "position"
    hide_ordering_field = True
    show_change_link = True

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).prefetch_related("lessons")

    @display(description=gettext_lazy("lessons"))
    def n_lessons(self, section: Section) -> int:
        return len(section.lessons.all()) if section.pk else 0


class CourseResource(resources.ModelResource):
    """One line per course of what the list shows."""

    price = Field("list_price", column_name="list_price")
    category = Field("category__slug", column_name="category")
    rating_mean = Field("rating_mean", column_name="rating_mean")
    n_ratings = Field("n_ratings", column_name="n_ratings")
    n_learners = Field("n_learners", column_name="n_learners")

    class Meta:
        model = Course
        fields = [
            "id", "slug", "title", "kind", "category", "level", "language", "price", "currency",
            "status", "published_at", "rating_mean", "n_ratings", "n_learners",
        ]  # fmt: skip
        export_order = fields


@admin.register(Course)
class CourseAdmin(ExportedModelAdmin, RecordedModelAdmin, SellerRowsAdmin):
    form = CourseForm
    resource_classes = [CourseResource]
    list_display = [
        "title", "status_label", "kind", "category", "price", "rating", "learners", "published_at",
    ]  # fmt: skip
    list_select_related = ["category", "seller"]
    list_filter = [
        ("status", ChoicesDropdownFilter),
        ("kind", ChoicesDropdownFilter),
        ("level", ChoicesDropdownFilter),
        ("category", RelatedDropdownFilter),
    ]
    search_fields = ["title", "slug", "summary"]
    ordering = ["-created_at", "-pk"]
    autocomplete_fields = ["seller"]
    prepopulated_fields = {"slug": ["title"]}
    fieldsets = [
        (None, {"fields": ["seller", "title", "slug", "summary", "description", "cover"]}),
        (
            gettext_lazy("On sale"),
            {"fields": [("list_price", "currency"), ("status_label", "published_at")]},
        ),
        (
            gettext_lazy("Where it is found"),
            {"fields": [("kind", "level"), ("category", "language"), "tags"]},
        ),
    ]
    readonly_fields = ["status_label", "published_at"]
    inlines = [SectionInline]
    actions = ["publish", "archive"]
    actions_submit_line = ["publish_this", "archive_this"]

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).with_ratings().with_learners()

    @display(description=gettext_lazy("status"), ordering="status", label=STATUS_COLOURS)
    def status_label(self, course: Course) -> Label:
        return Label(course.status, course.get_status_display())

    @display(description=gettext_lazy("list price"), ordering="list_price")
    def price(self, course: Course) -> str:
        return money(course.list_price, course.currency)

    @display(description=gettext_lazy("rating"), ordering="rating_mean")
    def rating(self, course: Course) -> str:
        if not course.n_ratings:
            return _("No ratings yet")
        return f"{course.rating_mean:.1f} ({course.n_ratings})"

    @display(description=gettext_lazy("learners"), ordering="n_learners")
    def learners(self, course: Course) -> int:
        return course.n_learners

    @action(description=gettext_lazy("Publish"), permissions=["change"])
    def publish(self, request: HttpRequest, courses: QuerySet[Course]) -> None:
        n = publish_courses(courses, moment=timezone.now())
        self._tell(
            request,
            ngettext("%(n)d course is on sale now.", "%(n)d courses are on sale now.", n)
            % {"n": n},
        )

    @action(description=gettext_lazy("Archive"), permissions=["change"])
    def archive(self, request: HttpRequest, courses: QuerySet[Course]) -> None:
        n = archive_courses(courses)
        self._tell(
            request,
            ngettext("%(n)d course is off sale now.", "%(n)d courses are off sale now.", n)
            % {"n": n},
        )

    @action(description=gettext_lazy("Save and publish"))
    def publish_this(self, request: HttpRequest, course: Course) -> None:
        if publish_courses([course], moment=timezone.now()):
            self._tell(request, _("“%(title)s” is on sale now.") % {"title": course.title})

    @action(description=gettext_lazy("Save and archive"))
    def archive_this(self, request: HttpRequest, course: Course) -> None:
        if archive_courses([course]):
            self._tell(request, _("“%(title)s” is off sale now.") % {"title": course.title})

    def _tell(self, request: HttpRequest, text: str) -> None:
        self.message_user(request, text, messages.SUCCESS)


class LessonInline(PartInline, StackedInline):
    model = Lesson
    form = LessonForm
    formset = StudiedLessons
    fields = [
        ("title", "kind"),
        "body",
        ("video_url", "file"),
        ("duration_seconds", "is_preview"),
        "position",
    ]
    ordering_field = "position"
    hide_ordering_field = True
    collapsible = True

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        # The address of a lesson's file names its course.
        return super().get_queryset(request).select_related("section__course")


@admin.register(Section)
class SectionAdmin(RuledModelAdmin):
    """Reached from its course, where sections are added and put in order."""

    list_display = ["title", "course"]
    list_select_related = ["course"]
    list_filter = [("course", OwnedRowFilter)]
    search_fields = ["title", "course__title"]
    fields = ["course_link", "title"]
    readonly_fields = ["course_link"]
    inlines = [LessonInline]

    @display(description=gettext_lazy("course"))
    def course_link(self, section: Section) -> str:
        return admin_link(section.course)


@admin.register(Category)
class CategoryAdmin(RuledModelAdmin):
    list_display = ["name_zh", "name_en", "slug", "parent", "position"]
    list_select_related = ["parent"]
    search_fields = ["slug", "name_zh", "name_en"]
    autocomplete_fields = ["parent"]


@admin.register(Review)
class ReviewAdmin(RuledModelAdmin):
    """Sellers read what learners say; operators hide what breaks the rules."""

    list_display = ["course", "rating", "text", "learner_name", "is_visible", "created_at"]
    list_select_related = ["course", "user"]
    list_filter = ["is_visible", "rating", ("course", OwnedRowFilter)]
    search_fields = ["text", "course__title"]
    ordering = ["-created_at", "-pk"]
    fields = ["course", "learner_name", "rating", "text", "created_at", "is_visible"]
    readonly_fields = ["course", "learner_name", "rating", "text", "created_at"]
    operator_sees = {"learner_name": "learner_link"}
    actions = ["hide", "show"]

    @display(description=gettext_lazy("learner"))
    def learner_name(self, review: Review) -> str:
        return public_name(review.user)

    @display(description=gettext_lazy("learner"))
    def learner_link(self, review: Review) -> str:
        return admin_link(review.user)

    @action(description=gettext_lazy("Hide"), permissions=["change"])
    def hide(self, request: HttpRequest, reviews: QuerySet[Review]) -> None:
        n = self._set_visible(request, reviews, False)
        self.message_user(
            request,
            ngettext("%(n)d review is hidden now.", "%(n)d reviews are hidden now.", n) % {"n": n},
        )

    @action(description=gettext_lazy("Show again"), permissions=["change"])
    def show(self, request: HttpRequest, reviews: QuerySet[Review]) -> None:
        n = self._set_visible(request, reviews, True)
        self.message_user(
            request,
            ngettext("%(n)d review is shown now.", "%(n)d reviews are shown now.", n) % {"n": n},
        )

    def _set_visible(
        self, request: HttpRequest, reviews: QuerySet[Review], is_visible: bool
    ) -> int:
        """Hide or show those that are not yet, and record of each who did it."""
        changed = list(reviews.filter(is_visible=not is_visible))
        Review.objects.filter(pk__in=[review.pk for review in changed]).update(
            is_visible=is_visible
        )
        for review in changed:
            self.log_change(request, review, [{"changed": {"fields": ["shown"]}}])
        return len(changed)
