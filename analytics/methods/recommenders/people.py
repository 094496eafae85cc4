"""What people said of themselves, and how blocks are asked for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy import sparse

from analytics.methods.recommenders.blocks import Ask

AGE_BANDS = (18, 23, 30, 40, 50, 60)


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

    def of_users(self, users: np.ndarray) -> Self:
        """Of some users, in the order in which they are named."""
        return type(self)(
            age=self.age[users],
            gender=self.gender[users],
            occupation=self.occupation[users],
            interests=self.interests[users],
        )


@dataclass(frozen=True)
class PeopleCodes:
    """What people said, as the blocks are asked for it.

    codes (n_users, 1 + n_codes): a one for everybody, then one-hot age band, gender and
    occupation; what is unknown has no column. sizes: how many codes each of the three has.
    interests (n_users, n_categories): shares that sum to one. encoded (n_users, 3): age (the
    median where it is unknown), gender and occupation as numbers. kinds (n_kinds, 3): the distinct
    rows of it, of_kind (n_users,) which one is whose.
    """

    codes: sparse.csr_matrix
    sizes: tuple[int, int, int]
    interests: sparse.csr_matrix
    median_age: float
    encoded: np.ndarray
    kinds: np.ndarray
    of_kind: np.ndarray

    @classmethod
    def of(cls, users: UserFeatures) -> Self:
        n_users = len(users.age)
        bands = np.where(np.isnan(users.age), -1, np.digitize(users.age, AGE_BANDS))
        columns = [sparse.csr_matrix(np.ones((n_users, 1), dtype=np.float32))]
        for codes in (bands.astype(np.int64), users.gender, users.occupation):
            known = np.flatnonzero(codes >= 0)
            columns.append(
                sparse.csr_matrix(
                    (np.ones(len(known), dtype=np.float32), (known, codes[known])),
                    shape=(n_users, int(codes.max(initial=-1)) + 1),
                )
            )
        is_known = ~np.isnan(users.age)
        median = float(np.median(users.age[is_known])) if is_known.any() else 0.0
        age = np.where(is_known, users.age, median)
        encoded = np.column_stack([age, users.gender, users.occupation]).astype(np.float64)
        kinds, of_kind = distinct_rows(encoded)
        return cls(
            codes=sparse.hstack(columns, format="csr", dtype=np.float32),
            sizes=(columns[1].shape[1], columns[2].shape[1], columns[3].shape[1]),
            interests=row_shares(users.interests),
            median_age=median,
            encoded=encoded,
            kinds=kinds,
            of_kind=of_kind,
        )

    def asked(self, ask: Ask, users: np.ndarray) -> sparse.csr_matrix:
        """The query of a block of PEOPLE, INTEREST or ALIKE for some users."""
        if ask == Ask.PEOPLE:
            return self.codes[users]
        if ask == Ask.INTEREST:
            return self.interests[users]
        kinds = self.of_kind[users]
        return sparse.csr_matrix(
            (np.ones(len(users), dtype=np.float32), kinds, np.arange(len(users) + 1)),
            shape=(len(users), len(self.kinds)),
        )

    def arrays(self) -> dict[str, np.ndarray]:
        """Its part of a model file."""
        return {
            "age_bands": np.array(AGE_BANDS, dtype=np.float64),
            "people_offsets": (1 + np.cumsum([0, *self.sizes[:2]])).astype(np.int32),
            "people_sizes": np.array(self.sizes, dtype=np.int32),
            "alike": self.kinds,
            "alike_median_age": np.array(self.median_age, dtype=np.float64),
        }


def row_shares(matrix: sparse.csr_matrix) -> sparse.csr_matrix:
    """Rows that sum to one, or to zero where they are empty."""
    sums = np.asarray(matrix.sum(axis=1)).ravel()
    scale = np.divide(1, sums, out=np.zeros_like(sums, dtype=np.float64), where=sums > 0)
    return sparse.csr_matrix(sparse.diags(scale) @ matrix, dtype=np.float32)


def distinct_rows(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distinct rows of (n, m) numbers in ascending order, and which one each row is (n,) int64.

    `np.unique` along an axis gives the same and compares rows field by field: ten times slower.
    """
    codes = np.zeros(len(rows), dtype=np.int64)
    for column in rows.T:
        values, places = np.unique(column, return_inverse=True)
        codes = codes * len(values) + places
    _, first, of_row = np.unique(codes, return_index=True, return_inverse=True)
    return rows[first], of_row
