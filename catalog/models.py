"""What is sold, at which price, and who bought it.

Money is a decimal with two places beside its currency code; nothing here is a float.
"""

from __future__ import annotations

import uuid

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from catalog.querysets import (
    CourseQuerySet,
    EnrollmentQuerySet,
    OfferQuerySet,
    OrderQuerySet,
    PurchaseQuerySet,
)

DEFAULT_CURRENCY = "CNY"
HIGHEST_RATING = 5


def money_field(verbose_name: object, **options: object) -> models.DecimalField:
    """A column for amounts up to 99,999,999.99 of a currency."""
    return models.DecimalField(verbose_name, max_digits=10, decimal_places=2, **options)  # type: ignore[arg-type, misc]


class Category(models.Model):
    """A field of knowledge, named in both languages of the platform."""

    slug = models.SlugField(_("slug"), max_length=60, unique=True)
    name_zh = models.CharField(_("Chinese name"), max_length=60)
    name_en = models.CharField(_("English name"), max_length=60)
    parent = models.ForeignKey(
        "self",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="children",
        verbose_name=_("within"),
    )
    position = models.PositiveSmallIntegerField(_("position"), default=0)

    class Meta:
        verbose_name = _("category")
        verbose_name_plural = _("categories")
        ordering = ["position", "slug"]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """The name in the language of the current request."""
        return self.name_zh if (get_language() or "zh").startswith("zh") else self.name_en


