"""What forms on the control desk of a live session send; the rules decide on it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from catalog.models import Coupon, DiscountKind, Promotion
from catalog.order_serializers import LARGEST_ID
from streams.desk_offers import LONGEST_MINUTES

# The largest number that fits the columns of seats and uses on every database.
MOST_SEATS = 2_147_483_647
MINUTES = (3, 5, 10, 15, 30, 60)


def _id() -> forms.IntegerField:
    return forms.IntegerField(min_value=1, max_value=LARGEST_ID)


def _minutes(**options: Any) -> forms.IntegerField:
    return forms.IntegerField(label=_("Minutes"), min_value=1, max_value=LONGEST_MINUTES, **options)


class CourseForm(forms.Form):
    """One course of the showcase, or to be in it."""

    course = _id()


class OrderForm(forms.Form):
    """The courses in their new order, and a step of one of them: its id, with a minus upwards."""

    step = forms.IntegerField(required=False, min_value=-LARGEST_ID, max_value=LARGEST_ID)

    def courses(self) -> list[int]:
        """The order as it was sent, with the step taken. What is no id is passed over."""
        sent = self.data.getlist("order")  # type: ignore[attr-defined]
        order = [int(key) for key in sent if key.isascii() and key.isdigit() and len(key) < 19]
        step = self.cleaned_data.get("step")
        if step is not None and abs(step) in order:
            place = order.index(abs(step))
            other = place + (1 if step > 0 else -1)
            if 0 <= other < len(order):
                order[place], order[other] = order[other], order[place]
        return order


class PromotionForm(forms.Form):
    """A lower price of a course of the showcase, for some minutes and seats."""

    course = _id()
    price = Promotion._meta.get_field("price").formfield(label=_("Price"), min_value=0)
    minutes = _minutes(initial=10)
    seats = forms.IntegerField(label=_("Seats"), required=False, min_value=1, max_value=MOST_SEATS)


class HandOutForm(forms.Form):
    """A coupon that there is; without minutes, until its own end."""

    coupon = _id()
    minutes = _minutes(required=False)


class NewCouponForm(forms.Form):
    """A coupon made on the spot: so many percent, or so much, off everything of the seller."""

    kind = forms.ChoiceField(choices=DiscountKind.choices)
    value = Coupon._meta.get_field("amount").formfield(required=True, min_value=0)
    minutes = _minutes(initial=10)
    max_uses = forms.IntegerField(
        label=_("Uses in all"), required=False, min_value=1, max_value=MOST_SEATS
    )
    code = Coupon._meta.get_field("code").formfield(required=False)

    def clean_value(self) -> Any:
        value = self.cleaned_data["value"]
        if self.data.get("kind") == DiscountKind.PERCENT and value != int(value):
            raise forms.ValidationError(_("Give whole percents."))
        return value

    def reduction(self) -> dict[str, Any]:
        """The value as the two columns of a coupon have it."""
        kind, value = self.cleaned_data["kind"], self.cleaned_data["value"]
        is_percent = kind == DiscountKind.PERCENT
        return {
            "kind": kind,
            "percent": int(value) if is_percent else None,
            "amount": None if is_percent else value,
        }


def first_fault(form: forms.Form) -> str:
    """One sentence of what is wrong with a form, with the field that it is about."""
    name, errors = next(iter(form.errors.items()))
    label = form.fields[name].label or ""
    told = {"field": label, "fault": errors[0]}
    return gettext("%(field)s: %(fault)s") % told if label else str(errors[0])
