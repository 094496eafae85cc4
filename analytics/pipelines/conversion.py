"""Forecasts of scheduled sessions: score the models on later sessions, serve the best."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from sklearn.base import BaseEstimator

from analytics import frames
from analytics.methods.conversion import BASIS_MODEL, DEFAULT_LEVEL
from analytics.methods.conversion_evaluation import (
    candidates,
    choose_served,
    evaluate_models,
    rate_interval,
)
from analytics.methods.conversion_features import finished_sessions, with_local_time
from analytics.models import Forecast, ModelRun, Task
from analytics.pipelines.runs import keep_out, recorded_run, serve
from analytics.pipelines.writing import upsert

# A fit is kept out when its gain over the mean has shrunk by more than this share of the
# log-loss and by more than two standard errors: other sessions alone move a score a little.
TOLERATED_LOSS = 0.02
# What was scored longer ago says little of the audience of today and keeps nothing out.
SCORE_HOLDS = timedelta(days=14)
HOURS = range(24)


def refresh_forecasts(*, now: datetime | None = None) -> ModelRun:
    """Fit the best model on all finished sessions and forecast every scheduled one.

    Sessions of a seller without a past, and of a platform without one, get the mean and the
    prior, and their basis says so. A fit that scores worse than the served one is kept out:
    its forecasts are not written. The forecast of a session on air or over stays as it was
    made.
    """
    now = now or timezone.now()
    with recorded_run(Task.CONVERSION) as run:
        frame = _sessions()
        finished = finished_sessions(frame[frame["is_finished"]])
        run.window_end = now
        if len(finished):
            run.window_start = finished["starts_at"].iloc[0].tz_localize("UTC").to_pydatetime()
        run.n_rows = len(finished)
        run.last_event_id = frames.last_event_id()
        run.scores = evaluate_models(finished)
        models = {make.name: make for make in candidates(len(finished))}
        run.method = choose_served(run.scores, may_serve=list(models))
        why = _loss_against_served(run, now=now)
        if why:
            keep_out(run, why)
            return run
        model = models[run.method]()
        began = time.monotonic()
        model.fit(finished)
        run.fit_seconds = round(time.monotonic() - began, 3)
        run.parameters = _parameters(model)
        rows = _forecasts(run, model, frame[frame["is_scheduled"]], now=now)
        with transaction.atomic():
            upsert(rows, key=["live_session"])
            _forget_drafts(set(frame["session_id"]))
            run.n_results = len(rows)
            serve(run)
    return run


def score_models() -> list[dict[str, Any]]:
    """Every model, the plain baseline with them, on the later sessions; writes nothing.

    The keys are those of `evaluate_models`; empty with too few finished sessions.
    """
    frame = _sessions()
    return evaluate_models(finished_sessions(frame[frame["is_finished"]]))


def _sessions() -> pd.DataFrame:
    return with_local_time(frames.session_frame(), settings.TIME_ZONE)


def _forecasts(
    run: ModelRun, model: BaseEstimator, scheduled: pd.DataFrame, *, now: datetime
) -> list[Forecast]:
    if scheduled.empty:
        return []
    rates = model.predict(scheduled)
    low, high = rate_interval(model, scheduled, level=DEFAULT_LEVEL)
    # NaN passes the database's own check on SQLite; a forecast that is none must not be shown.
    if not (np.isfinite(rates).all() and np.isfinite(low).all() and np.isfinite(high).all()):
        raise ValueError(f"{model.name} gave a forecast that is no number")
    hours = _by_hour(model, scheduled)
    return [
        Forecast(
            live_session_id=int(session_id),
            run=run,
            expected_rate=float(rate),
            low=float(low_end),
            high=float(high_end),
            level=DEFAULT_LEVEL,
            basis=model.basis_,
            best_hours=best,
            made_at=now,
        )
        for session_id, rate, low_end, high_end, best in zip(
            scheduled["session_id"], rates, low, high, hours, strict=True
        )
    ]


def _by_hour(model: BaseEstimator, scheduled: pd.DataFrame) -> list[list[dict[str, Any]]]:
    """Per session its expected rate had it started at each hour of its day, best hour first.

    Empty where the model knows no difference between hours.
    """
    if model.basis_ != BASIS_MODEL:
        return [[] for _ in range(len(scheduled))]
    by_hour = np.column_stack(
        [model.predict(scheduled.assign(local_hour=float(hour))) for hour in HOURS]
    )
    return [
        [
            {"hour": int(hour), "rate": round(float(rates[hour]), 6)}
            for hour in np.argsort(-rates, kind="stable")
        ]
        for rates in by_hour
    ]


def _parameters(model: BaseEstimator) -> dict[str, Any]:
    """What the model was told and what it learnt, as far as it is a number or a word."""
    learnt = {
        name: getattr(model, name, None)
        for name in ("mean_", "dispersion_", "strength_", "n_sessions_", "basis_")
    }
    told = {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in model.get_params().items()
    }
    return told | {name: value for name, value in learnt.items() if value is not None}


def _forget_drafts(session_ids: set[int]) -> None:
    """Drop the forecasts of sessions that were taken back into drafts."""
    drafts = set(Forecast.objects.values_list("pk", flat=True)) - session_ids
    Forecast.objects.filter(pk__in=drafts).delete()


def _loss_against_served(run: ModelRun, *, now: datetime) -> str:
    """Why the run's gain over the mean is too far below the served one; empty when it is not."""
    served = ModelRun.objects.served(Task.CONVERSION)
    if served is None or now - served.started_at > SCORE_HOLDS:
        return ""
    before, after = _score_of(served), _score_of(run)
    if before is None:
        return ""
    if after is None:
        return f"Too few finished sessions are left to score a model; run #{served.pk} stays."
    noise = 2 * float(np.hypot(before["log_loss_se"], after["log_loss_se"]))
    bound = before["log_loss_vs_mean"] + max(TOLERATED_LOSS * before["log_loss"], noise)
    if after["log_loss_vs_mean"] <= bound:
        return ""
    return (
        f"Log-loss less that of the mean is {after['log_loss_vs_mean']:.5f}, above "
        f"{bound:.5f}, the most that is accepted after {before['log_loss_vs_mean']:.5f} "
        f"of run #{served.pk}; that one stays."
    )


def _score_of(run: ModelRun) -> dict[str, Any] | None:
    for score in run.scores:
        if score["method"] == run.method:
            return score
    return None
