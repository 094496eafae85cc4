"""Files that spreadsheets open: CSV and XLSX whose cells are never taken for formulas."""

from __future__ import annotations

import re
from typing import Any

from import_export.formats.base_formats import CSV, XLSX, TablibFormat
from tablib import Dataset

# The characters with which a spreadsheet begins to read a formula or a command; see OWASP,
# "CSV Injection".
_FORMULA_START = ("=", "+", "-", "@", "\t", "\r", "\n")
_NUMBER = re.compile(r"[+-]?\d+([.,]\d+)?%?")


def plain_cell(cell: Any) -> Any:
    """The cell, with an apostrophe before a text that a spreadsheet would calculate.

    >>> plain_cell("=1+1"), plain_cell("-3.50"), plain_cell(7)
    ("'=1+1", '-3.50', 7)
    """
    if not isinstance(cell, str) or not cell.startswith(_FORMULA_START):
        return cell
    return cell if _NUMBER.fullmatch(cell) else f"'{cell}"


class _WithoutFormulas(TablibFormat):
    def _escape_formulae(self, dataset: Dataset) -> None:
        for _ in range(dataset.height):
            dataset.append([plain_cell(cell) for cell in dataset.lpop()])


class SafeCSV(_WithoutFormulas, CSV):
    """CSV that Excel reads as UTF-8, which takes a byte order mark."""

    def export_data(self, dataset: Dataset, **options: Any) -> str:
        return "\ufeff" + super().export_data(dataset, **options)


class SafeXLSX(_WithoutFormulas, XLSX):
    """XLSX."""


# XLSX needs openpyxl, which a plain installation does not bring.
EXPORT_FORMATS = [kind for kind in (SafeCSV, SafeXLSX) if kind.is_available()]
