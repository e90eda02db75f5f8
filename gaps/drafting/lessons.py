"""Why a draft was rejected, as triage learns it: each reason corrects the gap behind it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, update

from gaps import repository
from gaps.keeping import correcting
from gaps.tables import gaps
from gaps.types import Gap, GapKind
from kb import articles
from kb.errors import InvalidInputError


class Because(StrEnum):
    """What was wrong with proposing this text."""

    NOT_A_GAP = "not_a_gap"
    WRONG_KIND = "wrong_kind"
    ALREADY_ANSWERED = "already_answered"
    NEEDS_ACTION = "needs_action"
    EVIDENCE_WRONG = "evidence_wrong"


@dataclass(frozen=True, slots=True)
class Lesson:
    """A reason with what it names."""

    because: Because
    value: str | None = None
    """The right kind, or the document that answers it already."""
    tickets: tuple[str, ...] = ()
    """Of wrong evidence: tickets that are about something else."""

    @property
    def told(self) -> str | None:
        """What is kept with the review."""
        return self.value or (", ".join(self.tickets) or None)


def teach(
    connection: Connection, gap_id: str, lesson: Lesson, *, by: str, now: datetime, reason: str
) -> None:
    """Correct the gap of a draft that was just rejected; the gap is open again.

    Not a gap dismisses it. A wrong kind and one that needs an action set its kind. Already
    answered makes it one that is hard to find, with the document to edit named first. Wrong
    evidence splits the tickets off that do not belong; without any, the review alone keeps it.

    Raises:
        InvalidInputError: The kind is unknown or the same, the document or the tickets missing.
        NotFoundError: There is no such document.
    """
    gap = repository.read_gap(connection, gap_id)
    if lesson.because is Because.NOT_A_GAP:
        correcting.note_dismissal(connection, gap, by=by, now=now, reason=reason)
        repository.dismiss_gap(connection, gap_id, reason=reason, by=by, now=now)
    elif lesson.because is Because.WRONG_KIND:
        _set_kind(connection, gap, _to_kind(lesson.value, gap), by, now, reason)
    elif lesson.because is Because.NEEDS_ACTION:
        _set_kind(connection, gap, GapKind.NEEDS_ACTION, by, now, reason)
    elif lesson.because is Because.ALREADY_ANSWERED:
        document = articles.read_document(connection, _needed(lesson.value, "document"))
        known = [document.document_id, *(d for d in gap.document_ids if d != document.document_id)]
        connection.execute(
            update(gaps).where(gaps.c.id == gap_id).values(document_ids=known, updated_at=now)
        )
        told = f"already answered by {document.document_id}: {reason}"
        _set_kind(connection, gap, GapKind.UNFINDABLE, by, now, told)
    elif lesson.tickets:
        correcting.split_gap(connection, gap, lesson.tickets, by=by, now=now, reason=reason)


def _set_kind(
    connection: Connection, gap: Gap, kind: GapKind, by: str, now: datetime, reason: str
) -> None:
    correcting.correct_kind(connection, gap, kind, by=by, now=now, reason=reason)


def _to_kind(value: str | None, gap: Gap) -> GapKind:
    wanted = _needed(value, "kind")
    others = [kind.value for kind in GapKind if kind is not gap.kind]
    if wanted not in others:
        raise InvalidInputError(f"expected one of: {', '.join(others)}", where="value")
    return GapKind(wanted)


def _needed(value: str | None, what: str) -> str:
    if value is None or not value.strip():
        raise InvalidInputError(f"name the {what}", where="value")
    return value.strip()
