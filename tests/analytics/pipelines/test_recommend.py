"""From what people did to the lists that are served."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from accounts.models import User
from analytics import serving
from analytics.methods import pushing
from analytics.methods.model_arrays import BadArrays
from analytics.methods.ranking_evaluation import LeakFound, assert_no_leak
from analytics.methods.reasons import Reason
from analytics.methods.recommenders import HybridRecommender, PopularityRecommender
from analytics.methods.served_model import ServedModel
from analytics.methods.splits import hold_out_last, hold_out_last_fraction
from analytics.model_files import load_arrays
from analytics.models import EventKind, ModelRun, PopularCourses, RunOutcome, Task
from analytics.pipelines import recommend, runs
from analytics.pipelines.learning_data import read_learning_data
from analytics.pipelines.recommend import (
    METHODS,
    NothingToLearn,
    refresh_recommendations,
    score_methods,
)
from analytics.pipelines.runs import AlreadyRunning
from catalog.models import Course, CourseStatus, Enrollment
from tests.analytics.models_of import look_anew
from tests.factories import (
    LONG_AGO,
    CategoryFactory,
    CourseFactory,
    EnrollmentFactory,
    EventFactory,
    SellerFactory,
    UserFactory,
)

pytestmark = [pytest.mark.django_db, pytest.mark.mariadb]


def pairs(*rows: tuple[int, int, float, bool]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["user", "item", "order", "is_taken"]).assign(
        weight=lambda f: np.where(f["is_taken"], 1.0, 0.1)
    )


class TestSplits:
    """What is tested leaves the train part, with all that could give it away."""

    DONE = pairs(
        (0, 0, 1, True),
        (0, 1, 2, True),
        (0, 2, 3, True),
        (0, 3, 4, False),
        (0, 4, 1.5, False),
        (1, 0, 9, True),
        (2, 0, 1, False),
        (2, 1, 2, False),
    )

    def test_the_last_course_and_what_came_after_it_are_held_out(self) -> None:
        train, test = hold_out_last(self.DONE)
        assert test[["user", "item"]].to_numpy().tolist() == [[0, 2]]
        assert sorted(train.loc[train["user"] == 0, "item"]) == [0, 1, 4]

    def test_who_has_one_course_or_none_is_not_tested_and_is_learnt_from(self) -> None:
        train, _ = hold_out_last(self.DONE)
        assert (train["user"] == 1).sum() == 1
        assert (train["user"] == 2).sum() == 2

    def test_the_last_fraction_is_cut_at_one_moment_for_all(self) -> None:
        train, test = hold_out_last_fraction(self.DONE, fraction=0.5)
        # Taken at 1, 2, 3 and 9: the cut lies at 2.5. Person 1 is new to the model after it.
        assert train["order"].max() <= 2.5
        assert test[["user", "item"]].to_numpy().tolist() == [[0, 2]]

    @pytest.mark.parametrize("split", [hold_out_last, hold_out_last_fraction])
    def test_no_pair_is_on_both_sides(self, split) -> None:
        rng = np.random.default_rng(5)
        some = pairs(
            *zip(
                rng.integers(0, 40, 600).tolist(),
                rng.integers(0, 30, 600).tolist(),
                rng.permutation(600).tolist(),
                (rng.random(600) > 0.3).tolist(),
                strict=True,
            )
        ).drop_duplicates(["user", "item"])
        train, test = split(some)
        assert len(test) > 10
        assert train.merge(test, on=["user", "item"]).empty
        newest = train.groupby("user")["order"].max()
        first_tested = test.groupby("user")["order"].min()
        both = newest.index.intersection(first_tested.index)
        assert (newest[both] < first_tested[both]).all()


@pytest.fixture
def market() -> list[Course]:
    """Eight courses of two fields, and 24 people who keep to one field each."""
    seller = SellerFactory()
    fields = [CategoryFactory(), CategoryFactory()]
    courses = [CourseFactory(seller=seller, category=fields[n // 4]) for n in range(8)]
    for number in range(24):
        person = UserFactory()
        for step in range(3):
            EnrollmentFactory(
                user=person,
                course=courses[number % 2 * 4 + (number + step) % 4],
                enrolled_at=LONG_AGO + timedelta(days=step, hours=number),
            )
        EventFactory(user=person, course=courses[number % 2 * 4], occurred_at=LONG_AGO)
    return courses


def popular_of(run: ModelRun) -> list[list]:
    return PopularCourses.objects.get(run=run).items


def lists_of(people: list[User]) -> dict[int, list[int]]:
    look_anew()
    return {
        one.pk: [row.course.pk for row in serving.recommended_courses(user=one)] for one in people
    }


def test_it_keeps_the_arrays_in_a_file_and_what_is_popular(market) -> None:
    run = refresh_recommendations()
    run.refresh_from_db()
    model = ServedModel(load_arrays(run))
    assert run.outcome == RunOutcome.SERVED
    assert ModelRun.objects.served(Task.RECOMMEND) == run
    assert model.course_ids.tolist() == [course.pk for course in market]
    assert model.n_learners.sum() == len(read_learning_data().pairs)
    assert {row[0] for row in popular_of(run)} == {course.pk for course in market}
    assert all(row[2] == Reason.POPULAR for row in popular_of(run))


@pytest.mark.parametrize("method", list(METHODS))
def test_what_a_process_serves_is_what_the_fit_recommends(market, method) -> None:
    """Of every method: scored anew from its file and the person's rows."""
    run = refresh_recommendations(method=method, force=True)
    data = read_learning_data()
    recommender = METHODS[method]().set_params(
        **{
            name: run.parameters[name]
            for name in ("weights", "half_life")
            if name in run.parameters
        }
    )
    recommender.fit(
        data.interactions(), user_features=data.user_features, item_features=data.item_features
    )
    found = recommender.recommend(
        np.arange(len(data.user_ids)), n=4, exclude_seen=False, exclude=data.taken()
    )
    ranked = serving.rankings_of(data.user_ids.tolist(), n=4)
    for at, user_id in enumerate(data.user_ids.tolist()):
        n_found = (found.items[at] >= 0).sum()
        expected = data.course_ids[found.items[at][:n_found]].tolist()
        assert [course for course, _ in ranked[user_id]] == expected
        np.testing.assert_allclose(
            [score for _, score in ranked[user_id]], found.scores[at][:n_found], rtol=1e-3
        )


