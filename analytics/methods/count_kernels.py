"""What stands together in histories, and what follows what: counted by numba or scipy alike.

All functions take histories as `Interactions` holds them: indptr (n_users + 1,), and indices,
weight, age (n_entries,), each history from its oldest entry to its newest.
"""

from __future__ import annotations

from typing import NamedTuple, Self

import numpy as np
from scipy import sparse

from analytics.methods.scoring_kernels import HAS_NUMBA, compiled_loop, in_blocks

# Entries per block of the scipy path, so that its matrices stay within some tens of MB.
BLOCK = 100_000
# Items that a thread takes at a time: some are in many more histories than others.
ITEMS = 64


# The bits of a word are counted side by side, in lanes of two, of four, and of eight.
ONE, TWO, FOUR, TOP = np.uint64(1), np.uint64(2), np.uint64(4), np.uint64(56)
ODD_BITS, PAIRS_OF_BITS = np.uint64(0x5555555555555555), np.uint64(0x3333333333333333)
HALVES_OF_BYTES, BYTES = np.uint64(0x0F0F0F0F0F0F0F0F), np.uint64(0x0101010101010101)
# Pairs per block of numpy.
PAIRS = 2_000


class NextProducts(NamedTuple):
    """Sums over all entries that have an earlier one; all but the last (n_items, n_items) float32.

    x is the earlier entries, each decayed by its place (the newest: 1); z is the newest of them
    alone; y is the entry. slow: x'x, slow_newest: x'z, slow_next: x'y, newest_next: z'y;
    newest (n_items,): z'z, which has nothing off its diagonal.
    """

    slow: np.ndarray
    slow_newest: np.ndarray
    slow_next: np.ndarray
    newest_next: np.ndarray
    newest: np.ndarray

    @classmethod
    def zeros(cls, n_items: int) -> Self:
        slow, slow_newest, slow_next, newest_next = (
            np.zeros((n_items, n_items), dtype=np.float32) for _ in range(4)
        )
        newest = np.zeros(n_items, dtype=np.float32)
        return cls(slow, slow_newest, slow_next, newest_next, newest)


@compiled_loop
def _occurrences_loop(indptr, indices, starts, places, users):  # type: ignore[no-untyped-def]
    for user in range(len(indptr) - 1):
        for place in range(indptr[user], indptr[user + 1]):
            users[place] = user
            starts[indices[place] + 1] += 1
    for item in range(1, len(starts)):
        starts[item] += starts[item - 1]
    ends = starts[:-1].copy()
    for place in range(len(indices)):
        places[ends[indices[place]]] = place
        ends[indices[place]] += 1


@compiled_loop
def _together_loop(indptr, indices, weight, starts, places, users, low, high, gram):  # type: ignore[no-untyped-def]
    row = np.zeros(len(gram), dtype=np.float32)
    for item in range(low, high):
        row[:] = 0
        for at in range(starts[item], starts[item + 1]):
            a = places[at]
            for b in range(indptr[users[a]], indptr[users[a] + 1]):
                row[indices[b]] += weight[a] * weight[b]
        gram[item] += row


@compiled_loop
def _both_loop(bits, left, right, left_out, counts):  # type: ignore[no-untyped-def]
    for pair in range(len(left)):
        count = np.uint64(0)
        for word in range(bits.shape[1]):
            lanes = bits[left[pair], word] & bits[right[pair], word] & ~left_out[word]
            lanes -= (lanes >> ONE) & ODD_BITS
            lanes = (lanes & PAIRS_OF_BITS) + ((lanes >> TWO) & PAIRS_OF_BITS)
            lanes = (lanes + (lanes >> FOUR)) & HALVES_OF_BYTES
            count += (lanes * BYTES) >> TOP
        counts[pair] = count


