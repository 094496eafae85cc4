"""People and letters to them in the admin: operators only."""

from __future__ import annotations

from typing import Any

from allauth.account.models import EmailAddress
from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken
from unfold.admin import StackedInline
from unfold.contrib.filters.admin import ChoicesDropdownFilter, DropdownFilter
from unfold.decorators import action, display
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminSelectWidget

from accounts.models import Consent, Letter, Role, StatedAttributes, User, normalised_email
from accounts.outbox import send_again
from accounts.seller_admin import Label, ReadOnlyInline, RuledModelAdmin, admin_link

# Tables of libraries that the platform's rules say nothing about: what is right is decided by
# role, addresses and tokens follow from what a person does.
for model in (
    Group,
    EmailAddress,
    AccessAttempt,
    AccessFailureLog,
    AccessLog,
    BlacklistedToken,
    OutstandingToken,
):
    if admin.site.is_registered(model):
        admin.site.unregister(model)


class _PersonForm(forms.ModelForm):
    """Addresses are kept in lower case; a person who signs in to the admin needs one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "language" in self.fields:
            self.fields["language"] = forms.ChoiceField(
                label=self.fields["language"].label,
                required=False,
                choices=[("", _("As the browser asks")), *settings.LANGUAGES],
                widget=UnfoldAdminSelectWidget,
            )

    def clean_email(self) -> str | None:
        email = normalised_email(self.cleaned_data.get("email"))
        others = User.objects.exclude(pk=self.instance.pk)
        if email and others.filter(email=email).exists():
            raise forms.ValidationError(_("Another person has this address."))
        return email

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        may_enter = cleaned.get("role") in (Role.SELLER, Role.OPERATOR)
        if may_enter and not cleaned.get("email") and "email" not in self.errors:
            self.add_error("email", _("Sellers and operators sign in with an address."))
        return cleaned


class PersonChangeForm(_PersonForm, UserChangeForm):
    """A person; the password has a form of its own."""

    class Meta:
        model = User
        fields = [
            "email",
            "password",
            "display_name",
            "language",
            "role",
            "is_active",
        ]


class PersonCreationForm(_PersonForm, UserCreationForm):
    """A new person with a first password."""

    class Meta:
        model = User
        fields = ["email", "display_name", "role"]


class StatedAttributesInline(ReadOnlyInline, StackedInline):
    """What the person told us. Only the person changes it."""

    model = StatedAttributes
    fields = readonly_fields = ["birth_year", "gender", "occupation", "updated_at"]


class ConsentInline(ReadOnlyInline):
    """Every decision, the newest first: an audit, not a switch."""

    model = Consent
    fields = readonly_fields = ["purpose", "is_granted", "document_version", "decided_at"]
    ordering = ["-decided_at", "-pk"]


@admin.register(User)
class UserAdmin(RuledModelAdmin, DjangoUserAdmin):
    form = PersonChangeForm
    add_form = PersonCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ["__str__", "email", "role", "is_active", "is_personalised", "joined_at"]
    list_filter = [("role", ChoicesDropdownFilter), "is_active", "is_personalised"]
    search_fields = ["email", "display_name"]
    ordering = ["-joined_at", "-pk"]
    filter_horizontal: list[str] = []
    fieldsets = [
        (None, {"fields": [("email", "password"), ("display_name", "language")]}),
        (gettext_lazy("Access"), {"fields": [("role", "is_active"), "is_personalised"]}),
        (gettext_lazy("When"), {"fields": [("joined_at", "last_login")]}),
    ]
    add_fieldsets = [
        (None, {"fields": ["email", "display_name", "role", "password1", "password2"]}),
    ]
    readonly_fields = ["is_personalised", "joined_at", "last_login"]
    inlines = [StatedAttributesInline, ConsentInline]

    def get_inlines(self, request: HttpRequest, obj: User | None) -> list[Any]:
        return super().get_inlines(request, obj) if obj else []

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> list[str]:
        shown = super().get_readonly_fields(request, obj)
        # The last operator who takes their own role away locks everybody out.
        return [*shown, "role", "is_active"] if obj == request.user else shown


LETTER_STATES = {
    "waiting": gettext_lazy("waiting"),
    "failed": gettext_lazy("failed"),
    "sent": gettext_lazy("sent"),
    "not_needed": gettext_lazy("not needed any more"),
}
LETTER_COLOURS = {
    "waiting": "info",
    "failed": "danger",
    "sent": "success",
    "not_needed": "warning",
}


class LetterStateFilter(DropdownFilter):
    """What became of a letter."""

    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(LETTER_STATES.items())

    def queryset(self, request: HttpRequest, letters: QuerySet[Letter]) -> QuerySet[Letter]:
        chosen = {
            "waiting": letters.waiting,
            "failed": letters.failed,
            "sent": letters.sent,
            "not_needed": letters.not_needed,
        }.get(self.value())
        return chosen() if chosen else letters


@admin.register(Letter)
class LetterAdmin(RuledModelAdmin):
    """The outbox: what waits, what failed and why. It is read, and tried again."""

    list_display = [
        "kind", "recipient_link", "state_label", "n_attempts", "last_error", "created_at",
        "not_before", "sent_at",
    ]  # fmt: skip
    list_select_related = ["recipient"]
    list_filter = [LetterStateFilter]
    search_fields = ["key", "recipient__email"]
    ordering = ["-created_at", "-pk"]
    show_full_result_count = False
    fields = [
        ("kind", "subject_id", "key"), ("recipient_link", "state_label"), "last_error",
        ("n_attempts", "not_before"), ("created_at", "sent_at", "dropped_at"),
    ]  # fmt: skip
    readonly_fields = ["kind", "subject_id", "key", "recipient_link", "state_label"]
    actions = ["try_again"]

    def has_change_permission(self, request: HttpRequest, obj: Letter | None = None) -> bool:
        # Changing a letter is trying it again: there is nothing to type.
        return obj is None and super().has_change_permission(request)

    @display(description=gettext_lazy("recipient"))
    def recipient_link(self, letter: Letter) -> str:
        return admin_link(letter.recipient)

    @display(description=gettext_lazy("state"), label=LETTER_COLOURS)
    def state_label(self, letter: Letter) -> Label:
        return Label(letter.state, LETTER_STATES[letter.state])

    @action(description=gettext_lazy("Send again"), permissions=["change"])
    def try_again(self, request: HttpRequest, letters: QuerySet[Letter]) -> None:
        chosen = list(letters.values_list("pk", flat=True))
        n = send_again(chosen, moment=timezone.now())
        text = ngettext(
            "%(n)d letter goes out with the next round.",
            "%(n)d letters go out with the next round.",
            n,
        )
        self.message_user(request, text % {"n": n}, messages.SUCCESS)
        if left := len(chosen) - n:
            text = ngettext(
                "%(n)d letter was sent already, or is being sent.",
                "%(n)d letters were sent already, or are being sent.",
                left,
            )
            self.message_user(request, text % {"n": left}, messages.WARNING)
