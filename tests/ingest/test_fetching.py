"""The one client that leaves the machine: where it goes, what it refuses and what it costs."""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from ingest.addresses import UnsafeAddressError
from ingest.answers import Fetched, FetchLimits, choose_unpacker, read_retry_after
from ingest.fetching import Fetcher, NameNotFoundError, fetch_alone
from kb.errors import UnavailableError
from tests.ingest.certificates import make_certificate
from tests.ingest.network import (
    INSIDE_ADDRESSES,
    INSIDE_URLS,
    PUBLIC,
    PUBLIC_6,
    Answer,
    LocalServer,
    World,
    answers,
    say,
)

QUICK = FetchLimits(
    total_seconds=2.0,
    connect_seconds=1.0,
    per_host_seconds=0.0,
    wait_seconds=0.3,
    body_bytes=10_000,
)
OUTSIDE = frozenset({PUBLIC, PUBLIC_6})


def fine(_method: str, _path: str, _headers: Mapping[str, str]) -> bytes:
    return say()


async def fetch_in_world(  # type: ignore[no-untyped-def]
    url: str, answer: Answer = fine, resolve=None, limits: FetchLimits = QUICK, **said
) -> tuple[Fetched | Exception, LocalServer, LocalServer, World]:
    async with LocalServer(answer) as public, LocalServer(fine) as inside:
        world = World(public, inside, OUTSIDE)
        async with Fetcher(limits=limits, resolve=resolve or answers(), inner=world) as fetcher:
            result: Fetched | Exception
            try:
                result = await fetcher.fetch(url, **said)
            except (UnsafeAddressError, UnavailableError) as error:
                result = error
        return result, public, inside, world


def run(url: str, answer: Answer = fine, **said):  # type: ignore[no-untyped-def]
    return asyncio.run(fetch_in_world(url, answer, **said))


def test_a_page_outside_is_fetched_from_the_address_that_was_checked() -> None:
    result, public, inside, world = run("http://example.com/a?b=c")
    assert isinstance(result, Fetched) and (result.status_code, result.body) == (200, b"fine")
    method, path, headers = public.asked[0]
    assert (method, path, headers["host"]) == ("GET", "/a?b=c", "example.com")
    assert headers["user-agent"].startswith("kbops/") and headers["accept-encoding"] == "identity"
    assert "cookie" not in headers and "authorization" not in headers
    assert world.reached == [PUBLIC] and inside.connections == 0


def test_no_odd_url_and_no_name_of_an_inside_address_makes_a_connection() -> None:
    async def all_of_them() -> tuple[int, int, int]:
        async with LocalServer(fine) as public, LocalServer(fine) as inside:
            known = {f"n{place}.example": text for place, text in enumerate(INSIDE_ADDRESSES)}

            async def resolve(host: str, _port: int) -> list[str]:
                return [known[host]]

            hosts = [f"[{a}]" if ":" in a else a for a in INSIDE_ADDRESSES]
            urls = [*INSIDE_URLS, *(f"http://{h}/" for h in (*hosts, *known))]
            world = World(public, inside, OUTSIDE)
            async with Fetcher(limits=QUICK, resolve=resolve, inner=world) as fetcher:
                for url in urls:
                    with pytest.raises(UnsafeAddressError):
                        await fetcher.fetch(url)
            return len(urls), public.connections, inside.connections

    count, outside, inside = asyncio.run(all_of_them())
    assert count >= 160
    assert (outside, inside) == (0, 0)


@pytest.mark.parametrize("place", [f"[{a}]" if ":" in a else a for a in INSIDE_ADDRESSES[::3]])
def test_a_redirect_to_an_inside_address_is_not_followed(place: str) -> None:
    result, public, inside, _ = run(
        "http://example.com/", lambda *_: say(302, Location=f"http://{place}/latest/meta-data/")
    )
    assert isinstance(result, UnsafeAddressError)
    assert (public.connections, inside.connections) == (1, 0)


def test_a_redirect_to_a_name_of_an_inside_address_is_not_followed() -> None:
    result, _, inside, _ = run(
        "http://example.com/",
        lambda *_: say(301, Location="//trap.example/"),
        resolve=answers(trap_example=["10.0.0.5"]),
    )
    assert isinstance(result, UnsafeAddressError) and inside.connections == 0


