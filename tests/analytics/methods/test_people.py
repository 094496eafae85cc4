"""What is said of people as codes."""

from __future__ import annotations

import numpy as np
import pytest

from analytics.methods.recommenders.people import distinct_rows


@pytest.mark.parametrize("n", [0, 1, 500])
def test_distinct_rows_are_those_that_numpy_finds(n) -> None:
    rng = np.random.default_rng(4)
    rows = np.column_stack(
        [rng.integers(18, 30, n) + 0.5, rng.integers(-1, 3, n), rng.integers(-1, 4, n)]
    ).astype(np.float64)

    kinds, of_row = distinct_rows(rows)

    wanted, places = np.unique(rows, axis=0, return_inverse=True)
    np.testing.assert_array_equal(kinds, wanted)
    np.testing.assert_array_equal(of_row, places.ravel())
    np.testing.assert_array_equal(kinds[of_row], rows)