def test_nobody_is_recommended_what_they_have(market) -> None:
    refresh_recommendations(method="hybrid")
    has = set(Enrollment.objects.values_list("user", "course"))
    for person, courses in lists_of(list(User.objects.filter(role="viewer"))).items():
        assert courses
        assert not {(person, course) for course in courses} & has


def test_a_course_that_was_only_looked_at_may_be_recommended(market) -> None:
    person = UserFactory()
    EnrollmentFactory(user=person, course=market[0])
    EventFactory(user=person, course=market[2], occurred_at=LONG_AGO + timedelta(days=9))
    refresh_recommendations(method="hybrid")
    assert market[2].pk in lists_of([person])[person.pk]


def test_the_run_records_from_what_how_and_how_good(market) -> None:
    event = EventFactory(
        user=UserFactory(), course=market[0], occurred_at=LONG_AGO + timedelta(days=3)
    )
    run = refresh_recommendations(method="hybrid")
    run.refresh_from_db()
    assert run.method == "hybrid"
    assert run.parameters["n_neighbors"] == HybridRecommender().n_neighbors
    assert (run.window_start, run.window_end) == (LONG_AGO, LONG_AGO + timedelta(days=3))
    assert run.last_event_id == event.pk
    assert run.n_rows == 25
    assert [score["method"] for score in run.scores] == list(METHODS)
    assert all(0 <= score["ndcg@10"] <= 1 for score in run.scores)
    assert run.fit_seconds >= 0
    assert run.seconds > 0
    assert run.peak_mb > 0


def test_the_best_method_is_fitted_unless_another_is_asked_for(market) -> None:
    run = refresh_recommendations()
    best = max(run.scores, key=lambda score: score["ndcg@10"])
    assert run.method == best["method"]
    assert best["ndcg@10"] > run.scores[0]["ndcg@10"], "two camps are more than popularity"
    assert refresh_recommendations(method="item_knn", force=True).method == "item_knn"


def test_a_rerun_on_the_same_data_makes_the_same_file(market) -> None:
    first = refresh_recommendations()
    second = refresh_recommendations()
    assert second.outcome == RunOutcome.SERVED
    assert second.model_sha256 == first.model_sha256
    assert not PopularCourses.objects.filter(run=first).exists()
    assert ModelRun.objects.filter(pk=first.pk).exists()


