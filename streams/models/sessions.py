"""Live sessions: when, by whom, showing what, what was ordered there and who waits for it."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from catalog.models import Coupon, Course, Order, Promotion
from streams.querysets import LiveSessionQuerySet


class SessionStatus(models.TextChoices):
    DRAFT = "draft", _("draft")
    SCHEDULED = "scheduled", _("scheduled")
    LIVE = "live", _("live")
    ENDED = "ended", _("ended")
    REPLAY = "replay", _("replay")


class LiveSession(models.Model):
    """One scheduled or running broadcast of one seller."""

    seller = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        related_name="live_sessions",
        verbose_name=_("seller"),
    )
    title = models.CharField(_("title"), max_length=120)
    summary = models.CharField(_("summary"), max_length=300, blank=True)
    status = models.CharField(
        _("status"), max_length=9, choices=SessionStatus.choices, default=SessionStatus.DRAFT
    )
    scheduled_at = models.DateTimeField(_("scheduled for"), null=True, blank=True)
    planned_minutes = models.PositiveSmallIntegerField(
        _("planned minutes"), default=60, validators=[MinValueValidator(1)]
    )
    started_at = models.DateTimeField(_("started at"), null=True, blank=True)
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)
    pinned = models.ForeignKey(
        "ShowcaseItem",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("pinned now"),
    )
    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    import_source = models.CharField(_("imported from"), max_length=40, blank=True, default="")
    external_id = models.CharField(
        _("id there"),
        max_length=64,
        null=True,
        blank=True,
    )

    objects = LiveSessionQuerySet.as_manager()

    class Meta:
        verbose_name = _("live session")
        verbose_name_plural = _("live sessions")
        constraints = [
            models.UniqueConstraint(
                fields=["import_source", "external_id"], name="session_import_id"
            ),
            models.CheckConstraint(
                condition=Q(status__in=SessionStatus.values), name="session_status_known"
            ),
            models.CheckConstraint(
                condition=~Q(status=SessionStatus.SCHEDULED) | Q(scheduled_at__isnull=False),
                name="session_scheduled_for",
            ),
            models.CheckConstraint(
                condition=~Q(status__in=["live", "ended", "replay"]) | Q(started_at__isnull=False),
                name="session_started_since",
            ),
            models.CheckConstraint(
                condition=~Q(status__in=["ended", "replay"]) | Q(ended_at__isnull=False),
                name="session_ended_since",
            ),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True) | Q(ended_at__gte=F("started_at")),
                name="session_ends_after_start",
            ),
        ]
        indexes = [
            models.Index(fields=["status", "scheduled_at"], name="session_coming_up"),
            models.Index(fields=["status", "-ended_at", "-id"], name="session_finished"),
            models.Index(fields=["seller", "-scheduled_at"], name="session_of_seller"),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def is_live(self) -> bool:
        return self.status == SessionStatus.LIVE


class ChangeCause(models.TextChoices):
    SELLER = "seller", _("the seller")
    STREAM = "stream", _("the stream")
    CLOCK = "clock", _("the clock")


class SessionChange(models.Model):
    """One change of the status of a live session: an append-only record."""

    live_session = models.ForeignKey(LiveSession, models.CASCADE, related_name="changes")
    before = models.CharField(_("before"), max_length=9, choices=SessionStatus.choices)
    after = models.CharField(_("after"), max_length=9, choices=SessionStatus.choices)
    cause = models.CharField(_("caused by"), max_length=8, choices=ChangeCause.choices)
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("changed by"),
    )
    changed_at = models.DateTimeField(_("changed at"))

    class Meta:
        verbose_name = _("change of a live session")
        verbose_name_plural = _("changes of live sessions")
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(before=F("after")), name="session_change_changes_something"
            )
        ]

    def __str__(self) -> str:
        return f"{self.live_session_id} {self.before} → {self.after}"


class ShowcaseItem(models.Model):
    """One course in the showcase of one live session, at its place."""

    live_session = models.ForeignKey(LiveSession, models.CASCADE, related_name="showcase")
    course = models.ForeignKey(Course, models.PROTECT, related_name="+", verbose_name=_("course"))
    position = models.PositiveSmallIntegerField(_("position"), default=0)

    class Meta:
        verbose_name = _("course in the showcase")
        verbose_name_plural = _("showcase")
        ordering = ["position", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["live_session", "course"], name="showcase_holds_course_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.position}. {self.course}"


class PinnedSpan(models.Model):
    """From when until when a course was pinned in a live session: chapters, and marks on curves."""

    live_session = models.ForeignKey(LiveSession, models.CASCADE, related_name="pinned_spans")
    course = models.ForeignKey(Course, models.PROTECT, related_name="+", verbose_name=_("course"))
    pinned_at = models.DateTimeField(_("pinned at"))
    unpinned_at = models.DateTimeField(_("until"), null=True, blank=True)

    class Meta:
        verbose_name = _("time of a pinned course")
        verbose_name_plural = _("times of pinned courses")
        ordering = ["pinned_at", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(unpinned_at__isnull=True) | Q(unpinned_at__gte=F("pinned_at")),
                name="pinned_span_ends_after_start",
            )
        ]

    def __str__(self) -> str:
        return f"{self.live_session_id} {self.course_id} {self.pinned_at}"


class SessionPromotion(models.Model):
    """A promotion that holds in one live session alone."""

    live_session = models.ForeignKey(LiveSession, models.CASCADE, related_name="promotions")
    promotion = models.OneToOneField(
        Promotion, models.CASCADE, related_name="+", verbose_name=_("promotion")
    )

    class Meta:
        verbose_name = _("promotion of a live session")
        verbose_name_plural = _("promotions of a live session")

    def __str__(self) -> str:
        return f"{self.live_session_id} {self.promotion_id}"


class SessionCoupon(models.Model):
    """A coupon that is handed out in a live session."""

    live_session = models.ForeignKey(LiveSession, models.CASCADE, related_name="coupons")
    coupon = models.ForeignKey(Coupon, models.CASCADE, related_name="+", verbose_name=_("coupon"))

    class Meta:
        verbose_name = _("coupon of a live session")
        verbose_name_plural = _("coupons of a live session")
        constraints = [
            models.UniqueConstraint(
                fields=["live_session", "coupon"], name="session_hands_out_coupon_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.live_session_id} {self.coupon_id}"


class OrderAttribution(models.Model):
    """The live session from which an order came."""

    order = models.OneToOneField(Order, models.CASCADE, related_name="+", primary_key=True)
    live_session = models.ForeignKey(LiveSession, models.PROTECT, related_name="attributed_orders")

    class Meta:
        verbose_name = _("attribution of an order")
        verbose_name_plural = _("attributions of orders")

    def __str__(self) -> str:
        return f"{self.order_id} {self.live_session_id}"


class Reminder(models.Model):
    """A viewer's wish to be told when a session is about to begin; sent once."""

    live_session = models.ForeignKey(LiveSession, models.CASCADE, related_name="reminders")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", verbose_name=_("viewer")
    )
    created_at = models.DateTimeField(_("asked at"), default=timezone.now)
    sent_at = models.DateTimeField(_("sent at"), null=True, blank=True)

    class Meta:
        verbose_name = _("reminder")
        verbose_name_plural = _("reminders")
        constraints = [
            models.UniqueConstraint(fields=["live_session", "user"], name="reminder_once")
        ]
        indexes = [models.Index(fields=["sent_at", "live_session"], name="reminder_due")]

    def __str__(self) -> str:
        return f"{self.live_session_id} {self.user_id}"
