"""What viewers did (events) and what the platform derived from it (results, each with its run).

No row here puts a reverse name on another app's model.
"""

from __future__ import annotations

from decimal import Decimal

from django.conf import settings
from django.db import models
from django.db.models import F, Q, Value
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from analytics.methods.rates import Rate
from analytics.querysets import (
    CourseResultQuerySet,
    EventQuerySet,
    ModelRunQuerySet,
    SessionResultQuerySet,
)
from catalog.models import Course
from streams.models import LiveSession

# What a release that does not know a new column leaves in it.
EMPTY = Value({}, output_field=models.JSONField())


class EventKind(models.IntegerChoices):
    """What a viewer can do. Stored as a small number; the API speaks the lower-case name."""

    IMPRESSION = 1, _("impression")
    VIEW = 2, _("view")
    CLICK = 3, _("click")
    WATCH = 4, _("watch")
    CHAT = 5, _("chat")
    LIKE = 6, _("like")
    SHARE = 7, _("share")
    ADD_TO_CART = 8, _("add to cart")
    PURCHASE = 9, _("purchase")
    LESSON_PROGRESS = 10, _("lesson progress")

    @property
    def api_name(self) -> str:
        return self.name.lower()


class Event(models.Model):
    """One thing that one viewer did. Append-only.

    `uuid` is made by the client, so that what is sent twice is stored once. An event
    imported from a source that knows only an order has a `position` instead of a time.
    `value` is in the unit of its kind: seconds for watch and lesson progress, the amount
    for purchase, the number of likes for like.
    """

    uuid = models.UUIDField(unique=True)
    kind = models.PositiveSmallIntegerField(_("kind"), choices=EventKind.choices)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        verbose_name=_("viewer"),
    )
    visitor_id = models.UUIDField(_("anonymous visitor"), null=True, blank=True)
    course = models.ForeignKey(
        Course,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        verbose_name=_("course"),
    )
    live_session = models.ForeignKey(
        LiveSession,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        verbose_name=_("live session"),
    )
    value = models.FloatField(_("value"), null=True, blank=True)
    occurred_at = models.DateTimeField(_("happened at"), null=True, blank=True)
    position = models.PositiveIntegerField(_("position in its source"), null=True, blank=True)
    received_at = models.DateTimeField(_("received at"), default=timezone.now)

    objects = EventQuerySet.as_manager()

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        constraints = [
            models.CheckConstraint(
                condition=Q(user__isnull=False) | Q(visitor_id__isnull=False),
                name="event_has_somebody",
            ),
            models.CheckConstraint(
                condition=Q(occurred_at__isnull=False) | Q(position__isnull=False),
                name="event_has_time_or_position",
            ),
            models.CheckConstraint(condition=Q(kind__in=EventKind.values), name="event_kind_known"),
        ]
        indexes = [
            # With all that is asked of a person's events: each lies on another page of the table.
            models.Index(
                fields=["user", "occurred_at", "position", "kind", "course"], name="events_of_user"
            ),
            models.Index(fields=["visitor_id", "occurred_at"], name="event_of_visitor"),
            models.Index(fields=["course", "kind", "occurred_at"], name="event_of_course"),
            models.Index(fields=["live_session", "kind", "occurred_at"], name="event_of_session"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.uuid}"


class ImportRun(models.Model):
    """One file being imported: how far it came, so that a repeated command goes on from there."""

    target = models.CharField(_("target"), max_length=16)
    file_name = models.CharField(_("file"), max_length=255)
    fingerprint = models.CharField(
        _("fingerprint"), max_length=64, help_text=_("SHA-256 of the file and of the options.")
    )
    byte_offset = models.BigIntegerField(_("bytes done"), default=0)
    n_lines = models.BigIntegerField(_("lines read"), default=0)
    n_stored = models.BigIntegerField(_("rows stored"), default=0)
    n_unchanged = models.BigIntegerField(_("rows already there"), default=0)
    n_refused = models.BigIntegerField(_("rows refused"), default=0)
    started_at = models.DateTimeField(_("started at"), default=timezone.now)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)

    class Meta:
        verbose_name = _("import")
        verbose_name_plural = _("imports")
        constraints = [
            models.UniqueConstraint(fields=["target", "fingerprint"], name="import_of_file_once")
        ]

    def __str__(self) -> str:
        return f"{self.target} {self.file_name}"


