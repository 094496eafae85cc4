"""What was not taken: every row by line and reason, written as it is met, never kept."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import IO, NamedTuple

from accounts.table_export import plain_cell
from analytics.csv_import.errors import UnusableFile

HEADER = ("line", "reason", "row")
# With a file for all of them, so many are shown on the screen besides.
SHOWN = 20
_LONGEST_ROW = 500


class Refusal(NamedTuple):
    """One row left out: the line where it begins, why, and its cells."""

    line: int
    reason: str
    cells: Sequence[str]


def check_is_writable(path: Path) -> None:
    """UnusableFile where a report cannot be written; what stands in the file stays."""
    try:
        path.open("a").close()
    except OSError as error:
        raise UnusableFile(f"cannot write {path}: {error.strerror}") from None


class RefusedRows:
    """Reports refusals: all of them into `path`, or all of them to `warn` where there is none.

    `after_line` is how far an earlier run came whose report is continued: what that run wrote
    of later lines, which were not stored, is dropped and will be met again.
    """

    def __init__(
        self, path: Path | None, *, after_line: int | None, warn: Callable[[str], object]
    ) -> None:
        self._path = path
        self._warn = warn
        self._n_shown = 0
        self._file: IO[str] | None = None
        if path is None:
            return
        self._file = self._open(path, after_line)
        self._writer = csv.writer(self._file)
        if self._file.tell() == 0:
            self._writer.writerow(HEADER)

    @staticmethod
    def _open(path: Path, after_line: int | None) -> IO[str]:
        if after_line is None or not path.exists():
            return path.open("w", encoding="utf-8", newline="")
        kept = path.with_name(f"{path.name}.part")
        with (
            path.open(encoding="utf-8", errors="replace", newline="") as old,
            kept.open("w", encoding="utf-8", newline="") as new,
        ):
            writer = csv.writer(new)
            writer.writerow(HEADER)
            for row in csv.reader(old):
                if len(row) == len(HEADER) and row[0].isdecimal() and int(row[0]) <= after_line:
                    writer.writerow(row)
        os.replace(kept, path)
        file = path.open("a", encoding="utf-8", newline="")
        file.seek(0, os.SEEK_END)
        return file

    def add(self, refusals: Iterable[Refusal]) -> None:
        """Report these, on disk before the call returns."""
        refusals = sorted(refusals)
        if not refusals:
            return
        for line, reason, cells in refusals:
            if self._file is not None:
                excerpt = ",".join(cells)[:_LONGEST_ROW]
                self._writer.writerow([line, plain_cell(reason), plain_cell(excerpt)])
            if self._file is None or self._n_shown < SHOWN:
                self._warn(f"line {line}: {reason}")
            elif self._n_shown == SHOWN:
                self._warn(f"more refused rows are in {self._path}")
            self._n_shown += 1
        if self._file is not None:
            self._file.flush()
            os.fsync(self._file.fileno())

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
