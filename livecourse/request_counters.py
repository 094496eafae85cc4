"""Counters of requests for /metrics: the library's, with each labelled one looked up once."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import django_prometheus.middleware
from django.http import HttpRequest
from prometheus_client.metrics import MetricWrapperBase


@lru_cache(maxsize=4_096)
def _labelled(metric: MetricWrapperBase, **labels: str) -> MetricWrapperBase:
    return metric.labels(**labels)


class _Remembered:
    """Labels of a request are views, methods and statuses: few, and the same again and again."""

    def label_metric(
        self, metric: MetricWrapperBase, request: HttpRequest, response: Any = None, **labels: str
    ) -> MetricWrapperBase:
        return _labelled(metric, **labels) if labels else metric


class Before(_Remembered, django_prometheus.middleware.PrometheusBeforeMiddleware):
    pass


class After(_Remembered, django_prometheus.middleware.PrometheusAfterMiddleware):
    pass
