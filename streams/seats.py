"""Sockets in a room as the hub sees them: what is given to each goes out in order, or it leaves.

Nobody waits for anybody: a socket whose network takes no more keeps what it is given, up to a
bound, beyond which it is closed; its client comes back and reads on from its last message.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Generator
from dataclasses import dataclass, field
from typing import Any

from streams.attendance import Stay

logger = logging.getLogger(__name__)

# A server that can write prepared frames says so in the scope of a socket, by this name.
PREPARED_FRAMES = "livecourse.prepared_frames"
# What may wait for one socket: bytes in its server, or frames here under a server of another kind.
MOST_BYTES_BEHIND = 1024 * 1024
MOST_BEHIND = 200
# Within that, whoever is closed must have taken the reason.
CLOSING_SECONDS = 5
TOO_SLOW = 4408
# What a server raises for a socket that is closed or closing.
CLOSED = (OSError, RuntimeError)


class Frame:
    """A text for sockets, and the bytes of its frame, made when the first one needs them."""

    __slots__ = ("_data", "text")

    def __init__(self, content: dict[str, Any]) -> None:
        self.text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        self._data: bytes | None = None

    @property
    def data(self) -> bytes:
        """The text as one whole frame of a server (RFC 6455, 5.2)."""
        if self._data is None:
            payload = self.text.encode()
            n = len(payload)
            if n < 126:
                size = bytes([n])
            elif n < 65536:
                size = b"\x7e" + n.to_bytes(2)
            else:
                size = b"\x7f" + n.to_bytes(8)
            self._data = b"\x81" + size + payload
        return self._data


@dataclass(eq=False)
class Seat:
    """One socket in a room. `send` and `close` are the socket's own, as are `write` and `abort`.

    `write` takes the bytes of a frame and returns how many wait, -1 when the socket is closed;
    without it, `send` takes the text. The host is no viewer: neither present nor staying.
    """

    send: Callable[[str], Coroutine[Any, Any, None]]
    close: Callable[[int], Awaitable[None]]
    stay: Stay
    viewer: bytes
    writer_id: int | None = None
    is_operator: bool = False
    is_host: bool = False
    write: Callable[[bytes], int] | None = None
    abort: Callable[[], None] | None = None
    me: dict[str, Any] = field(default_factory=dict)
    behind: deque[Frame] = field(default_factory=deque)
    sender: asyncio.Task[None] | None = None
    said_at: deque[float] = field(default_factory=deque)
    paused_until: float = 0.0
    n_waiting: int = 0
    likes_left: float = 0.0
    liked_at: float = 0.0
    is_open: bool = False
    is_gone: bool = False

    def open_with(self, frame: Frame) -> None:
        """Send the first frame, and then what came while it was made."""
        came, self.behind = self.behind, deque()
        self.is_open = True
        for one in (frame, *came):
            self.give(one)

    def give(self, frame: Frame) -> None:
        """Send the frame after all that was given before; never waits for the network."""
        if self.is_gone:
            return
        if not self.is_open or self.sender is not None:
            self.behind.append(frame)
            if len(self.behind) > MOST_BEHIND:
                self.leave_with(TOO_SLOW)
        elif self.write is not None:
            n_waiting = self.write(frame.data)
            if n_waiting < 0:
                # Its consumer hears of it too, and gives the seat up.
                self.is_gone = True
            elif n_waiting > MOST_BYTES_BEHIND:
                self.leave_with(TOO_SLOW)
        else:
            self._send_text(frame.text)

    def _send_text(self, text: str) -> None:
        sending = self.send(text)
        try:
            # A socket whose buffer has room takes the text without waiting.
            waited_for = sending.send(None)
        except StopIteration:
            return
        except CLOSED:
            self.is_gone = True
            return
        self.sender = asyncio.get_running_loop().create_task(
            self._go_on(_Rest(sending, waited_for))
        )

    async def _go_on(self, rest: Awaitable[None]) -> None:
        try:
            await rest
            while self.behind and not self.is_gone:
                await self.send(self.behind.popleft().text)
        except CLOSED:
            self.is_gone = True
        finally:
            self.sender = None

    def leave_with(self, code: int) -> None:
        """Close the socket; its client learns the code, if it takes anything at all."""
        if self.is_gone:
            return
        self.is_gone = True
        self.behind.clear()
        keep(asyncio.get_running_loop().create_task(self._close(code)))

    async def _close(self, code: int) -> None:
        try:
            await asyncio.wait_for(self.close(code), timeout=CLOSING_SECONDS)
        except TimeoutError:
            if self.abort is not None:
                self.abort()
        except CLOSED as error:
            logger.debug("a socket was closed already: %s", error)


class _Rest:
    """What is left of a coroutine that was begun by hand and waits for `waited_for`."""

    def __init__(self, begun: Coroutine[Any, Any, None], waited_for: Any) -> None:
        self.begun, self.waited_for = begun, waited_for

    def __await__(self) -> Generator[Any, Any, None]:
        answer = yield self.waited_for
        while True:
            try:
                waited_for = self.begun.send(answer)
            except StopIteration:
                return
            answer = yield waited_for


_kept: set[asyncio.Task[Any]] = set()


def keep(task: asyncio.Task[Any]) -> None:
    """Hold the task until it is done: the loop itself holds tasks weakly."""
    _kept.add(task)
    task.add_done_callback(_kept.discard)
