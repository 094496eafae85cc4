"""The order in chats, in the admin: rules, moderators, mutes and bans, and who did what."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.forms import BaseInlineFormSet, ModelForm
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.admin import StackedInline
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import action, display
from unfold.forms import PaginationInlineFormSet
from unfold.widgets import UnfoldAdminEmailInputWidget

from accounts.models import User, normalised_email
from accounts.seller_admin import (
    Label,
    OwnedRowFilter,
    PartInline,
    RecordedModelAdmin,
    RuledModelAdmin,
    SellerRowsAdmin,
    admin_link,
)
from accounts.templatetags.people import public_name
from streams.models import (
    ChatRules,
    LiveSession,
    ModerationAct,
    Moderator,
    Restriction,
    RestrictionKind,
)
from streams.moderation import (
    RULE_FIELDS,
    NotSuited,
    add_moderator,
    change_rules,
    drop_moderator,
    is_suited,
    lift,
)
from streams.restrictions import imposed

KIND_COLOURS = {RestrictionKind.MUTE: "warning", RestrictionKind.BAN: "danger"}


class RulesFormSet(PaginationInlineFormSet):
    """Lets the rule store what was changed, so that the room and the audit trail know of it."""

    by: User

    def save_new(self, form: ModelForm, commit: bool = True) -> ChatRules:
        return self._change(form)

    def save_existing(self, form: ModelForm, obj: ChatRules, commit: bool = True) -> ChatRules:
        return self._change(form)

    def _change(self, form: ModelForm) -> ChatRules:
        changes = {name: form.cleaned_data[name] for name in form.changed_data}
        return change_rules(
            session=self.instance, by=self.by, moment=timezone.now(), changes=changes
        )


class OfSessionInline(PartInline):
    """Rows of a session that exist only once it does, stored by rules that ask who did it."""

    def has_view_permission(self, request: HttpRequest, obj: LiveSession | None = None) -> bool:
        return _has_session(request) and super().has_view_permission(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: LiveSession | None = None) -> bool:
        return _has_session(request) and super().has_change_permission(request, obj)

    def get_formset(
        self, request: HttpRequest, obj: LiveSession | None = None, **options: Any
    ) -> type[BaseInlineFormSet]:
        options["formset"] = type("Parts", (self.formset,), {"by": request.user})
        return super().get_formset(request, obj, **options)


def _has_session(request: HttpRequest) -> bool:
    # Asked of the address: the rows of an inline are looked for without naming the session.
    return request.resolver_match is not None and "object_id" in request.resolver_match.kwargs


class ChatRulesInline(OfSessionInline):
    model = ChatRules
    verbose_name = gettext_lazy("Rules of the chat")
    formset = RulesFormSet
    template = StackedInline.template
    extra = max_num = 1
    can_delete = False
    fieldsets = [
        (
            None,
            {
                "fields": [
                    ("is_open", "allows_links"),
                    ("burst", "burst_seconds", "pause_seconds"),
                    ("slow_seconds", "longest"),
                    "blocked_words",
                ]
            },
        )
    ]


class ModeratorForm(ModelForm):
    """Somebody is made a moderator by their e-mail address; sellers have no list of people."""

    email = forms.EmailField(
        label=gettext_lazy("E-mail address"), widget=UnfoldAdminEmailInputWidget
    )

    def clean_email(self) -> str:
        email = normalised_email(self.cleaned_data["email"])
        self.person = User.objects.filter(email=email, is_active=True).first()
        if self.person is None:
            raise ValidationError(_("There is no such person."))
        return str(email)


class ModeratorFormSet(PaginationInlineFormSet):
    by: User

    def clean(self) -> None:
        super().clean()
        for form in self.extra_forms:
            person = getattr(form, "person", None)
            if person is None:
                continue
            if not is_suited(person, self.instance, moment=timezone.now()):
                form.add_error("email", str(NotSuited()))

    def save_new(self, form: ModelForm, commit: bool = True) -> Moderator:
        return add_moderator(
            session=self.instance, person=form.person, by=self.by, moment=timezone.now()
        )

    def delete_existing(self, obj: Moderator, commit: bool = True) -> None:
        drop_moderator(moderator=obj, by=self.by, moment=timezone.now())


class ModeratorInline(OfSessionInline):
    model = Moderator
    form = ModeratorForm
    formset = ModeratorFormSet
    fields = ["email", "name", "added_at"]
    readonly_fields = ["name", "added_at"]

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).select_related("user")

    def has_add_permission(self, request: HttpRequest, obj: LiveSession | None = None) -> bool:
        return super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: LiveSession | None = None) -> bool:
        return super().has_change_permission(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: LiveSession | None = None) -> bool:
        # Made or taken away, never turned into somebody else.
        return False

    @display(description=gettext_lazy("E-mail address"))
    def email(self, moderator: Moderator) -> str:
        # Known to whoever typed it; nobody is shown it afterwards.
        return ""

    @display(description=gettext_lazy("display name"))
    def name(self, moderator: Moderator) -> str:
        return public_name(moderator.user) if moderator.pk else ""


@admin.register(ChatRules)
class ChatRulesAdmin(RecordedModelAdmin, RuledModelAdmin):
    """The rules of all chats and how they changed; they are set on the session's own page."""

    list_display = [
        "live_session", "is_open", "burst", "burst_seconds", "pause_seconds", "slow_seconds",
        "longest", "allows_links",
    ]  # fmt: skip
    list_select_related = ["live_session"]
    list_filter = ["is_open", "allows_links"]
    operator_filter = [("live_session__seller", OwnedRowFilter)]
    search_fields = ["live_session__title", "blocked_words"]
    ordering = ["-live_session"]
    fields = ["session_link", *RULE_FIELDS]
    readonly_fields = ["session_link"]

    @display(description=gettext_lazy("live session"))
    def session_link(self, rules: ChatRules) -> str:
        return admin_link(rules.live_session)


