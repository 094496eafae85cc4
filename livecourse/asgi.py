"""The ASGI entry point: the sockets of live rooms; and, for `make run`, pages and API beside them.

In production only `/ws/` comes here; pages and API are served as WSGI by a server of their own
(deploy/). Under ASGI each of them runs in a thread of the pool below, as it would there.
"""

from __future__ import annotations

import gc
import os
import sys
from typing import Any

from a2wsgi import WSGIMiddleware
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.sessions import SessionMiddlewareStack
from django.urls import path

from livecourse.wsgi import application as pages
from streams.consumers import RoomConsumer, same_site
from streams.hub import close_hub

THREADS = 8


async def no_such_socket(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Any other address: refused at the handshake."""
    await send({"type": "websocket.close"})


async def lifespan(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """The beginning and the end of a process, as its server tells them."""
    while True:
        told = (await receive())["type"]
        if told == "lifespan.startup":
            # Let the collector of cycles pass over what lives as long as the process, and run
            # less often: a look at the rooms makes many objects and hardly a cycle.
            gc.collect()
            gc.freeze()
            gc.set_threshold(20_000, 20, 50)
            # Threads that ask the database get the interpreter from a busy loop after half a
            # millisecond instead of five: a greeting or a look would wait longer than it takes.
            sys.setswitchinterval(0.0005)
        else:
            await close_hub()
        await send({"type": f"{told}.complete"})
        if told == "lifespan.shutdown":
            return


rooms: Any = RoomConsumer.as_asgi()
elsewhere: Any = no_such_socket
wsgi: Any = pages
application = ProtocolTypeRouter(
    {
        "http": WSGIMiddleware(wsgi, workers=int(os.environ.get("WEB_THREADS", THREADS))),
        "websocket": same_site(
            # Who has the session is asked with all else that a greeting needs, in one go.
            SessionMiddlewareStack(
                URLRouter([path("ws/live/<int:pk>/", rooms), path("<path:rest>", elsewhere)])
            )
        ),
        "lifespan": lifespan,
    }
)
