"""What the desk's forms of polls and lucky draws send."""

from __future__ import annotations

from datetime import timedelta

from django import forms
from django.utils.translation import gettext_lazy

from streams.draws import LONGEST, LONGEST_PRIZE, MOST_WINNERS
from streams.models import Poll, PollOption

_LONGEST_QUESTION = Poll._meta.get_field("question").max_length
_LONGEST_OPTION = PollOption._meta.get_field("text").max_length or 0
_MINUTES = int(LONGEST / timedelta(minutes=1))


class PollForm(forms.Form):
    """A question, and its answers one a line; how many is for the rule to say."""

    question = forms.CharField(label=gettext_lazy("Question"), max_length=_LONGEST_QUESTION)
    options = forms.CharField(
        label=gettext_lazy("Answers, one a line (2 to 6)"),
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 4}),
    )

    def clean_options(self) -> list[str]:
        lines = self.cleaned_data["options"].splitlines()
        if any(len(line.strip()) > _LONGEST_OPTION for line in lines):
            raise forms.ValidationError(
                gettext_lazy("An answer may have %(n)d characters."),
                params={"n": _LONGEST_OPTION},
            )
        return lines


class DrawForm(forms.Form):
    """What is won, by how many, and for how long one may enter."""

    prize = forms.CharField(label=gettext_lazy("Prize"), max_length=LONGEST_PRIZE)
    n_winners = forms.IntegerField(
        label=gettext_lazy("Winners"), min_value=1, max_value=MOST_WINNERS, initial=1
    )
    minutes = forms.IntegerField(
        label=gettext_lazy("Open for minutes"), min_value=1, max_value=_MINUTES, initial=3
    )

    def length(self) -> timedelta:
        return timedelta(minutes=self.cleaned_data["minutes"])
