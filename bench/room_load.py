"""The sockets of one live room, in a process of their own, and what they cost a server.

Run as a program: reads a job (see `Job`) as JSON from its standard input, prints what was seen.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any

import uvloop

from bench.room_sockets import Seen, ViewerSocket, handshake

TICKS = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
TEXT = "How long does the lesson on pouring take, and what do I need at home?"
# Opened at once: a server that is busy with all handshakes together drops some.
N_OPENING = 20
N_WARM = 20
BEAT_EVERY_SECONDS = 15
# A server takes 8 messages in 2 seconds of one socket.
PAUSE_SECONDS = 0.27
N_FLOOD = 300_000
SETTLE_SECONDS = 2.0
PATIENCE_SECONDS = 60


@dataclass(frozen=True)
class Job:
    """`cookie` signs those in who write, `n_writers` among the `n_sockets`.

    `pid`: the process of the server. `rate`: messages a second while they are timed.
    """

    port: int
    session: int
    pid: int
    cookie: str
    n_writers: int
    n_sockets: int
    rate: float
    seconds: float


@dataclass
class Room:
    """All sockets in the room, and what they got."""

    seen: Seen
    sockets: list[ViewerSocket]
    # Those who write, and the event of their next acknowledgement.
    writers: list[tuple[ViewerSocket, asyncio.Event]]


@dataclass(frozen=True)
class Count:
    """One moment's counters: of what was received, and of processor seconds."""

    at: float
    n_frames: int
    n_messages: int
    n_bytes: int
    server: float
    client: float


async def run(job: Job) -> dict[str, Any]:
    async with _entered(job, N_WARM):
        await asyncio.sleep(SETTLE_SECONDS)
    await asyncio.sleep(SETTLE_SECONDS)
    before = memory_of(job.pid)
    began = time.perf_counter()
    async with _entered(job, job.n_sockets) as room:
        entered = time.perf_counter() - began
        await asyncio.sleep(SETTLE_SECONDS)
        per_socket = (memory_of(job.pid) - before) / job.n_sockets
        idle = await _over(job, room, asyncio.sleep)
        timed = await _time(job, room)
        chat = await _over(job, room, lambda seconds: _write(room, seconds))
        flood = await _over(job, room, lambda _seconds: _flood(job, room))
        if room.seen.refused or room.seen.n_closed:
            raise RuntimeError(f"refused {room.seen.refused}, closed {room.seen.n_closed}")
    return {
        "enter_seconds": entered,
        "socket_bytes": per_socket,
        "idle": idle,
        "latency": timed,
        "chat": chat,
        "flood": flood,
    }


@asynccontextmanager
async def _entered(job: Job, n_sockets: int) -> AsyncIterator[Room]:
    """So many sockets in the room, each greeted."""
    room = Room(Seen(), [], [])
    opening = asyncio.Semaphore(N_OPENING)

    async def enter(place: int) -> None:
        is_writer = place < job.n_writers
        acknowledged = asyncio.Event() if is_writer else None
        said = handshake(
            port=job.port, path=f"/ws/live/{job.session}/", cookie=job.cookie if is_writer else ""
        )
        async with opening, asyncio.timeout(PATIENCE_SECONDS):
            _transport, socket = await asyncio.get_running_loop().create_connection(
                lambda: ViewerSocket(room.seen, handshake=said, on_ack=acknowledged),
                "127.0.0.1",
                job.port,
            )
            await socket.greeted
        room.sockets.append(socket)
        if acknowledged is not None:
            room.writers.append((socket, acknowledged))

    await asyncio.gather(*(enter(place) for place in range(n_sockets)))
    try:
        yield room
    finally:
        for socket in room.sockets:
            socket.transport.close()


