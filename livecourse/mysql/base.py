"""Django's MySQL backend with fewer round trips.

A transaction is begun by a statement, not by turning autocommit off and on again: Django's backend
sends three statements around a transaction; with its own hook for this, which its SQLite backend
uses as well, the connection stays in autocommit and two are enough.

A kept connection is asked whether it still lives at the first use in a request, as Django does,
but not more often than once a second: in a rush that question would be every tenth statement.
"""

from __future__ import annotations

import time

from django.db.backends.mysql import base

# Servers and proxies close connections after rests that are many times longer.
ASK_AFTER_SECONDS = 1.0


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's wrapper of a connection to MySQL or MariaDB."""

    asked_at = float("-inf")

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
