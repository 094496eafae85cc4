"""What can be asked of results, and by whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Q

if TYPE_CHECKING:
    from accounts.rules import Person
    from analytics.models import ModelRun


class ModelRunQuerySet(models.QuerySet):
    """Fits of models."""

    def served(self, task: str) -> ModelRun | None:
        """The run whose results pages and API show now for `task`; None before the first."""
        return self.filter(servedrun__task=task).first()  # type: ignore[return-value]


class SessionResultQuerySet(models.QuerySet):
    """Rows that belong to a live session."""

    def managed_by(self, user: Person) -> SessionResultQuerySet:
        if not user.is_authenticated or not user.is_staff:
            return self.none()
        return self if user.is_superuser else self.filter(live_session__seller=user)


class CourseResultQuerySet(models.QuerySet):
    """Rows that belong to a course."""

    def managed_by(self, user: Person) -> CourseResultQuerySet:
        if not user.is_authenticated or not user.is_staff:
            return self.none()
        return self if user.is_superuser else self.filter(course__seller=user)


class EventQuerySet(models.QuerySet):
    """Events."""

    def managed_by(self, user: Person) -> EventQuerySet:
        """A seller sees what was done with their own courses and sessions."""
        if not user.is_authenticated or not user.is_staff:
            return self.none()
        if user.is_superuser:
            return self
        return self.filter(Q(course__seller=user) | Q(live_session__seller=user))
