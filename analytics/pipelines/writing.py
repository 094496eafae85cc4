"""Result rows into their tables: repeated, late or parallel writing leaves the same rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar

from django.db import connection, transaction
from django.db.models import Field, Model

Row = TypeVar("Row", bound=Model)

# Rows per statement; SQLite and MySQL both bound the size of one.
BATCH = 1_000


def upsert(rows: Sequence[Row], *, key: Sequence[str], leave: Sequence[str] = ()) -> None:
    """Insert the rows, or update those whose `key` is there; columns in `leave` stay untouched.

    One transaction: readers see all of it or none.
    """
    if not rows:
        return
    model = type(rows[0])
    fixed = {*key, *leave}
    changed = [
        field.name
        for field in model._meta.concrete_fields
        if field.name not in fixed and not field.primary_key
    ]
    # MySQL finds the conflicting key by itself and refuses to be told; SQLite wants it.
    target: dict[str, Any] = (
        {"unique_fields": list(key)}
        if connection.features.supports_update_conflicts_with_target
        else {}
    )
    with transaction.atomic():
        model._default_manager.bulk_create(
            rows, batch_size=BATCH, update_conflicts=True, update_fields=changed, **target
        )


def upsert_values(
    model: type[Model], rows: Iterable[Mapping[str, Any]], *, key: Sequence[str], batch: int = BATCH
) -> int:
    """Insert or update rows given as values by field name, and say how many there were.

    For results of everybody: no model instances are made, and JSON comes as text, which
    takes a third of the time of `upsert`. All rows name the same fields. One transaction.
    """
    rest = iter(rows)
    n_rows = 0
    with transaction.atomic(), connection.cursor() as cursor:
        while part := list(islice(rest, batch)):
            fields = [_column(model, name) for name in part[0]]
            cursor.executemany(
                _upsert_statement(model, fields, key=key),
                [[_adapted(row[field.name]) for field in fields] for row in part],
            )
            n_rows += len(part)
    return n_rows


def _column(model: type[Model], name: str) -> Field:
    """The field of that name, which has a column of its own in the table."""
    return next(field for field in model._meta.concrete_fields if field.name == name)


def _adapted(value: Any) -> Any:
    if isinstance(value, datetime):
        return connection.ops.adapt_datetimefield_value(value)
    return value


def _upsert_statement(model: type[Model], fields: Sequence[Field], *, key: Sequence[str]) -> str:
    """Names only, all from the model; the values are bound."""
    quote = connection.ops.quote_name
    names = [quote(str(field.column)) for field in fields]
    changed = [quote(str(field.column)) for field in fields if field.name not in key]
    if connection.vendor == "mysql":
        conflict = "ON DUPLICATE KEY UPDATE " + ", ".join(f"{c}=VALUES({c})" for c in changed)
    else:
        target = ", ".join(quote(str(_column(model, name).column)) for name in key)
        conflict = f"ON CONFLICT ({target}) DO UPDATE SET "
        conflict += ", ".join(f"{c}=excluded.{c}" for c in changed)
    return (
        f"INSERT INTO {quote(model._meta.db_table)} ({', '.join(names)}) "  # noqa: S608
        f"VALUES ({', '.join(['%s'] * len(names))}) {conflict}"
    )
