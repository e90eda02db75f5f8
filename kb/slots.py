"""A sentence as words and typed values, in their order; pure.

`kb.quantities` reads quantities whose unit alone makes two of them comparable. Here every value
counts, also a bare number, a clock time, a weekday, an address or a modal, because the words
around it (`kb.alignment`) say what it is a value of.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from kb.quantities import MONTHS, NUMBER, plain_text, read_number

Value = tuple[float | str, ...]

MUST, SHOULD, MAY, MUST_NOT = "must", "should", "may", "must not"


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a sentence, or a value of one of the kinds below."""

    key: str
    """What is aligned: the folded word, or the kind in angle brackets."""
    text: str
    kind: str | None = None
    """None for a plain word."""
    value: Value = ()
    """Equal values mean the same: durations in hours, clock times in minutes, money with its
    currency."""
    name: bool = False
    """A name or an identifier: what the sentence is about rather than what it says of it."""


_HOURS = {"second": 1 / 3600, "sec": 1 / 3600, "minute": 1 / 60, "min": 1 / 60, "hour": 1.0,
          "hr": 1.0, "day": 24.0, "week": 168.0, "workweek": 168.0, "month": 730.0,
          "quarter": 2190.0, "year": 8760.0, "decade": 87600.0}  # fmt: skip
_WORKING_DAY_HOURS = 24.0 * 7 / 5
_TIMES = {"hourly": 1.0, "daily": 24.0, "weekly": 168.0, "biweekly": 336.0, "fortnightly": 336.0,
          "monthly": 730.0, "quarterly": 2190.0, "annually": 8760.0, "yearly": 8760.0,
          "annual": 8760.0}  # fmt: skip
_CURRENCY = {"$": "USD", "€": "EUR", "£": "GBP", "usd": "USD", "dollar": "USD", "eur": "EUR",
             "euro": "EUR", "gbp": "GBP", "pound": "GBP"}  # fmt: skip
_WEEKDAYS = "monday tuesday wednesday thursday friday saturday sunday".split()
_ORDINALS = {
    word: number
    for number, word in enumerate(
        "first second third fourth fifth sixth seventh eighth ninth tenth".split(), start=1
    )
}
_STANCE = {
    "allowed": "allowed", "permitted": "allowed", "prohibited": "not allowed",
    "forbidden": "not allowed", "disallowed": "not allowed", "required": "required",
    "mandatory": "required", "compulsory": "required", "optional": "optional",
    "voluntary": "optional", "eligible": "eligible", "ineligible": "not eligible",
    "included": "included", "excluded": "not included", "refundable": "refundable",
    "nonrefundable": "not refundable", "non-refundable": "not refundable", "yes": "yes",
    "no": "no", "enabled": "enabled", "disabled": "not enabled", "taxable": "taxable",
    "covered": "covered", "uncovered": "not covered",
}  # fmt: skip
_OPPOSED = frozenset(
    frozenset(pair)
    for pair in (
        ("allowed", "not allowed"), ("required", "optional"), ("required", "not allowed"),
        ("eligible", "not eligible"), ("included", "not included"), ("yes", "no"),
        ("refundable", "not refundable"), ("enabled", "not enabled"), ("taxable", "not taxable"),
        ("covered", "not covered"), (MUST, SHOULD), (MUST, MAY), (MUST, MUST_NOT),
        (SHOULD, MUST_NOT), (MAY, MUST_NOT),
    )
)  # fmt: skip
_REFERENCES = frozenset(
    "step steps section sections figure table box boxes question part parts chapter topic appendix"
    " form forms note level levels phase option item line footnote method attachment title rule"
    " article subpart paragraph tip no. port ports".split()
)
"""A number behind one of these is a place in a text, not a value."""

