"""The pieces of which a dashboard is made: a plot's numbers beside the table that says them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format


@dataclass(frozen=True)
class Panel:
    """One subject. `chart` is what static/js/dashboard.js draws, None for nothing to draw;
    `rows` are cells of text under `headings`, and `empty` is said when there are none."""

    key: str
    title: str
    note: str
    headings: Sequence[str]
    rows: Sequence[Sequence[Any]]
    empty: str
    chart: dict[str, Any] | None = None
    is_wide: bool = False
    more: str = ""


@dataclass(frozen=True)
class Tile:
    """One figure at the top, with the line that says what it counts."""

    label: str
    value: str
    detail: str = ""


@dataclass(frozen=True)
class Job:
    """The last outcome of one background job."""

    name: str
    outcome: str
    label: str
    when: str
    detail: str
    address: str
    is_failed: bool


@dataclass(frozen=True)
class Dashboard:
    """What the overview of the admin shows to one person."""

    tiles: list[Tile]
    panels: list[Panel]
    jobs: list[Job] = field(default_factory=list)

    @property
    def failed_jobs(self) -> list[Job]:
        return [job for job in self.jobs if job.is_failed]

    @property
    def charts(self) -> dict[str, dict[str, Any]]:
        """The plots by the key of their panel, for the page's script."""
        return {panel.key: panel.chart for panel in self.panels if panel.chart}


def moment_text(moment: datetime | None) -> str:
    """A moment in the platform's time zone, or a dash."""
    if moment is None:
        return "–"
    return date_format(timezone.localtime(moment), "SHORT_DATETIME_FORMAT")
