"""The platform's sockets, and beside them one address that sends a frame to all of a room.

GET /flood?session=ID&n=N sends the room N frames by the way on which every change of it goes, as
fast as the sockets take them, and answers when they are out.
"""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import parse_qs

from livecourse.asgi import application as platform
from streams.hub import Hub, hub_of_process
from streams.seats import Seat

MESSAGE = {
    "id": 1000,
    "tag": "0123456789ab",
    "author": "Seller",
    "role": "seller",
    "text": "How long does the lesson on pouring take, and what do I need at home? " + "-" * 10,
    "sent_at": "2026-01-01T00:00:00.000000+00:00",
}
# After so many frames it waits until every socket has taken them all.
N_AHEAD = 20


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] != "http" or scope["path"] != "/flood":
        await platform(scope, receive, send)
        return
    asked = parse_qs(scope["query_string"].decode())
    await _flood(hub_of_process(), int(asked["session"][0]), int(asked["n"][0]))
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"done"})


async def _flood(hub: Hub, session_id: int, n_frames: int) -> None:
    room = hub.rooms[session_id]
    for n in range(n_frames):
        hub._send(room, {}, [MESSAGE])
        await asyncio.sleep(0)
        while n % N_AHEAD == 0 and any(map(_is_behind, room.seats)):
            await asyncio.sleep(0.001)


def _is_behind(seat: Seat) -> bool:
    return seat.sender is not None or (seat.write is not None and seat.write(b"") > 0)