def test_the_figures_tell_what_the_lists_show(market) -> None:
    run = refresh_recommendations(method="hybrid")
    run.refresh_from_db()
    figures = run.figures
    assert figures["coverage"] == {
        "share": 1.0, "n_shown": 8, "n_courses": 8, "n_people": 24,
    }  # fmt: skip
    assert sum(one["share"] for one in figures["sellers"]) == pytest.approx(1, abs=0.01)
    assert sum(one["n_courses"] for one in figures["ages"]) == 8
    assert figures["served_ndcg@10"] > 0
    assert [one["known"] for one in figures["newcomers"]] == [1]
    assert figures["newcomers"][0]["n"] == 24
    assert figures["rare"]["n"] + 0 <= 24
    assert figures["alarms"] == []


@pytest.fixture
def served(market) -> ModelRun:
    return refresh_recommendations()


def scoring(value: float, error: float = 0.001):
    """A stand-in that finds every method equally good."""
    return lambda data, **how: [(score, {}) for score in all_scored(value, error)]


def all_scored(value: float, error: float) -> list[dict]:
    return [{"method": name, "ndcg@10": value, "ndcg@10_se": error} for name in METHODS]


def test_a_worse_fit_is_kept_out_and_the_last_good_one_stays(served, monkeypatch) -> None:
    monkeypatch.setattr(recommend, "_scored_methods", scoring(0.01))
    run = refresh_recommendations()
    run.refresh_from_db()
    assert run.outcome == RunOutcome.KEPT_OUT
    assert f"run #{served.pk}" in run.message
    assert run.model_file == ""
    assert ModelRun.objects.served(Task.RECOMMEND) == served
    assert load_arrays(served)


def test_a_worse_fit_is_served_when_forced(served, monkeypatch) -> None:
    monkeypatch.setattr(recommend, "_scored_methods", scoring(0.01))
    run = refresh_recommendations(force=True)
    assert ModelRun.objects.served(Task.RECOMMEND) == run


@pytest.mark.parametrize(
    ("before", "now", "error", "outcome"),
    [
        (0.20, 0.197, 0.0, RunOutcome.SERVED),
        (0.20, 0.195, 0.0, RunOutcome.KEPT_OUT),
        (0.20, 0.195, 0.01, RunOutcome.SERVED),
        (0.20, 0.170, 0.01, RunOutcome.KEPT_OUT),
    ],
)
def test_a_little_loss_or_one_within_the_noise_is_tolerated(
    served, monkeypatch, before, now, error, outcome
) -> None:
    served.scores = all_scored(before, error)
    served.save()
    monkeypatch.setattr(recommend, "_scored_methods", scoring(now, error))
    assert refresh_recommendations(method=served.method).outcome == outcome


@pytest.mark.parametrize("step", ["fit", "recommend", "similar_items"])
def test_a_failure_at_any_step_leaves_the_last_good_one_served(served, monkeypatch, step) -> None:
    def broken(*args: object, **more: object) -> None:
        raise MemoryError("too large")

    monkeypatch.setattr(recommend, "_scored_methods", lambda data, **how: [])
    monkeypatch.setattr(HybridRecommender, step, broken)
    with pytest.raises(MemoryError):
        refresh_recommendations(method="hybrid", force=True)
    failed = ModelRun.objects.get(outcome=RunOutcome.FAILED)
    assert "too large" in failed.message
    assert ModelRun.objects.served(Task.RECOMMEND) == served
    assert load_arrays(served)
    assert popular_of(served)


def test_a_score_that_is_no_number_fails_and_says_so(served, monkeypatch) -> None:
    monkeypatch.setattr(recommend, "_scored_methods", scoring(float("nan")))
    with pytest.raises(ArithmeticError):
        refresh_recommendations()
    assert "ndcg@10 of popularity is nan" in ModelRun.objects.get(outcome="failed").message
    assert ModelRun.objects.served(Task.RECOMMEND) == served


def test_a_model_that_holds_no_numbers_is_never_served(served, monkeypatch) -> None:
    arrays = HybridRecommender.arrays

    def broken(self: HybridRecommender) -> dict[str, np.ndarray]:
        found = arrays(self)
        found["rows_data"][0] = np.nan
        return found

    monkeypatch.setattr(HybridRecommender, "arrays", broken)
    with pytest.raises(BadArrays):
        refresh_recommendations(method="hybrid", force=True)
    assert "rows_data" in ModelRun.objects.get(outcome="failed").message
    assert ModelRun.objects.served(Task.RECOMMEND) == served


