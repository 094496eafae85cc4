"""Streams of one session that begin at the same moment, and keys made at the same moment."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from django.db import connection

from streams.broadcast import Publication, StreamRefused, admit_stream
from streams.models import Broadcast, SessionChange, StreamKey
from streams.stream_keys import new_stream_key, owner_of_key
from tests.factories import BroadcastFactory, LiveSessionFactory, SellerFactory

NOW = datetime(2026, 6, 10, 12, 0, tzinfo=UTC)
N_AT_ONCE = 8
ROUNDS = 3
pytestmark = [
    pytest.mark.mariadb(only=True),
    pytest.mark.django_db(transaction=True),
]


def at_once(call: Callable[[int], object]) -> list[object]:
    """What each of the calls returned or raised, all begun together."""
    barrier = threading.Barrier(N_AT_ONCE)
    outcomes: list[object] = []

    def run(number: int) -> None:
        try:
            barrier.wait(timeout=20)
            outcomes.append(call(number))
        except BaseException as error:  # noqa: BLE001 handed to the test as it is
            outcomes.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(N_AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return outcomes


@pytest.mark.parametrize("is_live", [False, True])
def test_of_streams_that_begin_at_once_one_is_let_in(is_live: bool) -> None:
    for _ in range(ROUNDS):
        # Of a session that runs already, no change of its status decides who came first.
        session = LiveSessionFactory(live=is_live)
        BroadcastFactory(live_session=session)
        key = new_stream_key(session.seller, moment=NOW)

        outcomes = at_once(
            lambda number, pk=session.pk, key=key: admit_stream(
                pk, key=key, publication=Publication(7, number), moment=NOW
            )
        )

        assert [outcome for outcome in outcomes if outcome is None] == [None]
        refused = [outcome for outcome in outcomes if outcome is not None]
        assert all(isinstance(outcome, StreamRefused) for outcome in refused), refused
        assert Broadcast.objects.get(pk=session.pk).n_drops == 0
        assert SessionChange.objects.filter(live_session=session).count() == int(not is_live)


def test_of_keys_made_at_once_one_is_valid() -> None:
    for _ in range(ROUNDS):
        seller = SellerFactory()

        secrets = at_once(lambda _number, seller=seller: new_stream_key(seller, moment=NOW))

        assert [owner_of_key(str(secret)) for secret in secrets].count(seller.pk) == 1
        assert StreamKey.objects.filter(seller=seller).count() == N_AT_ONCE
