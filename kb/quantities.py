"""Typed values in a sentence: quantities with their unit, money, counts and dates; pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Slot:
    """A typed value: what kind of quantity, and the range it states."""

    unit: str
    """Values are only comparable within one unit, for example "days" or "money:EUR"."""
    low: float
    high: float
    text: str


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
NUMBER = (
    r"(?:\d{1,3}(?:[, \u00a0]\d{3})+(?:\.\d+)?|\d+(?:[.,]\d+)?|" + "|".join(_NUMBER_WORDS) + r")"
)
_RANGE = rf"(?P<low>{NUMBER})(?:\s*(?:-|–|—|\bto\b|\band\b|\bor\b)\s*(?P<high>{NUMBER}))?"
BARE_NUMBER = re.compile(rf"(?<![\w.,]){NUMBER}(?![\w])", re.IGNORECASE)
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
MONTHS = tuple(
    "january february march april may june july august september october november december".split()
)
_DATE_WORDS = re.compile(
    rf"\b(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\s+(?P<month>{'|'.join(MONTHS)})"
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
        low = read_number(match.group("low")) * factor
        high = read_number(match.group("high")) * factor if match.group("high") else low
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
        number = int(month) if month.isdigit() else MONTHS.index(month) + 1
        try:
            day = date(int(match.group("year")), number, int(match.group("day"))).toordinal()
        except ValueError:
            continue
        yield Slot("date", float(day), float(day), match.group())


def read_number(text: str) -> float:
    """A number in digits or as a word; "1,000" and "3,5" as people write them."""
    word = _NUMBER_WORDS.get(text.lower())
    if word is not None:
        return float(word)
    text = text.replace(" ", "").replace("\u00a0", "")
    if re.fullmatch(r"\d{1,3}(,\d{3})+(\.\d+)?", text):
        text = text.replace(",", "")
    return float(text.replace(",", "."))
