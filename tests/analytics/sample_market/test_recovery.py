"""Whether the platform's methods find again what is true in a sample market."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from django.conf import settings
from django.db import transaction

from accounts.models import User
from analytics import frames
from analytics.methods.conversion import CountRegression
from analytics.methods.conversion_evaluation import evaluate_models
from analytics.methods.conversion_features import finished_sessions, with_local_time
from analytics.methods.recommenders import (
    BaseRecommender,
    DemographicKNNRecommender,
    HybridRecommender,
    ItemKNNRecommender,
)
from analytics.methods.splits import hold_out_last
from analytics.pipelines.figures import refresh_figures
from analytics.pipelines.learning_data import LearningData, read_learning_data
from analytics.sample_market import truth, writing
from analytics.sample_market.market import Market
from catalog.models import Course
from streams.models import LiveSession
from tests.analytics.sample_market.plans import plan

pytestmark = pytest.mark.django_db

N_LISTED = 10


@dataclass(frozen=True)
class Learnt:
    """A stored market, its finished sessions as the pipeline sees them, and what viewers did."""

    market: Market
    sessions: pd.DataFrame
    data: LearningData


@pytest.fixture(scope="module")
def learnt(
    django_db_setup: None, django_db_blocker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Learnt]:
    """Made once for all tests of this file, and rolled back after them."""
    patch = pytest.MonkeyPatch()
    folder = tmp_path_factory.mktemp("var")
    patch.setattr(settings, "VAR_DIR", folder)
    patch.setattr(settings, "PRIVATE_ROOT", folder / "private")
    with django_db_blocker.unblock(), transaction.atomic():
        market = writing.write_market(plan(n_users=600, n_courses=160, n_sessions=240))
        refresh_figures(everything=True)
        sessions = with_local_time(frames.session_frame(), settings.TIME_ZONE)
        yield Learnt(
            market, finished_sessions(sessions[sessions["is_finished"]]), read_learning_data()
        )
        transaction.set_rollback(True)
    patch.undo()


@pytest.fixture(scope="module")
def model(learnt: Learnt) -> CountRegression:
    return CountRegression().fit(learnt.sessions)


def expected_rate(model: CountRegression, sessions: pd.DataFrame, **changed: object) -> float:
    return float(model.predict(sessions.assign(**changed)).mean())


def test_sessions_convert_at_the_rates_that_were_drawn(learnt):
    rates = learnt.market.truth.session_rates
    keys = {row.pk: row.external_id for row in learnt.market.rows[LiveSession]}
    drawn = np.array([rates[keys[pk]] for pk in learnt.sessions["session_id"]])
    viewers = learnt.sessions["n_viewers"].to_numpy()
    buyers = learnt.sessions["n_buyers"].to_numpy()
    expected = (drawn * viewers).sum()
    # Over-dispersion included, the sum has a standard deviation of some 4% of itself.
    assert abs(buyers.sum() - expected) < 0.12 * expected
    assert np.corrcoef(buyers / viewers, drawn)[0, 1] > 0.5


def test_the_fitted_best_hour_is_near_the_true_one(learnt, model):
    by_hour = [expected_rate(model, learnt.sessions, local_hour=float(hour)) for hour in range(24)]
    assert abs(int(np.argmax(by_hour)) - truth.BEST_HOUR) <= 2
    true_effect = [truth.hour_effect(hour) for hour in range(7, 24)]
    assert np.corrcoef(by_hour[7:], true_effect)[0, 1] > 0.8


def test_a_coupon_and_a_cut_are_found_to_help_and_a_price_to_hinder(learnt, model):
    sessions = learnt.sessions
    with_coupon = expected_rate(model, sessions, has_coupon=True)
    assert with_coupon > expected_rate(model, sessions, has_coupon=False)
    assert expected_rate(model, sessions, discount=0.5) > expected_rate(
        model, sessions, discount=0.0
    )
    dearer = sessions[["min_price", "mean_price"]] * 3
    assert expected_rate(model, sessions, **dearer) < expected_rate(model, sessions)


def test_the_count_model_beats_the_mean_on_later_sessions(learnt):
    scores = {score["method"]: score for score in evaluate_models(learnt.sessions)}
    served = scores["count_regression"]
    assert served["log_loss_vs_mean"] < 0
    assert served["log_loss_vs_mean"] + served["log_loss_se"] < 0


@pytest.mark.parametrize("recommender", [ItemKNNRecommender, HybridRecommender])
def test_recommendations_are_of_the_taste_of_the_viewer(learnt, recommender):
    """The list is learnt without each viewer's last course, and asked of whom it knows."""
    share, chance = share_of_own_taste(learnt, recommender())
    assert chance < 0.2
    assert share > 2.5 * chance


def test_behaviour_tells_taste_better_than_age_and_occupation(learnt):
    hybrid, _ = share_of_own_taste(learnt, HybridRecommender())
    demographic, _ = share_of_own_taste(learnt, DemographicKNNRecommender())
    assert hybrid > demographic


def share_of_own_taste(learnt: Learnt, recommender: BaseRecommender) -> tuple[float, float]:
    """Share of recommended courses in the viewer's own cluster, and that of random ones."""
    data = learnt.data
    train, test = hold_out_last(data.pairs)
    recommender.fit(
        data.interactions(train),
        user_features=data.user_features,
        item_features=data.item_features,
    )
    users = np.unique(test["user"])
    listed = recommender.recommend(users, n=N_LISTED, candidates=data.is_published).items
    clusters = {
        course.pk: truth.cluster_of(course.category.slug) for course in learnt.market.rows[Course]
    }
    of_item = np.array([clusters[pk] for pk in data.course_ids])
    tastes = {
        user.pk: learnt.market.truth.taste_of[user.external_id]
        for user in learnt.market.rows[User]
        if user.external_id in learnt.market.truth.taste_of
    }
    own = np.array([tastes[pk] for pk in data.user_ids[users]])
    hits = (of_item[listed] == own[:, None]) & (listed >= 0)
    at_random = (of_item[data.is_published][None, :] == own[:, None]).mean()
    return float(hits.sum() / (listed >= 0).sum()), float(at_random)
