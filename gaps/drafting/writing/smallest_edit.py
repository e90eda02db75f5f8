"""The smallest change that makes an existing article true again; pure, given vectors.

Only what the evidence contradicts is replaced; every other byte of the article stays. Three
changes, the smallest first: one value in a sentence, one sentence, the steps of one section.
For what nobody finds, the requesters' words are added and nothing is taken away.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from gaps.drafting.hostile import is_hostile
from gaps.drafting.writing.evidence import (
    Evidence,
    EvidencePack,
    collect_evidence,
    origin_of,
    usable_texts,
)
from gaps.drafting.writing.extractive import CORROBORATION, WrittenArticle, write_article
from gaps.drafting.writing.merging import cite_members, merge_sentences
from gaps.drafting.writing.questions import ask_about_change
from gaps.drafting.writing.symptoms import shared_wordings
from gaps.types import Citation, Gap, GapKind, Refusal, Statement, Ticket
from kb.ports import Encoder
from kb.quantities import extract_slots, plain_text
from kb.statements import Sentence, content_words, find_disagreement, mask_values, split_sentences
from kb.types import StoredChunk

ALIGNED = 0.55
"""Cosine (values masked) from which on evidence speaks of an article's sentence."""
ALIGNED_ADVICE = 0.35
"""Cosine from which on an instruction may stand in the place of denied advice (MiniLM)."""
_GONE = re.compile(
    r"\b(?:no longer (?:exists?|needed|used|works?|recommended|available)|(?:was|is|has been"
    r"|were|are) (?:taken"
    r" down|removed|gone|retired|replaced|discontinued|switched off)|does(?:n't| not) exist"
    r"|(?:has|have)"
    r" gone|out of date|not (?:use|recommend\w*)|never use|instead of|rather than"
    r"|not needed any ?more)\b",
    re.IGNORECASE,
)
_DENIED = re.compile(
    r"\b(?:no|not|never|without|instead of|rather than|cause(?: is| was)?:?|because of)"
    r"\s+(?:use|using|the|any|a|an)?\s*([a-z-]{4,})"
    r"|\b([A-Za-z-]{4,})(?:\s+\w+){0,2}\s+(?:must not|should not|may not|can(?:no|['’])t"
    r"|(?:is|are) not"
    r"|(?:is|are) read wrongly|misreads?|do(?:es)? not work|hold a different|(?:is|are) wrong)\b"
    r"|\b(?:replace|swap|exchange)d?\s+(?:the\s+)?([a-z-]{4,})[^.,;]{0,20}\s(?:by|for|with)\b",
    re.IGNORECASE,
)
_ADVISES = re.compile(
    r"\b(?:recommend|use|choose|take|prefer|best|should|advise|suitable|need|enter|open|go to)\b",
    re.IGNORECASE,
)
_LIST = re.compile(
    r"(?m)(?:^[ \t]*\d{1,2}[.)][ \t]+.*(?:\n(?![ \t]*\n)(?![ \t]*\d{1,2}[.)]).*)*\n?)+"
)
_ADDRESS = re.compile(r"\b(?:[a-z0-9-]+\.)+[a-z]{2,}(?:/[\w./-]*)?")


@dataclass(frozen=True, slots=True)
class _Edit:
    start: int
    end: int
    text: str
    statement: Statement


def write_smallest_edit(
    gap: Gap,
    document_id: str,
    title: str,
    markdown: str,
    tickets: Sequence[Ticket],
    stronger: Sequence[StoredChunk],
    similarity: Encoder,
) -> WrittenArticle | Refusal:
    """Change an existing article as little as its evidence demands.

    Args:
        gap: stale, wrong, conflict or unfindable.
        document_id: The article's, for questions to the owner.
        title: The article's, kept.
        markdown: The article's current text.
        tickets: The gap's tickets the writer may see.
        stronger: Chunks of stronger or newer documents about the same.
        similarity: Encoder of sentences.

    Raises:
        UnavailableError: The encoder is away.
    """
    pack = collect_evidence(tickets, stronger, audience=gap.audience)
    if gap.kind is GapKind.UNFINDABLE:
        return _add_wordings(gap, document_id, title, markdown, pack, similarity)
    edits = _value_edits(markdown, pack, similarity)
    if not edits:
        edits = _gone_edits(gap, markdown, tickets, stronger, pack, similarity)
    if not edits:
        why = "nothing in the evidence contradicts a particular sentence of the article"
        return ask_about_change(gap, why, document_id)
    for edit in sorted(edits, key=lambda e: -e.start):
        markdown = markdown[: edit.start] + edit.text + markdown[edit.end :]
    return WrittenArticle(title, markdown, tuple(e.statement for e in edits))


