"""Rows that find each other by (import_source, external_id): made once, then kept up to date."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import IntegrityError, models, transaction

from analytics.csv_import.targets import Stored

_COLLIDES = (
    "cannot be stored beside what is there: another id differs from this one in capital "
    "letters or accents only"
)


@dataclass
class Draft:
    """What one line says of one row.

    `own` are columns of the row itself, `first` those that only a new row takes, `part` those
    of a row that hangs on it one to one.
    """

    line: int
    external_id: str
    own: Mapping[str, Any]
    first: Callable[[], Mapping[str, Any]]
    part: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class _Entry:
    row: Any
    part: Any = None
    has_part: bool = False
    is_new: bool = False
    is_changed: bool = False
    is_part_changed: bool = False
    n_stored: int = 0
    n_unchanged: int = 0
    lines: list[int] = field(default_factory=list)


class MatchedRows:
    """One kind of row with its optional part; `store` brings a batch of drafts into the tables.

    `create` and `update` write a list of rows; they exist for models whose changes are recorded.
    `part_key` is the field of the part that is its primary key and points to the row.
    """

    def __init__(
        self,
        model: type[models.Model],
        *,
        source: str,
        part: type[models.Model] | None = None,
        part_key: str = "",
        create: Callable[[Sequence[Any]], object] | None = None,
        update: Callable[[Sequence[Any], Sequence[str]], object] | None = None,
    ) -> None:
        self._model = model
        self._rows: models.QuerySet[Any] = model._default_manager.filter(import_source=source)
        self._source = source
        self._part_model = part
        self._part_key = part_key
        self._create = create or model._default_manager.bulk_create
        self._update = update or model._default_manager.bulk_update

    def store(self, drafts: Sequence[Draft]) -> Stored:
        """Make new rows and update changed ones. A later line about the same row wins."""
        entries = self._existing({draft.external_id for draft in drafts})
        for draft in drafts:
            self._apply(draft, entries)
        stored = Stored()
        refused = self._insert([entry for entry in entries.values() if entry.is_new])
        changed = [entry.row for entry in entries.values() if entry.is_changed]
        if changed:
            columns = sorted({name for draft in drafts for name in draft.own})
            self._update(changed, [name.removesuffix("_id") for name in columns])
        self._write_parts([e for e in entries.values() if id(e) not in refused], drafts)
        for entry in entries.values():
            if id(entry) in refused:
                stored.refused += [(line, _COLLIDES) for line in entry.lines]
            else:
                stored.n_stored += entry.n_stored
                stored.n_unchanged += entry.n_unchanged
        return stored

    def _existing(self, external_ids: set[str]) -> dict[str, _Entry]:
        entries = {
            row.external_id: _Entry(row)
            for row in self._rows.filter(external_id__in=external_ids)
            # The database may find ids that differ in capital letters.
            if row.external_id in external_ids
        }
        if self._part_model is not None and entries:
            by_pk = {entry.row.pk: entry for entry in entries.values()}
            for part in self._part_model._default_manager.filter(pk__in=by_pk):
                by_pk[part.pk].part = part
                by_pk[part.pk].has_part = True
        return entries

    def _apply(self, draft: Draft, entries: dict[str, _Entry]) -> None:
        entry = entries.get(draft.external_id)
        is_first = entry is None
        if entry is None:
            row = self._model(
                import_source=self._source,
                external_id=draft.external_id,
                **{**draft.first(), **draft.own},
            )
            entry = entries[draft.external_id] = _Entry(row, is_new=True)
        is_changed = _set(entry.row, draft.own)
        is_part_changed = False
        if draft.part and self._part_model is not None:
            if entry.part is None:
                entry.part = self._part_model(**draft.part)
                is_part_changed = True
            else:
                is_part_changed = _set(entry.part, draft.part)
        entry.is_changed |= is_changed and not entry.is_new
        entry.is_part_changed |= is_part_changed
        entry.lines.append(draft.line)
        if is_first or is_changed or is_part_changed:
            entry.n_stored += 1
        else:
            entry.n_unchanged += 1

    def _insert(self, entries: list[_Entry]) -> set[int]:
        """Insert new rows and give them their keys; returns which entries the table refused."""
        refused: set[int] = set()
        if not entries:
            return refused
        try:
            with transaction.atomic():
                self._create([entry.row for entry in entries])
        except IntegrityError:
            for entry in entries:
                entry.row.pk = None
                try:
                    with transaction.atomic():
                        self._create([entry.row])
                except IntegrityError:
                    refused.add(id(entry))
        without_key = {
            entry.row.external_id: entry.row
            for entry in entries
            if entry.row.pk is None and id(entry) not in refused
        }
        # MySQL does not tell the keys of rows that were inserted together.
        for external_id, pk in self._rows.filter(external_id__in=without_key).values_list(
            "external_id", "pk"
        ):
            if external_id in without_key:
                without_key[external_id].pk = pk
        return refused

    def _write_parts(self, entries: Sequence[_Entry], drafts: Sequence[Draft]) -> None:
        if self._part_model is None:
            return
        manager = self._part_model._default_manager
        new = [entry for entry in entries if entry.part is not None and not entry.has_part]
        for entry in new:
            setattr(entry.part, self._part_key, entry.row.pk)
        manager.bulk_create([entry.part for entry in new])
        changed = [entry.part for entry in entries if entry.has_part and entry.is_part_changed]
        if changed:
            manager.bulk_update(changed, sorted({name for d in drafts for name in d.part}))


def _set(row: object, values: Mapping[str, Any]) -> bool:
    """Give the row the values; tells whether one of them was another before."""
    changed = [name for name, value in values.items() if getattr(row, name) != value]
    for name in changed:
        setattr(row, name, values[name])
    return bool(changed)
