"""The clock's way to orders: what is due, what is lost, what is to be sent."""

from __future__ import annotations

from celery import shared_task
from django.db import OperationalError
from django.utils import timezone

from catalog.payments.overdue import check_unsettled_payments, expire_due_orders
from catalog.payments.registry import providers
from catalog.payments.sandbox import Sandbox, deliver_notices
from catalog.refunds import send_due_refunds

# A database that restarts is back within seconds; anything else waits for the next round.
RETRYING = {"autoretry_for": (OperationalError,), "retry_backoff": 2, "max_retries": 3}


@shared_task(name="catalog.expire_orders", **RETRYING)
def expire_orders() -> None:
    expire_due_orders(moment=timezone.now())


@shared_task(name="catalog.check_payments", **RETRYING)
def check_payments() -> None:
    check_unsettled_payments(moment=timezone.now())


@shared_task(name="catalog.send_refunds", **RETRYING)
def send_refunds() -> None:
    send_due_refunds(moment=timezone.now())


@shared_task(name="catalog.deliver_sandbox_notices", **RETRYING)
def deliver_sandbox_notices() -> None:
    sandbox = providers().get("sandbox")
    if isinstance(sandbox, Sandbox):
        deliver_notices(sandbox, moment=timezone.now())
