"""Sentences of a text and the facts in them that can be compared; pure.

Embeddings align two statements but cannot see that a number differs: with one number changed the
cosine stays at 0.98 in the median (measured, design/algorithms.md §5). So a contradiction is
found by symbols: quantities with their unit, dates, and polarity.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

_HEADING = re.compile(r"^(#{1,6})\s+(.+?)\s*#*\s*$")
_MARKER = re.compile(r"^\s*(?:[-*+•]|\d{1,3}[.)])\s+")
_NUMBERED = re.compile(r"^\s*\d{1,3}[.)]\s+")
_ABBREVIATIONS = re.compile(
    r"(?:\b(?:e\.g|i\.e|etc|approx|incl|excl|no|nr|min|max|vs|mr|mrs|ms|dr|st|ca|tel|ext)"
    r"|\b[A-Z]|^\s*\d{1,3})\.$",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"[.!?…]+[\"'”’)*_\]]*(?=\s+[\"'“‘(*_\[¡¿]*[A-ZÀ-ÞА-Я0-9\\])|\n")


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
class Slot:
    """A typed value: what kind of quantity, and the range it states."""

    unit: str
    """Values are only comparable within one unit, for example "days" or "money:EUR"."""
    low: float
    high: float
    text: str


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


def plain_text(text: str) -> str:
    """Without Markdown emphasis, links and code marks, blanks folded."""
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"[*`]+|(?<!\w)_+|_+(?!\w)", "", text)
    return re.sub(r"\s+", " ", text).strip()


_NUMBER_WORDS = {
    word: value
    for value, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve".split()
    )
} | {"fifteen": 15, "twenty": 20, "thirty": 30, "sixty": 60}
_NUMBER = (
    r"(?:\d{1,3}(?:[, \u00a0]\d{3})+(?:\.\d+)?|\d+(?:[.,]\d+)?|" + "|".join(_NUMBER_WORDS) + r")"
)
_RANGE = rf"(?P<low>{_NUMBER})(?:\s*(?:-|–|—|\bto\b|\band\b|\bor\b)\s*(?P<high>{_NUMBER}))?"
_UNITS: tuple[tuple[str, str, float], ...] = (
    ("working days", r"(?:working|business|work)[ -]days?", 1.0),
    ("seconds", r"(?:seconds?|secs?|s)", 1.0),
    ("minutes", r"(?:minutes?|mins?)", 1.0),
    ("hours", r"(?:hours?|hrs?|h)", 1.0),
    ("days", r"(?:calendar[ -])?days?", 1.0),
    ("days", r"weeks?", 7.0),
    ("months", r"months?", 1.0),
    ("months", r"years?", 12.0),
    ("percent", r"(?:%|percent|per cent)", 1.0),
    ("degrees", r"(?:°\s?C|degrees?(?: celsius)?)", 1.0),
    ("metres", r"(?:m|metres?|meters?)", 1.0),
    ("metres", r"cm", 0.01),
    ("metres", r"mm", 0.001),
    ("gigahertz", r"GHz", 1.0),
    ("volts", r"V", 1.0),
    ("bar", r"bar", 1.0),
    ("megabytes", r"MB", 1.0),
    ("megabytes", r"GB", 1024.0),
)
_QUANTITIES = tuple(
    (
        unit,
        factor,
        re.compile(rf"(?<![\w.,]){_RANGE}[\s\u00a0-]*(?:{pattern})(?!\w)", re.IGNORECASE),
    )
    for unit, pattern, factor in _UNITS
)
_CURRENCIES = {"€": "EUR", "£": "GBP", "$": "USD", "eur": "EUR", "euro": "EUR", "euros": "EUR",
               "gbp": "GBP", "pounds": "GBP", "usd": "USD", "dollars": "USD"}  # fmt: skip
_MONEY = (
    re.compile(rf"(?P<sign>€|£|\$|\bEUR|\bGBP|\bUSD)\s?{_RANGE}", re.IGNORECASE),
    re.compile(rf"(?<![\w.,]){_RANGE}\s?(?P<sign>€|£|euros?\b|EUR\b|GBP\b|pounds\b|dollars\b)",
               re.IGNORECASE),
)  # fmt: skip
_COUNT = re.compile(
    rf"(?<![\w.,:/→-]){_RANGE}\s+(?P<noun>characters?|attempts?|digits?|devices?|hubs?|valves?"
    r"|users?|members?|rooms?|receipts?|copies|times|people|persons|units|pages|tickets)\b",
    re.IGNORECASE,
)
_MONTHS = "january february march april may june july august september october november december"
_DATE_WORDS = re.compile(
    rf"\b(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\s+(?P<month>{_MONTHS.replace(' ', '|')})"
    r"\s+(?P<year>\d{4})\b",
    re.IGNORECASE,
)
_DATE_ISO = re.compile(r"\b(?P<year>20\d{2})-(?P<month>\d{2})-(?P<day>\d{2})\b")


def extract_slots(sentence: str) -> list[Slot]:
    """Quantities, amounts, counts and dates of a sentence, in order of their kind.

    Days and weeks share a unit, months and years too; seconds, hours and working days are units
    of their own, because "10 seconds" and "5 minutes" in two sentences are seldom one fact.
    """
    text = plain_text(sentence)
    found: list[Slot] = []
    taken: list[tuple[int, int]] = []

    def add(unit: str, match: re.Match[str], factor: float = 1.0) -> None:
        if any(match.start() < right and left < match.end() for left, right in taken):
            return
        low = _number(match.group("low")) * factor
        high = _number(match.group("high")) * factor if match.group("high") else low
        taken.append(match.span())
        found.append(Slot(unit, min(low, high), max(low, high), match.group().strip()))

    for pattern in _MONEY:
        for match in pattern.finditer(text):
            add(f"money:{_CURRENCIES[match.group('sign').lower()]}", match)
    for unit, factor, pattern in _QUANTITIES:
        for match in pattern.finditer(text):
            add(unit, match, factor)
    for match in _COUNT.finditer(text):
        add(f"count:{match.group('noun').lower().rstrip('s')}", match)
    found.extend(_dates(text))
    return found


def _dates(text: str) -> Iterator[Slot]:
    for match in [*_DATE_WORDS.finditer(text), *_DATE_ISO.finditer(text)]:
        month = match.group("month").lower()
        number = int(month) if month.isdigit() else _MONTHS.split().index(month) + 1
        try:
            day = date(int(match.group("year")), number, int(match.group("day"))).toordinal()
        except ValueError:
            continue
        yield Slot("date", float(day), float(day), match.group())


def _number(text: str) -> float:
    word = _NUMBER_WORDS.get(text.lower())
    if word is not None:
        return float(word)
    text = text.replace(" ", "").replace("\u00a0", "")
    if re.fullmatch(r"\d{1,3}(,\d{3})+(\.\d+)?", text):
        text = text.replace(",", "")
    return float(text.replace(",", "."))


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
    ours, theirs = extract_slots(left), extract_slots(right)
    units = {slot.unit for slot in ours} & {slot.unit for slot in theirs}
    for unit in sorted(units):
        one = [slot for slot in ours if slot.unit == unit]
        two = [slot for slot in theirs if slot.unit == unit]
        if not any(a.low <= b.high and b.low <= a.high for a in one for b in two):
            return Disagreement(unit, one[0].text, two[0].text)
    if units or not _same_scale(ours, theirs):
        return None
    return _polarity(left, right)


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
    return re.sub(rf"(?<!\w){_NUMBER}(?!\w)", "N", plain_text(sentence), flags=re.IGNORECASE)
