"""Who bought what: orders, their lines, and the access that follows."""

from __future__ import annotations

import uuid
from decimal import Decimal

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from catalog.models.courses import ConsultationSlot, Course, CourseKind
from catalog.models.money import DEFAULT_CURRENCY, money_field
from catalog.models.offers import Coupon, Promotion
from catalog.querysets import EnrollmentQuerySet, OrderQuerySet, PurchaseQuerySet


class OrderStatus(models.TextChoices):
    PENDING = "pending", _("waiting for payment")
    PAID = "paid", _("paid")
    EXPIRED = "expired", _("expired")
    CANCELLED = "cancelled", _("cancelled")
    REFUNDED = "refunded", _("refunded")


class Order(models.Model):
    """What one person buys at once. Its amounts never change after it was placed."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    buyer = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="orders", verbose_name=_("buyer")
    )
    status = models.CharField(
        _("status"), max_length=9, choices=OrderStatus.choices, default=OrderStatus.PENDING
    )
    currency = models.CharField(_("currency"), max_length=3, default=DEFAULT_CURRENCY)
    list_total = money_field(_("list price"))
    total = money_field(_("total"))
    coupon = models.ForeignKey(
        Coupon,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="orders",
        verbose_name=_("coupon"),
    )
    idempotency_key = models.CharField(
        max_length=255,
        null=True,
        blank=True,
        editable=False,
    )
    # Tells the request sent again from another one under the same key.
    request_digest = models.CharField(max_length=64, default="", db_default="", editable=False)
    created_at = models.DateTimeField(_("placed at"), default=timezone.now)
    expires_at = models.DateTimeField(_("expires at"), null=True, blank=True)
    paid_at = models.DateTimeField(_("paid at"), null=True, blank=True)

    objects = OrderQuerySet.as_manager()

    class Meta:
        verbose_name = _("order")
        verbose_name_plural = _("orders")
        constraints = [
            models.UniqueConstraint(fields=["buyer", "idempotency_key"], name="order_sent_once"),
            models.CheckConstraint(
                condition=Q(total__gte=0) & Q(total__lte=F("list_total")),
                name="order_total_within_list_total",
            ),
            models.CheckConstraint(
                condition=Q(status__in=OrderStatus.values), name="order_status_known"
            ),
            models.CheckConstraint(
                condition=~Q(status__in=[OrderStatus.PAID, OrderStatus.REFUNDED])
                | Q(paid_at__isnull=False),
                name="order_paid_since",
            ),
        ]
        indexes = [
            models.Index(fields=["buyer", "-created_at"], name="order_of_buyer"),
            models.Index(fields=["status", "expires_at"], name="order_to_expire"),
            models.Index(fields=["status", "paid_at"], name="order_paid_when"),
        ]

    def __str__(self) -> str:
        return str(self.public_id)

    @cached_property
    def shown_lines(self) -> list[Purchase]:
        """The lines with their courses and times; no query after `with_lines()`."""
        if "lines" in getattr(self, "_prefetched_objects_cache", {}):
            return list(self.lines.all())
        return list(self.lines.select_related("course", "slot").order_by("pk"))

    @property
    def coupon_discount(self) -> Decimal:
        """What the coupon took off all lines."""
        return sum((line.coupon_discount for line in self.shown_lines), Decimal("0.00"))

    @property
    def promotion_discount(self) -> Decimal:
        """What promotions took off the list prices of all lines."""
        return self.list_total - self.coupon_discount - self.total


class Purchase(models.Model):
    """One course bought by one person in one order: a line of it."""

    order = models.ForeignKey(Order, models.CASCADE, related_name="lines", verbose_name=_("order"))
    course = models.ForeignKey(
        Course, models.PROTECT, related_name="purchases", verbose_name=_("course")
    )
    promotion = models.ForeignKey(
        Promotion,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="purchases",
        verbose_name=_("promotion"),
    )
    # The buyer while the line waits for payment or is paid; nobody after it expired, was
    # cancelled or refunded. Unique with the course: nobody buys a course twice at once.
    holder = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
    )
    list_price = money_field(_("list price"))
    coupon_discount = money_field(_("coupon"), default=0, db_default=0)
    price = money_field(_("price paid"))
    refunded_at = models.DateTimeField(_("refunded at"), null=True, blank=True)

    objects = PurchaseQuerySet.as_manager()

    class Meta:
        verbose_name = _("purchase")
        verbose_name_plural = _("purchases")
        constraints = [
            models.UniqueConstraint(fields=["order", "course"], name="purchase_once_per_order"),
            models.CheckConstraint(
                condition=Q(price__gte=0) & Q(price__lte=F("list_price")),
                name="purchase_price_within_list_price",
            ),
            models.UniqueConstraint(fields=["holder", "course"], name="purchase_held_once"),
            models.CheckConstraint(
                # SQLite subtracts in binary: 19.90 - 17.91 is a little less than 1.99 there.
                condition=Q(coupon_discount__gte=0)
                & Q(coupon_discount__lte=F("list_price") - F("price") + Decimal("0.001")),
                name="purchase_coupon_within_reduction",
            ),
        ]
        indexes = [models.Index(fields=["course", "order"], name="purchase_of_course")]

    def __str__(self) -> str:
        return f"{self.order_id} {self.course_id}"

    @property
    def promotion_discount(self) -> Decimal:
        """What the promotion took off the list price, before any coupon."""
        return self.list_price - self.coupon_discount - self.price

    @property
    def booked_slot(self) -> ConsultationSlot | None:
        """The time of a consultation that this line has."""
        is_booked = self.course.kind == CourseKind.CONSULTATION
        return getattr(self, "slot", None) if is_booked else None


class Enrollment(models.Model):
    """The right of one person to learn one course."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        related_name="enrollments",
        verbose_name=_("learner"),
    )
    course = models.ForeignKey(
        Course, models.PROTECT, related_name="enrollments", verbose_name=_("course")
    )
    purchase = models.OneToOneField(
        Purchase,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="enrollment",
        verbose_name=_("purchase"),
    )
    is_active = models.BooleanField(_("has access"), default=True)
    enrolled_at = models.DateTimeField(_("enrolled at"), default=timezone.now)

    objects = EnrollmentQuerySet.as_manager()

    class Meta:
        verbose_name = _("enrollment")
        verbose_name_plural = _("enrollments")
        constraints = [
            models.UniqueConstraint(fields=["user", "course"], name="enrollment_once_per_course")
        ]
        indexes = [models.Index(fields=["course", "enrolled_at"], name="enrollment_of_course")]

    def __str__(self) -> str:
        return f"{self.user_id} {self.course_id}"
