"""Forms of a person's own account."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import EARLIEST_BIRTH_YEAR, Gender, Occupation, StatedAttributes, User


class NameForm(forms.ModelForm):
    """How a person is called, and the language in which they are spoken to."""

    language = forms.ChoiceField(
        label=_("Language"), choices=settings.LANGUAGES, widget=forms.RadioSelect
    )

    class Meta:
        model = User
        fields = ["display_name", "language"]
        help_texts = {"display_name": _("Shown beside your reviews.")}


class StatedAttributesForm(forms.ModelForm):
    """What a person may tell about themselves; everything may stay empty."""

    class Meta:
        model = StatedAttributes
        fields = ["birth_year", "gender", "occupation"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, known in (("gender", Gender), ("occupation", Occupation)):
            cast(forms.ChoiceField, self.fields[name]).choices = [
                ("", _("Not stated")),
                *known.choices,
            ]

    def clean_birth_year(self) -> int | None:
        year = self.cleaned_data["birth_year"]
        this_year = (timezone.now() + timedelta(days=1)).year
        if year is not None and year > this_year:
            raise ValidationError(
                _("The year of birth must be from %(first)d to %(last)d.")
                % {"first": EARLIEST_BIRTH_YEAR, "last": this_year}
            )
        return year