class Task(models.TextChoices):
    """The results that the platform computes, one pipeline each."""

    PROFILES = "profiles", _("profiles")
    RECOMMEND = "recommend", _("recommendations")
    FIGURES = "figures", _("session figures")
    CONVERSION = "conversion", _("conversion forecast")
    LEARNING = "learning", _("learning")
    RETENTION = "retention", _("retention")


class RunOutcome(models.TextChoices):
    RUNNING = "running", _("running")
    SERVED = "served", _("served")
    KEPT_OUT = "kept_out", _("kept out: worse than what is served")
    FAILED = "failed", _("failed")


class ModelRun(models.Model):
    """One fit or computation: from what, how, how good, how long, and what became of it."""

    task = models.CharField(_("task"), max_length=16, choices=Task.choices)
    method = models.CharField(_("method"), max_length=60, blank=True)
    outcome = models.CharField(
        _("outcome"), max_length=8, choices=RunOutcome.choices, default=RunOutcome.RUNNING
    )
    parameters = models.JSONField(_("parameters"), default=dict, blank=True)
    scores = models.JSONField(_("scores"), default=list, blank=True)
    figures = models.JSONField(_("figures"), default=dict, db_default=EMPTY, blank=True)
    model_file = models.CharField(
        _("model file"), max_length=200, default="", db_default="", blank=True
    )
    model_sha256 = models.CharField(
        _("SHA-256 of the model file"), max_length=64, default="", db_default="", blank=True
    )
    window_start = models.DateTimeField(_("data from"), null=True, blank=True)
    window_end = models.DateTimeField(_("data up to"), null=True, blank=True)
    last_event_id = models.BigIntegerField(_("last event"), default=0)
    n_rows = models.BigIntegerField(_("rows read"), default=0)
    n_results = models.BigIntegerField(_("rows written"), default=0)
    fit_seconds = models.FloatField(_("seconds to fit"), null=True, blank=True)
    seconds = models.FloatField(_("seconds in all"), null=True, blank=True)
    peak_mb = models.FloatField(_("peak memory, MB"), null=True, blank=True)
    message = models.TextField(_("what happened"), blank=True)
    started_at = models.DateTimeField(_("started at"), default=timezone.now)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)

    objects = ModelRunQuerySet.as_manager()

    class Meta:
        verbose_name = _("model run")
        verbose_name_plural = _("model runs")
        constraints = [
            models.CheckConstraint(condition=Q(task__in=Task.values), name="run_task_known"),
            models.CheckConstraint(
                condition=Q(outcome__in=RunOutcome.values), name="run_outcome_known"
            ),
        ]
        indexes = [models.Index(fields=["task", "-started_at"], name="run_newest")]

    def __str__(self) -> str:
        return f"{self.get_task_display()} #{self.pk}"


class ServedRun(models.Model):
    """Which run is shown for a task: the one row that a finished fit moves."""

    task = models.CharField(_("task"), max_length=16, primary_key=True, choices=Task.choices)
    run = models.OneToOneField(ModelRun, models.PROTECT, related_name="servedrun")
    since = models.DateTimeField(_("since"), default=timezone.now)

    class Meta:
        verbose_name = _("served run")
        verbose_name_plural = _("served runs")

    def __str__(self) -> str:
        return f"{self.task} #{self.run_id}"


class Stage(models.TextChoices):
    NEWCOMER = "newcomer", _("newcomer")
    ACTIVE = "active", _("active")
    SLIPPING = "slipping", _("slipping")
    GONE = "gone", _("gone")


