"""Many buyers at once over HTTP, in one process that hardly costs anything.

Run as a program: reads {"host", "port", "course", "tokens", "n_at_once"} as JSON from its standard
input and prints {"seconds", "times", "statuses"} to its standard output.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
import uuid
from collections import Counter
from typing import Any

import uvloop

CONTENT_LENGTH = b"content-length:"


class Connection:
    """One kept connection to the server."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self.reader: asyncio.StreamReader | None = None
        self.writer: asyncio.StreamWriter | None = None

    async def post(
        self, path: str, token: str, body: dict[str, Any], key: str = ""
    ) -> tuple[int, bytes]:
        """Send one request and return its status and body; connect again when that was closed."""
        data = json.dumps(body).encode()
        head = [
            f"POST {path} HTTP/1.1",
            f"Host: {self.host}:{self.port}",
            f"Authorization: Bearer {token}",
            "Content-Type: application/json",
            f"Content-Length: {len(data)}",
        ]
        if key:
            head.append(f"Idempotency-Key: {key}")
        message = "\r\n".join([*head, "", ""]).encode() + data
        for _ in range(2):
            if self.writer is None:
                self.reader, self.writer = await asyncio.open_connection(self.host, self.port)
            assert self.reader is not None
            try:
                self.writer.write(message)
                await self.writer.drain()
                return await self._answer(self.reader)
            except (ConnectionError, asyncio.IncompleteReadError):
                # The server closes connections that it has kept long enough; the key makes
                # sending again safe.
                self.writer.close()
                self.writer = None
        raise ConnectionError(path)

    async def _answer(self, reader: asyncio.StreamReader) -> tuple[int, bytes]:
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        status = int(lines[0].split()[1])
        length = next(
            int(line[len(CONTENT_LENGTH) :]) for line in lines if line.startswith(CONTENT_LENGTH)
        )
        body = await reader.readexactly(length)
        if b"connection: close" in lines and self.writer is not None:
            self.writer.close()
            self.writer = None
        return status, body


async def run(job: dict[str, Any]) -> dict[str, Any]:
    """All buyers order and pay once, `n_at_once` at any moment."""
    waiting = list(job["tokens"])
    times: list[float] = []
    statuses: Counter[str] = Counter()

    async def timed(name: str, connection: Connection, *request: Any) -> bytes:
        began = time.perf_counter()
        status, body = await connection.post(*request)
        times.append(time.perf_counter() - began)
        statuses[f"{name} {status}"] += 1
        return body

    async def buy() -> None:
        connection = Connection(job["host"], job["port"])
        while waiting:
            token = waiting.pop()
            wanted = {"items": [job["course"]]}
            answer = await timed(
                "order", connection, "/api/v1/orders/", token, wanted, str(uuid.uuid4())
            )
            if (order := json.loads(answer).get("id")) is not None:
                how = {"provider": "sandbox", "outcome": "success"}
                await timed("pay", connection, f"/api/v1/orders/{order}/pay/", token, how)

    began = time.perf_counter()
    await asyncio.gather(*(buy() for _ in range(job["n_at_once"])))
    return {"seconds": time.perf_counter() - began, "times": times, "statuses": statuses}


if __name__ == "__main__":
    print(json.dumps(uvloop.run(run(json.load(sys.stdin)))))