def _value_edits(markdown: str, pack: EvidencePack, similarity: Encoder) -> list[_Edit]:
    """Values that corroborated evidence states otherwise, replaced in place."""
    ours = [s for s in split_sentences(markdown) if extract_slots(s.text)]
    theirs = [e for e in pack.sentences if extract_slots(e.quote)]
    if not ours or not theirs:
        return []
    left = similarity.encode([mask_values(s.text) for s in ours])
    right = similarity.encode([mask_values(e.quote) for e in theirs])
    similar = left @ right.T
    edits = []
    for i, sentence in enumerate(ours):
        against = [
            (theirs[j], found)
            for j in range(len(theirs))
            if similar[i, j] >= ALIGNED
            and len(content_words(sentence.text) & content_words(theirs[j].quote)) >= 2
            and (found := find_disagreement(sentence.text, theirs[j].quote)) is not None
            and found.unit != "polarity"
        ]
        edit = _replace_value(sentence, [(e, f.left, f.right) for e, f in against])
        if edit is not None:
            edits.append(edit)
    return edits


def _replace_value(
    sentence: Sentence, against: Sequence[tuple[Evidence, str, str]]
) -> _Edit | None:
    """The value most independent sources agree on, where enough of them do."""
    votes: dict[tuple[str, str], list[Evidence]] = {}
    for evidence, said, instead in against:
        votes.setdefault((said, instead.lower()), []).append(evidence)
    for (said, _), voters in sorted(votes.items(), key=lambda v: (-len(v[1]), v[0])):
        people = {v.origin for v in voters if v.kind == "ticket"}
        documents = [v for v in voters if v.kind == "chunk"]
        if len(people) < CORROBORATION and not documents:
            continue
        new = next(i for e, s, i in against if e is voters[0] and s == said)
        place = sentence.text.find(said)
        if place < 0:
            continue
        text = sentence.text[:place] + new + sentence.text[place + len(said) :]
        best = (documents or voters)[0]
        return _Edit(
            sentence.start, sentence.start + len(sentence.text), text,
            Statement(text, cite_members(voters, best)),
        )  # fmt: skip
    return None


def _gone_edits(
    gap: Gap,
    markdown: str,
    tickets: Sequence[Ticket],
    stronger: Sequence[StoredChunk],
    pack: EvidencePack,
    similarity: Encoder,
) -> list[_Edit]:
    """What several people say is gone or wrong: the steps that rest on it, else the sentence."""
    told = _told_denials(tickets)
    failing = _failing_steps(markdown, tickets, told)
    if failing:
        written = write_article(gap, tickets, stronger, similarity)
        steps = _steps_of(written) if isinstance(written, WrittenArticle) else None
        for block in _LIST.finditer(markdown):
            if steps and any(block.start() <= s.start < block.end() for s in failing):
                return _replace_steps(block, *steps)
    denied = _denied_sentences(markdown, told)
    return _replace_sentences(denied, pack, similarity)


def _replace_steps(block: re.Match[str], text: str, statements: Sequence[Statement]) -> list[_Edit]:
    tail = "\n" if block.group().endswith("\n") else ""
    first = _Edit(block.start(), block.end(), text.rstrip("\n") + tail, statements[0])
    # Further statements stand in the same replaced list.
    return [first, *(_Edit(block.end(), block.end(), "", s) for s in statements[1:])]


def _told_denials(tickets: Sequence[Ticket]) -> list[tuple[str, str]]:
    """Who says of what that it is gone, wrong or not to be used; agents' texts only."""
    return [
        (origin_of(ticket), sentence.text)
        for ticket in tickets
        for text in usable_texts(ticket)
        if not is_hostile(text)
        for sentence in split_sentences(text)
        if _GONE.search(sentence.text) or _DENIED.search(sentence.text)
    ]


