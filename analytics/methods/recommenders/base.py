"""The contract of every recommender, and what they are given besides interactions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator

from analytics.methods.interactions import Interactions
from analytics.methods.reasons import Reason
from analytics.methods.scoring_kernels import explain, top_n

N_REASONS = len(Reason) - 1


@dataclass(frozen=True)
class UserFeatures:
    """What users said of themselves.

    age (n_users,) float64 in years, NaN unknown; gender and occupation (n_users,) int32, -1
    unknown; interests (n_users, n_categories): chosen categories, numbered as in ItemFeatures.
    """

    age: np.ndarray
    gender: np.ndarray
    occupation: np.ndarray
    interests: sparse.csr_matrix

    @classmethod
    def unknown(cls, n_users: int, *, n_categories: int = 1) -> Self:
        """Of people who said nothing."""
        return cls(
            age=np.full(n_users, np.nan),
            gender=np.full(n_users, -1, dtype=np.int32),
            occupation=np.full(n_users, -1, dtype=np.int32),
            interests=sparse.csr_matrix((n_users, n_categories), dtype=np.float32),
        )


@dataclass(frozen=True)
class ItemFeatures:
    """What is known of items: category, seller, kind (n_items,) int32 from 0, level (n_items,)
    float64, texts (n_items str, Chinese or English) and tags (n_items lists of str)."""

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
    """A model that is one sparse matrix of what a known feature of a user says for each item.

    A subclass learns in `_fit`, which returns model_ (n_features, n_items) csr float32,
    row_reason_ (n_features,) int8 and row_item_ (n_features,) int32 (-1 for none), and turns
    users into rows over the same features in `_queries`.

    Attributes: interactions_ (the fitted Interactions), model_, row_reason_, row_item_.
    """

    def tuned_parameters(self) -> dict[str, Any]:
        """Parameters that the fit found by search: another fit that is given them skips it."""
        return {}

    def fit(
        self,
        interactions: Interactions,
        *,
        user_features: UserFeatures | None = None,
        item_features: ItemFeatures | None = None,
    ) -> Self:
        """Learn from all users' histories; features that are not given count as unknown.

        Raises ValueError when there is no item at all, or features of another length.
        """
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
        model, reasons, causes = self._fit(interactions, user_features, item_features)
        model.sort_indices()
        self.model_ = model
        self.row_reason_ = reasons.astype(np.int8)
        self.row_item_ = causes.astype(np.int32)
        return self

    def recommend(
        self,
        users: np.ndarray,
        *,
        n: int = 10,
        exclude_seen: bool = True,
        exclude: sparse.csr_matrix | None = None,
        candidates: np.ndarray | None = None,
    ) -> Ranking:
        """The best items for each of users (n_asked,), indices of the fitted users.

        exclude_seen leaves out all of a user's history; exclude (n_asked, n_items) leaves out
        its stored entries; candidates (n_items,) bool restricts to items that may be shown.
        Equal scores are ranked by index, so that the same fit gives the same lists.
        """
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

    def _fit(
        self, interactions: Interactions, users: UserFeatures, items: ItemFeatures
    ) -> tuple[sparse.csr_matrix, np.ndarray, np.ndarray]:
        raise NotImplementedError

    def _queries(self, users: np.ndarray) -> sparse.csr_matrix:
        """(len(users), n_features) csr float32."""
        raise NotImplementedError


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
