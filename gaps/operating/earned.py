"""Raising, withdrawing and using earned rules, each decided inside the transaction that acts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from gaps.drafting.drafts import (
    Review,
    make_id,
    read_draft,
    read_drafts,
    read_reviews,
    update_draft,
    write_review,
)
from gaps.drafting.handling import read_notes
from gaps.drafting.publish import ApproveInside, PreparedArticle
from gaps.drafting.review import check_base, take_evidence
from gaps.drafting.workflow import Decision, next_state
from gaps.operating.autonomy import (
    NEEDED_APPROVALS,
    ChangeKind,
    Event,
    Rule,
    Standing,
    actor_of,
    find_objection,
    judge_standing,
    kind_of_change,
)
from gaps.operating.autonomy_rows import read_events, read_rules, write_rule, write_withdrawn
from gaps.types import Draft, DraftState
from kb import articles, audit
from kb.errors import ConflictError, KbError, NotFoundError, StaleError
from kb.types import Governance

WAITING_DRAFTS = 1_000


@dataclass(frozen=True, slots=True)
class ActionTable:
    """What kb.toml says."""

    dials: Mapping[str, str]
    """By action: autonomous, human_approved or forbidden."""
    needed: int = NEEDED_APPROVALS


def read_standing(
    connection: Connection, owner: str, kind: ChangeKind, table: ActionTable
) -> Standing:
    return judge_standing(
        owner, kind, events=read_events(connection), rules=read_rules(connection),
        dials=table.dials, needed=table.needed,
    )  # fmt: skip


def raise_autonomy(
    connection: Connection,
    owner: str,
    kind: ChangeKind,
    *,
    table: ActionTable,
    record_digest: str,
    reason: str,
    by: str,
    now: datetime,
) -> Rule:
    """Let changes of a kind go out for an owner, on the record that was looked at.

    Raises:
        StaleError: The record is another one by now.
        ConflictError: It is not earned, not allowed by kb.toml, or raised already.
    """
    standing = read_standing(connection, owner, kind, table)
    if standing.record.digest != record_digest:
        raise StaleError("the record changed since it was read", owner=owner, kind=kind.value)
    if not standing.may_raise:
        said = "it is raised already" if standing.is_in_force else "; ".join(standing.missing)
        raise ConflictError(f"{kind.value} for {owner} cannot be raised: {said}")
    rule = Rule(make_id("rul"), owner, kind, now, by, reason, standing.record.approvals)
    write_rule(connection, rule)
    audit.write_entry(
        connection, at=now, actor=by, action="autonomy.raise", subject=rule.rule_id,
        details={"owner": owner, "kind": kind.value, "reason": reason, "record": record_digest,
                 "approvals": len(rule.draft_ids)},
    )  # fmt: skip
    return rule


def withdraw_autonomy(
    connection: Connection,
    owner: str,
    kind: ChangeKind,
    *,
    table: ActionTable,
    reason: str,
    by: str,
    now: datetime,
) -> Rule:
    """Let a person approve each again, from the next draft on.

    Raises:
        NotFoundError: Nothing is raised there.
    """
    standing = read_standing(connection, owner, kind, table)
    if standing.rule is None or standing.rule.withdrawn_at is not None:
        raise NotFoundError("raised autonomy", f"{owner}/{kind.value}")
    _withdraw(connection, standing.rule, by, reason, now)
    return standing.rule


def note_fallen(connection: Connection, table: ActionTable, now: datetime) -> list[Rule]:
    """Write down which rules fell by themselves; they are out of force since it happened."""
    events, rules = read_events(connection), read_rules(connection)
    fallen = []
    for owner, kind in sorted({(rule.owner, rule.kind) for rule in rules}):
        standing = judge_standing(
            owner, kind, events=events, rules=rules, dials=table.dials, needed=table.needed
        )
        rule, fell = standing.rule, standing.fell_by
        if rule is not None and rule.withdrawn_at is None and fell is not None:
            said = f"{fell.draft_id} was {fell.event.value.replace('_', ' ')}"
            _withdraw(connection, rule, "kbops", said, now)
            fallen.append(rule)
    return fallen


def find_earned(connection: Connection, table: ActionTable) -> list[tuple[Draft, Rule]]:
    """Waiting drafts that a rule would publish now, oldest first."""
    rules = read_rules(connection)
    if not any(rule.withdrawn_at is None for rule in rules):
        return []
    events = read_events(connection)
    waiting = read_drafts(connection, states=[DraftState.IN_REVIEW], limit=WAITING_DRAFTS)
    found = []
    for draft in sorted(waiting, key=lambda d: (d.created_at, d.draft_id)):
        try:
            standing, objection = _examine(connection, draft, None, table, events, rules)
        except KbError:
            continue
        if objection is None and standing.rule is not None:
            found.append((draft, standing.rule))
    return found


def approval_by_rule(draft: Draft, rule: Rule, table: ActionTable, now: datetime) -> ApproveInside:
    """What `publish_draft` calls as `approve`: everything is looked at again where it counts.

    The approval and the publication are one transaction, so that no kill leaves a draft approved
    by a rule that may be gone when somebody finishes it.
    """

    def approve(connection: Connection, prepared: PreparedArticle) -> None:
        current = read_draft(connection, draft.draft_id)
        if current.draft_hash != draft.draft_hash:
            raise StaleError("the draft changed since it was read", draft_id=draft.draft_id)
        standing, objection = _examine(
            connection, current, prepared, table, read_events(connection), read_rules(connection)
        )
        if objection is not None:
            raise ConflictError(f"a person must approve this: {objection}")
        if standing.rule is None or standing.rule.rule_id != rule.rule_id:
            raise ConflictError("another rule is in force by now", rule_id=rule.rule_id)
        vouched = take_evidence(connection, current, None)
        actor = actor_of(rule)
        state = next_state(current.state, Decision.APPROVE)
        write_review(
            connection,
            Review(make_id("rev"), draft.draft_id, now, actor, Decision.APPROVE.value, None,
                   draft.draft_hash, None),
        )  # fmt: skip
        update_draft(
            connection, replace(current, state=state, updated_at=now),
            expected_hash=draft.draft_hash,
        )  # fmt: skip
        audit.write_entry(
            connection, at=now, actor=actor, action="draft.approve", subject=draft.draft_id,
            details={"draft_hash": draft.draft_hash, "evidence_hash": vouched,
                     "rule": rule.rule_id, "state": state.value,
                     "raised_by": rule.raised_by, "kind": rule.kind.value},
        )  # fmt: skip

    return approve


def _examine(
    connection: Connection,
    draft: Draft,
    prepared: PreparedArticle | None,
    table: ActionTable,
    events: Sequence[Event],
    rules: Sequence[Rule],
) -> tuple[Standing, str | None]:
    """Where the draft's owner and kind stand, and what speaks against publishing it.

    Raises:
        StaleError: Its document is no longer the one it was written against.
    """
    base = check_base(connection, draft)
    text = None
    governances: list[Governance] = []
    if base is not None:
        text = articles.read_version(connection, base.document_id, base.version).markdown
        governances.append(base.metadata.governance)
    if prepared is not None:
        governances.append(prepared.parsed.metadata.governance)
    standing = judge_standing(
        draft.owner, kind_of_change(draft, text), events=events, rules=rules,
        dials=table.dials, needed=table.needed,
    )  # fmt: skip
    # Whoever put it off, gave it away or said something on it wants to decide.
    reviewed = bool(
        read_reviews(connection, draft.draft_id) or read_notes(connection, draft.draft_id)
    )
    return standing, find_objection(draft, standing, governances=governances, reviewed=reviewed)


def _withdraw(connection: Connection, rule: Rule, by: str, reason: str, now: datetime) -> None:
    write_withdrawn(connection, rule.rule_id, by=by, reason=reason, now=now)
    audit.write_entry(
        connection, at=now, actor=by, action="autonomy.withdraw", subject=rule.rule_id,
        details={"owner": rule.owner, "kind": rule.kind.value, "reason": reason},
    )  # fmt: skip
