"""The contract of every recommender, and what they are given besides interactions."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

from analytics.methods.interactions import Interactions
from analytics.methods.reasons import Reason
from analytics.methods.recommenders.blocks import Ask, Block
from analytics.methods.recommenders.pairs import pair_queries
from analytics.methods.recommenders.people import PeopleCodes, UserFeatures
from analytics.methods.scoring_kernels import explain, top_n

N_REASONS = len(Reason) - 1
# A history of this weight needs no prior any more.
PRIOR_UNTIL = 10.0
N_SIMILAR = 24


@dataclass(frozen=True)
class ItemFeatures:
    """What is known of items.

    category, seller, kind: (n_items,) int32 from 0. level: (n_items,) float64. texts: n_items
    str, Chinese or English. tags: n_items lists of str.
    """

    category: np.ndarray
    level: np.ndarray
    seller: np.ndarray
    kind: np.ndarray
    texts: list[str]
    tags: list[list[str]]

    @classmethod
    def unknown(cls, n_items: int) -> Self:
        """Of items that are all alike."""
        zeros = np.zeros(n_items, dtype=np.int32)
        return cls(
            category=zeros,
            level=np.ones(n_items),
            seller=zeros,
            kind=zeros,
            texts=[""] * n_items,
            tags=[[] for _ in range(n_items)],
        )


@dataclass(frozen=True)
class Ranking:
    """Recommended items, best first, one row per asked user; each array is (n_asked, n).

    items int32, -1 where there are no more; scores float32, above 0, 0 where items is -1;
    reasons int8 (a Reason); because int32, the item of the history behind it, or -1.
    """

    items: np.ndarray
    scores: np.ndarray
    reasons: np.ndarray
    because: np.ndarray


class BaseRecommender(BaseEstimator):
    """A sum of blocks: see `blocks`. A subclass learns in `_fit`, which returns them.

    Attributes: interactions_ (the fitted Interactions), n_features_in_ (items), blocks_ (list of
    Block), model_ (n_rows, n_items) csr float32 (the rows of the blocks one above the other, not
    yet weighed), row_reason_ (n_rows,) int8, row_item_ (n_rows,) int32 (-1 for none), people_
    (PeopleCodes of the fitted users).
    """

    def tuned_parameters(self) -> dict[str, Any]:
        """Parameters that the fit found by search: another fit that is given them skips it."""
        return {}

    def fit(
        self,
        X: Interactions | np.ndarray | sparse.spmatrix,
        y: object = None,
        *,
        user_features: UserFeatures | None = None,
        item_features: ItemFeatures | None = None,
    ) -> Self:
        """Learn from all users' histories; features that are not given count as unknown.

        X: Interactions, or weights (n_users, n_items) of 0 and more, whose order is unknown. y is
        not used. Raises ValueError when there is no item at all, or features of another length.
        """
        interactions = self._histories_of(X)
        if interactions.n_items == 0:
            raise ValueError("there is no item to recommend")
        if item_features is None:
            item_features = ItemFeatures.unknown(interactions.n_items)
        if user_features is None:
            n_categories = int(item_features.category.max(initial=0)) + 1
            user_features = UserFeatures.unknown(interactions.n_users, n_categories=n_categories)
        if len(user_features.age) != interactions.n_users:
            raise ValueError("user_features must have one row per user of the interactions")
        if len(item_features.category) != interactions.n_items:
            raise ValueError("item_features must have one row per item of the interactions")
        self.interactions_ = interactions
        self.people_ = PeopleCodes.of(user_features)
        self.blocks_ = self._fit(interactions, user_features, item_features)
        self._stack(self.blocks_)
        return self

    def recommend(
        self,
        users: np.ndarray,
        *,
        n: int = 10,
        exclude_seen: bool = True,
        exclude: sparse.csr_matrix | None = None,
        candidates: np.ndarray | None = None,
        with_reasons: bool = True,
    ) -> Ranking:
        """The best items for each of users (n_asked,), indices of the fitted users.

        exclude_seen leaves out all of a user's history; exclude (n_asked, n_items) leaves out
        its stored entries; candidates (n_items,) bool restricts to items that may be shown.
        Equal scores are ranked by index, so that the same fit gives the same lists. Reasons take
        as long as the lists; without them they are NONE and -1.
        """
        check_is_fitted(self)
        users = np.asarray(users, dtype=np.int64)
        n_items = self.interactions_.n_items
        masked = sparse.csr_matrix((len(users), n_items), dtype=np.float32)
        if exclude_seen:
            masked = self.interactions_.user_items[users]
        if exclude is not None:
            masked = sparse.csr_matrix(masked + abs(exclude)) if masked.nnz else exclude.tocsr()
        allowed = np.ones(n_items, dtype=bool) if candidates is None else np.asarray(candidates)
        queries = self._queries(users)
        width = min(n, n_items)
        items, scores = top_n(queries, self.model_, n=width, masked=masked, allowed=allowed)
        reasons = np.full(items.shape, Reason.NONE, dtype=np.int8)
        because = np.full(items.shape, -1, dtype=np.int32)
        if with_reasons:
            reasons, because = explain(
                queries,
                self.model_,
                items,
                group=self.row_reason_,
                cause=self.row_item_,
                n_groups=N_REASONS,
            )
        return Ranking(
            items=_widened(items, n, -1),
            scores=_widened(scores, n, 0),
            reasons=_widened(reasons, n, Reason.NONE),
            because=_widened(because, n, -1),
        )

    def similar_items(self, items: np.ndarray, *, n: int = 10) -> tuple[np.ndarray, np.ndarray]:
        """(items, scores), each (len(items), n), most alike first, padded with -1 and 0.

        Of a method that knows no neighbours of items there are none.
        """
        return best_of_rows(self._item_rows(), np.asarray(items), n)

    def damp(self, factors: np.ndarray) -> Self:
        """Multiply the score of each item by its factor (n_items,), from 0 to 1, for everybody."""
        factors = np.asarray(factors, dtype=np.float32)
        if factors.shape != (self.interactions_.n_items,) or not (
            np.isfinite(factors).all() and (factors >= 0).all() and (factors <= 1).all()
        ):
            raise ValueError("factors must be one number from 0 to 1 per item")
        damped = sparse.diags(factors)
        for block in self.blocks_:
            block.rows.data *= factors[block.rows.indices]
        self._stack(self.blocks_)
        self.damping_ = damped.diagonal()
        return self

    def with_blocks(self, blocks: Sequence[Block]) -> Self:
        """The same fit with other blocks, such as some of its own alone."""
        check_is_fitted(self)
        other = copy(self)
        other.blocks_ = list(blocks)
        other._stack(other.blocks_)
        return other

    def with_histories(self, interactions: Interactions) -> Self:
        """The same fit, asked of the same users with other histories: what came after the fit.

        Raises ValueError when there are other numbers of users or items.
        """
        check_is_fitted(self)
        known = self.interactions_
        if (interactions.n_users, interactions.n_items) != (known.n_users, known.n_items):
            raise ValueError("the histories must be of the same users and items")
        other = copy(self)
        other.interactions_ = interactions
        return other

    def arrays(self) -> dict[str, np.ndarray]:
        """What answers for one person, as plain arrays: see `analytics.methods.served_model`."""
        check_is_fitted(self)
        blocks = self.blocks_
        items = np.arange(self.interactions_.n_items)
        similar, scores = self.similar_items(items, n=N_SIMILAR)
        found = similar >= 0
        counts = np.bincount(self.interactions_.indices, minlength=len(items))
        sums = np.bincount(
            self.interactions_.indices, weights=self.interactions_.weight, minlength=len(items)
        )
        return {
            "format": np.array(1, dtype=np.int32),
            "rows_indptr": self.model_.indptr.astype(np.int64),
            "rows_indices": self.model_.indices.astype(np.int32),
            "rows_data": self.model_.data.astype(np.float32),
            "row_reason": self.row_reason_,
            "row_item": self.row_item_,
            "block_ask": np.array([block.ask for block in blocks], dtype=np.int8),
            "block_start": np.cumsum([0, *(block.rows.shape[0] for block in blocks)]).astype(
                np.int32
            ),
            "block_weight": np.array([block.weight for block in blocks], dtype=np.float32),
            "block_decay": np.array([block.decay for block in blocks], dtype=np.float32),
            "block_fades": np.array([block.fades for block in blocks], dtype=bool),
            "block_name": np.array([block.name for block in blocks], dtype="<U16"),
            "pair_keys": next(
                (block.keys for block in blocks if block.keys is not None), np.empty(0, np.int64)
            ),
            "prior_until": np.array(PRIOR_UNTIL, dtype=np.float32),
            **self.people_.arrays(),
            "popular": (sums / max(sums.max(initial=0), 1e-9)).astype(np.float32),
            "n_learners": counts.astype(np.int32),
            "n_people": np.array(self.interactions_.n_users, dtype=np.int64),
            "similar_indptr": np.concatenate([[0], np.cumsum(found.sum(axis=1))]).astype(np.int64),
            "similar_indices": similar[found].astype(np.int32),
            "similar_data": scores[found].astype(np.float32),
        }

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.positive_only = True
        tags.target_tags.required = False
        return tags

    def _histories_of(self, X: Any) -> Interactions:
        if isinstance(X, Interactions):
            self.n_features_in_ = X.n_items
            return X
        weights = sparse.csr_matrix(
            validate_data(self, X, accept_sparse="csr", dtype=np.float32, ensure_non_negative=True)
        )
        rows, columns = weights.nonzero()
        return Interactions.from_arrays(
            rows,
            columns,
            n_users=weights.shape[0],
            n_items=weights.shape[1],
            weight=np.asarray(weights[rows, columns]).ravel(),
        )

    def _stack(self, blocks: list[Block]) -> None:
        model = sparse.vstack([block.rows for block in blocks], format="csr", dtype=np.float32)
        model.sort_indices()
        self.model_ = model
        self.row_reason_ = np.concatenate([block.reason for block in blocks]).astype(np.int8)
        self.row_item_ = np.concatenate([block.item for block in blocks]).astype(np.int32)

    def _fit(
        self, interactions: Interactions, users: UserFeatures, items: ItemFeatures
    ) -> list[Block]:
        raise NotImplementedError

    def _queries(self, users: np.ndarray) -> sparse.csr_matrix:
        """What the blocks are asked of the users: (len(users), n_rows) csr float32."""
        asked = asked_of(self.interactions_, users, self.blocks_, self.people_)
        weighed = [
            query * np.float32(block.weight)
            for query, block in zip(asked, self.blocks_, strict=True)
        ]
        queries = sparse.hstack(weighed, format="csr", dtype=np.float32)
        queries.eliminate_zeros()
        return queries

    def _item_rows(self) -> sparse.csr_matrix:
        """What one item of a history says for every other: (n_items, n_items)."""
        n_items = self.interactions_.n_items
        rows = [block.weight * block.rows for block in self.blocks_ if block.ask == Ask.HISTORY]
        if not rows:
            return sparse.csr_matrix((n_items, n_items), dtype=np.float32)
        return sparse.csr_matrix(sum(rows[1:], rows[0]), dtype=np.float32)


def asked_of(
    interactions: Interactions, users: np.ndarray, blocks: list[Block], people: PeopleCodes
) -> list[sparse.csr_matrix]:
    """One csr float32 (len(users), rows of the block) per block, not yet weighed."""
    users = np.asarray(users, dtype=np.int64)
    known = np.asarray(interactions.user_items[users].sum(axis=1)).ravel()
    fading = np.maximum(0, 1 - known / PRIOR_UNTIL).astype(np.float32)
    histories: dict[float, sparse.csr_matrix] = {}
    found = []
    for block in blocks:
        if block.ask == Ask.HISTORY:
            if block.decay not in histories:
                histories[block.decay] = history_queries(interactions, users, decay=block.decay)
            query = histories[block.decay]
        elif block.keys is not None:
            query = pair_queries(interactions, users, block.keys, decay=block.decay)
        elif block.ask == Ask.EVERYBODY:
            query = sparse.csr_matrix(np.ones((len(users), 1), dtype=np.float32))
        else:
            query = people.asked(block.ask, users)
        if block.fades:
            query = sparse.csr_matrix(sparse.diags(fading) @ query, dtype=np.float32)
        found.append(query)
    return found


def history_queries(
    interactions: Interactions, users: np.ndarray, *, decay: float
) -> sparse.csr_matrix:
    """Histories (len(users), n_items) csr float32: weight times decay to the power of the age.

    What has decayed to a thousandth is left out, so that long histories stay cheap.
    """
    n_of_user, places = interactions.entries_of(users)
    rows = np.repeat(np.arange(len(users)), n_of_user)
    values = interactions.weight[places] * np.float32(decay) ** interactions.age[places]
    is_kept = values > 1e-3 * interactions.weight[places]
    return sparse.csr_matrix(
        (
            values[is_kept].astype(np.float32),
            (rows[is_kept], interactions.indices[places[is_kept]]),
        ),
        shape=(len(users), interactions.n_items),
    )


def strongest_per_row(rows: np.ndarray | sparse.csr_matrix, k: int) -> sparse.csr_matrix:
    """The k entries of largest magnitude of each row; dense or sparse (n, n_columns) float32."""
    dense = rows if isinstance(rows, np.ndarray) else rows.toarray()
    n_rows, n_columns = dense.shape
    k = min(k, n_columns)
    if k == 0:
        return sparse.csr_matrix(dense.shape, dtype=np.float32)
    best = np.sort(np.argpartition(-np.abs(dense), k - 1, axis=1)[:, :k], axis=1)
    kept = sparse.csr_matrix(
        (
            np.take_along_axis(dense, best, axis=1).ravel().astype(np.float32),
            best.ravel(),
            np.arange(n_rows + 1) * k,
        ),
        shape=dense.shape,
    )
    kept.eliminate_zeros()
    return kept


def nearest(vectors: sparse.csr_matrix, *, k: int, shrinkage: float = 0.0) -> sparse.csr_matrix:
    """Item-item cosine of vectors (n_items, n_dimensions): the k nearest, itself left out.

    shrinkage lowers what few common entries say: dot / (norms + shrinkage). Built in blocks of
    rows, so that the whole product is never in memory.
    """
    norms = np.sqrt(np.asarray(vectors.multiply(vectors).sum(axis=1)).ravel())
    norms = np.where(norms > 0, norms, 1).astype(np.float32)
    transposed = vectors.T.tocsr()
    n_items = vectors.shape[0]
    step = max(1, 4_000_000 // max(n_items, 1))
    blocks = []
    for start in range(0, n_items, step):
        block = (vectors[start : start + step] @ transposed).toarray()
        rows = np.arange(len(block))
        block /= norms[start : start + step, None] * norms + np.float32(shrinkage)
        block[rows, rows + start] = 0
        blocks.append(strongest_per_row(block, k))
    return sparse.vstack(blocks, format="csr") if blocks else sparse.csr_matrix((0, 0))


def best_of_rows(
    matrix: sparse.csr_matrix, items: np.ndarray, n: int
) -> tuple[np.ndarray, np.ndarray]:
    """(items, scores), each (len(items), n): the largest positive entries of rows of matrix
    (n_items, n_items), padded with -1 and 0."""
    rows = matrix[items]
    allowed = np.ones(matrix.shape[1], dtype=bool)
    myself = sparse.csr_matrix(
        (np.ones(len(items), np.float32), (np.arange(len(items)), items)), shape=rows.shape
    )
    identity = sparse.identity(matrix.shape[1], dtype=np.float32, format="csr")[items]
    width = min(n, matrix.shape[1])
    found, scores = top_n(identity, matrix, n=width, masked=myself, allowed=allowed)
    return _widened(found, n, -1), _widened(scores, n, 0)


def _widened(values: np.ndarray, n: int, filler: int) -> np.ndarray:
    missing = n - values.shape[1]
    return np.pad(values, ((0, 0), (0, missing)), constant_values=filler) if missing else values
