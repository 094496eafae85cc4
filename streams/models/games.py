"""What viewers take part in: polls and lucky draws."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from streams.models.sessions import LiveSession


class Poll(models.Model):
    """A question with a few answers, open from when it is asked until it is closed."""

    live_session = models.ForeignKey(LiveSession, models.CASCADE, related_name="polls")
    question = models.CharField(_("question"), max_length=200)
    opened_at = models.DateTimeField(_("asked at"), default=timezone.now)
    closed_at = models.DateTimeField(_("closed at"), null=True, blank=True)

    class Meta:
        verbose_name = _("poll")
        verbose_name_plural = _("polls")
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(closed_at__isnull=True) | Q(closed_at__gte=F("opened_at")),
                name="poll_closes_after_it_opened",
            )
        ]

    def __str__(self) -> str:
        return self.question


class PollOption(models.Model):
    """One answer to choose."""

    poll = models.ForeignKey(Poll, models.CASCADE, related_name="options")
    text = models.CharField(_("answer"), max_length=80)
    position = models.PositiveSmallIntegerField(_("position"))

    class Meta:
        verbose_name = _("answer of a poll")
        verbose_name_plural = _("answers of a poll")
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["poll", "position"], name="poll_option_once")
        ]

    def __str__(self) -> str:
        return self.text


class PollVote(models.Model):
    """What one viewer chose: one vote each, which stands."""

    poll = models.ForeignKey(Poll, models.CASCADE, related_name="votes")
    option = models.ForeignKey(PollOption, models.CASCADE, related_name="votes")
    voter = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    voted_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = _("vote")
        verbose_name_plural = _("votes")
        constraints = [models.UniqueConstraint(fields=["poll", "voter"], name="poll_vote_once")]

    def __str__(self) -> str:
        return f"{self.poll_id} {self.option_id}"


class Draw(models.Model):
    """A lucky draw whose outcome is fixed by a secret that nobody sees before it is over.

    `commitment` is the SHA-256 of `secret` and is published when the draw opens; `secret` is
    published with the winners, so that everybody can compute the same ones from the entries.
    """

    live_session = models.ForeignKey(LiveSession, models.CASCADE, related_name="draws")
    prize = models.CharField(_("prize"), max_length=120)
    n_winners = models.PositiveSmallIntegerField(
        _("winners"), default=1, validators=[MinValueValidator(1), MaxValueValidator(100)]
    )
    secret = models.CharField(max_length=64, editable=False)
    commitment = models.CharField(_("commitment"), max_length=64, editable=False)
    opened_at = models.DateTimeField(_("opened at"), default=timezone.now)
    closes_at = models.DateTimeField(_("closes at"))
    drawn_at = models.DateTimeField(_("drawn at"), null=True, blank=True)

    class Meta:
        verbose_name = _("lucky draw")
        verbose_name_plural = _("lucky draws")
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(condition=Q(n_winners__range=(1, 100)), name="draw_has_winners"),
            models.CheckConstraint(
                condition=Q(closes_at__gt=F("opened_at")), name="draw_closes_after_it_opened"
            ),
        ]

    def __str__(self) -> str:
        return self.prize


class DrawEntry(models.Model):
    """One viewer in a draw; `ticket` stands for them in public. `place` 1 is the first winner."""

    draw = models.ForeignKey(Draw, models.CASCADE, related_name="entries")
    entrant = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    ticket = models.CharField(_("ticket"), max_length=16)
    entered_at = models.DateTimeField(_("entered at"), default=timezone.now)
    place = models.PositiveSmallIntegerField(_("place"), null=True, blank=True)

    class Meta:
        verbose_name = _("entry of a draw")
        verbose_name_plural = _("entries of a draw")
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["draw", "entrant"], name="draw_entered_once"),
            models.UniqueConstraint(fields=["draw", "ticket"], name="draw_ticket_once"),
            models.UniqueConstraint(fields=["draw", "place"], name="draw_place_once"),
        ]

    def __str__(self) -> str:
        return self.ticket
