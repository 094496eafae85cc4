"""Recommendations: score every method on held-out courses, fit the best, serve its arrays."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.conf import settings
from django.db import transaction
from scipy import sparse

from analytics.methods.interactions import Interactions
from analytics.methods.list_figures import (
    age_shares,
    capped_lists,
    coverage,
    newcomer_figures,
    rare_figures,
    seller_shares,
)
from analytics.methods.pushing import (
    Before,
    first_people,
    list_shares,
    watch_for_pushes,
)
from analytics.methods.ranking_evaluation import (
    CUTOFF,
    assert_no_leak,
    choose_served,
    evaluate_recommender,
    ndcg_at,
)
from analytics.methods.reasons import Reason
from analytics.methods.recommenders import (
    BaseRecommender,
    ContentKNNRecommender,
    DemographicKNNRecommender,
    EASERecommender,
    HybridRecommender,
    ItemKNNRecommender,
    PopularityRecommender,
)
from analytics.methods.recommenders.popularity import popularity
from analytics.methods.served_model import ServedModel
from analytics.methods.splits import SPLITS
from analytics.methods.trust import trust_of
from analytics.model_files import BadModelFile, drop_old_files, load_arrays, save_arrays
from analytics.models import ModelRun, PopularCourses, RunOutcome, Task
from analytics.pipelines.learning_data import LearningData, read_learning_data
from analytics.pipelines.runs import keep_out, recorded_run, serve


def _hybrid() -> HybridRecommender:
    return HybridRecommender(tune_seconds=settings.TUNE_SECONDS, backend=settings.FIT_BACKEND)


METHODS: dict[str, Callable[[], BaseRecommender]] = {
    "popularity": PopularityRecommender,
    "demographic_knn": DemographicKNNRecommender,
    "item_knn": ItemKNNRecommender,
    "content_knn": ContentKNNRecommender,
    "ease": EASERecommender,
    "hybrid": _hybrid,
}
# Above so many courses the closed form alone would take minutes and a gigabyte.
MOST_DENSE = 10_000
# What popularity keeps: a page's worth, and as much again for what a person has.
N_POPULAR = 48
# People scored per method in a scheduled fit; `evaluate` scores everybody.
SCORED_PEOPLE = 10_000
# A fit is kept out when its score is below that of the served one by more than this share
# of it and by more than two standard errors: fresh data alone moves a score a little.
TOLERATED_LOSS = 0.02
SEED = 42


class NothingToLearn(Exception):
    """There is no course, or nobody did anything with one."""


def score_methods(
    data: LearningData,
    *,
    split: str = "last",
    limit: int | None = None,
    fitted: dict[str, BaseRecommender] | None = None,
) -> list[dict[str, Any]]:
    """Fit and score every method on one split; see `evaluate_recommender` for the metrics.

    What was fitted is put into `fitted` by the name of its method.
    """
    scores = []
    for score, recommender in _scored_methods(data, split=split, limit=limit):
        scores.append(score)
        if fitted is not None:
            fitted[score["method"]] = recommender
    return scores


def _scored_methods(
    data: LearningData, *, split: str, limit: int | None
) -> Iterator[tuple[dict[str, Any], BaseRecommender]]:
    """The score of each method, and what was fitted for it."""
    held = held_out(data, split=split, limit=limit)
    if held is None:
        return
    for name in methods_for(data):
        recommender = METHODS[name]()
        score = evaluate_recommender(
            recommender,
            held.train,
            held.test,
            user_features=data.user_features,
            item_features=data.item_features,
            exclude=held.had,
            users=held.users,
        )
        yield {"method": name, **score}, recommender


@dataclass(frozen=True)
class Split:
    """What is learned from and what is asked for: train and test Interactions, had (n_users,
    n_items) what is never recommended again, users (n_asked,) who are asked."""

    train: Interactions
    test: Interactions
    had: sparse.csr_matrix
    users: np.ndarray


def held_out(data: LearningData, *, split: str, limit: int | None) -> Split | None:
    """One split of the data, checked for leaks; None where nothing can be held out."""
    train, test = SPLITS[split](data.pairs)
    if test.empty:
        return None
    assert_no_leak(train, test)
    users = np.unique(test["user"])
    if limit is not None and limit < len(users):
        users = np.sort(np.random.default_rng(SEED).choice(users, size=limit, replace=False))
    return Split(data.interactions(train), data.interactions(test), data.taken(train), users)


def methods_for(data: LearningData) -> list[str]:
    """The methods that can be fitted on a catalogue of this size."""
    too_large = {"ease"} if len(data.course_ids) > MOST_DENSE else set()
    return [name for name in METHODS if name not in too_large]


def refresh_recommendations(
    *,
    method: str | None = None,
    force: bool = False,
    say: Callable[[str], None] = lambda text: None,
) -> ModelRun:
    """Score all methods, fit the best (or `method`), keep its arrays in a file, and serve them.

    A fit that scores worse than the served one is kept out unless `force`. Raises
    NothingToLearn on an empty market, which leaves what is served in place.
    """
    with recorded_run(Task.RECOMMEND) as run, _workers():
        say("reading what viewers did")
        data = read_learning_data()
        run.window_start, run.window_end = data.window_start, data.window_end
        run.last_event_id, run.n_rows = data.last_event_id, data.n_events
        if data.pairs.empty or not data.is_published.any():
            raise NothingToLearn("there is no published course that anybody looked at yet")
        say(f"scoring {len(METHODS)} methods")
        run.scores = []
        scored: dict[str, BaseRecommender] = {}
        for score, fitted in _scored_methods(data, split="last", limit=SCORED_PEOPLE):
            run.scores.append(score)
            scored[score["method"]] = fitted
        run.method = method or (choose_served(run.scores) if run.scores else "popularity")
        _refuse_what_is_no_number(run)
        if (loss := _loss_against_served(run)) and not force:
            keep_out(run, loss)
            return run
        say(f"fitting {run.method} on everything")
        recommender, popular, alarms = _fitted(run, data, scored.get(run.method))
        say("seeing what its lists show")
        run.figures = {**_figures(data, recommender, scored), "alarms": alarms}
        run.message = _alarm_text(alarms)
        _store(run, recommender, data, popular)
        serve(run)
        _drop_what_is_older(run)
    return run


@contextmanager
def _workers() -> Iterator[None]:
    """The cluster that counts the parts of a fit, where one is set."""
    if settings.FIT_BACKEND != "dask":
        yield
        return
    from distributed import Client  # only hosts of a cluster have it installed

    with Client(settings.DASK_SCHEDULER, set_as_default=True):
        yield


def _fitted(
    run: ModelRun, data: LearningData, scored: BaseRecommender | None
) -> tuple[BaseRecommender, np.ndarray, list[dict[str, Any]]]:
    """The run's method fitted on everything, pushed courses held back; what is popular (n_items,);
    and what looks pushed."""
    # What was searched for while scoring, on a part of the same history, is not searched again.
    tuned = scored.tuned_parameters() if scored else {}
    recommender = METHODS[run.method]().set_params(**tuned)
    run.parameters = {
        name: value for name, value in recommender.get_params().items() if _is_plain(value)
    }
    histories, taken = data.interactions(), data.taken()
    began = time.monotonic()
    trust = trust_of(histories, rng_seed=SEED)
    learned = trust.applied(histories)
    recommender.fit(learned, user_features=data.user_features, item_features=data.item_features)
    run.fit_seconds = round(time.monotonic() - began, 3)
    # Lists are asked of whole histories, what is popular of what can be trusted.
    trusted = popularity(recommender.interactions_)
    recommender.interactions_ = histories
    factors, alarms = watch_for_pushes(
        recommender,
        histories,
        taken,
        _before(data) or _of_first_people(run, data, recommender, histories, learned, taken),
        SEED,
        trust=trust,
        candidates=data.is_published,
    )
    if (factors < 1).any():
        recommender.damp(factors)
    return recommender, trusted, [alarm.figure(data.course_ids) for alarm in alarms]


def _before(data: LearningData) -> Before | None:
    """What the served version knew of each course, where its file can be read."""
    served = ModelRun.objects.served(Task.RECOMMEND)
    if served is None:
        return None
    try:
        arrays = load_arrays(served)
        return Before.aligned(
            data.course_ids,
            then_ids=arrays["course_ids"],
            n_learners=arrays["n_learners"],
            n_people=int(arrays["n_people"]),
            list_shares=arrays["list_shares"].astype(np.float64),
            is_established=data.user_ids <= int(arrays["last_user_id"]),
            was_held=arrays.get("was_held"),
        )
    except (BadModelFile, KeyError):
        # Without its file, or with one of another release that lacks some of this, nothing is
        # known of it; the fit goes on as the first one did.
        return None


def _of_first_people(
    run: ModelRun,
    data: LearningData,
    recommender: BaseRecommender,
    histories: Interactions,
    learned: Interactions,
    taken: sparse.csr_matrix,
) -> Before | None:
    """What the recommender would have shown before the last people came; they stand as they
    registered."""
    first = first_people(learned.n_users)
    if not len(first):
        return None
    version = METHODS[run.method]().set_params(**recommender.tuned_parameters())
    version.fit(
        learned.of_users(first),
        user_features=data.user_features.of_users(first),
        item_features=data.item_features,
    )
    return Before.of_first_people(version, histories, taken, SEED, candidates=data.is_published)


def _figures(
    data: LearningData, recommender: BaseRecommender, scored: dict[str, BaseRecommender]
) -> dict[str, Any]:
    """What the lists of a sample of people show, and how newcomers and new courses fare."""
    rng = np.random.default_rng(SEED)
    n_people = len(data.user_ids)
    users = np.sort(rng.choice(n_people, size=min(n_people, SCORED_PEOPLE), replace=False))
    taken = data.taken()
    lists = _shown(data, recommender, users, taken)
    figures: dict[str, Any] = {
        "coverage": coverage(lists, data.is_published),
        "sellers": seller_shares(lists, data.seller_ids, data.is_published),
        "ages": age_shares(lists, data.published_days, data.is_published),
        "tuning": getattr(recommender, "tuning_", {}),
    }
    held = held_out(data, split="last", limit=SCORED_PEOPLE)
    judged = next((one for one in scored.values() if type(one) is type(recommender)), None)
    if held is None or judged is None:
        return figures
    figures["tuning"] = getattr(judged, "tuning_", {})
    wanted = held.test.user_items[held.users]
    had = held.had[held.users]

    def found(method: BaseRecommender) -> np.ndarray:
        return method.recommend(
            held.users, n=CUTOFF, exclude_seen=False, exclude=had, with_reasons=False
        ).items

    own = found(judged)
    figures["served_ndcg@10"] = round(
        float(ndcg_at(_shown(data, judged, held.users, held.had), wanted).mean()), 4
    )
    figures["newcomers"] = newcomer_figures(
        np.diff(had.indptr), own, found(scored["popularity"]), wanted
    )
    collaborative = scored.get("ease") or scored["item_knn"]
    figures["rare"] = rare_figures(
        own,
        found(collaborative),
        wanted,
        np.bincount(held.train.indices, minlength=held.train.n_items),
    )
    return figures


def _shown(
    data: LearningData, recommender: BaseRecommender, users: np.ndarray, taken: sparse.csr_matrix
) -> np.ndarray:
    """The top-ten lists of users as pages show them: no seller has more than its share."""
    ranked = recommender.recommend(
        users,
        n=CUTOFF * 4,
        exclude_seen=False,
        exclude=taken[users],
        candidates=data.is_published,
        with_reasons=False,
    )
    return capped_lists(
        ranked.items,
        data.seller_ids,
        n=CUTOFF,
        share=settings.RECOMMEND_SELLER_SHARE,
        n_sellers=len(np.unique(data.seller_ids[data.is_published])),
    )


def _alarm_text(alarms: list[dict[str, Any]]) -> str:
    if not alarms:
        return ""
    courses = ", ".join(f"#{alarm['course']}" for alarm in alarms[:5])
    return f"{len(alarms)} course(s) look pushed by made-up people: {courses}."


def _refuse_what_is_no_number(run: ModelRun) -> None:
    """Raises ArithmeticError; the run keeps the scores that are numbers, as no database takes
    others."""
    wrong = [
        f"{name} of {score['method']} is {value}"
        for score in run.scores
        for name, value in score.items()
        if isinstance(value, float) and not np.isfinite(value)
    ]
    if wrong:
        run.scores = [
            {
                name: None if isinstance(value, float) and not np.isfinite(value) else value
                for name, value in score.items()
            }
            for score in run.scores
        ]
        raise ArithmeticError(wrong[0])


def _is_plain(value: Any) -> bool:
    return isinstance(value, (int, float, str, bool, list, tuple, dict, type(None)))


def _loss_against_served(run: ModelRun) -> str:
    """Why the run's score is too far below the served one; empty when it is not."""
    served = ModelRun.objects.served(Task.RECOMMEND)
    before = _score_of(served) if served else None
    now = _score_of(run)
    if served is None or before is None or now is None:
        return ""
    noise = 2 * float(np.hypot(before["ndcg@10_se"], now["ndcg@10_se"]))
    bound = before["ndcg@10"] - max(TOLERATED_LOSS * before["ndcg@10"], noise)
    if now["ndcg@10"] >= bound:
        return ""
    return (
        f"NDCG@10 {now['ndcg@10']:.4f} is below {bound:.4f}, the least that is accepted after "
        f"{before['ndcg@10']:.4f} of run #{served.pk}; that one stays."
    )


