"""The command as its caller sees it, and files for it."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import NamedTuple

import pytest
from django.core.management import call_command


class Outcome(NamedTuple):
    """What the command printed: to standard output, and to standard error."""

    out: str
    err: str

    @property
    def last(self) -> str:
        return self.out.splitlines()[-1]


@pytest.fixture
def import_csv() -> Callable[..., Outcome]:
    def run(*arguments: object) -> Outcome:
        out, err = StringIO(), StringIO()
        call_command("import_csv", *map(str, arguments), stdout=out, stderr=err)
        return Outcome(out.getvalue(), err.getvalue())

    return run


@pytest.fixture
def csv_file(tmp_path: Path) -> Callable[..., Path]:
    def write(content: str | bytes, name: str = "rows.csv", encoding: str = "utf-8") -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        return path

    return write
