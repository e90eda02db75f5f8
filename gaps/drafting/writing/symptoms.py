"""The title and the symptom, in the words of those who ask; pure, given vectors.

These are the only words of an article that come from what requesters wrote. They are short, told
by several people alike, checked like evidence, and state nothing.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

import numpy as np

from gaps.drafting.writing.evidence import TROUBLE, EvidencePack, common_words
from gaps.types import Gap
from kb.hostile_text import is_hostile
from kb.ports import Encoder, Vectors
from kb.redaction import mask_personal_data
from kb.types import Audience

MAX_TITLE_CHARACTERS = 90
SAME_WORDING = 0.55
"""Cosine from which on two short wordings tell of the same trouble."""
MAX_WORDINGS = 6
SUBJECT_WORDS = 6
TELLING, NAMED = 0.15, 0.15
"""What a title gains by saying what is wrong or wished for, and by being the gap's name."""
_RANT = re.compile(
    r"[?!]{2,}|\b(?:urgent|asap|stupid|joke|ridiculous|unacceptable|help|pls|please|fyi|wtf"
    r"|damn|hello"
    r"|question|ticket|problem|issue|fix|week|day|days|again|still|dead|fwd?|re|thank"
    r"|thanks)\b|\b(?:I|we|my|you) ",
    re.IGNORECASE,
)
_LABEL = re.compile(
    r"^\W*(?:(?:ongoing|urgent|new|another)?\s*(?:issue|problem|question|help|bug|request)s?"
    r"(?:\s+(?:with|in|on|about))?\s*[:–-])\s*",
    re.IGNORECASE,
)
_NARROW = re.compile(r"[A-Z]+-?\d|[:/\\]|\d\.\d|\b20\d\d\b")
_SHOUTED = re.compile(r"\b[A-Z]{2,}(?:['’][A-Z]+)?(?:\s+[A-Z]{2,}(?:['’][A-Z]+)?){1,}\b")
_HANGING = re.compile(
    r"\b(?:this|that|these|those|them|they|it) ?(?:using|happens?|did)?$"
    r"|^(?:it|they|them|this|that)\b"
    r"|\b(?:do|did|does|have|had|receive|send|sent|open|see) (?:this|that|them|it|those)\b",
    re.IGNORECASE,
)
_AUDIENCES = {
    Audience.PUBLIC: "Everybody",
    Audience.CUSTOMER: "Customers",
    Audience.PARTNER: "Installers and partners",
    Audience.INTERNAL: "Employees",
}


def choose_title(gap: Gap, pack: EvidencePack, encoder: Encoder) -> str:
    """Of the gap's own title and the requesters' wordings the one nearest to all the others.

    The gap is named after all of its tickets, held-back ones included, so its name leads where it
    says as much as another. At most 90 characters.
    """
    named = tidy_title(gap.title)
    own = named if len(named.split()) >= 2 and not is_hostile(gap.title) else None
    told = [tidy_title(text) for text in _safe_wordings(pack) if not _RANT.search(text)]
    candidates = [own] if own else []
    candidates += [t for t in told if len(t) <= 70 and t.isascii() and len(t.split()) > 2]
    candidates = list(dict.fromkeys(candidates))
    if not candidates:
        return _fit(" ".join(gap.terms[:4]) or "Untitled")
    if not pack.wordings:
        return _fit(candidates[0])
    vectors = encoder.encode([*candidates, *(text for _, text in pack.wordings)])
    centre = np.asarray(vectors[len(candidates) :]).mean(axis=0)
    shared = common_words(pack.wordings)
    people = max(1, len({requester for requester, _ in pack.wordings}))

    def worth(place: int) -> float:
        words = re.findall(r"[^\W_]{2,}", candidates[place].lower())
        shares = [min(1.0, 3 * shared[w] / people) for w in words] or [0.0]
        # The rarest word counts as much as all together: it names one case of several.
        known = (np.mean(shares) + min(shares)) / 2
        length = 0.1 if 4 <= len(words) <= 9 else 0.0
        # A code or a colon names one case of several.
        narrow = (
            0.3 if re.search(r"[A-Z]+-?\d|[:/\\]|\d\.\d|\b20\d\d\b", candidates[place]) else 0.0
        )
        tells = TELLING if TROUBLE.search(candidates[place]) else 0.0
        lead = NAMED if candidates[place] == own else 0.0
        near = float(vectors[place] @ centre)
        return near + 0.4 * float(known) + length + tells + lead - narrow

    best = max(range(len(candidates)), key=lambda place: (worth(place), -place))
    return _fit(candidates[best])


