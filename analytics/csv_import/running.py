"""One file into one target: batches, each in a transaction of its own that moves the progress."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from django.db import OperationalError, connection, reset_queries, transaction

from accounts.models import User, normalised_email
from analytics.csv_import import progress
from analytics.csv_import.columns import Column, ColumnMap, RowReader
from analytics.csv_import.courses import Courses
from analytics.csv_import.decoding import TextFile, inspect
from analytics.csv_import.errors import RowRefused, UnusableFile
from analytics.csv_import.interactions import Interactions
from analytics.csv_import.lines import Record, records
from analytics.csv_import.refused import Refusal, RefusedRows, check_is_writable
from analytics.csv_import.sessions import Sessions
from analytics.csv_import.targets import ImportContext, Row, Stored, Target
from analytics.csv_import.users import Users
from analytics.models import ImportRun
from analytics.pipelines.locks import only_one
from catalog.models import Course
from streams.models import LiveSession

TARGETS: dict[str, Callable[[ImportContext], Target]] = {
    "users": Users,
    "courses": Courses,
    "interactions": Interactions,
    "sessions": Sessions,
}
SOURCE_LENGTH = 40
DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "bar": "|"}
SECONDS_BETWEEN_NEWS = 5.0
# Lock wait, deadlock, and a row that changed under the snapshot: the server asks to try again.
_TRY_AGAIN = (1205, 1213, 1020)
_MOST_TRIES = 5
# A server needs a moment to notice that a killed import is gone and to free its lock.
_LOCK_SECONDS = 15.0


@dataclass(frozen=True)
class ImportRequest:
    """What is to be imported, and how; everything but the file changes what is stored."""

    target: str
    path: Path
    source: str = "csv"
    encoding: str | None = None
    delimiter: str = "comma"
    seller: str | None = None
    column_map: ColumnMap = field(default_factory=ColumnMap)

    @property
    def options(self) -> Mapping[str, object]:
        """For the fingerprint: as JSON knows it."""
        told = asdict(self)
        del told["path"], told["target"]
        return told


@dataclass
class Report:
    """Counts over the whole file, parts of an interrupted earlier run included."""

    n_lines: int = 0
    n_stored: int = 0
    n_unchanged: int = 0
    n_refused: int = 0
    n_rows_now: int = 0
    seconds: float = 0.0


def import_file(
    request: ImportRequest,
    *,
    now: datetime,
    is_dry_run: bool = False,
    refused_path: Path | None = None,
    say: Callable[[str], object],
    warn: Callable[[str], object],
) -> Report:
    """Import the file, or go on with it; UnusableFile before anything is written.

    `say` gets the progress and `warn` the refused rows. A dry run does everything in
    transactions that it takes back.
    """
    began = time.monotonic()
    text_file = inspect(request.path, encoding=request.encoding)
    if refused_path is not None and refused_path.exists() and refused_path.samefile(request.path):
        raise UnusableFile("the refused rows would overwrite the file itself")
    context = ImportContext(_source(request.source), _seller(request.seller), now)
    target = TARGETS[request.target](context)
    with _lock(request.target), request.path.open("rb") as file:
        header, reader = _read_header(file, text_file, request, target.columns)
        target.check_columns(reader.present)
        if reader.unknown:
            say(f"ignored columns: {', '.join(reader.unknown)}")
        if refused_path is not None:
            check_is_writable(refused_path)
        say(f"{request.target} from {request.path.name}, {text_file.encoding.upper()}")
        run = ImportRun(target=request.target)
        if not is_dry_run:
            run = progress.open_run(
                target=request.target, text_file=text_file, options=request.options
            )
        is_resumed = run.byte_offset > 0
        if is_resumed:
            say(f"going on after line {run.n_lines}, which an earlier run had stored")
        refused = RefusedRows(
            refused_path, after_line=run.n_lines if is_resumed else None, warn=warn
        )
        try:
            batches = _Batches(target, reader, run, refused, is_dry_run=is_dry_run)
            report = batches.run_through(
                records(
                    file,
                    encoding=text_file.encoding,
                    delimiter=DELIMITERS[request.delimiter],
                    offset=run.byte_offset or header.end,
                    n_lines=run.n_lines or header.n_lines,
                ),
                say=say,
                size=text_file.size,
            )
        finally:
            refused.close()
        if not is_dry_run:
            progress.finish(run)
    report.seconds = time.monotonic() - began
    return report


class _Batches:
    """Reads records into batches and stores each with its progress."""

    def __init__(
        self,
        target: Target,
        reader: RowReader,
        run: ImportRun,
        refused: RefusedRows,
        *,
        is_dry_run: bool,
    ) -> None:
        self._target = target
        self._reader = reader
        self._run = run
        self._refused = refused
        self._is_dry_run = is_dry_run

    def run_through(
        self, source: Iterator[Record], *, say: Callable[[str], object], size: int
    ) -> Report:
        run = self._run
        report = Report()
        began = told = time.monotonic()
        batch: list[Record] = []
        for record in source:
            batch.append(record)
            report.n_rows_now += 1
            if len(batch) == self._target.batch_size:
                self._store(batch)
                batch = []
                if time.monotonic() - told > SECONDS_BETWEEN_NEWS:
                    told = time.monotonic()
                    rate = report.n_rows_now / (told - began)
                    say(f"  {run.byte_offset / size:.0%}, line {run.n_lines:,}, {rate:,.0f} rows/s")
        if batch:
            self._store(batch)
        report.n_lines = run.n_lines
        report.n_stored = run.n_stored
        report.n_unchanged = run.n_unchanged
        report.n_refused = run.n_refused
        return report

    def _store(self, batch: list[Record]) -> None:
        """One batch: checked, stored, reported, and only then the progress moves with it."""
        rows, refusals = self._read(batch)
        for attempt in range(1, _MOST_TRIES + 1):
            try:
                self._store_once(batch, rows, refusals)
                break
            except OperationalError as error:
                self._target.forget()
                if error.args[0] not in _TRY_AGAIN or attempt == _MOST_TRIES:
                    raise
        # With DEBUG on Django keeps the text of the last thousands of statements.
        reset_queries()

    def _store_once(self, batch: list[Record], rows: list[Row], refusals: list[Refusal]) -> None:
        run, last = self._run, batch[-1]
        with transaction.atomic():
            stored = self._target.store(rows) if rows else Stored()
            if stored.refused:
                cells = {record.line: record.cells for record in batch}
                refusals = refusals + [
                    Refusal(line, reason, cells[line]) for line, reason in stored.refused
                ]
            if self._is_dry_run:
                transaction.set_rollback(True)
            else:
                progress.move(
                    run,
                    byte_offset=last.end,
                    n_lines=last.n_lines,
                    n_stored=stored.n_stored,
                    n_unchanged=stored.n_unchanged,
                    n_refused=len(refusals),
                )
                # On disk before the commit: what is lost with a crash is met again.
                self._refused.add(refusals)
        if self._is_dry_run:
            self._refused.add(refusals)
            self._target.forget()
        run.byte_offset = last.end
        run.n_lines = last.n_lines
        run.n_stored += stored.n_stored
        run.n_unchanged += stored.n_unchanged
        run.n_refused += len(refusals)

    def _read(self, batch: list[Record]) -> tuple[list[Row], list[Refusal]]:
        rows: list[Row] = []
        refusals: list[Refusal] = []
        for record in batch:
            if record.problem:
                refusals.append(Refusal(record.line, record.problem, record.cells))
                continue
            try:
                rows.append(Row(record.line, self._reader.read(record.cells)))
            except RowRefused as reason:
                refusals.append(Refusal(record.line, str(reason), record.cells))
        return rows, refusals


def _read_header(
    file: BinaryIO, text_file: TextFile, request: ImportRequest, columns: Sequence[Column]
) -> tuple[Record, RowReader]:
    """The first record as the header, and what reads the others by it; the file has others."""
    found = records(
        file,
        encoding=text_file.encoding,
        delimiter=DELIMITERS[request.delimiter],
        offset=text_file.start,
        n_lines=0,
    )
    header = next(found, None)
    if header is None:
        raise UnusableFile("the file has nothing but empty lines")
    if header.problem:
        raise UnusableFile(f"the header cannot be read: {header.problem}")
    reader = RowReader(header.cells, columns=columns, column_map=request.column_map)
    if next(found, None) is None:
        raise UnusableFile("the file has a header and no rows")
    return header, reader


def _source(name: str) -> str:
    if not name.strip() or len(name) > SOURCE_LENGTH or not name.isprintable():
        raise UnusableFile(f"--source needs a name of 1 to {SOURCE_LENGTH} characters")
    source = name.strip()
    for model in (User, Course, LiveSession):
        # MariaDB takes Shop and shop for the same: one would change the rows of the other.
        there = model._default_manager.filter(import_source=source).values_list(
            "import_source", flat=True
        )
        other = there.order_by().first()
        if other is not None and other != source:
            raise UnusableFile(
                f'--source {source}: there are rows of "{other}", which this database takes for '
                "the same name: give that one, or one that differs in more than capitals"
            )
    return source


def _seller(email: str | None) -> User | None:
    if email is None:
        return None
    seller = User.objects.filter(email=normalised_email(email)).first()
    if seller is None or not seller.is_staff:
        raise UnusableFile(f"there is no seller with the e-mail address {email}")
    return seller


@contextmanager
def _lock(target: str) -> Iterator[None]:
    """Only one import of a target at a time, or the resumed and the resuming would race."""
    deadline = time.monotonic() + _LOCK_SECONDS
    while True:
        with only_one(f"import.{target}") as is_held:
            if is_held:
                yield
                return
            if connection.vendor != "mysql" or time.monotonic() > deadline:
                raise UnusableFile(f"another import of {target} is running")
        time.sleep(0.2)
