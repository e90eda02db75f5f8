"""Personal data and secrets in free text, replaced by what they were; pure.

Patterns, not understanding: names and street addresses stay. Every detector reads the text in
linear time, because tickets are written by strangers.
"""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Callable, Iterator

from kb.credentials import (
    KNOWN_TOKENS,
    Span,
    find_base64,
    find_bearers,
    find_key_blocks,
    find_named_secrets,
    find_random_strings,
)

MASKS = ("email", "phone", "card", "token", "ip", "iban")
"""The kinds; each is replaced by its name in square brackets."""


def mask_personal_data(text: str) -> tuple[str, dict[str, int]]:
    """Replace e-mail addresses, phone numbers, cards, secrets, IP addresses and IBANs.

    Masking what is masked already changes nothing.

    Returns:
        The text with `[email]`, `[phone]`, `[card]`, `[token]`, `[ip]` or `[iban]` in their
        place, and how many of each kind were replaced; kinds that did not occur are left out.
    """
    counts: Counter[str] = Counter()
    while True:
        masked = text
        for kind, find in _DETECTORS:
            masked, count = _replace(masked, find(masked), f"[{kind}]")
            if count:
                counts[kind] += count
        if masked == text:
            return masked, dict(counts)
        text = masked


def _replace(text: str, spans: Iterator[Span], mask: str) -> tuple[str, int]:
    pieces, position, count = [], 0, 0
    for start, end in spans:
        pieces += [text[position:start], mask]
        position, count = end, count + 1
    return ("".join([*pieces, text[position:]]), count) if count else (text, 0)


_EMAIL_DOMAIN = re.compile(
    r"(?:@|\s?(?:\(at\)|\[at\])\s?)(?:[\w-]{1,63}\.){1,10}[^\W\d_]{2}[\w-]*", re.IGNORECASE
)
_EMAIL_LOCAL = re.compile(r"[\w.!#$%&'*+=?^`{}~-]*\Z")
_PICTURE = re.compile(r"\.(?:png|jpe?g|gif|svg|webp)\Z", re.IGNORECASE)
_LONGEST_LOCAL = 320


def _find_emails(text: str) -> Iterator[Span]:
    # From the "@" outwards: searching for the part before it is quadratic in a text without one.
    position = 0
    for match in _EMAIL_DOMAIN.finditer(text):
        floor = max(position, match.start() - _LONGEST_LOCAL)
        local = _local_start(text, floor, match.start())
        if local == match.start() or _PICTURE.search(match.group()):
            continue
        yield local, match.end()
        position = match.end()


def _local_start(text: str, floor: int, end: int) -> int:
    start = end
    while start > floor and _EMAIL_LOCAL.match(text[start - 1]):
        start -= 1
    return start


_IBAN_START = re.compile(r"(?<![^\W_])[A-Za-z]{2}[0-9]{2}(?=[ -]?[A-Za-z0-9]{4})")
_IBAN_CHARACTERS = re.compile(r"[A-Za-z0-9]")
_IBAN_LENGTHS = {
    entry[:2]: int(entry[2:])
    for entry in """NO15 BE16 DK18 FI18 FO18 GL18 NL18 MK19 SI19 AT20 BA20 EE20 KZ20 LT20 LU20 XK20
    CH21 HR21 LI21 LV21 BG22 BH22 CR22 DE22 GB22 GE22 IE22 ME22 RS22 AE23 GI23 IL23 IQ23 TL23 AD24
    CZ24 ES24 MD24 PK24 RO24 SA24 SE24 SK24 TN24 VG24 PT25 ST25 IS26 TR26 FR27 GR27 IT27 MC27 SM27
    AL28 AZ28 CY28 DO28 GT28 HU28 LB28 PL28 SV28 BR29 EG29 PS29 QA29 UA29 JO30 KW30 MU30 MT31
    SC31""".split()
}
"""ISO 13616 registry: a country's IBANs all have one length."""


def _find_ibans(text: str) -> Iterator[Span]:
    position = 0
    while match := _IBAN_START.search(text, position):
        end = _iban_end(text, match.start())
        if end is not None:
            yield match.start(), end
        position = end or match.end()


def _iban_end(text: str, start: int) -> int | None:
    """Where a run of letters and digits, singly spaced, closes with ISO 13616's check digits."""
    length = _IBAN_LENGTHS.get(text[start : start + 2].upper())
    held, place = "", start
    while length is not None and place < len(text):
        character = text[place]
        if _IBAN_CHARACTERS.match(character):
            held += character.upper()
        elif character not in " -" or not text[place - 1].isalnum():
            return None
        place += 1
        if len(held) == length:
            closed = place == len(text) or not text[place].isalnum()
            return place if closed and _passes_mod_97(held) else None
    return None


def _passes_mod_97(iban: str) -> bool:
    return int("".join(str(int(c, 36)) for c in iban[4:] + iban[:4])) % 97 == 1


_DIGIT_RUN = re.compile(r"(?<![\w.+])[0-9]+(?:[ .\u00a0-][0-9]+)*(?![\w])")
_CARD_LENGTHS = range(14, 20)


def _find_cards(text: str) -> Iterator[Span]:
    for run in _DIGIT_RUN.finditer(text):
        groups = [m.span() for m in re.finditer(r"[0-9]+", text[run.start() : run.end()])]
        first = 0
        while first < len(groups):
            last = _card_last(run.group(), groups, first)
            if last is None:
                first += 1
                continue
            yield run.start() + groups[first][0], run.start() + groups[last][1]
            first = last + 1


