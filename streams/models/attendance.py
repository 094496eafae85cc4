"""Who is in a live room and for how long they watched."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from streams.models.sessions import LiveSession


class Source(models.TextChoices):
    """From where somebody came into a live room."""

    HOME = "home", _("home page")
    LIST = "list", _("list of live sessions")
    COURSE = "course", _("page of a course")
    REMINDER = "reminder", _("reminder")
    SHARE = "share", _("shared link")
    SEARCH = "search", _("search engine")
    DIRECT = "direct", _("direct")
    APP = "app", _("app")
    OTHER = "other", _("elsewhere")


class Visit(models.Model):
    """One stay of one viewer in a live room, from opening the page until leaving it.

    `key` is made by the client, so that a lost connection goes on with the same stay.
    `watched_seconds` counts what was seen with the page in sight; it only grows.
    """

    key = models.UUIDField(unique=True)
    live_session = models.ForeignKey(
        LiveSession, models.CASCADE, related_name="visits", verbose_name=_("live session")
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("viewer"),
    )
    visitor_id = models.UUIDField(_("anonymous visitor"), null=True, blank=True)
    source = models.CharField(
        _("came from"), max_length=8, choices=Source.choices, default=Source.DIRECT
    )
    joined_at = models.DateTimeField(_("came at"))
    last_seen_at = models.DateTimeField(_("last seen at"))
    watched_seconds = models.PositiveIntegerField(_("watched seconds"), default=0)
    n_likes = models.PositiveIntegerField(_("likes"), default=0)

    class Meta:
        verbose_name = _("visit of a live room")
        verbose_name_plural = _("visits of live rooms")
        constraints = [
            models.CheckConstraint(
                condition=Q(user__isnull=False) | Q(visitor_id__isnull=False),
                name="visit_has_somebody",
            ),
            models.CheckConstraint(
                condition=Q(last_seen_at__gte=F("joined_at")), name="visit_ends_after_start"
            ),
            models.CheckConstraint(
                condition=Q(source__in=Source.values), name="visit_source_known"
            ),
        ]
        indexes = [models.Index(fields=["live_session", "last_seen_at"], name="visit_last_seen")]

    def __str__(self) -> str:
        return str(self.key)


class RoomPresence(models.Model):
    """The viewers that one process holds in one live room, as it last said.

    `viewers` are their keyed hashes, 8 bytes each, sorted: the union over the processes counts a
    viewer with pages in two of them once. A process that is gone says nothing any more, and its
    row counts no longer.
    """

    live_session = models.ForeignKey(LiveSession, models.CASCADE, related_name="+")
    process = models.UUIDField()
    viewers = models.BinaryField()
    seen_at = models.DateTimeField()

    class Meta:
        verbose_name = _("presence in a live room")
        verbose_name_plural = _("presences in live rooms")
        constraints = [
            models.UniqueConstraint(
                fields=["live_session", "process"], name="presence_of_process_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.live_session_id} {self.process}"


class RoomMinute(models.Model):
    """One minute of a live room, for its curve; counts are those within the minute."""

    live_session = models.ForeignKey(LiveSession, models.CASCADE, related_name="+")
    minute = models.DateTimeField(_("minute"))
    n_viewers = models.PositiveIntegerField(_("most viewers at once"), default=0)
    n_likes = models.PositiveIntegerField(_("likes"), default=0)

    class Meta:
        verbose_name = _("minute of a live room")
        verbose_name_plural = _("minutes of live rooms")
        ordering = ["minute"]
        constraints = [
            models.UniqueConstraint(fields=["live_session", "minute"], name="room_minute_once")
        ]

    def __str__(self) -> str:
        return f"{self.live_session_id} {self.minute:%H:%M}"
