"""What people agree to, and what follows at once from it."""

from __future__ import annotations

from django.db import transaction

from accounts.models import Consent, Purpose, User

DOCUMENT_VERSION = "2026-11"


@transaction.atomic
def record_consent(*, user: User, purpose: Purpose, is_granted: bool) -> Consent:
    """Append one decision; a decision about personalisation takes effect in the same commit."""
    consent = Consent.objects.create(
        user=user, purpose=purpose, is_granted=is_granted, document_version=DOCUMENT_VERSION
    )
    if purpose == Purpose.PERSONALISATION:
        User.objects.filter(pk=user.pk).update(is_personalised=is_granted)
        user.is_personalised = is_granted
    return consent
