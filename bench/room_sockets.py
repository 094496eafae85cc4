"""Bare WebSockets of viewers, cheap enough that a thousand of them leave a server its processor.

Neither a library nor a queue: frames are told apart in the bytes as they arrive, and of a frame
nothing is read but the marks in the texts of its messages.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

# A text begins with it: its number leads back to the moment at which it was sent.
MARK = re.compile(rb"#(\d{7}) ")
FINAL_TEXT, FINAL_CLOSE, FINAL_PING, FINAL_PONG = 0x81, 0x88, 0x89, 0x8A


@dataclass
class Seen:
    """What all sockets together got; `seconds` from sending a message to each receipt of it."""

    n_frames: int = 0
    n_messages: int = 0
    n_bytes: int = 0
    n_acks: int = 0
    n_closed: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    sent_at: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    is_timing: bool = False


class ViewerSocket(asyncio.Protocol):
    """One viewer in the room. `greeted` is done when the room has answered the hello."""

    def __init__(self, seen: Seen, *, handshake: bytes, on_ack: asyncio.Event | None) -> None:
        self.seen = seen
        self.greeted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._handshake = handshake
        self._on_ack = on_ack
        self._rest = b""
        self._is_open = False
        self._code = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not asked: uvloop's transports are no subclasses of those of asyncio.
        self.transport = cast(asyncio.WriteTransport, transport)
        self.transport.write(self._handshake)

    def connection_lost(self, error: Exception | None) -> None:
        self.seen.n_closed += 1
        if not self.greeted.done():
            told = f"closed before the room answered, with code {self._code}"
            self.greeted.set_exception(error or ConnectionError(told))

    def data_received(self, data: bytes) -> None:
        if self._rest:
            data = self._rest + data
            self._rest = b""
        if not self._is_open:
            head, ended, data = data.partition(b"\r\n\r\n")
            if not ended:
                self._rest = head
                return
            if b" 101 " not in head[:16]:
                self.transport.close()
                self.greeted.set_exception(ConnectionError(head[:80].decode()))
                return
            self._is_open = True
            hello = {"type": "hello", "visit": str(uuid.uuid4()), "last": None, "source": "home"}
            self.say(hello)
        place, n = 0, len(data)
        while n - place >= 2:
            length, begins = data[place + 1], place + 2
            if length == 126:
                length, begins = int.from_bytes(data[place + 2 : place + 4]), place + 4
            elif length == 127:
                length, begins = int.from_bytes(data[place + 2 : place + 10]), place + 10
            if n < begins + length:
                break
            self._frame(data[place], data[begins : begins + length])
            place = begins + length
        self._rest = data[place:]

    def say(self, frame: Mapping[str, object]) -> None:
        self.transport.write(_masked(FINAL_TEXT, json.dumps(frame).encode()))

    def chat(self, text: str) -> None:
        """Send a message that can be timed; of at least 9 characters."""
        number = len(self.seen.sent_at)
        self.seen.sent_at.append(time.perf_counter())
        self.say({"type": "chat", "key": str(uuid.uuid4()), "text": f"#{number:07} {text}"})

    def _frame(self, kind: int, body: bytes) -> None:
        seen = self.seen
        if kind != FINAL_TEXT:
            if kind == FINAL_PING:
                self.transport.write(_masked(FINAL_PONG, body))
            elif kind == FINAL_CLOSE:
                self._code = int.from_bytes(body[:2])
                self.transport.close()
            return
        if b'"room"' in body[:20]:
            seen.n_frames += 1
            seen.n_bytes += len(body)
            numbers = MARK.findall(body)
            seen.n_messages += len(numbers)
            if seen.is_timing:
                now = time.perf_counter()
                seen.seconds += [now - seen.sent_at[int(number)] for number in numbers]
            if not self.greeted.done():
                self.greeted.set_result(None)
            return
        told = json.loads(body)
        if told["type"] == "refused":
            seen.refused[told["code"]] += 1
        elif told["type"] == "ack":
            seen.n_acks += 1
            if self._on_ack is not None:
                self._on_ack.set()


def handshake(*, port: int, path: str, cookie: str) -> bytes:
    """The request that opens a socket, from a page of that server."""
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        f"Origin: http://127.0.0.1:{port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==",
        *([f"Cookie: {cookie}"] if cookie else []),
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def _masked(kind: int, body: bytes) -> bytes:
    """A client's frame. The mask is all zeros: nothing stands between here and the server."""
    n = len(body)
    size = bytes([0x80 | n]) if n < 126 else bytes([0xFE]) + n.to_bytes(2)
    return bytes([kind]) + size + b"\0\0\0\0" + body
