"""Courses that are alike by what they say of themselves."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
from sklearn.preprocessing import normalize

from analytics.methods.interactions import Interactions
from analytics.methods.reasons import Reason
from analytics.methods.recommenders.base import BaseRecommender, ItemFeatures, nearest
from analytics.methods.recommenders.blocks import Block, item_block
from analytics.methods.recommenders.people import UserFeatures

# Of words and numbers; what is Chinese is taken apart without.
_WORDS = r"[^\W\d_\u3400-\u9fff]{2,}|\d+"
_HAN_FROM, _HAN_TO = 0x3400, 0x9FFF


def term_counts(texts: Sequence[str]) -> sparse.csr_matrix:
    """(n_texts, n_terms) float32: how often each text has each term of all of them.

    Terms are words of English text and numbers, and pairs and triples of characters of Chinese,
    which has no spaces; a single Chinese character between others stands for itself.
    """
    lowered = [text.lower() for text in texts]
    parts = [_han_counts(lowered)]
    if any(re.search(_WORDS, text) for text in lowered):
        words = CountVectorizer(token_pattern=_WORDS, lowercase=False, dtype=np.float32)
        parts.append(words.fit_transform(lowered))
    return sparse.hstack(parts, format="csr", dtype=np.float32)


def _han_counts(texts: Sequence[str]) -> sparse.csr_matrix:
    """All texts as one array of characters: some millions of terms take no loop of Python."""
    joined = "".join(f"{text}\n" for text in texts)
    characters = np.frombuffer(joined.encode("utf-32-le", "replace"), dtype="<u4").astype(np.int64)
    text_of = np.repeat(np.arange(len(texts)), [len(text) + 1 for text in texts])
    is_han = (characters >= _HAN_FROM) & (characters <= _HAN_TO)
    first, second, third = (np.append(is_han, [False] * 2)[at:][: len(is_han)] for at in range(3))
    codes = np.append(characters, [0, 0])
    is_alone = first & ~second & ~np.append(False, is_han)[:-1]
    found, where = [], []
    for size, is_term in enumerate((is_alone, first & second, first & second & third), start=1):
        at = np.flatnonzero(is_term)
        # Each character has 16 bits of the number of its term; none of them is 0.
        found.append(sum(codes[at + place] << (16 * place) for place in range(size)))
        where.append(text_of[at])
    columns, terms = pd.factorize(np.concatenate(found))
    counts = sparse.csr_matrix(
        (np.ones(len(columns), dtype=np.float32), (np.concatenate(where), columns)),
        shape=(len(texts), len(terms)),
    )
    counts.sum_duplicates()
    return counts


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
        for weight, counts in ((self.text, term_counts(items.texts)), (self.tags, _tags(items))):
            if weight and counts.nnz:
                weighed = TfidfTransformer(sublinear_tf=True).fit_transform(counts)
                parts.append(weight * weighed)
        return sparse.hstack(parts, format="csr", dtype=np.float32)

    def _fit(
        self, interactions: Interactions, users: UserFeatures, items: ItemFeatures
    ) -> list[Block]:
        rows = nearest(normalize(self.vectors(items)), k=self.n_neighbors)
        decay = 0.5 ** (1 / self.half_life)
        return [item_block("content", rows, reason=Reason.CONTENT, decay=decay)]


def _tags(items: ItemFeatures) -> sparse.csr_matrix:
    if not any(items.tags):
        return sparse.csr_matrix((len(items.tags), 0), dtype=np.float32)
    return CountVectorizer(analyzer=list, dtype=np.float32).fit_transform(items.tags)


def _one_hot(codes: np.ndarray) -> sparse.csr_matrix:
    n = len(codes)
    return sparse.csr_matrix(
        (np.ones(n, dtype=np.float32), (np.arange(n), codes)),
        shape=(n, int(codes.max(initial=0)) + 1),
    )
