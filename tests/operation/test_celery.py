"""Background jobs as they run: real workers, a real scheduler, both kinds of broker."""

from __future__ import annotations

import fcntl
import json
import shelve
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from celery import Celery
from celery.schedules import crontab
from django.conf import settings

from livecourse.celery import app
from tests.operation.processes import BIN, environment, eventually, manage, started, worker


def send(task: str, *, env: dict[str, str], n: int = 1, **options: object) -> None:
    """Put n messages of an analytics task into the queue of that platform."""
    embedded = f"sqla+sqlite:///{env['VAR_DIR']}/broker.sqlite3"
    with Celery(broker=env.get("CELERY_BROKER_URL", embedded)) as sender:
        for _ in range(n):
            sender.send_task(f"analytics.{task}", **options)


def rows(folder: Path, question: str) -> list[tuple]:
    """The answer of the platform's database to a question."""
    database = sqlite3.connect(f"file:{folder}/livecourse.sqlite3?mode=ro", uri=True)
    try:
        return database.execute(question).fetchall()
    finally:
        database.close()


def outcomes(folder: Path, task: str) -> list[str]:
    """The outcome of every run of the task, oldest first."""
    question = f"SELECT outcome FROM analytics_modelrun WHERE task = '{task}' ORDER BY id"
    return [outcome for (outcome,) in rows(folder, question)]


@pytest.fixture(scope="module")
def market(tmp_path_factory) -> Path:
    """A small market in a database of its own, about which nothing is computed yet."""
    folder = tmp_path_factory.mktemp("market")
    env = environment(folder)
    manage("migrate", "--verbosity", "0", env=env)
    size = ["--users", "60", "--courses", "40", "--sessions", "20"]
    manage("sample_market", *size, env=env)
    return folder


@pytest.fixture
def folder(market, tmp_path) -> Path:
    """A copy of that market for one test."""
    source = sqlite3.connect(market / "livecourse.sqlite3")
    copy = sqlite3.connect(tmp_path / "livecourse.sqlite3")
    source.backup(copy)
    source.close()
    copy.close()
    return tmp_path


@pytest.fixture(params=["embedded", "redis"])
def env(request, folder) -> Iterator[dict[str, str]]:
    """The environment of a platform on the embedded broker, and of one on Redis."""
    if request.param == "redis":
        url = request.getfixturevalue("redis_url")
        yield environment(folder, CELERY_BROKER_URL=url)
    else:
        yield environment(folder)


def test_a_worker_runs_each_message_and_a_second_one_changes_no_row(folder, env) -> None:
    log = folder / "worker.log"
    table = (
        "SELECT user_id, n_active_days, longest_run, current_streak, first_day, last_day "
        "FROM analytics_userretention ORDER BY user_id"
    )
    with worker(env=env, log=log):
        send("retention", env=env)
        eventually(lambda: outcomes(folder, "retention") == ["served"], what="a run", log=log)
        once = rows(folder, table)
        send("retention", env=env)
        eventually(
            lambda: outcomes(folder, "retention") == ["served"] * 2, what="a second run", log=log
        )

    assert len(once) > 20
    assert rows(folder, table) == once


def test_what_another_process_is_computing_is_left_to_it(folder) -> None:
    env = environment(folder)
    log, other_log = folder / "one.log", folder / "two.log"
    (folder / "locks").mkdir()

    def refusals() -> int:
        said = "left to the process that is at it already"
        return log.read_text().count(said) + other_log.read_text().count(said)

    with worker(env=env, log=log), worker(env=env, log=other_log):
        with (folder / "locks" / "run-retention").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            send("retention", n=4, env=env)
            eventually(lambda: refusals() == 4, what="all are left to this process", log=log)
            assert outcomes(folder, "retention") == []
        send("retention", env=env)
        eventually(lambda: outcomes(folder, "retention") == ["served"], what="a run", log=log)


def test_what_waits_survives_a_killed_worker_and_what_expired_is_not_run(folder) -> None:
    env, log = environment(folder), folder / "worker.log"
    send("profiles", n=30, env=env, expires=-1)
    send("retention", env=env)
    with worker(env=env, log=log) as process:
        eventually(lambda: outcomes(folder, "retention"), what="the good task ran", log=log)
        process.send_signal(signal.SIGSTOP)
        send("figures", env=env)
        process.kill()
    assert outcomes(folder, "figures") == []

    with worker(env=env, log=log):
        eventually(lambda: outcomes(folder, "figures"), what="the waiting task ran", log=log)

    assert outcomes(folder, "profiles") == []


def test_a_task_that_takes_too_long_stops_and_its_run_says_so(folder) -> None:
    env = environment(folder, TASK_TIME_LIMIT_SECONDS="1")
    log = folder / "worker.log"
    slow = folder / "sitecustomize.py"
    # Reading events takes for ever in this worker.
    slow.write_text(
        "import importlib.abc, sys, time\n"
        "class Slow(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'analytics.tasks':\n"
        "            sys.meta_path.remove(self)\n"
        "            from analytics.pipelines import retention\n"
        "            retention.frames.event_frame = lambda **_: time.sleep(600)\n"
        "sys.meta_path.insert(0, Slow())\n"
    )
    with worker(env={**env, "PYTHONPATH": str(folder)}, log=log):
        send("retention", env=env)
        eventually(
            lambda: outcomes(folder, "retention") == ["failed"], what="the run failed", log=log
        )

    [(message,)] = rows(folder, "SELECT message FROM analytics_modelrun WHERE task = 'retention'")
    assert "SoftTimeLimitExceeded" in message


