"""What the platform recorded and derived about a person."""

from __future__ import annotations

from accounts.models import User
from accounts.personal_data import Sections, rows
from analytics.models import (
    Event,
    EventKind,
    LearningSummary,
    Profile,
    ProfileCorrection,
    UserRetention,
)


def export_observed(person: User) -> Sections:
    """Events, and what was derived from them."""
    events = rows(
        Event.objects.filter(user=person).order_by("pk"),
        *("uuid", "kind", "course_id", "live_session_id", "value", "occurred_at", "received_at"),
    )
    return {
        "events": [{**event, "kind": EventKind(event["kind"]).api_name} for event in events],
        "profile": rows(
            Profile.objects.filter(user=person),
            *("n_events", "interests", "favourite_hours", "price_band", "price", "stage"),
            *("engagement", "state", "last_active_at", "built_at"),
        ),
        "profile_corrections": rows(
            ProfileCorrection.objects.filter(user=person).order_by("pk"),
            *("subject", "is_off", "value", "changed_at"),
        ),
        "retention": rows(
            UserRetention.objects.filter(user=person),
            *("n_active_days", "longest_run", "current_streak", "first_day", "last_day"),
            "updated_at",
        ),
        "learning": rows(
            LearningSummary.objects.filter(user=person).order_by("pk"),
            *("course_id", "study_seconds", "n_active_days", "days_per_week", "n_opened"),
            *("n_completed", "n_lessons", "path", "is_struggling", "easier_id"),
            *("last_studied_at", "updated_at"),
        ),
    }


def erase_observed(person: User) -> None:
    """Drop all of it; the next fits are made without."""
    for model in (Event, Profile, ProfileCorrection, UserRetention, LearningSummary):
        model.objects.filter(user=person).delete()
