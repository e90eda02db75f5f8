"""What a ticket says of an article it was used on, sentence against sentence; pure."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gaps.drafting.writing.evidence import usable_texts
from gaps.freshness.facts import Told
from gaps.freshness.terms import find_codes, find_menus, find_versions, read_article_text
from gaps.types import Ticket
from kb.contradictions import telling_words
from kb.quantities import Slot, extract_slots
from kb.statements import find_disagreement, split_sentences

FEWEST_ORIGINS = 2
MOST_SENTENCES = 400
"""Of one text that are held against another."""
MOST_READ = 20_000
KINDS = ("value", "menu", "code", "version")

_VAIN = re.compile(
    r"\b(?:did(?:n['’]t| not)|do(?:es)?(?:n['’]t| not)|has(?:n['’]t| not)|wo(?:n['’]t|uld not))"
    r"\s+(?:\w+\s+){0,2}?(?:work|help|solve|fix|change|match|apply|exist|appear|show)"
    r"|\bno longer\b|\bout ?dated\b|\bout of date\b|\bnot (?:there|work\w*|available|possible"
    r"|present|correct|accurate|up to date)\b|\bno such\b|\bisn['’]t there\b"
    r"|\bcan(?:['’]t|not) find\b|\bto no avail\b|\bwithout (?:success|luck)\b|\bno luck\b"
    r"|\bstill (?:not|no|get|does|the same|have|having|fails?)\b|\bin vain\b|\bis wrong\b"
    r"|\bincorrect\b|\bobsolete\b|\bmissing\b|\bold version\b",
    re.IGNORECASE,
)
_READ = re.compile(
    r"\b(?:follow\w*|tried|read|went through|according to|as (?:described|explained|told|shown)"
    r"|instructions?|article|guide|page|steps?|document(?:ation)?|says?|described|told)\b",
    re.IGNORECASE,
)
_ADDRESS = re.compile(r"https?://\S{3,500}")
_TOKEN = re.compile(r"[A-Za-z0-9][\w.-]{4,120}[A-Za-z0-9]")


@dataclass(frozen=True, slots=True)
class Claim:
    """One thing a resolution states otherwise than the article."""

    kind: str
    here: str
    there: str


@dataclass(frozen=True, slots=True)
class ArticleClaims:
    """An article's sentences with values, and its names, ready to be held against tickets."""

    sentences: tuple[tuple[str, frozenset[str]], ...]
    stated: frozenset[tuple[str, float]]
    menus: frozenset[str]
    codes: frozenset[str]
    versions: Mapping[str, tuple[int, ...]]
    text: str
    """Lower case."""


def read_claims(markdown: str) -> ArticleClaims:
    """What an article states."""
    found = [s.text for s in split_sentences(markdown[:MOST_READ])][:MOST_SENTENCES]
    valued = [(text, extract_slots(text)) for text in found]
    names = read_article_text(markdown)
    return ArticleClaims(
        tuple((text, frozenset(telling_words(text))) for text, slots in valued if slots),
        frozenset((slot.unit, slot.low) for _, slots in valued for slot in slots),
        names.menus,
        names.codes,
        names.versions or {},
        markdown.lower(),
    )


def find_claims(article: ArticleClaims, ticket: Ticket) -> list[Claim]:
    """What who solved the ticket states otherwise: values, then names the article lacks."""
    found: dict[Claim, None] = {}
    for text in usable_texts(ticket):
        read = text[:MOST_READ]
        for told in split_sentences(read)[:MOST_SENTENCES]:
            slots = extract_slots(told.text) if any(c.isalnum() for c in told.text) else []
            for claim in _other_values(article, told.text, slots) if slots else ():
                found.setdefault(claim)
        if article.menus:
            for name in find_menus(read):
                if name not in article.menus and name not in article.text:
                    found.setdefault(Claim("menu", "", name))
        for code in find_codes(read):
            if article.codes and code not in article.codes:
                found.setdefault(Claim("code", "", code))
        for product, version in find_versions(read).items():
            held = article.versions.get(product)
            if product and held is not None and held[:1] < version[:1]:
                here, there = f"{product} {held[0]}", f"{product} {version[0]}"
                found.setdefault(Claim("version", here, there))
    return list(found)[:20]


def _other_values(article: ArticleClaims, told: str, slots: Iterable[Slot]) -> Iterable[Claim]:
    words = telling_words(told)
    units = {slot.unit for slot in slots}
    for sentence, said in article.sentences:
        if len(words & said) < 2:
            continue
        found = find_disagreement(sentence, told)
        if found is None or found.unit in ("polarity", "date") or found.unit not in units:
            continue
        # What the document says elsewhere is about another step of it.
        if not any((s.unit, s.low) in article.stated for s in extract_slots(found.right)):
            yield Claim("value", found.left, found.right)


def agree_on(claims: Iterable[tuple[Claim, str, str]]) -> Told | None:
    """The claim that most requesters were told, from two on; values before names.

    Args:
        claims: Claim, whom it was told, and the ticket.
    """
    votes: dict[Claim, dict[str, str]] = defaultdict(dict)
    for claim, origin, ticket_id in claims:
        held = votes[claim]
        held[origin] = min(ticket_id, held.get(origin, ticket_id))
    strong = [(claim, who) for claim, who in votes.items() if len(who) >= FEWEST_ORIGINS]
    if not strong:
        return None
    claim, who = min(
        strong, key=lambda e: (KINDS.index(e[0].kind), -len(e[1]), e[0].here, e[0].there)
    )
    return Told(claim.kind, claim.here, claim.there, tuple(sorted(who.values())))


def find_named(text: str, ids: Mapping[str, str]) -> set[str]:
    """Documents that a text names by id or by the last part of their address.

    Args:
        text: Of a requester.
        ids: Document id by lower-case name.
    """
    names = (m.group().lower() for m in _TOKEN.finditer(text[:MOST_READ]))
    parts = {part for name in names for part in (name, name.rsplit("/", 1)[-1])}
    for address in _ADDRESS.findall(text[:MOST_READ]):
        parts |= set(re.split(r"[/?#]", address.lower().rstrip(".,;:)]\"'")))
    return {ids[part] for part in parts if part in ids}


def says_in_vain(text: str) -> bool:
    """Whether a requester says that what was read did not help."""
    read = text[:MOST_READ]
    return bool(_VAIN.search(read)) and bool(_READ.search(read))


def followed_in_vain(ticket: Ticket, *, named: bool) -> bool:
    """Whether the requester says the article was followed and it did not work.

    Args:
        ticket: Any.
        named: The requester named the article; else it was linked, and only what was written
            after the ticket was opened can be about it.
    """
    if named and says_in_vain(ticket.question):
        return True
    later = "\n".join(r.body for r in ticket.replies if r.author_role == "customer")
    return bool(later) and not ticket.is_solved and says_in_vain(later)
