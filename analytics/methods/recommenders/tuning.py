"""The weights of a recommender's blocks, searched on courses that the blocks have not seen."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analytics.methods.interactions import Interactions
from analytics.methods.mix_kernels import first_ranks, mix_parts
from analytics.methods.recommenders.base import asked_of
from analytics.methods.recommenders.blocks import Block
from analytics.methods.recommenders.people import PeopleCodes

CUTOFF = 10
# Courses looked at per held-out row: the best of the mix at the start, and of each block alone.
N_OF_MIX, N_OF_BLOCK = 40, 8
# Of every fourth user the history cut to its newest few entries stands beside the whole one, for
# newcomers; together they count as much as this.
NEWCOMERS = (0, 1, 3)
EVERY = 4
NEWCOMER_SHARE = 0.3
FACTORS = (0.5, 2.0, 0.75, 1.35, 0.0)
# A gain must be larger than so many standard errors of the difference, row by row: what a slice
# of some thousand histories seems to say is not always so.
CERTAINTY = 1.0
# Learners added to those of each item, so that a discount tells few from none by little.
ADDED_LEARNERS = 10.0


@dataclass(frozen=True)
class HeldOut:
    """The newest entry of some users, apart from what they did before.

    users (n_held,): who. targets (n_held,): the item. rest: Interactions of those users alone,
    without the entry and everything after it. is_kept (n_entries,) bool: the entries of everybody
    that may be learned from.
    """

    users: np.ndarray
    targets: np.ndarray
    rest: Interactions
    is_kept: np.ndarray


def hold_out_newest(interactions: Interactions, *, n: int, random_state: int) -> HeldOut:
    """Hold out the newest full-weight entry of at most n users with two or more.

    Of entries of equal order one is drawn. Users of whom nothing would be left are passed over.
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
    chosen = np.array(held, dtype=np.int64)
    _, places = interactions.entries_of(chosen)
    return HeldOut(
        users=chosen,
        targets=np.array(targets, dtype=np.int64),
        rest=interactions.of_users(chosen).keep(is_kept[places]),
        is_kept=is_kept,
    )


@dataclass(frozen=True)
class Rated:
    """How good one mix is: value (larger is better), and the gain of each held-out row."""

    value: float
    rows: np.ndarray

    def gain_over(self, other: Rated) -> float:
        """By how much it is better, 0 where that may be chance."""
        difference = self.rows - other.rows
        noise = CERTAINTY * float(difference.std()) / np.sqrt(max(len(difference), 1))
        gain = self.value - other.value
        return gain if gain > noise else 0.0


class MixScore:
    """NDCG@10 of any weights of the blocks on held-out rows, in some milliseconds.

    A row is the whole rest of a history or its newest few entries. Only courses that some block
    or the mix at the start ranks high are looked at; one that none of them does is in no list.
    """

    def __init__(
        self,
        blocks: Sequence[Block],
        held: HeldOut,
        people: PeopleCodes,
        start: Mapping[str, float],
        *,
        n_learners: np.ndarray,
    ) -> None:
        """n_learners (n_items,): of each item, in the histories that the blocks have seen."""
        # What a history says comes first: a discount is for that alone.
        blocks = sorted(blocks, key=lambda block: not block.is_of_history)
        n_held = len(held.users)
        some = np.arange(0, n_held, EVERY)
        few = held.rest.of_users(some)
        rows = Interactions.one_above_the_other([held.rest, *(_newest(few, n) for n in NEWCOMERS)])
        again = np.concatenate([np.arange(n_held), np.tile(some, len(NEWCOMERS))])
        queries = asked_of(rows, np.arange(rows.n_users), blocks, _people_of(people, held, again))
        self.names = [block.name for block in blocks]
        self.n_history = sum(block.is_of_history for block in blocks)
        self.parts = mix_parts(
            queries,
            [block.rows for block in blocks],
            wanted=held.targets[again],
            masked=held.rest.user_items[again],
            start=self._weights(start),
            n_of_mix=N_OF_MIX,
            n_of_part=N_OF_BLOCK,
        )
        self.n_learners = n_learners
        self.factors: dict[float, np.ndarray] = {}
        self.groups = np.repeat(
            np.arange(1 + len(NEWCOMERS)), [n_held, *(len(some) for _ in NEWCOMERS)]
        )
        self.shares = np.array(
            [1 - NEWCOMER_SHARE, *(NEWCOMER_SHARE / len(NEWCOMERS) for _ in NEWCOMERS)]
        )
        self.popular = self._means(self._gains({"popular": 1.0}))
        self.n_steps = 0

    def __call__(self, weights: Mapping[str, float], discount: float = 0.0) -> Rated:
        """The mean over histories, less what newcomers would lose against popularity alone."""
        self.n_steps += 1
        gains = self._gains(weights, discount)
        by_group = self._means(gains)
        lost = np.maximum(0, self.popular - by_group)[1:].sum()
        return Rated(float(by_group @ self.shares - lost), gains)

    def of_whole_histories(self, weights: Mapping[str, float], discount: float = 0.0) -> float:
        """NDCG@10 of the rows whose history is whole."""
        return float(self._means(self._gains(weights, discount))[0])

    def _means(self, gains: np.ndarray) -> np.ndarray:
        return np.bincount(self.groups, weights=gains) / np.bincount(self.groups)

    def _gains(self, weights: Mapping[str, float], discount: float = 0.0) -> np.ndarray:
        if discount not in self.factors:
            factors = popularity_discount(self.n_learners, discount)
            self.factors[discount] = factors[np.maximum(self.parts.items, 0)]
        rank = first_ranks(
            self.parts,
            self._weights(weights),
            n_history=self.n_history,
            factor=self.factors[discount],
        )
        return np.where(rank < CUTOFF, 1 / np.log2(rank + 2), 0.0)

    def _weights(self, weights: Mapping[str, float]) -> np.ndarray:
        return np.array([weights.get(name, 0.0) for name in self.names], dtype=np.float32)


