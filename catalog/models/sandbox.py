"""The book of the embedded sandbox: what a vendor would keep on its own machines."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from catalog.models.money import DEFAULT_CURRENCY, money_field


class SandboxState(models.TextChoices):
    OPEN = "open", _("open")
    PAID = "paid", _("paid")
    DECLINED = "declined", _("declined")
    CLOSED = "closed", _("closed")


class SandboxPayment(models.Model):
    """One payment as the sandbox sees it. It knows our number of it, never an order or a person."""

    reference = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    number = models.CharField(max_length=32, unique=True)
    title = models.CharField(max_length=200)
    amount = money_field(_("amount"))
    refunded = money_field(_("refunded"), default=0)
    currency = models.CharField(_("currency"), max_length=3, default=DEFAULT_CURRENCY)
    state = models.CharField(
        _("status"), max_length=8, choices=SandboxState.choices, default=SandboxState.OPEN
    )
    return_url = models.TextField()
    notify_url = models.TextField()
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = _("sandbox payment")
        verbose_name_plural = _("sandbox payments")
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=SandboxState.values), name="sandbox_state_known"
            ),
            models.CheckConstraint(
                condition=Q(refunded__gte=0) & Q(refunded__lte=F("amount")),
                name="sandbox_refund_within_amount",
            ),
        ]

    def __str__(self) -> str:
        return self.reference.hex


class SandboxRefund(models.Model):
    """Money that the sandbox gave back; once for each key."""

    payment = models.ForeignKey(SandboxPayment, models.CASCADE, related_name="refunds")
    key = models.CharField(max_length=48, unique=True)
    amount = money_field(_("amount"))
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = _("sandbox refund")
        verbose_name_plural = _("sandbox refunds")

    def __str__(self) -> str:
        return self.key


class SandboxNotice(models.Model):
    """A notification that the sandbox has yet to deliver; it signs it when it sends it."""

    payment = models.ForeignKey(SandboxPayment, models.CASCADE, related_name="notices")
    outcome = models.CharField(max_length=9)
    created_at = models.DateTimeField(default=timezone.now)
    not_before = models.DateTimeField(default=timezone.now)
    n_attempts = models.PositiveSmallIntegerField(default=0)
    delivered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("sandbox notification")
        verbose_name_plural = _("sandbox notifications")
        indexes = [models.Index(fields=["delivered_at", "not_before"], name="sandbox_notice_due")]

    def __str__(self) -> str:
        return f"{self.payment_id} {self.outcome}"
