"""What a writer may use: sentences of resolutions, agents' replies and readable passages; pure.

A ticket's body is never a source of statements, whoever wrote it: it is untrusted and it holds
the question. It lends only the words in which the trouble is told, after the same checks.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gaps.drafting.writing.wording import as_instruction, says_i, split_inline_numbers, states_fact
from gaps.types import Ticket, TicketStatus
from kb.hostile_text import is_hostile
from kb.quantities import plain_text
from kb.statements import split_sentences
from kb.types import Audience, StoredChunk

MAX_WORDS = 45
"""Longer sentences mix several things; an article cannot quote them as one step."""

_GREETING = re.compile(
    r"^(?:(?:hi|hello|hey|dear|good (?:morning|afternoon|evening)|morning|afternoon|hallo|dag|beste"
    r"|bonjour|salut|bom dia|boa tarde|ol[áa])\b[^.!?]{0,40}[,!.]?\s*)$",
    re.IGNORECASE,
)
_GREETING_LEAD = re.compile(
    r"^(?:hi|hello|hey|dear|good (?:morning|afternoon|evening)|hallo|dag|beste|bonjour|ol[áa])\b"
    r"(?:\s+(?!(?:open|go|please|the|your|to|you|if|in)\b)[\w'’.-]+){0,3}\s*[,!:–-]+\s*",
    re.IGNORECASE,
)
_CHATTER = re.compile(
    r"\b(?:thanks?|thank you|cheers|regards|sincerely|apolog\w*|sorry|welcome|glad|happy to"
    r"|hope this"
    r"|hope that|let us know|let me know|have a (?:nice|good|great)|best wishes|kind regards"
    r"|done for"
    r" you|feel free|do not hesitate|don['’]t hesitate|good luck|well done|no problem"
    r"|you['’]re right"
    r"|as discussed|as agreed|on the phone|on a call|on the line|for your patience|mvg|groeten"
    r"|cordialement|obrigad[oa]|merci|bedankt)\b",
    re.IGNORECASE,
)
_LINK = re.compile(r"\(?https?://\S+|\[removed\]")
_FRAGMENT = re.compile(
    r"^\W*(?:or|nor|and (?:that|which|not)|but|which|because|so that|e\.?g\.?|eg|re|ps|edit|btw"
    r"|than|etc)\b",
    re.IGNORECASE,
)
"""What hangs on a sentence before it, or answers a part of the requester's mail."""
_ASKS = re.compile(
    r"^\W*(?:what|which|where|when|why|who|how|is|are|do|does|did|have|has|can|could)\s"
    r"(?:\w+\s)?(?:do|does|did|is|are|was|have|has|you|your|it|there|that|this)\b",
    re.IGNORECASE,
)
_LEAD_IN = (
    r"^\W*(?:(?:and|also|then|please|just|further|note:?|you (?:can|could|should|may|might)"
    r"|want to|for [\w ]{0,30}(?:information|info|details|help|reference|instructions),?)\s+)*"
)
_LINKING = re.compile(
    _LEAD_IN + r"(?:see|read|refer|look|check|visit|follow|move on|here|a starting point|details"
    r"|more info\w*|(?:take|have) a look|consult|post|file|report|try)\b",
    re.IGNORECASE,
)
_ELSEWHERE = re.compile(
    _LEAD_IN + r"(?:see|read|refer|look|check out|follow|consult|visit|(?:take|have) a look|go)\b"
    r"[^.]{0,60}\b(?:articles?|threads?|posts?|guides?|forums?|screenshots?|pictures?|images?"
    r"|bug reports?|links?|(?:the )?(?:instructions|above|below))\b"
    r"|^\W*for (?:more|further) (?:information|info|details)\b",
    re.IGNORECASE,
)
TROUBLE = re.compile(
    r"\b(?:not|no|never|nothing|cannot|cant|unable|fail\w*|errors?|problems?|los[et]\w*|missing"
    r"|gone|disappear\w*|stop\w*|slow|crash\w*|wrong|keeps?|broken|stuck|empty|grey\w*|blocked|refus\w*"
    r"|reject\w*|timeout|timed out|denied|invalid|blank|freez\w*|frozen|hang\w*|duplicat\w*"
    r"|corrupt\w*|how (?:do|can|to)|want|need|asks?|says?|shows?|without)\b|n['’]t\b",
    re.IGNORECASE,
)
_MASKED = re.compile(r"\[[A-Za-z][\w -]{1,30}\]|<[A-Z][A-Z_ ]{2,30}>|\*{3,}|█+|\bREDACTED\b")
_PROPER = re.compile(r"(?<![.!?:\"“]\s)(?<!^)\b[A-ZÀ-Þ][\w'’-]+")
_IDENTIFIER = re.compile(r"\b(?=[\w-]*\d)[\w-]{5,}\b|\b\d{4,}\b")


