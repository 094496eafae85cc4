"""Ids that clients make for what they send, so that it is stored once however often it comes."""

from __future__ import annotations

import uuid
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

VERSIONS = range(1, 8)


def is_client_id(value: uuid.UUID) -> bool:
    """Whether it is a UUID of version 1 to 7 (RFC 9562); MariaDB's columns refuse some others."""
    return value.version in VERSIONS


def validate_client_id(value: uuid.UUID) -> None:
    """Raise a ValidationError unless it is such a UUID."""
    if not is_client_id(value):
        raise ValidationError(_("The id must be a UUID of version 1 to 7."), code="invalid")


class ClientIdField(serializers.UUIDField):
    """An id that a client makes."""

    def __init__(self, **options: Any) -> None:
        super().__init__(validators=[validate_client_id], **options)
