"""Menu names, error codes, versions, dates and addresses in a text; pure.

What a product renames or drops is what makes an article untrue first, and it stands in texts in
few shapes (DOCER, Tan et al. 2024, finds outdated references by names that vanished).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from kb.quantities import MONTHS, extract_slots, plain_text

READING = "3"
"""Raise when what is read of a text changes: kept readings of another are read anew."""
LONGEST = 20_000
"""Characters that are read of one text; a log pasted into a ticket says nothing new after that."""
LONGEST_TERM = 60
MOST_TERMS = 40

_NAME = r"[A-Z][\w&'’/-]{0,30}(?: [\w&'’/-]{1,20}){0,3}"
_MENU = re.compile(rf"(?:{_NAME})(?:\s?(?:→|»|›|>|≫)\s?(?:{_NAME}))+")
_ARROW = re.compile(r"\s?(?:→|»|›|>|≫)\s?")
_ENDS_NAME = re.compile(
    r" (?:it|in|and|then|to|is|if|or|on|at|from|the|a|you|i|as|but|when|so|this|that|now)\b"
)
"""Where a menu's name in running text surely ends."""
_MARKED = re.compile(r"\*\*([^*\n]{2,40})\*\*|[\"“]([A-Z][^\"”\n]{1,38})[\"”]")
_CODE = re.compile(
    r"\b0x[0-9A-Fa-f]{4,16}\b|\b[A-Z]{2,12}(?:_[A-Z0-9]{1,20}){1,5}\b|\b[A-Z]{1,6}-\d{2,5}\b"
    r"|\b[A-Z]{1,3}\d{3,5}\b"
)
_VERSION = re.compile(
    r"\b([A-Z][A-Za-z]{2,20}|[Vv]ersion|[Rr]elease)\s?v?(\d{1,4}(?:\.\d{1,4}){0,3})(?![\w%°])"
)
_ADDRESS = re.compile(r"https?://[^\s<>\"')\]]{3,500}")
_NO_PRODUCT = frozenset(
    [month[:3] for month in MONTHS] + list(MONTHS)
    + "step steps section figure table chapter part page line port error code number day days about"
    " within every after before over under from the for and than only next last first level type"
    " rule item question version release option phase point area room form article week year hours"
    " minutes monday tuesday wednesday thursday friday saturday sunday between until since office"
    " eur euro euros usd gbp cet utc gmt utf iso tls ssl oauth imap pop http".split()
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ArticleText:
    """What of an article can be held against the world."""

    menus: frozenset[str] = frozenset()
    """Names of menus, buttons and fields, lower case."""
    codes: frozenset[str] = frozenset()
    versions: Mapping[str, tuple[int, ...]] | None = None
    """Highest version named of each product; "" where none is named."""
    dates: tuple[int, ...] = ()
    """As ordinals of days."""
    links: tuple[str, ...] = ()
    words: int = 0

    @property
    def terms(self) -> frozenset[str]:
        return self.menus | self.codes

    def to_json(self) -> dict[str, Any]:
        return {
            "menus": sorted(self.menus),
            "codes": sorted(self.codes),
            "versions": {key: list(v) for key, v in sorted((self.versions or {}).items())},
            "dates": list(self.dates),
            "links": list(self.links),
            "words": self.words,
        }

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> ArticleText:
        return cls(
            menus=frozenset(said["menus"]),
            codes=frozenset(said["codes"]),
            versions={key: tuple(v) for key, v in said["versions"].items()},
            dates=tuple(said["dates"]),
            links=tuple(said["links"]),
            words=said["words"],
        )


def read_article_text(markdown: str) -> ArticleText:
    """What an article says that can go out of date."""
    text = markdown[:LONGEST]
    plain = plain_text(text)
    dates = {int(s.low) for s in extract_slots(plain) if s.unit == "date"}
    return ArticleText(
        menus=frozenset(find_menus(text)),
        codes=frozenset(find_codes(plain)),
        versions=find_versions(plain),
        dates=tuple(sorted(dates)),
        links=tuple(dict.fromkeys(m.group().rstrip(".,;") for m in _ADDRESS.finditer(text)))[:200],
        words=len(markdown.split()),
    )


def find_menus(text: str) -> list[str]:
    """Names along menu paths, and what stands in bold or in quotation marks, in lower case."""
    found = []
    for match in _MENU.finditer(text):
        found += [_ENDS_NAME.split(part)[0] for part in _ARROW.split(match.group())]
    found += [bold or quoted for bold, quoted in _MARKED.findall(text)]
    return _fold(found)


def find_codes(text: str) -> list[str]:
    """Error codes and constants, in lower case."""
    return _fold(match.group() for match in _CODE.finditer(text))


def find_versions(text: str) -> dict[str, tuple[int, ...]]:
    """The highest version named of each product, by its lower-case name."""
    found: dict[str, tuple[int, ...]] = {}
    for match in _VERSION.finditer(text):
        name = match.group(1).lower()
        parts = read_version_number(match.group(2))
        if name in ("version", "release"):
            name = ""
        elif name in _NO_PRODUCT:
            continue
        if parts[0] < 1900 or parts[0] > 2100:
            found[name] = max(found.get(name, parts), parts)
    return found


def read_version_number(text: str) -> tuple[int, ...]:
    """Numbers of a version such as "115.2.0"; empty where there are none."""
    return tuple(int(part) for part in re.findall(r"\d{1,9}", text)[:4])


def find_ticket_terms(text: str) -> list[str]:
    """What of a ticket is compared with articles: menus, codes, and "product 115" by major version.

    At most 40, each once.
    """
    text = text[:LONGEST]
    plain = plain_text(text)
    versions = [
        f"{name} {parts[0]}" for name, parts in sorted(find_versions(plain).items()) if name
    ]
    found = dict.fromkeys([*find_codes(plain), *versions, *find_menus(text)])
    return list(found)[:MOST_TERMS]


def name_day(ordinal: int) -> str:
    return date.fromordinal(ordinal).isoformat()


def _fold(names: Iterable[str]) -> list[str]:
    folded = (" ".join(name.lower().split()).strip(" .,:;!?'’") for name in names)
    return list(dict.fromkeys(f for f in folded if 1 < len(f) <= LONGEST_TERM))
