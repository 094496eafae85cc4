"""Recommendations: score every method on held-out courses, fit the best, store its lists."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
from django.db import transaction

from analytics.methods.ranking_evaluation import choose_served, evaluate_recommender
from analytics.methods.reasons import Reason
from analytics.methods.recommenders import (
    BaseRecommender,
    ContentKNNRecommender,
    DemographicKNNRecommender,
    HybridRecommender,
    ItemKNNRecommender,
    PopularityRecommender,
)
from analytics.models import (
    ModelRun,
    PopularCourses,
    RunOutcome,
    Task,
)
from analytics.pipelines.learning_data import LearningData, read_learning_data
from analytics.pipelines.runs import keep_out, recorded_run, serve
from analytics.pipelines.writing import BATCH, upsert_values

METHODS: dict[str, Callable[[], BaseRecommender]] = {
    "popularity": PopularityRecommender,
    "demographic_knn": DemographicKNNRecommender,
    "item_knn": ItemKNNRecommender,
    "content_knn": ContentKNNRecommender,
    "hybrid": HybridRecommender,
}
# Stored per person: what a page shows, and as much again for courses that are withdrawn or
# bought before the next fit.
LIST_LENGTH = 24
N_NEIGHBOURS = 12
# People scored per method in a scheduled fit; `evaluate` scores everybody.
SCORED_PEOPLE = 10_000
# A fit is kept out when its score is below that of the served one by more than this share
# of it and by more than two standard errors: fresh data alone moves a score a little.
TOLERATED_LOSS = 0.02
SEED = 42


class NothingToLearn(Exception):
    """There is no course, or nobody did anything with one."""


def hold_out_last(pairs: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Split into (train, test): the test holds the newest course of everybody with two or more.

    Everything that a person did after getting that course leaves the train part too, and so
    does whatever they did with that course before, so that nothing of it leaks.
    """
    taken = pairs.loc[pairs["is_taken"]].sort_values(["user", "order", "item"], kind="stable")
    newest = taken.drop_duplicates("user", keep="last")
    newest = newest.loc[taken.groupby("user")["item"].transform("size").loc[newest.index] > 1]
    cut = newest.set_index("user")["order"]
    later = pairs["order"].to_numpy() > pairs["user"].map(cut).fillna(np.inf).to_numpy()
    train = pairs.loc[~later].drop(index=newest.index)
    return train, newest


