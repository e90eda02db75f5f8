"""What the owner would have to answer before a text can be written; pure."""

from __future__ import annotations

from collections.abc import Sequence

from gaps.drafting.writing.entailment import read_sentence
from gaps.drafting.writing.evidence import Evidence
from gaps.types import Gap, GapKind, Refusal


def ask_owner(gap: Gap, why: str, sentences: Sequence[Evidence]) -> Refusal:
    """A refusal with at least three concrete questions for the gap's owner."""
    about = f"“{gap.title}”"
    if gap.kind is GapKind.NEEDS_ACTION:
        return Refusal(
            f"{why}: the requesters need somebody to act, an article cannot grant it",
            (
                f"Who may grant what is asked for in {about}, and who stands in for them?",
                "Through which tool or form is it asked for and granted?",
                "Whose approval is needed first, and up to which limit is none needed?",
                "How long may it take, and what is the requester told meanwhile?",
            ),
        )
    if gap.kind is GapKind.RESTRICTED:
        return Refusal(
            f"{why}: the answer exists only where these requesters may not read",
            (
                f"May the {gap.audience.value} audience be told how {about} is solved, or a"
                f" part of it?",
                "If not, whom should they contact, and what should they have ready?",
                "Who decides on widening the audience of "
                + (", ".join(gap.document_ids) or "the restricted document")
                + "?",
            ),
        )
    seen = find_likeliest(sentences)
    if len(seen) > 1:
        doubt = f"Which of these solves it, and for whom: “{seen[0]}” or “{seen[1]}”"
    elif seen:
        doubt = f"Is this step right for everybody: “{seen[0]}”"
    else:
        doubt = "Which tool or page is used?"
    return Refusal(
        why,
        (
            f"What are the steps that solve {about}, in their order?",
            doubt,
            "For whom is it different (device, plan, country), and how?",
            f"Who helps when the steps do not, and what do they need to know? ({gap.owner})",
        ),
    )


def find_likeliest(sentences: Sequence[Evidence]) -> list[str]:
    """At most two steps of different people that most resolutions share words with, best first.

    Steps that name a link, or a thing too short to be told apart, ask nothing.
    """
    read = [(e, read_sentence(e.instruction or e.quote).words) for e in sentences]
    worth = []
    for place, (evidence, words) in enumerate(read):
        if evidence.instruction is None or evidence.kind != "ticket" or len(words) < 3:
            continue
        if "://" in evidence.instruction:
            continue
        others = [w for e, w in read if e.origin != evidence.origin]
        shared = sum(len(words & other) for other in others) / len(words)
        worth.append((-shared, place))
    chosen: list[Evidence] = []
    for _, place in sorted(worth):
        if all(read[place][0].origin != one.origin for one in chosen):
            chosen.append(read[place][0])
        if len(chosen) == 2:
            break
    return [one.instruction for one in chosen if one.instruction is not None]


def ask_about_change(gap: Gap, why: str, document_id: str | None) -> Refusal:
    """A refusal to change an existing article, with what would make the change possible."""
    subject = document_id or "the article"
    return Refusal(
        why,
        (
            f"Which sentence of {subject} is no longer true for “{gap.title}”?",
            "What is true instead, since when, and where is that decided?",
            f"Does the rest of {subject} still hold, and for whom not?",
        ),
    )
