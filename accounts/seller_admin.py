"""What every admin class of the platform shares: permissions by rule, rows by owner.

The rules (`<app>/rules.py`) are the only authority: also an operator may do in the admin what
a rule grants, and nothing else. Sellers meet their own rows alone, in lists, searches,
choices, histories, exports and confirmations alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import rules
from django.contrib.admin.options import BaseModelAdmin
from django.contrib.admin.views.main import ChangeList
from django.contrib.auth import get_permission_codename
from django.core.exceptions import PermissionDenied
from django.db.models import Field, Model, QuerySet
from django.db.models.constants import LOOKUP_SEP
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from import_export.admin import ExportMixin
from rules.contrib.admin import ObjectPermissionsModelAdmin
from simple_history.admin import SimpleHistoryAdmin
from tablib import Dataset
from unfold.admin import ModelAdmin, TabularInline
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.contrib.import_export.forms import ExportForm

from accounts.models import User
from accounts.rules import is_operator
from accounts.table_export import EXPORT_FORMATS


def may(request: HttpRequest, action: str, model: type[Model], row: Model | None = None) -> bool:
    """Whether a rule grants the person of the request this action on the row, or on some row."""
    options = model._meta
    permission = f"{options.app_label}.{get_permission_codename(action, options)}"
    return rules.has_perm(permission, request.user, row)


# Foreign keys by which a row without a `seller` of its own belongs to somebody.
_OWNED_PARTS = ("live_session", "section", "course", "promotion", "coupon")


@cache
def path_to_seller(model: type[Model]) -> str | None:
    """The look-up from a row to its seller (`section__course__seller`); None for no owner."""
    fields = model._meta.concrete_fields
    keys = {field.name: field for field in fields if field.many_to_one or field.one_to_one}
    if "seller" in keys:
        return "seller"
    for name in _OWNED_PARTS:
        if name in keys and (rest := path_to_seller(keys[name].related_model)):
            return f"{name}{LOOKUP_SEP}{rest}"
    return None


def managed_rows(rows: QuerySet, person: User) -> QuerySet:
    """The rows that the person manages; all of them where rows have no owner.

    A queryset that knows better says so in its `managed_by`. People have no owner, yet are
    no seller's to choose from.
    """
    if hasattr(rows, "managed_by"):
        return rows.managed_by(person)
    if is_operator(person):
        return rows
    if path := path_to_seller(rows.model):
        return rows.filter(**{path: person})
    return rows.none() if rows.model is User else rows


def admin_link(row: Model | None, text: object = "") -> str:
    """A link to the row's page in the admin, or its text where it has none."""
    if row is None:
        return ""
    options = row._meta
    try:
        address = reverse(f"admin:{options.app_label}_{options.model_name}_change", args=[row.pk])
    except NoReverseMatch:
        return str(text or row)
    return format_html(
        '<a class="text-primary-700 dark:text-primary-400" href="{}">{}</a>', address, text or row
    )


class Label(tuple[str, str]):
    """A code and its name: a coloured label in a list, the name alone on a row's own page."""

    def __new__(cls, code: str, name: object) -> Label:
        return super().__new__(cls, (code, str(name)))

    def __str__(self) -> str:
        return self[1]


class OwnedChoices(BaseModelAdmin):
    """Fields that choose a row of another table offer the rows that the person manages."""

    def formfield_for_foreignkey(
        self, db_field: Field, request: HttpRequest, **options: Any
    ) -> Any:
        options.setdefault("queryset", self._choices(db_field, request))
        return super().formfield_for_foreignkey(db_field, request, **options)

    def formfield_for_manytomany(
        self, db_field: Field, request: HttpRequest, **options: Any
    ) -> Any:
        options.setdefault("queryset", self._choices(db_field, request))
        return super().formfield_for_manytomany(db_field, request, **options)

    def _choices(self, db_field: Field, request: HttpRequest) -> QuerySet:
        return managed_rows(db_field.related_model._default_manager.all(), request.user)


