"""A vendor on this machine: real HTTP on 127.0.0.1, answers set by the test, requests kept."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Asked:
    """One request: `query` and `form` hold its parameters, `body` its bytes."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode()))


@dataclass(frozen=True)
class Answer:
    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


# What a vendor says to a request, or None to keep silent until the test is over.
Speech = Callable[[Asked], Answer] | Answer | None


class Vendor:
    """Answers each request with the next of `answers`, and then with 500."""

    def __init__(self) -> None:
        self.answers: list[Speech] = []
        self.asked: list[Asked] = []
        self.is_over = threading.Event()
        self.base = ""

    def answer(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        speech: Speech = self.answers.pop(0) if self.answers else Answer(status=500)
        if speech is None:
            self.is_over.wait(30)
            return Answer(status=500)
        return speech if isinstance(speech, Answer) else speech(asked)


@contextmanager
def running_vendor() -> Iterator[Vendor]:
    vendor = Vendor()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except OSError:  # the client has gone away, as a test of a timeout wants
                self.close_connection = True

        def respond(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = urlsplit(self.path)
            answer = vendor.answer(
                Asked(
                    method=self.command,
                    path=parts.path,
                    query=dict(parse_qsl(parts.query)),
                    headers={name.lower(): value for name, value in self.headers.items()},
                    body=body,
                )
            )
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        do_GET = do_POST = respond

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    vendor.base = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield vendor
    finally:
        vendor.is_over.set()
        server.shutdown()
        server.server_close()
        thread.join()
