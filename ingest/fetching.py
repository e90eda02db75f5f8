"""The only HTTP client that leaves the machine.

Names are resolved here, every address is checked, and the connection goes to the very address that
was checked: nothing is left to resolve again behind the check's back, on any hop of a redirect.
No cookies, no proxies or certificates from the environment, one connection a request.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from types import TracebackType
from urllib.parse import urljoin

import httpx
import stamina

from ingest.addresses import Address, Target, UnsafeAddressError, check_address, read_target
from ingest.answers import PERMANENT, Fetched, FetchLimits, choose_unpacker, read_retry_after
from kb.errors import UnavailableError

USER_AGENT = "kbops/1 (knowledge base link check and notices)"
_REDIRECTS = PERMANENT | {302, 303, 307}
_LATER = frozenset({429, 503})
_READ_BYTES = 16_384
MAX_ADDRESSES = 3
"""Addresses of one name that are tried in turn."""

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""Host and port to addresses; raises OSError where there are none."""


class NameNotFoundError(UnavailableError):
    """The name does not exist, which a resolver that answered has said."""


class BrokenAnswerError(UnavailableError):
    """Somebody answered, and not as HTTP does."""


class _TryLaterError(UnavailableError):
    def __init__(self, answer: Fetched) -> None:
        super().__init__(f"status {answer.status_code}")
        self.answer = answer


@dataclass(slots=True)
class _HostPace:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    next_at: float = 0.0


