"""`evaluate --dataset`: a folder of files is scored as the platform's own data, without it.

Nothing here may use the database: pytest-django fails a test that does without saying so.
"""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from django.core.management import CommandError, call_command

from analytics.methods.dataset_folder import read_dataset
from analytics.methods.interactions import Interactions
from analytics.methods.ranking_evaluation import LeakFound, assert_no_leak, evaluate_recommender
from analytics.methods.recommenders import EASERecommender, HybridRecommender
from analytics.methods.splits import SPLITS, hold_out_last
from analytics.pipelines import recommender_tables
from analytics.pipelines.learning_data import read_folder
from analytics.pipelines.recommend import METHODS
from analytics.pipelines.recommender_tables import TABLES, newcomer_table

N_LEARNERS, N_COURSES = 240, 30
# Of all real learners a sample is enough for newcomers: the fits take a third of the time.
N_SAMPLED = 20_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three tastes of ten courses each; who has one takes six of it, one number after the other."""
    rng = np.random.default_rng(8)
    courses = pd.DataFrame(
        {
            "course_id": [f"C_{n}" for n in range(N_COURSES)],
            "title": [f"Course of taste {n // 10}" for n in range(N_COURSES)],
            "about": "",
            "fields": [f"field {n // 10}" for n in range(N_COURSES)],
            "schools": "",
            "teachers": [f"teacher {n // 5}" for n in range(N_COURSES)],
        }
    )
    learners = pd.DataFrame(
        {
            "user_id": [f"U_{n}" for n in range(N_LEARNERS)],
            "gender": ["male" if n % 3 else "female" for n in range(N_LEARNERS)],
        }
    )
    enrolments = pd.DataFrame(
        [
            (f"U_{user}", f"C_{10 * (user % 3) + item}", position)
            for user in range(N_LEARNERS)
            for position, item in enumerate(np.sort(rng.choice(10, size=6, replace=False)))
        ],
        columns=["user_id", "course_id", "position"],
    )
    courses.to_csv(tmp_path / "courses.csv", index=False)
    learners.to_csv(tmp_path / "users.csv", index=False)
    enrolments.to_csv(tmp_path / "enrolments.csv", index=False)
    return tmp_path


def printed(folder: Path, *arguments: str) -> str:
    out = io.StringIO()
    call_command("evaluate", "--dataset", str(folder), *arguments, stdout=out)
    return out.getvalue()


def test_it_prints_every_table_and_nothing_of_conversion(folder: Path) -> None:
    text = printed(folder)
    lines = text.splitlines()
    for task, title in TABLES.items():
        assert lines[lines.index(title) + 1].startswith(task)
    for method in (*METHODS, "prior", "collaborative", "over popularity"):
        assert any(line.startswith(f"{method} ") for line in lines), method
    assert "conversion" not in text


def test_as_json_it_has_the_shape_of_the_platform_s_own(folder: Path) -> None:
    rows = json.loads(printed(folder, "--format", "json"))
    for row in rows:
        assert set(row) == {
            *("task", "method", "served", "metrics"),
            *("rows", "fit_seconds", "recommend_seconds", "peak_mb"),
        }
    accuracy = {row["method"]: row for row in rows if row["task"] == "recommend"}
    assert list(accuracy) == list(METHODS)
    # Nothing serves: the one that would be chosen is marked.
    best = max(accuracy.values(), key=lambda row: row["metrics"]["ndcg@10"])
    assert [name for name, row in accuracy.items() if row["served"]] == [best["method"]]
    assert accuracy["hybrid"]["rows"] == N_LEARNERS * 5
    assert accuracy["hybrid"]["metrics"]["ndcg@10"] > 0.5
    newcomers = {row["method"]: row["metrics"] for row in rows if row["task"] == "newcomers"}
    assert newcomers["hybrid"]["people_known_3"] == N_LEARNERS / 10
    assert "ndcg@10_known_10" not in newcomers["hybrid"]
    few = {row["method"]: row["metrics"] for row in rows if row["task"] == "made_few"}
    assert few["hybrid"]["few_held_out"] > 0


def test_fewer_people_are_scored_when_asked_to(folder: Path) -> None:
    rows = json.loads(printed(folder, "--format", "json", "--limit", "10"))
    figures = {(row["task"], row["method"]): row["metrics"] for row in rows}
    assert figures["newcomers", "hybrid"]["people_known_0"] == 10
    assert figures["few_learners", "hybrid"]["all_held_out"] == 10


def test_where_nothing_can_be_held_out_it_says_so(folder: Path) -> None:
    (folder / "enrolments.csv").write_text("user_id,course_id,position\nU_1,C_1,0\n")
    assert "recommend: too little data to hold anything out" in printed(folder)
    assert json.loads(printed(folder, "--format", "json")) == []


def test_a_folder_that_cannot_be_read_is_one_clear_message(folder: Path) -> None:
    (folder / "users.csv").unlink()
    with pytest.raises(CommandError, match=r"users\.csv is missing") as raised:
        printed(folder)
    assert raised.value.returncode == 1
    with pytest.raises(CommandError, match="is no folder"):
        printed(folder / "nowhere")


@pytest.mark.parametrize("split", sorted(SPLITS))
def test_a_leak_into_the_fit_is_caught_before_anything_is_scored(
    folder: Path, monkeypatch: pytest.MonkeyPatch, split: str
) -> None:
    fair = SPLITS[split]

    def leaking(pairs: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
        train, test = fair(pairs)
        return pd.concat([train, test.head(1)]), test

    monkeypatch.setitem(SPLITS, split, leaking)
    with pytest.raises(LeakFound, match="1 pair"):
        printed(folder, "--split", split)


def test_a_leak_of_what_newcomers_do_later_is_caught(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fair = recommender_tables.reveal_first

    def leaking(
        pairs: pd.DataFrame, people: np.ndarray, **how: int
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        train, test = fair(pairs, people, **how)
        return pd.concat([train, test.tail(1)]), test

    monkeypatch.setattr(recommender_tables, "reveal_first", leaking)
    with pytest.raises(LeakFound, match="1 pair"):
        newcomer_table(read_folder(folder))


def test_on_all_real_learners_the_hybrid_is_as_good_as_was_measured(datasets: Path) -> None:
    data = read_dataset(datasets / "mooccubex")
    train, test = hold_out_last(data.pairs)
    assert_no_leak(train, test)

    def interactions(pairs: pd.DataFrame) -> Interactions:
        return Interactions.from_arrays(
            pairs["user"].to_numpy(),
            pairs["item"].to_numpy(),
            order=pairs["order"].to_numpy(),
            n_users=len(data.user_ids),
            n_items=len(data.course_ids),
        )

    scores = {
        make: evaluate_recommender(
            make(),
            interactions(train),
            interactions(test),
            user_features=data.user_features,
            item_features=data.item_features,
            exclude=None,
            users=np.arange(len(data.user_ids)),
        )
        for make in (EASERecommender, HybridRecommender)
    }
    hybrid, ease = scores[HybridRecommender], scores[EASERecommender]
    assert hybrid["ndcg@10"] >= 0.21
    assert hybrid["ndcg@10"] >= 1.1 * ease["ndcg@10"]
    assert hybrid["recall@10"] >= 0.33


def test_real_newcomers_never_fare_worse_than_with_what_is_popular(
    datasets: Path, tmp_path: Path
) -> None:
    """Of people whom the fit has not seen and of whom 0, 1, 3 or 10 courses are known, the mean
    NDCG@10 is not below that of popularity for the same people by two standard errors."""
    whole = datasets / "mooccubex"
    learners = pd.read_csv(whole / "users.csv", dtype=str).sample(N_SAMPLED, random_state=1)
    enrolments = pd.read_csv(whole / "enrolments.csv")
    enrolments = enrolments.loc[enrolments["user_id"].isin(learners["user_id"])]
    learners.to_csv(tmp_path / "users.csv", index=False)
    enrolments.to_csv(tmp_path / "enrolments.csv", index=False)
    (tmp_path / "courses.csv").symlink_to((whole / "courses.csv").resolve())

    rows = {row["method"]: row for row in newcomer_table(read_folder(tmp_path))}

    hybrid = rows["hybrid"]
    for n_known in (0, 1, 3, 10):
        over = hybrid[f"over_popularity_known_{n_known}"]
        assert over >= -2 * hybrid[f"over_popularity_se_known_{n_known}"], n_known
    for n_known in (1, 3, 10):
        assert hybrid[f"over_popularity_known_{n_known}"] > 0.05
