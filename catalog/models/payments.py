"""Money that moved, and money that was asked to move."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from catalog.models.money import DEFAULT_CURRENCY, money_field
from catalog.models.orders import Order, Purchase
from catalog.querysets import LedgerQuerySet, PaymentQuerySet, RefundQuerySet


class PaymentStatus(models.TextChoices):
    STARTED = "started", _("started")
    SUCCEEDED = "succeeded", _("succeeded")
    FAILED = "failed", _("failed")
    # It came for an order that needed no money (any more); it is given back.
    SURPLUS = "surplus", _("not needed")


class Payment(models.Model):
    """One attempt to pay an order through one provider; `number` is what the vendor calls it by."""

    number = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    order = models.ForeignKey(
        Order, models.PROTECT, related_name="payments", verbose_name=_("order")
    )
    provider = models.CharField(_("provider"), max_length=16)
    reference = models.CharField(_("number at the provider"), max_length=128, null=True, blank=True)
    amount = money_field(_("amount"))
    currency = models.CharField(_("currency"), max_length=3, default=DEFAULT_CURRENCY)
    status = models.CharField(
        _("status"), max_length=9, choices=PaymentStatus.choices, default=PaymentStatus.STARTED
    )
    redirect_url = models.TextField(blank=True, editable=False)
    qr_code = models.TextField(blank=True, editable=False)
    started_at = models.DateTimeField(_("started at"), default=timezone.now)
    settled_at = models.DateTimeField(_("settled at"), null=True, blank=True)

    objects = PaymentQuerySet.as_manager()

    class Meta:
        verbose_name = _("payment")
        verbose_name_plural = _("payments")
        constraints = [
            models.UniqueConstraint(fields=["provider", "reference"], name="payment_known_once"),
            models.CheckConstraint(
                condition=Q(status__in=PaymentStatus.values), name="payment_status_known"
            ),
            models.CheckConstraint(condition=Q(amount__gt=0), name="payment_amount_above_zero"),
        ]
        indexes = [models.Index(fields=["status", "started_at"], name="payment_open_since")]

    def __str__(self) -> str:
        return self.number.hex


class MoneyMove(models.TextChoices):
    """What an entry of the ledger records. Charges and surpluses come in, the others go out."""

    CHARGE = "charge", _("charge")
    REFUND = "refund", _("refund")
    SURPLUS = "surplus", _("surplus")
    SURPLUS_RETURN = "surplus_return", _("surplus returned")


class LedgerEntry(models.Model):
    """One move of money. Append-only: what was wrong is set right by a further entry.

    `key` makes a move happen once: an order has one `charge`, a line one `refund-<line>`, a
    payment that was not needed one `surplus-<payment>` and one `surplus-return-<payment>`.
    A free order has a charge of zero.
    """

    order = models.ForeignKey(Order, models.PROTECT, related_name="ledger", verbose_name=_("order"))
    key = models.CharField(max_length=48, editable=False)
    kind = models.CharField(_("kind"), max_length=14, choices=MoneyMove.choices)
    amount = money_field(_("amount"))
    currency = models.CharField(_("currency"), max_length=3, default=DEFAULT_CURRENCY)
    payment = models.ForeignKey(
        Payment,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="ledger",
        verbose_name=_("payment"),
    )
    purchase = models.ForeignKey(
        Purchase,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="ledger",
        verbose_name=_("line"),
    )
    recorded_at = models.DateTimeField(_("recorded at"), default=timezone.now)

    objects = LedgerQuerySet.as_manager()

    class Meta:
        verbose_name = _("ledger entry")
        verbose_name_plural = _("ledger")
        constraints = [
            models.UniqueConstraint(fields=["order", "key"], name="ledger_move_once"),
            models.CheckConstraint(
                condition=Q(kind__in=MoneyMove.values), name="ledger_kind_known"
            ),
            models.CheckConstraint(condition=Q(amount__gte=0), name="ledger_amount_not_negative"),
        ]
        indexes = [models.Index(fields=["recorded_at"], name="ledger_newest")]

    def __str__(self) -> str:
        return f"{self.order_id} {self.key}"


class RefundStatus(models.TextChoices):
    REQUESTED = "requested", _("on its way")
    DONE = "done", _("done")
    FAILED = "failed", _("failed")


class Refund(models.Model):
    """Money to be given back: of one line, or, without a line, a payment that was not needed.

    Access and ledger follow at once; what the provider does with it shows in `status`. `key` is
    what the provider knows it by, so that it pays once however often it is asked.
    """

    key = models.CharField(max_length=48, unique=True, editable=False)
    order = models.ForeignKey(
        Order, models.PROTECT, related_name="refunds", verbose_name=_("order")
    )
    purchase = models.OneToOneField(
        Purchase,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="refund",
        verbose_name=_("line"),
    )
    payment = models.ForeignKey(
        Payment,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="refunds",
        verbose_name=_("payment"),
    )
    amount = money_field(_("amount"))
    currency = models.CharField(_("currency"), max_length=3, default=DEFAULT_CURRENCY)
    reason = models.CharField(_("reason"), max_length=200, blank=True)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("requested by"),
    )
    requested_at = models.DateTimeField(_("requested at"), default=timezone.now)
    status = models.CharField(
        _("status"), max_length=9, choices=RefundStatus.choices, default=RefundStatus.REQUESTED
    )
    reference = models.CharField(_("number at the provider"), max_length=128, blank=True)
    settled_at = models.DateTimeField(_("settled at"), null=True, blank=True)
    n_attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    not_before = models.DateTimeField(_("next attempt"), default=timezone.now)
    last_error = models.CharField(_("last error"), max_length=200, blank=True)

    objects = RefundQuerySet.as_manager()

    class Meta:
        verbose_name = _("refund")
        verbose_name_plural = _("refunds")
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=RefundStatus.values), name="refund_status_known"
            ),
            models.CheckConstraint(condition=Q(amount__gte=0), name="refund_amount_not_negative"),
        ]
        indexes = [models.Index(fields=["status", "not_before"], name="refund_due")]

    def __str__(self) -> str:
        return self.key