def popularity_discount(n_learners: np.ndarray, discount: float) -> np.ndarray:
    """(n_items,) float32 of 1 and more, larger for items with fewer learners, to the power of
    discount: linear models from counts say too much of what everybody has anyway."""
    share = (n_learners + ADDED_LEARNERS) / (n_learners.max(initial=0) + ADDED_LEARNERS)
    return (share**-discount).astype(np.float32)


def search_weights(
    score: Callable[[Mapping[str, float]], Rated],
    start: Mapping[str, float],
    *,
    optional: Sequence[str],
    seconds: float,
    clock: Callable[[], float] = time.monotonic,
) -> dict[str, float]:
    """Better weights than start, one after the other, until none gains or the time is over.

    Weights named in optional may become 0.
    """
    until = clock() + seconds
    weights = dict(start)
    best = score(weights)
    gained = True
    while gained:
        gained = False
        for name in start:
            for factor in FACTORS:
                if clock() >= until:
                    return weights
                if not weights[name] or (factor == 0 and name not in optional):
                    continue
                tried = {**weights, name: float(f"{weights[name] * factor:.5g}")}
                if (found := score(tried)).gain_over(best) > 0:
                    best, weights, gained = found, tried, True
                    if factor == 0:
                        break
    return weights


def most_at_hardly_a_loss(
    score: Callable[[Mapping[str, float]], Rated],
    weights: Mapping[str, float],
    name: str,
    factors: Sequence[float],
    *,
    loss: float,
) -> dict[str, float]:
    """The weights with that of `name` times the largest of the factors (ascending) that loses at
    most this share of the score, and none of those before it more."""
    chosen = dict(weights)
    least = score(weights).value * (1 - loss)
    for factor in factors:
        tried = {**weights, name: float(f"{weights[name] * factor:.5g}")}
        if score(tried).value < least:
            break
        chosen = tried
    return chosen


def _newest(histories: Interactions, n: int) -> Interactions:
    """The newest n entries of each user; of entries of equal order the last ones."""
    n_of_user = np.diff(histories.indptr)
    place = np.arange(histories.n_entries) - np.repeat(histories.indptr[:-1], n_of_user)
    return histories.keep(place >= np.repeat(n_of_user, n_of_user) - n)


def _people_of(people: PeopleCodes, held: HeldOut, again: np.ndarray) -> PeopleCodes:
    rows = held.users[again]
    return PeopleCodes(
        codes=people.codes[rows],
        sizes=people.sizes,
        interests=people.interests[rows],
        median_age=people.median_age,
        encoded=people.encoded[rows],
        kinds=people.kinds,
        of_kind=people.of_kind[rows],
    )
