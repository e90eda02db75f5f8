"""A new article out of what solved the tickets: chosen and merged sentences, each cited; pure.

Nothing is invented: a statement is an agent's sentence with its mood turned and its chatter left
out, and it stays out unless independent people say the same (corroboration, design/algorithms.md
§7). Copying wins citations by construction; whether the article is *right and whole* is measured
after publication, on tickets that the writer never saw.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from gaps.drafting.writing.entailment import (
    CORROBORATED_SHARE,
    find_flipped,
    is_corroborated_by,
    read_sentence,
)
from gaps.drafting.writing.evidence import Evidence, EvidencePack, collect_evidence
from gaps.drafting.writing.merging import (
    Point,
    choose_diverse,
    cite_members,
    drop_alternatives,
    merge_sentences,
)
from gaps.drafting.writing.questions import ask_owner
from gaps.drafting.writing.spine import NAVIGATION, order_by_spine
from gaps.drafting.writing.symptoms import choose_title, describe_symptoms
from gaps.drafting.writing.variants import Variant, group_variants
from gaps.drafting.writing.wording import finish_sentence, split_actions
from gaps.types import Citation, Gap, GapKind, Refusal, Statement, Ticket
from kb.ports import Encoder, Vectors
from kb.quantities import plain_text
from kb.statements import split_sentences
from kb.types import StoredChunk

MIN_REQUESTERS = 3
"""Independent requesters with a usable resolution below which nothing is written."""
CORROBORATION = 2
"""Independent requesters who must say the same for a step to be used."""
TOLD_REQUESTERS = 3
"""People for whom agents must have done the same before it is told to others."""
MAX_POINTS = 24
MAX_CAUSES, MAX_FACTS = 2, 4
DRASTIC = frozenset({"delete", "reset", "disable", "replace", "block"})
"""Acts that can lose something: a passage about another case is no leave for them."""
COMMON_SHARE = 0.15
"""Share of the passages' sentences that hold a word from which on it belongs to the product."""
FEWEST_SENTENCES = 40
_GUESS = re.compile(
    r"\b(?:maybe|perhaps|probably|possibly|presumably|sounds? like|looks? like|i (?:think|guess"
    r"|suspect|believe|assume)|seems?|appears?|guess|not sure|might be|could be|yep|afaik|imho)\b",
    re.IGNORECASE,
)
_CAUSE = re.compile(
    r"\b(?:because|caused? (?:by|of)|the cause|due to|the reason|known (?:bug|issue|problem)"
    r"|happens when|is a bug|corrupt(?:ed)?|result of|comes from)\b",
    re.IGNORECASE,
)
_ACT = re.compile(
    r"\b(?:issued|verified|confirmed|sent|granted|given|gave|replaced|approved|registered|checked"
    r"|swapped|refunded|extended|released|unlocked|added|renewed|activated)\b",
    re.IGNORECASE,
)
"""What an agent does for a requester; that something broke or is gone is no solution."""
_ESCALATION = re.compile(
    r"\b(?:e?-?mail|contact|call|ask|ring|escalate|report|write to|raise)\b.*(?:@|\bteam\b"
    r"|\bhelpdesk\b"
    r"|\bservice desk\b|\bsupport\b|\bmanager\b|\bdesk\b)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class WrittenArticle:
    """A draft's text with what each of its statements rests on."""

    title: str
    markdown: str
    statements: tuple[Statement, ...]


def write_article(
    gap: Gap, tickets: Sequence[Ticket], passages: Sequence[StoredChunk], similarity: Encoder
) -> WrittenArticle | Refusal:
    """Write an article for a gap, or say why not and ask what is lacking.

    Args:
        gap: What is missing; its audience bounds what may be used.
        tickets: The gap's tickets the writer may see.
        passages: Chunks of related documents.
        similarity: Encoder of sentences.

    Raises:
        UnavailableError: The encoder is away.
    """
    if gap.kind in (GapKind.NEEDS_ACTION, GapKind.RESTRICTED):
        return ask_owner(gap, "no text can answer this", ())
    pack = collect_evidence(tickets, passages, audience=gap.audience)
    if pack.requesters < MIN_REQUESTERS:
        why = (
            f"only {pack.requesters} independent requester(s) have a usable resolution,"
            f" {MIN_REQUESTERS} are needed"
        )
        return ask_owner(gap, why, pack.sentences)
    sentences = list(pack.sentences)
    vectors = similarity.encode([plain_text(s.instruction or s.quote) for s in sentences])
    merged = merge_sentences(sentences, vectors, common_background(passages))
    points = [p for p in merged if is_corroborated(p)]
    steps = [p for p in points if p.best.instruction]
    if not any(p.requesters for p in steps):
        return ask_owner(gap, "no step is confirmed by two independent people", pack.sentences)
    chosen = choose_diverse(steps, vectors, MAX_POINTS)
    facts = [p for p in points if _is_known(p)]
    told = [p for p in points if len(p.requesters) >= TOLD_REQUESTERS and _is_told(p)]
    if not facts and not told and not any(_does_something(p) for p in steps):
        why = "the steps that several people confirm only lead somewhere and change nothing"
        return ask_owner(gap, why, pack.sentences)
    return _compose(gap, pack, chosen, [*facts, *told], vectors, similarity)


def _is_told(point: Point) -> bool:
    best = point.best
    told = best.instruction is None and not best.states_fact and best.kind == "ticket"
    return told and bool(_ACT.search(best.quote))


def _does_something(point: Point) -> bool:
    """More than "click here": an act that changes something, or none of those that only lead."""
    actions = read_sentence(point.best.instruction or "").actions
    return not actions or not actions <= NAVIGATION


def _is_known(point: Point) -> bool:
    """A fact that two people's agents state and none of them guesses."""
    best = point.best
    sure = not any(_GUESS.search(m.quote) for m in point.members if m.kind == "ticket")
    whole = re.search(r"[.!][\"”')]?\s*$", best.quote) and "://" not in best.quote
    return bool(best.states_fact and whole and sure) and len(point.requesters) >= CORROBORATION


def common_background(passages: Sequence[StoredChunk]) -> frozenset[str]:
    """Words so common in the related passages that sharing them shows nothing."""
    read = [
        read_sentence(sentence.text).words
        for chunk in passages
        for sentence in split_sentences(chunk.text)
    ]
    if len(read) < FEWEST_SENTENCES:
        return frozenset()
    holders = Counter(word for words in read for word in words)
    return frozenset(w for w, count in holders.items() if count / len(read) >= COMMON_SHARE)


def is_corroborated(point: Point) -> bool:
    """Two independent requesters, or one and a passage; a passage alone is already published."""
    if not point.requesters:
        return False
    if read_sentence(point.best.instruction or point.best.quote).actions & DRASTIC:
        return len(point.requesters) >= CORROBORATION
    return len(point.requesters) >= CORROBORATION or bool(point.documents)


def _compose(
    gap: Gap,
    pack: EvidencePack,
    steps: Sequence[Point],
    facts: Sequence[Point],
    vectors: Vectors,
    similarity: Encoder,
) -> WrittenArticle:
    title = choose_title(gap, pack, similarity)
    escalations = [p for p in steps if _ESCALATION.search(p.best.instruction or "")]
    doing = [p for p in steps if p not in escalations]
    solved = {t.ticket_id: t for t in pack.solved_tickets}
    variants = [
        replace(variant, points=drop_alternatives(variant.points, vectors))
        for variant in group_variants(doing, solved, " ".join((gap.title, *gap.terms)))
    ]
    lines = ["## Symptom", "", *describe_symptoms(gap, pack, similarity), ""]
    statements: list[Statement] = []
    causes = [p for p in facts if not _is_told(p) and _CAUSE.search(p.best.quote)]
    known = [p for p in facts if p not in causes]
    lines += _write_facts("## Cause", causes[:MAX_CAUSES], statements)
    lines += _write_facts("## Good to know", known[:MAX_FACTS], statements)
    lines += ["## What to do", ""]
    variants = _join_unconditional(variants)
    for variant in variants:
        lines += _write_variant(variant, statements, pack.sentences, alone=len(variants) == 1)
    if escalations:
        lines += ["## When to escalate", ""]
        for point in escalations:
            text = point.best.instruction or ""
            lines.append(f"- {text}")
            statements.append(Statement(text, cite_members(point.members, point.best)))
        lines.append("")
    return WrittenArticle(title, "\n".join(lines).strip() + "\n", tuple(statements))


def _write_facts(heading: str, points: Sequence[Point], statements: list[Statement]) -> list[str]:
    if not points:
        return []
    lines = [heading, ""]
    for point in points:
        text = say_fact(point)
        lines.append(f"- {text}")
        statements.append(Statement(text, cite_members(point.members, point.best)))
    return [*lines, ""]


def _join_unconditional(variants: Sequence[Variant]) -> list[Variant]:
    """Steps that depend on nothing are one list, and stand first."""
    always = [variant for variant in variants if variant.condition is None]
    points = tuple(point for variant in always for point in variant.points)
    first = [replace(always[0], points=points)] if always else []
    return [*first, *(variant for variant in variants if variant.condition is not None)]


def say_fact(point: Point) -> str:
    """A fact as it is; what agents did for people as a quotation, because no reader can do it."""
    text = finish_sentence(plain_text(point.best.quote))
    return f"Solved before: “{text}”" if _is_told(point) else text


def _write_variant(
    variant: Variant, statements: list[Statement], told: Sequence[Evidence], *, alone: bool
) -> list[str]:
    lines = [] if alone or variant.condition is None else [f"### {variant.condition}", ""]
    procedure = order_by_spine(variant.points, told)
    said: set[str] = set()
    number = 0
    for point in procedure.steps:
        for text, citations in _say_steps(point, said):
            number += 1
            lines.append(f"{number}. {text}")
            statements.append(Statement(text, citations))
    others = [
        (" ".join(text for text, _ in acts), acts)
        for point in procedure.others
        if (acts := list(_say_steps(point, said)))
    ]
    if others:
        lines += ["", "What else has helped:" if number else "One of these has helped:", ""]
    for text, acts in others:
        lines.append(f"- {text}")
        statements += [Statement(step, citations) for step, citations in acts]
    return [*lines, ""]


def _say_steps(point: Point, said: set[str]) -> Iterator[tuple[str, tuple[Citation, ...]]]:
    """A point's acts, each once and each with those who tell it; what one person adds is left out.

    "Open A, choose B and sing" is corroborated by whoever opens A and chooses B; nobody else sings.
    """
    pieces = split_actions(point.best.instruction or "")
    for text in pieces:
        key = re.sub(r"\W+", " ", text.lower()).strip()
        backing = _backing(text, point) if len(pieces) > 1 else point.members
        people = {m.origin for m in backing}
        connects = len(point.members) == 1
        if key in said or (len(people) < CORROBORATION and not connects):
            continue
        said.add(key)
        yield text, cite_members(backing, point.best)


def _backing(text: str, point: Point) -> tuple[Evidence, ...]:
    """The members that tell this one act; a word or two are told by all of them."""
    piece = read_sentence(text)
    if len(piece.words) < 2:
        return point.members
    return tuple(
        m
        for m in point.members
        if m is point.best
        or is_corroborated_by(piece, told := read_sentence(m.quote), plain=frozenset())
        or (
            not find_flipped(piece, told)
            and len(piece.words & told.words) / len(piece.words) >= CORROBORATED_SHARE
        )
    )
