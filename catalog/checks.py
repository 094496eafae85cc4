"""What `manage.py check --deploy` says of a deployment."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Warning


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
