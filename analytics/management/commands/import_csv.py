"""Loads a CSV file from elsewhere; the rules are in `analytics.csv_import`."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from analytics.csv_import.columns import ColumnMap
from analytics.csv_import.errors import UnusableFile
from analytics.csv_import.progress import OvertakenImport
from analytics.csv_import.running import DELIMITERS, TARGETS, ImportRequest, import_file
from analytics.methods.process_memory import peak_mb


class Command(BaseCommand):
    help = (
        "Load people, courses, interactions or past live sessions from a CSV file. "
        "The same command again goes on where an interrupted one stopped. See docs/import.md."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("target", choices=list(TARGETS))
        parser.add_argument("file", type=Path)
        parser.add_argument(
            "--source", default="csv", help="Name of the system that the ids are of (csv)."
        )
        parser.add_argument(
            "--map",
            action="append",
            default=[],
            metavar="THEIRS=OURS",
            help="A column of the file that has another name here; may be repeated.",
        )
        parser.add_argument(
            "--set",
            action="append",
            default=[],
            metavar="OURS=VALUE",
            help="A value for all rows, for a column that the file lacks; may be repeated.",
        )
        parser.add_argument(
            "--seller", metavar="EMAIL", help="Whose the courses or live sessions are."
        )
        parser.add_argument("--encoding", help="utf-8 or gb18030; told by the text otherwise.")
        parser.add_argument(
            "--delimiter",
            choices=list(DELIMITERS),
            default="comma",
            help="What stands between cells.",
        )
        parser.add_argument(
            "--refused", type=Path, metavar="FILE", help="Write every refused row to this CSV file."
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="Show what would happen and store nothing."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        renamed = _pairs(options["map"], "--map THEIRS=OURS", is_turned=True)
        constants = _pairs(options["set"], "--set OURS=VALUE", is_turned=False)
        both = sorted(set(renamed) & set(constants))
        if both:
            raise CommandError(f'"{both[0]}" is named by --map and by --set')
        request = ImportRequest(
            target=options["target"],
            path=options["file"],
            source=options["source"],
            encoding=options["encoding"],
            delimiter=options["delimiter"],
            seller=options["seller"],
            column_map=ColumnMap(renamed, constants),
        )
        try:
            report = import_file(
                request,
                now=timezone.now(),
                is_dry_run=options["dry_run"],
                refused_path=options["refused"],
                say=self._say,
                warn=self._warn,
            )
        except (UnusableFile, OvertakenImport) as error:
            raise CommandError(str(error)) from None
        except OSError as error:
            raise CommandError(f"{error.filename}: {error.strerror}") from None
        rate = report.n_rows_now / max(report.seconds, 1e-9)
        verb = "would be stored" if options["dry_run"] else "stored"
        self._say(
            f"{report.n_stored:,} rows {verb}, {report.n_unchanged:,} already there, "
            f"{report.n_refused:,} refused; {report.n_lines:,} lines, {report.seconds:.1f} s, "
            f"{rate:,.0f} rows/s, peak memory {peak_mb():.0f} MB"
        )

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()

    def _warn(self, text: str) -> None:
        self.stderr.write(text)


def _pairs(given: list[str], shape: str, *, is_turned: bool) -> dict[str, str]:
    """`a=b` texts as ours to theirs, or ours to a value."""
    pairs: dict[str, str] = {}
    for text in given:
        left, sign, right = text.partition("=")
        ours, other = (right, left) if is_turned else (left, right)
        ours, other = ours.strip(), other.strip()
        if not sign or not ours or not other:
            raise CommandError(f'"{text}" is not of the form {shape}')
        if ours in pairs:
            raise CommandError(f'"{ours}" is given more than once')
        pairs[ours] = other
    return pairs
