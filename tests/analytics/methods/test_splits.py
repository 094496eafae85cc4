"""What is held out is asked for, and nothing of it is learned from."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analytics.methods.ranking_evaluation import assert_no_leak
from analytics.methods.splits import few_learners_left, hold_out_people, reveal_first


def histories(*lengths: int) -> pd.DataFrame:
    """Person by person so many courses, one after the other; of each third one only looks."""
    return pd.DataFrame(
        [
            (user, item, float(item), item % 3 != 2)
            for user, length in enumerate(lengths)
            for item in range(length)
        ],
        columns=["user", "item", "order", "is_taken"],
    )


def test_newcomers_are_a_share_of_those_who_have_a_course_and_the_same_each_time() -> None:
    done = histories(*[4] * 20)
    done.loc[done["user"] == 7, "is_taken"] = False
    people = hold_out_people(done, share=0.25, rng_seed=1)
    assert len(people) == 5
    assert 7 not in people
    assert people.tolist() == sorted(set(people.tolist()))
    assert people.tolist() == hold_out_people(done, share=0.25, rng_seed=1).tolist()
    assert len(hold_out_people(done, share=0.001, rng_seed=1)) == 1


@pytest.mark.parametrize("n_known", [0, 1, 3])
def test_the_first_entries_are_known_and_the_courses_after_them_asked_for(n_known: int) -> None:
    done = histories(5, 4, 6).sample(frac=1, random_state=3)
    train, test = reveal_first(done, np.array([0, 2]), n_known=n_known, rng_seed=1)
    assert_no_leak(train, test)
    assert sorted(train.loc[train["user"] == 1, "item"]) == [0, 1, 2, 3]
    for user, length in ((0, 5), (2, 6)):
        assert sorted(train.loc[train["user"] == user, "item"]) == list(range(n_known))
        after = [item for item in range(n_known, length) if item % 3 != 2]
        assert sorted(test.loc[test["user"] == user, "item"]) == after


def test_who_has_no_more_than_is_known_is_not_asked() -> None:
    _train, test = reveal_first(histories(2, 5), np.array([0, 1]), n_known=3, rng_seed=1)
    assert set(test["user"]) == {1}


def test_where_the_order_is_unknown_chance_decides_what_is_known() -> None:
    done = histories(*[12] * 30).assign(order=0.0, is_taken=True)
    train, test = reveal_first(done, np.arange(30), n_known=1, rng_seed=1)
    assert_no_leak(train, test)
    assert train.groupby("user").size().eq(1).all()
    assert train["item"].nunique() > 3


def test_a_share_of_the_courses_keeps_but_a_few_learners() -> None:
    items = np.repeat(np.arange(40), 50)
    is_kept = few_learners_left(items, n_items=40, share=0.25, fewer_than=10, rng_seed=1)
    left = np.bincount(items[is_kept], minlength=40)
    assert (left < 10).sum() == 10
    assert (left == 50).sum() == 30
    # Which ones stay is drawn: not always the first ones in the file.
    first = np.bincount(items[is_kept & (np.arange(len(items)) % 50 < 10)], minlength=40)
    assert (first[left < 10] < left[left < 10]).any()
