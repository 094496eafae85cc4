"""What every target is: the columns it knows and a way to store a batch of rows."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from django.db import models

from accounts.models import Role, User
from analytics.csv_import.columns import Column
from analytics.csv_import.errors import BadCell

EXTERNAL_ID_LENGTH = 64
# Ids per look-up, so that a cache over a long file stays small.
_MOST_CACHED = 50_000


@dataclass(frozen=True)
class ImportContext:
    """What holds for all rows of one import: where they come from, whose they are, and when."""

    source: str
    seller: User | None
    now: datetime


class Row(NamedTuple):
    """One row that was read: the line where it begins and the values of its columns."""

    line: int
    values: dict[str, Any]


@dataclass
class Stored:
    """What became of a batch; `refused` has a line and a reason for each row left out here."""

    n_stored: int = 0
    n_unchanged: int = 0
    refused: list[tuple[int, str]] = field(default_factory=list)


class Target(Protocol):
    """People, courses, interactions or live sessions.

    `store` runs inside a transaction, which its caller may roll back; then `forget` is called,
    so that nothing of it is remembered.
    """

    name: str
    batch_size: int
    columns: Sequence[Column]

    def check_columns(self, present: Collection[str]) -> None:
        """Raise UnusableFile where the columns together are too few."""

    def store(self, rows: Sequence[Row]) -> Stored: ...

    def forget(self) -> None: ...


class KnownIds:
    """Ids of the source to primary keys of a model, looked up by the batch and compared exactly:
    a database may take U_a and U_A for the same."""

    def __init__(self, model: type[models.Model], *, source: str) -> None:
        self._rows = model._default_manager.filter(import_source=source)
        self._cache: dict[str, int] = {}

    def look_up(self, external_ids: Collection[str]) -> Mapping[str, int]:
        """A mapping that has those of the given ids which are known, and perhaps more."""
        missing = [one for one in external_ids if one not in self._cache]
        if missing:
            if len(self._cache) > _MOST_CACHED:
                self._cache.clear()
                missing = list(external_ids)
            found = self._rows.filter(external_id__in=missing)
            self._cache.update(found.values_list("external_id", "pk"))
        return self._cache


class Sellers:
    """Who sells what is imported: the seller of the row, of the command, or one made for it."""

    # No id of a file that is read begins so: these rows cannot be taken for one another.
    EXTERNAL_ID = "=seller"

    def __init__(self, context: ImportContext) -> None:
        self._context = context
        self._by_email: dict[str, int] = {}
        self._made: int | None = None

    def forget(self) -> None:
        self._made = None
        self._by_email.clear()

    def parse(self, cell: str) -> int:
        """The primary key of the seller with this e-mail address."""
        email = cell.lower()
        if email not in self._by_email:
            seller = User.objects.filter(email=email).first()
            if seller is None or not seller.is_staff:
                raise BadCell("no seller has this e-mail address")
            if len(self._by_email) > _MOST_CACHED:
                self._by_email.clear()
            self._by_email[email] = seller.pk
        return self._by_email[email]

    @property
    def default_id(self) -> int:
        """Without a seller named, a seller of the import's own, who cannot sign in."""
        if self._context.seller is not None:
            return self._context.seller.pk
        if self._made is None:
            seller, is_new = User.objects.get_or_create(
                import_source=self._context.source,
                external_id=self.EXTERNAL_ID,
                defaults={"role": Role.SELLER, "display_name": self._context.source},
            )
            if is_new:
                seller.set_unusable_password()
                seller.save(update_fields=["password"])
            self._made = seller.pk
        return self._made
