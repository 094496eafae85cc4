"""The rows of the catalogue: what is sold, at which price, who bought it, what they do with it."""

from catalog.models.courses import (
    Category,
    ChosenInterest,
    ConsultationSlot,
    Course,
    CourseKind,
    CourseStatus,
    Lesson,
    LessonKind,
    Level,
    Section,
)
from catalog.models.learning import HIGHEST_RATING, LessonProgress, Review
from catalog.models.money import DEFAULT_CURRENCY, money_field
from catalog.models.offers import Coupon, CouponClaim, DiscountKind, Promotion
from catalog.models.orders import Enrollment, Order, OrderStatus, Purchase
from catalog.models.payments import (
    LedgerEntry,
    MoneyMove,
    Payment,
    PaymentStatus,
    Refund,
    RefundStatus,
)
from catalog.models.sandbox import SandboxNotice, SandboxPayment, SandboxRefund, SandboxState

__all__ = [
    "DEFAULT_CURRENCY",
    "HIGHEST_RATING",
    "Category",
    "ChosenInterest",
    "ConsultationSlot",
    "Coupon",
    "CouponClaim",
    "Course",
    "CourseKind",
    "CourseStatus",
    "DiscountKind",
    "Enrollment",
    "LedgerEntry",
    "Lesson",
    "LessonKind",
    "LessonProgress",
    "Level",
    "MoneyMove",
    "Order",
    "OrderStatus",
    "Payment",
    "PaymentStatus",
    "Promotion",
    "Purchase",
    "Refund",
    "RefundStatus",
    "Review",
    "SandboxNotice",
    "SandboxPayment",
    "SandboxRefund",
    "SandboxState",
    "Section",
    "money_field",
]
