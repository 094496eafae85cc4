"""The real enrolments with each learner's last course held out, as files that a process reads."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse

from analytics.methods.dataset_folder import Dataset, read_dataset
from analytics.methods.interactions import Interactions
from analytics.methods.ranking_evaluation import assert_no_leak
from analytics.methods.recommenders import ItemFeatures, UserFeatures
from analytics.methods.splits import hold_out_last

PARTS = ("train", "test", "earlier", "tuning")


@dataclass(frozen=True)
class Split:
    """What methods learn from and are asked for; all histories of the same learners and courses.

    train, test: all but the last course of each learner, and that one. earlier, tuning: the same of
    train, on which methods that need it are tuned.
    """

    train: Interactions
    test: Interactions
    earlier: Interactions
    tuning: Interactions
    user_features: UserFeatures
    item_features: ItemFeatures


def write_split(dataset: Path, folder: Path) -> None:
    """Split the data set into the folder. Raises LeakFound, BadDataset."""
    data = read_dataset(dataset)
    train, test = hold_out_last(data.pairs)
    earlier, tuning = hold_out_last(train)
    assert_no_leak(train, test)
    assert_no_leak(earlier, pd.concat([tuning, test]))
    for name, pairs in zip(PARTS, (train, test, earlier, tuning), strict=True):
        np.savez(folder / f"{name}.npz", **asdict(_interactions(data, pairs)))
    items = asdict(data.item_features)
    texts = {name: items.pop(name) for name in ("texts", "tags")}
    np.savez(folder / "items.npz", **items)
    (folder / "texts.json").write_text(json.dumps(texts), encoding="utf-8")
    np.save(folder / "gender.npy", data.user_features.gender)


def read_split(folder: Path) -> Split:
    """What `write_split` wrote."""
    parts = {name: _loaded(folder / f"{name}.npz") for name in PARTS}
    stored = _arrays(folder / "items.npz")
    texts = json.loads((folder / "texts.json").read_text(encoding="utf-8"))
    items = ItemFeatures(
        category=stored["category"],
        level=stored["level"],
        seller=stored["seller"],
        kind=stored["kind"],
        texts=texts["texts"],
        tags=texts["tags"],
    )
    gender = np.load(folder / "gender.npy", allow_pickle=False)
    nothing = UserFeatures.unknown(len(gender), n_categories=int(items.category.max()) + 1)
    return Split(**parts, user_features=replace(nothing, gender=gender), item_features=items)


def drawn_learners(split: Split, n: int) -> tuple[Interactions, UserFeatures]:
    """The histories of n learners and what they said: each once, then some again as others."""
    rng = np.random.default_rng(42)
    once = rng.permutation(split.train.n_users)[:n]
    again = rng.integers(0, split.train.n_users, size=n - len(once))
    chosen = np.concatenate([once, again])
    said = split.user_features
    return split.train.of_users(chosen), UserFeatures(
        age=said.age[chosen],
        gender=said.gender[chosen],
        occupation=said.occupation[chosen],
        interests=sparse.csr_matrix((n, said.interests.shape[1]), dtype=np.float32),
    )


def _interactions(data: Dataset, pairs: pd.DataFrame) -> Interactions:
    return Interactions.from_arrays(
        pairs["user"].to_numpy(),
        pairs["item"].to_numpy(),
        order=pairs["order"].to_numpy(),
        n_users=len(data.user_ids),
        n_items=len(data.course_ids),
    )


def _loaded(path: Path) -> Interactions:
    arrays = _arrays(path)
    return Interactions(
        indptr=arrays["indptr"],
        indices=arrays["indices"],
        weight=arrays["weight"],
        age=arrays["age"],
        recent=arrays["recent"],
        n_items=int(arrays["n_items"]),
    )


def _arrays(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}
