"""Columns for money: a decimal with two places beside its currency code, never a float."""

from __future__ import annotations

from decimal import Decimal

from django.db import models
from django.db.models.functions import Round

DEFAULT_CURRENCY = "CNY"
LARGEST_AMOUNT = Decimal("99999999.99")


def money_field(verbose_name: object, **options: object) -> models.DecimalField:
    """A column for amounts up to 99,999,999.99 of a currency."""
    return models.DecimalField(verbose_name, max_digits=10, decimal_places=2, **options)  # type: ignore[arg-type, misc]


def to_the_cent(amount: models.expressions.Combinable) -> Round:
    """An amount that the database computes. SQLite does so in binary: 0.1 + 0.2 is not 0.3."""
    return Round(amount, precision=2)