class Profile(models.Model):
    """What the platform derived about one person; each value beside the events behind it."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        related_name="+",
        primary_key=True,
        verbose_name=_("viewer"),
    )
    run = models.ForeignKey(ModelRun, models.PROTECT, related_name="+", db_index=False)
    version = models.PositiveIntegerField(_("build"), default=1)
    n_events = models.PositiveIntegerField(_("events"), default=0)
    interests = models.JSONField(_("interests"), default=list, blank=True)
    favourite_hours = models.JSONField(_("favourite hours"), default=list, blank=True)
    price_band = models.CharField(_("price band"), max_length=8, blank=True)
    price = models.JSONField(_("price sensitivity"), default=dict, db_default=EMPTY, blank=True)
    stage = models.CharField(_("stage"), max_length=8, choices=Stage.choices, blank=True)
    engagement = models.JSONField(_("engagement"), default=dict, blank=True)
    state = models.JSONField(_("sums to build on"), default=dict, blank=True)
    last_active_at = models.DateTimeField(_("last active"), null=True, blank=True)
    built_at = models.DateTimeField(_("built at"), default=timezone.now)

    class Meta:
        verbose_name = _("profile")
        verbose_name_plural = _("profiles")
        constraints = [
            models.CheckConstraint(
                condition=Q(stage__in=["", *Stage.values]), name="profile_stage_known"
            )
        ]
        indexes = [models.Index(fields=["stage"], name="profile_stage")]

    def __str__(self) -> str:
        return f"{self.user_id}"


class ProfileCorrection(models.Model):
    """What one person said of one part of their profile: switched off, or put right.

    `subject` is "interests" (all), "hours", "price", "stage", "engagement", or "interest:" and the
    id of a category. `value` is what they put in its place, None where it is only switched off.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", verbose_name=_("viewer")
    )
    subject = models.CharField(_("part of the profile"), max_length=40)
    is_off = models.BooleanField(_("switched off"), default=False)
    value = models.JSONField(_("instead"), null=True, blank=True)
    changed_at = models.DateTimeField(_("changed at"), default=timezone.now)

    class Meta:
        verbose_name = _("correction of a profile")
        verbose_name_plural = _("corrections of profiles")
        constraints = [
            models.UniqueConstraint(fields=["user", "subject"], name="correction_once_per_subject")
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.subject}"


