"""Real processes that hold sockets, and viewers with real sockets in them."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen
from typing import Any

import websockets
from django.test import Client
from websockets.asyncio.client import ClientConnection

from accounts.models import User
from scripts.run import web_command
from tests.concurrency.shop import is_up, shop_environment, url_of_test_database
from tests.operation.processes import eventually, started
from tests.servers import free_port

# Processes of tests say six times as often who is there, and are taken for gone so much sooner.
PRESENCE_SECONDS = 3
# Generous: two cores are shared with the other half of the tests.
PATIENCE_SECONDS = 20


@dataclass(frozen=True)
class Server:
    """One process that holds sockets."""

    port: int
    log: Path
    process: Popen


@contextmanager
def served(folder: Path, *, n: int, database_url: str = "", **more: str) -> Iterator[list[Server]]:
    """So many processes on the database of the tests, ready to answer; gone after the block."""
    env = shop_environment(
        folder,
        database_url=database_url or url_of_test_database(),
        PRESENCE_SECONDS=str(PRESENCE_SECONDS),
        **more,
    )
    with ExitStack() as stack:
        servers = []
        for _ in range(n):
            port = free_port()
            log = folder / f"sockets-{port}.log"
            process = stack.enter_context(
                started(web_command(port, n_processes=1), env=env, log=log)
            )
            servers.append(Server(port, log, process))
        for server in servers:
            eventually(lambda port=server.port: is_up(port), what="it serves", log=server.log)
        yield servers


def cookie_of(person: User) -> str:
    """What the browser of a signed-in person sends."""
    browser = Client()
    browser.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    return f"sessionid={browser.cookies['sessionid'].value}"


@dataclass
class Viewer:
    """One socket in a room, and all that came over it."""

    socket: ClientConnection
    frames: list[dict[str, Any]] = field(default_factory=list)

    @property
    def said(self) -> list[int]:
        """The ids of all messages in the order in which they came."""
        return [one["id"] for frame in self.frames for one in frame.get("messages", [])]

    @property
    def state(self) -> dict[str, Any]:
        """What the viewer's page shows by now."""
        shown: dict[str, Any] = {}
        for frame in self.frames:
            shown |= frame.get("state", {})
        return shown

    async def send(self, **frame: Any) -> None:
        await self.socket.send(json.dumps(frame))

    async def say(self, text: str, key: uuid.UUID | None = None) -> dict[str, Any]:
        """Say it, and wait for the ack or the refusal."""
        wanted = str(key or uuid.uuid4())
        n_before = len(self.frames)
        await self.send(type="chat", key=wanted, text=text)
        await self.until(lambda: self._answers(wanted, n_before))
        return self._answers(wanted, n_before)[0]

    def _answers(self, key: str, n_before: int) -> list[dict[str, Any]]:
        return [frame for frame in self.frames[n_before:] if frame.get("key") == key]

    async def until(self, is_so: Callable[[], Any]) -> None:
        """Read on until it is so. Raises TimeoutError, and ConnectionClosed at the end."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not is_so():
                self.frames.append(json.loads(await self.socket.recv()))

    async def read_for(self, seconds: float) -> None:
        """Read whatever comes in that time."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    self.frames.append(json.loads(await self.socket.recv()))
        except TimeoutError:
            return

    async def closed_with(self) -> int | None:
        """Read to the end; the code with which the server closed."""
        try:
            await self.until(lambda: False)
        except websockets.ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else None
        return None

    async def leave(self) -> None:
        await self.socket.close()


async def connected(
    port: int, session_id: int, *, cookie: str = "", token: str = "", origin: str | None = ""
) -> Viewer:
    """A socket that has said nothing yet; from a page of that server, or of `origin`, None: app.

    Raises websockets.InvalidStatus when it is refused.
    """
    headers = {"Accept-Language": "en"}
    if cookie:
        headers["Cookie"] = cookie
    if token:
        headers["Authorization"] = f"Bearer {token}"
    site = f"http://127.0.0.1:{port}"
    socket = await websockets.connect(
        f"ws://127.0.0.1:{port}/ws/live/{session_id}/",
        origin=site if origin == "" else origin,  # type: ignore[arg-type]
        additional_headers=headers,
        open_timeout=PATIENCE_SECONDS,
        compression=None,
    )
    return Viewer(socket)


async def entered(
    port: int,
    session_id: int,
    *,
    last: int | None = None,
    visit: uuid.UUID | None = None,
    hello: dict[str, Any] | None = None,
    **who: Any,
) -> Viewer:
    """A socket that has been greeted: its first frame is there."""
    viewer = await connected(port, session_id, **who)
    key = str(visit or uuid.uuid4())
    await viewer.send(type="hello", visit=key, last=last, source="home", **(hello or {}))
    await viewer.until(lambda: viewer.frames)
    return viewer
