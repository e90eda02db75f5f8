"""The smallest change that makes an existing article true again; pure, given vectors.

Only what the evidence contradicts is replaced; every other byte of the article stays. Three
changes, the smallest first: one value in a sentence, one sentence, the steps of one section.
For what nobody finds, the requesters' words are added and nothing is taken away.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from gaps.drafting.evidence import Evidence, EvidencePack, collect_evidence, usable_texts
from gaps.drafting.extractive import CORROBORATION, WrittenArticle, write_article
from gaps.drafting.hostile import is_hostile
from gaps.drafting.merging import cite_members
from gaps.drafting.questions import ask_about_change
from gaps.drafting.symptoms import shared_wordings
from gaps.types import Citation, Gap, GapKind, Refusal, Statement, Ticket
from kb.ports import Encoder
from kb.statements import (
    Sentence,
    content_words,
    extract_slots,
    find_disagreement,
    mask_values,
    plain_text,
    split_sentences,
)
from kb.types import StoredChunk

ALIGNED = 0.55
"""Cosine (values masked) from which on evidence speaks of an article's sentence."""
_GONE = re.compile(
    r"\b(?:no longer (?:exists?|needed|used|works?|recommended|available)|(?:was|is|has been"
    r"|were|are) (?:taken"
    r" down|removed|gone|retired|replaced|discontinued|switched off)|does(?:n't| not) exist"
    r"|(?:has|have)"
    r" gone|out of date|not (?:use|recommend\w*)|never use|instead of|rather than"
    r"|not needed any ?more)\b",
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
    """What several people say is gone: the steps that rest on it, else the sentence."""
    failing = _failing_sentences(markdown, tickets, pack, similarity)
    if not failing:
        return []
    written = write_article(gap, tickets, stronger, similarity)
    if isinstance(written, Refusal):
        return []
    steps = _steps_of(written)
    if not steps:
        return []
    text, statements = steps
    for block in _LIST.finditer(markdown):
        if any(block.start() <= s.start < block.end() for s in failing):
            tail = "\n" if block.group().endswith("\n") else ""
            first = _Edit(block.start(), block.end(), text.rstrip("\n") + tail, statements[0])
            # Further statements stand in the same replaced list.
            return [first, *(_Edit(block.end(), block.end(), "", s) for s in statements[1:])]
    sentence = failing[0]
    best = statements[0]
    return [_Edit(sentence.start, sentence.start + len(sentence.text), best.text, best)]


def _failing_sentences(
    markdown: str, tickets: Sequence[Ticket], pack: EvidencePack, similarity: Encoder
) -> list[Sentence]:
    """Sentences naming an address or thing that at least two people's resolutions call gone."""
    told: list[tuple[str, str]] = []
    for ticket in tickets:
        for text in usable_texts(ticket):
            if is_hostile(text):
                continue
            told += [
                (ticket.requester or ticket.ticket_id, s.text)
                for s in split_sentences(text)
                if _GONE.search(s.text)
            ]
    if len({who for who, _ in told}) < CORROBORATION:
        return []
    sentences = split_sentences(markdown)
    vectors = similarity.encode([plain_text(s.text) for s in sentences])
    gone = similarity.encode([plain_text(text) for _, text in told])
    similar = vectors @ gone.T
    replaced = _replaced_addresses(tickets)
    scored = []
    for row, sentence in enumerate(sentences):
        people = {told[j][0] for j in range(len(told)) if similar[row, j] >= 0.35}
        addresses = {a.rstrip("./") for a in _ADDRESS.findall(sentence.text)} - replaced
        if len(people) >= CORROBORATION or (addresses and sentence.numbered):
            scored.append((bool(addresses), len(people), -row, sentence))
    scored.sort(key=lambda s: (s[0], s[1], s[2]), reverse=True)
    return [s[3] for s in scored]


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
    """The first numbered list of a written article with the statements it holds."""
    block = _LIST.search(written.markdown)
    if block is None:
        return None
    held = tuple(s for s in written.statements if s.text in block.group())
    return (block.group(), held) if held else None


def _add_wordings(
    gap: Gap,
    document_id: str,
    title: str,
    markdown: str,
    pack: EvidencePack,
    similarity: Encoder,
) -> WrittenArticle | Refusal:
    """One line in the requesters' words above the text, so that they find it."""
    words = shared_wordings(pack, similarity)
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
