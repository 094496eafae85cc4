"""Live sessions in the admin, and who wants to be reminded of them."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Count, Field, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.forms import ModelForm
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import action, display
from unfold.forms import PaginationInlineFormSet

from accounts.rules import is_operator
from accounts.seller_admin import (
    Label,
    OwnedRowFilter,
    PartInline,
    RuledModelAdmin,
    SellerRowsAdmin,
    path_to_seller,
)
from accounts.templatetags.people import public_name
from streams.admin.moderation import ChatRulesInline, ModeratorInline
from streams.admin.video import video_facts
from streams.models import (
    LiveSession,
    OrderAttribution,
    Reminder,
    SessionCoupon,
    SessionPromotion,
    SessionStatus,
    ShowcaseItem,
)
from streams.room_changes import touch_room
from streams.session_life import (
    PLANNED,
    ChangeNotAllowed,
    announce_sessions,
    take_back_sessions,
)

STATUS_COLOURS = {
    SessionStatus.DRAFT: "warning",
    SessionStatus.SCHEDULED: "info",
    SessionStatus.LIVE: "danger",
    SessionStatus.ENDED: "default",
    SessionStatus.REPLAY: "success",
}


def edited_session(request: HttpRequest) -> LiveSession | None:
    """The session whose page this is; None on the page that adds one."""
    key = request.resolver_match.kwargs.get("object_id") if request.resolver_match else None
    if not key or not str(key).isdigit():
        return None
    return LiveSession.objects.managed_by(request.user).filter(pk=key).first()


class LiveSessionForm(ModelForm):
    """The plan of a session."""

    def clean_scheduled_at(self) -> Any:
        begins = self.cleaned_data["scheduled_at"]
        if begins is None and self.instance.status == SessionStatus.SCHEDULED:
            raise forms.ValidationError(_("A scheduled session needs a beginning."))
        if begins and "scheduled_at" in self.changed_data and begins <= timezone.now():
            raise forms.ValidationError(_("The beginning must lie ahead."))
        return begins


class OfPartsOfSeller(PaginationInlineFormSet):
    """Parts of a session: courses, promotions and coupons of its own seller, each once."""

    def clean(self) -> None:
        super().clean()
        seller_id = self.instance.seller_id
        for form in self.forms:
            chosen = form.cleaned_data.get(self.chosen) if hasattr(form, "cleaned_data") else None
            if chosen is None or seller_id is None:
                continue
            owner = getattr(chosen, "seller_id", None) or chosen.course.seller_id
            if owner != seller_id:
                form.add_error(self.chosen, _("It must be of the seller of this session."))


class SessionPartInline(PartInline):
    """Rows that a session shows or hands out, chosen among what its seller has."""

    chosen = ""

    def get_formset(self, request: HttpRequest, obj: LiveSession | None = None, **options: Any):
        named = {"chosen": self.chosen}
        options["formset"] = type("Parts", (OfPartsOfSeller,), named)
        return super().get_formset(request, obj, **options)

    def _choices(self, db_field: Field, request: HttpRequest) -> QuerySet:
        rows = super()._choices(db_field, request)
        session = edited_session(request)
        path = path_to_seller(rows.model)
        return rows.filter(**{path: session.seller_id}) if session and path else rows


class ShowcaseInline(SessionPartInline):
    model = ShowcaseItem
    chosen = "course"
    fields = ["course", "position"]
    ordering_field = "position"
    hide_ordering_field = True


class SessionPromotionInline(SessionPartInline):
    model = SessionPromotion
    chosen = "promotion"
    fields = ["promotion"]

    def _choices(self, db_field: Field, request: HttpRequest) -> QuerySet:
        rows = super()._choices(db_field, request)
        if db_field.name == "promotion":
            # One for everybody holds in the session anyway.
            rows = rows.filter(is_public=False).select_related("course")
        return rows


class SessionCouponInline(SessionPartInline):
    model = SessionCoupon
    chosen = "coupon"
    fields = ["coupon"]


@admin.register(LiveSession)
class LiveSessionAdmin(SellerRowsAdmin):
    """The plan is made here; the live room alone begins and ends a session."""

    form = LiveSessionForm
    list_display = [
        "title", "status_label", "scheduled_at", "planned_minutes", "n_shown", "n_reminded",
    ]  # fmt: skip
    list_select_related = ["seller"]
    list_filter = [("status", ChoicesDropdownFilter)]
    search_fields = ["title", "summary"]
    ordering = ["-scheduled_at", "-pk"]
    autocomplete_fields = ["seller"]
    fieldsets = [
        (None, {"fields": ["seller", "title", "summary"]}),
        (
            gettext_lazy("When"),
            {
                "fields": [
                    "scheduled_at",
                    ("planned_minutes", "n_reminded"),
                    "status_label",
                    ("started_at", "ended_at"),
                    "n_ordered",
                    "desk_link",
                    "video",
                    "changes_made",
                ]
            },
        ),
        (gettext_lazy("Showcase"), {"fields": ["pinned"]}),
    ]
    readonly_fields = [
        "status_label", "n_reminded", "n_ordered", "started_at", "ended_at", "desk_link",
        "video", "changes_made",
    ]  # fmt: skip
    counters = ["status", "started_at", "ended_at"]
    inlines = [
        ShowcaseInline,
        SessionPromotionInline,
        SessionCouponInline,
        ChatRulesInline,
        ModeratorInline,
    ]
    actions = ["announce", "take_back"]
    actions_submit_line = ["announce_this", "take_this_back"]

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return (
            super()
            .get_queryset(request)
            .annotate(
                showcase_size=_number_of(ShowcaseItem),
                reminder_count=_number_of(Reminder),
                order_count=_number_of(OrderAttribution),
            )
        )

    def get_fieldsets(self, request: HttpRequest, obj: LiveSession | None = None) -> list[Any]:
        shown = super().get_fieldsets(request, obj)
        if obj is not None:
            return shown
        when = (shown[1][0], {"fields": ["scheduled_at", "planned_minutes"]})
        return [shown[0], when]

    def get_readonly_fields(
        self, request: HttpRequest, obj: LiveSession | None = None
    ) -> list[str]:
        shown = list(super().get_readonly_fields(request, obj))
        if obj is None:
            return shown
        if is_operator(request.user):
            shown.append("seller")
        if obj.status not in PLANNED:
            shown += ["scheduled_at", "planned_minutes"]
        return shown

    def formfield_for_foreignkey(
        self, db_field: Field, request: HttpRequest, **options: Any
    ) -> Any:
        if db_field.name == "pinned":
            options["queryset"] = ShowcaseItem.objects.filter(
                live_session=edited_session(request)
            ).select_related("course")
        return super().formfield_for_foreignkey(db_field, request, **options)

    def formfield_for_dbfield(self, db_field: Field, request: HttpRequest, **options: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **options)
        if field is not None and db_field.name == "pinned":
            # The showcase has no page of its own to add to, change or look at.
            for name in ("add", "change", "delete", "view"):
                setattr(field.widget, f"can_{name}_related", False)
        return field

    def save_model(
        self, request: HttpRequest, obj: LiveSession, form: ModelForm, change: bool
    ) -> None:
        if change and "pinned" not in form.changed_data:
            # The live room pins while the form is open.
            obj.pinned_id = LiveSession.objects.values_list("pinned", flat=True).get(pk=obj.pk)
        if change:
            # Before the session itself is locked, as in streams/session_life.py.
            touch_room(obj.pk)
        super().save_model(request, obj, form, change)

    def save_related(
        self, request: HttpRequest, form: ModelForm, formsets: Any, change: bool
    ) -> None:
        super().save_related(request, form, formsets, change)
        # The theme calls the action of a button before the showcase of the form is stored.
        if then := getattr(request, "then", None):
            then(request, LiveSession.objects.filter(pk=form.instance.pk))

    @display(description=gettext_lazy("status"), ordering="status", label=STATUS_COLOURS)
    def status_label(self, session: LiveSession) -> Label:
        return Label(session.status, session.get_status_display())

    @display(description=gettext_lazy("courses"), ordering="showcase_size")
    def n_shown(self, session: LiveSession) -> int:
        return session.showcase_size

    @display(description=gettext_lazy("want a reminder"), ordering="reminder_count")
    def n_reminded(self, session: LiveSession) -> int:
        return session.reminder_count

    @display(description=gettext_lazy("orders from here"))
    def n_ordered(self, session: LiveSession) -> str:
        address = reverse("admin:streams_orderattribution_changelist")
        return format_html(
            '<a class="text-primary-700 dark:text-primary-400" href="{}?{}={}">{}</a>',
            address,
            "live_session__id__exact",
            session.pk,
            session.order_count,
        )

    @display(description=gettext_lazy("control desk"))
    def desk_link(self, session: LiveSession) -> str:
        return format_html(
            '<a class="text-primary-700 dark:text-primary-400" href="{}">{}</a>',
            reverse("streams:desk", args=[session.pk]),
            _("Open the control desk"),
        )

    @display(description=gettext_lazy("video"))
    def video(self, session: LiveSession) -> str:
        return video_facts(session)

    @display(description=gettext_lazy("changes so far"))
    def changes_made(self, session: LiveSession) -> str:
        """When, from what to what, by which cause and whom; the oldest first."""
        changes = session.changes.select_related("changed_by")
        lines = [
            (
                date_format(timezone.localtime(change.changed_at), "SHORT_DATETIME_FORMAT"),
                change.get_before_display(),
                change.get_after_display(),
                change.get_cause_display(),
                f" · {public_name(change.changed_by)}" if change.changed_by else "",
            )
            for change in changes
        ]
        return format_html_join(mark_safe("<br>"), "{} · {} → {} · {}{}", lines)

    @action(description=gettext_lazy("Announce"), permissions=["change"])
    def announce(self, request: HttpRequest, sessions: QuerySet[LiveSession]) -> None:
        try:
            n = announce_sessions(sessions, by=request.user, moment=timezone.now())
        except ChangeNotAllowed as error:
            self.message_user(request, str(error), messages.ERROR)
            return
        text = ngettext("%(n)d session is announced now.", "%(n)d sessions are announced now.", n)
        self.message_user(request, text % {"n": n}, messages.SUCCESS)

    @action(description=gettext_lazy("Take back into drafts"), permissions=["change"])
    def take_back(self, request: HttpRequest, sessions: QuerySet[LiveSession]) -> None:
        try:
            n = take_back_sessions(sessions, by=request.user, moment=timezone.now())
        except ChangeNotAllowed as error:
            self.message_user(request, str(error), messages.ERROR)
            return
        text = ngettext("%(n)d session is a draft again.", "%(n)d sessions are drafts again.", n)
        self.message_user(request, text % {"n": n}, messages.SUCCESS)

    @action(description=gettext_lazy("Save and announce"), permissions=["is_draft"])
    def announce_this(self, request: HttpRequest, session: LiveSession) -> None:
        request.then = self.announce  # type: ignore[attr-defined]

    @action(description=gettext_lazy("Save and take back"), permissions=["is_scheduled"])
    def take_this_back(self, request: HttpRequest, session: LiveSession) -> None:
        request.then = self.take_back  # type: ignore[attr-defined]

    def has_is_draft_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return self._is_in(request, SessionStatus.DRAFT)

    def has_is_scheduled_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return self._is_in(request, SessionStatus.SCHEDULED)

    def _is_in(self, request: HttpRequest, status: SessionStatus) -> bool:
        session = edited_session(request)
        return session is not None and session.status == status


def _number_of(model: type[ShowcaseItem | Reminder | OrderAttribution]) -> Coalesce:
    rows = model.objects.filter(live_session=OuterRef("pk")).order_by().values("live_session")
    return Coalesce(Subquery(rows.annotate(v=Count("pk")).values("v")), 0)


@admin.register(Reminder)
class ReminderAdmin(RuledModelAdmin):
    """For operators; sellers see at their sessions how many want to be reminded."""

    list_display = ["live_session", "user", "created_at", "sent_at"]
    list_select_related = ["live_session", "user"]
    list_filter = [
        ("live_session", OwnedRowFilter),
        ("sent_at", admin.EmptyFieldListFilter),
    ]
    search_fields = ["live_session__title", "user__email", "user__display_name"]
    ordering = ["-pk"]
    fields = ["live_session", "user", "created_at", "sent_at"]
