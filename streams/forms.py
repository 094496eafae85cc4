"""What forms on the pages of buying send."""

from __future__ import annotations

from typing import Any

from django import forms

from catalog.order_serializers import LARGEST_ID
from streams.cart import LONGEST_CODE, CartLine


def _id(**options: Any) -> forms.IntegerField:
    return forms.IntegerField(min_value=1, max_value=LARGEST_ID, **options)


class AddToCartForm(forms.Form):
    """One course; `then` is buy, which goes on to the cart, or stay."""

    course = _id()
    live_session = _id(required=False)
    slot = _id(required=False)
    then = forms.ChoiceField(choices=[("buy", "buy"), ("stay", "stay")])

    def line(self) -> CartLine:
        given = self.cleaned_data
        return CartLine(given["course"], given["live_session"], given["slot"])


class CouponForm(forms.Form):
    coupon = forms.CharField(required=False, max_length=LONGEST_CODE)


class CheckoutForm(forms.Form):
    """What the cart page carried: the total that it showed, and the key made for this order."""

    expected_total = forms.DecimalField(min_value=0, max_digits=10, decimal_places=2)
    key = forms.UUIDField()
