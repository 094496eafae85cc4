"""What must be so of every database after any rush, any fault and any order of events.

Plain SQL that SQLite and MariaDB both understand, about rows alone: it shares nothing with the
rules that it judges.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

# Runs one SELECT and returns its rows.
Ask = Callable[[str], list[tuple]]

# What each question is after; its answer names the rows that break the promise, so none must come.
PROMISES = {
    "seats = seats left + lines that somebody holds": """
        SELECT p.id, p.seats, p.seats_left, COUNT(l.id) FROM catalog_promotion p
        LEFT JOIN catalog_purchase l ON l.promotion_id = p.id AND l.holder_id IS NOT NULL
        WHERE p.seats IS NOT NULL
        GROUP BY p.id, p.seats, p.seats_left HAVING p.seats <> p.seats_left + COUNT(l.id)""",
    "a line has a holder, the buyer, if and only if its order waits or is paid": """
        SELECT l.id, o.status, l.holder_id FROM catalog_purchase l
        JOIN catalog_order o ON o.id = l.order_id
        WHERE (o.status IN ('pending', 'paid') AND l.refunded_at IS NULL)
              <> (l.holder_id IS NOT NULL AND l.holder_id = o.buyer_id)""",
    "nobody holds a course twice": """
        SELECT o.buyer_id, l.course_id FROM catalog_purchase l
        JOIN catalog_order o ON o.id = l.order_id
        WHERE o.status IN ('pending', 'paid') AND l.refunded_at IS NULL
        GROUP BY o.buyer_id, l.course_id HAVING COUNT(*) > 1""",
    "every order has a line": """
        SELECT o.id FROM catalog_order o
        WHERE NOT EXISTS (SELECT 1 FROM catalog_purchase l WHERE l.order_id = o.id)""",
    "a key made one order": """
        SELECT buyer_id, idempotency_key FROM catalog_order WHERE idempotency_key IS NOT NULL
        GROUP BY buyer_id, idempotency_key HAVING COUNT(*) > 1""",
    "a paid order has one charge, of its total": """
        SELECT o.id, COUNT(e.id) FROM catalog_order o
        LEFT JOIN catalog_ledgerentry e
            ON e.order_id = o.id AND e.kind = 'charge' AND e.amount = o.total
        WHERE o.status IN ('paid', 'refunded') GROUP BY o.id HAVING COUNT(e.id) <> 1""",
    "an order that is not paid has no charge": """
        SELECT o.id FROM catalog_order o
        JOIN catalog_ledgerentry e ON e.order_id = o.id AND e.kind = 'charge'
        WHERE o.status NOT IN ('paid', 'refunded')""",
    "no order has a second charge": """
        SELECT order_id FROM catalog_ledgerentry WHERE kind = 'charge'
        GROUP BY order_id HAVING COUNT(*) > 1""",
    "an order that costs something is paid by one payment": """
        SELECT o.id, COUNT(p.id) FROM catalog_order o
        LEFT JOIN catalog_payment p ON p.order_id = o.id AND p.status = 'succeeded'
        GROUP BY o.id, o.status, o.total
        HAVING COUNT(p.id) <> CASE WHEN o.status IN ('paid', 'refunded') AND o.total > 0
                                   THEN 1 ELSE 0 END""",
    "money that was not needed is recorded, and asked to go back, once": """
        SELECT p.id FROM catalog_payment p WHERE p.status = 'surplus' AND (
            (SELECT COUNT(*) FROM catalog_ledgerentry e WHERE e.payment_id = p.id
                AND e.kind = 'surplus' AND e.amount = p.amount) <> 1
            OR (SELECT COUNT(*) FROM catalog_ledgerentry e WHERE e.payment_id = p.id
                AND e.kind = 'surplus_return' AND e.amount = p.amount) <> 1
            OR (SELECT COUNT(*) FROM catalog_refund r WHERE r.payment_id = p.id
                AND r.purchase_id IS NULL AND r.amount = p.amount) <> 1)""",
    "no other money is recorded as not needed": """
        SELECT e.id FROM catalog_ledgerentry e LEFT JOIN catalog_payment p ON p.id = e.payment_id
        WHERE e.kind IN ('surplus', 'surplus_return') AND (p.id IS NULL OR p.status <> 'surplus')
        """,
    "a line that is paid and not refunded gives access": """
        SELECT l.id FROM catalog_purchase l JOIN catalog_order o ON o.id = l.order_id
        LEFT JOIN catalog_enrollment n ON n.purchase_id = l.id AND n.user_id = o.buyer_id
            AND n.course_id = l.course_id AND n.is_active
        WHERE o.status = 'paid' AND l.refunded_at IS NULL AND n.id IS NULL""",
    "no other line gives access": """
        SELECT n.id FROM catalog_enrollment n JOIN catalog_purchase l ON l.id = n.purchase_id
        JOIN catalog_order o ON o.id = l.order_id
        WHERE n.is_active AND (o.status <> 'paid' OR l.refunded_at IS NOT NULL)""",
    "a coupon counts the orders that use it, and what it took off them": """
        SELECT c.id, c.n_used, c.spent, COUNT(u.id), SUM(u.discount) FROM catalog_coupon c
        LEFT JOIN (SELECT o.id, o.coupon_id, SUM(l.coupon_discount) AS discount
                   FROM catalog_order o JOIN catalog_purchase l ON l.order_id = o.id
                   WHERE o.status IN ('pending', 'paid', 'refunded')
                   GROUP BY o.id, o.coupon_id) u ON u.coupon_id = c.id
        GROUP BY c.id, c.n_used, c.spent
        HAVING c.n_used <> COUNT(u.id) OR ABS(c.spent - COALESCE(SUM(u.discount), 0)) > 0.001""",
    "no coupon goes beyond its uses or its budget": """
        SELECT id FROM catalog_coupon WHERE n_used > max_uses OR spent > budget""",
    "nobody goes beyond their own uses of a coupon": """
        SELECT o.buyer_id, c.id FROM catalog_order o JOIN catalog_coupon c ON c.id = o.coupon_id
        WHERE o.status IN ('pending', 'paid', 'refunded')
        GROUP BY o.buyer_id, c.id, c.per_user_limit HAVING COUNT(*) > c.per_user_limit""",
    "a time of a consultation belongs to a line that somebody holds": """
        SELECT s.id FROM catalog_consultationslot s
        JOIN catalog_purchase l ON l.id = s.purchase_id WHERE l.holder_id IS NULL""",
    "a paid order has one receipt, any other none": """
        SELECT o.id, o.status, COUNT(t.id) FROM catalog_order o
        LEFT JOIN accounts_letter t ON t.kind = 'receipt' AND t.subject_id = o.id
        GROUP BY o.id, o.status
        HAVING COUNT(t.id) <> CASE WHEN o.status IN ('paid', 'refunded') THEN 1 ELSE 0 END""",
}


def broken_promises(ask: Ask) -> dict[str, list[tuple]]:
    """The promises that the database breaks, each with some of the rows that show it."""
    answers = {promise: ask(question) for promise, question in PROMISES.items()}
    return {promise: rows[:5] for promise, rows in answers.items() if rows}


def lost_orders(ask: Ask, acknowledged: Iterable[str]) -> set[str]:
    """Orders that a client was told of, by their public ids, and that are not there."""
    # MariaDB has a type for these ids, which shows hyphens; SQLite has text without them.
    there = {
        str(public_id).replace("-", "")
        for (public_id,) in ask("SELECT public_id FROM catalog_order")
    }
    return {told for told in acknowledged if told.replace("-", "") not in there}
