"""The recommender that serves: history, order, content, people and popularity in one score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from analytics.methods.interactions import Interactions
from analytics.methods.ranking_evaluation import ndcg_at
from analytics.methods.reasons import Reason
from analytics.methods.recommenders.base import (
    BaseRecommender,
    ItemFeatures,
    UserFeatures,
    best_of_rows,
    history_queries,
)
from analytics.methods.recommenders.content import ContentKNNRecommender
from analytics.methods.recommenders.item_knn import ItemKNNRecommender
from analytics.methods.recommenders.item_models import (
    closed_form,
    next_item_regression,
    sequential_rules,
)
from analytics.methods.recommenders.popularity import popularity
from analytics.methods.scoring_kernels import top_n

# Where the search for a mix starts, and what is used when there are too few people to search.
# The last three are what a newcomer's list is made of.
START_WEIGHTS = {
    "together": 0.5,
    "next": 0.5,
    "rules": 0.2,
    "content": 0.03,
    "people": 0.05,
    "interest": 0.1,
    "popular": 0.02,
}
# A part that a newcomer needs is never switched off by people who have a history.
OPTIONAL = ("together", "next", "rules", "content")
HALF_LIVES = (1.5, 3.0, 8.0, 100.0)
AGE_BANDS = (18, 23, 30, 40, 50, 60)
FEWEST_TO_TUNE = 50
LEAST_GAIN = 0.0002


@dataclass(frozen=True)
class _Part:
    """One summand: rows (n_rows, n_items) and what they stand for."""

    name: str
    rows: sparse.csr_matrix
    reason: np.ndarray
    item: np.ndarray


class HybridRecommender(BaseRecommender):
    """A weighted sum of item-to-item models over the decayed history, content and priors.

    together: EASE, or item-kNN past max_dense_items; next: regression of the next item on
    earlier ones, up to max_dense_items; rules: what follows what; content: content kNN;
    people: ridge regression on age band, gender and occupation, and interest: what is popular
    in the chosen categories, both gone once a history weighs prior_until; popular: what fills
    the rest. The weights and the half-life of the history are searched on the newest item of
    at most n_tuned users, which the models of the search have not seen; then all is fitted on
    everything. The number of steps is bounded, not the time, so that a fit can be repeated.

    n_neighbors: neighbours kept per item and model. l2, next_l2: ridge penalties. next_decay,
    window: how the order is weighed. max_dense_items: above it nothing items x items is dense
    (two such float32 matrices are held at once: 0.5 GB at 8,000). weights, half_life: fixed ones
    instead of the search. random_state: who is held out in the search.

    Attributes: model_ (n_features, n_items); weights_ (part to weight); half_life_ (entries);
    tuned_score_ (NDCG@10 of the search, None without one).
    """

    def __init__(
        self,
        *,
        n_neighbors: int = 200,
        l2: float = 100.0,
        next_l2: float = 50.0,
        next_decay: float = 0.8,
        window: int = 20,
        max_dense_items: int = 8_000,
        prior_until: float = 10.0,
        n_tuned: int = 4_000,
        weights: dict[str, float] | None = None,
        half_life: float | None = None,
        random_state: int = 42,
    ) -> None:
        self.n_neighbors = n_neighbors
        self.l2 = l2
        self.next_l2 = next_l2
        self.next_decay = next_decay
        self.window = window
        self.max_dense_items = max_dense_items
        self.prior_until = prior_until
        self.n_tuned = n_tuned
        self.weights = weights
        self.half_life = half_life
        self.random_state = random_state

    def tuned_parameters(self) -> dict[str, Any]:
        return {"weights": self.weights_, "half_life": self.half_life_}

    def similar_items(self, items: np.ndarray, *, n: int = 10) -> tuple[np.ndarray, np.ndarray]:
        """(items, scores), each (len(items), n), nearest first, padded with -1 and 0."""
        return best_of_rows(self.item_model_, np.asarray(items), n)

    def _fit(
        self, interactions: Interactions, users: UserFeatures, items: ItemFeatures
    ) -> tuple[sparse.csr_matrix, np.ndarray, np.ndarray]:
        self._people = _people_codes(users)
        self._interests = _row_shares(users.interests)
        content = ContentKNNRecommender(n_neighbors=50).fit(interactions, item_features=items)
        self.weights_ = dict(self.weights or START_WEIGHTS)
        self.half_life_ = self.half_life or HALF_LIVES[1]
        self.tuned_score_: float | None = None
        if self.half_life is None and not interactions.is_ordered:
            self.half_life_ = HALF_LIVES[-1]
        if self.weights is None:
            self._tune(interactions, items, content.model_)
        parts = self._parts(interactions, items, content.model_)
        self.item_model_ = sparse.csr_matrix(
            sum(self.weights_[part.name] * part.rows for part in parts[:4])
        )
        return _stacked(parts)

    def _queries(self, users: np.ndarray) -> sparse.csr_matrix:
        queries = self._part_queries(self.interactions_, users, self.half_life_)
        return self._weighted(queries, self.weights_)

    def _parts(
        self, interactions: Interactions, items: ItemFeatures, content: sparse.csr_matrix
    ) -> list[_Part]:
        n_items = interactions.n_items
        if n_items <= self.max_dense_items:
            together = closed_form(interactions, l2=self.l2, k=self.n_neighbors)
            following = next_item_regression(
                interactions,
                l2=self.next_l2,
                k=self.n_neighbors,
                decay=self.next_decay,
                window=self.window,
            )
        else:
            together = ItemKNNRecommender(n_neighbors=self.n_neighbors).fit(interactions).model_
            following = sparse.csr_matrix((n_items, n_items), dtype=np.float32)
        rules = sequential_rules(
            interactions, k=self.n_neighbors, decay=self.next_decay, window=self.window // 2
        )
        own = np.arange(n_items)
        parts = [
            _Part(name, rows, np.full(n_items, reason), own)
            for name, rows, reason in (
                ("together", together, Reason.HISTORY),
                ("next", following, Reason.HISTORY),
                ("rules", rules, Reason.HISTORY),
                ("content", content, Reason.CONTENT),
            )
        ]
        popular = popularity(interactions)
        people = _people_rows(interactions, self._people)
        # The first row is everybody's mean: it says nothing of the person.
        people_reasons = np.full(people.shape[0], Reason.PEOPLE)
        people_reasons[0] = Reason.POPULAR
        interest = _interest_rows(popular, items.category, self._interests.shape[1])
        for name, rows, reasons in (
            ("people", people, people_reasons),
            ("interest", interest, np.full(interest.shape[0], Reason.INTEREST)),
            ("popular", sparse.csr_matrix(popular[None, :]), np.array([Reason.POPULAR])),
        ):
            parts.append(_Part(name, rows, reasons, np.full(rows.shape[0], -1)))
        return parts

    def _part_queries(
        self, interactions: Interactions, users: np.ndarray, half_life: float
    ) -> list[sparse.csr_matrix]:
        """One csr (len(users), rows of the part) per part, in the order of the parts."""
        history = history_queries(interactions, users, decay=0.5 ** (1 / half_life))
        in_order = history_queries(interactions, users, decay=self.next_decay)
        known = np.asarray(interactions.user_items[users].sum(axis=1)).ravel()
        prior = np.maximum(0, 1 - known / self.prior_until).astype(np.float32)
        fading = sparse.diags(prior)
        return [
            history,
            in_order,
            in_order,
            history,
            sparse.csr_matrix(fading @ self._people[users], dtype=np.float32),
            sparse.csr_matrix(fading @ self._interests[users], dtype=np.float32),
            sparse.csr_matrix(np.ones((len(users), 1), dtype=np.float32)),
        ]

    def _weighted(
        self, queries: list[sparse.csr_matrix], weights: dict[str, float]
    ) -> sparse.csr_matrix:
        scaled = [
            query * np.float32(weights[name])
            for name, query in zip(START_WEIGHTS, queries, strict=True)
        ]
        stacked = sparse.hstack(scaled, format="csr", dtype=np.float32)
        stacked.eliminate_zeros()
        return stacked

    def _tune(
        self, interactions: Interactions, items: ItemFeatures, content: sparse.csr_matrix
    ) -> None:
        """Search weights_ and half_life_ one after the other, on entries kept from the models."""
        users, targets, rest = hold_out_newest(
            interactions, n=self.n_tuned, random_state=self.random_state
        )
        if len(users) < FEWEST_TO_TUNE:
            return
        model = _stacked(self._parts(rest, items, content))[0]
        seen = rest.user_items[users]
        allowed = np.ones(rest.n_items, dtype=bool)
        wanted = sparse.csr_matrix(
            (np.ones(len(users), np.float32), (np.arange(len(users)), targets)), shape=seen.shape
        )

        def score(queries: list[sparse.csr_matrix], weights: dict[str, float]) -> float:
            found, _ = top_n(
                self._weighted(queries, weights), model, n=10, masked=seen, allowed=allowed
            )
            return float(ndcg_at(found, wanted).mean())

        is_searched = self.half_life is None and interactions.is_ordered
        half_lives = HALF_LIVES if is_searched else (self.half_life_,)
        by_half_life = {
            half_life: score(self._part_queries(rest, users, half_life), self.weights_)
            for half_life in half_lives
        }
        self.half_life_ = max(by_half_life, key=by_half_life.__getitem__)
        best = by_half_life[self.half_life_]
        queries = self._part_queries(rest, users, self.half_life_)
        for factors in ((0.0, 0.4, 2.5), (0.7, 1.4)):
            for name in START_WEIGHTS:
                for factor in factors:
                    if factor == 0 and name not in OPTIONAL:
                        continue
                    tried = {**self.weights_, name: round(self.weights_[name] * factor, 5)}
                    if (gained := score(queries, tried)) > best + LEAST_GAIN:
                        best, self.weights_ = gained, tried
                        break
        self.tuned_score_ = best


def hold_out_newest(
    interactions: Interactions, *, n: int, random_state: int
) -> tuple[np.ndarray, np.ndarray, Interactions]:
    """(users, items, rest): the newest full-weight entry of at most n users with two or more.

    The rest lacks that entry and all later ones of the same users. Of entries of equal order
    one is drawn.
    """
    rng = np.random.default_rng(random_state)
    sizes = np.diff(interactions.indptr)
    able = np.flatnonzero(sizes >= 2)
    users = np.sort(rng.choice(able, size=min(n, len(able)), replace=False))
    is_kept = np.ones(interactions.n_entries, dtype=bool)
    held, targets = [], []
    for user in users:
        first, last = interactions.indptr[user], interactions.indptr[user + 1]
        weight, age = interactions.weight[first:last], interactions.age[first:last]
        full = np.flatnonzero(weight >= weight.max())
        newest = full[age[full] == age[full].min()]
        target = int(rng.choice(newest))
        leaves = age < age[target]
        leaves[target] = True
        if leaves.all():
            continue
        is_kept[first:last] = ~leaves
        held.append(user)
        targets.append(interactions.indices[first + target])
    return (
        np.array(held, dtype=np.int64),
        np.array(targets, dtype=np.int64),
        interactions.keep(is_kept),
    )


def _stacked(parts: list[_Part]) -> tuple[sparse.csr_matrix, np.ndarray, np.ndarray]:
    model = sparse.vstack([part.rows for part in parts], format="csr", dtype=np.float32)
    model.sort_indices()
    return (
        model,
        np.concatenate([part.reason for part in parts]).astype(np.int8),
        np.concatenate([part.item for part in parts]).astype(np.int32),
    )


def _people_codes(users: UserFeatures) -> sparse.csr_matrix:
    """(n_users, 1 + n_codes): a one for everybody, then one-hot codes; unknown has no column."""
    n_users = len(users.age)
    bands = np.where(np.isnan(users.age), -1, np.digitize(users.age, AGE_BANDS))
    columns = [sparse.csr_matrix(np.ones((n_users, 1), dtype=np.float32))]
    for codes in (bands.astype(np.int64), users.gender, users.occupation):
        known = np.flatnonzero(codes >= 0)
        columns.append(
            sparse.csr_matrix(
                (np.ones(len(known), dtype=np.float32), (known, codes[known])),
                shape=(n_users, int(codes.max(initial=-1)) + 1),
            )
        )
    return sparse.hstack(columns, format="csr", dtype=np.float32)


def _people_rows(
    interactions: Interactions, codes: sparse.csr_matrix, *, l2: float = 30.0
) -> sparse.csr_matrix:
    """(n_codes, n_items): ridge regression of having an item on codes, the first unpenalised.

    On the scale of popularity: a share of the most popular item's.
    """
    normal = (codes.T @ codes).toarray().astype(np.float64)
    penalty = np.full(len(normal), l2)
    penalty[0] = 1e-6
    wanted = np.asarray((codes.T @ interactions.user_items).toarray(), dtype=np.float64)
    rows = np.linalg.solve(normal + np.diag(penalty), wanted)
    return sparse.csr_matrix((rows / max(float(rows[0].max(initial=0)), 1e-6)).astype(np.float32))


def _interest_rows(
    popular: np.ndarray, category: np.ndarray, n_categories: int
) -> sparse.csr_matrix:
    """(n_categories, n_items): items of the category, half for being in it, half by popularity."""
    top = np.zeros(max(n_categories, int(category.max(initial=-1)) + 1), dtype=np.float32)
    np.maximum.at(top, category, popular)
    values = 0.5 + 0.5 * popular / top[category]
    is_in = category < n_categories
    return sparse.csr_matrix(
        (values[is_in].astype(np.float32), (category[is_in], np.flatnonzero(is_in))),
        shape=(n_categories, len(popular)),
    )


def _row_shares(matrix: sparse.csr_matrix) -> sparse.csr_matrix:
    """Rows that sum to one, or to zero where they are empty."""
    sums = np.asarray(matrix.sum(axis=1)).ravel()
    scale = np.divide(1, sums, out=np.zeros_like(sums, dtype=np.float64), where=sums > 0)
    return sparse.csr_matrix(sparse.diags(scale) @ matrix, dtype=np.float32)
