"""Solved questions to examples: what each would have been shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from kb.learning.judgements import Judgement
from kb.learning.precedents import Precedent, Precedents, choose_precedents
from kb.ports import Vectors
from kb.retrieval.retriever import Retriever
from kb.training.fitting import Example
from kb.types import Audience, Document
from kb.vectors import hash_text

MOST_EXAMPLES = 3_000
"""The newest; seven weights need no more."""
MOST_OF_ONE = 5
"""Of one requester: a held-back fifth of 200 questions then holds eight requesters at the least."""
SHOWN_FIRST = 3
OFTEN_PASSED_OVER = 20
"""Shown among the first three to so many requesters and never the solution: by the rule of three
its chance is below 15% (3 / 20). Chosen on Thunderbird tickets before 2024-03-15
(bench/README.md)."""


@dataclass(frozen=True, slots=True)
class Solved:
    """A judgement as one audience sees it."""

    judgement: Judgement
    documents: tuple[str, ...]
    """Those of its documents that the audience may read, live now; never empty."""
    vector: Vectors


def see_as(
    found: Iterable[Judgement],
    vectors: Mapping[str, Vectors],
    documents: Mapping[str, Document],
    audience: Audience,
) -> list[Solved]:
    """What an audience may learn from, oldest first."""
    solved = []
    for judgement in found:
        if not audience.may_read(judgement.audience):
            continue
        keys = tuple(
            key
            for key in dict.fromkeys(judgement.document_ids)
            if key in documents and audience.may_read(documents[key].metadata.audience)
        )
        if keys:
            solved.append(Solved(judgement, keys, vectors[hash_text(judgement.question)]))
    return sorted(solved, key=lambda s: s.judgement.order)


def choose_examples(solved: Sequence[Solved]) -> list[Solved]:
    """The newest of them, and of one requester a few only, oldest first."""
    asked: Counter[str] = Counter()
    chosen: list[Solved] = []
    for one in reversed(solved):
        if len(chosen) == MOST_EXAMPLES:
            break
        asked[one.judgement.requester] += 1
        if asked[one.judgement.requester] <= MOST_OF_ONE:
            chosen.append(one)
    return chosen[::-1]


def to_precedents(solved: Sequence[Solved]) -> Precedents:
    found = [
        (Precedent(s.judgement.ref, s.judgement.requester, s.documents), s.judgement.ref)
        for s in solved
    ]
    return choose_precedents(found, {s.judgement.ref: s.vector for s in solved})


def build_examples(
    retriever: Retriever, solved: Sequence[Solved], precedents: Precedents, audience: Audience
) -> list[Example]:
    """What each question would have been shown, had its requester never asked before."""
    examples = []
    for one in solved:
        ref = one.judgement.ref
        shown = retriever.show(
            one.judgement.question, audience, one.vector, precedents, leave_out=ref
        )
        examples.append(
            Example(
                ref,
                one.judgement.requester,
                shown.keys,
                shown.matrix,
                frozenset(one.documents),
                frozenset(shown.keys[: shown.ranked]),
                frozenset(key for key in shown.keys if key in shown.evidence),
            )
        )
    return examples


def find_passed_over(
    solved: Sequence[Solved],
    examples: Sequence[Example],
    since: Mapping[str, datetime | None],
) -> set[str]:
    """Documents often shown first that were not the solution, each requester counted once.

    Args:
        solved: The questions.
        examples: What they were shown, in the same order.
        since: When each document began to say what it says; None where it was there before us.
            Only questions after that count.
    """
    passing: dict[str, set[str]] = {}
    for one, example in zip(solved, examples, strict=True):
        for key in example.keys[:SHOWN_FIRST]:
            began = since.get(key)
            if key not in example.solved_by and (began is None or began <= one.judgement.at):
                passing.setdefault(key, set()).add(example.requester)
    return {key for key, people in passing.items() if len(people) >= OFTEN_PASSED_OVER}