async def _time(job: Job, room: Room) -> dict[str, float]:
    """Milliseconds from sending a message to each receipt, while viewers tell that they watch."""
    seen = room.seen
    seen.is_timing = True
    n_messages = int(job.rate * job.seconds)
    began, first = time.perf_counter(), len(seen.sent_at)
    n_beats = 0
    for place in range(n_messages):
        due = began + place / job.rate
        while (now := time.perf_counter()) < due:
            # Each socket beats once in BEAT_EVERY_SECONDS, one after another.
            wanted = int((now - began) * len(room.sockets) / BEAT_EVERY_SECONDS)
            for n in range(n_beats, wanted):
                socket = room.sockets[n % len(room.sockets)]
                socket.say({"type": "beat", "seconds": int(now - began)})
            n_beats = max(n_beats, wanted)
            await asyncio.sleep(min(0.02, due - now))
        room.writers[place % len(room.writers)][0].chat(TEXT)
    n_expected = n_messages * len(room.sockets)
    ends = time.perf_counter() + 10
    while len(seen.seconds) < n_expected and time.perf_counter() < ends:
        await asyncio.sleep(0.05)
    seen.is_timing = False
    if len(seen.seconds) != n_expected:
        n_sent = len(seen.sent_at) - first
        raise RuntimeError(f"{n_sent} messages came {len(seen.seconds)} of {n_expected} times")
    return {
        "p50": median(seen.seconds) * 1e3,
        "p99": quantiles(seen.seconds, n=100)[-1] * 1e3,
        "largest": max(seen.seconds) * 1e3,
    }


async def _write(room: Room, seconds: float) -> None:
    """All writers write as fast as they are acknowledged, and as one socket may."""
    ends = time.perf_counter() + seconds

    async def write(socket: ViewerSocket, acknowledged: asyncio.Event, waits: float) -> None:
        # One after another, not all in the same moment.
        await asyncio.sleep(waits)
        while time.perf_counter() < ends:
            acknowledged.clear()
            next_at = time.perf_counter() + PAUSE_SECONDS
            socket.chat(TEXT)
            async with asyncio.timeout(PATIENCE_SECONDS):
                await acknowledged.wait()
            await asyncio.sleep(max(0.0, next_at - time.perf_counter()))

    n_before, n_sent = room.seen.n_messages, len(room.seen.sent_at)
    waits = PAUSE_SECONDS / len(room.writers)
    await asyncio.gather(*(write(*one, n * waits) for n, one in enumerate(room.writers)))
    n_sent = len(room.seen.sent_at) - n_sent
    async with asyncio.timeout(PATIENCE_SECONDS):
        while room.seen.n_messages < n_before + n_sent * len(room.sockets):
            await asyncio.sleep(0.01)


async def _flood(job: Job, room: Room) -> None:
    """The server sends all sockets as many frames as come to N_FLOOD receipts."""
    n_frames = max(1, N_FLOOD // len(room.sockets))
    wanted = room.seen.n_frames + n_frames * len(room.sockets)
    reader, writer = await asyncio.open_connection("127.0.0.1", job.port)
    target = f"/flood?session={job.session}&n={n_frames}"
    head = f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{job.port}\r\nConnection: close\r\n\r\n"
    writer.write(head.encode())
    async with asyncio.timeout(PATIENCE_SECONDS):
        await reader.readuntil(b"done")
        while room.seen.n_frames < wanted:
            await asyncio.sleep(0.01)
    writer.close()


async def _over(job: Job, room: Room, work: Callable[[float], Awaitable[None]]) -> dict[str, float]:
    """What the sockets got, and the processor seconds of both sides, while the work is done."""
    before = _count(job, room)
    await work(job.seconds)
    after = _count(job, room)
    return {
        "seconds": after.at - before.at,
        "n_frames": after.n_frames - before.n_frames,
        "n_messages": after.n_messages - before.n_messages,
        "n_bytes": after.n_bytes - before.n_bytes,
        "server_seconds": after.server - before.server,
        "client_seconds": after.client - before.client,
    }


def _count(job: Job, room: Room) -> Count:
    seen = room.seen
    return Count(
        time.perf_counter(),
        seen.n_frames,
        seen.n_messages,
        seen.n_bytes,
        processor_seconds_of(job.pid),
        time.process_time(),
    )


def processor_seconds_of(pid: int) -> float:
    """What a process has used since it began, all threads, user and system."""
    with open(f"/proc/{pid}/stat") as file:
        # The name, in brackets, may hold spaces.
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_of(pid: int) -> int:
    """The resident memory of a process in bytes."""
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * PAGE_BYTES


if __name__ == "__main__":
    given = Job(**json.load(sys.stdin))
    print(json.dumps(uvloop.run(run(given))))
