"""What people do with a draft beside deciding on it, wired to the settings and the checks."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from gaps.drafting import handling
from gaps.drafting.checks import check_text
from gaps.drafting.drafts import read_draft
from gaps.drafting.handling import note_to_json
from gaps.drafting.lessons import Because, Lesson
from gaps.drafting.publications import read_publication_of
from gaps.drafting.review import approvals_needed, put_text, read_approvers
from gaps.drafting.snapshot import find_changes, hash_evidence, read_evidence
from gaps.drafting.style import GREEN, LOOK
from gaps.types import Check, Draft
from kb import articles
from kb.clock import format_instant
from kb.errors import InvalidInputError, NotFoundError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from api.keys import Caller
    from api.wiring import Application


class ReviewDesk:
    """Comments, later dates, other owners, and what an edited text would look like."""

    def __init__(self, application: Application) -> None:
        self._application = application

    def comment(self, draft_id: str, text: str, caller: Caller) -> dict[str, Any]:
        """Say something about a draft."""
        application = self._application
        note = handling.add_comment(
            application.database, draft_id, text=text, by=caller.name, role=caller.role,
            now=application.clock.now(),
        )  # fmt: skip
        return note_to_json(note)

    def snooze(
        self,
        draft_id: str,
        until: datetime | None,
        caller: Caller,
        *,
        draft_hash: str,
        reason: str = "",
    ) -> dict[str, Any]:
        """Put a draft off until an instant; None takes it back now."""
        application = self._application
        note = handling.snooze_draft(
            application.database, draft_id, until=until, by=caller.name, role=caller.role,
            now=application.clock.now(), expected_hash=draft_hash, reason=reason,
        )  # fmt: skip
        return note_to_json(note)

    def hand_over(
        self, draft_id: str, to: str, caller: Caller, *, draft_hash: str, reason: str = ""
    ) -> dict[str, Any]:
        """Give a draft and its gap to another owner."""
        application = self._application
        note = handling.hand_over_draft(
            application.database, draft_id, to=to, owners=self.owners, by=caller.name,
            role=caller.role, now=application.clock.now(), expected_hash=draft_hash, reason=reason,
        )  # fmt: skip
        return note_to_json(note)

    @property
    def owners(self) -> list[str]:
        """Whom a draft can be given to, by name."""
        return sorted(owner.name for owner in self._application.settings.owners)

    def check_edited(self, draft: Draft, markdown: str) -> tuple[Check, ...]:
        """Every check of a text in the draft's place; asks real questions, so it takes a while."""
        return self._application.desk.check_draft(put_text(draft, markdown))

    def describe(self, draft_id: str) -> dict[str, Any]:
        """Notes, dates, who approved, and what changed under the draft since it was checked."""
        with self._application.database.read() as connection:
            draft = read_draft(connection, draft_id)
            dates = handling.read_dates(connection, draft_id)
            notes = handling.read_notes(connection, draft_id)
            needed = count_needed(connection, draft)
            approvers = read_approvers(connection, draft)
            open_still = read_publication_of(connection, draft_id) is None
            changes = find_changes(connection, draft_id, draft.statements) if open_still else ()
            evidence_hash = hash_evidence(read_evidence(connection, draft.statements))
        return {
            "due_at": _instant(dates.due_at),
            "snoozed_until": _instant(dates.snoozed_until),
            "notes": [note_to_json(note) for note in notes],
            "approvals_needed": needed,
            "approved_by": sorted(approvers),
            "evidence_hash": evidence_hash,
            "evidence_changed": [
                {"kind": change.kind, "id": change.id, "gone": change.is_gone} for change in changes
            ],
        }


def count_needed(connection: Connection, draft: Draft) -> int:
    """How many people must approve the draft."""
    if draft.document_id is None or draft.base_version is None:
        return 1
    try:
        return approvals_needed(articles.read_document(connection, draft.document_id))
    except NotFoundError:
        return 1


def check_quickly(draft: Draft, markdown: str) -> tuple[Check, ...]:
    """What can be said of an edited text while it is being typed: no search, no encoder."""
    edited = put_text(draft, markdown)
    kept, all_ = len(edited.statements), len(draft.statements)
    lost = f"{kept} of {all_} statements keep their evidence"
    if kept < all_:
        lost += "; what you wrote in their place rests on you"
    return (
        *check_text(draft.title, edited.markdown),
        Check("citations", GREEN if kept == all_ else LOOK, lost),
    )


def make_lesson(because: str, value: str = "", tickets: tuple[str, ...] = ()) -> Lesson | None:
    """From a form or a body; None where no reason of the list was chosen.

    Raises:
        InvalidInputError: There is no such reason.
    """
    if not because:
        return None
    if because not in set(Because):
        allowed = ", ".join(reason.value for reason in Because)
        raise InvalidInputError(f"expected one of: {allowed}", where="because")
    return Lesson(Because(because), value.strip() or None, tickets)


def _instant(instant: datetime | None) -> str | None:
    return None if instant is None else format_instant(instant)
