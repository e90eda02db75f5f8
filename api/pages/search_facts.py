"""Why a hit ranks where it does and what stands beside it, in words and lengths of bars; pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from api.pages.article_text import render_markdown
from kb.comparing import Change
from kb.types import Hit, SearchResponse

BAR_WIDTH = 120
PASSAGE_CHARACTERS = 700
NAMES = {
    "semantic": "Meaning",
    "lexical": "Words",
    "title": "Title",
    "votes": "Solved before",
    "learned": "Learned order",
}
MEANINGS = {
    "semantic": "how near the passage is to the question in meaning",
    "lexical": "how many of the question's rare words it holds",
    "title": "how near its title is to the question",
}
MODES = {
    "lexical_only": "Meaning could not be compared: words alone ranked this answer.",
    "generation": "The sealed index is not in use: the database answered, exactly but slower.",
    "log": "This search could not be kept: another process was writing.",
}
VERDICT_NAMES = {
    "freshness": "Freshness",
    "confidence_state": "Confidence",
    "action_class": "What may be done",
    "authority": "Authority",
    "unverified": "Verification",
    "overrules": "What it overrules",
    "overruled_by": "What overrules it",
}


@dataclass(frozen=True, slots=True)
class WhyLine:
    """One part of a score."""

    name: str
    text: str
    width: float
    """Of its bar, 0 to BAR_WIDTH; the longest any hit has of all parts is full."""


@dataclass(frozen=True, slots=True)
class HitFacts:
    """One hit as the page shows it."""

    place: int
    hit: Hit
    text: Markup
    rest: Markup
    """What of the passage is folded away."""
    because: str
    """Why it is here, in a sentence."""
    lines: tuple[WhyLine, ...]
    changes: tuple[str, ...]
    """What is not as it was when the question was asked."""
    is_wrong: bool
    """Marked as a wrong answer."""


def describe_hits(
    response: SearchResponse, changes: Sequence[Change], wrong: Collection[str]
) -> list[HitFacts]:
    """Every hit of an answer.

    Args:
        response: Today's answer.
        changes: From the answer that was served.
        wrong: Ids of documents marked as wrong.
    """
    longest = max((part for hit in response.hits for part in _parts(hit.why).values()), default=0.0)
    told: dict[str, list[str]] = {}
    for change in changes:
        told.setdefault(change.hit, []).append(describe_change(change))
    found = []
    for place, hit in enumerate(response.hits, start=1):
        key = hit.chunk.document.document_id
        text, rest = cut_passage(hit.chunk.text)
        lines = tuple(_describe_parts(hit.why, longest))
        found.append(
            HitFacts(
                place, hit, render_markdown(text), render_markdown(rest),
                explain_place(hit.why), lines, tuple(told.get(key, ())), key in wrong,
            )
        )  # fmt: skip
    return found


def cut_passage(text: str) -> tuple[str, str]:
    """A passage's beginning, and the rest where it is long; cut between paragraphs."""
    plain = text.strip()
    if len(plain) <= PASSAGE_CHARACTERS * 1.3:
        return plain, ""
    cut = plain.rfind("\n\n", PASSAGE_CHARACTERS // 3, PASSAGE_CHARACTERS)
    if cut < 0:
        cut = plain.find("\n\n", PASSAGE_CHARACTERS)
    return (plain, "") if cut < 0 else (plain[:cut].rstrip(), plain[cut:].strip())


def explain_place(why: Mapping[str, Any]) -> str:
    """The strongest reason first: "Nearest in meaning, and 3rd by words."."""
    said = [
        (rank, _place_text(name, rank))
        for name in ("semantic", "lexical", "title")
        if (rank := why.get(f"{name}_rank")) is not None
    ]
    said.sort(key=lambda pair: pair[0])
    texts = [text for _, text in said]
    if why.get("votes_part"):
        texts.insert(0, "solved questions like this one before")
    if not texts:
        return "Brought in by what was learned from solved tickets."
    sentence = texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"
    sentence = f"{sentence[:1].upper()}{sentence[1:]}"
    learned = why.get("learned_rank")
    return f"{sentence}. Place {learned} by what was learned." if learned else f"{sentence}."


def _place_text(name: str, rank: int) -> str:
    best = {"semantic": "nearest in meaning", "lexical": "best by words", "title": "nearest title"}
    if rank == 1:
        return best[name]
    by = {"semantic": "in meaning", "lexical": "by words", "title": "by title"}
    return f"{ordinal(rank)} {by[name]}"


def ordinal(number: int) -> str:
    """1st, 2nd, 3rd, 11th."""
    if number % 100 in (11, 12, 13):
        return f"{number}th"
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"


def _parts(why: Mapping[str, Any]) -> dict[str, float]:
    names = ("semantic", "lexical", "title")
    return {name: float(why[f"{name}_part"]) for name in names if f"{name}_part" in why}


def _describe_parts(why: Mapping[str, Any], longest: float) -> list[WhyLine]:
    lines = []
    for name, part in _parts(why).items():
        rank, score = why.get(f"{name}_rank"), why.get(f"{name}_score")
        place = f"{ordinal(rank)} of all found" if rank is not None else "not among those found"
        said = f", {_score_text(name, score)}" if score is not None else ""
        width = round(BAR_WIDTH * part / longest, 1) if longest > 0 else 0.0
        lines.append(WhyLine(NAMES[name], f"{place}{said}; adds {part:.2f}", width))
    if why.get("votes_part"):
        text = f"solved questions like it, {float(why['votes_part']):.1f} votes"
        lines.append(WhyLine(NAMES["votes"], text, 0.0))
    return lines


def _score_text(name: str, score: float) -> str:
    return f"BM25 {score:.1f}" if name == "lexical" else f"cosine {score:.2f}"


def describe_change(change: Change) -> str:
    """One line about a hit that is not what it was."""
    if change.kind == "new":
        return "Not in the answer then"
    if change.kind == "gone":
        return f"Was place {change.before}, is not in the answer now"
    if change.kind == "moved":
        return f"Was place {change.before}"
    if change.kind == "version_changed":
        return f"Was version {change.before}"
    name = VERDICT_NAMES[change.what]
    return f"{name} was {_verdict_text(change.before)}"


def _verdict_text(value: Any) -> str:
    if value is None or value == []:
        return "nothing"
    if isinstance(value, list):
        return ", ".join(str(part) for part in value)
    return str(value).replace("_", " ")
