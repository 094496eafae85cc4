"""The arrays of a fitted recommender, and whether they are whole: numpy alone.

They are those of `BaseRecommender.arrays`, together with the ids that the indices stand for:

| array | shape, type | what |
| --- | --- | --- |
| format | () int32 | 1 |
| course_ids, category_ids | (n_items,), (n_categories,) int64 | sorted |
| rows_indptr, rows_indices, rows_data | csr (n_rows, n_items) | the blocks one above the other |
| row_reason, row_item | (n_rows,) int8, int32 | a Reason; the item that a row stands for or -1 |
| block_ask, block_start, block_weight, block_decay, block_fades, block_name | per block | `Block` |
| pair_keys | (n_pairs,) int64 | PAIRS: lower index * n_items + higher, ascending |
| prior_until | () float32 | weight of a history that needs no prior |
| age_bands, people_offsets, people_sizes | | codes of a PEOPLE block: everybody, bands, ... |
| alike, alike_median_age | (n_kinds, 3) float64, () | rows of an ALIKE block |
| popular, n_learners, n_people | (n_items,), (n_items,), () | of the histories learned from |
| similar_indptr, similar_indices, similar_data | csr (n_items, n_items) | best first |
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from analytics.methods.reasons import Reason

FORMAT = 1
N_REASONS = len(Reason) - 1
# The numbers of `recommenders.blocks.Ask`, which a process that only serves does not import.
HISTORY, PEOPLE, INTEREST, EVERYBODY, ALIKE, PAIRS = range(6)

_KINDS = {
    "format": "i", "course_ids": "i", "category_ids": "i", "rows_indptr": "i",
    "rows_indices": "i", "rows_data": "f", "row_reason": "i", "row_item": "i", "block_ask": "i",
    "block_start": "i", "block_weight": "f", "block_decay": "f", "block_fades": "b",
    "block_name": "U", "prior_until": "f", "age_bands": "f", "people_offsets": "i",
    "people_sizes": "i", "alike": "f", "alike_median_age": "f", "popular": "f",
    "n_learners": "i", "n_people": "i", "pair_keys": "i", "similar_indptr": "i",
    "similar_indices": "i", "similar_data": "f",
}  # fmt: skip


class BadArrays(ValueError):
    """The arrays are none of a model; says which one is wrong."""


def check_arrays(arrays: Mapping[str, np.ndarray]) -> None:
    """Raises BadArrays where a `ServedModel` of them could not answer everybody."""
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
    for name in ("course_ids", "category_ids", "pair_keys"):
        if arrays[name].ndim != 1 or (np.diff(arrays[name]) <= 0).any():
            raise BadArrays(f"{name} must be sorted, each once")
    _check_csr(arrays, "rows", n_rows, n_items)
    _check_csr(arrays, "similar", n_items, n_items)
    starts = arrays["block_start"]
    if starts[0] != 0 or starts[-1] != n_rows or (np.diff(starts) < 0).any():
        raise BadArrays("block_start does not cover the rows")
    _check_range(arrays, "row_reason", 0, N_REASONS)
    _check_range(arrays, "row_item", -1, n_items)
    _check_range(arrays, "block_ask", 0, PAIRS + 1)
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
        PAIRS: len(arrays["pair_keys"]),
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