def _failing_steps(
    markdown: str, tickets: Sequence[Ticket], told: Sequence[tuple[str, str]]
) -> list[Sentence]:
    """Numbered steps at an address no resolution uses any more, where people say it is gone."""
    people = {who for who, text in told if _GONE.search(text)}
    if len(people) < CORROBORATION:
        return []
    used = _replaced_addresses(tickets)
    return [
        s
        for s in split_sentences(markdown)
        if s.numbered and {a.rstrip("./") for a in _ADDRESS.findall(s.text)} - used
    ]


def _denied_sentences(markdown: str, told: Sequence[tuple[str, str]]) -> list[Sentence]:
    """Sentences that advise what at least two people's resolutions deny by name."""
    people: dict[str, set[str]] = {}
    for who, text in told:
        for match in _DENIED.finditer(text):
            for word in content_words(" ".join(g for g in match.groups() if g)):
                people.setdefault(word, set()).add(who)
    denied = {word for word, who in people.items() if len(who) >= CORROBORATION and len(word) > 3}
    sentences = split_sentences(markdown)
    found = []
    for sentence in sentences:
        words = content_words(sentence.text) & denied
        # A word all over the article is its subject, not the advice that failed.
        telling = [w for w in words if sum(w in content_words(s.text) for s in sentences) <= 3]
        if telling and not _GONE.search(sentence.text) and _ADVISES.search(sentence.text):
            found.append(sentence)
    return found


def _replace_sentences(
    sentences: Sequence[Sentence], pack: EvidencePack, similarity: Encoder
) -> list[_Edit]:
    """Each sentence replaced by what corroborated instructions say nearest to it."""
    if not sentences:
        return []
    vectors = similarity.encode([plain_text(e.instruction or e.quote) for e in pack.sentences])
    points = [
        p
        for p in merge_sentences(pack.sentences, vectors)
        if p.best.instruction and len(p.requesters) >= CORROBORATION
    ]
    wanted = similarity.encode([plain_text(s.text) for s in sentences])
    edits = []
    for row, sentence in enumerate(sentences):
        near = [
            (float(wanted[row] @ vectors[p.place]) + 0.02 * len(p.requesters), -p.place, p)
            for p in points
        ]
        if not near or max(near)[0] < ALIGNED_ADVICE:
            continue
        best = max(near)[2]
        text = best.best.instruction or ""
        points.remove(best)
        statement = Statement(text, cite_members(best.members, best.best))
        edits.append(_Edit(sentence.start, sentence.start + len(sentence.text), text, statement))
    return edits


def _replaced_addresses(tickets: Sequence[Ticket]) -> set[str]:
    """Addresses at least two resolutions still send people to."""
    people: dict[str, set[str]] = {}
    for ticket in tickets:
        for text in usable_texts(ticket):
            for address in _ADDRESS.findall(text):
                people.setdefault(address.rstrip("./"), set()).add(
                    ticket.requester or ticket.ticket_id
                )
    return {a for a, who in people.items() if len(who) >= CORROBORATION}


def _steps_of(written: WrittenArticle) -> tuple[str, tuple[Statement, ...]] | None:
    """The first numbered list of a written article, led by what agents did before it, with the
    statements it holds."""
    block = _LIST.search(written.markdown)
    if block is None:
        return None
    held = tuple(s for s in written.statements if s.text in block.group())
    if not held:
        return None
    before = tuple(s for s in written.statements if s.text.startswith("Solved before: "))
    lead = "".join(f"{s.text}\n\n" for s in before)
    return lead + block.group(), (*before, *held)


def _add_wordings(
    gap: Gap,
    document_id: str,
    title: str,
    markdown: str,
    pack: EvidencePack,
    similarity: Encoder,
) -> WrittenArticle | Refusal:
    """One line in the requesters' words above the text, so that they find it."""
    words = shared_wordings(pack, similarity, unlike=f"{title} {markdown}")
    if not words:
        why = "requesters have no wording in common that the article could take up"
        return ask_about_change(gap, why, document_id)
    line = "You may know this as: " + "; ".join(f"“{w}”" for w in words) + ".\n\n"
    if line.strip() in markdown:
        return ask_about_change(gap, "the article holds the requesters' words already", document_id)
    confirmed = tuple(
        Statement(e.quote, (Citation(e.kind, e.source_id, e.quote),))
        for e in pack.sentences
        if e.kind == "chunk" and e.quote in markdown and e.instruction
    )[:3]
    return WrittenArticle(title, line + markdown, confirmed)
