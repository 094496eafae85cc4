"""The video of a live session: who may send it, whether it comes, and what was recorded."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from streams.models.sessions import LiveSession


class StreamKey(models.Model):
    """What proves to the video server that a seller sends; only its digest is kept.

    `active_of` is the seller while the key is valid, so that each has one at most.
    """

    seller = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", verbose_name=_("seller")
    )
    active_of = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True, related_name="+"
    )
    digest = models.CharField(max_length=64, unique=True, editable=False)
    ending = models.CharField(_("ends in"), max_length=4, editable=False)
    created_at = models.DateTimeField(_("made at"), default=timezone.now)
    revoked_at = models.DateTimeField(_("revoked at"), null=True, blank=True)

    class Meta:
        verbose_name = _("stream key")
        verbose_name_plural = _("stream keys")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(active_of__isnull=True) | models.Q(revoked_at__isnull=True),
                name="stream_key_active_or_revoked",
            )
        ]

    def __str__(self) -> str:
        return f"…{self.ending}"


class Broadcast(models.Model):
    """The video of one live session; no row while nothing is known of it.

    `external_url` is an HLS address of a seller who streams elsewhere. `is_on_air` follows the
    video server; `dropped_at` is set while a stream that had begun is away. `recording` is the
    path of the replay below MEDIA_ROOT, its `recorded_from` the moment at which it begins.
    """

    live_session = models.OneToOneField(
        LiveSession, models.CASCADE, related_name="broadcast", primary_key=True
    )
    external_url = models.URLField(_("HLS address"), max_length=500, blank=True)
    is_on_air = models.BooleanField(_("on air"), default=False)
    on_air_since = models.DateTimeField(_("on air since"), null=True, blank=True)
    dropped_at = models.DateTimeField(_("dropped at"), null=True, blank=True)
    last_heard_at = models.DateTimeField(_("last heard of"), null=True, blank=True)
    n_drops = models.PositiveIntegerField(_("interruptions"), default=0)
    kbps = models.PositiveIntegerField(_("kbit/s"), null=True, blank=True)
    recording = models.CharField(_("recording"), max_length=200, blank=True)
    recorded_from = models.DateTimeField(_("recorded from"), null=True, blank=True)
    recorded_seconds = models.PositiveIntegerField(_("recorded seconds"), null=True, blank=True)

    class Meta:
        verbose_name = _("broadcast")
        verbose_name_plural = _("broadcasts")

    def __str__(self) -> str:
        return str(self.live_session_id)
