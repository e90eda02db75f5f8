"""Where the present comes from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from kb.errors import InvalidInputError


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


@dataclass(frozen=True)
class FixedClock:
    """Always the same instant: replays and tests."""

    instant: datetime

    def now(self) -> datetime:
        return self.instant


class StartedClock:
    """Starts at a given instant and runs on from there: a served replay."""

    def __init__(self, start: datetime) -> None:
        self._offset: timedelta = start - datetime.now(UTC)

    def now(self) -> datetime:
        return datetime.now(UTC) + self._offset


def parse_instant(text: str, *, where: str | None = None) -> datetime:
    """Read an ISO 8601 date or instant; a date means its midnight, no offset means UTC.

    Raises:
        InvalidInputError: The text is neither.
    """
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInputError(
            f"{text!r} is not a date or instant (expected 2026-03-01 or 2026-03-01T09:00:00Z)",
            where=where,
        ) from None
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)


def format_instant(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")