class ChosenInterest(models.Model):
    """A field that a person said they care about."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="chosen_interests"
    )
    category = models.ForeignKey(Category, models.CASCADE, related_name="+")

    class Meta:
        verbose_name = _("chosen interest")
        verbose_name_plural = _("chosen interests")
        constraints = [
            models.UniqueConstraint(fields=["user", "category"], name="interest_chosen_once")
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.category_id}"


class CourseKind(models.TextChoices):
    COURSE = "course", _("course")
    EBOOK = "ebook", _("e-book")
    CONSULTATION = "consultation", _("consultation")


class Level(models.IntegerChoices):
    BEGINNER = 1, _("beginner")
    INTERMEDIATE = 2, _("intermediate")
    ADVANCED = 3, _("advanced")


class CourseStatus(models.TextChoices):
    DRAFT = "draft", _("draft")
    PUBLISHED = "published", _("published")
    ARCHIVED = "archived", _("archived")


class Course(models.Model):
    """Anything that is sold: a course, an e-book or a consultation."""

    seller = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="courses", verbose_name=_("seller")
    )
    kind = models.CharField(
        _("kind"), max_length=12, choices=CourseKind.choices, default=CourseKind.COURSE
    )
    slug = models.SlugField(_("address"), max_length=90, unique=True, allow_unicode=True)
    title = models.CharField(_("title"), max_length=200)
    summary = models.CharField(_("summary"), max_length=300, blank=True)
    description = models.TextField(_("description"), blank=True, help_text=_("Markdown."))
    language = models.CharField(
        _("language"), max_length=2, choices=[("zh", "中文"), ("en", "English")], default="zh"
    )
    category = models.ForeignKey(
        Category, models.PROTECT, related_name="courses", verbose_name=_("category")
    )
    level = models.PositiveSmallIntegerField(
        _("level"), choices=Level.choices, default=Level.BEGINNER
    )
    tags = models.JSONField(_("tags"), default=list, blank=True)
    list_price = money_field(_("list price"), validators=[MinValueValidator(0)])
    currency = models.CharField(_("currency"), max_length=3, default=DEFAULT_CURRENCY)
    cover = models.ImageField(_("cover"), upload_to="covers/", blank=True)
    status = models.CharField(
        _("status"), max_length=10, choices=CourseStatus.choices, default=CourseStatus.DRAFT
    )
    published_at = models.DateTimeField(_("published at"), null=True, blank=True)
    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    updated_at = models.DateTimeField(_("updated at"), auto_now=True)
    import_source = models.CharField(_("imported from"), max_length=40, blank=True, default="")
    external_id = models.CharField(
        _("id there"),
        max_length=64,
        null=True,
        blank=True,
    )

    history = HistoricalRecords(
        excluded_fields=["description", "summary", "tags", "cover", "updated_at"],
        related_name="+",
    )
    objects = CourseQuerySet.as_manager()

    class Meta:
        verbose_name = _("course")
        verbose_name_plural = _("courses")
        constraints = [
            models.UniqueConstraint(
                fields=["import_source", "external_id"], name="course_import_id"
            ),
            models.CheckConstraint(
                condition=Q(list_price__gte=0), name="course_price_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(kind__in=CourseKind.values), name="course_kind_known"
            ),
            models.CheckConstraint(condition=Q(level__in=Level.values), name="course_level_known"),
            models.CheckConstraint(
                condition=~Q(status=CourseStatus.PUBLISHED) | Q(published_at__isnull=False),
                name="course_published_since",
            ),
        ]
        indexes = [
            models.Index(fields=["status", "-published_at", "-id"], name="course_newest"),
            models.Index(
                fields=["category", "status", "-published_at", "-id"], name="course_in_category"
            ),
            models.Index(fields=["seller", "status"], name="course_of_seller"),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def is_published(self) -> bool:
        return self.status == CourseStatus.PUBLISHED


class Section(models.Model):
    """A chapter of a course: lessons in order."""

    course = models.ForeignKey(Course, models.CASCADE, related_name="sections")
    title = models.CharField(_("title"), max_length=200)
    position = models.PositiveSmallIntegerField(_("position"), default=0)

    class Meta:
        verbose_name = _("section")
        verbose_name_plural = _("sections")
        ordering = ["course", "position", "pk"]
        indexes = [models.Index(fields=["course", "position"], name="section_order")]

    def __str__(self) -> str:
        return self.title


class LessonKind(models.TextChoices):
    VIDEO = "video", _("video")
    TEXT = "text", _("text")
    FILE = "file", _("file")


class Lesson(models.Model):
    """One thing to watch, read or download."""

    section = models.ForeignKey(Section, models.CASCADE, related_name="lessons")
    title = models.CharField(_("title"), max_length=200)
    kind = models.CharField(
        _("kind"), max_length=6, choices=LessonKind.choices, default=LessonKind.VIDEO
    )
    body = models.TextField(_("text"), blank=True, help_text=_("Markdown."))
    video_url = models.URLField(_("video address"), blank=True)
    file = models.FileField(_("file"), upload_to="lessons/", blank=True)
    duration_seconds = models.PositiveIntegerField(_("length in seconds"), default=0)
    is_preview = models.BooleanField(_("free to try"), default=False)
    position = models.PositiveSmallIntegerField(_("position"), default=0)

    class Meta:
        verbose_name = _("lesson")
        verbose_name_plural = _("lessons")
        ordering = ["section", "position", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=LessonKind.values), name="lesson_kind_known"
            )
        ]
        indexes = [models.Index(fields=["section", "position"], name="lesson_order")]

    def __str__(self) -> str:
        return self.title


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
    list_price = money_field(_("list price"))
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
        ]
        indexes = [models.Index(fields=["course", "order"], name="purchase_of_course")]

    def __str__(self) -> str:
        return f"{self.order_id} {self.course_id}"


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


class Review(models.Model):
    """What a learner thinks of a course: one to five stars and words."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="reviews", verbose_name=_("learner")
    )
    course = models.ForeignKey(
        Course, models.CASCADE, related_name="reviews", verbose_name=_("course")
    )
    rating = models.PositiveSmallIntegerField(
        _("rating"), validators=[MinValueValidator(1), MaxValueValidator(HIGHEST_RATING)]
    )
    text = models.TextField(_("text"), max_length=2000, blank=True)
    is_visible = models.BooleanField(_("shown"), default=True)
    created_at = models.DateTimeField(_("written at"), default=timezone.now)

    class Meta:
        verbose_name = _("review")
        verbose_name_plural = _("reviews")
        constraints = [
            models.UniqueConstraint(fields=["user", "course"], name="review_once_per_course"),
            models.CheckConstraint(
                condition=Q(rating__range=(1, HIGHEST_RATING)), name="review_rating_in_stars"
            ),
        ]
        indexes = [
            models.Index(fields=["course", "is_visible", "-created_at"], name="review_newest")
        ]

    def __str__(self) -> str:
        return f"{self.course_id} {self.rating}"


class LessonProgress(models.Model):
    """How far one learner is in one lesson."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="lesson_progress"
    )
    lesson = models.ForeignKey(Lesson, models.CASCADE, related_name="progress")
    opened_at = models.DateTimeField(_("first opened at"), default=timezone.now)
    seconds = models.PositiveIntegerField(_("seconds studied"), default=0)
    position_seconds = models.PositiveIntegerField(_("position in seconds"), default=0)
    completed_at = models.DateTimeField(_("completed at"), null=True, blank=True)
    updated_at = models.DateTimeField(_("last studied at"), default=timezone.now)

    class Meta:
        verbose_name = _("lesson progress")
        verbose_name_plural = _("lesson progress")
        constraints = [
            models.UniqueConstraint(fields=["user", "lesson"], name="progress_once_per_lesson")
        ]
        indexes = [models.Index(fields=["updated_at"], name="progress_newest")]

    def __str__(self) -> str:
        return f"{self.user_id} {self.lesson_id}"
