"""The clock's way to the outbox."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from accounts.outbox import send_due_letters


# No retry: the next round is seconds away. A batch ends by itself after a quarter of a minute;
# one that hangs must be gone before its claims are (accounts.outbox.LEASE).
@shared_task(name="accounts.send_letters", soft_time_limit=120, time_limit=180)
def send_letters() -> None:
    send_due_letters(moment=timezone.now())
