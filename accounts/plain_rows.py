"""Statements of the hottest paths, made once from the models and sent without the query builder.

Building a query costs several times what the database needs to answer it, and a paid checkout has
some twenty. These functions write and read the same rows: columns, conversions and constraints
come from the model, so that there is no second description of a table. They send no signals and
keep no history; models that need either are written by their managers
(docs/adr/0004-statements-without-the-query-builder.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, NamedTuple, TypeVar

from django.core.exceptions import FieldDoesNotExist, FieldError
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import (
    BigAutoField,
    BigIntegerField,
    BooleanField,
    CharField,
    Field,
    ForeignKey,
    IntegerField,
    Model,
    PositiveIntegerField,
    PositiveSmallIntegerField,
    SmallIntegerField,
    TextField,
)
from django.db.models.base import ModelState
from django.db.models.constants import OnConflict

Row = TypeVar("Row", bound=Model)

# What is stored as it is when it has this very type: these fields would only look at it again.
_STORED_AS_IT_IS: dict[type[Field], type] = {
    CharField: str,
    TextField: str,
    BigAutoField: int,
    IntegerField: int,
    BigIntegerField: int,
    SmallIntegerField: int,
    PositiveIntegerField: int,
    PositiveSmallIntegerField: int,
    BooleanField: bool,
}

_COMPARISONS = {
    "gt": "{column} > %s",
    "lte": "{column} <= %s",
    "gt_or_null": "({column} IS NULL OR {column} > %s)",
}


@dataclass(frozen=True)
class Without:
    """Rows of `model` whose field `to` points here and which have these values: there are none."""

    model: type[Model]
    to: str
    where: Mapping[str, Any]


@dataclass(frozen=True)
class Plus:
    """What a number becomes: itself and so many. Nothing stays nothing."""

    amount: int


def insert_row(
    row: Row, *, update_on_conflict: Sequence[str] = (), unique: Sequence[str] = ()
) -> Row:
    """Insert the row and give it its primary key.

    With `update_on_conflict`, a row that has the same `unique` fields takes over those fields
    instead; the given row then has no primary key. Raises what the database raises.
    """
    database = _database()
    fields, statement = _insert(type(row), tuple(update_on_conflict), tuple(unique))
    with database.cursor() as cursor:
        cursor.execute(statement, _saved(row, fields, database))
        if not update_on_conflict:
            row.pk = cursor.lastrowid
    row._state.adding = False
    row._state.db = DEFAULT_DB_ALIAS
    return row


def insert_row_unless(row: Model, model: type[Model], **where: Any) -> bool:
    """Insert the row, unless the model has a row with these values; returns whether it was.

    `where` is read as by `fetch_rows`. One statement asks and inserts, and still two transactions
    at once may both insert: lock what they share before.
    """
    database = _database()
    fields, statement = _insert_unless(type(row))
    tests, values = _tests(model, where, database)
    with database.cursor() as cursor:
        cursor.execute(
            f"{statement} (SELECT 1 FROM {_table(model)} WHERE {tests})",  # noqa: S608
            [*_saved(row, fields, database), *values],
        )
        if not cursor.rowcount:
            return False
        row.pk = cursor.lastrowid
    row._state.adding = False
    row._state.db = DEFAULT_DB_ALIAS
    return True


def change_row(
    model: type[Model], pk: int, *, where: Mapping[str, Any], to: Mapping[str, Any]
) -> bool:
    """Set the fields `to` of one row, if it has the values `where`; returns whether it had.

    `where` is read as by `fetch_rows`; a `Plus` among `to` is added to what is there.
    """
    database = _database()
    tests, test_values = _tests(model, {"pk": pk, **where}, database)
    columns = ", ".join(
        f"{_quoted(_field(model, name))} = {_quoted(_field(model, name))} + %s"
        if isinstance(value, Plus)
        else f"{_quoted(_field(model, name))} = %s"
        for name, value in to.items()
    )
    values = [
        value.amount
        if isinstance(value, Plus)
        else _field(model, name).get_db_prep_save(_bare(value), database)
        for name, value in to.items()
    ]
    with database.cursor() as cursor:
        cursor.execute(
            f"UPDATE {_table(model)} SET {columns} WHERE {tests}",  # noqa: S608
            [*values, *test_values],
        )
        return bool(cursor.rowcount)


def fetch_rows(
    model: type[Row],
    *,
    fields: Sequence[str] = (),
    without: Without | None = None,
    is_locked: bool = False,
    **where: Any,
) -> list[Row]:
    """The rows with these values, by primary key; `fields` alone when they are given.

    A list, tuple or set as a value stands for any of its members; a name may end in `__gt`,
    `__lte` or `__gt_or_null`. `without` leaves out rows that others point to. `is_locked` locks
    the rows until the transaction ends, where the database has such locks. Raises
    FieldDoesNotExist or FieldError for a name that means nothing.
    """
    database = _database()
    selection = _selection(model, tuple(fields))
    tests, values = _tests(model, where, database)
    if without is not None:
        more_tests, more_values = _tests(without.model, without.where, database)
        others, pk = _table(without.model), _column(model, "pk")
        tests = (
            f"{tests} AND NOT EXISTS (SELECT 1 FROM {others} WHERE "  # noqa: S608
            f"{_column(without.model, without.to)} = {pk} AND {more_tests})"
        )
        values += more_values
    lock = " FOR UPDATE" if is_locked and database.features.has_select_for_update else ""
    with database.cursor() as cursor:
        cursor.execute(
            f"SELECT {selection.columns} FROM {_table(model)} WHERE {tests} "  # noqa: S608
            f"ORDER BY {_column(model, 'pk')}{lock}",
            values,
        )
        found = cursor.fetchall()
    return [selection.row(values, database) for values in found]


def fetch_rows_with(
    model: type[Row], name: str, *, fields: Sequence[str], **where: Any
) -> list[Row]:
    """The rows with these values, by primary key, each with what its field `name` points to.

    Of the latter only `fields` are read. Raises FieldError for a field that may be empty, and
    what `fetch_rows` raises.
    """
    database = _database()
    field = _field(model, name)
    if not isinstance(field, ForeignKey) or field.null:
        raise FieldError(f"{name} of {model.__name__} does not point to one row each time")
    other: Any = field.related_model
    selection, others = _selection(model, ()), _selection(other, tuple(fields))
    tests, values = _tests(model, where, database)
    with database.cursor() as cursor:
        cursor.execute(
            f"SELECT {selection.columns}, {others.columns} FROM {_table(model)} "  # noqa: S608
            f"INNER JOIN {_table(other)} ON {_column(model, name)} = {_column(other, 'pk')} "
            f"WHERE {tests} ORDER BY {_column(model, 'pk')}",
            values,
        )
        found = cursor.fetchall()
    rows = []
    n_own = len(selection.names)
    for values in found:
        row = selection.row(values[:n_own], database)
        field.set_cached_value(row, others.row(values[n_own:], database))
        rows.append(row)
    return rows


def _database() -> BaseDatabaseWrapper:
    """This thread's connection itself: the proxy looks it up anew for each of its attributes."""
    return connections[DEFAULT_DB_ALIAS]


