"""The header of a file, mapped to the columns of a target, and its rows read by it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from analytics.csv_import.cells import Parser, shown
from analytics.csv_import.errors import BadCell, RowRefused, UnusableFile


@dataclass(frozen=True)
class Column:
    """A column that a target knows: its name in the file, and what its cells mean."""

    name: str
    parse: Parser
    is_required: bool = False


@dataclass(frozen=True)
class ColumnMap:
    """How a file differs from what a target expects.

    `renamed` is our column to theirs (one of theirs may serve several of ours), `constants`
    our column to the text that stands for all rows.
    """

    renamed: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)


class RowReader:
    """Turns the cells of a row into the values of a target, by the header of the file."""

    def __init__(
        self, header: Sequence[str], *, columns: Sequence[Column], column_map: ColumnMap
    ) -> None:
        names = [name.strip().lower() for name in header]
        known = {column.name: column for column in columns}
        allowed = ", ".join(
            f"{column.name}{' (required)' if column.is_required else ''}" for column in columns
        )
        for ours in (*column_map.renamed, *column_map.constants):
            if ours not in known:
                raise UnusableFile(f'there is no column "{ours}": the columns are {allowed}')
        self._width = len(names)
        self._fields: list[tuple[int, str, Parser, bool]] = []
        self._constants: dict[str, Any] = {}
        used: set[str] = set()
        for column in columns:
            theirs = column_map.renamed.get(column.name, column.name).strip().lower()
            if column.name in column_map.constants:
                if theirs in names:
                    raise UnusableFile(
                        f'the file has a column "{theirs}" already: it cannot be --set as well'
                    )
                self._constants[column.name] = _constant(column, column_map.constants[column.name])
            elif theirs in names:
                if names.count(theirs) > 1:
                    raise UnusableFile(f'the header has the column "{theirs}" more than once')
                used.add(theirs)
                place = names.index(theirs)
                self._fields.append((place, column.name, column.parse, column.is_required))
            elif column.name in column_map.renamed:
                raise UnusableFile(
                    f'the file has no column "{theirs}"; its columns are {_named(names)}'
                )
            elif column.is_required:
                raise UnusableFile(
                    f'the column "{column.name}" is missing: the file has {_named(names)}; '
                    f"the columns are {allowed}. --map THEIRS=OURS gives a column another name"
                    f"{_delimiter_hint(header)}"
                )
        self.unknown = [name for name in names if name not in used]

    @property
    def present(self) -> set[str]:
        """The columns of the target that the file, or a constant, fills."""
        return {name for _, name, _, _ in self._fields} | set(self._constants)

    def read(self, cells: Sequence[str]) -> dict[str, Any]:
        """The values of one row; an empty cell has none. RowRefused names all that is wrong."""
        if len(cells) != self._width:
            raise RowRefused(f"has {len(cells)} cells, the header has {self._width}")
        values = self._constants.copy()
        problems = []
        for place, name, parse, is_required in self._fields:
            cell = cells[place].strip()
            if cell:
                try:
                    values[name] = parse(cell)
                except BadCell as bad:
                    problems.append(f"{name}: {bad}")
            elif is_required:
                problems.append(f"{name}: is empty")
        if problems:
            raise RowRefused("; ".join(problems))
        return values


def _constant(column: Column, cell: str) -> object:
    try:
        return column.parse(cell.strip())
    except BadCell as bad:
        raise UnusableFile(f"--set {column.name}: {bad}") from None


def _named(names: Sequence[str]) -> str:
    most = 20
    listed = ", ".join(shown(name) for name in names[:most])
    return f"{listed} and {len(names) - most} more" if len(names) > most else listed


def _delimiter_hint(header: Sequence[str]) -> str:
    if len(header) == 1 and any(sign in header[0] for sign in ";\t|"):
        return "; if other signs than commas stand between the cells, name them: --delimiter"
    return ""