@dataclass(frozen=True, slots=True)
class Evidence:
    """One sentence that may carry a statement."""

    quote: str
    """Word for word as it stands in its source."""
    kind: str
    """"ticket" or "chunk"."""
    source_id: str
    origin: str
    """Who is independent of whom: the requester of a ticket, the document of a chunk."""
    position: float
    """Where in its source, 0 first to 1 last."""
    instruction: str | None
    """The sentence as an instruction, where it is one."""
    place: int = 0
    """Running number in its source, across a ticket's texts."""

    @property
    def states_fact(self) -> bool:
        """Neither an instruction nor a story: something that is so."""
        return self.instruction is None and states_fact(self.quote)


@dataclass(frozen=True, slots=True)
class EvidencePack:
    """Everything a writer gets to see."""

    sentences: tuple[Evidence, ...]
    requesters: int
    """Independent requesters with at least one usable sentence."""
    solved_tickets: tuple[Ticket, ...]
    wordings: tuple[tuple[str, str], ...]
    """How requesters put it, checked: requester and words."""
    rejected: tuple[str, ...]
    """Ids of tickets of which something hostile was left out."""


def origin_of(ticket: Ticket) -> str:
    """Whom a ticket speaks for; without a requester it stands for itself alone."""
    return ticket.requester or f"ticket:{ticket.ticket_id}"


def usable_texts(ticket: Ticket) -> list[str]:
    """What an agent wrote to a solved ticket: its resolution, then replies by role "agent"."""
    if ticket.status not in (TicketStatus.SOLVED, TicketStatus.CLOSED):
        return []
    texts = [ticket.resolution] if ticket.resolution else []
    # A reopened ticket's replies are advice that failed; its resolution came after them.
    if not ticket.reopened:
        texts += [reply.body for reply in ticket.replies if reply.author_role == "agent"]
    return texts


def collect_evidence(
    tickets: Iterable[Ticket], passages: Iterable[StoredChunk], *, audience: Audience
) -> EvidencePack:
    """Sentences a draft for the audience may rest on, in a fixed order.

    Nothing of a higher audience than the draft's gets in, neither tickets nor passages.
    """
    readable = sorted(
        (t for t in tickets if audience.may_read(t.audience)),
        key=lambda t: (t.created_at, t.ticket_id),
    )
    found: list[Evidence] = []
    rejected: list[str] = []
    solved: list[Ticket] = []
    for ticket in readable:
        sentences, hostile = _of_ticket(ticket)
        if hostile:
            rejected.append(ticket.ticket_id)
        if sentences:
            solved.append(ticket)
        found.extend(sentences)
    passages = [p for p in passages if audience.may_read(p.document.metadata.audience)]
    found.extend(_of_passages(passages))
    found = drop_private(found)
    origins = {e.origin for e in found if e.kind == "ticket"}
    return EvidencePack(
        sentences=tuple(found),
        requesters=len(origins),
        solved_tickets=tuple(solved),
        wordings=tuple(collect_wordings(readable)),
        rejected=tuple(rejected),
    )


def _of_ticket(ticket: Ticket) -> tuple[list[Evidence], bool]:
    found: list[Evidence] = []
    hostile = False
    seen: set[str] = set()
    running = 0
    for text in usable_texts(ticket):
        # One hostile sentence spoils the whole text: the rest comes from the same hand.
        if is_hostile(text):
            hostile = True
            continue
        pieces = [p for s in split_sentences(text) for p in _pieces(s.text)]
        for place, piece in enumerate(pieces):
            running += 1
            # A resolution often repeats a reply; said twice by one it is said once.
            if piece in seen or not is_usable(piece):
                continue
            seen.add(piece)
            position = place / max(1, len(pieces) - 1)
            found.append(
                Evidence(
                    piece, "ticket", ticket.ticket_id, origin_of(ticket), position,
                    as_instruction(_GREETING_LEAD.sub("", piece)), running,
                )
            )  # fmt: skip
    return found, hostile


