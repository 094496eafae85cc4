"""uvicorn's WebSockets, with one addition: frames that are made once and written to many sockets.

`uvicorn --ws livecourse.prepared_frames:PreparedFrames`. A socket's scope then has the extension
`livecourse.prepared_frames`: `write(frame)` hands the bytes of a whole frame to the network and
returns how many bytes of that socket wait there, -1 when it is closed or closing; `abort()` ends
the connection without a word. Under any other server the extension is missing, and whoever uses
it sends in the common way.
"""

from __future__ import annotations

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

EXTENSION = "livecourse.prepared_frames"


class PreparedFrames(WebSocketsSansIOProtocol):
    """A server sends no message in parts, so between any two of its frames there is room."""

    async def run_asgi(self) -> None:
        self.scope["extensions"][EXTENSION] = {"write": self.write_frame, "abort": self.abort}  # type: ignore[index]
        await super().run_asgi()

    def write_frame(self, frame: bytes) -> int:
        transport = self.transport
        if self.close_sent or not self.handshake_complete or transport.is_closing():
            return -1
        transport.write(frame)
        return transport.get_write_buffer_size()

    def abort(self) -> None:
        self.transport.abort()
