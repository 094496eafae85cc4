"""Courses that are alike by what they say of themselves."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import normalize

from analytics.methods.interactions import Interactions
from analytics.methods.reasons import Reason
from analytics.methods.recommenders.base import BaseRecommender, ItemFeatures, nearest
from analytics.methods.recommenders.blocks import Block, item_block
from analytics.methods.recommenders.people import UserFeatures

_RUNS = re.compile(r"[\u3400-\u9fff]+|[^\W\d_\u3400-\u9fff]{2,}|\d+")


def text_terms(text: str) -> list[str]:
    """Words of English text; pairs and triples of characters of Chinese, which has no spaces.

    >>> text_terms("Python 入门课")
    ['python', '入门', '门课', '入门课']
    """
    return list(_terms(text.lower()))


def _terms(text: str) -> Iterator[str]:
    for run in _RUNS.findall(text):
        if not "\u3400" <= run[0] <= "\u9fff" or len(run) == 1:
            yield run
        else:
            for size in (2, 3):
                yield from (run[at : at + size] for at in range(len(run) - size + 1))


class ContentKNNRecommender(BaseRecommender):
    """Cosine of text, category, level, seller and tags between a user's items and others.

    n_neighbors: neighbours kept per item. half_life: entries after which one counts half.
    text, category, level, seller, tags: weight of each part; all parts have length 1.

    Attributes: model_ (n_items, n_items), row i the neighbours of item i.
    """

    def __init__(
        self,
        *,
        n_neighbors: int = 50,
        half_life: float = 3.0,
        text: float = 1.0,
        category: float = 0.5,
        level: float = 0.15,
        seller: float = 0.5,
        tags: float = 0.5,
    ) -> None:
        self.n_neighbors = n_neighbors
        self.half_life = half_life
        self.text = text
        self.category = category
        self.level = level
        self.seller = seller
        self.tags = tags

    def kneighbors(self, items: np.ndarray, *, n: int = 5) -> tuple[np.ndarray, np.ndarray]:
        """(similarities, items), each (len(items), n), as scikit-learn orders the two."""
        found, scores = self.similar_items(items, n=n)
        return scores, found

    def vectors(self, items: ItemFeatures) -> sparse.csr_matrix:
        """(n_items, n_terms) float32, what the cosine is taken of."""
        parts = [
            self.category * _one_hot(items.category),
            self.level * _one_hot(np.unique(items.level, return_inverse=True)[1]),
            self.seller * _one_hot(items.seller),
        ]
        analyzed: tuple[tuple[float, Sequence[Any], Callable[[Any], list[str]]], ...] = (
            (self.text, items.texts, text_terms),
            (self.tags, items.tags, list),
        )
        for weight, texts, analyzer in analyzed:
            if weight and any(analyzer(text) for text in texts):
                vectorizer = TfidfVectorizer(analyzer=analyzer, sublinear_tf=True, dtype=np.float32)
                parts.append(weight * vectorizer.fit_transform(texts))
        return sparse.hstack(parts, format="csr", dtype=np.float32)

    def _fit(
        self, interactions: Interactions, users: UserFeatures, items: ItemFeatures
    ) -> list[Block]:
        rows = nearest(normalize(self.vectors(items)), k=self.n_neighbors)
        decay = 0.5 ** (1 / self.half_life)
        return [item_block("content", rows, reason=Reason.CONTENT, decay=decay)]


def _one_hot(codes: np.ndarray) -> sparse.csr_matrix:
    n = len(codes)
    return sparse.csr_matrix(
        (np.ones(n, dtype=np.float32), (np.arange(n), codes)),
        shape=(n, int(codes.max(initial=0)) + 1),
    )