def hold_out_last_fraction(
    pairs: pd.DataFrame, *, fraction: float = 0.2
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Split into (train, test) at one point of time: the newest `fraction` of all courses taken.

    What was done after that point, of any kind, leaves the train part. Only people who had a
    course before it are tested.
    """
    taken = pairs.loc[pairs["is_taken"]]
    if taken.empty:
        return pairs, taken
    cut = taken["order"].quantile(1 - fraction)
    train = pairs.loc[pairs["order"] <= cut]
    test = taken.loc[taken["order"] > cut]
    known = train.loc[train["is_taken"], "user"].unique()
    return train, test.loc[test["user"].isin(known)]


SPLITS = {"last": hold_out_last, "last-fraction": hold_out_last_fraction}


def score_methods(
    data: LearningData, *, split: str = "last", limit: int | None = None
) -> list[dict[str, Any]]:
    """Fit and score every method on one split; see `evaluate_recommender` for the metrics."""
    return [score for score, _tuned in _scored_methods(data, split=split, limit=limit)]


def _scored_methods(
    data: LearningData, *, split: str, limit: int | None
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """The score of each method, and the parameters that its fit found by search."""
    train, test = SPLITS[split](data.pairs)
    if test.empty:
        return
    users = np.unique(test["user"])
    if limit is not None and limit < len(users):
        users = np.sort(np.random.default_rng(SEED).choice(users, size=limit, replace=False))
    history, held_out, had = data.interactions(train), data.interactions(test), data.taken(train)
    for name, make in METHODS.items():
        recommender = make()
        score = evaluate_recommender(
            recommender,
            history,
            held_out,
            user_features=data.user_features,
            item_features=data.item_features,
            exclude=had,
            users=users,
        )
        yield {"method": name, **score}, recommender.tuned_parameters()


def refresh_recommendations(
    *,
    method: str | None = None,
    force: bool = False,
    say: Callable[[str], None] = lambda text: None,
) -> ModelRun:
    """Score all methods, fit the best (or `method`), store its lists, and serve them.

    A fit that scores worse than the served one is kept out unless `force`. Raises
    NothingToLearn on an empty market, which leaves what is served in place.
    """
    with recorded_run(Task.RECOMMEND) as run:
        say("reading what viewers did")
        data = read_learning_data()
        run.window_start, run.window_end = data.window_start, data.window_end
        run.last_event_id, run.n_rows = data.last_event_id, data.n_events
        if data.pairs.empty or not data.is_published.any():
            raise NothingToLearn("there is no published course that anybody looked at yet")
        say(f"scoring {len(METHODS)} methods")
        tuned: dict[str, dict[str, Any]] = {}
        run.scores = []
        for score, found in _scored_methods(data, split="last", limit=SCORED_PEOPLE):
            run.scores.append(score)
            tuned[score["method"]] = found
        run.method = method or (choose_served(run.scores) if run.scores else "popularity")
        if (loss := _loss_against_served(run)) and not force:
            keep_out(run, loss)
            return run
        say(f"fitting {run.method} on everything")
        # What was searched for while scoring, on a part of the same history, is not searched again.
        recommender = METHODS[run.method]().set_params(**tuned.get(run.method, {}))
        run.parameters = {
            name: value for name, value in recommender.get_params().items() if _is_plain(value)
        }
        began = time.monotonic()
        recommender.fit(
            data.interactions(),
            user_features=data.user_features,
            item_features=data.item_features,
        )
        run.fit_seconds = round(time.monotonic() - began, 3)
        say(f"writing lists for {len(data.user_ids)} people")
        run.n_results = _store(run, recommender, data)
        serve(run)
        _drop_rows_of_older_runs(run)
    return run


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


def _store(run: ModelRun, recommender: BaseRecommender, data: LearningData) -> int:
    """Write the lists under the new run, where nobody reads them until it is served."""
    n_rows = sum(
        upsert_values(Recommendation, rows, key=["run", "user"])
        for rows in _lists(run, recommender, data)
    )
    popular = PopularityRecommender().fit(
        data.interactions(),
        user_features=data.user_features,
        item_features=data.item_features,
    )
    nobody = popular.recommend(
        np.array([0]), n=LIST_LENGTH * 2, exclude_seen=False, candidates=data.is_published
    )
    PopularCourses.objects.create(
        run=run,
        items=[
            [int(data.course_ids[item]), round(float(score), 6), int(Reason.POPULAR), None]
            for item, score in zip(nobody.items[0], nobody.scores[0], strict=True)
            if item >= 0
        ],
    )
    _store_neighbours(run, recommender, data)
    return n_rows


def _lists(
    run: ModelRun, recommender: BaseRecommender, data: LearningData
) -> Iterator[list[dict[str, Any]]]:
    """Rows of some thousand people at a time, by column, with the list as JSON."""
    taken = data.taken()
    step = 10_000
    for start in range(0, len(data.user_ids), step):
        users = np.arange(start, min(start + step, len(data.user_ids)), dtype=np.int32)
        found = recommender.recommend(
            users,
            n=LIST_LENGTH,
            exclude_seen=False,
            exclude=taken[users],
            candidates=data.is_published,
        )
        course_ids = np.where(found.items >= 0, data.course_ids[found.items], 0)
        because_ids = data.course_ids[found.because].astype(object)
        because_ids[found.because < 0] = None
        columns = zip(
            data.user_ids[users].tolist(),
            course_ids.tolist(),
            np.round(found.scores.astype("float64"), 6).tolist(),
            found.reasons.tolist(),
            because_ids.tolist(),
            # Short lists are padded at their end.
            (found.items >= 0).sum(axis=1).tolist(),
            strict=True,
        )
        yield [
            {
                "run": run.pk,
                "user": user_id,
                "items": json.dumps(list(zip(*lists, strict=True))[:n]),
            }
            for user_id, *lists, n in columns
        ]


def _store_neighbours(run: ModelRun, recommender: BaseRecommender, data: LearningData) -> None:
    """Similar courses: by the fitted method where it knows neighbours of items, else by content."""
    if not hasattr(recommender, "similar_items"):
        recommender = ContentKNNRecommender().fit(
            data.interactions(), user_features=data.user_features, item_features=data.item_features
        )
    items = np.arange(len(data.course_ids), dtype=np.int32)
    alike, scores = recommender.similar_items(items, n=N_NEIGHBOURS)
    CourseNeighbours.objects.bulk_create(
        [
            CourseNeighbours(
                run=run,
                course_id=int(course_id),
                items=[
                    [int(data.course_ids[other]), round(float(score), 6)]
                    for other, score in zip(row, row_scores, strict=True)
                    if other >= 0 and data.is_published[other]
                ],
            )
            for course_id, row, row_scores in zip(data.course_ids, alike, scores, strict=True)
        ],
        batch_size=BATCH,
    )


def _drop_rows_of_older_runs(run: ModelRun) -> None:
    """Delete the lists of earlier runs in short transactions; their run records stay."""
    older = ModelRun.objects.filter(task=Task.RECOMMEND, pk__lt=run.pk).exclude(
        outcome=RunOutcome.RUNNING
    )
    for table in (Recommendation, CourseNeighbours, PopularCourses):
        while keys := list(
            table.objects.filter(run__in=older).values_list("pk", flat=True)[: BATCH * 5]
        ):
            with transaction.atomic():
                table.objects.filter(pk__in=keys).delete()