@compiled_loop
def _rows_loop(indptr, weight, age, decay, tails, rows, ends, ending, after):  # type: ignore[no-untyped-def]
    """Of each entry its row's weight and the place where what came before it ends, -1 for none;
    of each place, one more than entries per user, the rows that end there, and the sum of those
    that end there or later, each of them decay ** 2 of the one before."""
    for user in range(len(indptr) - 1):
        first, last = indptr[user], indptr[user + 1]
        scale = 1 / np.sqrt(max(last - first, 1))
        end = first
        for target in range(first, last):
            if target > first and age[target] != age[target - 1]:
                end = target
            ends[target] = end if end > first else -1
            if end > first:
                row = scale * weight[target] * tails[min(age[target], len(tails) - 1)]
                rows[target] = row
                ending[end + user] += row
        for place in range(last - 1, first - 1, -1):
            after[place + user] = ending[place + user] + decay * decay * after[place + 1 + user]


@compiled_loop
def _next_loop(  # type: ignore[no-untyped-def]
    indptr, indices, weight, decays, forgotten, rows, ends, ending, after,
    starts, places, users, low, high,
    slow, slow_newest, slow_next, newest_next, newest,
):  # fmt: skip
    """Every pair of entries once per user, not once per entry after it."""
    n_items, window = len(newest), len(decays)
    of_slow, of_newest, of_next, right_next = np.zeros((4, n_items), dtype=np.float32)
    for item in range(low, high):
        of_slow[:] = 0
        of_newest[:] = 0
        of_next[:] = 0
        right_next[:] = 0
        of_item = np.float32(0)
        for at in range(starts[item], starts[item + 1]):
            a = places[at]
            user, mine = users[a], weight[a]
            first, last = indptr[user], indptr[user + 1]
            for b in range(max(first, a - window + 1), min(last, a + window)):
                sooner, later = min(a, b), max(a, b)
                above = after[later + 1 + user]
                if above == 0:
                    break
                if sooner + window + 1 < last:
                    # Of what is further on than the window both are forgotten.
                    beyond = after[sooner + window + 1 + user]
                    above -= forgotten[sooner + window - later] * beyond
                value = mine * weight[b] * decays[later - sooner]
                of_slow[indices[b]] += np.float32(above) * value
                if b >= a:
                    of_newest[indices[b]] += np.float32(ending[b + 1 + user]) * value
            of_item += np.float32(ending[a + 1 + user]) * mine * mine
            for target in range(a + 1, last):
                if ends[target] > a + window:
                    break
                if ends[target] > a:
                    value = rows[target] * mine
                    of_next[indices[target]] += value * decays[ends[target] - 1 - a]
                    if ends[target] == a + 1:
                        right_next[indices[target]] += value
        slow[item] += of_slow
        slow_newest[item] += of_newest
        slow_next[item] += of_next
        newest_next[item] += right_next
        newest[item] += of_item


class Occurrences(NamedTuple):
    """Where each item stands in histories: starts (n_items + 1,), places (n_entries,), those of
    item i being places[starts[i]:starts[i + 1]]; users (n_entries,), whose entry each one is.

    What is summed into the row of an item is summed all at once, while the row is at hand: several
    times as fast as going from history to history.
    """

    starts: np.ndarray
    places: np.ndarray
    users: np.ndarray

    @classmethod
    def of(cls, indptr: np.ndarray, indices: np.ndarray, n_items: int) -> Self:
        """Of compiled loops alone: the others need none."""
        found = cls(
            np.zeros(n_items + 1, dtype=np.int64), *np.empty((2, len(indices)), dtype=np.int64)
        )
        _occurrences_loop(indptr, indices, *found)
        return found


def add_together(
    gram: np.ndarray,
    indptr: np.ndarray,
    indices: np.ndarray,
    weight: np.ndarray,
    *,
    n_threads: int = 1,
    use_numba: bool = HAS_NUMBA,
) -> None:
    """Add X'X of the users' weights X (n_users, n_items) to gram (n_items, n_items) float32."""
    if not use_numba:
        matrix = sparse.csr_matrix((weight, indices, indptr), shape=(len(indptr) - 1, len(gram)))
        gram += (matrix.T @ matrix).toarray().astype(np.float32, copy=False)
        return
    histories = (indptr, indices, weight, *Occurrences.of(indptr, indices, len(gram)))

    def work(items: slice) -> None:
        _together_loop(*histories, items.start, items.stop, gram)

    in_blocks(work, len(gram), size=ITEMS, n_threads=n_threads)


