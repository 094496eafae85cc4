"""Result rows into their tables: repeated, late or parallel writing leaves the same rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from django.db import connection, transaction
from django.db.models import Model

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
    target = (
        {"unique_fields": list(key)}
        if connection.features.supports_update_conflicts_with_target
        else {}
    )
    with transaction.atomic():
        model._default_manager.bulk_create(
            rows, batch_size=BATCH, update_conflicts=True, update_fields=changed, **target
        )
