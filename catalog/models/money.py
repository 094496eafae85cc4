"""Columns for money: a decimal with two places beside its currency code, never a float."""

from __future__ import annotations

from django.db import models

DEFAULT_CURRENCY = "CNY"


def money_field(verbose_name: object, **options: object) -> models.DecimalField:
    """A column for amounts up to 99,999,999.99 of a currency."""
    return models.DecimalField(verbose_name, max_digits=10, decimal_places=2, **options)  # type: ignore[arg-type, misc]
