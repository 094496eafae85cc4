"""Bytes to records, one at a time, each with the line where it stands and the byte after it."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

# A record, whatever lines it spans, is no longer than this; so an unclosed quotation mark
# costs a bounded look ahead and memory stays constant.
MOST_BYTES = 1 << 20
_EXCERPT = 300


class Record(NamedTuple):
    """One record of the file.

    `line` counts from 1 (the header) and is where the record begins, `n_lines` is how many
    lines of the file are read after it, `end` the byte after it. `problem` says why it is no
    record, and is empty for a good one; `cells` then holds an excerpt.
    """

    line: int
    n_lines: int
    end: int
    cells: list[str]
    problem: str = ""


class _UnreadableLine(Exception):
    """A line is not text."""


class _EndlessRecord(Exception):
    """A record goes on for more than MOST_BYTES."""


class _Lines:
    """The lines of a file as the csv module asks for them, with a way back.

    It is an object, not a generator: after an exception the csv module asks on.
    """

    def __init__(self, file: BinaryIO, *, encoding: str, offset: int, n_lines: int) -> None:
        self._file = file
        self._encoding = encoding
        self.offset = offset
        self.n_lines = n_lines
        file.seek(offset)
        self.begin_record()

    def begin_record(self) -> None:
        self.first_line = self.n_lines + 1
        self._begin = self.offset
        self._first_end = self.offset
        self.excerpt = b""

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        raw = self._file.readline(MOST_BYTES + 1)
        if not raw:
            raise StopIteration
        is_first = self.n_lines + 1 == self.first_line
        self.n_lines += 1
        self.offset += len(raw)
        is_too_long = len(raw) > MOST_BYTES
        if is_first:
            self.excerpt = raw[:_EXCERPT]
        if is_too_long and not raw.endswith(b"\n"):
            self._skip_line()
        if is_first:
            self._first_end = self.offset
        if is_too_long:
            raise _UnreadableLine(f"the line is longer than {MOST_BYTES:,} bytes")
        if self.offset - self._begin > MOST_BYTES:
            raise _EndlessRecord
        if b"\0" in raw:
            raise _UnreadableLine("contains a NUL byte")
        try:
            return raw.decode(self._encoding)
        except UnicodeDecodeError as error:
            raise _UnreadableLine(
                f"is not {self._encoding.upper()} text (byte {error.start + 1} of the line)"
            ) from None

    def _skip_line(self) -> None:
        while chunk := self._file.readline(MOST_BYTES):
            self.offset += len(chunk)
            if chunk.endswith(b"\n"):
                return

    @property
    def spans_lines(self) -> bool:
        return self.n_lines > self.first_line

    def back_to_second_line(self) -> None:
        self.offset = self._first_end
        self.n_lines = self.first_line
        self._file.seek(self.offset)


def records(
    file: BinaryIO, *, encoding: str, delimiter: str, offset: int, n_lines: int
) -> Iterator[Record]:
    """The records from byte `offset` on, before which `n_lines` lines stand; empty lines pass.

    A record that cannot be read costs its first line alone: reading goes on with the next
    line, so that one stray quotation mark does not swallow the rest of the file.
    """
    lines = _Lines(file, encoding=encoding, offset=offset, n_lines=n_lines)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        lines.begin_record()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except (_UnreadableLine, _EndlessRecord, csv.Error) as error:
            problem = _reason(error, spans_lines=lines.spans_lines)
            if lines.spans_lines:
                lines.back_to_second_line()
            excerpt = [lines.excerpt.decode(encoding, errors="replace").rstrip("\r\n")]
            yield Record(lines.first_line, lines.n_lines, lines.offset, excerpt, problem)
            continue
        if cells:
            yield Record(lines.first_line, lines.n_lines, lines.offset, cells)


def _reason(error: Exception, *, spans_lines: bool) -> str:
    text = str(error)
    if "field larger" in text:
        return f"a cell is longer than {csv.field_size_limit():,} characters"
    if spans_lines or isinstance(error, _EndlessRecord) or "unexpected end" in text:
        return "a quotation mark is opened and not closed as it should be"
    if "new-line character" in text:
        return "a carriage return stands inside the row"
    if isinstance(error, csv.Error):
        return "something stands between a closing quotation mark and the end of its cell"
    return text
