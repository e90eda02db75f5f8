"""Sentences of a text and the facts in them that can be compared; pure.

Embeddings align two statements but cannot see that a number differs: with one number changed the
cosine stays at 0.98 in the median (measured, design/algorithms.md §5). So a contradiction is
found by symbols: quantities with their unit, dates, and polarity.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from kb.quantities import BARE_NUMBER, NUMBER, Slot, extract_slots, plain_text, read_number

_HEADING = re.compile(r"^(#{1,6})\s+(.+?)\s*#*\s*$")
_MARKER = re.compile(r"^\s*(?:[-*+•]|\d{1,3}[.)])\s+")
_NUMBERED = re.compile(r"^\s*\d{1,3}[.)]\s+")
_ABBREVIATIONS = re.compile(
    r"(?:\b(?:e\.g|i\.e|etc|approx|incl|excl|no|nr|min|max|vs|mr|mrs|ms|dr|st|ca|tel|ext)"
    r"|\b[A-Z]|^\s*\d{1,3})\.$",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(
    r"[.!?…]+[\"'”’)*_\]]*"
    r"(?=\s+[\"'“‘(*_\[¡¿]*(?:[A-ZÀ-ÞА-Я0-9\\]|[a-z]{1,3}[A-Z]))|\n"
)


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence, word for word as it stands in its text."""

    text: str
    heading_path: tuple[str, ...]
    numbered: bool
    """Stands in a numbered list."""
    start: int
    """Where it begins in the text, in characters."""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Why two aligned sentences cannot both be true."""

    unit: str
    left: str
    right: str


def split_sentences(text: str) -> list[Sentence]:
    """Cut Markdown or plain text into sentences; each is a verbatim piece of the text.

    A heading is not a sentence, it becomes the path of what follows. A list entry begins a new
    sentence; fenced code and table rules are left out.
    """
    found: list[Sentence] = []
    path: list[tuple[int, str]] = []
    fenced = False
    for start, end in _blocks(text):
        line = text[start:end]
        if line.lstrip().startswith(("```", "~~~")):
            fenced = not fenced
            continue
        heading = _HEADING.match(line)
        if heading:
            level = len(heading.group(1))
            path = [(depth, name) for depth, name in path if depth < level]
            path.append((level, heading.group(2)))
            continue
        if fenced or not re.search(r"\w", line):
            continue
        marker = _MARKER.match(line)
        numbered = bool(_NUMBERED.match(line))
        offset = start + (marker.end() if marker else 0)
        names = tuple(name for _, name in path)
        found.extend(
            Sentence(text[left:right], names, numbered, left)
            for left, right in _cut(text, offset, end)
        )
    return found


def _blocks(text: str) -> Iterator[tuple[int, int]]:
    """Paragraphs, list entries, headings and table rows: what a sentence never crosses."""
    start: int | None = None
    position = 0
    for line in text.splitlines(keepends=True):
        alone = not line.strip() or _HEADING.match(line.rstrip()) or line.lstrip().startswith("|")
        begins = bool(_MARKER.match(line)) or line.lstrip().startswith(("```", "~~~", ">"))
        if start is not None and (alone or begins):
            yield start, position
            start = None
        if alone:
            if line.strip():
                yield position, position + len(line.rstrip("\n"))
        elif start is None:
            start = position
        position += len(line)
    if start is not None:
        yield start, position


def _cut(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    left = start
    for match in _SENTENCE_END.finditer(text, start, end):
        if match.group() == "\n":
            if not _ends_line(text[left : match.start()], text[match.end() : end]):
                continue
        elif _ABBREVIATIONS.search(text[left : match.end()]):
            continue
        yield from _trimmed(text, left, match.end())
        left = match.end()
    yield from _trimmed(text, left, end)


def _ends_line(before: str, after: str) -> bool:
    """A line break ends a sentence only where the next line starts like one and this one is short
    or closed: mails break lines anywhere, signatures and one-liners do not wrap."""
    following = after.lstrip()[:1]
    return bool(following) and following.isupper() and len(before.strip().rsplit("\n")[-1]) < 60


def _trimmed(text: str, left: int, right: int) -> Iterator[tuple[int, int]]:
    piece = text[left:right]
    left += len(piece) - len(piece.lstrip())
    right -= len(piece) - len(piece.rstrip())
    if right > left and re.search(r"\w", text[left:right]):
        yield left, right


_NEGATION = re.compile(
    r"\b(?:not|never|no longer|cannot|without|excluded|prohibited|forbidden|neither)\b|n['’]t\b",
    re.IGNORECASE,
)
_MODAL = re.compile(
    r"\b(?:must|may|can|cannot|should|shall|is|are|will|need|allowed|accepted|required|covered"
    r"|included|possible|permitted)\b|n['’]t\b",
    re.IGNORECASE,
)
_STOPWORDS = frozenset(
    "a an the of to in on at by for from with and or but if is are be been was were it its this "
    "that these those you your we our they their us as so than then there here may must can will "
    "should shall do does not never no longer cannot any all which who when what how".split()
)
POLARITY_OVERLAP = 0.75
"""Share of content words two sentences must have in common before a lone "not" between them is
read as a contradiction; below it, "not" mostly belongs to another clause."""


def content_words(sentence: str) -> set[str]:
    """Lower-case words that carry meaning, without a plural s."""
    words = re.findall(r"[^\W\d_]{2,}", plain_text(sentence).lower())
    return {w[:-1] if len(w) > 3 and w.endswith("s") else w for w in words if w not in _STOPWORDS}


def find_disagreement(left: str, right: str) -> Disagreement | None:
    """Why two sentences known to be about one thing contradict each other, or None.

    Values: a unit both state, with no value of one within a range of the other, where neither
    states a second, agreeing value. Polarity: nearly the same words, one of them denied.
    """
    left, right = plain_text(left), plain_text(right)
    ours, theirs = extract_slots(left), extract_slots(right)
    units = {slot.unit for slot in ours} & {slot.unit for slot in theirs}
    # "It cannot use 5 GHz" and "it uses 2.4 GHz" agree: what one denies the other need not state.
    same_polarity = bool(_NEGATION.search(left)) == bool(_NEGATION.search(right))
    for unit in sorted(units) if same_polarity else ():
        one = [slot for slot in ours if slot.unit == unit]
        two = [slot for slot in theirs if slot.unit == unit]
        if _mentions(left, two) or _mentions(right, one):
            continue
        if not any(a.low <= b.high and b.low <= a.high for a in one for b in two):
            return Disagreement(unit, one[0].text, two[0].text)
    if units or not _same_scale(ours, theirs):
        return None
    return _polarity(left, right)


def _mentions(sentence: str, slots: list[Slot]) -> bool:
    """Whether a sentence names one of the values without its unit: "three of your 26 days"."""
    said = {read_number(m) for m in BARE_NUMBER.findall(plain_text(sentence))}
    return any(read_number(m) in said for s in slots for m in BARE_NUMBER.findall(s.text)[:1])


def _same_scale(ours: list[Slot], theirs: list[Slot]) -> bool:
    return bool(ours) == bool(theirs) or not (ours or theirs)


def _polarity(left: str, right: str) -> Disagreement | None:
    denied = bool(_NEGATION.search(left)), bool(_NEGATION.search(right))
    if denied[0] == denied[1] or not (_MODAL.search(left) and _MODAL.search(right)):
        return None
    one, two = content_words(left), content_words(right)
    if len(one & two) < 3 or len(one & two) / max(1, len(one | two)) < POLARITY_OVERLAP:
        return None
    return Disagreement("polarity", *("denied" if d else "stated" for d in denied))


def mask_values(sentence: str) -> str:
    """The sentence with every number as "N": what is aligned, so that values do not decide it."""
    return re.sub(rf"(?<!\w){NUMBER}(?!\w)", "N", plain_text(sentence), flags=re.IGNORECASE)
