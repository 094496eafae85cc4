"""What the catalogue holds about a person."""

from __future__ import annotations

from accounts.models import User
from accounts.personal_data import Sections, rows
from catalog.models import ChosenInterest, Enrollment, LessonProgress, Order, Purchase, Review


def export_learner(person: User) -> Sections:
    """Interests, orders, access, progress and reviews."""
    return {
        "interests": rows(ChosenInterest.objects.filter(user=person), "category__slug"),
        "orders": rows(
            Order.objects.filter(buyer=person).order_by("pk"),
            *("public_id", "status", "currency", "list_total", "total", "coupon__code"),
            *("created_at", "expires_at", "paid_at"),
        ),
        "purchases": rows(
            Purchase.objects.filter(order__buyer=person).order_by("pk"),
            *("order__public_id", "course_id", "course__title", "list_price", "price"),
            "refunded_at",
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
    """Drop all but orders and their lines, which the law of trade asks to keep."""
    for model in (ChosenInterest, LessonProgress, Review, Enrollment):
        model.objects.filter(user=person).delete()
    # A key is the client's own text.
    Order.objects.filter(buyer=person).update(idempotency_key=None)
