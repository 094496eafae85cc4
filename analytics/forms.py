"""Forms of the pages that analytics owns."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from analytics.corrections import FIELD_ANSWERS, Answer, Change, subject_of_field
from analytics.methods.derived_profile import HOURS, PRICE
from analytics.profile_words import BAND_LABELS, hour_text
from catalog.models import Category


class HoursForm(forms.Form):
    """The hours of the day at which somebody likes to be here."""

    hours = forms.TypedMultipleChoiceField(
        label=_("Your hours, at most three"),
        coerce=int,
        required=False,
        choices=[(hour, hour_text(hour)) for hour in range(24)],
        widget=forms.CheckboxSelectMultiple,
    )


class BandForm(forms.Form):
    """The price band that suits somebody."""

    band = forms.ChoiceField(
        label=_("Prices that suit you"),
        required=False,
        choices=[(band, label) for band, label in BAND_LABELS.items()],
        widget=forms.RadioSelect,
    )


class AddFieldForm(forms.Form):
    """A field of knowledge to add."""

    category = forms.ModelChoiceField(
        Category.objects.all(), label=_("Add a field"), required=False, empty_label=_("Choose")
    )

    def __init__(self, *args: Any, without: Collection[int] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["category"].queryset = Category.objects.exclude(  # type: ignore[attr-defined]
            pk__in=without
        )


class CorrectionForm(HoursForm, BandForm, AddFieldForm):
    """One change of one's own profile, as the buttons of the page send it.

    `say` is an answer, or "more" or "less" of a field; the fields above say what instead.
    """

    subject = forms.CharField(max_length=40, required=False)
    say = forms.ChoiceField(choices=[(say, say) for say in (*Answer, *FIELD_ANSWERS)])

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("say") == Answer.ADD and not cleaned.get("category"):
            raise ValidationError({"category": _("Choose a field.")})
        return cleaned

    def change(self) -> Change:
        """The change that was asked for."""
        given = self.cleaned_data
        subject, say = given["subject"], given["say"]
        if say in FIELD_ANSWERS:
            return Change(subject, Answer.INSTEAD, say)
        if say == Answer.ADD:
            return Change(subject_of_field(given["category"].pk), Answer.ADD)
        value = {HOURS: given.get("hours"), PRICE: given.get("band")}.get(subject)
        return Change(subject, Answer(say), value if say == Answer.INSTEAD else None)

    def first_error(self) -> str:
        """What is wrong, as one sentence."""
        return str(next(iter(self.errors.values()))[0])
