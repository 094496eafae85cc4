"""Apps that ask for recommendations as fast as they are answered, in one process that costs little.

Run as a program: reads {"host", "port", "path", "tokens", "n_at_once", "seconds"} as JSON from its
standard input and prints {"seconds", "times", "statuses"} to its standard output.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import time
from collections import Counter
from typing import Any

import uvloop

from bench.checkout_load import Connection


class Reader(Connection):
    """One kept connection to the server that asks and asks again."""

    async def get(self, path: str, token: str) -> tuple[int, bytes]:
        """Send one request and return its status and body; connect again when that was closed."""
        message = (
            f"GET {path} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\n"
            f"Accept-Language: en\r\nAuthorization: Bearer {token}\r\n\r\n"
        ).encode()
        for _ in range(2):
            if self.writer is None:
                self.reader, self.writer = await asyncio.open_connection(self.host, self.port)
            assert self.reader is not None
            try:
                self.writer.write(message)
                return await self._answer(self.reader)
            except (ConnectionError, asyncio.IncompleteReadError):
                self.writer.close()
                self.writer = None
        raise ConnectionError(path)


async def run(job: dict[str, Any]) -> dict[str, Any]:
    """`n_at_once` apps ask for some seconds, each time as another person."""
    people = itertools.cycle(job["tokens"])
    times: list[float] = []
    statuses: Counter[int] = Counter()
    until = time.perf_counter() + job["seconds"]

    async def ask() -> None:
        reader = Reader(job["host"], job["port"])
        while (began := time.perf_counter()) < until:
            status, _body = await reader.get(job["path"], next(people))
            times.append(time.perf_counter() - began)
            statuses[status] += 1

    began = time.perf_counter()
    await asyncio.gather(*(ask() for _ in range(job["n_at_once"])))
    return {"seconds": time.perf_counter() - began, "times": times, "statuses": statuses}


if __name__ == "__main__":
    print(json.dumps(uvloop.run(run(json.load(sys.stdin)))))