def _card_last(run: str, groups: list[Span], first: int) -> int | None:
    digits = ""
    for place in range(first, len(groups)):
        start, end = groups[place]
        digits += run[start:end]
        if len(digits) >= _CARD_LENGTHS.stop:
            return None
        if len(digits) in _CARD_LENGTHS and _is_card(digits):
            return place
    return None


def _is_card(digits: str) -> bool:
    issuer = {
        14: r"3(?:0[0-5]|[689])",
        15: r"3[47]",
        16: r"4|5[1-5]|2[2-7]|6|35",
    }.get(len(digits), r"[456]")
    return bool(re.match(issuer, digits)) and _passes_luhn(digits)


def _passes_luhn(digits: str) -> bool:
    doubled = [int(d) * (1 + place % 2) for place, d in enumerate(reversed(digits))]
    return sum(d - 9 if d > 9 else d for d in doubled) % 10 == 0


_IPV4 = re.compile(r"(?<![\w.])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?!\.?\w)")
_VERSION_BEFORE = re.compile(
    r"(?:\bv|version|versions|firmware|build|release|update|driver|section|app)[\s:=]{0,3}\Z",
    re.IGNORECASE,
)
_IPV6 = re.compile(r"(?<![\w:.])[0-9A-Fa-f:]{1,40}:[0-9A-Fa-f:.]{0,45}(?![\w:])")


def _find_ipv4(text: str) -> Iterator[Span]:
    for match in _IPV4.finditer(text):
        before = text[max(0, match.start() - 14) : match.start()]
        octets = [int(part) for part in match.group().split(".")]
        if max(octets) <= 255 and not _VERSION_BEFORE.search(before):
            yield match.span()


def _find_ipv6(text: str) -> Iterator[Span]:
    for match in _IPV6.finditer(text):
        address = match.group().rstrip(".")
        if address.endswith(":") and not address.endswith("::"):
            address = address[:-1]
        if address.count(":") < 2 or not re.search(r"\d", address):
            continue
        try:
            ipaddress.IPv6Address(address)
        except ValueError:
            continue
        yield match.start(), match.start() + len(address)


_INTERNATIONAL = re.compile(
    r"(?<![\w+])(?:\+\s?\(?[1-9]|00[ .-]?[1-9])(?:[ .\-/()\u00a0]{0,3}[0-9]){8,13}(?![\w])"
)
_LOCAL = re.compile(
    r"(?<![\w.,:/#+-])(?:\(0[1-9][0-9]{0,4}\)|0[1-9][0-9]{0,4})"
    r"(?:[ .\-/\u00a0]{0,2}[0-9]{2,8}){1,5}(?![\w%°])"
)
_THREE_THREE_FOUR = re.compile(
    r"(?<![\w.,:/#+-])(?:\([2-9][0-9]{2}\)\s?|[2-9][0-9]{2}[ .-])[0-9]{3}[ .-][0-9]{4}(?![\w-])"
)
_ANNOUNCED = re.compile(
    r"\b(?:tel(?:ephone|efoon|efone|éfono|efon)?|t[ée]l|phone|mobile|mobiel|gsm|cell|whatsapp|"
    r"fax|call|call me|ring me|bel|appelez|ligue|portable|telem[oó]vel)\b"
    r"[^\d\n\[\]+]{0,16}(?P<number>[0-9](?:[ .\-/()\u00a0]{0,2}[0-9]){6,13})(?![\w])",
    re.IGNORECASE,
)
_NO_PHONE_BEFORE = re.compile(
    r"(?:order|invoice|ticket|case|serial|ref(?:erence)?|batch|article|part|account|customer|"
    r"tracking|parcel|number of|id|nr|no|sku|ean)\b[\s.:#]{0,3}"
    r"(?:(?:number|nr|no|is)[\s.:#]{0,3})?\Z",
    re.IGNORECASE,
)
_DATE_INSIDE = re.compile(
    r"(?<!\d)(?:[0-3]?\d[-./ ][01]?\d[-./ ](?:19|20)\d\d"
    r"|(?:19|20)\d\d[-./][01]\d[-./][0-3]\d)(?!\d)"
)


def _find_local(text: str) -> Iterator[Span]:
    for match in _LOCAL.finditer(text):
        digits = sum(c.isdigit() for c in match.group())
        if 9 <= digits <= 11 and not _is_another_number(text, match.start(), match.group()):
            yield match.span()


def _find_three_three_four(text: str) -> Iterator[Span]:
    for match in _THREE_THREE_FOUR.finditer(text):
        if not _is_another_number(text, match.start(), match.group()):
            yield match.span()


def _find_announced(text: str) -> Iterator[Span]:
    for match in _ANNOUNCED.finditer(text):
        start = match.start("number")
        if not _is_another_number(text, start, match.group("number")):
            yield start, match.end("number")


def _is_another_number(text: str, start: int, number: str) -> bool:
    before = text[max(0, start - 24) : start]
    return bool(_NO_PHONE_BEFORE.search(before) or _DATE_INSIDE.search(number))


def _every(pattern: re.Pattern[str]) -> Callable[[str], Iterator[Span]]:
    return lambda text: (match.span() for match in pattern.finditer(text))


_DETECTORS: tuple[tuple[str, Callable[[str], Iterator[Span]]], ...] = (
    ("token", find_key_blocks),
    ("token", _every(KNOWN_TOKENS)),
    ("token", find_bearers),
    ("token", find_named_secrets),
    ("email", _find_emails),
    ("iban", _find_ibans),
    ("token", find_random_strings),
    ("token", find_base64),
    ("card", _find_cards),
    ("ip", _find_ipv6),
    ("ip", _find_ipv4),
    ("phone", _every(_INTERNATIONAL)),
    ("phone", _find_local),
    ("phone", _find_three_three_four),
    ("phone", _find_announced),
)
