"""kill -9 of the web server, of the worker and of the database while people buy.

Each buyer does what an app does: it sends the same request again until it is answered.
"""

from __future__ import annotations

import asyncio
import json
import random
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from celery import Celery

from tests import servers
from tests.concurrency.buyers import Answer, Request, in_own_loop, order, pay, send
from tests.concurrency.referee import Ask, broken_promises, lost_orders
from tests.concurrency.shop import is_up, shop_environment, web_command
from tests.conftest import IS_LONG, missing
from tests.faults.killable import Killable, KillableDatabase, KillableWorker
from tests.operation.processes import ROOT, manage

SEED = 20_260_107
N_AT_ONCE = 8
PATIENCE_SECONDS = 60
# What the clock sends, here every half second.
JOBS = [
    "catalog.expire_orders",
    "catalog.check_payments",
    "catalog.deliver_sandbox_notices",
    "catalog.send_refunds",
]
LAST_ROUND = """
from datetime import timedelta
from django.utils import timezone
from catalog.payments.overdue import expire_due_orders
from catalog.payments.registry import provider_named
from catalog.payments.sandbox import deliver_notices
later = timezone.now() + timedelta(hours=3)
while expire_due_orders(moment=later) + deliver_notices(provider_named("sandbox"), moment=later):
    pass
"""


@dataclass(frozen=True)
class Ordeal:
    """So many buyers, and how often each server is killed meanwhile."""

    n_buyers: int
    n_kills: int


ON_MARIADB = Ordeal(n_buyers=500, n_kills=20 if IS_LONG else 6)
# There the database is a part of the processes that are killed, and nothing else is different.
ON_SQLITE = Ordeal(n_buyers=500, n_kills=20) if IS_LONG else Ordeal(n_buyers=100, n_kills=3)


class Crowd:
    """Buyers who do not give up; `acknowledged` are their orders' public ids, by their number."""

    def __init__(self, *, port: int, course: int, tokens: Sequence[str]) -> None:
        self.port, self.course, self.tokens = port, course, tokens
        self.acknowledged: dict[int, str] = {}
        self.paid: set[str] = set()
        self.interruptions: Counter[str] = Counter()

    def buy(self, number: int) -> None:
        """Order and pay. Every tenth buyer leaves before, another one in the middle of it."""
        token = self.tokens[number]
        placed = self._until_answered(order(token, [self.course], key=f"key-{number}"))
        assert placed.status == 201, placed
        public_id = self.acknowledged[number] = placed.told["id"]
        outcomes = {0: [], 1: ["timeout"], 2: ["decline", "success"]}.get(number % 10, ["success"])
        for outcome in outcomes:
            answer = self._until_answered(pay(token, public_id, outcome=outcome))
            assert answer.status == 200, answer
        if outcomes[-1:] == ["success"]:
            assert answer.told["status"] == "paid"
            self.paid.add(public_id)

    def _until_answered(self, request: Request) -> Answer:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            try:
                answer = in_own_loop(send(request, port=self.port, patience=20))
            except (OSError, asyncio.IncompleteReadError) as error:
                self.interruptions[type(error).__name__] += 1
            else:
                if answer.status < 500:
                    return answer
                self.interruptions[str(answer.status)] += 1
            time.sleep(0.1)
        raise AssertionError(f"not answered in time: {request.path}")