def _of_passages(passages: Sequence[StoredChunk]) -> list[Evidence]:
    found = []
    for chunk in passages:
        sentences = [s for s in split_sentences(chunk.text) if not s.text.startswith("|")]
        for place, sentence in enumerate(sentences):
            if is_hostile(sentence.text) or len(sentence.text.split()) > MAX_WORDS:
                continue
            position = place / max(1, len(sentences) - 1)
            instruction = as_instruction(plain_text(sentence.text))
            origin = f"document:{chunk.document.document_id}"
            found.append(
                Evidence(sentence.text, "chunk", chunk.chunk_id, origin, position, instruction)
            )
    return found


def _pieces(sentence: str) -> list[str]:
    """A sentence's independent parts, each verbatim: inline steps, and what ";" sets apart."""
    pieces: list[str] = []
    for part in split_inline_numbers(sentence):
        pieces.extend(p.strip() for p in re.split(r";\s+", part) if re.search(r"\w", p))
    return pieces


def is_usable(sentence: str) -> bool:
    """Neither politeness nor about the agent, a masked value, or too short or long to be a step."""
    words = sentence.split()
    return (
        3 <= len(words) <= MAX_WORDS
        and not _GREETING.match(sentence)
        and not _CHATTER.search(sentence)
        and not _MASKED.search(sentence)
        and not says_i(sentence)
        and not sentence.rstrip().endswith(("?", ":"))
        and not _FRAGMENT.match(sentence)
        and not _ASKS.match(sentence)
        and not _points_elsewhere(sentence)
    )


def _points_elsewhere(sentence: str) -> bool:
    """A link alone, or "see this article": it states nothing itself."""
    said = _LINK.sub(" ", sentence)
    if len(re.findall(r"[^\W\d_]{2,}", said)) < 3 and said != sentence:
        return True
    return bool(_ELSEWHERE.search(said) or (said != sentence and _LINKING.search(said)))


def drop_private(sentences: Sequence[Evidence]) -> list[Evidence]:
    """Leave out ticket sentences with a name or number that only one requester's tickets hold.

    A product, menu or error code is named by several people; a colleague, an asset tag or an
    order number by one. Sentences whose instruction no longer holds the detail stay.
    """
    origins: dict[str, set[str]] = defaultdict(set)
    for sentence in sentences:
        for word in _details(sentence.quote) | {
            w.lower() for w in re.findall(r"\w+", sentence.quote)
        }:
            origins[word.lower()].add(sentence.origin)
    kept = []
    for sentence in sentences:
        said = sentence.instruction or sentence.quote
        alone = sentence.kind == "ticket" and any(
            len(origins[d.lower()]) < 2 and d.split("'")[0] not in _KNOWN for d in _details(said)
        )
        if not alone:
            kept.append(sentence)
    return kept


_KNOWN = frozenset(
    "Windows Mac MacBook macOS iPhone iPad Android Linux Wi-Fi WiFi Bluetooth Ethernet Settings"
    " Privacy Security System Apps Network Account Profile Help Devices Advanced About Allow"
    " Monday Tuesday Wednesday Thursday Friday Saturday Sunday PDF QR PIN OK MFA VPN DNS IT HR EUR"
    " GBP LOW CAL".split()
)


def _details(text: str) -> set[str]:
    """Proper names inside the sentence and long numbers or tags."""
    bare = re.sub(r"[\"“][^\"”]*[\"”]|[\w.+-]+@[\w.-]+|\b(?:[a-z0-9-]+\.)+[a-z]{2,}\S*", " ", text)
    menus = re.sub(r"[^.,;:]*→[^.,;]*", " ", bare)
    return set(_PROPER.findall(menus)) | set(_IDENTIFIER.findall(bare))


def collect_wordings(tickets: Iterable[Ticket]) -> list[tuple[str, str]]:
    """Short wordings of the trouble in the requesters' words, the hostile and masked left out."""
    found = []
    for ticket in tickets:
        if is_hostile(ticket.question):
            continue
        said = [ticket.subject, *(s.text for s in split_sentences(ticket.body)[:4])]
        for text in said:
            text = re.sub(
                r"^(?:(?:re|fwd?|aw|tr)\s*:\s*)+", "", plain_text(text), flags=re.IGNORECASE
            )
            if (
                3 <= len(text.split()) <= 14
                and not _MASKED.search(text)
                and not _GREETING.match(text)
            ):
                found.append((origin_of(ticket), text.strip(" .!,;:")))
    return found


def common_words(wordings: Sequence[tuple[str, str]]) -> Counter[str]:
    """How many requesters use a word."""
    said: dict[str, set[str]] = defaultdict(set)
    for requester, text in wordings:
        for word in re.findall(r"[^\W_]{2,}", text.lower()):
            said[word].add(requester)
    return Counter({word: len(who) for word, who in said.items()})
