"""Coupons: what one takes off, whose it is, and how its uses and its budget are counted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils.translation import gettext as _

from accounts.models import User
from catalog.discounts import percentage_of
from catalog.models import Coupon, CouponClaim, Course, DiscountKind, Order, OrderStatus
from catalog.models.money import to_the_cent

# Orders that have used their coupon, or hold a use of it. A refund does not give a use back.
USING = (OrderStatus.PENDING, OrderStatus.PAID, OrderStatus.REFUNDED)


class CouponRefused(Exception):
    """The coupon cannot lower this price; the base of the reasons."""


class UnknownCoupon(CouponRefused):
    def __init__(self, code: str) -> None:
        super().__init__(_("There is no coupon “%(code)s”.") % {"code": code})


class CouponNotRunning(CouponRefused):
    def __init__(self) -> None:
        super().__init__(_("This coupon is not valid now."))


class CouponCoversNothing(CouponRefused):
    def __init__(self) -> None:
        super().__init__(_("This coupon is for other courses."))


class BelowMinimumSpend(CouponRefused):
    def __init__(self, minimum: Decimal, currency: str) -> None:
        super().__init__(
            _("This coupon needs at least %(amount)s %(currency)s of the courses it covers.")
            % {"amount": minimum, "currency": currency}
        )


class CouponSpent(Exception):
    """No use of the coupon is left, in all or for this person."""

    def __init__(self, *, is_own_limit: bool = False) -> None:
        super().__init__(
            _("You have used this coupon already.")
            if is_own_limit
            else _("This coupon has been used up.")
        )


def find_coupon(code: str) -> Coupon:
    """The coupon with this code, in whatever case it was typed. Raises UnknownCoupon."""
    coupon = Coupon.objects.filter(code__iexact=code.strip()).order_by("pk").first()
    if coupon is None:
        raise UnknownCoupon(code.strip())
    return coupon


def discount_of(
    coupon: Coupon, courses: Sequence[Course], amounts: Sequence[Decimal], *, moment: datetime
) -> tuple[list[int], Decimal]:
    """The places of the courses that the coupon covers, and what it takes off them together.

    `amounts` are the prices of the courses before the coupon. Never more than these come to.
    Raises CouponRefused.
    """
    if not (coupon.is_active and coupon.starts_at <= moment < coupon.ends_at):
        raise CouponNotRunning
    covered = covered_places(coupon, courses)
    if not covered:
        raise CouponCoversNothing
    spend = sum((amounts[place] for place in covered), Decimal(0))
    if spend < coupon.minimum_spend:
        raise BelowMinimumSpend(coupon.minimum_spend, coupon.currency)
    if coupon.kind == DiscountKind.PERCENT:
        return covered, percentage_of(spend, coupon.percent or 0)
    return covered, min(coupon.amount or Decimal(0), spend)


def covered_places(coupon: Coupon, courses: Sequence[Course]) -> list[int]:
    """The places of the courses that the coupon is for: its seller's, in its currency.

    A chosen category covers those within it as well.
    """
    chosen = set(coupon.courses.values_list("pk", flat=True))
    fields = set(coupon.categories.values_list("pk", flat=True))
    return [
        place
        for place, course in enumerate(courses)
        if course.seller_id == coupon.seller_id
        and course.currency == coupon.currency
        and (
            not (chosen or fields)
            or course.pk in chosen
            or course.category_id in fields
            or course.category.parent_id in fields
        )
    ]


def ensure_use_left(coupon: Coupon, *, buyer: User | None, discount: Decimal) -> None:
    """Raise CouponSpent when an order could not use the coupon now; nothing is held.

    `buyer` is None for a visitor, whose own uses nobody knows yet.
    """
    has_uses = coupon.max_uses is None or coupon.n_used < coupon.max_uses
    has_budget = coupon.budget is None or coupon.spent + discount <= coupon.budget
    if not (has_uses and has_budget):
        raise CouponSpent
    if buyer is not None and _n_used_by(buyer, coupon) >= coupon.per_user_limit:
        raise CouponSpent(is_own_limit=True)


def _n_used_by(buyer: User, coupon: Coupon) -> int:
    return Order.objects.filter(buyer=buyer, coupon=coupon, status__in=USING).count()


def take_use(coupon: Coupon, *, buyer: User, discount: Decimal, moment: datetime) -> None:
    """Count one use by the buyer and what it takes off, or raise CouponSpent and write nothing.

    One conditional update decides and locks the row until the transaction ends: what it takes
    off must still be what was read, and uses by the same person are counted one after another.
    """
    is_unchanged = Q(
        kind=coupon.kind,
        percent=coupon.percent,
        amount=coupon.amount,
        minimum_spend=coupon.minimum_spend,
    )
    if not _count(Coupon.objects.running_at(moment).filter(is_unchanged, pk=coupon.pk), discount):
        raise CouponSpent
    if _n_used_by(buyer, coupon) >= coupon.per_user_limit:
        raise CouponSpent(is_own_limit=True)


def take_use_again(order: Order, *, discount: Decimal) -> None:
    """Count the use of an order that had given it back. Raises CouponSpent.

    The price was promised while the coupon ran: only its limits hold now, of all uses and of
    the buyer's.
    """
    assert order.coupon_id is not None
    coupon = Coupon.objects.filter(pk=order.coupon_id)
    if not _count(coupon, discount):
        raise CouponSpent
    others = Order.objects.filter(buyer=order.buyer_id, coupon=order.coupon_id, status__in=USING)
    if others.exclude(pk=order.pk).count() >= coupon.get().per_user_limit:
        raise CouponSpent(is_own_limit=True)


def give_back_use(coupon_id: int, *, discount: Decimal) -> None:
    """Count one use less: the order was not paid."""
    spent = to_the_cent(F("spent") - discount)
    Coupon.objects.filter(pk=coupon_id).update(n_used=F("n_used") - 1, spent=spent)


def _count(coupons: QuerySet[Coupon], discount: Decimal) -> int:
    has_use = Q(max_uses__isnull=True) | Q(n_used__lt=F("max_uses"))
    spent = to_the_cent(F("spent") + discount)
    has_budget = Q(budget__isnull=True) | Q(budget__gte=spent)
    return coupons.filter(has_use, has_budget).update(n_used=F("n_used") + 1, spent=spent)


@transaction.atomic
def claim_coupon(*, person: User, coupon: Coupon, moment: datetime) -> CouponClaim:
    """Keep the coupon for the person, to be offered at checkout; claimed twice, it is kept once.

    It stays limited as it is: a claim holds no use. Raises CouponNotRunning and CouponSpent.
    """
    if not (coupon.is_active and coupon.starts_at <= moment < coupon.ends_at):
        raise CouponNotRunning
    if coupon.max_uses is not None and coupon.n_used >= coupon.max_uses:
        raise CouponSpent
    claim, _is_new = CouponClaim.objects.get_or_create(
        user=person, coupon=coupon, defaults={"claimed_at": moment}
    )
    return claim


def claimed_coupons(person: User, *, moment: datetime) -> list[Coupon]:
    """The coupons that the person claimed and can still use, the one that ends first before."""
    claims = CouponClaim.objects.filter(user=person).values("coupon")
    running = Coupon.objects.running_at(moment).filter(
        Q(max_uses__isnull=True) | Q(n_used__lt=F("max_uses")), pk__in=claims
    )
    used = list(
        Order.objects.filter(buyer=person, coupon__in=running, status__in=USING).values_list(
            "coupon", flat=True
        )
    )
    return [
        coupon
        for coupon in running.order_by("ends_at", "pk")
        if used.count(coupon.pk) < coupon.per_user_limit
    ]
