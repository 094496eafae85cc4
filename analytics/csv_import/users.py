"""People of another system, who have no account here: no e-mail address and no password."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence

from django.contrib.auth.hashers import (
    UNUSABLE_PASSWORD_PREFIX,
    UNUSABLE_PASSWORD_SUFFIX_LENGTH,
)

from accounts.models import EARLIEST_BIRTH_YEAR, Gender, Occupation, StatedAttributes, User
from analytics.csv_import import cells
from analytics.csv_import.columns import Column
from analytics.csv_import.matched_rows import Draft, MatchedRows
from analytics.csv_import.targets import EXTERNAL_ID_LENGTH, ImportContext, Row, Stored

GENDERS = {
    **{value: value for value in Gender.values},
    "f": Gender.FEMALE.value,
    "m": Gender.MALE.value,
    "女": Gender.FEMALE.value,
    "男": Gender.MALE.value,
}
_STATED = ("gender", "birth_year", "occupation")


class Users:
    """Target `users`: people with what they said of themselves."""

    name = "users"
    batch_size = 2_000

    def __init__(self, context: ImportContext) -> None:
        self._now = context.now
        self.columns: Sequence[Column] = [
            Column("external_id", cells.text(EXTERNAL_ID_LENGTH), is_required=True),
            Column("display_name", cells.text(80)),
            Column("gender", cells.choice(GENDERS)),
            Column("birth_year", cells.whole(EARLIEST_BIRTH_YEAR, context.now.year)),
            Column("occupation", cells.choice({value: value for value in Occupation.values})),
            Column("language", cells.choice({"zh": "zh-hans", "zh-hans": "zh-hans", "en": "en"})),
            Column("joined_at", cells.past_moment(context.now)),
        ]
        self._rows = MatchedRows(
            User, source=context.source, part=StatedAttributes, part_key="user_id"
        )

    def check_columns(self, present: Collection[str]) -> None:
        """The id alone is enough."""

    def forget(self) -> None:
        """Nothing is remembered between batches."""

    def store(self, rows: Sequence[Row]) -> Stored:
        return self._rows.store([self._draft(row) for row in rows])

    def _draft(self, row: Row) -> Draft:
        own = dict(row.values)
        external_id = own.pop("external_id")
        stated = {name: own.pop(name) for name in _STATED if name in own}
        if stated:
            return Draft(row.line, external_id, own, self._first, stated)
        return Draft(row.line, external_id, own, self._first)

    def _first(self) -> dict[str, object]:
        # What `make_password(None)` makes, without its forty draws, which cost a third of the time.
        password = UNUSABLE_PASSWORD_PREFIX + secrets.token_hex(
            UNUSABLE_PASSWORD_SUFFIX_LENGTH // 2
        )
        return {"password": password, "joined_at": self._now}
