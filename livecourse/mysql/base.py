"""A transaction is begun by a statement, not by turning autocommit off and on again.

Django's backend sends three statements around a transaction; with this hook, which its SQLite
backend uses as well, the connection stays in autocommit and two are enough.
"""

from __future__ import annotations

from django.db.backends.mysql import base


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's wrapper of a connection to MySQL or MariaDB."""

    def _start_transaction_under_autocommit(self) -> None:
        with self.cursor() as cursor:
            cursor.execute("START TRANSACTION")
