"""How far a file came. The row moves in the transaction that stores the batch, so that after
a crash the same command goes on behind the last batch that is in the tables."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from django.utils import timezone

from analytics.csv_import.decoding import TextFile
from analytics.models import ImportRun


class OvertakenImport(Exception):
    """Another process moved the same import; the batch of this one is not stored."""


def fingerprint(text_file: TextFile, *, options: Mapping[str, object]) -> str:
    """SHA-256 over the bytes of the file and all options that change what is stored."""
    told = json.dumps(options, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(f"{text_file.digest}\n{told}".encode()).hexdigest()


def open_run(*, target: str, text_file: TextFile, options: Mapping[str, object]) -> ImportRun:
    """The run to go on with: an unfinished one where it stopped, else one at the beginning.

    A file that was finished is read again from the beginning: rows that were refused for want
    of others may be taken now, the rest is found unchanged.
    """
    run, _ = ImportRun.objects.get_or_create(
        target=target,
        fingerprint=fingerprint(text_file, options=options),
        defaults={"file_name": text_file.path.name[-255:]},
    )
    if run.finished_at is not None:
        run.byte_offset = run.n_lines = run.n_stored = run.n_unchanged = run.n_refused = 0
        run.started_at = timezone.now()
        run.finished_at = None
        run.save()
    return run


def move(
    run: ImportRun,
    *,
    byte_offset: int,
    n_lines: int,
    n_stored: int,
    n_unchanged: int,
    n_refused: int,
) -> None:
    """Add a batch to the run. Call it in the transaction of the batch; it is the one to fail
    when two processes store the same batch."""
    n_moved = ImportRun.objects.filter(pk=run.pk, byte_offset=run.byte_offset).update(
        byte_offset=byte_offset,
        n_lines=n_lines,
        n_stored=run.n_stored + n_stored,
        n_unchanged=run.n_unchanged + n_unchanged,
        n_refused=run.n_refused + n_refused,
    )
    if not n_moved:
        raise OvertakenImport(f"{run} is being imported by another process")


def finish(run: ImportRun) -> None:
    run.finished_at = timezone.now()
    run.save(update_fields=["finished_at"])
