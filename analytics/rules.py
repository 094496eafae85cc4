"""Who may read what the platform recorded and derived. Nobody edits it.

Sellers read what concerns their own courses and sessions. What was derived about people
(profiles, recommendations, retention of a person) and how the models do is the operator's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rules import predicate

from accounts.rules import grant, is_operator, is_seller, managed_through
from analytics.models import (
    CohortRetention,
    CourseRetention,
    Event,
    Forecast,
    ImportRun,
    LearningSummary,
    ListExposure,
    ModelRun,
    Profile,
    ProfileCorrection,
    SessionFigures,
    UserRetention,
)

if TYPE_CHECKING:
    from accounts.rules import Person


@predicate
def happened_with_own(person: Person, event: Event | None) -> bool:
    """Whether the event was about a course or a live session of the person."""
    if event is None:
        return True
    owners = [event.course, event.live_session]
    return any(owned is not None and owned.seller_id == person.pk for owned in owners)


grant(Event, view=is_operator | (is_seller & happened_with_own))
for of_session in (SessionFigures, Forecast):
    grant(of_session, view=managed_through("live_session__seller"))
for of_course in (CourseRetention, LearningSummary):
    grant(of_course, view=managed_through("course__seller"))
for result in (
    Profile,
    ProfileCorrection,
    ListExposure,
    UserRetention,
    CohortRetention,
    ModelRun,
    ImportRun,
):
    grant(result, view=is_operator)
