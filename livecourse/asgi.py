"""The ASGI entry point: the sockets of live rooms; and, for `make run`, pages and API beside them.

In production only `/ws/` comes here; pages and API are served as WSGI by a server of their own
(deploy/). Under ASGI each of them runs in a thread of the pool below, as it would there.
"""

from __future__ import annotations

import os
from typing import Any

from a2wsgi import WSGIMiddleware
from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from django.urls import path

from livecourse.wsgi import application as pages
from streams.consumers import RoomConsumer, same_site

THREADS = 8


async def no_such_socket(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Any other address: refused at the handshake."""
    await send({"type": "websocket.close"})


rooms: Any = RoomConsumer.as_asgi()
elsewhere: Any = no_such_socket
wsgi: Any = pages
application = ProtocolTypeRouter(
    {
        "http": WSGIMiddleware(wsgi, workers=int(os.environ.get("WEB_THREADS", THREADS))),
        "websocket": same_site(
            AuthMiddlewareStack(
                URLRouter([path("ws/live/<int:pk>/", rooms), path("<path:rest>", elsewhere)])
            )
        ),
    }
)
