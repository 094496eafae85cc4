"""What is sold: courses, e-books and consultations, by field of knowledge."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from catalog.models.money import DEFAULT_CURRENCY, money_field
from catalog.private_files import private_storage
from catalog.querysets import CourseQuerySet


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
    file = models.FileField(_("file"), upload_to="lessons/", storage=private_storage, blank=True)
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


class ConsultationSlot(models.Model):
    """A time at which a consultation can take place; `purchase` is the one that has taken it."""

    course = models.ForeignKey(
        Course, models.CASCADE, related_name="slots", verbose_name=_("consultation")
    )
    starts_at = models.DateTimeField(_("starts at"))
    ends_at = models.DateTimeField(_("ends at"))
    purchase = models.OneToOneField(
        "catalog.Purchase",
        models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="slot",
        verbose_name=_("taken by"),
    )

    class Meta:
        verbose_name = _("time of a consultation")
        verbose_name_plural = _("times of consultations")
        ordering = ["starts_at", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["course", "starts_at"], name="slot_once_per_start"),
            models.CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="slot_window"),
        ]

    def __str__(self) -> str:
        return f"{self.course_id} {self.starts_at:%Y-%m-%d %H:%M}"