def _saved(row: Model, fields: Sequence[_Stored], database: BaseDatabaseWrapper) -> list[Any]:
    """The values of the fields as they are stored."""
    values = []
    for field, name, kind in fields:
        value = field.pre_save(row, True) if kind is None else getattr(row, name)
        if kind is None or (value is not None and type(value) is not kind):
            value = field.get_db_prep_save(value, database)
        values.append(value)
    return values


def _tests(
    model: type[Model], where: Mapping[str, Any], database: BaseDatabaseWrapper
) -> tuple[str, list[Any]]:
    parts, values = [], []
    for test, value in where.items():
        is_any = isinstance(value, (list, tuple, set, frozenset))
        n_values = len(value) if is_any else None if value is None else -1
        statement, stored = _test(model, test, n_values)
        parts.append(statement)
        if n_values is not None:
            values += [_compared(stored, one, database) for one in (value if is_any else [value])]
    return " AND ".join(parts) or "1 = 1", values


@lru_cache(maxsize=1024)
def _test(model: type[Model], test: str, n_values: int | None) -> tuple[str, _Stored]:
    """One condition: `n_values` is None to be empty, -1 for one value, else any of so many."""
    name, _dunder, comparison = test.partition("__")
    column, stored = _column(model, name), _stored(_field(model, name))
    if comparison:
        if comparison not in _COMPARISONS or n_values != -1:
            known = ", ".join(f"__{one}" for one in _COMPARISONS)
            raise FieldError(f"{test}: a name here may end in {known}, for one value")
        return _COMPARISONS[comparison].format(column=column), stored
    if n_values is None:
        return f"{column} IS NULL", stored
    if n_values == -1:
        return f"{column} = %s", stored
    # No value at all: nothing can be among them.
    marks = ", ".join(["%s"] * n_values)
    return f"{column} IN ({marks})" if n_values else "1 = 0", stored


