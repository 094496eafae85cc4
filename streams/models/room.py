"""The live room: what is said in it, by which rules, and what its processes know of each other."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from streams.models.sessions import LiveSession


class Room(models.Model):
    """What changes often in a live room; apart from its session, whose row orders share-lock.

    `version` counts the changes of everything that the room shows but chat and likes. Whoever
    writes a message locks this row first: so the ids of the messages of one room come in the
    order of their commits, and reading on from the last id misses none.
    """

    live_session = models.OneToOneField(
        LiveSession, models.CASCADE, related_name="+", primary_key=True
    )
    version = models.PositiveBigIntegerField(default=0)
    last_message_id = models.PositiveBigIntegerField(default=0)
    n_likes = models.PositiveBigIntegerField(_("likes"), default=0)
    peak_viewers = models.PositiveIntegerField(_("most viewers at once"), default=0)

    class Meta:
        verbose_name = _("live room")
        verbose_name_plural = _("live rooms")

    def __str__(self) -> str:
        return str(self.live_session_id)


class ChatMessage(models.Model):
    """One line of chat. Hidden ones stay in the table for the audit.

    `key` is made by the writer's client: sent again after a lost connection, it is one message.
    """

    live_session = models.ForeignKey(LiveSession, models.CASCADE, related_name="messages")
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", verbose_name=_("author")
    )
    key = models.UUIDField(_("key"), null=True, blank=True, editable=False)
    text = models.CharField(_("text"), max_length=500)
    sent_at = models.DateTimeField(_("sent at"), default=timezone.now)
    hidden_at = models.DateTimeField(_("hidden at"), null=True, blank=True)
    hidden_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("hidden by"),
    )

    class Meta:
        verbose_name = _("chat message")
        verbose_name_plural = _("chat messages")
        constraints = [
            models.UniqueConstraint(
                fields=["author", "live_session", "key"], name="chat_message_sent_once"
            )
        ]
        indexes = [
            models.Index(fields=["live_session", "id"], name="chat_in_order"),
            models.Index(fields=["live_session", "author", "sent_at"], name="chat_of_author"),
        ]

    def __str__(self) -> str:
        return self.text


class ChatRules(models.Model):
    """How a live session is chatted in; without a row, these defaults.

    `burst` messages of one writer within `burst_seconds` are let through, the next one begins a
    pause of `pause_seconds`. In slow mode, `slow_seconds` lie between two messages of a writer.
    """

    live_session = models.OneToOneField(
        LiveSession, models.CASCADE, related_name="chat_rules", primary_key=True
    )
    is_open = models.BooleanField(_("viewers may write"), default=True)
    burst = models.PositiveSmallIntegerField(
        _("messages in a row"), default=3, validators=[MinValueValidator(1), MaxValueValidator(20)]
    )
    burst_seconds = models.PositiveSmallIntegerField(
        _("within seconds"), default=2, validators=[MinValueValidator(1), MaxValueValidator(60)]
    )
    pause_seconds = models.PositiveSmallIntegerField(
        _("then a pause of seconds"),
        default=10,
        validators=[MinValueValidator(1), MaxValueValidator(600)],
    )
    slow_seconds = models.PositiveSmallIntegerField(
        _("slow mode: seconds between two messages"),
        default=0,
        validators=[MaxValueValidator(600)],
        help_text=_("0: slow mode is off."),
    )
    longest = models.PositiveSmallIntegerField(
        _("characters of a message"),
        default=200,
        validators=[MinValueValidator(10), MaxValueValidator(500)],
    )
    allows_links = models.BooleanField(_("links allowed"), default=False)
    blocked_words = models.TextField(
        _("blocked words"), blank=True, max_length=5000, help_text=_("One a line.")
    )

    history = HistoricalRecords(related_name="+")

    class Meta:
        verbose_name = _("rules of a chat")
        verbose_name_plural = _("rules of chats")
        constraints = [
            models.CheckConstraint(
                condition=Q(burst__range=(1, 20))
                & Q(burst_seconds__range=(1, 60))
                & Q(pause_seconds__range=(1, 600))
                & Q(slow_seconds__lte=600)
                & Q(longest__range=(10, 500)),
                name="chat_rules_in_bounds",
            )
        ]

    def __str__(self) -> str:
        return str(self.live_session)


class Moderator(models.Model):
    """Somebody who keeps order in the chat of one live session, beside its seller."""

    live_session = models.ForeignKey(LiveSession, models.CASCADE, related_name="moderators")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", verbose_name=_("person")
    )
    added_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("added by"),
    )
    added_at = models.DateTimeField(_("added at"), default=timezone.now)

    class Meta:
        verbose_name = _("moderator")
        verbose_name_plural = _("moderators")
        constraints = [
            models.UniqueConstraint(fields=["live_session", "user"], name="moderator_once")
        ]

    def __str__(self) -> str:
        return f"{self.live_session_id} {self.user_id}"


class RestrictionKind(models.TextChoices):
    MUTE = "mute", _("may not write")
    BAN = "ban", _("may not enter")


class Restriction(models.Model):
    """Somebody may not write in, or not enter, one live session, or all of its seller's.

    `live_session` is empty for all of the seller's, `until` for always.
    """

    seller = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", verbose_name=_("seller")
    )
    live_session = models.ForeignKey(
        LiveSession, models.CASCADE, null=True, blank=True, related_name="restrictions"
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", verbose_name=_("person")
    )
    kind = models.CharField(_("kind"), max_length=4, choices=RestrictionKind.choices)
    reason = models.CharField(_("reason"), max_length=200, blank=True)
    imposed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("imposed by"),
    )
    imposed_at = models.DateTimeField(_("imposed at"), default=timezone.now)
    until = models.DateTimeField(_("until"), null=True, blank=True)
    lifted_at = models.DateTimeField(_("lifted at"), null=True, blank=True)

    class Meta:
        verbose_name = _("mute or ban")
        verbose_name_plural = _("mutes and bans")
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=RestrictionKind.values), name="restriction_kind_known"
            ),
            models.CheckConstraint(
                condition=Q(until__isnull=True) | Q(until__gt=F("imposed_at")),
                name="restriction_ends_after_start",
            ),
        ]
        indexes = [models.Index(fields=["seller", "user"], name="restriction_of_user")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.user_id}"


class ActKind(models.TextChoices):
    HIDE = "hide", _("hid a message")
    SHOW = "show", _("showed a message again")
    MUTE = "mute", _("muted")
    BAN = "ban", _("banned")
    LIFT = "lift", _("lifted a mute or ban")
    ADD_MODERATOR = "add", _("made a moderator")
    DROP_MODERATOR = "drop", _("took the moderator's role away")
    RULES = "rules", _("changed the rules of the chat")


class ModerationAct(models.Model):
    """One act of moderation: an append-only audit trail."""

    live_session = models.ForeignKey(
        LiveSession, models.CASCADE, related_name="moderation_acts", verbose_name=_("live session")
    )
    kind = models.CharField(_("act"), max_length=5, choices=ActKind.choices)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("done by"),
    )
    subject = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("concerns"),
    )
    message = models.ForeignKey(
        ChatMessage,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("message"),
    )
    note = models.CharField(_("note"), max_length=300, blank=True)
    done_at = models.DateTimeField(_("done at"), default=timezone.now)

    class Meta:
        verbose_name = _("act of moderation")
        verbose_name_plural = _("acts of moderation")
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.done_at:%Y-%m-%d %H:%M}"
