"""A folder of CSV files becomes what recommenders learn from, or one clear message."""

from __future__ import annotations

import codecs
from pathlib import Path

import numpy as np
import pytest

from analytics.methods.dataset_folder import BadDataset, read_dataset

COURSES = """course_id,title,about,prerequisites,fields,schools,teachers
C_1,微积分,极限与导数,,数学|物理,甲大学,张老师|李老师
C_2,Algebra,"Groups, rings",,数学,乙大学,
C_3,Painting,,,,,王老师
C_4,Drawing,,,,,
"""
USERS = """user_id,gender
U_2,female
U_1,male
U_3,
"""
ENROLMENTS = """user_id,course_id,position
U_1,C_2,1
U_1,C_1,0
U_2,C_3,0
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in (("courses", COURSES), ("users", USERS), ("enrolments", ENROLMENTS)):
        (tmp_path / f"{name}.csv").write_text(text, encoding="utf-8")
    return tmp_path


def replaced(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_learners_and_courses_keep_the_order_of_their_files(folder: Path) -> None:
    data = read_dataset(folder)
    assert data.user_ids.tolist() == ["U_2", "U_1", "U_3"]
    assert data.course_ids.tolist() == ["C_1", "C_2", "C_3", "C_4"]


def test_each_enrolment_is_a_pair_with_its_position_as_order(folder: Path) -> None:
    pairs = read_dataset(folder).pairs
    assert pairs[["user", "item", "order"]].to_numpy().tolist() == [[0, 2, 0], [1, 0, 0], [1, 1, 1]]
    assert pairs["is_taken"].all()
    assert (pairs["weight"] == 1).all()


def test_a_course_listed_twice_for_a_learner_counts_once_from_the_first_time(folder: Path) -> None:
    with (folder / "enrolments.csv").open("a") as file:
        file.write("U_1,C_1,7\n")
    pairs = read_dataset(folder).pairs
    assert pairs.loc[(pairs["user"] == 1) & (pairs["item"] == 0), "order"].tolist() == [0]


def test_fields_schools_and_teachers_say_what_a_course_is_like(folder: Path) -> None:
    items = read_dataset(folder).item_features
    assert items.category[0] == items.category[1] != items.category[2] == items.category[3]
    # The school sells; where there is none the first teacher does; the last course has neither.
    assert len(set(items.seller.tolist())) == 4
    assert items.tags == [
        ["数学", "物理", "甲大学", "张老师", "李老师"],
        ["数学", "乙大学"],
        ["王老师"],
        [],
    ]
    assert items.texts[:2] == ["微积分 极限与导数", "Algebra Groups, rings"]


def test_of_learners_only_the_gender_is_known_where_it_is_given(folder: Path) -> None:
    users = read_dataset(folder).user_features
    female, male, unknown = users.gender.tolist()
    assert unknown == -1
    assert sorted((female, male)) == [0, 1]
    assert np.isnan(users.age).all()
    assert users.interests.nnz == 0


def test_a_byte_order_mark_and_unknown_columns_are_passed_over(folder: Path) -> None:
    path = folder / "users.csv"
    path.write_bytes(codecs.BOM_UTF8 + b"user_id,city,gender\nU_1,x,male\nU_2,y,female\nU_3,,\n")
    assert read_dataset(folder).user_ids.tolist() == ["U_1", "U_2", "U_3"]


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadDataset, match="nowhere is no folder"):
        read_dataset(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["courses.csv", "users.csv", "enrolments.csv"])
def test_a_file_that_is_missing_or_empty_is_named(folder: Path, name: str) -> None:
    (folder / name).write_text("")
    with pytest.raises(BadDataset, match=f"{name} is empty"):
        read_dataset(folder)
    (folder / name).unlink()
    with pytest.raises(BadDataset, match=f"{name} is missing"):
        read_dataset(folder)


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("courses.csv", "title"),
        ("courses.csv", "teachers"),
        ("users.csv", "gender"),
        ("enrolments.csv", "position"),
    ],
)
def test_a_column_that_is_missing_is_named(folder: Path, name: str, column: str) -> None:
    replaced(folder / name, column, "other")
    with pytest.raises(BadDataset, match=f"{name} has no column {column}"):
        read_dataset(folder)


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("enrolments.csv", "U_2,", "U_9,", "user_id U_9, which users.csv does not list"),
        ("enrolments.csv", "C_3", "C_9", "course_id C_9, which courses.csv does not list"),
        ("enrolments.csv", "C_3,0", "C_3,soon", r"must be a number, not 'soon' \(row 3\)"),
        ("enrolments.csv", "C_3,0", "C_3,", r"must be a number, not '' \(row 3\)"),
        ("courses.csv", "C_2", "C_1", "course_id C_1 more than once"),
        ("users.csv", "U_1", "U_2", "user_id U_2 more than once"),
    ],
)
def test_a_row_that_makes_no_sense_is_named(
    folder: Path, name: str, old: str, new: str, message: str
) -> None:
    replaced(folder / name, old, new)
    with pytest.raises(BadDataset, match=message):
        read_dataset(folder)


def test_another_encoding_is_refused(folder: Path) -> None:
    (folder / "courses.csv").write_bytes(COURSES.encode("gb18030"))
    with pytest.raises(BadDataset, match=r"courses.csv cannot be read as CSV in UTF-8"):
        read_dataset(folder)


def test_real_learners_and_courses_are_read_whole(datasets: Path) -> None:
    data = read_dataset(datasets / "mooccubex")
    assert (len(data.user_ids), len(data.course_ids), len(data.pairs)) == (77_585, 2_297, 823_268)