def test_a_withdrawn_course_teaches_but_is_not_recommended(market) -> None:
    withdrawn = market[1]
    Course.objects.filter(pk=withdrawn.pk).update(status=CourseStatus.ARCHIVED)
    run = refresh_recommendations(method="hybrid")
    shown = lists_of(list(User.objects.filter(role="viewer")))
    assert withdrawn.pk not in [course for courses in shown.values() for course in courses]
    assert withdrawn.pk not in [row[0] for row in popular_of(run)]
    model = ServedModel(load_arrays(run))
    assert len(model.similar(model.index_of[withdrawn.pk])[0]), "it still says what goes with it"


def test_people_without_personalisation_are_not_learnt_from_and_get_what_is_popular(
    market,
) -> None:
    shy = UserFactory(is_personalised=False)
    alone = CourseFactory()
    for course in (market[0], alone):
        EnrollmentFactory(user=shy, course=course)
        EventFactory(user=shy, course=course, kind=EventKind.PURCHASE)
    run = refresh_recommendations()
    model = ServedModel(load_arrays(run))
    assert model.n_learners[model.index_of[alone.pk]] == 0
    look_anew()
    found = serving.recommended_courses(user=shy)
    assert found
    assert {one.reason_code for one in found} == {"popular"}


def test_the_leak_check_stands_before_every_scoring(market, monkeypatch) -> None:
    split = recommend.SPLITS["last"]

    def leaking(done: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
        train, test = split(done)
        return pd.concat([train, test.head(1)]), test

    monkeypatch.setitem(recommend.SPLITS, "last", leaking)
    with pytest.raises(LeakFound, match="1 pair"):
        score_methods(read_learning_data())
    with pytest.raises(LeakFound):
        refresh_recommendations()


def test_something_later_than_what_is_asked_for_is_a_leak_too() -> None:
    train = pairs((0, 1, 5, False))
    with pytest.raises(LeakFound, match="later"):
        assert_no_leak(train, pairs((0, 2, 4, True)))
    assert_no_leak(train, pairs((0, 2, 6, True)))


@pytest.mark.parametrize("method", METHODS)
def test_a_course_that_all_who_came_last_took_is_told_of_at_the_first_fit(
    market, monkeypatch, method
) -> None:
    monkeypatch.setattr(pushing, "FEWEST_PEOPLE", 24)
    wanted = CourseFactory(seller=market[0].seller, category=market[0].category)
    for number in range(3):
        person = UserFactory()
        for step, course in enumerate([market[number], wanted]):
            EnrollmentFactory(
                user=person, course=course, enrolled_at=LONG_AGO + timedelta(days=step)
            )

    run = refresh_recommendations(method=method)

    told = [(one["course"], one["kind"], one["n_new"]) for one in run.figures["alarms"]]
    assert told == [(wanted.pk, "pushed", 3)]


def test_it_says_so_when_there_is_nothing_to_learn(market) -> None:
    served = refresh_recommendations()
    Course.objects.update(status=CourseStatus.ARCHIVED)
    with pytest.raises(NothingToLearn):
        refresh_recommendations()
    assert ModelRun.objects.served(Task.RECOMMEND) == served


def test_an_empty_market_is_nothing_to_learn_from() -> None:
    with pytest.raises(NothingToLearn):
        refresh_recommendations()
    assert ModelRun.objects.get().outcome == RunOutcome.FAILED


def test_a_market_too_small_to_hold_anything_out_gets_what_is_popular() -> None:
    EnrollmentFactory()
    run = refresh_recommendations()
    assert (run.method, run.scores, run.outcome) == ("popularity", [], RunOutcome.SERVED)


def test_it_leaves_the_work_to_a_process_that_is_at_it(market, monkeypatch, held_elsewhere) -> None:
    monkeypatch.setattr(runs, "only_one", held_elsewhere)
    with pytest.raises(AlreadyRunning):
        refresh_recommendations()
    assert not ModelRun.objects.exists()


def test_a_limit_scores_the_same_people_each_time(market, monkeypatch) -> None:
    asked = []

    class Watched(PopularityRecommender):
        def recommend(self, users, **how):
            asked.append(users.tolist())
            return super().recommend(users, **how)

    monkeypatch.setattr(recommend, "METHODS", {"popularity": Watched})
    data = read_learning_data()
    for _ in range(2):
        score_methods(data, limit=7)
    assert asked[0] == asked[1]
    assert len(set(asked[0])) == 7


@pytest.mark.parametrize("split", ["last", "last-fraction"])
def test_every_method_is_scored_on_each_split(market, split) -> None:
    scores = score_methods(read_learning_data(), split=split)
    assert [score["method"] for score in scores] == list(METHODS)
