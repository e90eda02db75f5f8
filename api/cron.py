"""Cron lines as cron means them, checked without loading a scheduler.

APScheduler counts weekdays from Monday = 0, cron from Sunday = 0 (or 7): numbers become names.
"""

from __future__ import annotations

import re

WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_FIELDS = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of month", 1, 31, ()),
    ("month", 1, 12, MONTHS),
    ("day of week", 0, 7, WEEKDAYS),
)
_PART = re.compile(r"(?P<low>\*|\w+)(?:-(?P<high>\w+))?(?:/(?P<step>\d+))?")


def normalise_cron(line: str) -> str:
    """The line with weekdays as names.

    Raises:
        ValueError: It is not a cron line; says what is wrong with it.
    """
    fields = line.split()
    if len(fields) != len(_FIELDS):
        raise ValueError(f"it has {len(fields)} fields, minute to day of week are 5")
    values = [
        _read_field(text.lower(), *known) for text, known in zip(fields, _FIELDS, strict=True)
    ]
    if fields[-1] != "*":
        days = sorted({value % 7 for value in values[-1]})
        fields[-1] = ",".join(WEEKDAYS[day] for day in days)
    return " ".join(fields)


def _read_field(
    text: str, name: str, lowest: int, highest: int, names: tuple[str, ...]
) -> set[int]:
    values: set[int] = set()
    for part in text.split(","):
        match = _PART.fullmatch(part)
        if match is None:
            raise ValueError(f"{name} {part!r}")
        low, high = lowest, highest - (highest == 7)
        if match["low"] != "*":
            low = _read_value(match["low"], name, lowest, highest, names)
            high = low if match["step"] is None else high
        if match["high"] is not None:
            high = _read_value(match["high"], name, lowest, highest, names)
        step = int(match["step"] or 1)
        if high < low or step < 1 or (match["low"] == "*" and match["high"]):
            raise ValueError(f"{name} {part!r}")
        values |= set(range(low, high + 1, step))
    return values


def _read_value(text: str, name: str, lowest: int, highest: int, names: tuple[str, ...]) -> int:
    if text in names:
        return names.index(text) + (1 if names is MONTHS else 0)
    if not text.isdecimal() or not lowest <= int(text) <= highest:
        raise ValueError(f"{name} {text!r} (expected {lowest} to {highest})")
    return int(text)
