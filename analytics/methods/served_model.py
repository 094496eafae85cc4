"""A fitted recommender as plain arrays, and what it says to one person: numpy alone.

A web process that shows recommendations loads no other numeric library. `model_arrays` tells what
the arrays are.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from analytics.methods.model_arrays import (
    EVERYBODY,
    HISTORY,
    INTEREST,
    PAIRS,
    PEOPLE,
    check_arrays,
)
from analytics.methods.reasons import Reason

# The newest entry is paired with those that are at most so many entries older.
PAIR_REACH = 5
LEAST_DECAYED = 1e-3
# Rows, but for those of pairs, of so few cells (64 MB), or of which this share is filled, are kept
# plain: a fraction of the time for, at most, twice the memory.
MOST_CELLS, LEAST_FULL = 16_000_000, 0.25
# More entries than any history that is read.
LONGEST_HISTORY = 4_096
_FIRST, _ONE, _NONE = np.zeros(1, np.int64), np.ones(1, np.float32), np.empty(0, np.int64)
# So many plain rows are copied together: they stay within the cache of the processor.
AT_ONCE = 64
# How much two sums of the same numbers in another order may differ, generously.
UNSURE = 1e-4


@dataclass(frozen=True)
class History:
    """What one person did, oldest first: items (k,) int32 each once, weight (k,) float32, age (k,)
    int32, the number of entries that came strictly later."""

    items: np.ndarray
    weight: np.ndarray
    age: np.ndarray

    @classmethod
    def empty(cls) -> Self:
        return cls(np.empty(0, np.int32), np.empty(0, np.float32), np.empty(0, np.int32))


@dataclass(frozen=True)
class Person:
    """What one person said: age in years (NaN unknown), gender and occupation as codes (-1
    unknown), interests as indices of categories."""

    age: float = float("nan")
    gender: int = -1
    occupation: int = -1
    interests: tuple[int, ...] = ()


@dataclass(frozen=True)
class Ranked:
    """Items, best first: items (k,) int64, scores (k,) float32 above 0, reasons (k,) int8 (a
    Reason), because (k,) int32, the item of the history behind it, or -1."""

    items: np.ndarray
    scores: np.ndarray
    reasons: np.ndarray
    because: np.ndarray


@dataclass(frozen=True)
class Part:
    """What one row adds to the score of a course: its reason, the item of the history that it
    stands for or -1, and how much."""

    reason: Reason
    item: int
    value: float


@dataclass(frozen=True)
class _Picked:
    """Rows that a person picks, and how much each weighs: (k,) int64, float32.

    The first n_plain of them are kept as plain rows. Of the others also their entries one row
    after the other: column, value, and the place in rows.
    """

    rows: np.ndarray
    values: np.ndarray
    n_plain: int
    columns: np.ndarray
    data: np.ndarray
    places: np.ndarray


@dataclass(frozen=True)
class _Block:
    """How one block is asked: `Block` of the recommenders. powers: decay to the power of 0, 1, ...
    as long as it is worth anything. is_plain: whether its rows are kept plain."""

    ask: int
    start: np.int64
    is_plain: bool
    weight: np.float32
    fades: bool
    decay: np.float32
    powers: np.ndarray


class ServedModel:
    """Scores of every course for one person at a time. Made once per version, never changed."""

    def __init__(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Raises BadArrays."""
        # Files of older releases have no pairs.
        self.arrays = {"pair_keys": _NONE, **arrays}
        check_arrays(self.arrays)
        self.n_items = len(arrays["course_ids"])
        self.course_ids: np.ndarray = arrays["course_ids"]
        self.category_ids: np.ndarray = arrays["category_ids"]
        self.n_learners: np.ndarray = arrays["n_learners"]
        self.popular: np.ndarray = arrays["popular"]
        self.index_of = {int(pk): at for at, pk in enumerate(self.course_ids)}
        self.category_index = {int(pk): at for at, pk in enumerate(self.category_ids)}
        self._dense = self._unpacked()
        self._blocks = self._read_blocks()
        # Reason and item of a row as one number: those without an item first.
        self._causes = arrays["row_reason"].astype(np.int64) * (self.n_items + 1) + (
            arrays["row_item"].astype(np.int64) + 1
        )
        self._prior_until = float(arrays["prior_until"])
        self._age_bands: list[float] = arrays["age_bands"].tolist()
        self._people = list(
            zip(arrays["people_offsets"].tolist(), arrays["people_sizes"].tolist(), strict=True)
        )

    def rank(
        self,
        history: History,
        person: Person,
        *,
        n: int,
        leave_out: np.ndarray | None = None,
        allowed: np.ndarray | None = None,
    ) -> Ranked:
        """At most n items, best first, equal scores by index.

        leave_out: indices of items that are not wanted; allowed (n_items,) bool: those that may
        be shown. Without both, everything may come, also what is in the history.
        """
        picked = self._picked(history, person)
        scores = self._scores(picked)
        if leave_out is not None:
            scores[leave_out] = 0
        if allowed is not None:
            scores[~allowed] = 0
        items = self._near_the_top(scores, n)
        parts = self._parts(picked, items)
        # Row after row in single precision, as the lists of a fit are summed: equal columns give
        # equal scores.
        exact = parts.sum(axis=0, dtype=np.float32)
        order = (-exact).argsort(kind="stable")[:n]
        order = order[exact[order] > 0]
        items, parts, exact = items[order], parts[:, order], exact[order]
        reasons, because = self._why(picked.rows, parts)
        return Ranked(items=items, scores=exact, reasons=reasons, because=because)

    def scores(self, history: History, person: Person) -> np.ndarray:
        """(n_items,) float32, what each course is worth to the person, before any mask."""
        return self._scores(self._picked(history, person))

    def parts_of(self, item: int, history: History, person: Person) -> list[Part]:
        """Everything that makes up the score of one item, largest first."""
        picked = self._picked(history, person)
        (values,) = self._parts(picked, np.array([item])).T
        rows = picked.rows
        reasons, items = self.arrays["row_reason"][rows], self.arrays["row_item"][rows]
        return [
            Part(Reason(int(reasons[at])), int(items[at]), float(values[at]))
            for at in np.argsort(-values, kind="stable")
            if values[at]
        ]

    def learners_of(self, course_id: int) -> int:
        """How many people had done anything with a course when this was fitted."""
        item = self.index_of.get(course_id)
        return 0 if item is None else int(self.n_learners[item])

    def similar(self, item: int) -> tuple[np.ndarray, np.ndarray]:
        """(items, scores) most alike one item, best first."""
        first, last = self.arrays["similar_indptr"][item : item + 2]
        return (
            self.arrays["similar_indices"][first:last],
            self.arrays["similar_data"][first:last],
        )

    def _scores(self, picked: _Picked) -> np.ndarray:
        scores = np.zeros(self.n_items, dtype=np.float32)
        if len(picked.columns):
            weighed = picked.data * picked.values[picked.places]
            scores += np.bincount(picked.columns, weights=weighed, minlength=self.n_items)
        # Not by a matrix product, which wakes threads that other requests need more.
        for at in range(0, picked.n_plain, AT_ONCE):
            some = slice(at, min(at + AT_ONCE, picked.n_plain))
            scores += np.einsum("i,ij->j", picked.values[some], self._dense[picked.rows[some]])
        return scores

    @staticmethod
    def _near_the_top(scores: np.ndarray, n: int) -> np.ndarray:
        """Items, ascending, among which the best n surely are whatever the order of summing."""
        found = (scores > 0).nonzero()[0]
        if n < 1:
            return found[:0]
        if len(found) > n:
            least = np.partition(scores[found], len(found) - n)[len(found) - n]
            found = found[scores[found] >= least * (1 - UNSURE)]
        return found

    def _parts(self, picked: _Picked, items: np.ndarray) -> np.ndarray:
        """What each picked row gives to each of some items: (n_picked, len(items)) float32."""
        parts = np.zeros((len(picked.rows), len(items)), dtype=np.float32)
        if picked.n_plain:
            parts[: picked.n_plain] = self._dense[picked.rows[: picked.n_plain, None], items]
        if len(picked.columns):
            place = np.full(self.n_items, -1, dtype=np.int64)
            place[items] = np.arange(len(items))
            at = place[picked.columns]
            is_it = (at >= 0).nonzero()[0]
            parts[picked.places[is_it], at[is_it]] = picked.data[is_it]
        parts *= picked.values[:, None]
        return parts

    def _why(self, rows: np.ndarray, parts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """For each column of parts (n_rows, k): the reason that adds most, and the item of the
        history that adds most to it."""
        n = parts.shape[1]
        if not len(rows):
            return np.zeros(n, dtype=np.int8), np.full(n, -1, dtype=np.int32)
        # By reason and in it by item, so that of equal ones the first comes. Several blocks may
        # have one reason: an item of the history adds by each of them.
        causes = self._causes[rows]
        order = causes.argsort(kind="stable")
        causes = causes[order]
        firsts = _firsts(causes)
        causes, sums = causes[firsts], np.add.reduceat(parts[order], firsts, axis=0)
        reasons, items = np.divmod(causes, self.n_items + 1)
        firsts = _firsts(reasons)
        best = reasons[firsts][np.add.reduceat(sums, firsts, axis=0).argmax(axis=0)]
        # Rows without an item stand apart, and what adds nothing is no cause.
        sums[items == 0] = 0
        sums[reasons[:, None] != best] = 0
        at = sums.argmax(axis=0)
        because = np.where(sums[at, np.arange(n)] > 0, items[at] - 1, -1)
        return best.astype(np.int8), because.astype(np.int32)

    def _read_blocks(self) -> list[_Block]:
        """Those that weigh anything."""
        arrays = self.arrays
        found = []
        for block, ask in enumerate(arrays["block_ask"].tolist()):
            weight = np.float32(arrays["block_weight"][block])
            if weight == 0:
                continue
            powers = arrays["block_decay"][block] ** np.arange(LONGEST_HISTORY)
            powers = powers.astype(np.float32)
            found.append(
                _Block(
                    ask=ask,
                    start=np.int64(arrays["block_start"][block]),
                    is_plain=int(arrays["block_start"][block + 1]) <= len(self._dense),
                    weight=weight,
                    fades=bool(arrays["block_fades"][block]),
                    decay=np.float32(arrays["block_decay"][block]),
                    powers=powers[powers > LEAST_DECAYED],
                )
            )
        return found

    def _unpacked(self) -> np.ndarray:
        """(n_plain, n_items): the rows before those of pairs, where they are few or full enough to
        be kept plain, else none. Pairs are many, and each has few entries."""
        indptr, indices = self.arrays["rows_indptr"], self.arrays["rows_indices"]
        of_pairs = self.arrays["block_start"][:-1][self.arrays["block_ask"] == PAIRS]
        n_rows = int(of_pairs.min(initial=len(indptr) - 1))
        n_cells, n_entries = n_rows * self.n_items, int(indptr[n_rows])
        if n_cells > MOST_CELLS and n_entries < LEAST_FULL * n_cells:
            n_rows = n_entries = 0
        dense = np.zeros((n_rows, self.n_items), dtype=np.float32)
        rows = np.repeat(np.arange(n_rows), np.diff(indptr[: n_rows + 1]))
        dense[rows, indices[:n_entries]] = self.arrays["rows_data"][:n_entries]
        return dense

    def _picked(self, history: History, person: Person) -> _Picked:
        """The rows that the person picks, block after block."""
        fading = np.float32(max(0.0, 1 - float(history.weight.sum()) / self._prior_until))
        rows: list[np.ndarray] = []
        values: list[np.ndarray] = []
        n_plain = 0
        for block in self._blocks:
            if block.fades and fading == 0:
                continue
            picked, value = self._asked(block, history, person)
            if not len(picked):
                continue
            rows.append(picked + block.start)
            values.append((value * fading if block.fades else value) * block.weight)
            if block.is_plain:
                n_plain += len(picked)
        picked_rows = np.concatenate(rows) if rows else _NONE
        weights = np.concatenate(values) if values else _ONE[:0]
        if n_plain == len(picked_rows):
            return _Picked(picked_rows, weights, n_plain, _NONE, _NONE, _NONE)
        indptr = self.arrays["rows_indptr"]
        firsts, lasts = indptr[picked_rows[n_plain:]], indptr[picked_rows[n_plain:] + 1]
        spans = [
            slice(first, last) for first, last in zip(firsts.tolist(), lasts.tolist(), strict=True)
        ]
        columns, data = self.arrays["rows_indices"], self.arrays["rows_data"]
        return _Picked(
            picked_rows,
            weights,
            n_plain,
            np.concatenate([columns[:0], *(columns[span] for span in spans)]),
            np.concatenate([data[:0], *(data[span] for span in spans)]),
            np.repeat(np.arange(n_plain, len(picked_rows)), lasts - firsts),
        )

    def _asked(
        self, block: _Block, history: History, person: Person
    ) -> tuple[np.ndarray, np.ndarray]:
        """Rows of one block, from its first, that a person picks, and their values before the
        weight of the block."""
        if block.ask == HISTORY:
            items, weight, age = history.items, history.weight, history.age
            if len(age) and age[0] >= len(block.powers):
                kept = age < len(block.powers)
                items, weight, age = items[kept], weight[kept], age[kept]
            return items, weight * block.powers[age]
        if block.ask == PAIRS:
            return self._pairs(history, block.decay)
        if block.ask == EVERYBODY:
            return _FIRST, _ONE
        if block.ask == INTEREST:
            n = len(person.interests)
            return np.array(person.interests, np.int64), np.full(n, 1 / max(n, 1), np.float32)
        codes = self._codes(person) if block.ask == PEOPLE else self._alike(person)
        return np.array(codes, np.int64), np.ones(len(codes), np.float32)

    def _pairs(self, history: History, decay: np.float32) -> tuple[np.ndarray, np.ndarray]:
        """Rows and values of the newest entry, if it is one, with each of the few before it."""
        if (history.age == 0).sum() != 1:
            return _NONE, _ONE[:0]
        is_near = (history.age >= 1) & (history.age <= PAIR_REACH)
        others, newest = history.items[is_near], history.items[-1:].astype(np.int64)
        wanted = np.minimum(newest, others) * self.n_items + np.maximum(newest, others)
        keys = self.arrays["pair_keys"]
        place = np.searchsorted(keys, wanted)
        is_there = place < len(keys)
        is_there[is_there] = keys[place[is_there]] == wanted[is_there]
        decayed = decay ** (history.age[is_near] - 1)
        value = (history.weight[-1:] * history.weight[is_near] * decayed).astype(np.float32)
        return place[is_there], value[is_there]

    def _codes(self, person: Person) -> list[int]:
        band = -1 if math.isnan(person.age) else bisect_right(self._age_bands, person.age)
        asked = (band, person.gender, person.occupation)
        return [0] + [
            offset + code
            for code, (offset, size) in zip(asked, self._people, strict=True)
            if 0 <= code < size
        ]

    def _alike(self, person: Person) -> list[int]:
        kinds = self.arrays["alike"]
        if not len(kinds):
            return []
        median = float(self.arrays["alike_median_age"])
        age = median if math.isnan(person.age) else person.age
        distances = ((kinds - [age, person.gender, person.occupation]) ** 2).sum(axis=1)
        return [int(distances.argmin())]


def _firsts(ascending: np.ndarray) -> np.ndarray:
    """Where each value stands first."""
    is_first = np.empty(len(ascending), dtype=bool)
    is_first[:1] = True
    np.not_equal(ascending[1:], ascending[:-1], out=is_first[1:])
    return is_first.nonzero()[0]
