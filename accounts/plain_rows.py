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
from functools import cache
from typing import Any, TypeVar

from django.core.exceptions import FieldDoesNotExist, FieldError
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Field, Model
from django.db.models.constants import OnConflict

Row = TypeVar("Row", bound=Model)

_COMPARISONS = {
    "gt": "{column} > %s",
    "lte": "{column} <= %s",
    "gt_or_null": "({column} IS NULL OR {column} > %s)",
}


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
    model = type(row)
    fields, statement = _insert(model, tuple(update_on_conflict), tuple(unique))
    database = _database()
    values = [field.get_db_prep_save(field.pre_save(row, True), database) for field in fields]
    with database.cursor() as cursor:
        cursor.execute(statement, values)
        if not update_on_conflict:
            row.pk = cursor.lastrowid
    row._state.adding = False
    row._state.db = DEFAULT_DB_ALIAS
    return row


def change_row(
    model: type[Model], pk: int, *, where: Mapping[str, Any], to: Mapping[str, Any]
) -> bool:
    """Set the fields `to` of one row, if it has the values `where`; returns whether it had.

    `where` is read as by `fetch_rows`; a `Plus` among `to` is added to what is there.
    """
    tests, test_values = _tests(model, {"pk": pk, **where})
    columns = ", ".join(
        f"{_column(model, name)} = {_column(model, name)} + %s"
        if isinstance(value, Plus)
        else f"{_column(model, name)} = %s"
        for name, value in to.items()
    )
    values = [
        value.amount if isinstance(value, Plus) else _prepared(model, name, value)
        for name, value in to.items()
    ]
    with _database().cursor() as cursor:
        cursor.execute(
            f"UPDATE {_table(model)} SET {columns} WHERE {tests}",  # noqa: S608
            [*values, *test_values],
        )
        return bool(cursor.rowcount)


def fetch_rows(
    model: type[Row], *, fields: Sequence[str] = (), is_locked: bool = False, **where: Any
) -> list[Row]:
    """The rows with these values, by primary key; `fields` alone when they are given.

    A list, tuple or set as a value stands for any of its members; a name may end in `__gt`,
    `__lte` or `__gt_or_null`. `is_locked` locks the rows until the transaction ends, where the
    database has such locks. Raises FieldDoesNotExist or FieldError for a name that means nothing.
    """
    chosen, columns = _selection(model, tuple(fields))
    tests, values = _tests(model, where)
    database = _database()
    lock = " FOR UPDATE" if is_locked and database.features.has_select_for_update else ""
    with database.cursor() as cursor:
        cursor.execute(
            f"SELECT {columns} FROM {_table(model)} WHERE {tests} "  # noqa: S608
            f"ORDER BY {_column(model, 'pk')}{lock}",
            values,
        )
        found = cursor.fetchall()
    names = [field.attname for field, _converters in chosen]
    converted = [
        (place, field.cached_col, converters)
        for place, (field, converters) in enumerate(chosen)
        if converters
    ]
    rows = []
    for one in map(list, found):
        for place, column, converters in converted:
            for convert in converters:
                one[place] = convert(one[place], column, database)
        rows.append(model.from_db(DEFAULT_DB_ALIAS, names, one))
    return rows


def _database() -> BaseDatabaseWrapper:
    """This thread's connection itself: the proxy looks it up anew for each of its attributes."""
    return connections[DEFAULT_DB_ALIAS]


def _tests(model: type[Model], where: Mapping[str, Any]) -> tuple[str, list[Any]]:
    parts, values = [], []
    for test, value in where.items():
        name, _dunder, comparison = test.partition("__")
        column = _column(model, name)
        if comparison:
            if comparison not in _COMPARISONS:
                known = ", ".join(f"__{one}" for one in _COMPARISONS)
                raise FieldError(f"{test}: a name here may end in {known}")
            parts.append(_COMPARISONS[comparison].format(column=column))
            values.append(_compared(model, name, value))
        elif value is None:
            parts.append(f"{column} IS NULL")
        elif isinstance(value, (list, tuple, set, frozenset)):
            # No value at all: nothing can be among them.
            parts.append(f"{column} IN ({', '.join(['%s'] * len(value))})" if value else "1 = 0")
            values += [_compared(model, name, one) for one in value]
        else:
            parts.append(f"{column} = %s")
            values.append(_compared(model, name, value))
    return " AND ".join(parts) or "1 = 1", values


def _prepared(model: type[Model], name: str, value: Any) -> Any:
    return _field(model, name).get_db_prep_save(_bare(value), _database())


def _compared(model: type[Model], name: str, value: Any) -> Any:
    # Not as it is saved: no row has the key 0 on MariaDB, and yet it may be asked for.
    field = _field(model, name)
    return field.get_db_prep_value(field.get_prep_value(_bare(value)), _database(), prepared=True)


def _bare(value: Any) -> Any:
    return value.pk if isinstance(value, Model) else value


@cache
def _field(model: type[Model], name: str) -> Field:
    field = model._meta.pk if name == "pk" else model._meta.get_field(name)
    # Rows of other tables that point here, or are pointed to, have a name as well.
    if field not in model._meta.concrete_fields:
        raise FieldDoesNotExist(f"{model.__name__} has no column for {name!r}")
    return field  # type: ignore[return-value]


@cache
def _column(model: type[Model], name: str) -> str:
    return _quoted(_field(model, name))


def _quoted(field: Field) -> str:
    assert field.column is not None, "the models written here have a column for each field"
    return _database().ops.quote_name(field.column)


@cache
def _table(model: type[Model]) -> str:
    return _database().ops.quote_name(model._meta.db_table)


@cache
def _selection(
    model: type[Model], names: tuple[str, ...]
) -> tuple[list[tuple[Field, list[Any]]], str]:
    wanted = {_field(model, name) for name in (*names, "pk")}
    # In the model's order, which `from_db` relies on.
    fields = [field for field in model._meta.concrete_fields if not names or field in wanted]
    chosen = [
        (
            field,
            [
                *_database().ops.get_db_converters(field.cached_col),
                *field.get_db_converters(_database()),
            ],
        )
        for field in fields
    ]
    return chosen, ", ".join(map(_quoted, fields))


@cache
def _insert(
    model: type[Model], updated: tuple[str, ...], unique: tuple[str, ...]
) -> tuple[list[Field], str]:
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
    return fields, statement
