"""Storing a market in one transaction, and the sign-ins of its people."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from allauth.account.models import EmailAddress
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.core.files.base import ContentFile
from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.models import Max, Model

from accounts.models import User
from analytics.models import Event
from analytics.sample_market.market import MODELS, Market, build_market
from analytics.sample_market.plan import SOURCE, Keys, Plan
from catalog.models import Category, Course, LedgerEntry, LessonProgress
from catalog.private_files import private_storage
from streams.models import LiveSession

BATCH = 2000
# Models of so many rows that bulk_create, which writes its statements anew for each few of
# them, would take most of the time. All their keys are known.
MANY = (Event, LedgerEntry, LessonProgress)
# No letter that looks like a digit: the password is read from a terminal and typed.
ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
PASSWORD_GROUPS, GROUP_LENGTH = 4, 4


class ForeignRows(Exception):
    """The database holds people or courses that are not of a sample market; it says which."""


class AlreadyThere(Exception):
    """The database holds a sample market."""


@dataclass(frozen=True)
class SignIn:
    """How one person of the market signs in; the password is empty when its file is gone."""

    email: str
    role: str
    name: str
    password: str


@transaction.atomic
def write_market(plan: Plan) -> Market:
    """Make a market and store it, all or nothing.

    Raises AlreadyThere, ForeignRows or TooManyCourses and then writes nothing.
    """
    require_empty()
    market = build_market(plan, Keys({model: _largest_key(model) for model in MODELS}))
    with _files(market):
        _write_rows(market)
    return market


@contextmanager
def _files(market: Market) -> Iterator[None]:
    """Store the files of lessons before the rows that name them; take them away if that fails."""
    storage = private_storage()
    try:
        for lesson, content in market.files:
            lesson.file = storage.save("lessons/book.epub", ContentFile(content))
        yield
    except BaseException:
        for lesson, _content in market.files:
            if lesson.file:
                storage.delete(str(lesson.file.name))
        raise


def _write_rows(market: Market) -> None:
    password = new_password()
    hashed = make_password(password)
    for user in market.sign_ins:
        user.password = hashed
    for model, rows in market.rows.items():
        if model in MANY:
            _insert(model, rows)
        else:
            model._default_manager.bulk_create(rows, batch_size=BATCH)
    for session, item in market.pinned:
        LiveSession.objects.filter(pk=session.pk).update(pinned=item)
    EmailAddress.objects.bulk_create(
        [
            EmailAddress(user=user, email=str(user.email), verified=True, primary=True)
            for user in market.sign_ins
        ]
    )
    # Last, and before the commit: a market that is there has its file, and a file without a
    # market says nothing and is written over by the next attempt.
    _write_password(password)


def require_empty() -> None:
    """Raise AlreadyThere or ForeignRows unless there are no people, courses and categories."""
    if has_market():
        raise AlreadyThere
    for model in (User, Course, Category):
        n = model._default_manager.count()
        if n:
            raise ForeignRows(f"{n} {model._meta.verbose_name_plural}")


def has_market() -> bool:
    return User.objects.filter(import_source=SOURCE, external_id="operator").exists()


def sign_ins() -> list[SignIn]:
    """The people of the market who can sign in; none without a market."""
    path = password_file()
    password = path.read_text().strip() if path.exists() else ""
    people = User.objects.filter(import_source=SOURCE, email__isnull=False).order_by("pk")
    return [SignIn(str(user.email), user.role, user.display_name, password) for user in people]


def password_file() -> Path:
    """Where the password of the market lies, readable by the owner alone."""
    return Path(settings.VAR_DIR) / "sample-sign-ins"


def new_password() -> str:
    """A random one for each market: a sample on a public host has no known password."""
    return "-".join(
        "".join(secrets.choice(ALPHABET) for _ in range(GROUP_LENGTH))
        for _ in range(PASSWORD_GROUPS)
    )


def _insert(model: type[Model], rows: list[Any]) -> None:
    """Store rows with their keys by one prepared statement; no signal is sent."""
    # The connection itself: its proxy would look it up again for every value.
    database = connections[DEFAULT_DB_ALIAS]
    fields: list[Any] = list(model._meta.concrete_fields)
    prepare = [
        (field.attname, (field.target_field if field.is_relation else field).get_db_prep_save)
        for field in fields
    ]
    quote = database.ops.quote_name
    columns = ", ".join(quote(field.column) for field in fields)
    places = ", ".join(["%s"] * len(fields))
    statement = f"INSERT INTO {quote(model._meta.db_table)} ({columns}) VALUES ({places})"  # noqa: S608
    with database.cursor() as cursor:
        for start in range(0, len(rows), BATCH):
            values = [
                [
                    None if (value := getattr(row, name)) is None else to_column(value, database)
                    for name, to_column in prepare
                ]
                for row in rows[start : start + BATCH]
            ]
            cursor.executemany(statement, values)


def _write_password(password: str) -> None:
    """Put the password into its file, whole or not at all."""
    path = password_file()
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(password + "\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)


def _largest_key(model: type[Model]) -> int:
    """The largest whole-number key of a model; 0 for none and for keys borrowed from another."""
    if model._meta.pk.is_relation:
        return 0
    return model._default_manager.aggregate(v=Max("pk"))["v"] or 0
