"""Many clients at once over real HTTP, each on a connection of its own, from one process.

Plain sockets under asyncio: a thousand of them cost the two cores less than one answer does.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Coroutine, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")

# A server that is overwhelmed answers late; one that never answers has lost the request.
PATIENCE_SECONDS = 60


@dataclass(frozen=True)
class Request:
    """One POST: where, what, and which headers besides the usual ones."""

    path: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)

    def encoded(self, port: int) -> bytes:
        """The bytes that go over the wire."""
        headers = {
            "Host": f"127.0.0.1:{port}",
            "Content-Type": "application/json",
            "Content-Length": str(len(self.body)),
            "Connection": "close",
            **self.headers,
        }
        lines = [f"POST {self.path} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items()), "", ""]
        return "\r\n".join(lines).encode() + self.body


@dataclass(frozen=True)
class Answer:
    """What came back, and after how many seconds since the connection was begun."""

    status: int
    body: bytes
    seconds: float

    @property
    def told(self) -> Any:
        """The body of an answer of the API."""
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """What a program can test: the status, and of a refusal the code of its first error."""
        if self.status < 400:
            return str(self.status)
        try:
            return f"{self.status} {self.told['errors'][0]['code']}"
        except (ValueError, KeyError, IndexError):
            return f"{self.status} {self.body[:80]!r}"


def order(token: str, courses: Sequence[int], *, key: str, **more: object) -> Request:
    """The click on "buy"."""
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": key}
    return Request(
        "/api/v1/orders/", json.dumps({"items": list(courses), **more}).encode(), headers
    )


def pay(token: str, order_id: str, *, outcome: str = "success") -> Request:
    """The payment of an order in the sandbox."""
    body = json.dumps({"provider": "sandbox", "outcome": outcome}).encode()
    return Request(f"/api/v1/orders/{order_id}/pay/", body, {"Authorization": f"Bearer {token}"})


def at_once(requests: Iterable[Request], *, port: int, most: int = 2000) -> list[Answer]:
    """Send all requests, at most `most` at any moment; the answers in the same order.

    None is sent twice. Raises OSError, IncompleteReadError or TimeoutError for one that is not
    answered.
    """

    async def run() -> list[Answer]:
        free = asyncio.Semaphore(most)

        async def one(request: Request) -> Answer:
            async with free:
                return await send(request, port=port)

        return await asyncio.gather(*(one(request) for request in requests))

    return in_own_loop(run())


def in_own_loop(work: Coroutine[Any, Any, T]) -> T:
    """Do it in a thread of its own: a browser of other tests keeps a loop running in this one."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(asyncio.run, work).result()


async def send(request: Request, *, port: int, patience: float = PATIENCE_SECONDS) -> Answer:
    """Send one request on a connection of its own and wait for the whole answer."""
    began = time.perf_counter()
    async with asyncio.timeout(patience):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(request.encoded(port))
            status, body = await _answer(reader)
        finally:
            writer.close()
    return Answer(status, body, time.perf_counter() - began)


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    lines = (await reader.readuntil(b"\r\n\r\n")).lower().split(b"\r\n")
    headers = dict(line.partition(b": ")[::2] for line in lines[1:] if line)
    body = await reader.readexactly(int(headers[b"content-length"]))
    return int(lines[0].split()[1]), body


def leave_at_once(requests: Iterable[Request], *, port: int) -> None:
    """Send all requests and break every connection without waiting for an answer."""

    async def one(request: Request) -> None:
        _reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request.encoded(port))
        await writer.drain()
        # Resets the connection instead of ending it, as a phone in a tunnel does.
        writer.transport.abort()

    async def run() -> None:
        await asyncio.gather(*(one(request) for request in requests))

    in_own_loop(run())


def codes(answers: Iterable[Answer]) -> Counter[str]:
    """How often each code was answered."""
    return Counter(answer.code for answer in answers)


def percentile(answers: Sequence[Answer], share: float) -> float:
    """The seconds after which that share of the answers had come."""
    seconds = sorted(answer.seconds for answer in answers)
    return seconds[min(int(share * len(seconds)), len(seconds) - 1)]