@pytest.mark.parametrize(
    "location", ["file:///etc/passwd", "http://[", "http://127.1/", "gopher://x/"]
)
def test_a_redirect_to_what_is_no_web_page_is_not_followed(location: str) -> None:
    result, public, inside, _ = run("http://example.com/", lambda *_: say(302, Location=location))
    assert isinstance(result, UnsafeAddressError)
    assert (public.connections, inside.connections) == (1, 0)


def test_a_name_that_is_bound_anew_between_two_look_ups_leads_nowhere_inside() -> None:
    # Public first, loopback from then on: whoever checks and then resolves again is led inside.
    for hops in range(4):
        turns = [PUBLIC] * hops + ["127.0.0.1"]

        def answer(_method: str, path: str, _headers: Mapping[str, str]) -> bytes:
            return say(302, Location=f"http://rebound.example/{len(path)}x{path}")

        result, public, inside, world = run(
            "http://rebound.example/", answer, resolve=answers(rebound_example=turns)
        )
        assert isinstance(result, UnsafeAddressError)
        assert inside.connections == 0 and public.connections == hops
        assert world.reached == [PUBLIC] * hops


def test_a_name_is_looked_up_once_a_request() -> None:
    asked: list[str] = []

    async def resolve(host: str, _port: int) -> list[str]:
        asked.append(host)
        return [PUBLIC if len(asked) == 1 else "127.0.0.1"]

    result, public, inside, _ = run("http://rebound.example/", resolve=resolve)
    assert isinstance(result, Fetched)
    assert (asked, public.connections, inside.connections) == (["rebound.example"], 1, 0)


def test_a_name_with_one_foot_inside_is_refused_whole() -> None:
    async def resolve(_host: str, _port: int) -> list[str]:
        return [PUBLIC, "192.168.0.1"]

    result, public, inside, _ = run("http://half.example/", resolve=resolve)
    assert isinstance(result, UnsafeAddressError)
    assert (public.connections, inside.connections) == (0, 0)


def test_the_next_address_of_a_name_is_tried_when_one_is_away() -> None:
    class HalfAway(World):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if ":" in request.url.host:
                self.reached.append(request.url.host)
                raise httpx.ConnectError("no route")
            return await super().handle_async_request(request)

    async def resolve(_host: str, _port: int) -> list[str]:
        return [PUBLIC_6, PUBLIC]

    async def go() -> tuple[int, list[str]]:
        async with LocalServer(fine) as public:
            world = HalfAway(public, public, OUTSIDE)
            async with Fetcher(limits=QUICK, resolve=resolve, inner=world) as fetcher:
                return (await fetcher.fetch("http://example.com/")).status_code, world.reached

    assert asyncio.run(go()) == (200, [PUBLIC_6, PUBLIC])


def test_redirects_are_counted() -> None:
    result, public, _, _ = run(
        "http://example.com/", lambda _m, path, _h: say(302, Location=path + "x")
    )
    assert isinstance(result, UnavailableError) and "redirects" in result.message
    assert public.connections == QUICK.hops + 1


def test_the_way_of_a_redirect_is_told() -> None:
    def answer(_method: str, path: str, _headers: Mapping[str, str]) -> bytes:
        return say(301, Location="/new") if path == "/old" else say()

    result, *_ = run("http://example.com/old", answer)
    assert isinstance(result, Fetched)
    assert result.url == "http://example.com/new"
    assert result.redirects == ((301, "http://example.com/new"),)


def test_a_post_is_never_sent_on() -> None:
    result, public, _, _ = run(
        "http://example.com/", lambda *_: say(307, Location="/other"), method="POST", content=b"{}"
    )
    assert isinstance(result, Fetched) and result.status_code == 307 and public.connections == 1


def test_cookies_are_not_kept() -> None:
    def answer(_method: str, path: str, _headers: Mapping[str, str]) -> bytes:
        return say(302, Location="/in", Set_Cookie="a=b; Path=/") if path == "/" else say()

    _, public, _, _ = run("http://example.com/", answer)
    assert len(public.asked) == 2
    assert all("cookie" not in headers for _, _, headers in public.asked)


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async def go() -> tuple[int, int]:
        async with LocalServer(fine) as proxy, LocalServer(fine) as server:
            for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
                monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
            here = f"127.0.0.1:{server.port}"
            async with Fetcher(allowed=[here], limits=QUICK) as fetcher:
                await fetcher.fetch(f"http://{here}/")
            return proxy.connections, server.connections

    assert asyncio.run(go()) == (0, 1)