async def resolve_name(host: str, port: int) -> list[str]:
    """What the system's resolver says, in its order."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class PinnedTransport(httpx.AsyncBaseTransport):
    """Connects to an address it has checked, whatever URL it is given.

    The inner transport is handed the address in place of the name, so that there is no second
    look-up; the name stays in the Host header and in what the certificate must say.
    """

    def __init__(
        self,
        allowed: Collection[str],
        resolve: Resolve,
        inner: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._allowed = allowed
        self._resolve = resolve
        # A kept connection would be found by address: another name's request could enter it.
        limits = httpx.Limits(max_keepalive_connections=0)
        self._inner = inner or httpx.AsyncHTTPTransport(trust_env=False, limits=limits)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        target = read_target(str(request.url), self._allowed)
        failure: httpx.TransportError | None = None
        for address in (await self._find_addresses(target))[:MAX_ADDRESSES]:
            try:
                return await self._inner.handle_async_request(_pin(request, target, address))
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                failure = error
        assert failure is not None
        raise failure

    async def _find_addresses(self, target: Target) -> list[Address]:
        """Every address of a host, at least one.

        Raises:
            UnsafeAddressError: Any of them is inside: a name with one foot inside is a trap.
            NameNotFoundError: There is no such name.
        """
        if target.address is not None:
            return [target.address]
        try:
            answers = await self._resolve(target.host, target.port)
        except socket.gaierror as error:
            if error.errno in (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", None)):
                raise NameNotFoundError(f"no such name: {target.host}") from error
            raise UnavailableError(f"{target.host} cannot be looked up: {error}") from error
        except OSError as error:
            raise UnavailableError(f"{target.host} cannot be looked up: {error}") from error
        named = target.is_named_in(self._allowed)
        found = []
        for answer in answers:
            if "%" in answer:
                raise UnsafeAddressError(f"{target.host}: an address with a zone")
            address = ip_address(answer)
            try:
                check_address(address, named=named)
            except UnsafeAddressError as error:
                raise UnsafeAddressError(f"{target.host}: {error.message}") from error
            found.append(address)
        if not found:
            raise NameNotFoundError(f"no address: {target.host}")
        return found

    async def aclose(self) -> None:
        await self._inner.aclose()


def _pin(request: httpx.Request, target: Target, address: Address) -> httpx.Request:
    headers = request.headers.copy()
    headers["Host"] = target.authority
    extensions = dict(request.extensions)
    if target.address is None:
        extensions["sni_hostname"] = target.host
    url = request.url.copy_with(host=str(address), port=target.port)
    return httpx.Request(
        request.method, url, headers=headers, stream=request.stream, extensions=extensions
    )


class Fetcher:
    """Fetches politely; belongs to one event loop, and is closed by `async with`."""

    def __init__(
        self,
        *,
        allowed: Collection[str] = (),
        limits: FetchLimits | None = None,
        resolve: Resolve = resolve_name,
        inner: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Take what may be reached and at what cost.

        Args:
            allowed: "host" or "host:port" that may be inside or at another port; never metadata,
                link-local or multicast addresses.
            limits: The defaults unless given.
            resolve: The system's resolver unless given.
            inner: What connects to a checked address; httpx's own transport unless given.
        """
        self.allowed = frozenset(allowed)
        self.limits = limits or FetchLimits()
        self._client = httpx.AsyncClient(
            transport=PinnedTransport(self.allowed, resolve, inner),
            headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"},
            timeout=httpx.Timeout(self.limits.total_seconds, connect=self.limits.connect_seconds),
            follow_redirects=False,
            trust_env=False,
        )
        self._slots = asyncio.Semaphore(self.limits.at_once)
        self._paces: dict[str, _HostPace] = {}

    async def __aenter__(self) -> Fetcher:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._client.aclose()

    async def fetch(
        self,
        url: str,
        *,
        method: str = "GET",
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        read_body: bool = True,
    ) -> Fetched:
        """Ask for a URL, following redirects where the method is GET or HEAD.

        Args:
            url: Absolute, http or https.
            method: Of every hop.
            content: The request's body.
            headers: Beside the client's own.
            read_body: Whether the answer's body is wanted; left unread otherwise.

        Raises:
            UnsafeAddressError: A hop leads where nothing may be fetched; nothing was sent there.
            NameNotFoundError: A name does not exist.
            UnavailableError: No answer in time, or one over the limits.
        """
        limits = self.limits
        try:
            async for attempt in stamina.retry_context(
                on=self._wait_before_retry, attempts=limits.attempts, timeout=None
            ):
                with attempt:
                    answer = await self._follow(url, method, content, headers or {}, read_body)
                    if answer.status_code in _LATER and limits.attempts > 1:
                        raise _TryLaterError(answer)
                    return answer
        except _TryLaterError as error:
            return error.answer
        raise AssertionError("stamina ends in an answer or an error")

    def _wait_before_retry(self, error: Exception) -> bool | float:
        """Seconds until the next attempt, or False."""
        if not isinstance(error, _TryLaterError):
            return False
        wait = read_retry_after(error.answer.headers.get("retry-after"))
        if wait is None:
            return min(self.limits.wait_seconds, 2.0)
        return wait if wait <= self.limits.wait_seconds else False

    async def _follow(
        self,
        url: str,
        method: str,
        content: bytes | None,
        headers: Mapping[str, str],
        read_body: bool,
    ) -> Fetched:
        left = self.limits.total_seconds
        redirects: list[tuple[int, str]] = []
        loop = asyncio.get_running_loop()
        while True:
            target = read_target(url, self.allowed)
            async with self._take_turn(target):
                began = loop.time()
                answer = await self._ask(url, method, content, headers, read_body, left)
                left -= loop.time() - began
            location = answer.headers.get("location")
            follows = answer.status_code in _REDIRECTS and location and method in ("GET", "HEAD")
            if not follows or not location or self.limits.hops == 0:
                return Fetched(
                    url, answer.status_code, answer.headers, answer.body, tuple(redirects)
                )
            if len(redirects) >= self.limits.hops:
                raise UnavailableError(f"more than {self.limits.hops} redirects", retryable=False)
            if left <= 0:
                raise UnavailableError("no answer in time")
            try:
                url = urljoin(url, location)
            except ValueError as error:
                raise UnsafeAddressError(f"not a URL: {error}") from error
            redirects.append((answer.status_code, url))

    @asynccontextmanager
    async def _take_turn(self, target: Target) -> AsyncIterator[None]:
        """One request at a time to a host, spaced; the wait for it holds no slot."""
        pace = self._paces.setdefault(target.host, _HostPace())
        loop = asyncio.get_running_loop()
        async with pace.lock:
            await asyncio.sleep(max(0.0, pace.next_at - loop.time()))
            async with self._slots:
                pace.next_at = loop.time() + self.limits.per_host_seconds
                yield

    async def _ask(
        self,
        url: str,
        method: str,
        content: bytes | None,
        headers: Mapping[str, str],
        read_body: bool,
        seconds: float,
    ) -> Fetched:
        request = self._client.build_request(method, url, content=content, headers=dict(headers))
        try:
            async with asyncio.timeout(seconds):
                response = await self._client.send(request, stream=True)
                try:
                    body = await self._read_body(response) if read_body else b""
                finally:
                    await response.aclose()
        except TimeoutError as error:
            raise UnavailableError("no answer in time") from error
        except (httpx.RemoteProtocolError, httpx.ReadError) as error:
            raise BrokenAnswerError(f"{type(error).__name__}: {error}".rstrip(": ")) from error
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError) as error:
            raise UnavailableError(f"{type(error).__name__}: {error}".rstrip(": ")) from error
        self._client.cookies.clear()
        said = {name.lower(): value for name, value in response.headers.items()}
        return Fetched(url, response.status_code, said, body)

    async def _read_body(self, response: httpx.Response) -> bytes:
        unpack = choose_unpacker(response.headers.get("content-encoding", ""))
        limit = self.limits.body_bytes
        kept = bytearray()
        async for raw in response.aiter_raw(_READ_BYTES):
            kept += unpack(raw, limit + 1 - len(kept))
            if len(kept) > limit:
                raise UnavailableError(f"a body of more than {limit} bytes", retryable=False)
        return bytes(kept)


def fetch_alone(
    url: str,
    *,
    method: str = "GET",
    content: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    allowed: Collection[str] = (),
    limits: FetchLimits | None = None,
) -> Fetched:
    """One fetch from code that has no event loop; raises what `Fetcher.fetch` raises."""

    async def run() -> Fetched:
        async with Fetcher(allowed=allowed, limits=limits) as fetcher:
            return await fetcher.fetch(url, method=method, content=content, headers=headers)

    return asyncio.run(run())
