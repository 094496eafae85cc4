"""The clock's way into the pipelines: one line per result."""

from __future__ import annotations

import logging
from collections.abc import Callable

from celery import shared_task
from django.db import OperationalError

from analytics.models import ModelRun
from analytics.pipelines.conversion import refresh_forecasts
from analytics.pipelines.figures import refresh_figures
from analytics.pipelines.learning import refresh_learning
from analytics.pipelines.profiles import refresh_profiles
from analytics.pipelines.recommend import refresh_recommendations
from analytics.pipelines.retention import refresh_retention
from analytics.pipelines.runs import AlreadyRunning

logger = logging.getLogger(__name__)

# A database that restarts is back within minutes; anything else waits for the next round.
RETRYING = {
    "autoretry_for": (OperationalError,),
    "retry_backoff": 5,
    "retry_backoff_max": 120,
    "max_retries": 5,
}


def _run(pipeline: Callable[[], ModelRun]) -> None:
    try:
        pipeline()
    except AlreadyRunning as error:
        logger.info("left to the process that is at it already: %s", error)


@shared_task(name="analytics.profiles", **RETRYING)
def profiles() -> None:
    _run(refresh_profiles)


@shared_task(name="analytics.figures", **RETRYING)
def figures() -> None:
    _run(refresh_figures)


@shared_task(name="analytics.recommend", **RETRYING)
def recommend() -> None:
    _run(refresh_recommendations)


@shared_task(name="analytics.conversion", **RETRYING)
def conversion() -> None:
    _run(refresh_forecasts)


@shared_task(name="analytics.learning", **RETRYING)
def learning() -> None:
    _run(refresh_learning)


@shared_task(name="analytics.retention", **RETRYING)
def retention() -> None:
    _run(refresh_retention)
