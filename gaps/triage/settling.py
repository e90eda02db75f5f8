"""A judgement beside what else is known: the nearest article, and what people said; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from gaps.covering.judging import TopicCoverage
from gaps.covering.model import Verdict
from gaps.triage.facts import Judgement
from gaps.types import GapKind, Reason

SAID = 2
LEAST_SURE = 0.6
"""Below it a kind is near an even chance: a person looks before anything is drafted from it."""
SETTLED = 0.8
"""From here on what was answered by hand outweighs an article that is merely near: an old article
about the predecessor of what is asked is near, and does not help."""


def add_nearest(
    judgement: Judgement, covered: TopicCoverage | None, names: Mapping[str, str]
) -> Judgement:
    """With what the nearest article says, where it is about an article that is not there.

    Args:
        judgement: Of a topic.
        covered: What its nearest article says.
        names: Titles of topics and documents by id.
    """
    if covered is None or judgement.kind is not GapKind.MISSING:
        return judgement
    document = (covered.best_document,) if covered.best_document else ()
    texts = covered.reasons[:SAID]
    for key in (covered.best_document, covered.rival_topic):
        if key is not None and key in names:
            texts = tuple(text.replace(key, f"“{names[key]}”") for text in texts)
    said = tuple(Reason("nearest_article", text, document) for text in texts)
    return replace(judgement, reasons=(*judgement.reasons, *said))


def needs_look(judgement: Judgement, covered: TopicCoverage | None) -> bool:
    """Whether a person should decide: near even chances, or two judges of one mind each.

    What was answered by hand, and whose the nearest article is, are judged apart; where only one
    of them says *missing*, it is not settled.
    """
    if judgement.probability >= 1.0:
        return False
    if judgement.probability < LEAST_SURE:
        return True
    if judgement.kind is not GapKind.MISSING or covered is None:
        return False
    return covered.verdict is Verdict.COVERED and judgement.probability < SETTLED


def apply_correction(judgement: Judgement, kind: GapKind | None) -> Judgement:
    """What a person said about a topic's kind stands above what the evidence seems to say."""
    if kind is None or kind is judgement.kind:
        return judgement
    said = Reason(
        "said_by_a_person", f"a person says it is {kind.value}, not {judgement.kind.value}"
    )
    return Judgement(kind, 1.0, (said, *judgement.reasons), judgement.document_ids)
