"""The arithmetic of coupons, in whole cents: no rounding is lost and no line goes below zero."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal

CENT = Decimal("0.01")


def percentage_of(amount: Decimal, percent: int) -> Decimal:
    """So many percent of an amount, to the cent, half a cent upwards."""
    return (amount * percent / 100).quantize(CENT, ROUND_HALF_UP)


def share_out(discount: Decimal, amounts: Sequence[Decimal]) -> list[Decimal]:
    """Divide a discount over amounts in proportion to them, by largest remainder.

    The shares come to the discount to the cent, and none is more than its amount. Of equal
    remainders the earlier amount gets the cent. Raises ValueError for a discount below zero or
    above the sum of the amounts.
    """
    cents = _cents(discount)
    weights = [_cents(amount) for amount in amounts]
    whole = sum(weights)
    if not 0 <= cents <= whole:
        raise ValueError(f"a discount of {discount} cannot come off {sum(amounts)}")
    if whole == 0:
        return [Decimal("0.00")] * len(weights)
    shares = [cents * weight // whole for weight in weights]
    by_remainder = sorted(
        range(len(weights)), key=lambda place: (-(cents * weights[place] % whole), place)
    )
    for place in by_remainder[: cents - sum(shares)]:
        shares[place] += 1
    return [Decimal(share) * CENT for share in shares]


def _cents(amount: Decimal) -> int:
    return int((amount / CENT).to_integral_exact())