def test_the_embedded_broker_keeps_no_message_that_was_taken(folder) -> None:
    env = environment(folder)
    log = folder / "worker.log"

    def kept() -> list[tuple]:
        broker = sqlite3.connect(folder / "broker.sqlite3")
        try:
            return broker.execute(
                "SELECT visible, count(*) FROM kombu_message GROUP BY 1"
            ).fetchall()
        finally:
            broker.close()

    with worker(env=env, log=log):
        send("figures", n=3, env=env)
        eventually(lambda: len(outcomes(folder, "figures")) == 3, what="three runs", log=log)
    # This is why the task exists.
    assert kept() == [(0, 3)]

    tidy = "from livecourse.celery import tidy_broker; print(tidy_broker())"
    assert manage("shell", "--no-imports", "-c", tidy, env=env).strip() == "3"

    assert kept() == []


def test_the_scheduler_starts_and_sends_what_became_due_while_it_was_down(tmp_path) -> None:
    env, log = environment(tmp_path), tmp_path / "beat.log"
    beat = [f"{BIN}/celery", "-A", "livecourse", "beat", "--loglevel", "DEBUG"]
    with started(beat, env=env, log=log):
        # Said once the schedule lies in its file; a beat that ends earlier leaves half of it.
        ticking = "beat: Ticking with max interval"
        eventually(lambda: ticking in log.read_text(), what="beat is up", log=log)
    with shelve.open(str(tmp_path / "beat-schedule"), writeback=True) as schedule:
        assert set(settings.CELERY_BEAT_SCHEDULE) <= set(schedule["entries"])
        assert "Sending due task" not in log.read_text()
        for entry in schedule["entries"].values():
            entry.last_run_at -= timedelta(days=2)

    with started(beat, env=env, log=log):
        for name in settings.CELERY_BEAT_SCHEDULE:
            said = f"Sending due task {name} "
            eventually(lambda: said in log.read_text(), what=said, log=log)  # noqa: B023

    broker = sqlite3.connect(tmp_path / "broker.sqlite3")
    messages = [json.loads(text) for (text,) in broker.execute("SELECT payload FROM kombu_message")]
    broker.close()
    # Once each, however often it was due, and each with an end.
    sent = sorted(message["headers"]["task"] for message in messages)
    ours = {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    assert [task for task in sent if task in ours] == sorted(ours)
    assert all(m["headers"]["expires"] for m in messages if m["headers"]["task"] in ours)


def test_every_scheduled_name_is_a_task() -> None:
    app.loader.import_default_modules()
    scheduled = {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}

    assert scheduled <= set(app.tasks)
    # And none of ours is forgotten by the schedule.
    assert {name for name in app.tasks if name.startswith("analytics.")} <= scheduled


@pytest.mark.parametrize("name", settings.CELERY_BEAT_SCHEDULE)
def test_a_message_expires_before_the_next_of_its_kind_is_sent(name) -> None:
    entry = settings.CELERY_BEAT_SCHEDULE[name]
    every = entry["schedule"]
    if isinstance(every, crontab):
        every = timedelta(days=1) if len(every.hour) == 1 else timedelta(hours=1)

    assert timedelta(seconds=0) < timedelta(seconds=entry["options"]["expires"]) < every


def test_redis_waits_longer_than_any_task_may_take(tmp_path) -> None:
    code = (
        "from livecourse.celery import app; c = app.conf; "
        "print(c.task_time_limit, c.visibility_timeout, "
        "c.broker_transport_options['visibility_timeout'], "
        "c.result_backend_transport_options['visibility_timeout'])"
    )
    env = environment(
        tmp_path, CELERY_BROKER_URL="redis://127.0.0.1:1/0", TASK_TIME_LIMIT_SECONDS="20000"
    )
    limit, *waits = map(int, manage("shell", "--no-imports", "-c", code, env=env).split())

    assert limit > 20000
    assert len(set(waits)) == 1
    assert waits[0] > limit


def test_a_second_worker_of_the_embedded_broker_does_not_share_a_connection(tmp_path) -> None:
    """A child that took over the parent's SQLite connection could spoil the file."""
    code = (
        "from livecourse.celery import app, leave_inherited_connections\n"
        "from kombu.transport.sqlalchemy import Channel\n"
        "app.connection_for_write().default_channel.session\n"
        "assert Channel._engines\n"
        "leave_inherited_connections()\n"
        "print(len(Channel._engines))"
    )
    done = subprocess.run(
        [f"{BIN}/python", "manage.py", "shell", "--no-imports", "-c", code],
        cwd=Path(settings.BASE_DIR),
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.strip() == "0", done.stderr
