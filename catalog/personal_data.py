"""What the catalogue holds about a person."""

from __future__ import annotations

from functools import partial

from django.db import transaction
from django.utils import timezone

from accounts.models import User
from accounts.personal_data import Sections, rows
from catalog.expiry import close_unpaid
from catalog.models import (
    ChosenInterest,
    ConsultationSlot,
    CouponClaim,
    Enrollment,
    LedgerEntry,
    LessonProgress,
    Order,
    OrderStatus,
    Payment,
    Purchase,
    Refund,
    Review,
)
from catalog.payments.settling import close_payments


def export_learner(person: User) -> Sections:
    """Interests, orders and what they cost, access, progress and reviews.

    Where a payment goes on and what a vendor's page was told are the vendor's; keys that tell two
    requests apart are the client's own.
    """
    return {
        "interests": rows(ChosenInterest.objects.filter(user=person), "category__slug"),
        "orders": rows(
            Order.objects.filter(buyer=person).order_by("pk"),
            *("public_id", "status", "currency", "list_total", "total", "coupon__code"),
            *("created_at", "expires_at", "paid_at"),
        ),
        "purchases": rows(
            Purchase.objects.filter(order__buyer=person).order_by("pk"),
            *("order__public_id", "course_id", "course__title", "order__currency", "list_price"),
            *("promotion__price", "coupon_discount", "price", "refunded_at"),
        ),
        "payments": rows(
            Payment.objects.filter(order__buyer=person).order_by("pk"),
            *("order__public_id", "number", "provider", "reference", "amount", "currency"),
            *("status", "started_at", "settled_at"),
        ),
        "refunds": rows(
            Refund.objects.filter(order__buyer=person).order_by("pk"),
            *("order__public_id", "purchase__course_id", "amount", "currency", "reason"),
            *("status", "requested_at", "settled_at"),
        ),
        "ledger": rows(
            LedgerEntry.objects.filter(order__buyer=person).order_by("pk"),
            *("order__public_id", "kind", "amount", "currency", "purchase__course_id"),
            "recorded_at",
        ),
        "claimed_coupons": rows(
            CouponClaim.objects.filter(user=person).order_by("pk"), "coupon__code", "claimed_at"
        ),
        "consultations": rows(
            ConsultationSlot.objects.filter(purchase__order__buyer=person).order_by("pk"),
            *("course_id", "course__title", "starts_at", "ends_at"),
        ),
        "enrollments": rows(
            Enrollment.objects.filter(user=person).order_by("pk"),
            *("course_id", "course__title", "is_active", "enrolled_at"),
        ),
        "lesson_progress": rows(
            LessonProgress.objects.filter(user=person).order_by("pk"),
            *("lesson_id", "lesson__title", "opened_at", "seconds", "position_seconds"),
            *("completed_at", "updated_at"),
        ),
        "reviews": rows(
            Review.objects.filter(user=person).order_by("pk"),
            *("course_id", "course__title", "rating", "text", "is_visible", "created_at"),
        ),
    }


def erase_learner(person: User) -> None:
    """Drop all but orders, payments and the ledger, which the law of trade asks to keep.

    What waits for payment is cancelled, and times that are still ahead are free for others. What
    was paid stays sold, so that seats, coupons and sums stay true.
    """
    moment = timezone.now()
    for order in Order.objects.filter(buyer=person, status=OrderStatus.PENDING):
        if close_unpaid(order.pk, OrderStatus.CANCELLED, moment=moment):
            # Vendors are asked after the commit: what they took cannot be rolled back.
            transaction.on_commit(partial(close_payments, order), robust=True)
    ConsultationSlot.objects.filter(purchase__order__buyer=person, starts_at__gt=moment).update(
        purchase=None
    )
    for model in (ChosenInterest, LessonProgress, Review, Enrollment, CouponClaim):
        model.objects.filter(user=person).delete()
    # A key is the client's own text, a reason what somebody wrote about the person, and a
    # vendor's page may greet them by name.
    orders = Order.objects.filter(buyer=person)
    orders.update(idempotency_key=None, request_digest="")
    Payment.objects.filter(order__in=orders).update(redirect_url="", qr_code="")
    Refund.objects.filter(order__in=orders).update(reason="", last_error="")
    Refund.objects.filter(requested_by=person).update(requested_by=None)
