"""What a team tells beside its articles and tickets: releases, and a log of edits and views.

Read from kb.toml or from CSV files; a wrong line is refused with its number.
"""

from __future__ import annotations

import csv
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from gaps.freshness.facts import Activity, Release
from kb.clock import parse_instant
from kb.errors import InvalidInputError

YEAR = timedelta(days=365)
HALF_LIFE_DAYS = 120.0
"""Of what an edit says of the next one; 30 to 240 days rank alike (bench/README.md)."""


@dataclass(frozen=True, slots=True)
class Edits:
    """Edits and views of one article, in order of time."""

    revised: tuple[datetime, ...] = ()
    viewed: tuple[tuple[datetime, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Outside:
    """Releases, and edits by document id."""

    releases: tuple[Release, ...] = ()
    edits: Mapping[str, Edits] = field(default_factory=dict)


NOTHING_TOLD = Outside()


def summarise_edits(edits: Edits, now: datetime) -> Activity:
    """What a log tells at a moment; nothing later is seen."""
    before = edits.revised[: bisect_left(edits.revised, now)]
    year = [at for at in before if at >= now - YEAR]
    views = [count for at, count in edits.viewed if now - YEAR <= at < now]
    return Activity(
        revisions=len(year),
        recent_revisions=weigh_revisions(before, now),
        last_revised_at=before[-1] if before else None,
        first_revised_at=before[0] if before else None,
        views=sum(views) if views else None,
        known=True,
    )


def weigh_revisions(revised: tuple[datetime, ...], now: datetime) -> float:
    """Edits counted by half for every 120 days that they are old."""
    ages = ((now - at).total_seconds() / 86400.0 for at in revised)
    return float(sum(0.5 ** (age / HALF_LIFE_DAYS) for age in ages))


def read_releases(path: Path) -> tuple[Release, ...]:
    """`name,version,date,product,notes`; the last two may be missing.

    Raises:
        InvalidInputError: The file cannot be read, or a line of it is wrong.
    """
    found = []
    for where, row in _read_table(path, ("name", "version", "date")):
        at = _read_moment(row["date"], where)
        product, notes = row.get("product") or None, row.get("notes") or ""
        found.append(Release(row["name"], row["version"], at, product, notes))
    return tuple(sorted(found, key=lambda r: (r.at, r.name, r.version)))


def read_edits(path: Path) -> dict[str, Edits]:
    """`document_id,date,views`: a line without views is an edit, one with them a day's readers.

    Raises:
        InvalidInputError: The file cannot be read, or a line of it is wrong.
    """
    revised: dict[str, list[datetime]] = defaultdict(list)
    viewed: dict[str, list[tuple[datetime, int]]] = defaultdict(list)
    for where, row in _read_table(path, ("document_id", "date")):
        at, views = _read_moment(row["date"], where), row.get("views")
        if not views:
            revised[row["document_id"]].append(at)
        elif views.isdecimal() and len(views) < 16:
            viewed[row["document_id"]].append((at, int(views)))
        else:
            raise InvalidInputError(f"views {views!r:.40} is no number", where=where)
    return {
        key: Edits(tuple(sorted(revised[key])), tuple(sorted(viewed[key])))
        for key in sorted(revised.keys() | viewed.keys())
    }


def _read_table(path: Path, wanted: tuple[str, ...]) -> Iterator[tuple[str, dict[str, str]]]:
    try:
        with path.open(encoding="utf-8", newline="") as lines:
            table = csv.DictReader(lines)
            missing = [name for name in wanted if name not in (table.fieldnames or ())]
            if missing:
                raise InvalidInputError(f"lacks the column {missing[0]!r}", where=f"{path}:1")
            for row in table:
                where = f"{path}:{table.line_num}"
                if any(not row.get(name) for name in wanted):
                    raise InvalidInputError(f"needs {', '.join(wanted)}", where=where)
                yield where, row
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidInputError(f"cannot be read: {error}", where=str(path)) from error


def _read_moment(text: str, where: str) -> datetime:
    try:
        if len(text) == 10:
            day = date.fromisoformat(text)
            return datetime(day.year, day.month, day.day, tzinfo=UTC)
        return parse_instant(text)
    except (ValueError, InvalidInputError):
        raise InvalidInputError(f"{text!r:.40} is no date", where=where) from None
