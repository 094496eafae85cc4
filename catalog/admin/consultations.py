"""Times of consultations: planned many at once, and who has taken them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Field, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.dates import WEEKDAYS
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.contrib.filters.admin import RangeDateTimeFilter
from unfold.decorators import display
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminDateWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminTimeWidget,
)

from accounts.seller_admin import Label, OwnedRowFilter, RuledModelAdmin, admin_link
from accounts.templatetags.people import public_name
from catalog.models import ConsultationSlot, CourseKind, OrderStatus
from catalog.slots import (
    MOST_AT_ONCE,
    NotMovable,
    Span,
    add_times,
    ensure_movable,
    free_spans,
    plan_times,
    remove_times,
)

TIME_COLOURS = {"free": "success", "taken": "info", "held": "warning", "past": "default"}
LONGEST_PERIOD = timedelta(days=366)


class AddTimesForm(ModelForm):
    """Times of one consultation, one after another, on the chosen days."""

    first_day = forms.DateField(label=gettext_lazy("from day"), widget=UnfoldAdminDateWidget)
    last_day = forms.DateField(label=gettext_lazy("to day"), widget=UnfoldAdminDateWidget)
    weekdays = forms.TypedMultipleChoiceField(
        label=gettext_lazy("on weekdays"),
        required=False,
        coerce=int,
        choices=list(WEEKDAYS.items()),
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text=gettext_lazy("Nothing chosen: every day."),
    )
    begins = forms.TimeField(label=gettext_lazy("from hour"), widget=UnfoldAdminTimeWidget)
    ends = forms.TimeField(label=gettext_lazy("to hour"), widget=UnfoldAdminTimeWidget)
    minutes = forms.IntegerField(
        label=gettext_lazy("length in minutes"),
        min_value=5,
        max_value=1440,
        initial=60,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text=gettext_lazy("As many as fit are added, one after another."),
    )

    class Meta:
        model = ConsultationSlot
        fields = ["course"]

    added: Sequence[ConsultationSlot] = ()

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if self.errors:
            return cleaned
        if cleaned["last_day"] < cleaned["first_day"]:
            self.add_error("last_day", _("The end must be after the start."))
        elif cleaned["last_day"] - cleaned["first_day"] > LONGEST_PERIOD:
            self.add_error("last_day", _("Plan at most a year at once."))
        else:
            self._plan(cleaned)
        return cleaned

    def _plan(self, cleaned: dict[str, Any]) -> None:
        names = ("first_day", "last_day", "weekdays", "begins", "ends", "minutes")
        self.spans = plan_times(**{name: cleaned[name] for name in names})
        if not self.spans:
            self.add_error("ends", _("No time of this length fits in."))
        elif len(self.spans) > MOST_AT_ONCE:
            text = _("These are more than %(n)d times. Plan fewer at once.")
            self.add_error("last_day", text % {"n": MOST_AT_ONCE})
        elif not free_spans(cleaned["course"], self.spans, moment=timezone.now()):
            self.add_error(None, _("These times are past, or others are there already."))


class MoveTimeForm(ModelForm):
    """One time that nobody has taken."""

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        starts_at, ends_at = cleaned.get("starts_at"), cleaned.get("ends_at")
        if not starts_at or not ends_at:
            return cleaned
        if ends_at <= starts_at:
            self.add_error("ends_at", _("The end must be after the start."))
        elif self.has_changed():
            try:
                ensure_movable(self.instance, Span(starts_at, ends_at), moment=timezone.now())
            except NotMovable as error:
                self.add_error(None, str(error))
        return cleaned


@admin.register(ConsultationSlot)
class ConsultationSlotAdmin(RuledModelAdmin):
    """What is taken can be looked at; only free times move and vanish."""

    list_display = ["starts_at", "ends_at", "course", "state", "taker_name"]
    list_select_related = ["course", "purchase__order__buyer"]
    list_filter = [
        ("course", OwnedRowFilter),
        ("purchase", admin.EmptyFieldListFilter),
        ("starts_at", RangeDateTimeFilter),
    ]
    list_filter_submit = True
    operator_filter = [("course__seller", OwnedRowFilter)]
    operator_sees = {"taker_name": "taker_link"}
    search_fields = ["course__title"]
    ordering = ["-starts_at", "-pk"]
    readonly_fields = ["state", "taker_name", "order_link"]

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        # Many rows are added at once: there is no one of them to go on with.
        hidden = {"show_save_and_add_another": False, "show_save_and_continue": False}
        return super().add_view(request, form_url, {**hidden, **(extra_context or {})})

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **options: Any):
        options["form"] = MoveTimeForm if obj else AddTimesForm
        return super().get_form(request, obj, change=change, **options)

    def get_fieldsets(self, request: HttpRequest, obj: ConsultationSlot | None = None) -> list[Any]:
        if obj is None:
            planned = ["course", ("first_day", "last_day"), "weekdays", ("begins", "ends")]
            return [(None, {"fields": [*planned, "minutes"]})]
        taken = self._as_seen(request, [("state", "taker_name"), "order_link"])
        return [(None, {"fields": ["course", ("starts_at", "ends_at"), *taken]})]

    def get_readonly_fields(
        self, request: HttpRequest, obj: ConsultationSlot | None = None
    ) -> list[str]:
        shown = super().get_readonly_fields(request, obj)
        return [*shown, "course"] if obj else shown

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).select_related(*self.list_select_related)

    def _choices(self, db_field: Field, request: HttpRequest) -> QuerySet:
        rows = super()._choices(db_field, request)
        is_course = db_field.name == "course"
        return rows.filter(kind=CourseKind.CONSULTATION) if is_course else rows

    @display(description=gettext_lazy("state"), label=TIME_COLOURS)
    def state(self, slot: ConsultationSlot) -> Label:
        if slot.purchase is None:
            is_past = slot.starts_at <= timezone.now()
            return Label("past", _("past")) if is_past else Label("free", _("not taken"))
        if slot.purchase.order.status == OrderStatus.PENDING:
            return Label("held", _("held until it is paid"))
        return Label("taken", _("taken"))

    @display(description=gettext_lazy("taken by"))
    def taker_name(self, slot: ConsultationSlot) -> str:
        return public_name(slot.purchase.order.buyer) if slot.purchase else ""

    @display(description=gettext_lazy("taken by"))
    def taker_link(self, slot: ConsultationSlot) -> str:
        return admin_link(slot.purchase.order.buyer) if slot.purchase else ""

    @display(description=gettext_lazy("order"))
    def order_link(self, slot: ConsultationSlot) -> str:
        return admin_link(slot.purchase.order) if slot.purchase else ""

    def save_model(
        self, request: HttpRequest, obj: ConsultationSlot, form: ModelForm, change: bool
    ) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        form.added = add_times(obj.course, form.spans, moment=timezone.now())
        if form.added:
            # The page speaks of one row; it is the first.
            obj.__dict__.update(form.added[0].__dict__)
        request.times_added = form.added  # type: ignore[attr-defined]

    def log_addition(self, request: HttpRequest, obj: ConsultationSlot, message: Any) -> Any:
        for slot in request.times_added:  # type: ignore[attr-defined]
            super().log_addition(request, slot, message)

    def response_add(
        self, request: HttpRequest, obj: ConsultationSlot, post_url_continue: str | None = None
    ) -> HttpResponse:
        n = len(request.times_added)  # type: ignore[attr-defined]
        text = ngettext("%(n)d time is added.", "%(n)d times are added.", n) % {"n": n}
        self.message_user(request, text, messages.SUCCESS)
        return self.response_post_save_add(request, obj)

    def delete_model(self, request: HttpRequest, obj: ConsultationSlot) -> None:
        remove_times(ConsultationSlot.objects.filter(pk=obj.pk))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet) -> None:
        remove_times(queryset)
