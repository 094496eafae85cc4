"""Amounts in the smallest unit of their currency, as vendors count them."""

from __future__ import annotations

from decimal import Decimal

# As Stripe counts them, https://docs.stripe.com/currencies: ISK and UGX have no cents any more,
# but are still counted in hundredths.
NO_DECIMALS = frozenset(
    [
        "BIF",
        "CLP",
        "DJF",
        "GNF",
        "JPY",
        "KMF",
        "KRW",
        "MGA",
        "PYG",
        "RWF",
        "VND",
        "VUV",
        "XAF",
        "XOF",
        "XPF",
    ]
)
THREE_DECIMALS = frozenset(["BHD", "JOD", "KWD", "OMR", "TND"])


def decimals_of(currency: str) -> int:
    """How many decimal places the currency (ISO 4217) has: 0, 2 or 3."""
    code = currency.upper()
    if code in NO_DECIMALS:
        return 0
    return 3 if code in THREE_DECIMALS else 2


def to_minor_units(amount: Decimal, currency: str) -> int:
    """How many of the smallest unit the amount is. Raises ValueError when it is no whole number."""
    scaled = amount.scaleb(decimals_of(currency))
    if scaled != scaled.to_integral_value():
        raise ValueError(f"{amount} {currency} has a part below the currency's smallest unit")
    return int(scaled)


def from_minor_units(units: int, currency: str) -> Decimal:
    """The amount that so many of the smallest unit are, with at least two decimal places."""
    amount = Decimal(units).scaleb(-decimals_of(currency))
    return amount.quantize(Decimal("0.01")) if decimals_of(currency) < 3 else amount
