"""How good the recommenders are, as tables: all methods, and what the average does not tell.

Each table is a list of dicts, one per method, of figures; see `TABLES` for what they are. Nothing
is written anywhere.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from analytics.methods.interactions import Interactions
from analytics.methods.list_figures import rare_figures
from analytics.methods.newcomers import KNOWN, Revealed, newcomer_scores
from analytics.methods.ranking_evaluation import CUTOFF, assert_no_leak, evaluate_recommender
from analytics.methods.recommenders import BaseRecommender, UserFeatures
from analytics.methods.served_model import History, Person, ServedModel
from analytics.methods.splits import few_learners_left, hold_out_people, reveal_first
from analytics.pipelines.learning_data import LearningData
from analytics.pipelines.recommend import (
    METHODS,
    SEED,
    Split,
    held_out,
    methods_for,
    score_methods,
)

Row = dict[str, Any]

# The parts of the hybrid that know only who took what, and when.
COLLABORATIVE = ("together", "next", "pairs")
FEWER_THAN = 10
SHARE_OF_NEWCOMERS = 0.1
# The catalogue's own courses with few learners are as a rule too few to tell anything: of some
# others all but a few learners are hidden. So few that the catalogue stays what it is.
SHARE_MADE_FEW = 0.03
# One person at a time, as a page asks; some hundreds tell the 99th percentile.
N_TIMED = 1_000

TABLES = {
    "recommend": "accuracy: the held-out courses of everybody, all unseen courses ranked",
    "newcomers": "newcomers: NDCG@10 of people whom the fit has not seen, so many of their "
    "entries known, for all that they took afterwards",
    "few_learners": f"courses with fewer than {FEWER_THAN} learners: recall@10 of those that are "
    "held out, and of all",
    "made_few": f"the same where {SHARE_MADE_FEW:.0%} of the courses, drawn by chance, keep 0 to "
    f"{FEWER_THAN - 1} of their learners",
    "order_unknown": "the order of everything withheld",
    "speed": "speed: everybody at once, and one person at a time from the arrays of a model file",
}


def recommender_tables(
    data: LearningData, *, split: str = "last", limit: int | None = None
) -> dict[str, list[Row]]:
    """All TABLES of the data, by name; of data where nothing can be held out, empty ones.

    limit: people scored at most.
    """
    tables: dict[str, list[Row]] = {name: [] for name in TABLES}
    held = held_out(data, split=split, limit=limit)
    if held is None:
        return tables
    _compile_loops()
    fitted: dict[str, BaseRecommender] = {}
    tables["recommend"] = score_methods(data, split=split, limit=limit, fitted=fitted)
    tables["few_learners"] = _few_learners(fitted["hybrid"], held)
    tables["speed"] = _speed(tables["recommend"], fitted, held, data)
    del fitted
    tables["made_few"] = _made_few(data, held)
    tables["order_unknown"] = _order_unknown(data, held)
    tables["newcomers"] = newcomer_table(data, limit=limit)
    return tables


def _compile_loops() -> None:
    """Compiling the loops is no part of a fit; it happens once per installation."""
    few = Interactions.from_arrays(
        np.repeat(np.arange(100), 3),
        np.arange(300) % 7,
        order=np.arange(300),
        n_users=100,
        n_items=7,
    )
    METHODS["hybrid"]().fit(few).recommend(np.arange(100))


def newcomer_table(data: LearningData, *, limit: int | None = None) -> list[Row]:
    """People whom the fits have not seen: see `newcomer_scores`."""
    people = hold_out_people(data.pairs, share=SHARE_OF_NEWCOMERS, rng_seed=SEED)
    if limit is not None and limit < len(people):
        chosen = np.random.default_rng(SEED).choice(people, size=limit, replace=False)
        people = np.sort(chosen)
    return newcomer_scores(
        {name: METHODS[name] for name in ("popularity", "demographic_knn", "hybrid")},
        data.interactions(data.pairs.loc[~data.pairs["user"].isin(people)]),
        [_revealed(data, people, n_known=n_known) for n_known in KNOWN],
        user_features=data.user_features,
        item_features=data.item_features,
    )


def _revealed(data: LearningData, people: np.ndarray, *, n_known: int) -> Revealed:
    train, test = reveal_first(data.pairs, people, n_known=n_known, rng_seed=SEED)
    assert_no_leak(train, test)
    return Revealed(
        n_known=n_known,
        histories=data.interactions(train),
        wanted=data.taken(test),
        had=data.taken(train),
        users=np.unique(test["user"]),
    )


def _few_learners(hybrid: BaseRecommender, held: Split) -> list[Row]:
    """recall@10 of the hybrid and of its collaborative part alone, both at the fitted weights."""
    part = hybrid.with_blocks([one for one in hybrid.blocks_ if one.name in COLLABORATIVE])
    wanted = held.test.user_items[held.users]
    n_learners = np.bincount(hybrid.interactions_.indices, minlength=held.train.n_items)
    whole, alone = (_lists(method, held) for method in (hybrid, part))
    figures = rare_figures(whole, alone, wanted, n_learners, fewer_than=FEWER_THAN)
    return [
        {
            "method": method,
            "few_recall@10": figures[of_few],
            "all_recall@10": figures[of_all],
            "few_held_out": figures["n"],
            "all_held_out": int(wanted.nnz),
            "rows": hybrid.interactions_.n_entries,
        }
        for method, of_few, of_all in (
            ("hybrid", "recall@10", "recall_all"),
            ("collaborative", "collaborative", "collaborative_all"),
        )
    ]


def _made_few(data: LearningData, held: Split) -> list[Row]:
    train = held.train.keep(
        few_learners_left(
            held.train.indices,
            n_items=held.train.n_items,
            share=SHARE_MADE_FEW,
            fewer_than=FEWER_THAN,
            rng_seed=SEED,
        )
    )
    hybrid = METHODS["hybrid"]().fit(
        train, user_features=data.user_features, item_features=data.item_features
    )
    return _few_learners(hybrid, held)


def _order_unknown(data: LearningData, held: Split) -> list[Row]:
    known = methods_for(data)
    train = Interactions.from_arrays(
        held.train.users,
        held.train.indices,
        weight=held.train.weight,
        n_users=held.train.n_users,
        n_items=held.train.n_items,
    )
    return [
        {
            "method": name,
            **evaluate_recommender(
                METHODS[name](),
                train,
                held.test,
                user_features=data.user_features,
                item_features=data.item_features,
                exclude=held.had,
                users=held.users,
            ),
        }
        for name in ("ease", "hybrid")
        if name in known
    ]


def _speed(
    scores: list[Row], fitted: dict[str, BaseRecommender], held: Split, data: LearningData
) -> list[Row]:
    users = held.users[:N_TIMED]
    histories = [_history(held.train, int(user)) for user in users]
    people = [_person(data.user_features, int(user)) for user in users]
    rows = []
    for score in scores:
        arrays = {
            **fitted[score["method"]].arrays(),
            "course_ids": np.arange(held.train.n_items),
            "category_ids": np.arange(data.user_features.interests.shape[1]),
        }
        times = _times_ms(ServedModel(arrays), histories, people)
        n_asked = len(held.users)
        rows.append(
            {
                "method": score["method"],
                "people_per_second": round(n_asked / max(score["recommend_seconds"], 1e-3)),
                "one_person_p50_ms": round(float(np.median(times)), 4),
                "one_person_p99_ms": round(float(np.quantile(times, 0.99)), 4),
                "model_mb": round(sum(one.nbytes for one in arrays.values()) / (1 << 20), 2),
                **{name: score[name] for name in ("rows", "fit_seconds", "recommend_seconds")},
            }
        )
    return rows


def _times_ms(model: ServedModel, histories: list[History], people: list[Person]) -> np.ndarray:
    """How long the list of each person takes, (n_people,); the first few once before."""
    times = []
    for history, person in zip(histories[:20] + histories, people[:20] + people, strict=True):
        began = time.perf_counter()
        model.rank(history, person, n=CUTOFF, leave_out=history.items)
        times.append(1e3 * (time.perf_counter() - began))
    return np.array(times[-len(histories) :])


def _history(interactions: Interactions, user: int) -> History:
    mine = slice(int(interactions.indptr[user]), int(interactions.indptr[user + 1]))
    return History(interactions.indices[mine], interactions.weight[mine], interactions.age[mine])


def _person(features: UserFeatures, user: int) -> Person:
    return Person(
        age=float(features.age[user]),
        gender=int(features.gender[user]),
        occupation=int(features.occupation[user]),
        interests=tuple(features.interests[[user]].indices.tolist()),
    )


def _lists(method: BaseRecommender, held: Split) -> np.ndarray:
    """The top ten of everybody who is asked: (n_asked, 10)."""
    return method.recommend(
        held.users,
        n=CUTOFF,
        exclude_seen=False,
        exclude=held.had[held.users],
        with_reasons=False,
    ).items
