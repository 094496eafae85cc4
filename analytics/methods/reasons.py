"""Why a course is recommended. Apart from the recommenders, so that reading stored results
does not load the numeric libraries."""

from __future__ import annotations

from enum import IntEnum


class Reason(IntEnum):
    """The largest contribution to a score; the numbers are stored and never change.

    POPULAR: of all time; HISTORY: people with the same course have it too; CONTENT: alike by what
    they say of themselves; PEOPLE: of similar age and occupation; INTEREST: in a chosen field;
    WEEK: popular in the last seven days; NEXT: often taken after a course of the history; NEW:
    shown to learn something about it, not for its score.
    """

    NONE = -1
    POPULAR = 0
    HISTORY = 1
    CONTENT = 2
    PEOPLE = 3
    INTEREST = 4
    WEEK = 5
    NEXT = 6
    NEW = 7

    @property
    def code(self) -> str:
        """The name in the API."""
        return _CODES[self]


# By number, so that no hash of a name is made; -1 is the last one.
_CODES = [one.name.lower() for one in sorted(Reason) if one >= 0] + [Reason.NONE.name.lower()]
