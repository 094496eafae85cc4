"""Words for what was derived about people."""

from __future__ import annotations

from django.utils.translation import gettext_lazy

from analytics.methods.derived_profile import (
    ENGAGEMENT,
    HOURS,
    INTERESTS,
    PRICE,
    STAGE,
)
from analytics.models import Stage

PART_LABELS = {
    INTERESTS: gettext_lazy("interests"),
    HOURS: gettext_lazy("favourite hours"),
    PRICE: gettext_lazy("price sensitivity"),
    STAGE: gettext_lazy("stage"),
    ENGAGEMENT: gettext_lazy("in live rooms"),
}
BAND_LABELS = {
    "free": gettext_lazy("free"),
    "low": gettext_lazy("low"),
    "middle": gettext_lazy("middle"),
    "high": gettext_lazy("high"),
}
ANSWER_LABELS = {"more": gettext_lazy("more of it"), "less": gettext_lazy("less of it")}
# What a stage says, to the person whose it is.
STAGE_SENTENCES = {
    Stage.NEWCOMER: gettext_lazy("You came less than 7 days ago, or did nothing here yet."),
    Stage.ACTIVE: gettext_lazy("You did something here in the last 14 days."),
    Stage.SLIPPING: gettext_lazy("You did nothing here for more than 14 days."),
    Stage.GONE: gettext_lazy("You did nothing here for more than 60 days."),
}


def hour_text(hour: int) -> str:
    """One hour of the day: 20:00–21:00."""
    return f"{hour:02}:00\u2013{(hour + 1) % 24:02}:00"
