"""A fitted recommender as plain arrays, and what it says to one person: numpy alone.

A web process that shows recommendations loads no other numeric library. The arrays are those of
`BaseRecommender.arrays`, together with the ids that the indices stand for:

| array | shape, type | what |
| --- | --- | --- |
| format | () int32 | 1 |
| course_ids, category_ids | (n_items,), (n_categories,) int64 | sorted |
| rows_indptr, rows_indices, rows_data | csr (n_rows, n_items) | the blocks one above the other |
| row_reason, row_item | (n_rows,) int8, int32 | a Reason; the item that a row stands for or -1 |
| block_ask, block_start, block_weight, block_decay, block_fades, block_name | per block | `Block` |
| prior_until | () float32 | weight of a history that needs no prior |
| age_bands, people_offsets, people_sizes | | codes of a PEOPLE block: everybody, bands, ... |
| alike, alike_median_age | (n_kinds, 3) float64, () | rows of an ALIKE block |
| popular, n_learners, n_people | (n_items,), (n_items,), () | of the histories learned from |
| similar_indptr, similar_indices, similar_data | csr (n_items, n_items) | best first |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from analytics.methods.reasons import Reason

FORMAT = 1
N_REASONS = len(Reason) - 1
# The numbers of `recommenders.blocks.Ask`, which a process that only serves does not import.
HISTORY, PEOPLE, INTEREST, EVERYBODY, ALIKE = range(5)
LEAST_DECAYED = 1e-3

_KINDS = {
    "format": "i", "course_ids": "i", "category_ids": "i", "rows_indptr": "i",
    "rows_indices": "i", "rows_data": "f", "row_reason": "i", "row_item": "i", "block_ask": "i",
    "block_start": "i", "block_weight": "f", "block_decay": "f", "block_fades": "b",
    "block_name": "U", "prior_until": "f", "age_bands": "f", "people_offsets": "i",
    "people_sizes": "i", "alike": "f", "alike_median_age": "f", "popular": "f",
    "n_learners": "i", "n_people": "i", "similar_indptr": "i", "similar_indices": "i",
    "similar_data": "f",
}  # fmt: skip


class BadArrays(ValueError):
    """The arrays are none of a model; says which one is wrong."""


@dataclass(frozen=True)
class History:
    """What one person did: items (k,) int32 each once, weight (k,) float32, age (k,) int32, the
    number of entries that came strictly later."""

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
class _Asked:
    """Every entry of every row that a person picks: its column, value, reason and item."""

    columns: np.ndarray
    values: np.ndarray
    reasons: np.ndarray
    items: np.ndarray


class ServedModel:
    """Scores of every course for one person at a time. Made once per version, never changed."""

    def __init__(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Raises BadArrays."""
        _check(arrays)
        self.arrays = dict(arrays)
        self.n_items = len(arrays["course_ids"])
        self.course_ids: np.ndarray = arrays["course_ids"]
        self.category_ids: np.ndarray = arrays["category_ids"]
        self.n_learners: np.ndarray = arrays["n_learners"]
        self.popular: np.ndarray = arrays["popular"]
        self.index_of = {int(pk): at for at, pk in enumerate(self.course_ids)}
        self.category_index = {int(pk): at for at, pk in enumerate(self.category_ids)}

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
        asked = self._asked(history, person)
        by_reason = np.bincount(
            asked.reasons * self.n_items + asked.columns,
            weights=asked.values,
            minlength=N_REASONS * self.n_items,
        ).reshape(N_REASONS, self.n_items)
        scores = by_reason.sum(axis=0).astype(np.float32)
        if leave_out is not None:
            scores[leave_out] = 0
        if allowed is not None:
            scores[~allowed] = 0
        found = np.flatnonzero(scores > 0)
        if len(found) > n:
            # All that reach the n-th score, so that equal ones come by their index.
            least = np.partition(scores[found], len(found) - n)[len(found) - n] if n else np.inf
            found = found[scores[found] >= least]
        items = found[np.argsort(-scores[found], kind="stable")][:n]
        reasons = by_reason[:, items].argmax(axis=0)
        return Ranked(
            items=items,
            scores=scores[items],
            reasons=reasons.astype(np.int8),
            because=self._because(asked, items, reasons),
        )

    def scores(self, history: History, person: Person) -> np.ndarray:
        """(n_items,) float64, what each course is worth to the person, before any mask."""
        asked = self._asked(history, person)
        return np.bincount(asked.columns, weights=asked.values, minlength=self.n_items)

    def similar(self, item: int) -> tuple[np.ndarray, np.ndarray]:
        """(items, scores) most alike one item, best first."""
        first, last = self.arrays["similar_indptr"][item : item + 2]
        return (
            self.arrays["similar_indices"][first:last],
            self.arrays["similar_data"][first:last],
        )

    def _because(self, asked: _Asked, items: np.ndarray, reasons: np.ndarray) -> np.ndarray:
        place = np.full(self.n_items, -1, dtype=np.int64)
        place[items] = np.arange(len(items))
        at = place[asked.columns]
        is_it = (at >= 0) & (asked.items >= 0)
        is_it[is_it] = asked.reasons[is_it] == reasons[at[is_it]]
        causes, of_cause = np.unique(asked.items[is_it], return_inverse=True)
        because = np.full(len(items), -1, dtype=np.int32)
        if len(causes) and len(items):
            sums = np.bincount(
                at[is_it] * len(causes) + of_cause,
                weights=asked.values[is_it],
                minlength=len(items) * len(causes),
            ).reshape(len(items), len(causes))
            is_positive = sums.max(axis=1) > 0
            because[is_positive] = causes[sums.argmax(axis=1)][is_positive]
        return because

    def _asked(self, history: History, person: Person) -> _Asked:
        rows, values = self._rows(history, person)
        indptr = self.arrays["rows_indptr"]
        starts = indptr[rows]
        sizes = indptr[rows + 1] - starts
        ends = np.cumsum(sizes)
        total = int(ends[-1]) if len(ends) else 0
        places = np.arange(total) + np.repeat(starts - (ends - sizes), sizes)
        return _Asked(
            columns=self.arrays["rows_indices"][places],
            values=self.arrays["rows_data"][places] * np.repeat(values, sizes),
            reasons=np.repeat(self.arrays["row_reason"][rows].astype(np.int64), sizes),
            items=np.repeat(self.arrays["row_item"][rows], sizes),
        )

    def _rows(self, history: History, person: Person) -> tuple[np.ndarray, np.ndarray]:
        """The rows that the person picks, and how much each weighs: float32."""
        arrays = self.arrays
        fading = max(0.0, 1 - float(history.weight.sum()) / float(arrays["prior_until"]))
        rows: list[np.ndarray] = []
        values: list[np.ndarray] = []
        for block, ask in enumerate(arrays["block_ask"]):
            if ask == HISTORY:
                decayed = np.float32(arrays["block_decay"][block]) ** history.age
                kept = decayed > LEAST_DECAYED
                picked, value = history.items[kept], history.weight[kept] * decayed[kept]
            elif ask == EVERYBODY:
                picked, value = np.zeros(1, np.int64), np.ones(1, np.float32)
            elif ask == INTEREST:
                picked = np.array(person.interests, dtype=np.int64)
                value = np.full(len(picked), 1 / max(len(picked), 1), np.float32)
            elif ask == PEOPLE:
                picked = self._codes(person)
                value = np.ones(len(picked), np.float32)
            else:
                picked = self._alike(person)
                value = np.ones(len(picked), np.float32)
            scale = arrays["block_weight"][block]
            if arrays["block_fades"][block]:
                scale = scale * np.float32(fading)
            if scale > 0 and len(picked):
                rows.append(picked + int(arrays["block_start"][block]))
                values.append(value.astype(np.float32) * scale)
        if not rows:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        return np.concatenate(rows).astype(np.int64), np.concatenate(values)

    def _codes(self, person: Person) -> np.ndarray:
        band = -1
        if not np.isnan(person.age):
            band = int(np.digitize(person.age, self.arrays["age_bands"]))
        offsets, sizes = self.arrays["people_offsets"], self.arrays["people_sizes"]
        codes = [0]
        for code, offset, size in zip(
            (band, person.gender, person.occupation), offsets, sizes, strict=True
        ):
            if 0 <= code < size:
                codes.append(int(offset) + code)
        return np.array(codes, dtype=np.int64)

    def _alike(self, person: Person) -> np.ndarray:
        kinds = self.arrays["alike"]
        if not len(kinds):
            return np.empty(0, np.int64)
        median = float(self.arrays["alike_median_age"])
        age = median if np.isnan(person.age) else person.age
        distances = ((kinds - [age, person.gender, person.occupation]) ** 2).sum(axis=1)
        return np.array([distances.argmin()], dtype=np.int64)


