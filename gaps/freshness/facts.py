"""What is known of one published version when it is judged; frozen values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from gaps.freshness.terms import ArticleText
from kb.types import Document


@dataclass(frozen=True, slots=True)
class Finding:
    """One signal of one version, before the model weighs it."""

    signal: str
    text: str
    evidence: tuple[str, ...] = ()
    """Document ids, ticket ids or addresses."""
    floor: float = 0.0
    """Probability that it alone makes the version untrue, where that needs no fitting: a ruling, a
    date, or tickets counted."""
    value: float = 0.0
    """What the model reads; 0 means nothing found."""


@dataclass(frozen=True, slots=True)
class FreshnessReason:
    """One signal with its part of the probability."""

    signal: str
    weight: float
    """Share of doubt it accounts for: the probability is one minus the product of the weights'
    complements and of the base share's."""
    evidence: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True)
class LostConflict:
    """A statement of another document that this one contradicts."""

    winner: str
    statement: str
    tie: bool
    """Nobody wins: both are doubtful."""


@dataclass(frozen=True, slots=True)
class Release:
    """A product's release with what its notes say."""

    name: str
    """Product as the articles call it."""
    version: str
    at: datetime
    product: str | None = None
    """Label as in `products` of an article; None: any."""
    notes: str = ""


@dataclass(frozen=True, slots=True)
class Uses:
    """Tickets that a version was used on, counted."""

    linked: int = 0
    """In the last 90 days, as all but the last field."""
    linked_month: int = 0
    failed: int = 0
    failed_month: int = 0
    named: int = 0
    """Requesters who named it themselves."""
    failed_tickets: tuple[str, ...] = ()
    followed_tickets: tuple[str, ...] = ()
    """Where the requester says it was followed and did not work."""
    year: int = 0
    """Linked in the last year."""


@dataclass(frozen=True, slots=True)
class Shown:
    """Searches that showed a version among the first three, in 90 days."""

    month: int = 0
    """Of the last 28 days."""
    quarter: int = 0
    rated: int = 0
    """With an outcome, or whose conversation became a ticket."""
    bad: int = 0
    rated_month: int = 0
    bad_month: int = 0
    wrong: tuple[str, ...] = ()
    """Searches whose reader said that it is wrong."""
    ended_in_ticket: tuple[str, ...] = ()
    """Tickets of conversations in which it had been shown."""


@dataclass(frozen=True, slots=True)
class Told:
    """What resolutions of at least two requesters state otherwise."""

    kind: str
    """"value", "menu", "code" or "version"."""
    here: str
    there: str
    tickets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Activity:
    """How much a version is edited and read, where the source or its log tells."""

    revisions: int = 0
    """In the last year."""
    recent_revisions: float = 0.0
    """Each counted by half for every 120 days that it is old."""
    last_revised_at: datetime | None = None
    first_revised_at: datetime | None = None
    views: int | None = None
    """In the last year; None: not known."""
    known: bool = False
    """Whether the article has been watched, or logged, for long enough to say."""


@dataclass(frozen=True, slots=True)
class LinkVerdict:
    url: str
    verdict: str
    """"ok", "dead", "redirected", "archived" or "unknown"."""
    target: str | None = None


@dataclass(frozen=True, slots=True)
class ArticleFacts:
    """Everything that bears on one version."""

    document: Document
    text: ArticleText
    interval_days: int
    superseded_by: tuple[str, ...] = ()
    lost: tuple[LostConflict, ...] = ()
    uses: Uses = Uses()
    shown: Shown = Shown()
    told: Told | None = None
    activity: Activity = Activity()
    links: tuple[LinkVerdict, ...] = ()
    twins: tuple[str, ...] = ()
    new_terms: tuple[tuple[str, int], ...] = ()
    """Terms of the tickets it was used on that it does not hold, and in how many."""


@dataclass(frozen=True, slots=True)
class World:
    """What bears on all versions alike."""

    now: datetime
    failure_share: float = 0.1
    """Of all tickets that an article was used on, those that failed."""
    releases: tuple[Release, ...] = ()
    newest: dict[str, tuple[int, ...]] = field(default_factory=dict)
    """Newest version of each product that releases or several tickets name."""
    vanished: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Terms that tickets used and use no more: tickets before, tickets of late."""
    searched_days: int = 0
    """For how long searches have been recorded."""
