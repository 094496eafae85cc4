"""Which learners of a course look made up, told from the histories alone.

Somebody who wants a course recommended registers people who all take it, beside other courses
that make them look like learners: drawn at random, by popularity, the few most popular ones, or
the whole history of somebody real. Each way leaves a trace in what the learners of that one
course have in common, and real courses show how much of each trace is usual:

length: the course stands at the same place (first, between, last) of equally long histories;
affinity: what else they have says no more about this course than anybody's history does;
coherence: what else they have does not belong together among people without the course;
both, little affinity, little coherence: the same, whatever the place;
twin: what else they have is the whole history of somebody else, and says little of the course.

A history falls into one cell per sign. A course that has more of its learners in a cell than
nearly all other courses have in it has its learners of that cell trusted less, down to what one
in fifty courses has. Nothing is drawn from who these people are, nor from when they came: a class
that its school enrols comes all at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analytics.methods.count_kernels import people_with_both
from analytics.methods.interactions import Interactions

# Courses with fewer learners than this share of all people are not looked at: a push so small
# moves nothing. Nor is anything told from fewer courses than FEWEST_COURSES.
SMALLEST_SHARE = 0.005
FEWEST_LEARNERS = 10
FEWEST_COURSES = 20
# Learners looked at per course at first; all of them where these stand out.
N_SAMPLED = 300
# People among whom it is counted what belongs together, and others that learners are compared to.
N_COUNTED, N_COMPARED = 20_000, 1_000
N_PAIRS = 8
N_BINS = 10
LONGEST = 40
# A twin of a shorter history may be chance.
SHORTEST_TWIN = 4
# From these bins on, an affinity or coherence is nothing to wonder at.
MUCH_AFFINITY, MUCH_COHERENCE = 8, 7
PLACES = 3
SIGNS = {
    "length": PLACES * (LONGEST + 1),
    "affinity": PLACES * N_BINS,
    "coherence": PLACES * N_BINS,
    "both": (N_BINS // 2) * N_BINS,
    "little affinity": N_BINS,
    "little coherence": N_BINS,
    "twin": PLACES,
}


@dataclass(frozen=True)
class Signs:
    """places (n_learners,): the entries of the course in the interactions. cells: sign to
    (n_learners,) int64, the cell of each learner, -1 for none to wonder at. is_odd (n_learners,):
    whose histories say little of the course, or do not belong together much; a class whose
    school enrolled it is alike in length, and neither of these."""

    places: np.ndarray
    cells: dict[str, np.ndarray]
    is_odd: np.ndarray

    def shares(self, sign: str, trust: np.ndarray) -> np.ndarray:
        """(n_cells,) the share of the trusted learners in each cell."""
        cells = self.cells[sign]
        is_told = cells >= 0
        sums = np.bincount(cells[is_told], weights=trust[is_told], minlength=SIGNS[sign])
        return sums / max(float(trust.sum()), 1e-9)


class SignReader:
    """Reads the signs of the learners of one course after the other.

    Nothing but counts of interactions is kept; rng draws the people who are compared.
    """

    def __init__(self, interactions: Interactions, rng: np.random.Generator) -> None:
        self.interactions = interactions
        self.rng = rng
        n_users, n_items = interactions.n_users, interactions.n_items
        self.n_learners = np.bincount(interactions.indices, minlength=n_items)
        self.sizes = np.diff(interactions.indptr)
        self.by_item = np.argsort(interactions.indices, kind="stable")
        self.first_of_item = np.concatenate([[0], np.cumsum(self.n_learners)])
        self._count_together()
        self.codes = rng.integers(0, 2**63, n_items, dtype=np.uint64)
        self.sums = np.zeros(n_users, dtype=np.uint64)
        np.add.at(self.sums, interactions.users, self.codes[interactions.indices])
        self.sorted_sums = np.sort(self.sums)
        compared = rng.integers(0, max(n_users, 1), N_COMPARED)
        self.compared = self._others(compared, -1)
        usual = self._coherence(compared, *self.compared, -1)
        self.usual_coherence = np.sort(usual[~np.isnan(usual)])

    def courses(self) -> np.ndarray:
        """(n,) the items that have enough learners to be looked at."""
        least = max(FEWEST_LEARNERS, SMALLEST_SHARE * self.interactions.n_users)
        return np.flatnonzero(self.n_learners >= least)

    def read(
        self, item: int, *, n_most: int | None = None, left_out: np.ndarray | None = None
    ) -> Signs:
        """The signs of all learners of an item, or of n_most of them, but for some people
        (n_users,) bool."""
        places = self.by_item[self.first_of_item[item] : self.first_of_item[item + 1]]
        if left_out is not None:
            places = places[~left_out[self.interactions.users[places]]]
        if n_most is not None and len(places) > n_most:
            places = np.sort(self.rng.choice(places, n_most, replace=False))
        learners = self.interactions.users[places]
        age = self.interactions.age[places]
        oldest = self.interactions.age[self.interactions.indptr[learners]]
        place = np.where(age == 0, 2, np.where(age == oldest, 0, 1))
        owners, items = self._others(learners, item)
        having, n_people = self._counts_without(item)
        affinity = self._affinity(owners, items, len(learners), item, having / max(n_people, 1))
        coherence = self._coherence(learners, owners, items, item)
        size = self.sizes[learners] - 1
        little = np.where(affinity < MUCH_AFFINITY, affinity, -1)
        known = ~np.isnan(coherence)
        rank = np.searchsorted(self.usual_coherence, np.where(known, coherence, 0))
        level = rank * N_BINS // max(len(self.usual_coherence), 1)
        loose = np.where(known & (level < MUCH_COHERENCE), level, -1)
        is_twin = (little >= 0) & (size >= SHORTEST_TWIN) & self._has_twin(learners, item)
        return Signs(
            places=places,
            cells={
                "length": place * (LONGEST + 1) + np.minimum(size, LONGEST),
                "affinity": np.where(little >= 0, place * N_BINS + little, -1),
                "coherence": np.where(loose >= 0, place * N_BINS + loose, -1),
                "both": np.where(loose >= 0, loose // 2 * N_BINS + affinity, -1),
                "little affinity": np.where(little >= 0, little // 2, -1),
                "little coherence": np.where(loose >= 0, loose // 2, -1),
                "twin": np.where(is_twin, place, -1),
            },
            is_odd=(little >= 0) | (loose >= 0),
        )

    def _others(self, users: np.ndarray, item: int) -> tuple[np.ndarray, np.ndarray]:
        """(owners, items): what users have besides the item; owners are places in users."""
        n_of_user, places = self.interactions.entries_of(users)
        owners = np.repeat(np.arange(len(users)), n_of_user)
        items = self.interactions.indices[places]
        is_other = items != item
        return owners[is_other], items[is_other]

    def _affinity(
        self,
        owners: np.ndarray,
        items: np.ndarray,
        n_learners: int,
        item: int,
        among_others: np.ndarray,
    ) -> np.ndarray:
        """(n_learners,) bins 0..9: the share of other people whose histories say less of the item.

        What an entry says is how much more often learners have it than others do (among_others
        (n_items,)), told from other learners than the one it is asked of.
        """
        half = self.rng.permutation(n_learners) % 2
        other_owners, other_items = self.compared
        has_item = np.bincount(other_owners[other_items == item], minlength=N_COMPARED) > 0
        is_other = ~has_item[other_owners]
        other_owners, other_items = other_owners[is_other], other_items[is_other]
        n_items = self.interactions.n_items
        bins = np.full(n_learners, N_BINS - 1)
        for side in (0, 1):
            # Always from equally many learners, so that large and small courses compare.
            told = np.flatnonzero(half != side)[: N_SAMPLED // 2]
            is_told = np.zeros(n_learners, dtype=bool)
            is_told[told] = True
            counts = np.bincount(items[is_told[owners]], minlength=n_items)
            lift = np.log((counts + 3) / (len(told) * among_others + 3))
            mine = _means(owners, lift[items], n_learners)
            others = _means(other_owners, lift[other_items], N_COMPARED)
            others = np.sort(others[~np.isnan(others)])
            asked = (half == side) & ~np.isnan(mine)
            rank = np.searchsorted(others, mine[asked]) / max(len(others), 1)
            bins[asked] = np.minimum(rank * N_BINS, N_BINS - 1).astype(np.int64)
        return bins

    def _count_together(self) -> None:
        """One bit per item and counted person: pairs are counted where they are asked for."""
        interactions = self.interactions
        n_counted = min(interactions.n_users, N_COUNTED)
        counted = np.sort(self.rng.choice(interactions.n_users, n_counted, replace=False))
        self.counted = interactions.of_users(counted)
        person, items = self.counted.users, self.counted.indices
        self.n_having = np.bincount(items, minlength=interactions.n_items)
        self.bits = np.zeros((interactions.n_items, -(-n_counted // 64)), dtype=np.uint64)
        bit = np.left_shift(np.uint64(1), (person % 64).astype(np.uint64))
        np.bitwise_or.at(self.bits, (items, person // 64), bit)
        self.is_counted = np.zeros(interactions.n_users, dtype=bool)
        self.is_counted[counted] = True

    def _counts_without(self, item: int) -> tuple[np.ndarray, int]:
        """(n_items,) how many counted people without the item have each item, and how many
        people these are."""
        learners = self.counted.users[self.counted.indices == item]
        _, places = self.counted.entries_of(learners)
        theirs = np.bincount(self.counted.indices[places], minlength=self.counted.n_items)
        return self.n_having - theirs, self.counted.n_users - len(learners)

    def _coherence(
        self, users: np.ndarray, owners: np.ndarray, items: np.ndarray, item: int
    ) -> np.ndarray:
        """(len(users),) mean log of how much more often than by chance pairs of other entries
        stand together, among people without the item; NaN with fewer than two other entries."""
        sizes = np.bincount(owners, minlength=len(users))
        firsts = np.concatenate([[0], np.cumsum(sizes)])[:-1]
        able = np.flatnonzero(sizes >= 2)
        found = np.full(len(users), np.nan)
        if not len(able):
            return found
        size = sizes[able, None]
        one = (self.rng.random((len(able), N_PAIRS)) * size).astype(np.int64)
        step = 1 + (self.rng.random((len(able), N_PAIRS)) * (size - 1)).astype(np.int64)
        left = items[firsts[able, None] + one].ravel()
        right = items[firsts[able, None] + (one + step) % size].ravel()
        having, n_people = self.n_having, self.counted.n_users
        left_out = np.zeros(self.bits.shape[1], dtype=np.uint64)
        if item >= 0:
            having, n_people = self._counts_without(item)
            left_out = self.bits[item]
        together = people_with_both(self.bits, left, right, left_out)
        if item < 0:
            # Their own history is no evidence that it belongs together.
            together -= np.repeat(self.is_counted[users[able]], N_PAIRS)
        expected = having[left] * having[right] / max(n_people, 1)
        excess = np.log((together + 0.3) / (expected + 0.3)).reshape(len(able), N_PAIRS)
        found[able] = excess.mean(axis=1)
        return found

    def _has_twin(self, users: np.ndarray, item: int) -> np.ndarray:
        """(len(users),) whether somebody's whole history is theirs without the item."""
        rest = self.sums[users] - self.codes[item]
        at = np.minimum(np.searchsorted(self.sorted_sums, rest), len(self.sorted_sums) - 1)
        return np.asarray(self.sorted_sums[at] == rest)


def _means(owners: np.ndarray, values: np.ndarray, n: int) -> np.ndarray:
    """(n,) the mean of the values of each owner, NaN without any."""
    counts = np.bincount(owners, minlength=n)
    sums = np.bincount(owners, weights=values, minlength=n)
    return np.divide(sums, counts, out=np.full(n, np.nan), where=counts > 0)
