"""Scores of the parts of a recommender, for trying out weights: numba or scipy, same answers.

Only items that some part or a first mix ranks high are looked at for a row; one that none of them
does is in no list. Of each row the first item is the wanted one.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import sparse

from analytics.methods.scoring_kernels import (
    HAS_NUMBA,
    compiled_loop,
    csr_parts,
    full_rows,
    in_blocks,
    n_processors,
)


class MixParts(NamedTuple):
    """items (n_rows, width) int32, the wanted one first, -1 where there are no more; n_there
    (n_rows,) int32, how many there are; scores (n_parts, n_rows, width) float32."""

    items: np.ndarray
    n_there: np.ndarray
    scores: np.ndarray


@compiled_loop
def _note_best(scores, n, items, end):  # type: ignore[no-untyped-def]
    """Append the n best of positive score that are not among items yet; returns the new end."""
    best = np.empty(n, dtype=np.int32)
    found = 0
    for item in range(len(scores)):
        score = scores[item]
        if score <= 0 or (found == n and score <= scores[best[n - 1]]):
            continue
        place = found if found < n else n - 1
        while place > 0 and scores[best[place - 1]] < score:
            best[place] = best[place - 1]
            place -= 1
        best[place] = item
        found = min(found + 1, n)
    for k in range(found):
        is_new = True
        for place in range(end):
            if items[place] == best[k]:
                is_new = False
                break
        if is_new:
            items[end] = best[k]
            end += 1
    return end


@compiled_loop
def _mix_parts_loop(  # type: ignore[no-untyped-def]
    q_ptr, q_idx, q_val, m_ptr, m_idx, m_val, full_at, full, x_ptr, x_idx,
    part_of, start, n_of_mix, n_of_part, items, n_there, scores,
):  # fmt: skip
    n_parts, n_items = len(start), full.shape[1]
    of_part = np.zeros((n_parts, n_items), dtype=np.float32)
    mix = np.zeros(n_items, dtype=np.float32)
    for row in range(len(q_ptr) - 1):
        of_part[:] = 0
        mix[:] = 0
        for place in range(q_ptr[row], q_ptr[row + 1]):
            value, feature = q_val[place], q_idx[place]
            part = part_of[feature]
            if full_at[feature] >= 0:
                for item in range(n_items):
                    of_part[part, item] += value * full[full_at[feature], item]
                continue
            for entry in range(m_ptr[feature], m_ptr[feature + 1]):
                of_part[part, m_idx[entry]] += value * m_val[entry]
        for part in range(n_parts):
            for place in range(x_ptr[row], x_ptr[row + 1]):
                of_part[part, x_idx[place]] = 0
            if start[part] != 0:
                for item in range(n_items):
                    mix[item] += start[part] * of_part[part, item]
        end = _note_best(mix, n_of_mix, items[row], 1)
        for part in range(n_parts):
            end = _note_best(of_part[part], n_of_part, items[row], end)
        n_there[row] = end
        for part in range(n_parts):
            for place in range(end):
                scores[part, row, place] = of_part[part, items[row, place]]


@compiled_loop
def _first_ranks_loop(parts, weights, n_history, factor, n_there, ranks):  # type: ignore[no-untyped-def]
    n_parts, n_rows, width = parts.shape
    total = np.zeros(width, dtype=np.float32)
    for row in range(n_rows):
        total[:] = 0
        end = n_there[row]
        for part in range(n_parts):
            if part == n_history:
                for k in range(end):
                    total[k] *= factor[row, k]
            weight = weights[part]
            if weight == 0:
                continue
            for k in range(end):
                total[k] += weight * parts[part, row, k]
        mine = total[0]
        before = 0
        for k in range(1, end):
            if total[k] >= mine:
                before += 1
        ranks[row] = before if mine > 0 else width


def mix_parts(
    queries: list[sparse.csr_matrix],
    models: list[sparse.csr_matrix],
    *,
    wanted: np.ndarray,
    masked: sparse.csr_matrix,
    start: np.ndarray,
    n_of_mix: int,
    n_of_part: int,
    use_numba: bool = HAS_NUMBA,
) -> MixParts:
    """What each part, queries[i] (n_rows, n_features_i) @ models[i] (n_features_i, n_items), says
    of the wanted item of each row (n_rows,) and of those that could come before it.

    Those are the n_of_mix best of the mix by start (n_parts,) float32, and the n_of_part best of
    each part, of positive score; stored entries of masked (n_rows, n_items) are left out.
    """
    n_rows, n_parts = len(wanted), len(models)
    items = np.full((n_rows, 1 + n_of_mix + n_parts * n_of_part), -1, dtype=np.int32)
    items[:, 0] = wanted
    n_there = np.ones(n_rows, dtype=np.int32)
    scores = np.zeros((n_parts, *items.shape), dtype=np.float32)
    query = sparse.hstack(queries, format="csr", dtype=np.float32)
    model = sparse.vstack(models, format="csr", dtype=np.float32)
    part_of = np.repeat(np.arange(n_parts), [one.shape[0] for one in models])

    full = full_rows(model) if use_numba else ()

    def compiled(block: slice) -> None:
        q, x = query[block], masked[block]
        _mix_parts_loop(
            *(*csr_parts(q), *csr_parts(model), *full, x.indptr, x.indices),
            *(part_of, start, n_of_mix, n_of_part),
            *(items[block], n_there[block], scores[:, block]),
        )

    def plain(block: slice) -> None:
        of_part = np.stack([(q[block] @ m).toarray() for q, m in zip(queries, models, strict=True)])
        of_part[:, *masked[block].nonzero()] = 0
        mix = np.einsum("p,prk->rk", start, of_part)
        for row in range(of_part.shape[1]):
            mine = items[block][row]
            found = [int(mine[0])]
            for of_one, n in ((mix[row], n_of_mix), *((one[row], n_of_part) for one in of_part)):
                best = np.argsort(-of_one, kind="stable")[:n]
                found += [one for one in best[of_one[best] > 0].tolist() if one not in found]
            mine[: len(found)] = found
            n_there[block][row] = len(found)
            scores[:, block][:, row, : len(found)] = of_part[:, row, found]

    in_blocks(
        compiled if use_numba else plain, n_rows, n_threads=n_processors() if use_numba else 1
    )
    return MixParts(items, n_there, scores)


def first_ranks(
    parts: MixParts,
    weights: np.ndarray,
    *,
    n_history: int,
    factor: np.ndarray,
    use_numba: bool = HAS_NUMBA,
) -> np.ndarray:
    """(n_rows,) int32: how many items of each row come before the wanted one; at an equal score
    they do. Where its score is not positive, as many as can be: it is in no list.

    The parts are summed by weights (n_parts,) float32; the sum of the first n_history of them,
    fewer than all, is multiplied by factor (n_rows, width) float32.
    """
    width = parts.items.shape[1]
    ranks = np.zeros(len(parts.items), dtype=np.int32)

    def compiled(block: slice) -> None:
        _first_ranks_loop(
            *(parts.scores[:, block], weights, n_history),
            *(factor[block], parts.n_there[block], ranks[block]),
        )

    def plain(block: slice) -> None:
        total = np.zeros(parts.items[block].shape, dtype=np.float32)
        for place, (part, weight) in enumerate(zip(parts.scores[:, block], weights, strict=True)):
            if place == n_history:
                total *= factor[block]
            if weight:
                total += weight * part
        is_there = np.arange(1, width) < parts.n_there[block, None]
        before = ((total[:, 1:] >= total[:, :1]) & is_there).sum(axis=1)
        ranks[block] = np.where(total[:, 0] > 0, before, width)

    in_blocks(
        compiled if use_numba else plain, len(ranks), n_threads=n_processors() if use_numba else 1
    )
    return ranks
