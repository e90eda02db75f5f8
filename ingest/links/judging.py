"""What is to be said about a link: from the database for our own, from an answer for others; pure.

Only what is certain counts as dead: a page that says 404 or 410, a name that does not exist. A page
that wants a login, is slow or out of order today is unknown, since a person may well reach it.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from urllib.parse import unquote, urljoin, urlsplit

from ingest.answers import PERMANENT, Fetched
from kb.types import ConfidenceState

GONE = frozenset({404, 410})


class LinkVerdict(StrEnum):
    OK = "ok"
    DEAD = "dead"
    REDIRECTED = "redirected"
    """There, and moved for good."""
    ARCHIVED = "archived"
    """An article of ours that is archived."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class LinkState:
    """What was found behind one URL."""

    verdict: LinkVerdict
    status_code: int | None
    """None where nothing was fetched or nobody answered."""
    target: str | None
    """The document id of an article of ours, or where a page has moved."""
    checked_at: datetime


@dataclass(frozen=True, slots=True)
class KnownDocument:
    """What links to it are judged by; deleted ones are known too."""

    document_id: str
    location: str
    """Folder of its source; empty where it has none."""
    path: str
    """Relative to the location."""
    url: str | None
    confidence_state: str
    deleted: bool


class KnownPlaces:
    """Every document that is or was, by the names that links may use."""

    def __init__(self, documents: Iterable[KnownDocument]) -> None:
        self._by_id: dict[str, KnownDocument] = {}
        self._by_path: dict[str, KnownDocument] = {}
        self._by_url: dict[str, KnownDocument] = {}
        # Two documents may have had one path or URL: the one that is still there is meant.
        for known in sorted(documents, key=lambda d: (not d.deleted, d.document_id)):
            self._by_id[known.document_id] = known
            self._by_path[_join(known.location, known.path)] = known
            if known.url:
                self._by_url[fold_url(known.url)] = known

    def find(self, document_id: str) -> KnownDocument | None:
        return self._by_id.get(document_id)

    def resolve(self, origin: KnownDocument, link: str) -> str | KnownDocument | None:
        """What a link of a document means.

        Args:
            origin: The document it stands in.
            link: As written.

        Returns:
            The document of ours, the absolute URL of another's page, or None for what can be
            neither judged nor fetched; a `LookupError` of an own link is told by `MISSING`.
        """
        try:
            parts = urlsplit(link)
        except ValueError:
            return None
        if parts.scheme:
            if parts.scheme.lower() not in ("http", "https"):
                return None
            return self._by_url.get(fold_url(link), link)
        path = unquote(parts.path)
        if not parts.netloc and path in self._by_id:
            return self._by_id[path]
        if not parts.netloc and path.lower().endswith((".md", ".markdown")):
            beside = posixpath.dirname(_join(origin.location, origin.path))
            base = origin.location if path.startswith("/") else beside
            return self._by_path.get(_join(base, path.lstrip("/")), MISSING)
        if origin.url:
            try:
                absolute = urljoin(origin.url, link)
            except ValueError:
                return None
            return self._by_url.get(fold_url(absolute), absolute)
        return None


MISSING = KnownDocument("", "", "", None, "", True)
"""Stands for a file that no source has or ever had."""


def _join(location: str, path: str) -> str:
    return posixpath.normpath(posixpath.join(location.replace("\\", "/"), path.replace("\\", "/")))


def fold_url(url: str) -> str:
    """One spelling of the URLs of one page: no scheme, fragment or last slash."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port not in (None, 80, 443) else ""
        host = parts.hostname or ""
    except ValueError:
        return url
    query = f"?{parts.query}" if parts.query else ""
    return f"{host}{port}{parts.path.rstrip('/')}{query}"


def judge_document(found: KnownDocument, now: datetime) -> LinkState:
    """A link to one of our own articles."""
    if found.deleted:
        verdict = LinkVerdict.DEAD
    elif found.confidence_state == ConfidenceState.ARCHIVED.value:
        verdict = LinkVerdict.ARCHIVED
    else:
        verdict = LinkVerdict.OK
    return LinkState(verdict, None, found.document_id or None, now)


def judge_answer(answer: Fetched, now: datetime) -> LinkState:
    """A link to another's page that answered."""
    moved = bool(answer.redirects) and all(status in PERMANENT for status, _ in answer.redirects)
    target = answer.url if answer.redirects else None
    if answer.status_code in GONE:
        verdict = LinkVerdict.DEAD
    elif not 200 <= answer.status_code < 300:
        verdict = LinkVerdict.UNKNOWN
    else:
        verdict = LinkVerdict.REDIRECTED if moved else LinkVerdict.OK
    return LinkState(verdict, answer.status_code, target, now)


def is_fresh(state: LinkState, now: datetime, ages_days: Mapping[LinkVerdict, int]) -> bool:
    """Whether an earlier finding still stands; what is not sure is asked again sooner."""
    age = now - state.checked_at
    return 0 <= age.total_seconds() < 86_400 * ages_days.get(state.verdict, 0)
