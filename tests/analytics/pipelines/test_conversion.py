"""Forecasts of scheduled sessions, and which model makes them."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from accounts.models import User
from analytics.methods.conversion_evaluation import MIN_SESSIONS
from analytics.models import Forecast, ModelRun, RunOutcome, SessionFigures, Task
from analytics.pipelines import conversion, runs
from analytics.pipelines.conversion import SCORE_HOLDS, refresh_forecasts, score_models
from streams.models import LiveSession, SessionStatus
from tests.factories import (
    LONG_AGO,
    CourseFactory,
    LiveSessionFactory,
    ReminderFactory,
    SellerFactory,
    ShowcaseItemFactory,
)

pytestmark = [pytest.mark.django_db, pytest.mark.mariadb]

NOW = LONG_AGO + timedelta(days=200)


def ended(seller: User, *, number: int, n_viewers: int, n_buyers: int, hour: int) -> LiveSession:
    """A finished session on day `number`, at `hour` of Shanghai."""
    start = LONG_AGO.replace(hour=0) + timedelta(days=number, hours=hour - 8)
    session = LiveSessionFactory(
        ended=True,
        seller=seller,
        scheduled_at=start,
        started_at=start,
        ended_at=start + timedelta(hours=1),
    )
    SessionFigures.objects.create(live_session=session, n_viewers=n_viewers, n_buyers=n_buyers)
    return session


@pytest.fixture
def market() -> list[LiveSession]:
    """A hundred finished sessions of two sellers; twice as many buy in the evening."""
    rng = np.random.default_rng(11)
    sellers = SellerFactory.create_batch(2)
    sessions = []
    for number in range(100):
        hour = int(rng.choice([10, 20]))
        viewers = int(rng.integers(300, 900))
        rate = 0.15 if hour == 20 else 0.05
        sessions.append(
            ended(
                sellers[number % 2],
                number=number,
                n_viewers=viewers,
                n_buyers=int(rng.binomial(viewers, rate)),
                hour=hour,
            )
        )
    return sessions


def scheduled(hour: int = 20, **values: object) -> LiveSession:
    start = NOW.replace(hour=hour - 8) + timedelta(days=2)
    return LiveSessionFactory(scheduled_at=start, **values)


def forecast_of(session: LiveSession) -> Forecast:
    return Forecast.objects.get(pk=session.pk)


def rows() -> list[dict]:
    table = list(Forecast.objects.order_by("pk").values())
    return [{k: v for k, v in row.items() if k not in ("run_id", "made_at")} for row in table]


def test_it_forecasts_scheduled_sessions_with_an_interval_and_the_best_hours(market) -> None:
    evening, morning = (
        scheduled(hour, seller=market[0].seller, title=str(hour)) for hour in (20, 10)
    )

    run = refresh_forecasts(now=NOW)

    forecast = forecast_of(evening)
    assert forecast.expected_rate == pytest.approx(0.15, abs=0.03)
    assert forecast_of(morning).expected_rate == pytest.approx(0.05, abs=0.02)
    assert 0 <= forecast.low < 0.15 < forecast.high <= 1
    assert (forecast.level, forecast.basis, forecast.run) == (0.8, "model", run)
    assert len(forecast.best_hours) == 24
    rates = [row["rate"] for row in forecast.best_hours]
    assert rates == sorted(rates, reverse=True)
    assert forecast.best_hours[0]["hour"] in range(18, 24)
    assert ModelRun.objects.served(Task.CONVERSION) == run


def test_the_run_holds_scores_beside_the_mean_and_what_was_learnt(market) -> None:
    run = refresh_forecasts(now=NOW)
    run.refresh_from_db()
    methods = {score["method"]: score for score in run.scores}
    assert set(methods) == {"mean", "count_regression", "plain_linear"}
    assert run.method == "count_regression"
    assert methods[run.method]["log_loss_vs_mean"] < 0
    assert run.n_rows == 100
    assert run.fit_seconds is not None
    assert run.parameters["strength_"] in run.parameters["strengths"]
    assert run.parameters["dispersion_"] > 0


def test_a_platform_without_history_gets_the_prior_and_says_so() -> None:
    session = scheduled()
    run = refresh_forecasts(now=NOW)
    forecast = forecast_of(session)
    assert (forecast.basis, forecast.best_hours) == ("prior", [])
    assert 0 <= forecast.low < forecast.expected_rate < forecast.high <= 1
    assert (run.outcome, run.method, run.scores) == (RunOutcome.SERVED, "mean", [])


def test_a_seller_without_history_gets_a_forecast_from_the_others(market) -> None:
    session = scheduled()
    refresh_forecasts(now=NOW)
    assert forecast_of(session).basis == "model"
    assert 0.03 < forecast_of(session).expected_rate < 0.25


def test_what_is_counted_after_the_start_changes_no_forecast(market) -> None:
    session, later = scheduled(seller=market[0].seller), scheduled()
    course = CourseFactory()
    for item in (session, later):
        ShowcaseItemFactory(live_session=item, course=course)
    refresh_forecasts(now=NOW)
    before = rows()
    for item in (session, later):
        SessionFigures.objects.create(
            live_session=item, n_viewers=500, n_buyers=400, n_views=900, n_clicks=800
        )
    on_air = LiveSessionFactory(live=True, seller=market[0].seller)
    SessionFigures.objects.create(live_session=on_air, n_viewers=500, n_buyers=400)

    refresh_forecasts(now=NOW)

    assert rows() == before


def test_what_is_planned_before_the_start_does_change_it(market) -> None:
    session = scheduled(hour=10)
    refresh_forecasts(now=NOW)
    before = forecast_of(session).expected_rate
    session.scheduled_at += timedelta(hours=10)
    session.save()
    refresh_forecasts(now=NOW)
    assert forecast_of(session).expected_rate > 1.5 * before


def test_a_forecast_stays_as_it_was_made_once_the_session_is_on_air(market) -> None:
    session = scheduled()
    ReminderFactory(live_session=session)
    refresh_forecasts(now=NOW)
    before = rows()
    session.status, session.started_at = SessionStatus.LIVE, NOW
    session.save()
    refresh_forecasts(now=NOW)
    assert rows() == before


def test_a_session_taken_back_into_drafts_loses_its_forecast() -> None:
    session = scheduled()
    refresh_forecasts(now=NOW)
    session.status = SessionStatus.DRAFT
    session.save()
    refresh_forecasts(now=NOW)
    assert rows() == []


def test_running_twice_gives_the_same_rows(market) -> None:
    scheduled()
    refresh_forecasts(now=NOW)
    once = rows()
    refresh_forecasts(now=NOW)
    assert rows() == once


def spoil_figures(market: list[LiveSession]) -> None:
    """Counts that no longer have anything to do with the hour."""
    rng = np.random.default_rng(1)
    for figures in SessionFigures.objects.all():
        figures.n_buyers = int(rng.binomial(figures.n_viewers, 0.1))
        figures.save()


def test_a_worse_fit_is_kept_out_and_says_why(market) -> None:
    session = scheduled()
    good = refresh_forecasts(now=NOW)
    before = rows()
    ModelRun.objects.filter(pk=good.pk).update(started_at=NOW)
    spoil_figures(market)

    run = refresh_forecasts(now=NOW + timedelta(days=1))

    assert run.outcome == RunOutcome.KEPT_OUT
    assert f"run #{good.pk}; that one stays" in run.message
    assert rows() == before
    assert forecast_of(session).run == good
    assert ModelRun.objects.served(Task.CONVERSION) == good


def test_a_score_of_long_ago_keeps_nothing_out(market) -> None:
    good = refresh_forecasts(now=NOW)
    ModelRun.objects.filter(pk=good.pk).update(started_at=NOW)
    spoil_figures(market)
    run = refresh_forecasts(now=NOW + SCORE_HOLDS + timedelta(days=1))
    assert run.outcome == RunOutcome.SERVED


def test_a_history_that_went_missing_replaces_nothing(market) -> None:
    good = refresh_forecasts(now=NOW)
    ModelRun.objects.filter(pk=good.pk).update(started_at=NOW)
    SessionFigures.objects.all().delete()
    run = refresh_forecasts(now=NOW + timedelta(days=1))
    assert run.outcome == RunOutcome.KEPT_OUT
    assert "Too few finished sessions" in run.message
    assert ModelRun.objects.served(Task.CONVERSION) == good


@pytest.mark.parametrize("rate", [float("nan"), None])
def test_a_failed_fit_leaves_the_last_good_forecasts_and_says_why(
    market, rate: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheduled()
    good = refresh_forecasts(now=NOW)
    before = rows()

    def broken(self: object, frame) -> np.ndarray:
        if rate is None:
            raise np.linalg.LinAlgError("singular matrix")
        return np.full(len(frame), rate)

    monkeypatch.setattr(conversion, "evaluate_models", lambda frame: good.scores)
    monkeypatch.setattr("analytics.methods.conversion.CountRegression.predict", broken)
    with pytest.raises(ValueError, match=r"no number|singular"):
        refresh_forecasts(now=NOW)

    failed = ModelRun.objects.latest("pk")
    assert failed.outcome == RunOutcome.FAILED
    assert failed.message
    assert rows() == before
    assert ModelRun.objects.served(Task.CONVERSION) == good


def test_scores_are_there_for_every_model_and_write_nothing(market) -> None:
    scores = score_models()
    assert [score["method"] for score in scores] == ["mean", "count_regression", "plain_linear"]
    wanted = {"log_loss", "rmse", "log_loss_vs_mean", "calibration", "rows", "fit_seconds"}
    assert all(wanted <= score.keys() for score in scores)
    assert not ModelRun.objects.exists()


def test_too_few_sessions_are_not_scored() -> None:
    seller = SellerFactory()
    for number in range(MIN_SESSIONS - 1):
        ended(seller, number=number, n_viewers=100, n_buyers=10, hour=20)
    session = scheduled()
    assert score_models() == []
    run = refresh_forecasts(now=NOW)
    assert (run.method, run.scores) == ("mean", [])
    assert forecast_of(session).basis == "mean"
    assert forecast_of(session).expected_rate == pytest.approx(0.1, abs=0.001)


@pytest.mark.mariadb(only=True)
@pytest.mark.django_db(transaction=True)
def test_workers_at_once_give_the_same_rows(market, in_parallel) -> None:
    scheduled()
    refresh_forecasts(now=NOW)
    once = rows()
    raised = in_parallel(lambda: refresh_forecasts(now=NOW))
    assert {type(error) for error in raised} <= {type(None), runs.AlreadyRunning}
    assert None in raised
    assert rows() == once
