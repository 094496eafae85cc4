"""What can be asked of the catalogue, and by whom."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Avg, Count, Exists, F, Min, OuterRef, Prefetch, Q, Subquery
from django.db.models.functions import Coalesce, Least

if TYPE_CHECKING:
    from accounts.rules import Person


class CourseQuerySet(models.QuerySet):
    """Courses."""

    def published(self) -> CourseQuerySet:
        return self.filter(status="published")

    def managed_by(self, user: Person) -> CourseQuerySet:
        """An operator manages all courses, a seller their own, anybody else none."""
        if not user.is_authenticated or not user.is_staff:
            return self.none()
        return self if user.is_superuser else self.filter(seller=user)

    def visible_to(self, user: Person) -> CourseQuerySet:
        """What is published, and a seller's own drafts besides."""
        if not user.is_authenticated or not user.is_staff:
            return self.published()
        if user.is_superuser:
            return self
        return self.filter(Q(status="published") | Q(seller=user))

    def with_ratings(self) -> CourseQuerySet:
        """Add `rating_mean` (None without ratings) and `n_ratings` from the reviews shown."""
        from catalog.models import Review

        per_course = (
            Review.objects.filter(course=OuterRef("pk"), is_visible=True)
            .order_by()
            .values("course")
        )
        return self.annotate(
            rating_mean=Subquery(per_course.annotate(v=Avg("rating")).values("v")),
            n_ratings=Coalesce(Subquery(per_course.annotate(v=Count("pk")).values("v")), 0),
        )

    def with_learners(self) -> CourseQuerySet:
        """Add `n_learners`: people with access now."""
        from catalog.models import Enrollment

        per_course = (
            Enrollment.objects.filter(course=OuterRef("pk"), is_active=True)
            .order_by()
            .values("course")
            .annotate(v=Count("pk"))
        )
        return self.annotate(n_learners=Coalesce(Subquery(per_course.values("v")), 0))

    def with_price_at(self, moment: datetime) -> CourseQuerySet:
        """Add `price_now`: the list price, or the lowest promotion that everybody gets."""
        from catalog.models import Promotion

        lowest = (
            Promotion.objects.open_to_all_at(moment)
            .filter(course=OuterRef("pk"))
            .order_by()
            .values("course")
            .annotate(v=Min("price"))
        )
        return self.annotate(
            price_now=Least(
                F("list_price"), Coalesce(Subquery(lowest.values("v")), F("list_price"))
            )
        )


class OrderQuerySet(models.QuerySet):
    """Orders."""

    def managed_by(self, user: Person) -> OrderQuerySet:
        """An operator sees all orders, a seller those with a course of theirs."""
        if not user.is_authenticated or not user.is_staff:
            return self.none()
        return self if user.is_superuser else self.filter(lines__course__seller=user).distinct()

    def with_lines(self) -> OrderQuerySet:
        """Fetch the lines with their courses and times, and the coupon, along with the orders."""
        from catalog.models import Purchase

        lines = Purchase.objects.select_related("course", "slot").order_by("pk")
        return self.select_related("coupon").prefetch_related(Prefetch("lines", lines))


class PurchaseQuerySet(models.QuerySet):
    """Lines of orders."""

    def managed_by(self, user: Person) -> PurchaseQuerySet:
        if not user.is_authenticated or not user.is_staff:
            return self.none()
        return self if user.is_superuser else self.filter(course__seller=user)

    def paid(self) -> PurchaseQuerySet:
        """Lines whose order was paid, refunded ones included."""
        return self.filter(order__status__in=["paid", "refunded"])


class EnrollmentQuerySet(models.QuerySet):
    """Rights to learn."""

    def managed_by(self, user: Person) -> EnrollmentQuerySet:
        if not user.is_authenticated or not user.is_staff:
            return self.none()
        return self if user.is_superuser else self.filter(course__seller=user)

    def active(self) -> EnrollmentQuerySet:
        return self.filter(is_active=True)


class AppendOnly(TypeError):
    """Somebody tried to change or delete what is only ever added to."""


class LedgerQuerySet(models.QuerySet):
    """Moves of money: added, never changed or deleted."""

    def managed_by(self, user: Person) -> LedgerQuerySet:
        """An operator sees all moves, a seller those of lines of theirs."""
        if not user.is_authenticated or not user.is_staff:
            return self.none()
        return self if user.is_superuser else self.filter(purchase__course__seller=user)

    def concerning(self, user: Person) -> LedgerQuerySet:
        """What `managed_by` gives and, for a seller, the charges of orders with a line of theirs.

        The amount of such a charge is that of the whole order, not of the seller's lines.
        """
        if not user.is_authenticated or not user.is_staff or user.is_superuser:
            return self.managed_by(user)
        own = Q(purchase__course__seller=user)
        return self.filter(own | (Q(kind="charge") & Exists(_lines_of_order(user))))

    def update(self, **values: object) -> int:
        raise AppendOnly("the ledger is append-only")

    def delete(self) -> tuple[int, dict[str, int]]:
        raise AppendOnly("the ledger is append-only")


class OfferQuerySet(models.QuerySet):
    """Coupons and promotions."""

    def running_at(self, moment: datetime) -> OfferQuerySet:
        return self.filter(is_active=True, starts_at__lte=moment, ends_at__gt=moment)

    def open_to_all_at(self, moment: datetime) -> OfferQuerySet:
        """Promotions that run for everybody and have a seat left."""
        return self.running_at(moment).with_seat_left().filter(is_public=True)

    def with_seat_left(self) -> OfferQuerySet:
        """Promotions without a limit of seats, or with a seat left."""
        return self.filter(Q(seats_left__isnull=True) | Q(seats_left__gt=0))


class PaymentQuerySet(models.QuerySet):
    """Attempts to pay."""

    def managed_by(self, user: Person) -> PaymentQuerySet:
        """An operator sees all, a seller those of orders with a line of theirs.

        The amount is that of the whole order, not of the seller's lines.
        """
        if not user.is_authenticated or not user.is_staff:
            return self.none()
        return self if user.is_superuser else self.filter(Exists(_lines_of_order(user)))


class RefundQuerySet(models.QuerySet):
    """Money to be given back."""

    def managed_by(self, user: Person) -> RefundQuerySet:
        """An operator sees all, a seller those of lines of theirs."""
        if not user.is_authenticated or not user.is_staff:
            return self.none()
        return self if user.is_superuser else self.filter(purchase__course__seller=user)


def _lines_of_order(seller: Person) -> models.QuerySet:
    """The seller's lines of the order that a row of another table belongs to."""
    from catalog.models import Purchase

    return Purchase.objects.filter(order=OuterRef("order"), course__seller=seller.pk)
