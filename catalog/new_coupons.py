"""Making a coupon on the spot, and what every coupon must say of its reduction."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction
from django.utils.crypto import get_random_string
from django.utils.translation import gettext as _

from accounts.models import User
from catalog.models import Coupon, DiscountKind

# Without 0, O, 1, I and L, which are mistaken for each other when read aloud.
_CODE_LETTERS = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
_CODE_LENGTH = 8


class CodeTaken(Exception):
    """There is a coupon with this code."""

    def __init__(self, code: str) -> None:
        super().__init__(_("The code “%(code)s” is taken.") % {"code": code})


class WrongReduction(Exception):
    """The coupon takes off nothing, or two things; `faults` are sentences by field."""

    def __init__(self, faults: dict[str, str]) -> None:
        super().__init__(" ".join(faults.values()))
        self.faults = faults


def discount_faults(
    kind: str | None, *, percent: int | None, amount: Decimal | None
) -> dict[str, str]:
    """What is wrong with a reduction, by field: it is a percentage or an amount, never both."""
    values = {DiscountKind.PERCENT: percent, DiscountKind.AMOUNT: amount}
    if kind not in values:
        return {}
    faults = {}
    for one, value in values.items():
        if one == kind and (value is None or value <= 0):
            faults[one.value] = _("This kind of coupon needs a value above zero here.")
        elif one != kind and value is not None:
            faults[one.value] = _("Leave this empty for this kind of coupon.")
    return faults


@transaction.atomic
def make_coupon(
    seller: User,
    *,
    kind: str,
    percent: int | None,
    amount: Decimal | None,
    currency: str,
    max_uses: int | None,
    code: str = "",
    by: User,
    moment: datetime,
    lasts: timedelta,
) -> Coupon:
    """A coupon for everything of the seller, once per person, from now on.

    Without a code it gets a random one. Its history says by whom it was made. Raises
    WrongReduction and CodeTaken, and ValidationError for what no coupon can hold.
    """
    if faults := discount_faults(kind, percent=percent, amount=amount):
        raise WrongReduction(faults)
    code = code.strip() or get_random_string(_CODE_LENGTH, _CODE_LETTERS)
    if Coupon.objects.filter(code__iexact=code).exists():
        raise CodeTaken(code)
    coupon = Coupon(
        seller=seller,
        code=code,
        kind=kind,
        percent=percent,
        amount=amount,
        currency=currency,
        max_uses=max_uses,
        starts_at=moment,
        ends_at=moment + lasts,
    )
    coupon.full_clean(exclude=["seller"], validate_constraints=False)
    coupon._history_user = by  # type: ignore[attr-defined]
    coupon.save()
    return coupon


@transaction.atomic
def bring_end_forward(coupon: Coupon, *, to: datetime, by: User) -> bool:
    """Let the coupon end earlier, for everybody; False when it ends by then anyway."""
    row = Coupon.objects.select_for_update().get(pk=coupon.pk)
    if row.ends_at <= to:
        return False
    row.ends_at = to
    row._history_user = by  # type: ignore[attr-defined]
    row.save(update_fields=["ends_at"])
    return True
