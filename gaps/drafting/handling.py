"""What people arrange about a draft without deciding it: a comment, a later date, another owner."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, insert, select, update

from gaps import repository
from gaps.drafting.drafts import REVIEW_WITHIN, read_draft
from gaps.drafting.review import check_permission
from gaps.keeping import correcting
from gaps.tables import draft_notes, drafts
from gaps.types import Draft, DraftState
from kb import audit
from kb.clock import format_instant
from kb.database import Database
from kb.errors import ConflictError, InvalidInputError, StaleError
from kb.types import Role

WAITING = frozenset({DraftState.IN_REVIEW, DraftState.CHANGES_ASKED, DraftState.REFUSED})
"""What can be put off or given to somebody else."""
MAX_TEXT = 4_000
MAX_SNOOZE = timedelta(days=366)


class NoteKind(StrEnum):
    COMMENT = "comment"
    SNOOZED = "snoozed"
    WOKEN = "woken"
    HANDED_OVER = "handed_over"


@dataclass(frozen=True, slots=True)
class Note:
    """One thing a person said or arranged; notes are never changed."""

    note_id: int
    """In the order they were said."""
    draft_id: str
    at: datetime
    by: str
    kind: NoteKind
    value: str | None
    """Until when it sleeps, or "from → to" of a handover."""
    text: str


@dataclass(frozen=True, slots=True)
class Dates:
    """When a draft is to be decided, and until when its owner has put it off."""

    due_at: datetime | None
    snoozed_until: datetime | None


def read_dates(connection: Connection, draft_id: str) -> Dates:
    row = connection.execute(
        select(drafts.c.due_at, drafts.c.snoozed_until).where(drafts.c.id == draft_id)
    ).one()
    return Dates(row.due_at, row.snoozed_until)


def read_notes(connection: Connection, draft_id: str) -> list[Note]:
    """A draft's notes, oldest first."""
    rows = connection.execute(
        select(draft_notes).where(draft_notes.c.draft_id == draft_id).order_by(draft_notes.c.id)
    )
    return [
        Note(row.id, row.draft_id, row.at, row.by, NoteKind(row.kind), row.value, row.text)
        for row in rows
    ]


def add_comment(
    database: Database, draft_id: str, *, text: str, by: str, role: Role, now: datetime
) -> Note:
    """Say something about a draft, in any state.

    Raises:
        NotFoundError: No such draft.
        ForbiddenError: The draft is somebody else's and the role no editor's.
        InvalidInputError: The text is empty or longer than 4,000 characters.
    """
    said = _checked_text(text, needed=True)
    with database.write() as connection:
        draft = read_draft(connection, draft_id)
        check_permission(draft.owner, by, role)
        note = Note(0, draft_id, now, by, NoteKind.COMMENT, None, said)
        return _write(connection, note, {"characters": len(said)})


def snooze_draft(
    database: Database,
    draft_id: str,
    *,
    until: datetime | None,
    by: str,
    role: Role,
    now: datetime,
    expected_hash: str,
    reason: str = "",
) -> Note:
    """Put a draft off until an instant, when it comes back by itself; None takes it back now.

    Raises:
        NotFoundError: No such draft.
        ForbiddenError: The draft is somebody else's and the role no editor's.
        StaleError: Its text changed since it was read.
        ConflictError: It is decided.
        InvalidInputError: The instant is past, or more than a year ahead.
    """
    if until is not None and not now < until <= now + MAX_SNOOZE:
        raise InvalidInputError("expected a day after today, at most a year ahead", where="until")
    said = _checked_text(reason)
    with database.write() as connection:
        draft = _read_waiting(connection, draft_id, by, role, expected_hash)
        due = read_dates(connection, draft_id).due_at
        later = max(filter(None, (due, until)), default=None)
        connection.execute(
            update(drafts).where(drafts.c.id == draft_id).values(snoozed_until=until, due_at=later)
        )
        kind = NoteKind.WOKEN if until is None else NoteKind.SNOOZED
        value = None if until is None else format_instant(until)
        note = Note(0, draft.draft_id, now, by, kind, value, said)
        return _write(connection, note, {"until": value, "reason": said or None})


def hand_over_draft(
    database: Database,
    draft_id: str,
    *,
    to: str,
    owners: Collection[str],
    by: str,
    role: Role,
    now: datetime,
    expected_hash: str,
    reason: str = "",
) -> Note:
    """Give a draft and its gap to another owner, who has the usual time from now.

    The note keeps from whom to whom; later runs hand the topic to the new owner too.

    Raises:
        NotFoundError: No such draft.
        ForbiddenError: The draft is somebody else's and the role no editor's.
        StaleError: Its text changed since it was read.
        ConflictError: It is decided, or theirs already.
        InvalidInputError: Nobody of that name owns anything here.
    """
    if to not in owners:
        raise InvalidInputError(f"expected one of: {', '.join(sorted(owners))}", where="owner")
    said = _checked_text(reason)
    with database.write() as connection:
        draft = _read_waiting(connection, draft_id, by, role, expected_hash)
        if draft.owner == to:
            raise ConflictError(f"this draft is {to}'s already", owner=to)
        connection.execute(
            update(drafts)
            .where(drafts.c.id == draft_id)
            .values(owner=to, due_at=now + REVIEW_WITHIN, snoozed_until=None, updated_at=now)
        )
        gap = repository.read_gap(connection, draft.gap_id)
        if gap.owner != to:
            correcting.assign_owner(connection, gap, to, by=by, now=now, reason=said or None)
        value = f"{draft.owner} → {to}"
        note = Note(0, draft_id, now, by, NoteKind.HANDED_OVER, value, said)
        return _write(connection, note, {"from": draft.owner, "to": to, "reason": said or None})


def note_to_json(note: Note) -> dict[str, Any]:
    return asdict(note) | {"at": format_instant(note.at), "kind": note.kind.value}


def _read_waiting(
    connection: Connection, draft_id: str, by: str, role: Role, expected_hash: str
) -> Draft:
    draft = read_draft(connection, draft_id)
    check_permission(draft.owner, by, role)
    if draft.draft_hash != expected_hash:
        raise StaleError("the draft changed since it was read", draft_id=draft_id)
    if draft.state not in WAITING:
        raise ConflictError(
            f"a draft that is {draft.state.value} waits for nobody", state=draft.state.value
        )
    return draft


def _checked_text(text: str, *, needed: bool = False) -> str:
    clean = text.replace("\r\n", "\n").strip()
    if needed and not clean:
        raise InvalidInputError("say something", where="text")
    if len(clean) > MAX_TEXT:
        raise InvalidInputError(f"{len(clean):,} characters; {MAX_TEXT:,} fit", where="text")
    return clean


def _write(connection: Connection, note: Note, details: dict[str, Any]) -> Note:
    """The note and its audit entry; a comment's words stay out of the log, which is for ever."""
    facts = asdict(note) | {"kind": note.kind.value}
    del facts["note_id"]
    key = connection.execute(insert(draft_notes).values(**facts)).inserted_primary_key
    audit.write_entry(
        connection, at=note.at, actor=note.by, action=f"draft.{note.kind.value}",
        subject=note.draft_id, details=details,
    )  # fmt: skip
    return replace(note, note_id=int(key[0]) if key else 0)
