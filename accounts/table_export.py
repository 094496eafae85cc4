"""Files that spreadsheets open: CSV and XLSX whose cells are never taken for formulas."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from django.utils import timezone
from import_export.formats.base_formats import CSV, XLSX, TablibFormat
from import_export.widgets import Widget
from tablib import Dataset

# The characters with which a spreadsheet begins to read a formula or a command; see OWASP,
# "CSV Injection".
_FORMULA_START = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_NUMBER = re.compile(r"[+-]?\d+([.,]\d+)?%?")
# What no cell of an XLSX file may hold.
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


def plain_cell(cell: Any) -> Any:
    """The cell, with an apostrophe before a text that a spreadsheet would calculate.

    >>> plain_cell("=1+1"), plain_cell("-3.50"), plain_cell(7)
    ("'=1+1", '-3.50', 7)
    """
    if not isinstance(cell, str):
        return cell
    cell = _CONTROLS.sub("", cell)
    if not cell.startswith(_FORMULA_START):
        return cell
    return cell if _NUMBER.fullmatch(cell) else f"'{cell}"


class _WithoutFormulas(TablibFormat):
    def export_data(self, dataset: Dataset, **options: Any) -> Any:
        # Not left to a setting of the library, which does it only when asked and less well.
        for _ in range(dataset.height):
            dataset.append([plain_cell(cell) for cell in dataset.lpop()])
        return super().export_data(dataset, **options)


class SafeCSV(_WithoutFormulas, CSV):
    """CSV that Excel reads as UTF-8, which takes a byte order mark."""

    def export_data(self, dataset: Dataset, **options: Any) -> str:
        return "\ufeff" + super().export_data(dataset, **options)


class SafeXLSX(_WithoutFormulas, XLSX):
    """XLSX."""


EXPORT_FORMATS = [SafeCSV, SafeXLSX]


class Moment(Widget):
    """A moment as ISO 8601 with its zone, in that of the platform: 2026-01-05T20:00:00+08:00."""

    def render(self, value: datetime | None, obj: Any = None, **options: Any) -> str:
        return timezone.localtime(value).isoformat(timespec="seconds") if value else ""
