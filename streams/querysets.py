"""What can be asked about live sessions, and by whom."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Count, Q

if TYPE_CHECKING:
    from accounts.rules import Person
    from catalog.models import Course


class LiveSessionQuerySet(models.QuerySet):
    """Live sessions."""

    def managed_by(self, user: Person) -> LiveSessionQuerySet:
        """An operator manages all sessions, a seller their own, anybody else none."""
        if not user.is_authenticated or not user.is_staff:
            return self.none()
        return self if user.is_superuser else self.filter(seller=user)

    def visible_to(self, user: Person) -> LiveSessionQuerySet:
        """Everything but drafts, and a seller's own drafts besides."""
        public = ~Q(status="draft")
        if not user.is_authenticated or not user.is_staff:
            return self.filter(public)
        if user.is_superuser:
            return self
        return self.filter(public | Q(seller=user))

    def live_now(self) -> LiveSessionQuerySet:
        return self.filter(status="live").order_by("-started_at", "-id")

    def coming_up(self, moment: datetime) -> LiveSessionQuerySet:
        return self.filter(status="scheduled", scheduled_at__gte=moment).order_by(
            "scheduled_at", "id"
        )

    def finished(self) -> LiveSessionQuerySet:
        return self.filter(status__in=["ended", "replay"]).order_by("-ended_at", "-id")

    def showing(self, course: Course) -> LiveSessionQuerySet:
        """Sessions with the course in their showcase."""
        return self.filter(showcase__course=course)

    def with_showcase_size(self) -> LiveSessionQuerySet:
        """Add `n_courses`: how many courses the showcase holds."""
        return self.annotate(n_courses=Count("showcase"))
