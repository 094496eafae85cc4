"""What the recommenders learn from: one dense index per person and course, and their features."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
from django.utils import timezone
from scipy import sparse

from analytics import frames
from analytics.intent import KIND_WEIGHTS, TAKEN_KINDS
from analytics.methods.dataset_folder import read_dataset
from analytics.methods.interactions import Interactions
from analytics.methods.recommenders import ItemFeatures, UserFeatures

# Orders are microseconds since 1970 where a time is known, and small numbers where only a position
# in a source is: nothing on the platform happened before this.
EARLIEST = 1e14
WEEK = 7 * 86_400 * 1e6


@dataclass(frozen=True)
class LearningData:
    """People, courses and what the ones did with the others, in dense indices.

    user_ids (n_users,) and course_ids (n_items,) translate an index into a primary key, both
    sorted; category_ids (n_categories,) and seller_ids (n_items,) do so for the features.
    published_days (n_items,) float64 is how long each course has been on sale when the data was
    read (`read_at`), NaN where it never was. `pairs` has one row per person and course: user,
    item (int32 indices), order (float64, larger is later for one person), weight (float32, 0 to
    1), is_taken (bool: the person has the course). is_published is (n_items,) bool.
    """

    user_ids: np.ndarray
    course_ids: np.ndarray
    category_ids: np.ndarray
    seller_ids: np.ndarray
    published_days: np.ndarray
    pairs: pd.DataFrame
    user_features: UserFeatures
    item_features: ItemFeatures
    is_published: np.ndarray
    n_events: int
    last_event_id: int
    window_start: datetime | None
    window_end: datetime | None
    read_at: datetime

    def interactions(self, pairs: pd.DataFrame | None = None) -> Interactions:
        """All pairs, or the given part of them, as the recommenders take them."""
        pairs = self.pairs if pairs is None else pairs
        order = pairs["order"].to_numpy()
        is_dated = order >= EARLIEST
        # Of a part that was cut at some moment, that moment is its present.
        present = self.read_at.timestamp() * 1e6
        if pairs is not self.pairs:
            present = order[is_dated].max(initial=EARLIEST)
        return Interactions.from_arrays(
            pairs["user"].to_numpy(),
            pairs["item"].to_numpy(),
            order=pairs["order"].to_numpy(),
            weight=pairs["weight"].to_numpy(),
            recent=is_dated & (order > present - WEEK),
            n_users=len(self.user_ids),
            n_items=len(self.course_ids),
        )

    def taken(self, pairs: pd.DataFrame | None = None) -> sparse.csr_matrix:
        """Who has what, as (n_users, n_items) of ones."""
        pairs = self.pairs if pairs is None else pairs
        rows = pairs.loc[pairs["is_taken"]]
        return sparse.csr_matrix(
            (np.ones(len(rows), dtype=np.float32), (rows["user"], rows["item"])),
            shape=(len(self.user_ids), len(self.course_ids)),
        )


def read_learning_data() -> LearningData:
    """Read the whole history of everybody who allows personalisation."""
    read_at = timezone.now()
    last_event_id = frames.last_event_id()
    events = frames.event_frame(kinds=frames.INTENT_KINDS, up_to_id=last_event_id)
    events = events.loc[events["course_id"] > 0]
    enrollments = frames.enrollment_frame()
    people = frames.people_frame(as_of=read_at)
    chosen = frames.chosen_interest_frame()
    courses = frames.course_frame()

    user_ids = np.unique(
        np.concatenate(
            [frame["user_id"].to_numpy() for frame in (events, enrollments, people, chosen)]
        )
    )
    course_ids = courses["course_id"].to_numpy()
    dated = events["occurred_at"].dropna()
    return LearningData(
        user_ids=user_ids,
        course_ids=course_ids,
        category_ids=np.unique(courses["category_id"].to_numpy()),
        seller_ids=courses["seller_id"].to_numpy(),
        published_days=(
            (pd.Timestamp(read_at).tz_convert("UTC").tz_localize(None) - courses["published_at"])
            / pd.Timedelta(days=1)
        ).to_numpy(dtype="float64"),
        pairs=_pairs(events, enrollments, user_ids=user_ids, course_ids=course_ids),
        user_features=_user_features(people, chosen, courses, user_ids=user_ids),
        item_features=_item_features(courses),
        is_published=courses["is_published"].to_numpy(dtype=bool),
        n_events=len(events),
        last_event_id=last_event_id,
        window_start=_aware(dated.min()) if len(dated) else None,
        window_end=_aware(dated.max()) if len(dated) else None,
        read_at=read_at,
    )


def read_folder(folder: Path) -> LearningData:
    """What a folder of CSV files holds (see `dataset_folder`), without a database.

    Indices stand for themselves, all courses are on sale, and no time is known. Raises BadDataset.
    """
    dataset = read_dataset(folder)
    n_items = len(dataset.course_ids)
    return LearningData(
        user_ids=np.arange(len(dataset.user_ids)),
        course_ids=np.arange(n_items),
        category_ids=np.arange(dataset.user_features.interests.shape[1]),
        seller_ids=dataset.item_features.seller,
        published_days=np.full(n_items, np.nan),
        pairs=dataset.pairs,
        user_features=dataset.user_features,
        item_features=dataset.item_features,
        is_published=np.ones(n_items, dtype=bool),
        n_events=len(dataset.pairs),
        last_event_id=0,
        window_start=None,
        window_end=None,
        read_at=timezone.now(),
    )


def _aware(moment: pd.Timestamp) -> datetime:
    return moment.tz_localize("UTC").to_pydatetime()


def _pairs(
    events: pd.DataFrame,
    enrollments: pd.DataFrame,
    *,
    user_ids: np.ndarray,
    course_ids: np.ndarray,
) -> pd.DataFrame:
    """One row per person and course, with the strongest thing done.

    Its order is when the person got the course or, for one that they do not have, when they
    last looked at it.
    Where a source gave positions only, they order its events, before all dated ones.
    """
    times = events["occurred_at"].to_numpy()
    order = np.where(
        np.isnat(times),
        events["position"].to_numpy(),
        times.astype("datetime64[us]").astype("int64"),
    )
    weights = np.zeros(max(KIND_WEIGHTS) + 1, dtype=np.float32)
    weights[[int(kind) for kind in KIND_WEIGHTS]] = list(KIND_WEIGHTS.values())
    kinds = events["kind"].to_numpy()
    did = pd.DataFrame(
        {
            "user_id": events["user_id"],
            "course_id": events["course_id"],
            "order": order.astype("float64"),
            "weight": weights[kinds],
            "is_taken": np.isin(kinds, [int(kind) for kind in TAKEN_KINDS]),
        }
    )
    has = pd.DataFrame(
        {
            "user_id": enrollments["user_id"],
            "course_id": enrollments["course_id"],
            "order": enrollments["enrolled_at"].astype("int64").astype("float64"),
            "weight": np.float32(1),
            "is_taken": True,
        }
    )
    both = pd.concat([did, has], ignore_index=True) if len(has) else did
    item = np.searchsorted(course_ids, both["course_id"])
    is_known = (item < len(course_ids)) & (
        course_ids[np.minimum(item, len(course_ids) - 1)] == both["course_id"]
        if len(course_ids)
        else False
    )
    both = both.loc[is_known].assign(
        user=np.searchsorted(user_ids, both["user_id"])[is_known].astype("int32"),
        item=item[is_known].astype("int32"),
    )
    key = both["user"].to_numpy().astype("int64") * max(len(course_ids), 1) + both["item"]
    both = both.assign(key=key, turn=np.where(both["is_taken"], -both["order"], both["order"]))
    grouped = both.sort_values(["key", "is_taken", "turn"], kind="stable")
    strongest = grouped.groupby("key", sort=False)["weight"].max().to_numpy()
    newest = grouped.drop_duplicates("key", keep="last")
    return newest.assign(weight=strongest)[
        ["user", "item", "order", "weight", "is_taken"]
    ].reset_index(drop=True)


def _user_features(
    people: pd.DataFrame,
    chosen: pd.DataFrame,
    courses: pd.DataFrame,
    *,
    user_ids: np.ndarray,
) -> UserFeatures:
    stated = pd.DataFrame({"user_id": user_ids}).merge(people, on="user_id", how="left")
    categories = np.unique(courses["category_id"].to_numpy())
    chosen = chosen.loc[chosen["category_id"].isin(categories)]
    interests = sparse.csr_matrix(
        (
            np.ones(len(chosen), dtype=np.float32),
            (
                np.searchsorted(user_ids, chosen["user_id"]),
                np.searchsorted(categories, chosen["category_id"]),
            ),
        ),
        shape=(len(user_ids), len(categories)),
    )
    return UserFeatures(
        age=stated["age"].to_numpy(dtype="float64"),
        gender=stated["gender"].fillna(-1).to_numpy(dtype="int32"),
        occupation=stated["occupation"].fillna(-1).to_numpy(dtype="int32"),
        interests=interests,
    )


def _item_features(courses: pd.DataFrame) -> ItemFeatures:
    return ItemFeatures(
        category=np.unique(courses["category_id"], return_inverse=True)[1].astype("int32"),
        level=courses["level"].to_numpy(dtype="float64"),
        seller=np.unique(courses["seller_id"], return_inverse=True)[1].astype("int32"),
        kind=np.unique(courses["kind"], return_inverse=True)[1].astype("int32"),
        texts=(courses["title"] + " " + courses["summary"]).tolist(),
        tags=courses["tags"].tolist(),
    )