@contextmanager
def clock(env: dict[str, str]) -> Iterator[None]:
    """Sends the jobs that the scheduler sends, much more often."""
    is_over = threading.Event()

    def tick() -> None:
        with Celery(broker=f"sqla+sqlite:///{env['VAR_DIR']}/broker.sqlite3") as sender:
            while not is_over.wait(0.5):
                for job in JOBS:
                    sender.send_task(job, expires=30)

    thread = threading.Thread(target=tick)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def buy_while_killing(
    ordeal: Ordeal, folder: Path, *, database_url: str, ask: Ask, database: Killable | None = None
) -> dict[str, int]:
    """Checkouts with kills in between, and what must be so afterwards; the kills by name."""
    choice = random.Random(SEED)
    port = servers.free_port()
    env = shop_environment(
        folder,
        database_url=database_url,
        SITE_URL=f"http://127.0.0.1:{port}",
        # Most of a restart is each process loading the platform.
        WEB_PROCESSES="2" if IS_LONG else "1",
    )
    manage("migrate", "--verbosity", "0", env=env)
    if database is not None:
        ask("SET GLOBAL innodb_flush_log_at_trx_commit = 1")
    world = subprocess.run(
        [sys.executable, "-m", "tests.concurrency.world", *[str(ordeal.n_buyers)] * 2],
        cwd=ROOT,
        env=env,
        check=True,
        capture_output=True,
        text=True,
    )
    crowd = Crowd(port=port, **json.loads(world.stdout))
    web = Killable(web_command(port), env=env, log=folder / "web.log", is_up=lambda: is_up(port))
    worker = KillableWorker(env=env, log=folder / "worker.log")
    victims = {"web": web, "worker": worker} | ({"database": database} if database else {})
    plan = list(victims) * ordeal.n_kills
    choice.shuffle(plan)
    try:
        for server in (web, worker):
            server.start()
            server.wait()
        with clock(env), ThreadPoolExecutor(N_AT_ONCE) as pool:
            bought: list[Future] = []
            for n, name in enumerate(plan, start=1):
                victims[name].wait()
                # So many go on their way, and somewhere on it the server dies.
                upto = ordeal.n_buyers * n // len(plan)
                bought += [pool.submit(crowd.buy, number) for number in range(len(bought), upto)]
                time.sleep(choice.uniform(0.05, 0.7))
                victims[name].kill()
                victims[name].start()
            for one in bought:
                one.result()
        for server in victims.values():
            server.wait()
        worker.end()
        manage("shell", "--no-imports", "-c", LAST_ROUND, env=env)
    finally:
        for server in victims.values():
            if server is not database:
                server.end()
    assert crowd.interruptions
    check_books(crowd, ask, n=ordeal.n_buyers)
    return {name: server.n_kills for name, server in victims.items()}


def check_books(crowd: Crowd, ask: Ask, *, n: int) -> None:
    """Every order that somebody was told of is there, once, and has ended."""
    told = set(crowd.acknowledged.values())
    assert len(told) == n
    assert lost_orders(ask, told) == set()
    status = {
        str(public_id).replace("-", ""): status
        for public_id, status in ask("SELECT public_id, status FROM catalog_order")
    }
    assert len(status) == n
    paid = {public_id for public_id, is_so in status.items() if is_so == "paid"}
    assert paid == {public_id.replace("-", "") for public_id in crowd.paid}
    assert len(paid) == n * 8 // 10
    assert set(status.values()) == {"paid", "expired"}
    assert ask("SELECT id FROM catalog_sandboxnotice WHERE delivered_at IS NULL") == []
    assert broken_promises(ask) == {}


@pytest.mark.mariadb(only=True)
def test_no_order_is_lost_or_doubled_when_web_worker_and_mariadb_are_killed(tmp_path) -> None:
    try:
        with servers.mariadb(is_durable=True) as url:
            database = KillableDatabase(url, log=tmp_path / "mariadb.log")
            # Only for the tables, before anybody buys.
            database.ask("SET GLOBAL innodb_flush_log_at_trx_commit = 0")
            try:
                kills = buy_while_killing(
                    ON_MARIADB, tmp_path, database_url=url, ask=database.ask, database=database
                )
                assert database.ask("SELECT @@innodb_flush_log_at_trx_commit") == [(1,)]
            finally:
                database.end()
    except servers.ServerMissing as error:
        missing(str(error))

    assert kills == dict.fromkeys(["web", "worker", "database"], ON_MARIADB.n_kills)


def test_no_order_is_lost_or_doubled_when_web_and_worker_are_killed_on_sqlite(tmp_path) -> None:
    path = tmp_path / "livecourse.sqlite3"

    def ask(question: str) -> list[tuple]:
        database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            return database.execute(question).fetchall()
        finally:
            database.close()

    kills = buy_while_killing(ON_SQLITE, tmp_path, database_url=f"sqlite:///{path}", ask=ask)

    assert kills == dict.fromkeys(["web", "worker"], ON_SQLITE.n_kills)
