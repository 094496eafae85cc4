"""The recommender that serves: history, order, content, people and popularity in one score."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import sparse

from analytics.methods.interactions import Interactions
from analytics.methods.reasons import Reason
from analytics.methods.recommenders.base import BaseRecommender, ItemFeatures
from analytics.methods.recommenders.blocks import (
    Ask,
    Block,
    discounted,
    item_block,
    plain_block,
)
from analytics.methods.recommenders.content import ContentKNNRecommender
from analytics.methods.recommenders.item_knn import ItemKNNRecommender
from analytics.methods.recommenders.item_models import (
    closed_form,
    next_item_models,
    sequential_rules,
)
from analytics.methods.recommenders.pairs import PairCounts, frequent_pairs, pair_block
from analytics.methods.recommenders.people import PeopleCodes, UserFeatures
from analytics.methods.recommenders.popularity import popularity
from analytics.methods.recommenders.products import (
    Counting,
    ItemProducts,
    count_followers,
    count_products,
)
from analytics.methods.recommenders.tuning import (
    HeldOut,
    MixScore,
    Rated,
    hold_out_newest,
    most_at_hardly_a_loss,
    popularity_discount,
    search_weights,
)

# Where the search for a mix starts, and what is used when there are too few people to search.
# The last four are what a newcomer's list is made of.
START_WEIGHTS = {
    "together": 0.5,
    "next": 1.0,
    "pairs": 1.0,
    "content": 0.15,
    "people": 0.05,
    "interest": 0.1,
    "week": 0.02,
    "popular": 0.02,
}
# A part that a newcomer needs is never switched off by people who have a history.
OPTIONAL = ("together", "next", "pairs", "week")
# These need an order.
ORDERED = ("next", "pairs")
HALF_LIVES = (1.5, 3.0, 8.0, 100.0)
DISCOUNTS = (0.03, 0.06, 0.1, 0.15)
# By how much content may weigh more than is best on the average, for courses with few learners, and
# which share of the score may be lost by it.
CARRY_FACTORS = (1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0)
CARRY_LOSS = 0.001
# What content says of a course with so many learners counts half of what it says of a new one.
FEW_LEARNERS = 5.0
# Of one that nobody took: many of them are wanted by nobody, and exploration tries out new ones.
OF_UNTAKEN = 0.5
FEWEST_TO_TUNE = 50
_NO_KEYS = np.empty(0, dtype=np.int64)


class HybridRecommender(BaseRecommender):
    """A weighted sum of item-to-item models over the decayed history, content and priors.

    together: EASE, or item-kNN past max_dense_items; next: regression of the next item on the
    decayed history and on its newest item, or rules of what follows what past max_next_items, or
    nothing where no order is known; pairs: what follows two courses taken near each other, where
    next is a regression; content: content kNN, similarities squared, the less the more
    learners a course has; people: ridge regression on age band, gender and occupation, and
    interest: what is popular in the chosen categories, both gone once a history weighs
    PRIOR_UNTIL; week: what was popular in the last seven days; popular: what fills the rest.

    What is said by the history weighs less the more learners a course has (`popularity_discount`).

    The weights, that discount and the half-life of the history for `together` are searched on the
    newest item of at most n_tuned users (a third of all, where there are few), which the models of
    the search have not seen; then all is fitted on everything. Whether the order tells anything is
    found out by the same search: where it does not, the parts that need it end at 0.

    n_neighbors: neighbours kept per item and model. l2, next_l2: ridge penalties. next_decay,
    window, tail: see `products.Counting`. max_dense_items, max_next_items: above them nothing
    items x items is dense for that part (six float32 matrices are held for both, during the search
    twice: 1.2 GB at 5,000). tune_seconds: what the search for weights may take; it is shorter where
    nothing gains any more, so that a fit can be repeated. weights, half_life, discount: fixed ones
    instead of the search. backend, n_workers: where counts are made. random_state: who is held out
    in the search.

    Attributes: those of BaseRecommender; weights_ (part to weight); half_life_ (entries);
    discount_; tuning_ (dict: ndcg@10 on the held-out histories, seconds, steps, is_ordered; empty
    without a search).
    """

    def __init__(
        self,
        *,
        n_neighbors: int = 200,
        l2: float = 100.0,
        next_l2: float = 30.0,
        next_decay: float = 0.85,
        window: int = 30,
        tail: float = 0.93,
        max_dense_items: int = 10_000,
        max_next_items: int = 5_000,
        n_tuned: int = 6_000,
        tune_seconds: float = 2.0,
        weights: dict[str, float] | None = None,
        half_life: float | None = None,
        discount: float | None = None,
        backend: str = "threading",
        n_workers: int = -1,
        random_state: int = 42,
    ) -> None:
        self.n_neighbors = n_neighbors
        self.l2 = l2
        self.next_l2 = next_l2
        self.next_decay = next_decay
        self.window = window
        self.tail = tail
        self.max_dense_items = max_dense_items
        self.max_next_items = max_next_items
        self.n_tuned = n_tuned
        self.tune_seconds = tune_seconds
        self.weights = weights
        self.half_life = half_life
        self.discount = discount
        self.backend = backend
        self.n_workers = n_workers
        self.random_state = random_state

    def tuned_parameters(self) -> dict[str, Any]:
        return {
            "weights": self.weights_,
            "half_life": self.half_life_,
            "discount": self.discount_,
        }

    def _fit(
        self, interactions: Interactions, users: UserFeatures, items: ItemFeatures
    ) -> list[Block]:
        self.weights_ = dict(START_WEIGHTS)
        if self.weights is not None:
            self.weights_ = {**dict.fromkeys(START_WEIGHTS, 0.0), **self.weights}
        self.half_life_ = self.half_life or HALF_LIVES[1]
        self.tuning_: dict[str, Any] = {}
        if self.half_life is None and not interactions.is_ordered:
            self.half_life_ = HALF_LIVES[-1]
        self.discount_ = self.discount or 0.0
        n_held = max(interactions.n_users // 3, FEWEST_TO_TUNE)
        held = hold_out_newest(
            interactions,
            # Of a small market most must stay, or the search would tune a model that knows nothing.
            n=min(self.n_tuned, n_held) if self.weights is None else 0,
            random_state=self.random_state,
        )
        # The others are counted once, for the search and for the fit.
        others = np.setdiff1d(np.arange(interactions.n_users), held.users)
        products = self._products(interactions, others)
        content = ContentKNNRecommender(n_neighbors=50).fit(interactions, item_features=items)
        pairs = None
        if len(held.users) >= FEWEST_TO_TUNE:
            pairs = self._search(interactions, held, others, products, content.model_, items)
        products = self._products(interactions, held.users, into=products)
        if not self.weights_["pairs"]:
            pairs = self._pairs(interactions, others[:0], _NO_KEYS)
        else:
            if pairs is None:
                pairs = self._pairs(interactions, others, _pairs_of(products))
            pairs += self._pairs(interactions, held.users, pairs.keys)
        blocks = self._blocks(interactions, products, pairs, content.model_, items)
        learners = np.bincount(interactions.indices, minlength=interactions.n_items)
        factors = popularity_discount(learners, self.discount_)
        return [
            discounted(replace(block, weight=self.weights_[block.name]), factors)
            for block in blocks
            if self.weights_[block.name] > 0
        ]

    def _search(
        self,
        interactions: Interactions,
        held: HeldOut,
        others: np.ndarray,
        products: ItemProducts | None,
        content: sparse.csr_matrix,
        items: ItemFeatures,
    ) -> PairCounts:
        """Search weights on the held-out entries, with models of everything else.

        products: of the others alone. Returns their counts of what follows pairs, for the fit.
        """
        known = np.arange(len(held.users))
        seen = self._products(held.rest, known, into=products and products.copy())
        pairs = self._pairs(interactions, others, _pairs_of(seen))
        of_rest = self._pairs(held.rest, known, pairs.keys)
        rest = interactions.keep(held.is_kept)
        blocks = self._blocks(rest, seen, pairs + of_rest, content, items)
        self._tune(blocks, held, np.bincount(rest.indices, minlength=rest.n_items))
        return pairs

    def _products(
        self, interactions: Interactions, users: np.ndarray, *, into: ItemProducts | None = None
    ) -> ItemProducts | None:
        if interactions.n_items > self.max_dense_items:
            return None
        # Of some users none may have an order while others have.
        has_next = self.interactions_.is_ordered and interactions.n_items <= self.max_next_items
        how = Counting(
            decay=self.next_decay,
            window=self.window,
            tail=self.tail,
            has_next=has_next,
            backend=self.backend,
            n_workers=self.n_workers,
        )
        return count_products(interactions, users, how, into=into)

    def _pairs(self, interactions: Interactions, users: np.ndarray, keys: np.ndarray) -> PairCounts:
        if not len(keys):
            nothing = sparse.csr_matrix((0, interactions.n_items), dtype=np.float32)
            return PairCounts(keys, nothing)
        how = Counting(backend=self.backend, n_workers=self.n_workers)
        return PairCounts(keys, count_followers(interactions, users, how, keys))

    def _blocks(
        self,
        interactions: Interactions,
        products: ItemProducts | None,
        pairs: PairCounts,
        content: sparse.csr_matrix,
        items: ItemFeatures,
    ) -> list[Block]:
        """All parts, each at weight 1."""
        n_items, k = interactions.n_items, self.n_neighbors
        if products is None:
            together = ItemKNNRecommender(n_neighbors=k).fit(interactions).model_
        else:
            together = closed_form(products.together, l2=self.l2, k=k)
        half = 0.5 ** (1 / self.half_life_)
        blocks = [item_block("together", together, reason=Reason.HISTORY, decay=half)]
        if products is not None and products.following is not None:
            slow, newest = next_item_models(products.following, l2=self.next_l2, k=k)
            blocks += [
                item_block("next", slow, reason=Reason.NEXT, decay=self.next_decay),
                item_block("next", newest, reason=Reason.NEXT, decay=0.0),
            ]
        elif self.interactions_.is_ordered:
            rules = sequential_rules(interactions, k=k, decay=0.8, window=10)
            blocks.append(item_block("next", rules, reason=Reason.NEXT, decay=0.8))
        n_learners = np.bincount(interactions.indices, minlength=n_items)
        fade = FEW_LEARNERS / (FEW_LEARNERS + n_learners)
        fade[n_learners == 0] *= OF_UNTAKEN
        fading = sparse.diags(fade.astype(np.float32))
        carried = sparse.csr_matrix(content.power(2) @ fading, dtype=np.float32)
        carried.sort_indices()
        blocks.append(item_block("content", carried, reason=Reason.CONTENT, decay=0.8))
        blocks += self._priors(interactions, items)
        if products is not None and products.pairs is not None:
            # The last one: its rows are many, and one person needs few of them.
            blocks.append(pair_block("pairs", pairs, products.pairs, n_learners))
        return blocks

    def _priors(self, interactions: Interactions, items: ItemFeatures) -> list[Block]:
        popular = popularity(interactions)
        people = _people_rows(interactions, self.people_)
        people_block = plain_block("people", Ask.PEOPLE, people, reason=Reason.PEOPLE, fades=True)
        # The first row is everybody's mean: it says nothing of the person.
        people_block.reason[0] = Reason.POPULAR
        interest = _interest_rows(popular, items.category, self.people_.interests.shape[1])
        blocks = [
            people_block,
            plain_block("interest", Ask.INTEREST, interest, reason=Reason.INTEREST, fades=True),
        ]
        week = _week_row(interactions)
        if week.any():
            rows = sparse.csr_matrix(week[None, :])
            blocks.append(plain_block("week", Ask.EVERYBODY, rows, reason=Reason.WEEK))
        rows = sparse.csr_matrix(popular[None, :])
        return [*blocks, plain_block("popular", Ask.EVERYBODY, rows, reason=Reason.POPULAR)]

    def _tune(self, blocks: list[Block], held: HeldOut, n_learners: np.ndarray) -> None:
        """Search weights_, half_life_ and discount_ on entries kept from the blocks."""
        began = time.monotonic()
        may_be_ordered = self.interactions_.is_ordered
        is_searched = self.half_life is None and may_be_ordered
        half_lives = HALF_LIVES if is_searched else (self.half_life_,)
        together = blocks[0]
        variants = {
            f"together {half_life}": replace(
                together, name=f"together {half_life}", decay=0.5 ** (1 / half_life)
            )
            for half_life in half_lives
        }
        present = {block.name for block in blocks}
        start = {name: weight for name, weight in self.weights_.items() if name in present}
        first = f"together {self.half_life_}"
        score = MixScore(
            [*variants.values(), *blocks[1:]],
            held,
            self.people_,
            {**{name: w for name, w in start.items() if name != "together"}, first: 1.0},
            n_learners=n_learners,
        )

        def mixed(half_life: float, weights: Mapping[str, float], discount: float = 0.0) -> Rated:
            named = dict(weights)
            named[f"together {half_life}"] = named.pop("together")
            return score(named, discount)

        # Newer courses can tell more than older ones only where the order says something. Asked
        # of this part alone: beside others a half-life also changes how much it weighs.
        tried = {half_life: mixed(half_life, {"together": 1.0}) for half_life in half_lives}
        longest = half_lives[-1]
        best = max(half_lives, key=lambda half_life: tried[half_life].value)
        is_ordered = may_be_ordered and (
            not is_searched or tried[best].gain_over(tried[longest]) > 0
        )
        self.half_life_ = best if is_ordered else longest
        if not is_ordered:
            start |= {name: 0.0 for name in ORDERED if name in start}

        def of_weights(weights: Mapping[str, float]) -> Rated:
            return mixed(self.half_life_, weights, self.discount_)

        found = search_weights(
            of_weights,
            start,
            optional=OPTIONAL,
            seconds=self.tune_seconds,
        )
        if self.discount is None:
            leading = of_weights(found)
            for discount in DISCOUNTS:
                rated = mixed(self.half_life_, found, discount)
                if rated.gain_over(leading) > 0:
                    leading, self.discount_ = rated, discount
        found = most_at_hardly_a_loss(of_weights, found, "content", CARRY_FACTORS, loss=CARRY_LOSS)
        self.weights_ = {**dict.fromkeys(START_WEIGHTS, 0.0), **found}
        named = dict(found)
        named[f"together {self.half_life_}"] = named.pop("together")
        self.tuning_ = {
            "ndcg@10": score.of_whole_histories(named, self.discount_),
            "seconds": round(time.monotonic() - began, 3),
            "steps": score.n_steps,
            "is_ordered": is_ordered,
        }


def _pairs_of(products: ItemProducts | None) -> np.ndarray:
    if products is None or products.pairs is None:
        return _NO_KEYS
    return frequent_pairs(products.pairs)


def _week_row(interactions: Interactions) -> np.ndarray:
    """(n_items,) float32: what was done in the last seven days, as a share of the largest."""
    sums = np.bincount(
        interactions.indices[interactions.recent],
        weights=interactions.weight[interactions.recent],
        minlength=interactions.n_items,
    )
    return (sums / max(sums.max(initial=0), 1e-9)).astype(np.float32)


def _people_rows(
    interactions: Interactions, people: PeopleCodes, *, l2: float = 30.0
) -> sparse.csr_matrix:
    """(n_codes, n_items): ridge regression of having an item on codes, the first unpenalised.

    On the scale of popularity: a share of the most popular item's.
    """
    codes = people.codes
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