def test_a_body_over_the_limit_is_not_read_to_its_end() -> None:
    for body, said in (
        (b"x" * 200_000, {}),
        (gzip.compress(b"\0" * 50_000_000), {"Content_Encoding": "gzip"}),
        (zlib.compress(b"\0" * 50_000_000), {"Content_Encoding": "deflate"}),
    ):
        result, *_ = run(
            "http://example.com/", lambda *_, body=body, said=said: say(200, body, **said)
        )
        assert isinstance(result, UnavailableError) and "more than 10000 bytes" in result.message


def test_a_bomb_is_unpacked_no_further_than_the_limit() -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)
    assert len(choose_unpacker("gzip")(bomb, 10_001)) == 10_001


def test_a_packed_body_within_the_limit_is_unpacked() -> None:
    packed = gzip.compress(b"hello " * 100)
    result, *_ = run("http://example.com/", lambda *_: say(200, packed, Content_Encoding="gzip"))
    assert isinstance(result, Fetched) and result.body == b"hello " * 100


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "x"])
def test_an_encoding_without_a_limit_is_refused(encoding: str) -> None:
    result, *_ = run("http://example.com/", lambda *_: say(200, b"x", Content_Encoding=encoding))
    assert isinstance(result, UnavailableError) and "encoding" in result.message


def test_a_server_that_drips_is_left_in_time() -> None:
    limits = FetchLimits(total_seconds=0.4, per_host_seconds=0.0)

    async def drip() -> bytes:
        await asyncio.sleep(5)
        return say()

    for answer in (lambda *_: None, lambda *_: drip()):
        began = datetime.now(UTC)
        result, *_ = run("http://example.com/", answer, limits=limits)
        assert isinstance(result, UnavailableError) and "in time" in result.message
        assert (datetime.now(UTC) - began).total_seconds() < 2.0


def test_the_time_is_of_all_hops_together() -> None:
    async def slow(path: str) -> bytes:
        await asyncio.sleep(0.25)
        return say(302, Location=path + "x")

    limits = FetchLimits(total_seconds=0.6, per_host_seconds=0.0, hops=50)
    result, public, _, _ = run(
        "http://example.com/", lambda _m, path, _h: slow(path), limits=limits
    )
    assert isinstance(result, UnavailableError) and public.connections <= 4


def test_busy_servers_are_asked_again_when_they_say() -> None:
    said = iter([say(503), say(429, Retry_After="0.1"), say(429, Retry_After="0")])
    result, public, _, _ = run("http://example.com/", lambda *_: next(said, say()))
    assert isinstance(result, Fetched) and result.status_code == 429
    assert public.connections == QUICK.attempts
    said = iter([say(429, Retry_After="0")])
    result, public, _, _ = run("http://example.com/", lambda *_: next(said, say()))
    assert isinstance(result, Fetched) and (result.status_code, public.connections) == (200, 2)


def test_a_server_that_asks_for_a_long_wait_is_left_alone() -> None:
    result, public, _, _ = run("http://example.com/", lambda *_: say(503, Retry_After="3600"))
    assert isinstance(result, Fetched) and (result.status_code, public.connections) == (503, 1)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [(None, None), ("120", 120.0), ("", None), ("soon", None), ("-1", None), ("²", None),
     ("Sat, 21 Nov 2026 09:01:00 GMT", 60.0), ("Sat, 21 Nov 2026 08:00:00 GMT", 0.0)],
)  # fmt: skip
def test_retry_after_is_read_as_seconds_or_a_date(said: str | None, seconds: float | None) -> None:
    assert read_retry_after(said, datetime(2026, 11, 21, 9, tzinfo=UTC)) == seconds


