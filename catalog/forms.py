"""Forms of the catalogue's pages."""

from __future__ import annotations

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from catalog.models import Category, CourseKind, Level
from catalog.order_serializers import LARGEST_ID
from catalog.search import CourseSearch, Sort


class CourseSearchForm(forms.Form):
    """The filters of the list of courses, read from the address."""

    q = forms.CharField(
        label=_("Search"),
        required=False,
        max_length=100,
        widget=forms.TextInput(attrs={"type": "search", "autocomplete": "off"}),
    )
    category = forms.ModelChoiceField(
        Category.objects.all(),
        label=_("Field"),
        to_field_name="slug",
        required=False,
        empty_label=_("All fields"),
    )
    kind = forms.ChoiceField(
        label=_("Kind"),
        required=False,
        choices=[("", _("Any")), *CourseKind.choices],
        widget=forms.RadioSelect,
    )
    level = forms.TypedChoiceField(
        label=_("Level"),
        required=False,
        coerce=int,
        empty_value=None,
        choices=[("", _("Any")), *Level.choices],
        widget=forms.RadioSelect,
    )
    language = forms.ChoiceField(
        label=_("Taught in"),
        required=False,
        choices=[("", _("Any")), ("zh", "中文"), ("en", "English")],
        widget=forms.RadioSelect,
    )
    price_min = forms.DecimalField(
        label=_("Lowest price"), required=False, min_value=0, max_digits=10, decimal_places=2
    )
    price_max = forms.DecimalField(
        label=_("Highest price"), required=False, min_value=0, max_digits=10, decimal_places=2
    )
    sort = forms.ChoiceField(label=_("Sort by"), required=False, choices=Sort.choices)

    def clean(self) -> dict:
        cleaned = super().clean() or self.cleaned_data
        low, high = cleaned.get("price_min"), cleaned.get("price_max")
        if low is not None and high is not None and low > high:
            raise ValidationError(
                {"price_max": _("The highest price must not be below the lowest price.")}
            )
        return cleaned

    def search(self) -> CourseSearch:
        """What was asked for; a filter that is not valid does not narrow the result."""
        self.is_valid()
        given = {
            name: value
            for name, value in self.cleaned_data.items()
            if name not in ("q", "sort") and value not in (None, "")
        }
        return CourseSearch(
            text=self.cleaned_data.get("q", ""),
            sort=Sort(self.cleaned_data.get("sort") or Sort.NEWEST),
            **given,
        )


class InterestsForm(forms.Form):
    """The fields that a person cares about."""

    categories = forms.ModelMultipleChoiceField(
        Category.objects.all(),
        label=_("Fields you care about"),
        to_field_name="slug",
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )


class SlotForm(forms.Form):
    """The id of a time of a consultation."""

    slot = forms.IntegerField(min_value=1, max_value=LARGEST_ID)