def people_with_both(
    bits: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
    left_out: np.ndarray,
    *,
    use_numba: bool = HAS_NUMBA,
) -> np.ndarray:
    """(n_pairs,) int64: how many people have both items of a pair.

    bits (n_items, n_words) uint64: of each item, one bit per person. left, right (n_pairs,): the
    items of the pairs. left_out (n_words,) uint64: the people who do not count.
    """
    counts = np.empty(len(left), dtype=np.int64)
    if use_numba:
        _both_loop(bits, left, right, left_out, counts)
        return counts
    for low in range(0, len(left), PAIRS):
        pairs = slice(low, low + PAIRS)
        both = bits[left[pairs]] & bits[right[pairs]] & ~left_out
        counts[pairs] = np.bitwise_count(both).sum(axis=1, dtype=np.int64)
    return counts


def add_next(
    sums: NextProducts,
    indptr: np.ndarray,
    indices: np.ndarray,
    weight: np.ndarray,
    age: np.ndarray,
    *,
    decay: float,
    window: int,
    tails: np.ndarray,
    n_threads: int = 1,
    use_numba: bool = HAS_NUMBA,
) -> None:
    """Add the products of a regression of each entry on what its user did before it.

    decay: of the earlier entries by their place before the entry, window of them. tails: weight of
    a row by how many entries are later than its own (the last value for more). A row weighs the
    entry's weight / sqrt(entries of the user) times its tail.
    """
    tails, n_items = tails.astype(np.float32), len(sums.newest)
    if use_numba:
        rows, ends = np.zeros(len(indices), np.float32), np.empty(len(indices), np.int64)
        ending, after = np.zeros((2, len(indices) + len(indptr)))
        _rows_loop(indptr, weight, age, decay, tails, rows, ends, ending, after)
        decays = (decay ** np.arange(window)).astype(np.float32)
        forgotten = decay ** (2 * np.arange(window + 1))
        histories = (indptr, indices, weight, decays, forgotten, rows, ends, ending, after)
        where = Occurrences.of(indptr, indices, n_items)

        def work(items: slice) -> None:
            _next_loop(*histories, *where, items.start, items.stop, *sums)

        in_blocks(work, n_items, size=ITEMS, n_threads=n_threads)
        return
    n_of_user = np.diff(indptr)
    users = np.repeat(np.arange(len(n_of_user)), n_of_user)
    # The first entry of those that have the same user and the same age.
    is_first = np.ones(len(indices), dtype=bool)
    is_first[1:] = (users[1:] != users[:-1]) | (age[1:] != age[:-1])
    ends = np.flatnonzero(is_first)[np.cumsum(is_first) - 1] if len(indices) else indices
    row_weight = weight * tails[np.minimum(age, len(tails) - 1)] / np.sqrt(n_of_user[users])
    starts = indptr[:-1][users]
    # Added at once, as the sums of a part are that come from elsewhere.
    part = NextProducts.zeros(n_items)
    for low in range(0, len(indices), BLOCK):
        target = np.arange(low, min(low + BLOCK, len(indices)))
        target = target[ends[target] > starts[target]]
        place = ends[target][:, None] - 1 - np.arange(window)
        row, lag = np.nonzero(place >= starts[target][:, None])
        place = place[row, lag]
        shape = (len(target), n_items)
        at = np.arange(len(target))
        x = sparse.csr_matrix(
            (weight[place] * np.float32(decay) ** lag, (row, indices[place])), shape=shape
        )
        before = ends[target] - 1
        z = sparse.csr_matrix((weight[before], (at, indices[before])), shape=shape)
        y = sparse.csr_matrix((np.ones(len(at), np.float32), (at, indices[target])), shape=shape)
        scale = sparse.diags(row_weight[target].astype(np.float32))
        xs, zs = (scale @ x).T.tocsr(), (scale @ z).T.tocsr()
        for total, found in zip(part[:4], (xs @ x, xs @ z, xs @ y, zs @ y), strict=True):
            total += found.toarray()
        part.newest[:] += (zs @ z).diagonal()
    for mine, theirs in zip(sums, part, strict=True):
        np.add(mine, theirs, out=mine)
