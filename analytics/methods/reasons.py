"""Why a course is recommended. Apart from the recommenders, so that reading stored results
does not load the numeric libraries."""

from __future__ import annotations

from enum import IntEnum


class Reason(IntEnum):
    """The largest contribution to a score; the numbers are stored and never change."""

    NONE = -1
    POPULAR = 0
    HISTORY = 1
    CONTENT = 2
    PEOPLE = 3
    INTEREST = 4
