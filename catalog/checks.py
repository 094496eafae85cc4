"""What `manage.py check` says of the keys of vendors and, with `--deploy`, of a deployment."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning

from catalog.payments.registry import UnusableKeys, providers


def warn_of_test_payments(app_configs: Any, **options: Any) -> list[CheckMessage]:
    """W001: with the sandbox on, anybody can have every course for nothing."""
    if not settings.SANDBOX_PAYMENTS:
        return []
    return [
        Warning(
            "Test payments are on (SANDBOX_PAYMENTS): whoever uses them pays nothing.",
            hint="Set SANDBOX_PAYMENTS=0, and the keys of a payment vendor.",
            id="catalog.W001",
        )
    ]


def try_vendor_keys(app_configs: Any, **options: Any) -> list[CheckMessage]:
    """E001: a key that cannot be read would else show when the first buyer wants to pay."""
    try:
        providers()
    except UnusableKeys as error:
        return [
            Error(
                str(error),
                hint=(
                    f"Compare {error.vendor}_… with docs/payments.md: a key is its whole text, "
                    "with \\n for line ends, or the path of its file."
                ),
                id="catalog.E001",
            )
        ]
    return []