@admin.register(Restriction)
class RestrictionAdmin(SellerRowsAdmin):
    """Mutes and bans. They are imposed in the live room, on authors of messages."""

    list_display = [
        "person_name", "kind_label", "extent", "reason", "imposed_at", "until", "lifted_at",
    ]  # fmt: skip
    list_select_related = ["user", "live_session", "seller"]
    list_filter = [
        ("kind", ChoicesDropdownFilter),
        ("live_session", OwnedRowFilter),
        ("lifted_at", admin.EmptyFieldListFilter),
    ]
    operator_sees = {"person_name": "person_link"}
    operator_search = ["user__email"]
    search_fields = ["user__display_name", "reason", "live_session__title"]
    ordering = ["-pk"]
    fields = [
        "seller",
        ("person_name", "kind_label"),
        ("extent", "reason"),
        ("imposed_at", "imposer_name"),
        ("until", "lifted_at"),
    ]
    readonly_fields = ["person_name", "kind_label", "extent", "imposer_name"]
    actions = ["lift_chosen"]

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return imposed(super().get_queryset(request)).select_related("imposed_by")

    @display(description=gettext_lazy("person"))
    def person_name(self, restriction: Restriction) -> str:
        return public_name(restriction.user)

    @display(description=gettext_lazy("person"))
    def person_link(self, restriction: Restriction) -> str:
        return admin_link(restriction.user, public_name(restriction.user))

    @display(description=gettext_lazy("kind"), ordering="kind", label=KIND_COLOURS)
    def kind_label(self, restriction: Restriction) -> Label:
        return Label(restriction.kind, restriction.get_kind_display())

    @display(description=gettext_lazy("where"))
    def extent(self, restriction: Restriction) -> str:
        if restriction.live_session is None:
            return _("all live sessions")
        return admin_link(restriction.live_session)

    @display(description=gettext_lazy("imposed by"))
    def imposer_name(self, restriction: Restriction) -> str:
        return public_name(restriction.imposed_by) if restriction.imposed_by else ""

    @action(description=gettext_lazy("Lift"), permissions=["view"])
    def lift_chosen(self, request: HttpRequest, restrictions: QuerySet[Restriction]) -> None:
        moment = timezone.now()
        n = sum(
            lift(restriction=one, by=request.user, moment=moment)
            for one in restrictions.select_related("user", "live_session")
        )
        text = ngettext(
            "%(n)d mute or ban is lifted now.", "%(n)d mutes and bans are lifted now.", n
        )
        self.message_user(request, text % {"n": n}, messages.SUCCESS)


@admin.register(ModerationAct)
class ModerationActAdmin(RuledModelAdmin):
    """Who did what to keep order, and when: written by the rules, changed by nobody."""

    list_display = ["done_at", "live_session", "kind", "actor_name", "subject_name", "note"]
    list_select_related = ["live_session", "actor", "subject"]
    list_filter = [
        ("kind", ChoicesDropdownFilter),
        ("live_session", OwnedRowFilter),
    ]
    operator_filter = [("live_session__seller", OwnedRowFilter)]
    operator_sees = {"actor_name": "actor_link", "subject_name": "subject_link"}
    operator_search = ["actor__email", "subject__email"]
    search_fields = ["note", "live_session__title", "actor__display_name", "subject__display_name"]
    ordering = ["-pk"]
    fields = [
        "session_link",
        ("kind", "done_at"),
        ("actor_name", "subject_name"),
        "message_link",
        "note",
    ]
    readonly_fields = ["session_link", "actor_name", "subject_name", "message_link"]

    @display(description=gettext_lazy("live session"))
    def session_link(self, act: ModerationAct) -> str:
        return admin_link(act.live_session)

    @display(description=gettext_lazy("message"))
    def message_link(self, act: ModerationAct) -> str:
        return admin_link(act.message)

    @display(description=gettext_lazy("done by"))
    def actor_name(self, act: ModerationAct) -> str:
        return public_name(act.actor) if act.actor else ""

    @display(description=gettext_lazy("done by"))
    def actor_link(self, act: ModerationAct) -> str:
        return admin_link(act.actor, public_name(act.actor)) if act.actor else ""

    @display(description=gettext_lazy("concerns"))
    def subject_name(self, act: ModerationAct) -> str:
        return public_name(act.subject) if act.subject else ""

    @display(description=gettext_lazy("concerns"))
    def subject_link(self, act: ModerationAct) -> str:
        return admin_link(act.subject, public_name(act.subject)) if act.subject else ""
