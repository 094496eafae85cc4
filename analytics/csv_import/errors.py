"""What can be wrong: with the whole file or the way it was called, with a row, with a cell."""

from __future__ import annotations


class UnusableFile(Exception):
    """Nothing of the file can be imported as it was asked for; nothing was written."""


class RowRefused(Exception):
    """One row is left out; the message is the reason."""


class BadCell(ValueError):
    """A text is no value of its column; the message says what was expected."""
