"""The smallest change that makes an existing article true again; pure, given vectors.

Only what the evidence contradicts is replaced; every other byte of the article stays. Three
changes, the smallest first: one value in a sentence, one sentence, the steps of one section.
For what nobody finds, the requesters' words are added and nothing is taken away.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from gaps.drafting.writing.denials import (
    DENIED,
    collect_denials,
    find_denied_sentences,
    find_denied_words,
    find_failing_steps,
)
from gaps.drafting.writing.entailment import read_sentence
from gaps.drafting.writing.evidence import (
    Evidence,
    EvidencePack,
    collect_evidence,
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
RESTATED = 0.75
"""Share of words from which on two sentences are one, stated anew; as `kb.alignment.SAME_CLAUSE`
for a modal. Not tuned."""
_VALUE = re.compile(r"\d[\w.:-]*")
_MODAL = re.compile(r"\b(?:must|may|can|cannot|should|shall|will|need|never|always|only)\b")
_LIST = re.compile(
    r"(?m)(?:^[ \t]*\d{1,2}[.)][ \t]+.*(?:\n(?![ \t]*\n)(?![ \t]*\d{1,2}[.)]).*)*\n?)+"
)


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
    edits += _restated_edits(markdown, pack, {edit.start for edit in edits})
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


def _restated_edits(markdown: str, pack: EvidencePack, done: set[int]) -> list[_Edit]:
    """Sentences a stronger document words alike but for a number, a name or a denial.

    Each side must be the other's nearest: two equally near and which is meant cannot be told.
    """
    ours = [s for s in split_sentences(markdown) if s.start not in done]
    theirs = [e for e in pack.sentences if e.kind == "chunk"]
    known = {plain_text(s.text) for s in ours}
    theirs = [e for e in theirs if plain_text(e.quote) not in known]
    alike = {
        (i, j): value
        for i, sentence in enumerate(ours)
        for j, evidence in enumerate(theirs)
        if (value := _likeness(sentence.text, evidence.quote)) >= RESTATED
    }
    edits = []
    for (i, j), value in sorted(alike.items(), key=lambda pair: (-pair[1], pair[0])):
        rivals = [v for (a, b), v in alike.items() if (a == i) != (b == j)]
        if any(v >= value for v in rivals) or not _differs(ours[i].text, theirs[j].quote):
            continue
        statement = Statement(theirs[j].quote, cite_members([theirs[j]], theirs[j]))
        start = ours[i].start
        edits.append(_Edit(start, start + len(ours[i].text), theirs[j].quote, statement))
    chosen: dict[int, _Edit] = {}
    for edit in edits:
        chosen.setdefault(edit.start, edit)
    return list(chosen.values())


def _likeness(left: str, right: str) -> float:
    """Share of words in common and in order, 0 to 1."""
    one, two = plain_text(left).lower().split(), plain_text(right).lower().split()
    matcher = SequenceMatcher(None, one, two, autojunk=False)
    return matcher.ratio() if matcher.real_quick_ratio() >= RESTATED else 0.0


def _differs(left: str, right: str) -> bool:
    """In what a reader would act on, not in how it is put."""
    one, two = read_sentence(left), read_sentence(right)
    marks = [set(_VALUE.findall(plain_text(text))) for text in (left, right)]
    return (
        marks[0] != marks[1]
        or one.names != two.names
        or bool(one.denied) != bool(two.denied)
        or set(_MODAL.findall(left.lower())) != set(_MODAL.findall(right.lower()))
    )


def _gone_edits(
    gap: Gap,
    markdown: str,
    tickets: Sequence[Ticket],
    stronger: Sequence[StoredChunk],
    pack: EvidencePack,
    similarity: Encoder,
) -> list[_Edit]:
    """What several people say is gone or wrong: the steps that rest on it, else the sentence."""
    told = collect_denials(tickets)
    failing = find_failing_steps(markdown, tickets, told)
    if failing:
        written = write_article(gap, tickets, stronger, similarity)
        steps = _steps_of(written) if isinstance(written, WrittenArticle) else None
        for block in _LIST.finditer(markdown):
            if steps and any(block.start() <= s.start < block.end() for s in failing):
                return _replace_steps(block, *steps)
    denied = find_denied_words(told)
    failed = find_denied_sentences(markdown, denied)
    return _replace_sentences(markdown, failed, denied, pack, similarity)


def _replace_steps(block: re.Match[str], text: str, statements: Sequence[Statement]) -> list[_Edit]:
    tail = "\n" if block.group().endswith("\n") else ""
    first = _Edit(block.start(), block.end(), text.rstrip("\n") + tail, statements[0])
    # Further statements stand in the same replaced list.
    return [first, *(_Edit(block.end(), block.end(), "", s) for s in statements[1:])]


def _replace_sentences(
    markdown: str,
    sentences: Sequence[Sentence],
    denied: set[str],
    pack: EvidencePack,
    similarity: Encoder,
) -> list[_Edit]:
    """Each sentence replaced by what corroborated instructions say nearest to it."""
    if not sentences:
        return []
    vectors = similarity.encode([plain_text(e.instruction or e.quote) for e in pack.sentences])
    points = [
        p
        for p in merge_sentences(pack.sentences, vectors)
        if p.best.instruction
        and len(p.requesters) >= CORROBORATION
        and (not content_words(p.best.instruction) & denied or DENIED.search(p.best.instruction))
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
        edits.append(_Edit(sentence.start, _end_of_thought(markdown, sentence), text, statement))
    return edits


def _end_of_thought(markdown: str, sentence: Sentence) -> int:
    """Where what is said of the sentence's subject ends: "They cope well …" falls with it."""
    end = sentence.start + len(sentence.text)
    for following in split_sentences(markdown):
        if following.start < end:
            continue
        same_paragraph = "\n" not in markdown[end : following.start]
        if not same_paragraph or not re.match(r"(?:They|It|These|This)\b", following.text):
            break
        end = following.start + len(following.text)
    return end


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
