"""What learners do with a course: how far they are, and what they think of it."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from catalog.models.courses import Course, Lesson

HIGHEST_RATING = 5


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
