"""The freshness queue, wired: who sees what of it, who confirms, and what is confirmed by rule."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from api.scheduler import read_trigger
from gaps.drafting.review import check_permission
from gaps.freshness import queue
from gaps.freshness.history import read_history
from gaps.freshness.queue import QueueEntry, QueueFilter
from gaps.operating.autonomy import ChangeKind, Rule, actor_of
from gaps.operating.autonomy_rows import REVERIFIED, VERIFIED
from gaps.operating.earned import read_standing
from kb import articles, audit, intake
from kb.clock import format_instant
from kb.errors import (
    ForbiddenError,
    InvalidInputError,
    KbError,
    NotFoundError,
    StaleError,
)
from kb.types import Document, Role

if TYPE_CHECKING:
    from api.keys import Caller
    from api.wiring import Application

log = logging.getLogger("kb.freshness")
MAX_REASON = 2_000
LONGEST_INTERVAL_DAYS = 3_650
HISTORY_ROWS = 200


class FreshnessDesk:
    """What owners do with what the weekly check found."""

    def __init__(self, application: Application) -> None:
        self._application = application

    def read_queue(
        self, connection: Connection, caller: Caller, asked: QueueFilter
    ) -> list[QueueEntry]:
        """What the caller may see, with what is fresh only where it is asked for.

        Owners see what they own.
        """
        return queue.read_queue(connection, owner=_only_owner(caller), with_fresh=asked.wants_fresh)

    def count_judged(self, connection: Connection, caller: Caller) -> int:
        """How many verdicts the caller may see."""
        return queue.count_judged(connection, owner=_only_owner(caller))

    def read_entry(self, connection: Connection, document_id: str, caller: Caller) -> QueueEntry:
        """An article's verdict; to owners of others it does not exist.

        Raises:
            NotFoundError: Not judged, not published, or not theirs.
        """
        entry = queue.read_entry(connection, document_id)
        if _only_owner(caller) not in (None, entry.owner):
            raise NotFoundError("verdict on document", document_id)
        return entry

    def list_entries(
        self, caller: Caller, asked: QueueFilter, *, limit: int, offset: int
    ) -> list[dict[str, Any]]:
        """Rows of the queue for `GET /v1/freshness`, one more than the limit where there is one."""
        with self._application.database.read() as connection:
            found = queue.choose_entries(self.read_queue(connection, caller, asked), asked)
            shown = found[offset : offset + limit + 1]
            since = queue.read_since(connection, [entry.document_id for entry in shown])
        return [queue.entry_to_json(entry, since.get(entry.document_id)) for entry in shown]

    def show_entry(self, document_id: str, caller: Caller) -> dict[str, Any]:
        """An article's verdict with its history, versions and links."""
        with self._application.database.read() as connection:
            entry = self.read_entry(connection, document_id, caller)
            since = queue.read_since(connection, [document_id])
            history = read_history(connection, document_id, HISTORY_ROWS)
            versions = articles.read_versions(connection, document_id)
            repair = queue.read_repairs(connection, [document_id]).get(document_id)
        return queue.entry_to_json(entry, since.get(document_id)) | {
            "history": [
                {key: row[key] for key in _TOLD} | {"reasons": row["reasons"]} for row in history
            ],
            "versions": [
                {
                    "version": version.version,
                    "created_at": format_instant(version.created_at),
                    "author": version.author,
                    "reason": version.reason,
                }
                for version in versions
            ],
            "gap_id": repair.gap_id if repair else None,
            "draft_id": repair.draft_id if repair else None,
        }

    def next_check(self) -> datetime | None:
        """When the schedule judges next; None where it never does."""
        trigger = read_trigger(
            self._application.settings.drive.freshness_schedule,
            where="kb.toml [drive] freshness_schedule",
        )
        found: datetime | None = trigger.get_next_fire_time(None, self._application.clock.now())
        return found

    def verify(
        self,
        document_id: str,
        caller: Caller,
        *,
        reason: str,
        interval_days: int | None = None,
        version: int | None = None,
    ) -> Document:
        """Record that a person found the served text true.

        Args:
            document_id: The article.
            caller: Its owner, or an editor.
            reason: Why, or how it was checked; goes into the audit log.
            interval_days: For how long it holds; as before where None.
            version: The version that was read; whatever is served where None.

        Raises:
            ForbiddenError: Somebody else owns it, or kb.toml lets nobody confirm from here.
            StaleError: Another version is served by now.
        """
        application = self._application
        if application.settings.actions.reverify_article == "forbidden":
            raise ForbiddenError("kb.toml says reverify_article is forbidden")
        reason = _check_reason(reason)
        if interval_days is not None and not 1 <= interval_days <= LONGEST_INTERVAL_DAYS:
            raise InvalidInputError(
                f"expected 1 to {LONGEST_INTERVAL_DAYS} days", where="review_every_days"
            )
        now = application.clock.now()
        with application.database.write() as connection:
            document = articles.read_document(connection, document_id, caller.audience)
            check_permission(document.metadata.owner, caller.name, caller.role, caller.owner)
            _check_version(document, version)
            details = {"version": document.version, "reason": reason}
            if interval_days is not None:
                details["review_every_days"] = interval_days
            details |= _judged(connection, document)
            intake.write_verification(
                connection, document_id, by=caller.name, now=now, review_every_days=interval_days
            )
            audit.write_entry(
                connection, at=now, actor=caller.name, action=VERIFIED, subject=document_id,
                details=details,
            )  # fmt: skip
            return articles.read_document(connection, document_id, caller.audience)

    def reverify_ready(self, document_ids: Sequence[str]) -> dict[str, list[str]]:
        """Confirm by rule what the last check found ready, where the action table allows it.

        Everything is looked at again in the transaction that confirms. Without a rule in force
        nothing is done: what is ready is proposed to its owner.

        Args:
            document_ids: What the check found ready.

        Returns:
            Ids of what was confirmed, and of what waits for its owner.
        """
        confirmed: list[str] = []
        proposed: list[str] = []
        for document_id in sorted(set(document_ids)):
            try:
                done = self._reverify(document_id)
            except KbError as error:
                log.warning("%s waits for a person: %s", document_id, error)
                done = False
            (confirmed if done else proposed).append(document_id)
        return {"confirmed": confirmed, "proposed": proposed}

    def _reverify(self, document_id: str) -> bool:
        application = self._application
        if application.autonomy.table.dials["reverify_article"] != "autonomous":
            return False
        now = application.clock.now()
        with application.database.write() as connection:
            entry = queue.read_entry(connection, document_id)
            if entry.show != queue.READY:
                return False
            rule = self._find_rule(connection, entry.owner)
            if rule is None:
                return False
            by = actor_of(rule)
            intake.write_verification(connection, document_id, by=by, now=now)
            audit.write_entry(
                connection, at=now, actor=by, action=REVERIFIED, subject=document_id,
                details={"version": entry.version, "reason": entry.ready, "rule": rule.rule_id,
                         "raised_by": rule.raised_by, "verdict": entry.verdict,
                         "probability": entry.probability,
                         "reasons": [str(reason["text"]) for reason in entry.reasons]},
            )  # fmt: skip
        return True

    def _find_rule(self, connection: Connection, owner: str) -> Rule | None:
        """The rule in force for confirming an owner's articles."""
        table = self._application.autonomy.table
        standing = read_standing(connection, owner, ChangeKind.REVERIFICATION, table)
        return standing.rule if standing.is_in_force else None


_TOLD = ("at", "version", "period", "verdict", "probability", "damage")


def _only_owner(caller: Caller) -> str | None:
    """Whose articles they see; None: everybody's."""
    return None if caller.role.includes(Role.EDITOR) else (caller.owner or "")


def _check_reason(reason: str) -> str:
    reason = reason.strip()
    if not reason:
        raise InvalidInputError("say why; it goes into the audit log", where="reason")
    if len(reason) > MAX_REASON:
        raise InvalidInputError(f"at most {MAX_REASON} characters", where="reason")
    return reason


def _check_version(document: Document, version: int | None) -> None:
    if version is not None and version != document.version:
        raise StaleError(
            f"it changed since it was listed: version {document.version} is served now",
            document_id=document.document_id, version=document.version,
        )  # fmt: skip


def _judged(connection: Connection, document: Document) -> dict[str, Any]:
    """What the last check said of this version, for the log."""
    try:
        entry = queue.read_entry(connection, document.document_id)
    except NotFoundError:
        return {}
    if entry.judged_version != document.version:
        return {}
    said: dict[str, Any] = {"verdict": entry.verdict, "probability": entry.probability}
    return said | ({"ready": entry.ready} if entry.show == queue.READY else {})
