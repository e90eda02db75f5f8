"""What a fetch may cost, what it gives, and how its headers are read; pure."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from kb.errors import UnavailableError

PERMANENT = frozenset({301, 308})


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """What one fetch, and all at once, may cost."""

    hops: int = 5
    """Redirects that are followed."""
    body_bytes: int = 2_000_000
    """Of the body, unpacked."""
    total_seconds: float = 20.0
    """Of one attempt over all its hops, without the time spent waiting for its turn."""
    connect_seconds: float = 5.0
    attempts: int = 3
    """How often 429 and 503 are asked again, the first time included."""
    wait_seconds: float = 30.0
    """Longest wait before another attempt; a server that asks for more is left alone."""
    at_once: int = 16
    """Requests under way to all hosts together."""
    per_host_seconds: float = 1.0
    """Between the beginnings of two requests to one host; never two at once."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """The last answer, after redirects."""

    url: str
    status_code: int
    headers: Mapping[str, str]
    body: bytes
    redirects: tuple[tuple[int, str], ...] = ()
    """Status and next URL of every hop."""


def choose_unpacker(encoding: str) -> Callable[[bytes, int], bytes]:
    """How to unpack pieces of a body to at most so many bytes.

    Raises:
        UnavailableError: An encoding that was not asked for and has no limit here.
    """
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return lambda raw, _most: raw
    if name not in ("gzip", "x-gzip", "deflate"):
        raise UnavailableError(f"content encoding {name[:40]!r}", retryable=False)
    packed = zlib.decompressobj(wbits=zlib.MAX_WBITS | (16 if "gzip" in name else 0))

    def unpack(raw: bytes, most: int) -> bytes:
        try:
            return packed.decompress(raw, max(1, most))
        except zlib.error as error:
            raise UnavailableError(f"a body that does not unpack: {error}") from error

    return unpack


def read_retry_after(said: str | None, now: datetime | None = None) -> float | None:
    """Seconds that a Retry-After header asks for, not below 0; None where it says nothing."""
    if said is None:
        return None
    if said.strip().isdecimal() and said.strip().isascii():
        return float(said.strip()[:9])
    try:
        until = parsedate_to_datetime(said)
    except ValueError:
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return max(0.0, (until - (now or datetime.now(UTC))).total_seconds())
