"""The least that paid checkouts cost: their inserts and conditional updates as hand-written SQL.

Run as a program: reads {"course", "promotion", "buyers", "n_threads"} as JSON from its standard
input, writes into the database that DATABASE_URL names, and prints {"seconds"}. No HTTP, no
framework, no sign-in, and nothing is read but what an insert needs.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from bench.platform import connect

if TYPE_CHECKING:
    import MySQLdb

NOW = "2026-01-01 00:00:00"

# Each statement, and under which name the primary key of what it inserts is known afterwards.
ORDER = [
    (
        "UPDATE catalog_promotion SET seats_left = seats_left - 1 WHERE id = %(promotion)s "
        "AND is_active AND price = 50 AND seats_left > 0",
        "",
    ),
    (
        "INSERT INTO catalog_order (public_id, buyer_id, status, currency, list_total, total, "
        "coupon_id, idempotency_key, request_digest, created_at, expires_at, paid_at) VALUES "
        "(%(number)s, %(buyer)s, 'pending', 'CNY', 100, 50, NULL, %(number)s, REPEAT('x', 64), "
        f"'{NOW}', '{NOW}', NULL)",
        "order",
    ),
    (
        "INSERT INTO catalog_purchase (order_id, course_id, promotion_id, holder_id, list_price, "
        "coupon_discount, price) VALUES (%(order)s, %(course)s, %(promotion)s, %(buyer)s, 100, 0, "
        "50)",
        "line",
    ),
]
PAY = [
    (
        "INSERT INTO catalog_payment (number, order_id, provider, amount, currency, status, "
        "redirect_url, qr_code, started_at) VALUES (%(number)s, %(order)s, 'sandbox', 50, 'CNY', "
        f"'started', '', '', '{NOW}')",
        "payment",
    ),
    (
        "INSERT INTO catalog_sandboxpayment (reference, number, title, amount, refunded, currency, "
        "state, return_url, notify_url, created_at) VALUES (%(number)s, %(number)s, 'Hot course', "
        f"50, 0, 'CNY', 'paid', '', '', '{NOW}')",
        "book",
    ),
    (
        "INSERT INTO catalog_sandboxnotice (payment_id, outcome, created_at, not_before, "
        f"n_attempts) VALUES (%(book)s, 'succeeded', '{NOW}', '{NOW}', 0)",
        "",
    ),
    (
        f"UPDATE catalog_payment SET status = 'succeeded', settled_at = '{NOW}', "
        "reference = %(number)s WHERE id = %(payment)s AND status = 'started'",
        "",
    ),
    (
        f"UPDATE catalog_order SET status = 'paid', paid_at = '{NOW}' WHERE id = %(order)s "
        "AND status = 'pending'",
        "",
    ),
    (
        "INSERT INTO catalog_enrollment (user_id, course_id, purchase_id, is_active, enrolled_at) "
        f"VALUES (%(buyer)s, %(course)s, %(line)s, 1, '{NOW}')",
        "",
    ),
    (
        "INSERT INTO catalog_ledgerentry (order_id, `key`, kind, amount, currency, payment_id, "
        f"recorded_at) VALUES (%(order)s, 'charge', 'charge', 50, 'CNY', %(payment)s, '{NOW}')",
        "",
    ),
    (
        "INSERT INTO accounts_letter (`key`, kind, recipient_id, subject_id, created_at, "
        "not_before, n_attempts, last_error) VALUES (%(number)s, 'receipt', %(buyer)s, %(order)s, "
        f"'{NOW}', '{NOW}', 0, '')",
        "",
    ),
]


def run(job: dict[str, Any]) -> float:
    """Seconds that all buyers took, shared by threads with a connection each."""
    buyers = iter(job["buyers"])
    taking = threading.Lock()
    url = os.environ["DATABASE_URL"]
    connections = [connect(url) for _ in range(job["n_threads"])]
    threads = [
        threading.Thread(target=_buy_all, args=(connection, buyers, taking, job))
        for connection in connections
    ]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - began


def _buy_all(
    connection: MySQLdb.Connection,
    buyers: Iterator[int],
    taking: threading.Lock,
    job: dict[str, Any],
) -> None:
    cursor = connection.cursor()
    cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
    while True:
        with taking:
            buyer = next(buyers, None)
        if buyer is None:
            return
        values = {
            "course": job["course"],
            "promotion": job["promotion"],
            "buyer": buyer,
            "number": uuid.uuid4().hex,
        }
        for statements in (ORDER, PAY):
            for statement, name in statements:
                cursor.execute(statement, values)
                if name:
                    values[name] = cursor.lastrowid
            connection.commit()


if __name__ == "__main__":
    print(json.dumps({"seconds": run(json.load(sys.stdin))}))
