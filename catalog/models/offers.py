"""What lowers a price: coupons and promotions."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from catalog.models.courses import Category, Course
from catalog.models.money import DEFAULT_CURRENCY, money_field
from catalog.querysets import OfferQuerySet


class DiscountKind(models.TextChoices):
    PERCENT = "percent", _("percentage")
    AMOUNT = "amount", _("amount")


class Coupon(models.Model):
    """A code that lowers the price of what it covers, until its uses or its budget are spent.

    No course and no category chosen means that it covers everything of its seller.
    """

    seller = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="coupons", verbose_name=_("seller")
    )
    code = models.CharField(_("code"), max_length=32, unique=True)
    kind = models.CharField(_("kind"), max_length=7, choices=DiscountKind.choices)
    percent = models.PositiveSmallIntegerField(
        _("percent off"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
    )
    amount = money_field(_("amount off"), null=True, blank=True)
    currency = models.CharField(_("currency"), max_length=3, default=DEFAULT_CURRENCY)
    minimum_spend = money_field(_("minimum spend"), default=0)
    courses = models.ManyToManyField(
        Course, blank=True, related_name="coupons", verbose_name=_("courses")
    )
    categories = models.ManyToManyField(
        Category, blank=True, related_name="+", verbose_name=_("categories")
    )
    starts_at = models.DateTimeField(_("starts at"))
    ends_at = models.DateTimeField(_("ends at"))
    max_uses = models.PositiveIntegerField(_("uses in all"), null=True, blank=True)
    n_used = models.PositiveIntegerField(_("used"), default=0, editable=False)
    budget = money_field(_("budget"), null=True, blank=True)
    spent = money_field(_("spent"), default=0, editable=False)
    per_user_limit = models.PositiveSmallIntegerField(_("uses per person"), default=1)
    is_active = models.BooleanField(_("active"), default=True)

    history = HistoricalRecords(related_name="+", excluded_fields=["n_used", "spent"])
    objects = OfferQuerySet.as_manager()

    class Meta:
        verbose_name = _("coupon")
        verbose_name_plural = _("coupons")
        constraints = [
            models.CheckConstraint(
                condition=(
                    Q(
                        kind=DiscountKind.PERCENT,
                        percent__isnull=False,
                        percent__range=(1, 100),
                        amount__isnull=True,
                    )
                    | Q(
                        kind=DiscountKind.AMOUNT,
                        amount__isnull=False,
                        amount__gt=0,
                        percent__isnull=True,
                    )
                ),
                name="coupon_percent_or_amount",
            ),
            models.CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="coupon_window"),
            models.CheckConstraint(
                condition=Q(max_uses__isnull=True) | Q(n_used__lte=F("max_uses")),
                name="coupon_uses_within_limit",
            ),
            models.CheckConstraint(
                condition=Q(budget__isnull=True) | Q(spent__lte=F("budget")),
                name="coupon_spent_within_budget",
            ),
            models.CheckConstraint(condition=Q(minimum_spend__gte=0), name="coupon_minimum_spend"),
        ]
        indexes = [models.Index(fields=["seller", "ends_at"], name="coupon_of_seller")]

    def __str__(self) -> str:
        return self.code


class Promotion(models.Model):
    """A lower price of one course for a limited time; with `seats` set, for so many seats."""

    course = models.ForeignKey(
        Course, models.CASCADE, related_name="promotions", verbose_name=_("course")
    )
    price = money_field(_("price"), validators=[MinValueValidator(0)])
    starts_at = models.DateTimeField(_("starts at"))
    ends_at = models.DateTimeField(_("ends at"))
    seats = models.PositiveIntegerField(_("seats"), null=True, blank=True)
    seats_left = models.PositiveIntegerField(_("seats left"), null=True, blank=True, editable=False)
    is_active = models.BooleanField(_("active"), default=True)
    is_public = models.BooleanField(
        _("for everybody"),
        default=True,
        db_default=True,
        help_text=_("Off: holds only where it is offered, such as in one live session."),
    )

    history = HistoricalRecords(related_name="+", excluded_fields=["seats_left"])
    objects = OfferQuerySet.as_manager()

    class Meta:
        verbose_name = _("promotion")
        verbose_name_plural = _("promotions")
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("starts_at")), name="promotion_window"
            ),
            models.CheckConstraint(condition=Q(price__gte=0), name="promotion_price_not_negative"),
            models.CheckConstraint(
                condition=Q(seats__isnull=True, seats_left__isnull=True)
                | Q(
                    seats__isnull=False,
                    seats_left__isnull=False,
                    seats_left__gte=0,
                    seats_left__lte=F("seats"),
                ),
                name="promotion_seats_within",
            ),
        ]
        indexes = [
            models.Index(fields=["course", "starts_at", "ends_at"], name="promotion_running")
        ]

    def __str__(self) -> str:
        return f"{self.course} {self.price}"


class CouponClaim(models.Model):
    """A coupon that a person took when it was handed out; it is offered to them at checkout."""

    coupon = models.ForeignKey(Coupon, models.CASCADE, related_name="claims")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        related_name="+",
        verbose_name=_("person"),
    )
    claimed_at = models.DateTimeField(_("claimed at"), default=timezone.now)

    class Meta:
        verbose_name = _("claimed coupon")
        verbose_name_plural = _("claimed coupons")
        constraints = [
            models.UniqueConstraint(fields=["user", "coupon"], name="coupon_claimed_once")
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.coupon_id}"
