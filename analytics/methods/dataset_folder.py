"""A folder of CSV files as what recommenders learn from: who took which course, in which order.

courses.csv: course_id, title, about; fields, schools, teachers (names joined by a bar).
users.csv: user_id, gender (male, female or empty).
enrolments.csv: user_id, course_id, position (a number, larger is later for one learner).

UTF-8 with a header; other columns are passed over, and so are repeated rows of enrolments.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from analytics.methods.recommenders.base import ItemFeatures
from analytics.methods.recommenders.people import UserFeatures

COURSE_COLUMNS = ("course_id", "title", "about", "fields", "schools", "teachers")
USER_COLUMNS = ("user_id", "gender")
ENROLMENT_COLUMNS = ("user_id", "course_id", "position")
# The codes of accounts: what counts is that two people of one gender have the same.
GENDERS = {"male": 0, "female": 1}


class BadDataset(Exception):
    """The folder is none of this form; the message names the file and what is wrong with it."""


@dataclass(frozen=True)
class Dataset:
    """What a folder holds, in dense indices.

    user_ids (n_users,) and course_ids (n_items,): the ids of the files, in their order.
    `pairs` has one row per learner and course: user, item (int32 indices), order (float64,
    larger is later for one learner), weight (float32, 1), is_taken (bool, true). The first field
    of a course is its category, its first school (else teacher) its seller; all three together
    are its tags, title and about its text.
    """

    user_ids: np.ndarray
    course_ids: np.ndarray
    pairs: pd.DataFrame
    user_features: UserFeatures
    item_features: ItemFeatures


def read_dataset(folder: Path) -> Dataset:
    """Read the three files of the folder. Raises BadDataset."""
    if not folder.is_dir():
        raise BadDataset(f"{folder} is no folder")
    courses = _read(folder / "courses.csv", COURSE_COLUMNS, unique="course_id")
    users = _read(folder / "users.csv", USER_COLUMNS, unique="user_id")
    enrolments = _read(folder / "enrolments.csv", ENROLMENT_COLUMNS)
    where = folder / "enrolments.csv"
    order = pd.to_numeric(enrolments["position"], errors="coerce").to_numpy(dtype="float64")
    if np.isnan(order).any():
        line = int(np.flatnonzero(np.isnan(order))[0])
        found = enrolments["position"].iloc[line]
        raise BadDataset(f"{where}: position must be a number, not {found!r} (row {line + 1})")
    pairs = pd.DataFrame(
        {
            "user": _index(enrolments["user_id"], users["user_id"], where, "users.csv"),
            "item": _index(enrolments["course_id"], courses["course_id"], where, "courses.csv"),
            "order": order,
            "weight": np.float32(1),
            "is_taken": True,
        }
    )
    # Who is listed twice for a course has it since the first time.
    pairs = pairs.sort_values(["user", "item", "order"], kind="stable", ignore_index=True)
    pairs = pairs.drop_duplicates(["user", "item"], ignore_index=True)
    item_features = _item_features(courses)
    return Dataset(
        user_ids=users["user_id"].to_numpy(),
        course_ids=courses["course_id"].to_numpy(),
        pairs=pairs,
        user_features=_user_features(
            users, n_categories=int(item_features.category.max(initial=0)) + 1
        ),
        item_features=item_features,
    )


def _read(path: Path, columns: tuple[str, ...], *, unique: str | None = None) -> pd.DataFrame:
    """The named columns of a file as text; no cell is missing."""
    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8")
    except FileNotFoundError:
        raise BadDataset(f"{path} is missing") from None
    except pd.errors.EmptyDataError:
        raise BadDataset(f"{path} is empty") from None
    except (OSError, UnicodeDecodeError, pd.errors.ParserError) as error:
        raise BadDataset(f"{path} cannot be read as CSV in UTF-8: {error}") from error
    frame.columns = [str(name).removeprefix("\ufeff").strip() for name in frame.columns]
    absent = [name for name in columns if name not in frame.columns]
    if absent:
        raise BadDataset(f"{path} has no column {', '.join(absent)}")
    if unique and frame[unique].duplicated().any():
        again = frame.loc[frame[unique].duplicated(), unique].iloc[0]
        raise BadDataset(f"{path} has {unique} {again} more than once")
    return frame[list(columns)]


def _index(values: pd.Series, ids: pd.Series, path: Path, listed_in: str) -> np.ndarray:
    """The place of each value among the ids: int32."""
    found = pd.Index(ids).get_indexer(values)
    if (found < 0).any():
        unknown = values.loc[found < 0].iloc[0]
        raise BadDataset(f"{path} has {values.name} {unknown}, which {listed_in} does not list")
    return found.astype("int32")


def _user_features(users: pd.DataFrame, *, n_categories: int) -> UserFeatures:
    nothing = UserFeatures.unknown(len(users), n_categories=n_categories)
    return UserFeatures(
        age=nothing.age,
        gender=users["gender"].str.lower().map(GENDERS).fillna(-1).to_numpy(dtype="int32"),
        occupation=nothing.occupation,
        interests=nothing.interests,
    )


def _item_features(courses: pd.DataFrame) -> ItemFeatures:
    unknown = ItemFeatures.unknown(len(courses))
    fields, schools, teachers = (
        [_names(cell) for cell in courses[name]] for name in ("fields", "schools", "teachers")
    )
    sellers = [
        (of_school or of_teacher or [""])[0]
        for of_school, of_teacher in zip(schools, teachers, strict=True)
    ]
    return ItemFeatures(
        category=_codes([(names or [""])[0] for names in fields]),
        level=unknown.level,
        seller=_codes(sellers),
        kind=unknown.kind,
        texts=(courses["title"] + " " + courses["about"]).tolist(),
        tags=[
            [*one, *two, *three] for one, two, three in zip(fields, schools, teachers, strict=True)
        ],
    )


def _names(cell: str) -> list[str]:
    return [name.strip() for name in cell.split("|") if name.strip()]


def _codes(names: list[str]) -> np.ndarray:
    return np.unique(np.array(names, dtype=object), return_inverse=True)[1].astype("int32")