def _compared(stored: _Stored, value: Any, database: BaseDatabaseWrapper) -> Any:
    value = _bare(value)
    if stored.kind is not None and type(value) is stored.kind:
        return value
    # Not as it is saved: no row has the key 0 on MariaDB, and yet it may be asked for.
    field = stored.field
    return field.get_db_prep_value(field.get_prep_value(value), database, prepared=True)


def _bare(value: Any) -> Any:
    return value.pk if isinstance(value, Model) else value


class _Stored(NamedTuple):
    """A field, where a row has its value, and of which type that needs no conversion, if any."""

    field: Field
    name: str
    kind: type | None


@cache
def _stored(field: Field) -> _Stored:
    target = field
    while isinstance(target, ForeignKey):
        target = target.target_field
    return _Stored(field, field.attname, _STORED_AS_IT_IS.get(type(target)))


@dataclass(frozen=True)
class _Selection:
    """Columns of a model, and how a row is made of them."""

    model: type[Model]
    columns: str
    names: list[str]
    # Place among the values, field, and what to call one after another.
    converted: list[tuple[int, Field, list[Any]]]

    def row(self, values: Sequence[Any], database: BaseDatabaseWrapper) -> Any:
        """A row with these values; what is not among them is read on demand."""
        row = self.model.__new__(self.model)
        row._state = ModelState()
        row._state.adding = False
        row._state.db = DEFAULT_DB_ALIAS
        known = row.__dict__
        known.update(zip(self.names, values, strict=True))
        for place, field, converters in self.converted:
            value = values[place]
            for convert in converters:
                value = convert(value, field.cached_col, database)
            known[self.names[place]] = value
        return row


@cache
def _field(model: type[Model], name: str) -> Field:
    field = model._meta.pk if name == "pk" else model._meta.get_field(name)
    # Rows of other tables that point here, or are pointed to, have a name as well.
    if field not in model._meta.concrete_fields:
        raise FieldDoesNotExist(f"{model.__name__} has no column for {name!r}")
    return field  # type: ignore[return-value]


@cache
def _column(model: type[Model], name: str) -> str:
    """With its table: of several in one statement, each column names its own."""
    return f"{_table(model)}.{_quoted(_field(model, name))}"


@cache
def _quoted(field: Field) -> str:
    assert field.column is not None, "the models written here have a column for each field"
    return _database().ops.quote_name(field.column)


@cache
def _table(model: type[Model]) -> str:
    return _database().ops.quote_name(model._meta.db_table)


@cache
def _selection(model: type[Model], names: tuple[str, ...]) -> _Selection:
    database = _database()
    wanted = {_field(model, name) for name in (*names, "pk")}
    fields = [field for field in model._meta.concrete_fields if not names or field in wanted]
    converted = []
    for place, field in enumerate(fields):
        converters = [
            *database.ops.get_db_converters(field.cached_col),
            *field.get_db_converters(database),
        ]
        if converters:
            converted.append((place, field, converters))
    columns = ", ".join(_column(model, field.attname) for field in fields)
    return _Selection(model, columns, [field.attname for field in fields], converted)


@cache
def _insert(
    model: type[Model], updated: tuple[str, ...], unique: tuple[str, ...]
) -> tuple[list[_Stored], str]:
    fields = [field for field in model._meta.concrete_fields if not field.primary_key]
    columns = ", ".join(map(_quoted, fields))
    marks = ", ".join(["%s"] * len(fields))
    statement = f"INSERT INTO {_table(model)} ({columns}) VALUES ({marks})"  # noqa: S608
    if updated:
        suffix = _database().ops.on_conflict_suffix_sql(
            fields,
            OnConflict.UPDATE,
            [_field(model, name).column for name in updated],
            [_field(model, name).column for name in unique],
        )
        statement = f"{statement} {suffix}"
    return [_stored(field) for field in fields], statement


@cache
def _insert_unless(model: type[Model]) -> tuple[list[_Stored], str]:
    """As far as to what must not be there."""
    fields = [field for field in model._meta.concrete_fields if not field.primary_key]
    columns = ", ".join(map(_quoted, fields))
    marks = ", ".join(["%s"] * len(fields))
    statement = f"INSERT INTO {_table(model)} ({columns}) SELECT {marks} WHERE NOT EXISTS"
    return [_stored(field) for field in fields], statement
