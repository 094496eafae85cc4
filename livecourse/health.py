"""Whether the process is up, whether what it needs can be reached, and what it counted."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime

from django.conf import settings
from django.core.cache import cache
from django.core.cache.backends.base import InvalidCacheBackendError
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, connection
from django.db.models import Count, Min
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from django_prometheus.exports import ExportToDjangoView
from kombu.exceptions import OperationalError
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from redis.exceptions import RedisError

from accounts.models import Letter
from catalog.expiry import due_orders
from catalog.models import Refund, RefundStatus
from livecourse.celery import app as celery_app
from streams.presence import held_by_processes

logger = logging.getLogger(__name__)

UNREACHABLE = (DatabaseError, RedisError, OperationalError, OSError, InvalidCacheBackendError)


@never_cache
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """200 as long as this process answers."""
    return HttpResponse("ok", content_type="text/plain")


@never_cache
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """200 when database, broker and cache answer, else 503 with the parts that do not."""
    parts = {"database": _ask_database, "broker": _ask_broker, "cache": _ask_cache}
    state = {name: _answers(name, ask) for name, ask in parts.items()}
    return JsonResponse(state, status=200 if all(v == "ok" for v in state.values()) else 503)


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Counters for Prometheus, for whom METRICS_TOKEN or its absence admits."""
    if not _may_read_metrics(request):
        raise PermissionDenied
    response = ExportToDjangoView(request)
    response.write(_measured(timezone.now()))
    return response


def _letters(moment: datetime) -> dict[str, tuple[str, float]]:
    waiting = Letter.objects.waiting().aggregate(
        n=Count("pk"), oldest=Min("created_at"), next=Min("not_before")
    )

    return {
        "letters_waiting": ("Letters neither sent nor dropped", waiting["n"]),
        "letters_oldest_seconds": (
            "Age of the oldest letter that waits, 0 for none",
            _seconds_since(waiting["oldest"], moment),
        ),
        "letters_overdue_seconds": (
            "Since when a letter that is due is left alone: workers or mail server are away",
            _seconds_since(waiting["next"], moment),
        ),
        "letters_failed": ("Letters given up after the last try", Letter.objects.failed().count()),
    }


def _orders(moment: datetime) -> dict[str, tuple[str, float]]:
    due = due_orders(moment=moment).aggregate(n=Count("pk"), oldest=Min("expires_at"))
    return {
        "orders_overdue": (
            "Orders not paid in time that still hold seats and coupons",
            due["n"],
        ),
        "orders_overdue_seconds": (
            "Since when the oldest of them should have ended, 0 for none",
            _seconds_since(due["oldest"], moment),
        ),
    }


def _refunds(moment: datetime) -> dict[str, tuple[str, float]]:
    waiting = Refund.objects.filter(status=RefundStatus.REQUESTED).aggregate(
        n=Count("pk"), oldest=Min("requested_at"), next=Min("not_before")
    )
    failed = Refund.objects.filter(status=RefundStatus.FAILED)
    return {
        "refunds_waiting": ("Refunds that no vendor has confirmed yet", waiting["n"]),
        "refunds_oldest_seconds": (
            "Age of the oldest refund that waits, 0 for none",
            _seconds_since(waiting["oldest"], moment),
        ),
        "refunds_overdue_seconds": (
            "Since when a refund that is due is left alone: workers are away",
            _seconds_since(waiting["next"], moment),
        ),
        "refunds_failed": (
            "Refunds that a vendor refused, or that were given up",
            failed.count(),
        ),
    }


def _rooms(moment: datetime) -> dict[str, tuple[str, float]]:
    n_processes, n_viewers = held_by_processes(moment=moment)
    return {
        "live_processes": ("Processes that hold viewers of live rooms", n_processes),
        "live_viewers": ("Viewers that they hold, one with two pages counted twice", n_viewers),
    }


def _seconds_since(then: datetime | None, moment: datetime) -> float:
    return max((moment - then).total_seconds(), 0) if then else 0


# Each asks the rows at a moment, for everything that its part of the program measures: for every
# name the help and the value. Counters live in a process; these are the same whoever is asked.
MEASURES: list[Callable[[datetime], dict[str, tuple[str, float]]]] = [
    *(_letters, _orders, _refunds),
    _rooms,
]


def _measured(moment: datetime) -> bytes:
    """The gauges from the rows, as Prometheus reads them; none of a part that cannot be read."""
    registry = CollectorRegistry()
    for measure in MEASURES:
        try:
            for name, (documentation, value) in measure(moment).items():
                Gauge(f"livecourse_{name}", documentation, registry=registry).set(value)
        except DatabaseError as error:
            logger.warning("nothing can be measured in the database: %s", error)
    return generate_latest(registry)


def _may_read_metrics(request: HttpRequest) -> bool:
    if settings.METRICS_TOKEN:
        sent = request.headers.get("Authorization", "")
        return constant_time_compare(sent, f"Bearer {settings.METRICS_TOKEN}")
    # A proxy on this machine also comes from loopback, but says for whom it asks.
    is_forwarded = "X-Forwarded-For" in request.headers or "Forwarded" in request.headers
    return request.META.get("REMOTE_ADDR") in ("127.0.0.1", "::1") and not is_forwarded


def _answers(name: str, ask: Callable[[], None]) -> str:
    try:
        ask()
    except UNREACHABLE as error:
        # The reason may name hosts and accounts: it goes to the log, not to the caller.
        logger.warning("%s cannot be reached: %s", name, error)
        return "unreachable"
    return "ok"


def _ask_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        cursor.fetchone()


def _ask_broker() -> None:
    with celery_app.connection_for_write(connect_timeout=2) as broker:
        broker.ensure_connection(max_retries=1, timeout=2)


def _ask_cache() -> None:
    cache.set("readyz", "ok", timeout=10)
    if cache.get("readyz") != "ok":
        raise OSError("the cache does not give back what was put in")