def _check(arrays: Mapping[str, np.ndarray]) -> None:
    for name, kind in _KINDS.items():
        found: Any = arrays.get(name)
        if found is None:
            raise BadArrays(f"{name} is missing")
        if found.dtype.kind not in kind:
            raise BadArrays(f"{name} holds {found.dtype}")
        if kind == "f" and not np.isfinite(found).all():
            raise BadArrays(f"{name} holds a value that is no finite number")
    if arrays["format"].shape or int(arrays["format"]) != FORMAT:
        raise BadArrays(f"format is {arrays['format']}, this program reads {FORMAT}")
    n_items, n_rows = len(arrays["course_ids"]), len(arrays["row_reason"])
    n_blocks = len(arrays["block_ask"])
    shapes = {
        "course_ids": (n_items,),
        "popular": (n_items,),
        "n_learners": (n_items,),
        "row_item": (n_rows,),
        "block_start": (n_blocks + 1,),
        "people_offsets": (3,),
        "people_sizes": (3,),
        "prior_until": (),
        "n_people": (),
        "alike_median_age": (),
        **{name: (n_blocks,) for name in _KINDS if name[:6] == "block_" and name[6:] != "start"},
    }
    for name, shape in shapes.items():
        if arrays[name].shape != shape:
            raise BadArrays(f"{name} has the shape {arrays[name].shape}, not {shape}")
    if arrays["alike"].ndim != 2 or arrays["alike"].shape[1] != 3:
        raise BadArrays(f"alike has the shape {arrays['alike'].shape}, not (n, 3)")
    if float(arrays["prior_until"]) <= 0:
        raise BadArrays("prior_until must be above 0")
    for name in ("course_ids", "category_ids"):
        if arrays[name].ndim != 1 or (np.diff(arrays[name]) <= 0).any():
            raise BadArrays(f"{name} must be sorted, each id once")
    _check_csr(arrays, "rows", n_rows, n_items)
    _check_csr(arrays, "similar", n_items, n_items)
    starts = arrays["block_start"]
    if starts[0] != 0 or starts[-1] != n_rows or (np.diff(starts) < 0).any():
        raise BadArrays("block_start does not cover the rows")
    _check_range(arrays, "row_reason", 0, N_REASONS)
    _check_range(arrays, "row_item", -1, n_items)
    _check_range(arrays, "block_ask", 0, ALIKE + 1)
    _check_blocks(arrays)


