"""The clock's way to the outbox."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from accounts.outbox import send_due_letters


@shared_task(name="accounts.send_letters")
def send_letters() -> None:
    send_due_letters(moment=timezone.now())
