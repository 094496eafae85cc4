"""People: who may sign in, what they told us about themselves, what they agreed to."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

EARLIEST_BIRTH_YEAR = 1900
LATEST_BIRTH_YEAR = 2100


class Role(models.TextChoices):
    VIEWER = "viewer", _("viewer")
    SELLER = "seller", _("seller")
    OPERATOR = "operator", _("operator")


class UserManager(BaseUserManager["User"]):
    """Makes users; e-mail addresses are kept in lower case so that one person is one row."""

    def create_user(
        self, email: str | None = None, password: str | None = None, **fields: Any
    ) -> User:
        user = self.model(email=normalised_email(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        return self.create_user(email, password, **{**fields, "role": Role.OPERATOR})

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email=normalised_email(username))


def normalised_email(email: str | None) -> str | None:
    """The form in which an address is stored and compared; None for none."""
    return email.strip().lower() if email and email.strip() else None


class User(AbstractBaseUser, PermissionsMixin):
    """One person. Sellers and operators sign in to the admin, everyone to the web and the API.

    A person who was imported from another system has no e-mail address and no usable
    password; (import_source, external_id) finds them again when the import is repeated.
    """

    email = models.EmailField(_("e-mail"), unique=True, null=True, blank=True)
    display_name = models.CharField(_("display name"), max_length=80, blank=True)
    role = models.CharField(_("role"), max_length=8, choices=Role.choices, default=Role.VIEWER)
    language = models.CharField(_("language"), max_length=8, blank=True)
    is_active = models.BooleanField(_("may sign in"), default=True)
    is_personalised = models.BooleanField(
        _("personalised"),
        default=True,
        help_text=_("Off: this person is shown what is popular, and no profile is built."),
    )
    joined_at = models.DateTimeField(_("joined at"), default=timezone.now)
    import_source = models.CharField(_("imported from"), max_length=40, blank=True, default="")
    external_id = models.CharField(
        _("id there"),
        max_length=64,
        null=True,
        blank=True,
    )

    # Both follow from the role, so that no second column can contradict it.
    is_superuser = property(lambda self: self.role == Role.OPERATOR)  # type: ignore[assignment]
    is_staff = property(lambda self: self.role in (Role.SELLER, Role.OPERATOR))

    objects = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        verbose_name = _("person")
        verbose_name_plural = _("people")
        constraints = [
            models.UniqueConstraint(fields=["import_source", "external_id"], name="user_import_id"),
            models.CheckConstraint(condition=Q(role__in=Role.values), name="user_role_known"),
        ]
        indexes = [models.Index(fields=["role"], name="user_role")]

    def __str__(self) -> str:
        return (
            self.display_name or self.email or f"{self.import_source}{self.external_id or self.pk}"
        )

    def get_full_name(self) -> str:
        return str(self)

    def get_short_name(self) -> str:
        return str(self)


class Gender(models.TextChoices):
    FEMALE = "female", _("female")
    MALE = "male", _("male")
    OTHER = "other", _("other")


class Occupation(models.TextChoices):
    STUDENT = "student", _("student")
    TEACHER = "teacher", _("teacher")
    TECHNOLOGY = "technology", _("technology")
    HEALTH = "health", _("health care")
    FINANCE = "finance", _("finance")
    COMMERCE = "commerce", _("sales and commerce")
    PUBLIC = "public", _("public service")
    MANUFACTURING = "manufacturing", _("manufacturing")
    FREELANCE = "freelance", _("freelance")
    HOME = "home", _("at home")
    RETIRED = "retired", _("retired")
    OTHER = "other", _("other")


class StatedAttributes(models.Model):
    """What a person told us about themselves. The year of birth, never the day, is kept:
    no feature needs more, and every method sees an age in years only."""

    user = models.OneToOneField(User, models.CASCADE, related_name="stated", primary_key=True)
    birth_year = models.PositiveSmallIntegerField(
        _("year of birth"),
        null=True,
        blank=True,
        validators=[MinValueValidator(EARLIEST_BIRTH_YEAR), MaxValueValidator(LATEST_BIRTH_YEAR)],
    )
    gender = models.CharField(_("gender"), max_length=6, choices=Gender.choices, blank=True)
    occupation = models.CharField(
        _("occupation"), max_length=16, choices=Occupation.choices, blank=True
    )
    updated_at = models.DateTimeField(_("updated at"), auto_now=True)

    class Meta:
        verbose_name = _("stated attributes")
        verbose_name_plural = _("stated attributes")
        constraints = [
            models.CheckConstraint(
                condition=Q(birth_year__isnull=True)
                | Q(birth_year__range=(EARLIEST_BIRTH_YEAR, LATEST_BIRTH_YEAR)),
                name="stated_birth_year_plausible",
            ),
            models.CheckConstraint(
                condition=Q(gender__in=["", *Gender.values]), name="stated_gender_known"
            ),
            models.CheckConstraint(
                condition=Q(occupation__in=["", *Occupation.values]), name="stated_occupation_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user_id}"


class Purpose(models.TextChoices):
    TERMS = "terms", _("terms of use")
    PERSONALISATION = "personalisation", _("personalisation")
    MARKETING = "marketing", _("marketing messages")


class Consent(models.Model):
    """One decision of one person about one purpose. Append-only: the newest row holds."""

    user = models.ForeignKey(User, models.CASCADE, related_name="consents")
    purpose = models.CharField(_("purpose"), max_length=16, choices=Purpose.choices)
    is_granted = models.BooleanField(_("granted"))
    document_version = models.CharField(_("version of the text"), max_length=20)
    decided_at = models.DateTimeField(_("decided at"), default=timezone.now)

    class Meta:
        verbose_name = _("consent")
        verbose_name_plural = _("consents")
        constraints = [
            models.CheckConstraint(
                condition=Q(purpose__in=Purpose.values), name="consent_purpose_known"
            )
        ]
        indexes = [models.Index(fields=["user", "purpose", "-decided_at"], name="consent_newest")]

    def __str__(self) -> str:
        return f"{self.user_id} {self.purpose} {self.is_granted}"


class LetterQuerySet(models.QuerySet["Letter"]):
    """The outbox."""

    def waiting(self) -> LetterQuerySet:
        """Neither sent nor dropped."""
        return self.filter(sent_at=None, dropped_at=None)

    def due(self, moment: datetime) -> LetterQuerySet:
        """Waiting, and to be tried now: new, after a pause, or left by a worker that died."""
        return self.waiting().filter(not_before__lte=moment)

    def sent(self) -> LetterQuerySet:
        return self.filter(sent_at__isnull=False)

    def failed(self) -> LetterQuerySet:
        """Given up after the last attempt."""
        return self.filter(sent_at=None, dropped_at__isnull=False).exclude(last_error="")

    def not_needed(self) -> LetterQuerySet:
        """Dropped when there was nothing to tell any more, or nobody to tell it."""
        return self.filter(sent_at=None, dropped_at__isnull=False, last_error="")


class Letter(models.Model):
    """One e-mail that is to be sent, or was. It holds no text: that is written when it goes.

    `subject_id` is the row that it is about; `kind` says in which table (`accounts.outbox`).
    `last_error` is that of the latest attempt, empty while one is under way, and holds no address.
    """

    key = models.CharField(_("key"), max_length=80, unique=True, editable=False)
    kind = models.CharField(_("kind"), max_length=32, editable=False)
    recipient = models.ForeignKey(
        User, models.CASCADE, related_name="+", verbose_name=_("recipient")
    )
    subject_id = models.BigIntegerField(editable=False)
    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    not_before = models.DateTimeField(_("next attempt"), default=timezone.now)
    n_attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    sent_at = models.DateTimeField(_("sent at"), null=True, blank=True)
    dropped_at = models.DateTimeField(_("given up at"), null=True, blank=True)
    last_error = models.CharField(_("last error"), max_length=200, blank=True)

    objects = LetterQuerySet.as_manager()

    class Meta:
        verbose_name = _("letter")
        verbose_name_plural = _("letters")
        constraints = [
            models.CheckConstraint(
                condition=Q(sent_at__isnull=True) | Q(dropped_at__isnull=True),
                name="letter_sent_or_given_up",
            )
        ]
        indexes = [models.Index(fields=["sent_at", "dropped_at", "not_before"], name="letter_due")]

    def __str__(self) -> str:
        return self.key

    @property
    def state(self) -> str:
        """What became of it: sent, waiting, failed or not_needed, as the queryset has them."""
        if self.sent_at is not None:
            return "sent"
        if self.dropped_at is None:
            return "waiting"
        return "failed" if self.last_error else "not_needed"