class RuledModelAdmin(OwnedChoices, ObjectPermissionsModelAdmin, ModelAdmin):
    """Pages of one table, whose rows are narrowed to those that the person manages.

    What only operators get is said apart, because a seller would meet other people in it:
    `operator_display`, `_filter` and `_search` come on top, `operator_fields` are left out for
    sellers, and `operator_sees` names what takes the place of a column or field.

    `counters` are columns that sales move while a form is open; saving the form keeps them.
    """

    counters: Sequence[str] = ()
    operator_sees: Mapping[str, str] = {}
    operator_display: Sequence[str] = ()
    operator_filter: Sequence[Any] = ()
    operator_search: Sequence[str] = ()
    operator_fields: Sequence[str] = ()
    list_fullwidth = True
    list_filter_sheet = True
    compressed_fields = True
    warn_unsaved_form = True
    list_per_page = 50

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return managed_rows(super().get_queryset(request), request.user)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return may(request, "view", self.model, obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return may(request, "add", self.model)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return may(request, "change", self.model, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return may(request, "delete", self.model, obj)

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        columns = self._with(request, super().get_list_display(request), self.operator_display)
        return self._as_seen(request, columns)

    def get_list_filter(self, request: HttpRequest) -> list[Any]:
        return self._with(request, super().get_list_filter(request), self.operator_filter)

    def get_search_fields(self, request: HttpRequest) -> list[str]:
        return self._with(request, super().get_search_fields(request), self.operator_search)

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[str]:
        return self._as_seen(request, super().get_readonly_fields(request, obj))

    def get_fieldsets(self, request: HttpRequest, obj: Model | None = None) -> list[Any]:
        return [
            (name, {**options, "fields": self._as_seen(request, options["fields"])})
            for name, options in super().get_fieldsets(request, obj)
        ]

    def save_model(self, request: HttpRequest, obj: Model, form: ModelForm, change: bool) -> None:
        if change and self.counters:
            now = type(obj)._default_manager.select_for_update().get(pk=obj.pk)
            for name in self.counters:
                setattr(obj, name, getattr(now, name))
        super().save_model(request, obj, form, change)

    @staticmethod
    def _with(request: HttpRequest, everybody: Sequence[Any], operators: Sequence[Any]) -> list:
        return [*everybody, *(operators if is_operator(request.user) else ())]

    def _as_seen(self, request: HttpRequest, names: Sequence[Any]) -> list[Any]:
        """The names as the person of the request sees them; a nested sequence is one line."""
        if is_operator(request.user):
            return [
                self._as_seen(request, name)
                if isinstance(name, (list, tuple))
                else self.operator_sees.get(name, name)
                for name in names
            ]
        return [
            self._as_seen(request, name) if isinstance(name, (list, tuple)) else name
            for name in names
            if name not in self.operator_fields
        ]


class OwnedRowFilter(AutocompleteSelectFilter):
    """A filter by a row of another table, among those that the person manages."""

    def choices(self, changelist: ChangeList) -> Iterator[dict[str, Any]]:
        for shown in super().choices(changelist):
            rows = self.field.related_model._default_manager.all()
            # The theme's own form would name the row of any id that stands in the address.
            shown["form"].fields[self.lookup_kwarg].queryset = managed_rows(rows, self.request.user)
            yield shown


class SellerRowsAdmin(RuledModelAdmin):
    """Rows with a `seller` of their own: operators choose one, a seller's rows are theirs."""

    operator_display = ["seller"]
    operator_filter = [("seller", OwnedRowFilter)]
    operator_fields = ["seller"]

    def save_model(self, request: HttpRequest, obj: Model, form: ModelForm, change: bool) -> None:
        if not change and not is_operator(request.user):
            obj.seller = request.user
        super().save_model(request, obj, form, change)


class RecordedModelAdmin(SimpleHistoryAdmin):
    """Shows who changed what. Going back is a new change, made in the form."""

    def revert_disabled(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return True

    def history_form_view(
        self, request: HttpRequest, object_id: str, version_id: str, extra_context: Any = None
    ) -> HttpResponse:
        # The base class hides the button, yet would still take the form.
        if request.method != "GET":
            raise PermissionDenied
        return super().history_form_view(request, object_id, version_id, extra_context)


class ExportedModelAdmin(ExportMixin):
    """CSV and XLSX of what the list shows, for whoever may see the list."""

    export_form_class = ExportForm
    formats = EXPORT_FORMATS

    def has_export_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def get_data_for_export(self, request: HttpRequest, rows: QuerySet, **options: Any) -> Dataset:
        # Numbers and dates stay what they are, so that a spreadsheet can add and sort them.
        return super().get_data_for_export(request, rows, **options | {"force_native_type": True})


class PartInline(OwnedChoices, TabularInline):
    """Rows that are part of a parent: whoever may change the parent may change them."""

    extra = 0
    tab = False
    hide_title = True

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return may(request, "view", self.parent_model, obj)

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self.has_change_permission(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return may(request, "change" if obj else "add", self.parent_model, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self.has_change_permission(request, obj)


class ReadOnlyInline(PartInline):
    """Rows of a parent to be read."""

    can_delete = False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False
