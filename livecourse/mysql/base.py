"""Django's MySQL backend with fewer round trips.

A transaction is begun by a statement, not by turning autocommit off and on again: Django's backend
sends three statements around a transaction; with its own hook for this, which its SQLite backend
uses as well, the connection stays in autocommit and two are enough.

A statement has one result, and nobody looks for further ones: the driver would ask the library for
them twice a statement and let other threads run each time, while rows are locked. Several
statements in one, which some injections need, are off.

A kept connection is asked whether it still lives at the first use in a request, as Django does,
but not more often than once a second: in a rush that question would be every tenth statement.
"""

from __future__ import annotations

import time
from typing import Any

from django.db.backends.mysql import base
from MySQLdb.cursors import Cursor

# Servers and proxies close connections after rests that are many times longer.
ASK_AFTER_SECONDS = 1.0


class OneResultCursor(Cursor):
    """A cursor for statements that have one result at most: all but calls of procedures."""

    connection: Any

    def _discard(self) -> None:
        connection, self.connection = self.connection, None
        try:
            super()._discard()
        finally:
            self.connection = connection


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's wrapper of a connection to MySQL or MariaDB."""

    asked_at = float("-inf")

    def get_connection_params(self) -> dict[str, Any]:
        one_result = {"cursorclass": OneResultCursor, "multi_statements": False}
        return super().get_connection_params() | one_result

    def _start_transaction_under_autocommit(self) -> None:
        with self.cursor() as cursor:
            cursor.execute("START TRANSACTION")

    def close_if_health_check_failed(self) -> None:
        now = time.monotonic()
        if now - self.asked_at < ASK_AFTER_SECONDS:
            return
        super().close_if_health_check_failed()
        if self.health_check_done:  # type: ignore[attr-defined]
            self.asked_at = now