def tidy_title(title: str) -> str:
    """Without "Ongoing issue:" in front, nor words shouted in a row."""
    title = _LABEL.sub("", title)
    return _SHOUTED.sub(lambda m: m.group().lower(), title).strip(" .,;:!?-–")


def describe_symptoms(gap: Gap, pack: EvidencePack, encoder: Encoder) -> list[str]:
    """Who is affected, and wordings at least two independent requesters share."""
    lines = [f"Affected: {_AUDIENCES[gap.audience].lower()}."]
    common = shared_wordings(pack, encoder)
    if common:
        lines += ["", "People describe it like this:", ""]
        lines += [f"- “{text}”" for text in common]
    return lines


def shared_wordings(
    pack: EvidencePack, encoder: Encoder, *, unlike: str | None = None
) -> list[str]:
    """Short wordings that at least two independent requesters have in common, commonest first.

    Args:
        pack: What was collected.
        encoder: Compares wordings.
        unlike: Only wordings with a word that several people use and this text lacks.
    """
    safe = set(_safe_wordings(pack))
    if unlike is not None:
        known = set(re.findall(r"[^\W_]{2,}", unlike.lower()))
        shared = common_words(pack.wordings)
        telling = {w for w, people in shared.items() if people >= 3 and len(w) > 3} - known
        safe = {t for t in safe if telling & set(re.findall(r"[^\W_]{2,}", t.lower()))}
    if not safe:
        return []
    vectors = encoder.encode([text for _, text in pack.wordings])
    return _shared_wordings(pack.wordings, safe, vectors)


def _shared_wordings(
    wordings: Sequence[tuple[str, str]], safe: Collection[str], vectors: Vectors
) -> list[str]:
    """Of the safe ones those that most people's wordings, safe or not, are near to."""
    similar = np.asarray(vectors @ vectors.T)
    people = [
        {wordings[other][0] for other in np.nonzero(similar[row] >= SAME_WORDING)[0].tolist()}
        for row in range(len(wordings))
    ]
    rows = [row for row, (_, text) in enumerate(wordings) if text in safe]
    chosen: list[int] = []
    for row in sorted(rows, key=lambda r: (-len(people[r]), len(wordings[r][1]), r)):
        if len(people[row]) < 2 or len(chosen) == MAX_WORDINGS:
            break
        if all(similar[row, other] < SAME_WORDING for other in chosen):
            chosen.append(row)
    return [wordings[row][1] for row in chosen]


def _safe_wordings(pack: EvidencePack) -> list[str]:
    """Wordings without a name or number of one person, personal data or anything hostile."""
    people = len({requester for requester, _ in pack.wordings})
    shared = common_words(pack.wordings)
    kept = []
    for _, text in pack.wordings:
        proper = re.findall(r"(?<=\s)[A-ZÀ-Þ][\w-]+|\b[\w-]*\d[\w-]*", text)
        parts = [part for word in proper for part in re.findall(r"[^\W_]{2,}", word.lower())]
        if people > 1 and any(shared[part] < 2 for part in parts):
            continue
        # What is told must be whole without the mail around it, and tell of a trouble or a wish;
        # a few words are a subject line and need not.
        tells = len(text.split()) <= SUBJECT_WORDS or TROUBLE.search(text)
        if not tells or _HANGING.search(text):
            continue
        if is_hostile(text) or mask_personal_data(text)[0] != text:
            continue
        kept.append(text)
    return kept


def _fit(text: str) -> str:
    text = re.sub(r"\s+", " ", text).strip(" .!,;:-")
    if len(text) > MAX_TITLE_CHARACTERS:
        text = text[:MAX_TITLE_CHARACTERS].rsplit(" ", 1)[0]
    return text[:1].upper() + text[1:]
