"""What a recommender is made of: blocks of rows, each asked for something known of a person.

A recommender is one sparse matrix, the blocks one above the other. What is known of a person
picks rows of each block and weighs them; the sum of those rows is the score of every course.
The same blocks answer for everybody at once (`base`) and, as plain arrays, for one person in a
web process (`analytics.methods.served_model`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np
from scipy import sparse


class Ask(IntEnum):
    """What picks the rows of a block; the numbers are stored in model files.

    HISTORY: one row per item; every entry of the history, its weight times decay ** age.
    PEOPLE: rows are codes of age band, gender and occupation, the first one of everybody.
    INTEREST: one row per category; the chosen ones in equal shares.
    EVERYBODY: one row.
    PAIRS: rows are pairs of items; the newest entry with each of the few before it, their weights
    times decay ** (distance - 1).
    ALIKE: one row per kind of person; the nearest by (age, gender, occupation).
    """

    HISTORY = 0
    PEOPLE = 1
    INTEREST = 2
    EVERYBODY = 3
    ALIKE = 4
    PAIRS = 5


@dataclass(frozen=True)
class Block:
    """rows (n_rows, n_items) csr float32, and how they are asked.

    reason: (n_rows,) int8, a Reason; item: (n_rows,) int32, the item that a row stands for, -1
    for none. weight: of the block in the sum. decay: per entry of the history that came later
    (0: the newest only). fades: whether the block is gone once a history weighs `prior_until`.
    keys: (n_rows,) int64 of PAIRS, ascending, see `pair_kernels`.
    """

    name: str
    ask: Ask
    rows: sparse.csr_matrix
    reason: np.ndarray
    item: np.ndarray
    weight: float = 1.0
    decay: float = 1.0
    fades: bool = False
    keys: np.ndarray | None = None

    @property
    def is_of_history(self) -> bool:
        """Whether it asks for what the person did, not for who they are."""
        return self.ask in (Ask.HISTORY, Ask.PAIRS)


def item_block(
    name: str, rows: sparse.csr_matrix, *, reason: int, decay: float, weight: float = 1.0
) -> Block:
    """A block with one row per item of the history."""
    n_items = rows.shape[0]
    return Block(
        name=name,
        ask=Ask.HISTORY,
        rows=rows,
        reason=np.full(n_items, reason, dtype=np.int8),
        item=np.arange(n_items, dtype=np.int32),
        weight=weight,
        decay=decay,
    )


def discounted(block: Block, factors: np.ndarray) -> Block:
    """The block with the columns of what the history says multiplied by factors (n_items,)."""
    if not block.is_of_history:
        return block
    rows = block.rows.copy()
    rows.data *= factors[rows.indices]
    return replace(block, rows=rows)


def plain_block(
    name: str,
    ask: Ask,
    rows: sparse.csr_matrix,
    *,
    reason: int,
    weight: float = 1.0,
    fades: bool = False,
) -> Block:
    """A block whose rows stand for no item."""
    n_rows = rows.shape[0]
    return Block(
        name=name,
        ask=ask,
        rows=rows,
        reason=np.full(n_rows, reason, dtype=np.int8),
        item=np.full(n_rows, -1, dtype=np.int32),
        weight=weight,
        fades=fades,
    )
