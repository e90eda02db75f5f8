"""A local endpoint that speaks the OpenAI protocol and misbehaves as it is told."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Script = Callable[[dict[str, Any], BaseHTTPRequestHandler], None]


def answer(handler: BaseHTTPRequestHandler, body: bytes, status: int = 200, **headers: str) -> None:
    handler.send_response(status)
    for name, value in {"Content-Type": "application/json", **headers}.items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def completion(text: str | None, finish: str = "stop", **message: Any) -> bytes:
    """The body of a chat completion."""
    return json.dumps(
        {
            "id": "c1", "object": "chat.completion", "created": 1, "model": "scripted",
            "choices": [
                {
                    "index": 0, "finish_reason": finish,
                    "message": {"role": "assistant", "content": text, **message},
                }
            ],
            "usage": {"prompt_tokens": 1_000, "completion_tokens": 200, "total_tokens": 1_200},
        }
    ).encode()  # fmt: skip


def say(text: str | None, finish: str = "stop", **message: Any) -> Script:
    return lambda request, handler: answer(handler, completion(text, finish, **message))


def fail(status: int, **headers: str) -> Script:
    body = json.dumps({"error": {"message": "no", "type": "x"}}).encode()
    return lambda request, handler: answer(handler, body, status, **headers)


def silent(seconds: float) -> Script:
    return lambda request, handler: time.sleep(seconds)


def drip(seconds: float) -> Script:
    """A byte now and then: each read is in time, the whole never is."""

    def send(request: dict[str, Any], handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.end_headers()
        end = time.monotonic() + seconds
        with contextlib.suppress(OSError):
            while time.monotonic() < end:
                handler.wfile.write(b" ")
                handler.wfile.flush()
                time.sleep(0.05)

    return send


class ModelServer:
    """Answers every chat completion with its script and keeps what it was asked."""

    def __init__(self) -> None:
        self.script: Script = fail(500)
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.other_paths: list[str] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if not self.path.endswith("/v1/chat/completions"):
                    server.other_paths.append(self.path)
                    answer(self, b"{}", 404)
                    return
                server.asked.append(json.loads(body))
                server.keys.append(self.headers.get("Authorization"))
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    server.script(server.asked[-1], self)

            def do_GET(self) -> None:
                server.other_paths.append(self.path)
                answer(self, b"{}", 404)

            def log_message(self, *said: object) -> None:
                return

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.base_url = f"http://127.0.0.1:{self._http.server_port}/v1"
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()

    @property
    def evidence(self) -> list[dict[str, str]]:
        """What the last request quoted."""
        found: list[dict[str, str]] = json.loads(self.asked[-1]["messages"][-1]["content"])[
            "evidence"
        ]
        return found


@contextlib.contextmanager
def serve_model() -> Iterator[ModelServer]:
    server = ModelServer()
    try:
        yield server
    finally:
        server.close()