class ListExposure(models.Model):
    """How often lists of recommendations showed one course on one day (platform's zone).

    Counts only, of nobody in particular; `n_explored` of `n_shown` were given to a new course
    so that something is learned about it.
    """

    day = models.DateField(_("day"))
    course = models.ForeignKey(Course, models.CASCADE, related_name="+", verbose_name=_("course"))
    n_shown = models.PositiveBigIntegerField(_("times shown"), default=0)
    n_explored = models.PositiveBigIntegerField(_("of them to try it out"), default=0)

    class Meta:
        verbose_name = _("exposure in lists")
        verbose_name_plural = _("exposures in lists")
        constraints = [
            models.UniqueConstraint(fields=["day", "course"], name="exposure_once_per_day"),
            models.CheckConstraint(
                condition=Q(n_explored__lte=F("n_shown")), name="exposure_explored_within_shown"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.course_id}"


class PopularCourses(models.Model):
    """What newcomers and people without personalisation are shown, in one run."""

    run = models.OneToOneField(ModelRun, models.CASCADE, related_name="+", primary_key=True)
    items = models.JSONField(_("courses"), default=list)

    class Meta:
        verbose_name = _("popular courses")
        verbose_name_plural = _("popular courses")

    def __str__(self) -> str:
        return f"#{self.run_id}"


class FigureSource(models.TextChoices):
    MEASURED = "measured", _("measured here")
    IMPORTED = "imported", _("imported")


class SessionFigures(models.Model):
    """The counts of one live session, by the platform's definitions.

    Sales are those of its seller's own courses: an order from the session may hold another's.
    `sales` divides them by "promotions" and by "coupons", each a list of {"id": or null for sales
    without one, "n_orders", "n_buyers", "gmv", "net_sales": decimal strings, "currency"}, with
    "promotion_price" or "coupon_code" at the time of counting. None where only sums are known.
    """

    live_session = models.OneToOneField(
        LiveSession,
        models.CASCADE,
        related_name="+",
        primary_key=True,
        verbose_name=_("live session"),
    )
    source = models.CharField(
        _("source"), max_length=8, choices=FigureSource.choices, default=FigureSource.MEASURED
    )
    n_impressions = models.PositiveIntegerField(_("impressions"), default=0)
    n_views = models.PositiveIntegerField(_("views"), default=0)
    n_clicks = models.PositiveIntegerField(_("clicks"), default=0)
    n_viewers = models.PositiveIntegerField(_("viewers"), default=0)
    n_buyers = models.PositiveIntegerField(_("buyers"), default=0)
    n_orders = models.PositiveIntegerField(_("orders"), default=0)
    peak_viewers = models.PositiveIntegerField(_("peak viewers"), null=True, blank=True)
    watched_seconds = models.PositiveBigIntegerField(_("watched seconds"), default=0)
    gmv = models.DecimalField(_("GMV"), max_digits=14, decimal_places=2, default=0)
    net_sales = models.DecimalField(_("net sales"), max_digits=14, decimal_places=2, default=0)
    currency = models.CharField(_("currency"), max_length=3, default="CNY")
    sales = models.JSONField(_("sales by offer"), null=True, blank=True, editable=False)
    updated_at = models.DateTimeField(_("updated at"), default=timezone.now)

    objects = SessionResultQuerySet.as_manager()

    class Meta:
        verbose_name = _("figures of a live session")
        verbose_name_plural = _("figures of live sessions")
        constraints = [
            models.CheckConstraint(
                condition=Q(n_buyers__lte=F("n_viewers")), name="figures_buyers_are_viewers"
            ),
            models.CheckConstraint(
                condition=Q(net_sales__lte=F("gmv")), name="figures_net_within_gmv"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.live_session_id}"

    @property
    def conversion(self) -> Rate:
        """Distinct buyers of distinct viewers."""
        return Rate(self.n_buyers, self.n_viewers)

    @property
    def click_through(self) -> Rate | None:
        """Clicks of impressions; None where more clicks than impressions were recorded, since
        then some impressions were not."""
        if self.n_clicks > self.n_impressions:
            return None
        return Rate(self.n_clicks, self.n_impressions)

    @property
    def refunded(self) -> Decimal:
        """What was paid and given back."""
        return self.gmv - self.net_sales

    @property
    def average_watch_seconds(self) -> float | None:
        """Watched seconds per distinct viewer; None without viewers."""
        return self.watched_seconds / self.n_viewers if self.n_viewers else None


class Forecast(models.Model):
    """The expected conversion rate of one scheduled session, with its interval, as shares."""

    live_session = models.OneToOneField(
        LiveSession,
        models.CASCADE,
        related_name="+",
        primary_key=True,
        verbose_name=_("live session"),
    )
    run = models.ForeignKey(ModelRun, models.PROTECT, related_name="+", db_index=False)
    expected_rate = models.FloatField(_("expected conversion rate"))
    low = models.FloatField(_("low end"))
    high = models.FloatField(_("high end"))
    level = models.FloatField(_("probability of the interval"))
    basis = models.CharField(_("based on"), max_length=60)
    best_hours = models.JSONField(_("by hour"), default=list, blank=True)
    made_at = models.DateTimeField(_("made at"), default=timezone.now)

    objects = SessionResultQuerySet.as_manager()

    class Meta:
        verbose_name = _("conversion forecast")
        verbose_name_plural = _("conversion forecasts")
        constraints = [
            models.CheckConstraint(
                condition=Q(low__gte=0)
                & Q(low__lte=F("expected_rate"))
                & Q(expected_rate__lte=F("high"))
                & Q(high__lte=1),
                name="forecast_interval_holds_rate",
            )
        ]

    def __str__(self) -> str:
        return f"{self.live_session_id}"


class UserRetention(models.Model):
    """Retention of one person: longest run of consecutive active days of all active days."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        related_name="+",
        primary_key=True,
        verbose_name=_("viewer"),
    )
    n_active_days = models.PositiveIntegerField(_("active days"))
    longest_run = models.PositiveIntegerField(_("longest run of days"))
    current_streak = models.PositiveIntegerField(_("current streak"), default=0)
    first_day = models.DateField(_("first active day"))
    last_day = models.DateField(_("last active day"))
    updated_at = models.DateTimeField(_("updated at"), default=timezone.now)

    class Meta:
        verbose_name = _("retention of a viewer")
        verbose_name_plural = _("retention of viewers")
        constraints = [
            models.CheckConstraint(
                condition=Q(n_active_days__gte=1)
                & Q(longest_run__gte=1)
                & Q(longest_run__lte=F("n_active_days"))
                & Q(current_streak__lte=F("longest_run")),
                name="retention_run_within_days",
            )
        ]

    def __str__(self) -> str:
        return f"{self.user_id}"

    @property
    def rate(self) -> Rate:
        """Longest run of consecutive active days of all active days."""
        return Rate(self.longest_run, self.n_active_days)


class CourseRetention(models.Model):
    """Retention and satisfaction of one course.

    `cohorts` is a list of {"day": n, "cohort": people observable on day n, "returned": of them}.
    """

    course = models.OneToOneField(
        Course,
        models.CASCADE,
        related_name="+",
        primary_key=True,
        verbose_name=_("course"),
    )
    n_learners = models.PositiveIntegerField(_("learners"), default=0)
    n_active_days = models.PositiveIntegerField(_("active days"), default=0)
    longest_run_days = models.PositiveIntegerField(_("days in longest runs"), default=0)
    cohorts = models.JSONField(_("cohort retention"), default=list, blank=True)
    n_ratings = models.PositiveIntegerField(_("ratings"), default=0)
    rating_sum = models.PositiveIntegerField(_("sum of ratings"), default=0)
    updated_at = models.DateTimeField(_("updated at"), default=timezone.now)

    objects = CourseResultQuerySet.as_manager()

    class Meta:
        verbose_name = _("retention of a course")
        verbose_name_plural = _("retention of courses")
        constraints = [
            models.CheckConstraint(
                condition=Q(longest_run_days__lte=F("n_active_days")),
                name="course_retention_runs_within_days",
            )
        ]

    def __str__(self) -> str:
        return f"{self.course_id}"

    @property
    def rate(self) -> Rate:
        """Days in the learners' longest runs of all their active days."""
        return Rate(self.longest_run_days, self.n_active_days)

    @property
    def rating_mean(self) -> float | None:
        """Stars, 1 to 5; None without ratings."""
        return self.rating_sum / self.n_ratings if self.n_ratings else None


class CohortRetention(models.Model):
    """Dn of the platform: of the people first active in one week, who were active on day n."""

    cohort_week = models.DateField(_("first active in the week of"))
    day = models.PositiveSmallIntegerField(_("day"))
    n_cohort = models.PositiveIntegerField(_("people"))
    n_returned = models.PositiveIntegerField(_("active again"))

    class Meta:
        verbose_name = _("cohort retention")
        verbose_name_plural = _("cohort retention")
        ordering = ["cohort_week", "day"]
        constraints = [
            models.UniqueConstraint(fields=["cohort_week", "day"], name="cohort_day_once"),
            models.CheckConstraint(
                condition=Q(n_returned__lte=F("n_cohort")), name="cohort_returned_within"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.cohort_week} D{self.day}"

    @property
    def rate(self) -> Rate:
        """Of the people first active in that week, those active again on day n."""
        return Rate(self.n_returned, self.n_cohort)


class LearningSummary(models.Model):
    """How one person learns one course; `path` is the order in which lessons were opened."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", verbose_name=_("learner")
    )
    course = models.ForeignKey(
        Course, models.CASCADE, related_name="+", db_index=False, verbose_name=_("course")
    )
    study_seconds = models.PositiveIntegerField(_("study time, seconds"), default=0)
    n_active_days = models.PositiveIntegerField(_("active days"), default=0)
    days_per_week = models.FloatField(_("active days per week"), default=0)
    n_opened = models.PositiveIntegerField(_("lessons opened"), default=0)
    n_completed = models.PositiveIntegerField(_("lessons completed"), default=0)
    n_lessons = models.PositiveIntegerField(_("lessons"), default=0)
    path = models.JSONField(_("path"), default=list, blank=True)
    is_struggling = models.BooleanField(_("struggling"), default=False)
    easier = models.ForeignKey(
        Course,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("something easier"),
    )
    last_studied_at = models.DateTimeField(_("last studied"), null=True, blank=True)
    updated_at = models.DateTimeField(_("updated at"), default=timezone.now)

    objects = CourseResultQuerySet.as_manager()

    class Meta:
        verbose_name = _("learning summary")
        verbose_name_plural = _("learning summaries")
        constraints = [
            models.UniqueConstraint(fields=["user", "course"], name="learning_once"),
            models.CheckConstraint(
                condition=Q(n_completed__lte=F("n_opened")) & Q(n_opened__lte=F("n_lessons")),
                name="learning_counts_ordered",
            ),
        ]
        indexes = [models.Index(fields=["course", "is_struggling"], name="learning_of_course")]

    def __str__(self) -> str:
        return f"{self.user_id} {self.course_id}"