def test_one_host_is_asked_one_at_a_time_and_spaced() -> None:
    async def go() -> LocalServer:
        async def slowly() -> bytes:
            await asyncio.sleep(0.02)
            return say()

        async with LocalServer(lambda *_: slowly()) as public, LocalServer(fine) as inside:
            limits = FetchLimits(per_host_seconds=0.1)
            world = World(public, inside, OUTSIDE)
            async with Fetcher(limits=limits, resolve=answers(), inner=world) as fetcher:
                await asyncio.gather(*(fetcher.fetch(f"http://example.com/{n}") for n in range(5)))
            return public

    server = asyncio.run(go())
    assert server.most_open == 1
    gaps = [b - a for a, b in zip(server.asked_at, server.asked_at[1:], strict=False)]
    assert len(gaps) == 4 and min(gaps) > 0.08


def test_no_more_hosts_at_once_than_allowed() -> None:
    async def go() -> LocalServer:
        async def slowly() -> bytes:
            await asyncio.sleep(0.05)
            return say()

        async with LocalServer(lambda *_: slowly()) as public, LocalServer(fine) as inside:
            limits = FetchLimits(per_host_seconds=0.0, at_once=3)
            world = World(public, inside, OUTSIDE)
            async with Fetcher(limits=limits, resolve=answers(), inner=world) as fetcher:
                await asyncio.gather(*(fetcher.fetch(f"http://h{n}.example/") for n in range(12)))
            return public

    assert asyncio.run(go()).most_open == 3


@pytest.mark.parametrize(
    ("error", "kind"),
    [(socket.gaierror(socket.EAI_NONAME, "no such name"), NameNotFoundError),
     (socket.gaierror(socket.EAI_AGAIN, "later"), UnavailableError),
     (OSError("away"), UnavailableError)],
)  # fmt: skip
def test_a_name_that_is_not_found_is_told_from_a_resolver_that_is_away(
    error: OSError, kind: type[Exception]
) -> None:
    async def resolve(_host: str, _port: int) -> list[str]:
        raise error

    result, *_ = run("http://gone.example/", resolve=resolve)
    assert type(result) is kind


@pytest.mark.parametrize("said", [b"", b"SSH-2.0-x\r\n", b"HTTP/1.1 abc\r\n\r\n", b"\x00" * 500,
                                  b"HTTP/1.1 200 x\r\n" + b"A: " + b"b" * 200_000])  # fmt: skip
def test_what_is_no_http_is_an_error_and_no_crash(said: bytes) -> None:
    result, *_ = run("http://example.com/", lambda *_: said)
    assert isinstance(result, UnavailableError)


@pytest.mark.parametrize(("certified", "reached"), [("kb.test", True), ("other.test", False)])
def test_the_certificate_must_be_of_the_name_and_not_of_the_address(
    tmp_path: Path, certified: str, reached: bool
) -> None:
    tls, trusted = make_certificate(tmp_path, certified)

    async def resolve(_host: str, _port: int) -> list[str]:
        return ["127.0.0.1"]

    async def go() -> tuple[int | str, LocalServer]:
        async with LocalServer(fine, tls) as server:
            inner = httpx.AsyncHTTPTransport(verify=ssl.create_default_context(cafile=trusted))
            here = f"kb.test:{server.port}"
            async with Fetcher(
                allowed=[here], limits=QUICK, resolve=resolve, inner=inner
            ) as fetcher:
                try:
                    return (await fetcher.fetch(f"https://{here}/")).status_code, server
                except UnavailableError as error:
                    return error.message, server

    said, server = asyncio.run(go())
    assert (said == 200) == reached and (reached or "certificate" in str(said).lower())
    assert len(server.asked) == int(reached)


def test_a_certificate_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    tls, _ = make_certificate(tmp_path, "127.0.0.1")

    async def go() -> tuple[str, LocalServer]:
        async with LocalServer(fine, tls) as server:
            here = f"127.0.0.1:{server.port}"
            async with Fetcher(allowed=[here], limits=QUICK) as fetcher:
                with pytest.raises(UnavailableError) as failure:
                    await fetcher.fetch(f"https://{here}/")
            return failure.value.message, server

    said, server = asyncio.run(go())
    assert "certificate" in said.lower() and server.asked == []


def test_a_named_host_is_reached_without_an_event_loop() -> None:
    import threading
    from http.server import BaseHTTPRequestHandler, HTTPServer

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        here = f"127.0.0.1:{server.server_port}"
        assert fetch_alone(f"http://{here}/", allowed=[here]).status_code == 204
        with pytest.raises(UnsafeAddressError):
            fetch_alone(f"http://{here}/")
        server.shutdown()
