"""The action table, wired: what kb.toml allows, what each owner's record is, and what follows."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from gaps.drafting.publish import publication_to_json, publish_draft
from gaps.operating.autonomy import (
    ACTION_OF,
    ChangeKind,
    Rule,
    Standing,
    actor_of,
    judge_standing,
)
from gaps.operating.autonomy_rows import read_events, read_rules
from gaps.operating.earned import (
    ActionTable,
    approval_by_rule,
    find_earned,
    note_fallen,
    raise_autonomy,
    withdraw_autonomy,
)
from gaps.types import Draft
from kb.clock import format_instant
from kb.errors import ForbiddenError, InvalidInputError, KbError
from kb.types import Role

if TYPE_CHECKING:
    from api.keys import Caller
    from api.wiring import Application

log = logging.getLogger("kb.autonomy")
MAX_REASON = 2_000


class Autonomy:
    """What kbops may do by itself, and doing it."""

    def __init__(self, application: Application) -> None:
        self._application = application

    @property
    def table(self) -> ActionTable:
        said = self._application.settings.actions
        dials = {
            "publish_article": said.publish_article,
            "archive_article": said.archive_article,
            "reverify_article": said.reverify_article,
        }
        return ActionTable(dials, said.earned_approvals)

    def read_standings(self, owner: str | None = None) -> list[Standing]:
        """A row for every owner and kind of change; one owner's where named."""
        table = self.table
        with self._application.database.read() as connection:
            events, rules = read_events(connection), read_rules(connection)
        owners = [one.name for one in self._application.settings.owners]
        owners += sorted({e.owner for e in events} - set(owners))
        return [
            judge_standing(
                name, kind, events=events, rules=rules, dials=table.dials, needed=table.needed
            )
            for name in owners
            if owner in (None, name)
            for kind in ChangeKind
        ]

    def show(self, caller: Caller) -> dict[str, Any]:
        """The table for a caller: owners see their own rows."""
        owner = None if caller.role.includes(Role.EDITOR) else (caller.owner or "")
        table = self.table
        return {
            "actions": [{"action": name, "dial": dial} for name, dial in table.dials.items()],
            "earned_approvals": table.needed,
            "rows": [standing_json(standing) for standing in self.read_standings(owner)],
        }

    def raise_dial(
        self, owner: str, kind: str, *, record: str, reason: str, caller: Caller
    ) -> Rule:
        """Let a kind of change go out by itself for an owner.

        Args:
            owner: Whose drafts.
            kind: new_article, smallest_edit or reverification.
            record: Digest of the record that was looked at.
            reason: Why, for the audit log.
            caller: An administrator.

        Raises:
            ForbiddenError: The caller is none.
            StaleError: The record is another one by now.
            ConflictError: Not earned, or kb.toml does not allow it.
        """
        chosen = _check(kind, reason, caller)
        self._application.find_owner(owner)
        with self._application.database.write() as connection:
            return raise_autonomy(
                connection, owner, chosen, table=self.table, record_digest=record,
                reason=reason.strip(), by=caller.name, now=self._application.clock.now(),
            )  # fmt: skip

    def withdraw_dial(self, owner: str, kind: str, *, reason: str, caller: Caller) -> Rule:
        """Let a person approve each again.

        Raises:
            ForbiddenError: The caller is no administrator.
            NotFoundError: Nothing is raised there.
        """
        chosen = _check(kind, reason, caller)
        with self._application.database.write() as connection:
            return withdraw_autonomy(
                connection, owner, chosen, table=self.table, reason=reason.strip(),
                by=caller.name, now=self._application.clock.now(),
            )  # fmt: skip

    def publish_earned(self) -> dict[str, Any]:
        """Publish what waits and a rule covers, and write down which rules fell.

        Returns:
            Publications, drafts that could not be published with why, and fallen rules.
        """
        application = self._application
        with application.database.write() as connection:
            fallen = note_fallen(connection, self.table, application.clock.now())
        with application.database.read() as connection:
            waiting = find_earned(connection, self.table)
        published, left = [], []
        for draft, rule in waiting:
            try:
                published.append(self._publish(draft, rule))
            except KbError as error:
                left.append({"draft_id": draft.draft_id, "why": error.message})
                log.warning("draft %s waits for a person: %s", draft.draft_id, error)
        return {
            "published": published,
            "left": left,
            "fallen": [{"owner": rule.owner, "kind": rule.kind.value} for rule in fallen],
        }

    def _publish(self, draft: Draft, rule: Rule) -> dict[str, Any]:
        application = self._application
        now = application.clock.now()
        publication = publish_draft(
            application.database,
            draft.draft_id,
            reviewer=actor_of(rule),
            role=Role.OWNER,
            now=now,
            prepare=application.publishing.prepare,
            measure_before=application.weekly.measure_before,
            acts_for=draft.owner,
            approve=approval_by_rule(draft, rule, self.table, now),
        )
        return publication_to_json(publication) | {"rule": rule.rule_id}


def standing_json(standing: Standing) -> dict[str, Any]:
    """A row as `kb actions show --json` and the API give it."""
    rule, fell, broken = standing.rule, standing.fell_by, standing.record.broken_by
    said: dict[str, Any] = {
        "owner": standing.owner,
        "kind": standing.kind.value,
        "action": ACTION_OF[standing.kind],
        "dial": standing.dial,
        "now": standing.now,
        "approvals_in_a_row": len(standing.record.approvals),
        "approvals_needed": standing.needed,
        "missing": list(standing.missing),
        "may_raise": standing.may_raise,
        "record": standing.record.digest,
        "broken_by": None,
        "rule": None,
    }
    if broken is not None:
        said["broken_by"] = {
            "event": broken.event.value, "draft_id": broken.draft_id,
            "at": format_instant(broken.at),
        }  # fmt: skip
    if rule is not None:
        said["rule"] = {
            "id": rule.rule_id,
            "raised_at": format_instant(rule.raised_at),
            "raised_by": rule.raised_by,
            "reason": rule.reason,
            "in_force": standing.is_in_force,
            "fell_by": {"event": fell.event.value, "draft_id": fell.draft_id} if fell else None,
            "withdrawn_by": rule.withdrawn_by,
            "withdrawn_reason": rule.withdrawn_reason,
        }
    return said


def _check(kind: str, reason: str, caller: Caller) -> ChangeKind:
    if not caller.role.includes(Role.ADMIN):
        raise ForbiddenError("autonomy is an administrator's to raise and to withdraw")
    try:
        chosen = ChangeKind(kind)
    except ValueError:
        allowed = ", ".join(kind.value for kind in ChangeKind)
        raise InvalidInputError(f"expected one of: {allowed}", where="kind") from None
    if not reason.strip():
        raise InvalidInputError("say why; it goes into the audit log", where="reason")
    if len(reason) > MAX_REASON:
        raise InvalidInputError(f"at most {MAX_REASON} characters", where="reason")
    return chosen
