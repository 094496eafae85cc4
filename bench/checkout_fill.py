"""Orders of the past, by the million, so that tables are as large as after years."""

from __future__ import annotations

from contextlib import closing

from bench.platform import connect

# The rows of some orders, numbered from {first} to {last}; each buyer has ten, of ten courses.
_STATEMENTS = (
    "INSERT INTO accounts_user (password, email, display_name, role, language, is_active, "
    "is_personalised, joined_at, import_source) SELECT '', CONCAT('past-', seq, '@example.com'), "
    "'', 'viewer', '', 1, 1, '2025-01-01', '' FROM seq_{first_buyer}_to_{last_buyer}",
    "INSERT INTO catalog_order (id, public_id, buyer_id, status, currency, list_total, total, "
    "idempotency_key, request_digest, created_at, paid_at) SELECT {base} + seq, UUID(), u.id, "
    "'paid', 'CNY', 100, 100, CONCAT('past-', seq), '', '2025-01-01' + INTERVAL seq SECOND, "
    "'2025-01-01' + INTERVAL seq SECOND FROM seq_{first}_to_{last} JOIN accounts_user u "
    "ON u.email = CONCAT('past-', 1 + (seq - 1) DIV 10, '@example.com')",
    "INSERT INTO catalog_purchase (id, order_id, course_id, holder_id, list_price, "
    "coupon_discount, price) SELECT o.id, o.id, c.id, o.buyer_id, 100, 0, 100 FROM catalog_order o "
    "JOIN catalog_course c ON c.slug = CONCAT('past-', o.id MOD 10) "
    "WHERE o.id BETWEEN {base} + {first} AND {base} + {last}",
    "INSERT INTO catalog_enrollment (user_id, course_id, purchase_id, is_active, enrolled_at) "
    "SELECT p.holder_id, p.course_id, p.id, 1, '2025-01-01' FROM catalog_purchase p "
    "WHERE p.id BETWEEN {base} + {first} AND {base} + {last}",
    "INSERT INTO catalog_ledgerentry (order_id, `key`, kind, amount, currency, recorded_at) "
    "SELECT o.id, 'charge', 'charge', 100, 'CNY', o.paid_at FROM catalog_order o "
    "WHERE o.id BETWEEN {base} + {first} AND {base} + {last}",
)
_SELLER = (
    "INSERT IGNORE INTO accounts_user (password, email, display_name, role, language, is_active, "
    "is_personalised, joined_at, import_source) VALUES ('', 'past-seller@example.com', '', "
    "'seller', '', 1, 1, '2025-01-01', '')"
)
_FIELD = (
    "INSERT IGNORE INTO catalog_category (slug, name_zh, name_en, position) "
    "VALUES ('past', '旧', 'Past', 0)"
)
_COURSES = (
    "INSERT IGNORE INTO catalog_course (seller_id, kind, slug, title, summary, description, "
    "language, category_id, level, tags, list_price, currency, cover, status, published_at, "
    "created_at, updated_at, import_source) SELECT u.id, 'course', CONCAT('past-', seq), 'Past', "
    "'', '', 'zh', f.id, 1, '[]', 100, 'CNY', '', 'published', '2025-01-01', '2025-01-01', "
    "'2025-01-01', '' FROM seq_0_to_9 JOIN accounts_user u ON u.email = 'past-seller@example.com' "
    "JOIN catalog_category f ON f.slug = 'past'"
)
# So far apart that the numbers of orders made in between never meet the next ones.
_APART = 10_000_000_000
BATCH = 100_000


def fill(url: str, *, n_orders: int) -> int:
    """Have so many paid orders of the past, a multiple of ten, and return how many there are."""
    with closing(connect(url)) as connection:
        cursor = connection.cursor()
        for statement in (_SELLER, _FIELD, _COURSES):
            cursor.execute(statement)
        cursor.execute("SELECT COUNT(*), MAX(id) FROM catalog_order")
        _n, highest = cursor.fetchone()
        cursor.execute("SELECT COUNT(*) FROM catalog_order WHERE idempotency_key LIKE 'past-%'")
        (n_before,) = cursor.fetchone()
        base = ((highest or 0) // _APART + 1) * _APART
        for first in range(n_before + 1, n_orders + 1, BATCH):
            last = min(first + BATCH - 1, n_orders)
            numbers = {
                "base": base,
                "first": first,
                "last": last,
                "first_buyer": (first - 1) // 10 + 1,
                "last_buyer": last // 10,
            }
            for statement in _STATEMENTS:
                cursor.execute(statement.format(**numbers))
            connection.commit()
        cursor.execute("SELECT COUNT(*) FROM catalog_order")
        (n_all,) = cursor.fetchone()
    return n_all
