"""A line to a server that a test can cut: everything that goes over it passes through here."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class BreakableLine:
    """Listens on `port` of loopback and passes on to `target`; cut, it refuses and drops all."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._writers: set[asyncio.StreamWriter] = set()
        self._is_cut = False

    def cut(self) -> None:
        """Drop every connection and accept none."""
        asyncio.run_coroutine_threadsafe(self._set(is_cut=True), self._loop).result()

    def mend(self) -> None:
        asyncio.run_coroutine_threadsafe(self._set(is_cut=False), self._loop).result()

    async def _set(self, *, is_cut: bool) -> None:
        self._is_cut = is_cut
        if is_cut:
            for writer in list(self._writers):
                writer.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_cut:
            writer.transport.abort()
            return
        onward, back = await asyncio.open_connection("127.0.0.1", self.target)
        self._writers |= {writer, back}
        await asyncio.gather(self._pass(reader, back), self._pass(onward, writer))
        self._writers -= {writer, back}

    @staticmethod
    async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def _listen(self) -> None:
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]


@contextmanager
def line_to(target: int) -> Iterator[BreakableLine]:
    """A line to that port of loopback, for as long as the block lasts."""
    line = BreakableLine(target)
    thread = threading.Thread(target=line._loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(line._listen(), line._loop).result()
    try:
        yield line
    finally:
        line.cut()
        line._loop.call_soon_threadsafe(line._loop.stop)
        thread.join()