def _score_of(run: ModelRun) -> dict[str, float] | None:
    for score in run.scores:
        if score["method"] == run.method:
            return score
    return None


def _store(
    run: ModelRun, recommender: BaseRecommender, data: LearningData, popular: np.ndarray
) -> None:
    """Write the arrays to a file of the run, and what is popular (n_items,) beside it.

    Raises BadArrays where a process that serves would refuse them.
    """
    arrays = {
        **recommender.arrays(),
        "popular": popular,
        "course_ids": data.course_ids.astype(np.int64),
        "category_ids": data.category_ids.astype(np.int64),
        "list_shares": list_shares(
            recommender,
            recommender.interactions_,
            data.taken(),
            rng_seed=SEED,
            candidates=data.is_published,
        ).astype(np.float32),
        "was_held": getattr(recommender, "damping_", np.ones(len(data.course_ids))) < 1,
        "last_user_id": np.array(data.user_ids.max(initial=0), dtype=np.int64),
    }
    if not len(arrays["similar_data"]):
        arrays |= _similar_by_content(data)
    ServedModel(arrays)
    save_arrays(run, arrays)
    ranked = np.argsort(-popular, kind="stable")
    ranked = ranked[data.is_published[ranked]][:N_POPULAR]
    PopularCourses.objects.create(
        run=run,
        items=[
            [
                int(data.course_ids[item]),
                round(float(popular[item]), 6),
                int(Reason.POPULAR),
                None,
            ]
            for item in ranked
        ],
    )
    run.n_results = len(data.course_ids)


def _similar_by_content(data: LearningData) -> dict[str, np.ndarray]:
    """Of a method that knows no neighbours of courses: those that are alike by content."""
    content = ContentKNNRecommender().fit(
        data.interactions(), user_features=data.user_features, item_features=data.item_features
    )
    return {name: part for name, part in content.arrays().items() if name.startswith("similar_")}


def _drop_what_is_older(run: ModelRun) -> None:
    """The popular courses and files that no run needs any more; the run records stay."""
    older = ModelRun.objects.filter(task=Task.RECOMMEND, pk__lt=run.pk).exclude(
        outcome=RunOutcome.RUNNING
    )
    with transaction.atomic():
        PopularCourses.objects.filter(run__in=older).delete()
    drop_old_files()
