"""How many requests the API takes from one person or address, counted by processes together."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator

import pytest
from django.core.cache import cache
from django.core.cache.backends.redis import RedisCache
from redis.exceptions import ConnectionError as RedisAway
from rest_framework.test import APIClient

from accounts.tokens import tokens_of
from livecourse import request_rates
from livecourse.request_rates import (
    LARGEST_SHARE,
    REST_SECONDS,
    OfAddress,
    OfPerson,
    RequestCounts,
)
from tests.factories import UserFactory

NOON = 1_800_000_000.0


class Clock:
    now = NOON

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["in memory", "redis"])
def shared_cache(request, monkeypatch) -> Iterator[None]:
    if request.param == "redis":
        held = RedisCache(request.getfixturevalue("redis_url"), {})
        held.clear()
        monkeypatch.setattr(request_rates, "cache", held)
    yield


def let_through(counts: RequestCounts, n: int, *, limit: int = 100, key: str = "ann") -> int:
    return sum(counts.count(key, limit=limit, seconds=60) is None for _ in range(n))


class TestCounts:
    @pytest.mark.parametrize("limit", [1, 3, 19, 20, 100, 1_000])
    def test_one_process_lets_through_the_limit_and_no_more(self, limit, clock) -> None:
        counts = RequestCounts(clock=clock)
        assert let_through(counts, limit + 5, limit=limit) == limit

    def test_what_is_too_much_waits_for_the_next_window(self, clock) -> None:
        counts = RequestCounts(clock=clock)
        let_through(counts, 100)
        clock.now += 13.5
        assert counts.count("ann", limit=100, seconds=60) == pytest.approx(46.5)
        clock.now += 46.5
        assert let_through(counts, 105) == 100

    def test_each_is_counted_apart(self, clock) -> None:
        counts = RequestCounts(clock=clock)
        let_through(counts, 100)
        assert counts.count("ben", limit=100, seconds=60) is None

    @pytest.mark.usefixtures("shared_cache")
    @pytest.mark.parametrize("limit", [4, 100, 2_000])
    def test_processes_together_let_through_a_share_each_more_at_most(self, limit, clock) -> None:
        share = max(1, min(limit // 20, LARGEST_SHARE))
        processes = [RequestCounts(clock=clock) for _ in range(3)]
        n = 0
        for _ in range(2 * limit):
            n += sum(let_through(one, 1, limit=limit) for one in processes)
        assert limit <= n <= limit + 3 * share

    @pytest.mark.usefixtures("shared_cache")
    def test_what_others_counted_in_the_last_window_is_over(self, clock) -> None:
        let_through(RequestCounts(clock=clock), 100)
        clock.now += 60
        assert let_through(RequestCounts(clock=clock), 105) == 100

    def test_threads_of_a_process_let_through_the_limit_and_no_more(self, clock) -> None:
        class Yielding(dict):
            """Lets another thread run where one has looked and not yet written."""

            def get(self, key: str) -> object:
                found = super().get(key)
                time.sleep(0)
                return found

        counts = RequestCounts(clock=clock, _counts=Yielding())
        begin, n = threading.Barrier(8), []

        def ask() -> None:
            begin.wait()
            n.extend(let_through(counts, 1, limit=4, key=str(place)) for place in range(500))

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(n) == 4 * 500

    def test_a_count_that_comes_late_from_the_cache_takes_nothing_back(
        self, clock, monkeypatch
    ) -> None:
        counts = RequestCounts(clock=clock)

        def late(*_args: object, **_kwargs: object) -> bool:
            # While it is on its way, another thread is through with the rest.
            monkeypatch.undo()
            let_through(counts, 100)
            return True

        monkeypatch.setattr(cache, "add", late)
        let_through(counts, 5)
        assert let_through(counts, 1) == 0

    def test_a_clock_that_is_set_back_begins_no_window_again(self, clock) -> None:
        counts = RequestCounts(clock=clock)
        let_through(counts, 100)
        clock.now -= 30
        assert counts.count("ann", limit=100, seconds=60) == pytest.approx(90)
        clock.now += 30
        assert let_through(counts, 1) == 0

    def test_the_cache_is_told_once_for_a_share(self, clock, monkeypatch) -> None:
        told = []
        monkeypatch.setattr(
            RequestCounts, "_tell", lambda _self, _count, _key, n, *, seconds: told.append(n)
        )
        let_through(RequestCounts(clock=clock), 99)
        assert told == [5] * 19

    @pytest.mark.parametrize("error", [RedisAway("refused"), OSError("no route")])
    def test_while_the_cache_is_away_a_process_keeps_the_limit_by_itself(
        self, error, clock, monkeypatch, caplog
    ) -> None:
        asked = []

        def away(*_args: object, **_kwargs: object) -> None:
            asked.append(clock.now)
            raise error

        monkeypatch.setattr(cache, "add", away)
        counts = RequestCounts(clock=clock)
        with caplog.at_level(logging.WARNING):
            assert let_through(counts, 105) == 100
        assert "counted by each process alone" in caplog.text
        # It is left alone for a while: one that hangs would hold up each of these.
        assert len(asked) == 1
        clock.now += REST_SECONDS
        let_through(counts, 5, key="ben")
        assert len(asked) == 2

    def test_a_count_that_ran_out_under_it_is_no_fault(self, clock, monkeypatch) -> None:
        monkeypatch.setattr(cache, "add", lambda *_args, **_kwargs: False)
        assert let_through(RequestCounts(clock=clock), 105) == 100

    def test_what_is_counted_at_a_time_is_bounded(self, clock, monkeypatch) -> None:
        monkeypatch.setattr(request_rates, "MOST_COUNTED", 10)
        counts = RequestCounts(clock=clock)
        for number in range(35):
            let_through(counts, 1, key=str(number))
        assert len(counts._counts) <= 10


@pytest.mark.django_db
class TestApi:
    @pytest.fixture(autouse=True)
    def few(self, monkeypatch) -> None:
        monkeypatch.setattr(OfAddress, "rate", "3/min", raising=False)
        monkeypatch.setattr(OfPerson, "rate", "4/min", raising=False)
        monkeypatch.setattr(request_rates, "_counts", RequestCounts(clock=Clock()))

    def test_an_address_is_refused_after_its_limit_and_told_when_to_come(self) -> None:
        client = APIClient()
        answers = [client.get("/api/v1/courses/") for _ in range(4)]
        assert [one.status_code for one in answers] == [200, 200, 200, 429]
        assert 0 < int(answers[-1]["Retry-After"]) <= 60
        assert answers[-1].json()["errors"][0]["code"] == "throttled"
        elsewhere = client.get("/api/v1/courses/", REMOTE_ADDR="192.0.2.1")
        assert elsewhere.status_code == 200

    def test_a_person_has_a_limit_of_their_own_wherever_they_are(self) -> None:
        client, people = APIClient(), UserFactory.create_batch(2)
        statuses = []
        for place in range(5):
            token = tokens_of(people[0])["access"]
            answer = client.get(
                "/api/v1/me/",
                headers={"Authorization": f"Bearer {token}"},
                REMOTE_ADDR=f"192.0.2.{place}",
            )
            statuses.append(answer.status_code)
        assert statuses == [200] * 4 + [429]
        other = tokens_of(people[1])["access"]
        answer = client.get("/api/v1/me/", headers={"Authorization": f"Bearer {other}"})
        assert answer.status_code == 200

    def test_without_a_limit_nobody_is_refused(self, monkeypatch) -> None:
        monkeypatch.setattr(OfAddress, "rate", None)
        monkeypatch.setattr(OfAddress, "THROTTLE_RATES", {"anon": None})
        monkeypatch.setattr(OfPerson, "rate", "100/min")
        client = APIClient()
        assert {client.get("/api/v1/courses/").status_code for _ in range(9)} == {200}
