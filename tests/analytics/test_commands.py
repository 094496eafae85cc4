"""The faces of `rebuild` and `evaluate`: what they print, write and refuse."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from analytics.methods.conversion_evaluation import MIN_SESSIONS
from analytics.models import (
    EventKind,
    LearningSummary,
    ModelRun,
    Profile,
    SessionFigures,
    Task,
    UserRetention,
)
from analytics.pipelines import runs
from analytics.pipelines.recommender_tables import TABLES
from tests.factories import (
    LONG_AGO,
    CategoryFactory,
    CourseFactory,
    EventFactory,
    LessonProgressFactory,
    LiveSessionFactory,
    SellerFactory,
    UserFactory,
)

pytestmark = [pytest.mark.django_db, pytest.mark.mariadb]


def printed(command: str, *arguments: str) -> str:
    out = io.StringIO()
    call_command(command, *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def market() -> None:
    """Twenty people who took three of six courses each, and sessions enough to score."""
    rng = np.random.default_rng(4)
    seller = SellerFactory()
    field = CategoryFactory()
    courses = CourseFactory.create_batch(6, seller=seller, category=field)
    for hour, person in enumerate(UserFactory.create_batch(20)):
        for day, place in enumerate(rng.choice(6, size=3, replace=False)):
            EventFactory(
                user=person,
                course=courses[place],
                kind=EventKind.PURCHASE,
                occurred_at=LONG_AGO + timedelta(days=day, hours=hour),
            )
    LessonProgressFactory(user=person)
    for day in range(MIN_SESSIONS):
        start = LONG_AGO + timedelta(days=day)
        session = LiveSessionFactory(ended=True, seller=seller, started_at=start, ended_at=start)
        SessionFigures.objects.create(
            live_session=session,
            n_viewers=200,
            n_buyers=int(rng.integers(5, 20)),
            source="imported",
        )


def test_rebuild_computes_everything_and_says_what_came_of_it(market: None) -> None:
    text = printed("rebuild")
    for task in Task:
        assert f"{task.value} ..." in text
        assert ModelRun.objects.served(task) is not None
    assert text.splitlines()[-1].startswith("done in ")
    for table in (Profile, UserRetention, LearningSummary):
        assert table.objects.exists()


def test_rebuild_twice_serves_again_and_leaves_the_same_profiles(market: None) -> None:
    printed("rebuild", "--only", "profiles")
    once = list(Profile.objects.order_by("pk").values("user_id", "state", "interests", "stage"))
    printed("rebuild", "--only", "profiles")
    again = list(Profile.objects.order_by("pk").values("user_id", "state", "interests", "stage"))
    assert again == once


def test_rebuild_can_be_kept_to_one_result(market: None) -> None:
    text = printed("rebuild", "--only", "retention")
    assert "retention ..." in text
    assert "profiles" not in text
    assert list(ModelRun.objects.values_list("task", flat=True)) == ["retention"]


def test_rebuild_of_an_empty_platform_ends_well() -> None:
    text = printed("rebuild")
    assert "nothing to learn from" in text
    assert ModelRun.objects.served(Task.RECOMMEND) is None
    assert ModelRun.objects.served(Task.CONVERSION) is not None


def test_rebuild_says_when_another_process_is_at_it(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def refused(name: str) -> Iterator[bool]:
        yield False

    monkeypatch.setattr(runs, "only_one", refused)
    with pytest.raises(CommandError, match="figures is being computed by another process"):
        printed("rebuild")


def test_rebuild_refuses_a_result_that_it_does_not_know() -> None:
    with pytest.raises(CommandError, match="invalid choice"):
        printed("rebuild", "--only", "horoscopes")


def test_evaluate_prints_one_object_per_method_as_json(market: None) -> None:
    printed("rebuild", "--only", "conversion")
    writes_before = ModelRun.objects.count()

    rows = json.loads(printed("evaluate", "--format", "json"))

    assert ModelRun.objects.count() == writes_before
    by_task: dict[str, list[dict]] = {}
    for row in rows:
        assert set(row) == {
            *("task", "method", "served", "metrics"),
            *("rows", "fit_seconds", "recommend_seconds", "peak_mb"),
        }
        by_task.setdefault(row["task"], []).append(row)
    assert set(by_task) == {*TABLES, "conversion"}
    for task in ("recommend", "order_unknown"):
        for row in by_task[task]:
            assert {"ndcg@10", "recall@10", "coverage"} <= set(row["metrics"])
    for row in by_task["conversion"]:
        assert {"log_loss", "rmse", "log_loss_vs_mean", "calibration"} <= set(row["metrics"])
        assert row["rows"] == MIN_SESSIONS
        assert row["fit_seconds"] >= 0
    served = [row["method"] for row in by_task["conversion"] if row["served"]]
    assert served == [ModelRun.objects.served(Task.CONVERSION).method]


def test_evaluate_prints_a_table_with_what_is_served(market: None) -> None:
    printed("rebuild", "--only", "conversion")
    lines = printed("evaluate").splitlines()
    heading = next(line for line in lines if line.startswith("conversion"))
    assert heading.split()[:4] == ["conversion", "log_loss", "rmse", "log_loss_vs_mean"]
    assert sum(line.endswith("  yes") for line in lines) == 1
    assert any(line.startswith("plain_linear") for line in lines)


def test_evaluate_prints_every_table_of_the_recommenders(market: None) -> None:
    lines = printed("evaluate").splitlines()
    for task, title in TABLES.items():
        at = lines.index(title)
        assert lines[at + 1].startswith(task), lines[at + 1]


@pytest.mark.parametrize("split", ["last", "last-fraction"])
def test_evaluate_splits_by_time_in_two_ways(market: None, split: str) -> None:
    rows = json.loads(printed("evaluate", "--format", "json", "--split", split, "--limit", "5"))
    assert any(row["task"] == "recommend" for row in rows)


def test_evaluate_of_an_empty_platform_says_that_there_is_too_little() -> None:
    assert json.loads(printed("evaluate", "--format", "json")) == []
    text = printed("evaluate")
    for task in ("recommend", "conversion"):
        assert f"{task}: too little data to hold anything out" in text


@pytest.mark.parametrize("limit", ["0", "-3"])
def test_evaluate_refuses_a_limit_below_one(limit: str) -> None:
    with pytest.raises(CommandError, match=f"--limit must be at least 1, not {limit}"):
        printed("evaluate", f"--limit={limit}")


def test_evaluate_refuses_a_limit_that_is_no_number() -> None:
    with pytest.raises(CommandError, match="--limit"):
        printed("evaluate", "--limit", "many")
