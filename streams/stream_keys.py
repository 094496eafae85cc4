"""Stream keys: what a seller's program says to the video server to prove whose stream it is."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime

from accounts.models import User
from accounts.transactions import in_one_transaction
from streams.models import StreamKey

N_BYTES = 24
N_ENDING = 4


@in_one_transaction
def new_stream_key(seller: User, *, moment: datetime) -> str:
    """Make the seller a key, which is told only now; the one before it is valid no more."""
    # Two new keys at once: the second waits, and revokes the first.
    User.objects.select_for_update().only("pk").get(pk=seller.pk)
    _revoke(StreamKey.objects.filter(active_of=seller), moment)
    secret = secrets.token_urlsafe(N_BYTES)
    StreamKey.objects.create(
        seller=seller,
        active_of=seller,
        digest=_digest(secret),
        ending=secret[-N_ENDING:],
        created_at=moment,
    )
    return secret


def revoke_stream_key(key: StreamKey, *, moment: datetime) -> bool:
    """Make the key void and return whether it was valid; a stream that uses it is cut off soon."""
    return _revoke(StreamKey.objects.filter(pk=key.pk, active_of__isnull=False), moment) > 0


def owner_of_key(secret: str) -> int | None:
    """The id of the seller whose valid key this is; None for every other text."""
    keys = StreamKey.objects.filter(digest=_digest(secret), active_of__is_active=True)
    return keys.values_list("active_of_id", flat=True).first()


def valid_key_of(seller: User) -> StreamKey | None:
    """The row of the seller's valid key, which does not hold the key itself."""
    return StreamKey.objects.filter(active_of=seller).first()


def _revoke(keys, moment: datetime) -> int:  # type: ignore[no-untyped-def]
    return keys.update(active_of=None, revoked_at=moment)


def _digest(secret: str) -> str:
    # A key is random and long: guessing it from a plain digest is as hard as guessing it at all.
    return hashlib.sha256(secret.encode()).hexdigest()
