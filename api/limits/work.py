"""Which class of work a request is, told from its method and path alone; pure.

Nothing of the body is read for it, so that a request can be refused before it costs anything.
"""

from __future__ import annotations

import re
from enum import StrEnum


class Work(StrEnum):
    """Classes of work, first served first."""

    PROBE = "probe"
    """Never queued, never limited."""
    SEARCH = "search"
    """Somebody waits for an answer, and it costs a processor."""
    INTERACTIVE = "interactive"
    """Somebody waits; small reads and writes, and pages."""
    BULK = "bulk"
    """Imports, syncs, jobs and drafting: nobody minds a minute."""


class Counted(StrEnum):
    """What a key's calls are counted as."""

    SEARCHES = "searches"
    READS = "reads"
    WRITES = "writes"


PROBES = frozenset({"/healthz", "/readyz", "/metrics"})
KEYED = ("/v1/", "/mcp", "/compat/")
"""What is called with a key; pages are for people, who have sessions."""
_SEARCHES = re.compile(
    r"/mcp/?|/v1/(search|context)|/v1/vector_stores/[^/]+/search|/v1/searches/[^/]+/replay"
    r"|/compat/.+|/search"
)
_SHOWN_SEARCH = re.compile(r"/search/[^/]+")
_BULK = re.compile(r"/v1/(tickets|drafts|sources/[^/]+/sync|jobs/[^/]+/run|gaps/find)")


def classify(method: str, path: str) -> Work:
    """The class of a request."""
    if path in PROBES:
        return Work.PROBE
    if method == "POST" and _SEARCHES.fullmatch(path):
        return Work.SEARCH
    if method == "GET" and _SHOWN_SEARCH.fullmatch(path):
        return Work.SEARCH
    if method == "POST" and _BULK.fullmatch(path):
        return Work.BULK
    return Work.INTERACTIVE


def find_counted(method: str, path: str) -> Counted | None:
    """What the request counts as against its key's allowance; None where keys do not count."""
    if not path.startswith(KEYED):
        return None
    if classify(method, path) is Work.SEARCH:
        return Counted.SEARCHES
    return Counted.READS if method in ("GET", "HEAD", "OPTIONS") else Counted.WRITES
