"""People in the admin: operators only."""

from __future__ import annotations

from typing import Any

from allauth.account.models import EmailAddress
from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django import forms
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken
from unfold.admin import StackedInline
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminSelectWidget

from accounts.models import Consent, Role, StatedAttributes, User, normalised_email
from accounts.seller_admin import ReadOnlyInline, RuledModelAdmin

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
