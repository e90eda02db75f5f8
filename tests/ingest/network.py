"""A network on this machine: servers that count, and a world where public addresses lead to one."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType

import httpx

PUBLIC = "93.184.216.34"
PUBLIC_6 = "2606:2800:220:1:248:1893:25c8:1946"

INSIDE_ADDRESSES = [
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.255",
    "100.100.100.200", "127.0.0.1", "127.0.0.53", "127.255.255.254", "168.63.129.16",
    "169.254.0.1", "169.254.169.254", "169.254.170.2", "172.16.0.1", "172.31.255.255",
    "192.0.0.1", "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.0.1", "192.168.255.255",
    "198.18.0.1", "198.51.100.7", "203.0.113.7", "224.0.0.1", "239.255.255.250", "240.0.0.1",
    "255.255.255.255", "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
    "::ffff:7f00:1", "::ffff:0:127.0.0.1", "64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1", "100::1", "2001::1", "2001:0:7f00:1::", "2001:10::1", "2001:db8::1",
    "2002:7f00:1::", "2002:a9fe:a9fe::1", "2606:2800:220:1:0:5efe:7f00:1",
    "2606:2800:220:1:200:5efe:a00:1", "3fff::1", "4000::1", "5f00::1", "fc00::1", "fd00::1",
    "fd00:ec2::254", "fe80::1", "febf::1", "fec0::1", "ff02::1", "ff0e::1",
]  # fmt: skip
"""Addresses that nothing may be fetched from."""

INSIDE_URLS = [
    "http://2130706433/", "http://0x7f000001/", "http://0x7f.0.0.1/", "http://0177.0.0.1/",
    "http://017700000001/", "http://127.1/", "http://127.0.1/", "http://0/", "http://0x0/",
    "http://127.0.0.01/", "http://127.0.0.1./", "http://127.0.0.1.:80/", "http://3232235521/",
    "http://169.254.43518/", "http://0xa9fea9fe/", "http://0251.0376.0251.0376/",
    "http://user@127.0.0.1/", "http://example.com@127.0.0.1/", "http://127.0.0.1@example.com/",
    "http://user:word@example.com/", "http://127.0.0.1%2f@example.com/",
    "http://①②⑦.⓪.⓪.①/", "http://１２７.0.0.1/", "http://127。0。0。1/", "http://127．0．0．1/",
    "http://exämple.com@127.0.0.1/", "http://ⓛocalhost/", "http://[::ffff:127.0.0.1]/",
    "http://[::1%25lo]/", "http://[fe80::1%25eth0]/", "http://[::1/", "http://[127.0.0.1]/",
    "http://[v1.fe80::a]/", "http://256.1.1.1/", "http://1.2.3.4.5/", "http://127.0.0.1:22/",
    "http://example.com:22/", "http://example.com:6379/", "http://example.com:8080/",
    "http://example.com:0/", "http://example.com:99999/", "http://example.com:８０/",
    "ftp://example.com/", "file:///etc/passwd", "gopher://example.com/", "javascript:alert(1)",
    "data:text/html,x", "//example.com/", "example.com", "", "http://", "http:///path",
    "http://exam ple.com/", "http://example.com\\@127.0.0.1/", "http://example.com\t/",
    "http://example.com\r\nHost: inside/", "http://\x00example.com/", "http://-example.com/",
    "http://example..com/", "http://.example.com/", "http://%31%32%37.0.0.1/",
    "http://example.com#@127.0.0.1:22/" + "x" * 2000, "http://" + "a" * 300 + ".com/",
]  # fmt: skip
"""URLs that nothing may be fetched from, whatever a resolver says."""

Answer = Callable[[str, str, Mapping[str, str]], bytes | Awaitable[bytes] | None]
"""Method, path and headers (lower case) to the bytes of a response; None never answers."""


def say(status: int = 200, body: bytes = b"fine", *, length: bool = True, **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} x", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if length:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class LocalServer:
    """HTTP on a port of this machine; counts connections and keeps what was asked."""

    def __init__(self, answer: Answer, tls: ssl.SSLContext | None = None) -> None:
        self._answer = answer
        self._tls = tls
        self.connections = 0
        self.open = 0
        self.most_open = 0
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.asked_at: list[float] = []
        self.port = 0

    async def __aenter__(self) -> LocalServer:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            method, path, _ = head[0].split(" ", 2)
            headers = {
                name.lower(): value.strip()
                for name, _, value in (line.partition(":") for line in head[1:] if line)
            }
            self.asked.append((method, path, headers))
            self.asked_at.append(asyncio.get_running_loop().time())
            said = self._answer(method, path, headers)
            if said is None:
                await reader.read()
                return
            writer.write(said if isinstance(said, bytes) else await said)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.open -= 1
            writer.close()


class World(httpx.AsyncBaseTransport):
    """Connects as the client asks, to servers of this machine that play the addresses.

    Public addresses lead to the public server, all others to the inside one: a request that slips
    through a guard arrives there and is counted.
    """

    def __init__(
        self, public: LocalServer, inside: LocalServer, public_addresses: frozenset[str]
    ) -> None:
        self._ports = dict.fromkeys(public_addresses, public.port)
        self._inside = inside.port
        self._inner = httpx.AsyncHTTPTransport()
        self.reached: list[str] = []
        self.open = 0
        self.most_open = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.reached.append(request.url.host)
        port = self._ports.get(request.url.host, self._inside)
        url = request.url.copy_with(scheme="http", host="127.0.0.1", port=port)
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            return await self._inner.handle_async_request(
                httpx.Request(request.method, url, headers=request.headers, stream=request.stream)
            )
        finally:
            self.open -= 1

    async def aclose(self) -> None:
        await self._inner.aclose()


def answers(**known: list[str]) -> Callable[[str, int], Awaitable[list[str]]]:
    """A resolver that gives a name's answers in turn, the last for ever; dots as underscores."""
    turns: dict[str, list[str]] = {}

    async def resolve(host: str, port: int) -> list[str]:
        said = turns.setdefault(host, list(known.get(host.replace(".", "_"), [PUBLIC])))
        return [said.pop(0) if len(said) > 1 else said[0]]

    return resolve