_MONTH = "(?:" + "|".join(f"{m[:3]}(?:{m[3:]})?" for m in MONTHS) + r")\.?"
_HOUR = r"\d{1,2}(?::\d{2})?\s?(?:[ap]\.?m\b\.?)?|noon\b|midnight\b"
_TO = r"\s*(?:-|–|—|to\b|until\b|or\b|and\b)\s*"
_UNIT = (
    r"(?P<business>(?:business|working|work)[ -])?(?:calendar[ -]|administrative[ -])?"
    rf"(?P<unit>{'|'.join(sorted(_HOURS, key=len, reverse=True))})s?(?![\w])"
)
_PATTERNS: tuple[tuple[str, str], ...] = (
    ("url", r"https?://\S+|www\.\S+"),
    ("email", r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"),
    ("handle", r"[@#][A-Za-z][\w-]*"),
    ("phone", r"(?:\+?\d{1,3}[-. ])?\(?\d{3}\)?[-. ]\d{3}[-. ]\d{4}(?!\d)"),
    ("day", rf"(?:{_MONTH})\s+\d{{1,2}}(?:st|nd|rd|th)?(?:,?\s+(?:19|20)\d{{2}})?(?!\w)"),
    ("day", rf"\d{{1,2}}(?:st|nd|rd|th)?\s+(?:of\s+)?(?:{_MONTH})(?:,?\s+(?:19|20)\d{{2}})?(?!\w)"),
    ("day", r"(?:19|20)\d{2}-\d{2}-\d{2}(?!\w)|\d{1,2}/\d{1,2}/\d{2,4}(?!\w)"),
    ("clock", rf"(?=\S*(?:\d:\d\d|[ap]\.?m\b)|\d{{1,2}}(?::\d\d)?\s?[ap]\.?m\b"
              rf"|\d{{1,2}}(?::\d\d)?{_TO}\d{{1,2}}(?::\d\d)?\s?[ap]\.?m\b)"
              rf"(?:{_HOUR})(?:{_TO}(?:{_HOUR}))?(?!\w)"),
    ("version", r"[<>]?=?v?\d+\.\d+\.[\dx]+(?:\.\d+)*(?:-p\d+)?(?!\w)|v\d+\.\d+(?!\w)"
                r"|\d+\.x(?!\w)"),
    ("money", rf"(?:[$€£]|\b(?:EUR|USD|GBP)\s?){NUMBER}(?:[kKM]\b)?"
              rf"(?:{_TO}[$€£]?{NUMBER})?(?![\w])"),
    ("money", rf"{NUMBER}(?:{_TO}{NUMBER})?\s?(?:€|£|euros?|dollars?|EUR|USD|GBP|pounds)(?!\w)"),
    ("percent", rf"{NUMBER}(?:{_TO}{NUMBER})?\s?(?:%|percent\b|per cent\b)"),
    ("year", r"(?:FY\s?(?:20)?\d{2}|(?:19|20)\d{2})(?![\w,.]\d|\w)"),
    ("code", r"[A-Z]{1,8}-?\d{2,}[A-Z]?(?!\w)|#\d+(?!\w)"),
    ("duration", r"(?<=first )(?:hour|day|week|month|year)(?!\w)"),
    ("duration", rf"(?:{NUMBER})(?:{_TO}(?:{NUMBER}))?[\s-]*{_UNIT}"),
    ("frequency", r"(?:once|every)(?:\s+(?:a|per|each))?(?:\s+(?:other|two))?\s+"
                  r"(?:hour|day|week|month|quarter|year)s?(?!\w)|bi-?weekly(?!\w)"
                  rf"|(?:{'|'.join(_TIMES)})(?!\w)|twice\s+(?:a|per)\s+(?:day|week|month|year)"
                  r"(?!\w)"),
    ("weekday", rf"(?:{'|'.join(_WEEKDAYS)})s?(?!\w)"),
    ("modal", r"(?:must|may|should|shall|can|need(?:s)?\s+to|has\s+to|have\s+to|need(?:s)?)\s+"
              r"(?:not|never)(?!\w)|cannot(?!\w)|can['’]t(?!\w)|must(?!\w)|shall(?!\w)"
              r"|(?:need|needs|has|have)\s+to(?!\w)|should(?!\w)|(?-i:may)(?!\w)|can(?!\w)"),
    ("denial", r"\w+n['’]t(?!\w)|(?:not|never|without|nor|neither)(?!\w)|no\s+longer(?!\w)"),
    ("stance", rf"(?:{'|'.join(sorted(_STANCE, key=len, reverse=True))})(?![\w-])"),
    ("ordinal", rf"\d+(?:st|nd|rd|th)(?!\w)|(?:{'|'.join(_ORDINALS)})(?!\w)"),
    ("number", rf"(?:{NUMBER})(?:{_TO}(?:{NUMBER}))?(?![\w])"),
    ("word", r"[^\W_][\w'’./+-]*[\w+]|\w"),
)  # fmt: skip
_TOKEN = re.compile(
    r"(?<![\w])(?:"
    + "|".join(
        f"(?P<{kind}_{place}>{re.sub(r'[?]P<(?:business|unit)>', '?:', pattern)})"
        for place, (kind, pattern) in enumerate(_PATTERNS)
    )
    + ")",
    re.IGNORECASE,
)
_NUMBERS = re.compile(NUMBER, re.IGNORECASE)
_DURATION = re.compile(rf"(?P<numbers>.*?)[\s-]*{_UNIT}$", re.IGNORECASE)
_CAPITAL = re.compile(r"[A-Z]|[a-z]+[A-Z]|\d+[A-Z]")


def read_words(sentence: str) -> list[Word]:
    """The words of a sentence with its values recognised, in their order.

    A number behind "step", "section" and the like is a place and stays a plain word.
    """
    found: list[Word] = []
    for match in _TOKEN.finditer(plain_text(sentence)):
        kind = str(match.lastgroup).rpartition("_")[0]
        before = found[-1] if found else None
        found.append(_to_word(kind, match.group(), before))
    return found


def _to_word(kind: str, text: str, before: Word | None) -> Word:
    if kind in ("number", "ordinal", "code") and before is not None and _is_place(before):
        return Word("<place>", text, "place")
    if kind == "word":
        named = bool(_CAPITAL.match(text)) and before is not None
        return Word(_fold(text), text, name=named)
    if kind in ("url", "handle"):
        return Word(f"<{kind}>" if kind == "url" else text.lower(), text, name=kind == "handle")
    try:
        value = _READERS[kind](text)
    except (ValueError, KeyError):
        return Word(_fold(text), text)
    shown = "number" if kind in ("ordinal", "code") else kind
    return Word(f"<{shown}>", text, kind, value)


def _is_place(word: Word) -> bool:
    return word.text.lower() in _REFERENCES or word.kind == "place"


def _fold(text: str) -> str:
    text = text.lower().replace("’", "'")
    text = text.removesuffix("'s")
    return text[:-1] if len(text) > 3 and text.endswith("s") and not text.endswith("ss") else text


def _bounds(text: str) -> tuple[float, float]:
    numbers = [read_number(found) for found in _NUMBERS.findall(text)][:2]
    if not numbers:
        raise ValueError(text)
    return min(numbers), max(numbers)


def _duration(text: str) -> Value:
    match = _DURATION.match(text)
    if match is None:
        raise ValueError(text)
    # "The first week" is one.
    low, high = _bounds(match.group("numbers") or "1")
    hours = _HOURS[match.group("unit").lower()]
    if match.group("business") and hours == _HOURS["day"]:
        hours = _WORKING_DAY_HOURS
    return low * hours, high * hours


def _frequency(text: str) -> Value:
    text = text.lower().replace("-", "")
    if text in _TIMES:
        return (_TIMES[text],)
    hours = next(_HOURS[unit] for unit in _HOURS if re.search(rf"\b{unit}s?\b", text))
    if re.search(r"\b(?:other|two)\b", text):
        hours *= 2
    return (hours / 2,) if text.startswith("twice") else (hours,)


def _money(text: str) -> Value:
    sign = re.search(r"[$€£]|usd|eur|gbp|dollar|pound", text.lower())
    low, high = _bounds(text)
    scale = 1000.0 if re.search(r"\dk\b", text.lower()) else 1.0
    return _CURRENCY[sign.group()] if sign else "", low * scale, high * scale


def _clock(text: str) -> Value:
    parts = re.findall(
        r"(\d{1,2})(?::(\d{2}))?\s?([ap])?|(noon|midnight)", text.lower().replace(".", "")
    )
    half = next((p[2] for p in reversed(parts) if p[2]), "")
    minutes: list[float | str] = []
    for hour, minute, own, word in parts:
        if word:
            minutes.append(720.0 if word == "noon" else 0.0)
            continue
        at = int(hour) % 12 if own or half else int(hour)
        minutes.append(float(at * 60 + int(minute or 0) + (720 if (own or half) == "p" else 0)))
    if not minutes:
        raise ValueError(text)
    return tuple(minutes)


def _day(text: str) -> Value:
    """Year (0 where none is stated), month, day."""
    iso = re.fullmatch(r"(\d{4})-(\d{2})-(\d{2})", text)
    if iso:
        year, month, day = (int(part) for part in iso.groups())
        return float(year), float(month), float(day)
    slashed = re.fullmatch(r"(\d{1,2})/(\d{1,2})/(\d{2,4})", text)
    if slashed:
        month, day, year = (int(part) for part in slashed.groups())
        return float(year + 2000 if year < 100 else year), float(month), float(day)
    name = re.search(_MONTH, text, re.IGNORECASE)
    if name is None:
        raise ValueError(text)
    number = next(i for i, m in enumerate(MONTHS, start=1) if m[:3] == name.group()[:3].lower())
    stated = re.search(r"\b(?:19|20)\d{2}\b", text)
    in_month = re.search(r"\d{1,2}", text.replace(stated.group(), "") if stated else text)
    if in_month is None:
        raise ValueError(text)
    return float(stated.group() if stated else 0), float(number), float(in_month.group())


def _modal(text: str) -> Value:
    text = " ".join(text.lower().replace("’", "'").split())
    if re.fullmatch(r"(?:need|needs|need to|needs to|has to|have to) (?:not|never)", text):
        return (MAY,)
    if re.search(r"\b(?:not|never)$|^can(?:not|'t)$", text):
        return (MUST_NOT,)
    if text.startswith("should"):
        return (SHOULD,)
    return (MAY,) if text in ("may", "can") else (MUST,)


def _ordinal(text: str) -> Value:
    number = float(_ORDINALS.get(text.lower()) or re.sub(r"\D", "", text))
    return number, number


_READERS: dict[str, Callable[[str], Value]] = {
    "email": lambda text: (text.lower().rstrip("."),),
    "phone": lambda text: (re.sub(r"\D", "", text)[-10:],),
    "day": _day,
    "clock": _clock,
    "version": lambda text: (text.lower().lstrip("<>=v"),),
    "money": _money,
    "percent": _bounds,
    "year": lambda text: (float(re.sub(r"\D", "", text)[-2:]),),
    "code": lambda text: (text.upper().replace("-", ""),),
    "duration": _duration,
    "frequency": _frequency,
    "weekday": lambda text: (text.lower().rstrip("s"),),
    "modal": _modal,
    "denial": lambda text: (),
    "stance": lambda text: (_STANCE[text.lower()],),
    "ordinal": _ordinal,
    "number": _bounds,
}


def are_different(left: Word, right: Word) -> bool:
    """Whether two values in one place cannot both hold.

    Modals and stances differ only where they are opposed: "should" and "may" get on.
    """
    if left.kind in ("modal", "stance") or right.kind in ("modal", "stance"):
        if left.kind != right.kind:
            return False
        return frozenset((str(left.value[0]), str(right.value[0]))) in _OPPOSED
    if left.kind == "version" and ("<" in left.text) != ("<" in right.text):
        return False
    if left.kind == "day":
        stated = all(word.value[0] for word in (left, right))
        return left.value[0 if stated else 1 :] != right.value[0 if stated else 1 :]
    if left.kind == right.kind == "duration":
        return not all(_is_near(a, b) for a, b in zip(left.value, right.value, strict=True))
    return left.value != right.value


def _is_near(left: float | str, right: float | str) -> bool:
    """Equal but for what a month or a working day is worth."""
    one, two = float(left), float(right)
    return abs(one - two) <= 0.03 * max(one, two)


def periods_of(words: list[Word]) -> Iterator[float]:
    """Years a sentence names, by their last two digits."""
    for word in words:
        if word.kind == "year":
            yield float(word.value[0])
        elif word.kind == "day" and word.value[0]:
            yield float(word.value[0]) % 100
