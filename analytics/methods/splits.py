"""What is learned from and what is asked for: the ways of holding courses out.

Pairs are frames with one row per person and course: user, item, order (larger is later for one
person), is_taken. Each way returns (train, test), which `assert_no_leak` lets pass.
"""

from __future__ import annotations

import numpy as np
import pandas as pd


def hold_out_last(pairs: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Split into (train, test): the test holds the newest course of everybody with two or more.

    Everything that a person did after getting that course leaves the train part too, and so
    does whatever they did with that course before, so that nothing of it leaks.
    """
    taken = pairs.loc[pairs["is_taken"]].sort_values(["user", "order", "item"], kind="stable")
    newest = taken.drop_duplicates("user", keep="last")
    newest = newest.loc[taken.groupby("user")["item"].transform("size").loc[newest.index] > 1]
    cut = newest.set_index("user")["order"]
    later = pairs["order"].to_numpy() > pairs["user"].map(cut).fillna(np.inf).to_numpy()
    train = pairs.loc[~later].drop(index=newest.index)
    return train, newest


def hold_out_last_fraction(
    pairs: pd.DataFrame, *, fraction: float = 0.2
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Split into (train, test) at one point of time: the newest `fraction` of all courses taken.

    What was done after that point, of any kind, leaves the train part. Only people who had a
    course before it are tested.
    """
    taken = pairs.loc[pairs["is_taken"]]
    if taken.empty:
        return pairs, taken
    cut = taken["order"].quantile(1 - fraction)
    train = pairs.loc[pairs["order"] <= cut]
    test = taken.loc[taken["order"] > cut]
    known = train.loc[train["is_taken"], "user"].unique()
    return train, test.loc[test["user"].isin(known)]


SPLITS = {"last": hold_out_last, "last-fraction": hold_out_last_fraction}


def hold_out_people(pairs: pd.DataFrame, *, share: float, rng_seed: int) -> np.ndarray:
    """A share of the people, at least one of them, drawn from all who have a course: sorted."""
    people = np.unique(pairs.loc[pairs["is_taken"], "user"])
    n_held = min(len(people), max(1, round(share * len(people))))
    return np.sort(np.random.default_rng(rng_seed).choice(people, size=n_held, replace=False))


def reveal_first(
    pairs: pd.DataFrame, people: np.ndarray, *, n_known: int, rng_seed: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Split into (train, test): of the given people the first n_known entries are known.

    The train part holds those and everything of everybody else; the test all courses that the
    people took afterwards. Of entries of equal order chance decides which come first.
    """
    theirs = pairs.loc[pairs["user"].isin(people)]
    theirs = theirs.sample(frac=1, random_state=rng_seed).sort_values(
        ["user", "order"], kind="stable"
    )
    is_known = theirs.groupby("user").cumcount() < n_known
    others = pairs.loc[~pairs["user"].isin(people)]
    later = theirs.loc[~is_known]
    return pd.concat([others, theirs.loc[is_known]]), later.loc[later["is_taken"]]


def few_learners_left(
    items: np.ndarray, *, n_items: int, share: float, fewer_than: int, rng_seed: int
) -> np.ndarray:
    """(n_entries,) bool: which entries stay so that a share of the items has few of them.

    items (n_entries,): the item of each. Of each drawn item 0 to fewer_than - 1 entries stay,
    drawn too; a catalogue has too few such items of its own to tell anything.
    """
    rng = np.random.default_rng(rng_seed)
    drawn = rng.choice(n_items, size=max(1, round(share * n_items)), replace=False)
    most = np.full(n_items, len(items))
    most[drawn] = rng.integers(0, fewer_than, size=len(drawn))
    mixed = rng.permutation(len(items))
    place = pd.Series(items[mixed]).groupby(items[mixed]).cumcount().to_numpy()
    is_kept = np.empty(len(items), dtype=bool)
    is_kept[mixed] = place < most[items[mixed]]
    return is_kept