def _check_blocks(arrays: Mapping[str, np.ndarray]) -> None:
    """Every row that a person can pick must be there."""
    codes = 1 + int(arrays["people_sizes"].sum())
    needed = {
        HISTORY: len(arrays["course_ids"]),
        PEOPLE: codes,
        INTEREST: len(arrays["category_ids"]),
        EVERYBODY: 1,
        ALIKE: len(arrays["alike"]),
    }
    for ask, size in zip(arrays["block_ask"], np.diff(arrays["block_start"]), strict=True):
        if size < needed[int(ask)]:
            raise BadArrays(f"a block has {size} rows and is asked for {needed[int(ask)]}")


def _check_csr(arrays: Mapping[str, np.ndarray], name: str, n_rows: int, n_columns: int) -> None:
    indptr, indices, data = (arrays[f"{name}_{part}"] for part in ("indptr", "indices", "data"))
    if (
        indptr.shape != (n_rows + 1,)
        or indptr[0] != 0
        or (np.diff(indptr) < 0).any()
        or indptr[-1] != len(indices)
        or indices.shape != data.shape
        or indices.ndim != 1
    ):
        raise BadArrays(f"{name}_indptr, {name}_indices and {name}_data make no matrix")
    _check_range(arrays, f"{name}_indices", 0, n_columns)


def _check_range(arrays: Mapping[str, np.ndarray], name: str, low: int, end: int) -> None:
    values = arrays[name]
    if len(values) and not (low <= values.min() and values.max() < end):
        raise BadArrays(f"{name} must lie in {low}..{end - 1}")
