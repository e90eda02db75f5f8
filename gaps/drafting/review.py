"""An owner's decision on a draft: who may take it, on which text, and what follows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from gaps import repository
from gaps.drafting.checks import check_text
from gaps.drafting.drafts import (
    Review,
    compute_draft_hash,
    make_id,
    read_draft,
    read_reviews,
    update_draft,
    write_review,
)
from gaps.drafting.workflow import APPROVING, REASONED, Decision, next_state
from gaps.types import Check, Draft, DraftState, GapStatus
from kb import articles, audit
from kb.database import Database
from kb.errors import ConflictError, ForbiddenError, InvalidInputError, NotFoundError, StaleError
from kb.types import Document, Governance, Role

COMPLIANCE_APPROVALS = 2
"""People who must approve a change of a compliance-governed document."""
Recheck = Callable[[Draft], tuple[Check, ...]]


def review_draft(
    database: Database,
    draft_id: str,
    *,
    decision: Decision,
    reviewer: str,
    role: Role,
    now: datetime,
    expected_hash: str,
    markdown: str | None = None,
    reason: str | None = None,
    recheck: Recheck | None = None,
    ask_second: Callable[[Connection, Draft, str], None] | None = None,
    acts_for: str | None = None,
) -> Draft:
    """Take one person's decision on exactly the text they read.

    Args:
        database: Where drafts are.
        draft_id: The draft.
        decision: approve, edit (and approve), reject or ask_changes.
        reviewer: Handle of the person.
        role: What their key may do; editors and admins may review what others own.
        now: The moment.
        expected_hash: The draft's hash as the reviewer read it (If-Match).
        markdown: The text that is approved instead, for an edit.
        reason: Why, required for reject and ask_changes.
        recheck: Runs the full checks on an edited draft; without it only its text is checked.
        ask_second: Told of an approval that needs another person, in the same transaction.
        acts_for: The owner the reviewer decides for; the reviewer themself where left out.

    Raises:
        NotFoundError: No such draft.
        StaleError: The draft or the document it changes is no longer the one that was read.
        ForbiddenError: The reviewer neither owns the draft nor is an editor.
        ConflictError: Not possible in this state, a check is red, or approved by them already.
        InvalidInputError: A reason or text is missing, or the text breaks a check.
    """
    if decision in (Decision.PUBLISH, Decision.ROLLBACK):
        raise InvalidInputError(f"{decision.value} is not a review", where="decision")
    with database.read() as connection:
        draft = read_draft(connection, draft_id)
    check_permission(draft.owner, reviewer, role, acts_for)
    _check_request(draft, decision, expected_hash, markdown, reason)
    # The full checks search and encode, so they run before the write lock is taken; the hash
    # is compared again inside.
    edited = _edited(draft, decision, markdown, now, recheck)
    with database.write() as connection:
        current = read_draft(connection, draft_id)
        if current.draft_hash != expected_hash:
            raise StaleError("the draft changed since it was read", draft_id=draft_id)
        state = _decide(connection, current, decision, reviewer, edited.draft_hash)
        result = replace(edited, state=state, updated_at=now)
        update_draft(connection, result, expected_hash=expected_hash)
        _record(connection, result, decision, reviewer, now, reason, markdown)
        if ask_second is not None and decision in APPROVING and state is DraftState.IN_REVIEW:
            ask_second(connection, result, reviewer)
    return result


def _decide(
    connection: Connection, draft: Draft, decision: Decision, reviewer: str, approved_hash: str
) -> DraftState:
    """The state that follows, other people's approvals of the same text counted."""
    if decision not in APPROVING:
        # A draft whose article has moved on can still be turned down, or it would block its gap.
        return next_state(draft.state, decision)
    base = check_base(connection, draft)
    approvals = _approvers(connection, draft, approved_hash)
    if reviewer in approvals:
        raise ConflictError("this person has approved already", reviewer=reviewer)
    missing = max(0, approvals_needed(base) - len(approvals) - 1)
    return next_state(draft.state, decision, approvals_missing=missing)


def check_permission(owner: str, reviewer: str, role: Role, acts_for: str | None = None) -> None:
    """Owners decide on what they own, editors and admins on everything.

    Args:
        owner: Of what is decided on.
        reviewer: Handle of the person.
        role: What they may do.
        acts_for: The owner they decide for; the reviewer themself where None.

    Raises:
        ForbiddenError: Neither holds.
    """
    if role.includes(Role.EDITOR):
        return
    if not (role.includes(Role.OWNER) and (acts_for or reviewer) == owner):
        raise ForbiddenError(f"{reviewer} does not own this, {owner} does", owner=owner)


def check_base(connection: Connection, draft: Draft) -> Document | None:
    """The document a draft changes, at the version it was written against.

    Raises:
        StaleError: It has another version now, is gone, or appeared meanwhile.
    """
    if draft.document_id is None:
        return None
    try:
        document = articles.read_document(connection, draft.document_id)
    except NotFoundError:
        document = None
    if draft.base_version is None:
        if document is not None:
            raise StaleError(f"{draft.document_id} exists meanwhile", document_id=draft.document_id)
        return None
    if document is None or document.version != draft.base_version:
        raise StaleError(
            f"{draft.document_id} changed since the draft was written",
            document_id=draft.document_id,
            base_version=draft.base_version,
            version=document.version if document else None,
        )
    return document


def approvals_needed(base: Document | None) -> int:
    """How many different people must approve a change of the document; a new one needs one."""
    if base is not None and base.metadata.governance is Governance.COMPLIANCE:
        return COMPLIANCE_APPROVALS
    return 1


def _check_request(
    draft: Draft,
    decision: Decision,
    expected_hash: str,
    markdown: str | None,
    reason: str | None,
) -> None:
    if draft.draft_hash != expected_hash:
        raise StaleError("the draft changed since it was read", draft_id=draft.draft_id)
    next_state(draft.state, decision)
    if decision in REASONED and not (reason and reason.strip()):
        raise InvalidInputError(f"{decision.value} needs a reason", where="reason")
    if decision is Decision.EDIT and not (markdown and markdown.strip()):
        raise InvalidInputError("an edit needs the new text", where="markdown")
    if decision is Decision.APPROVE:
        red = [check.name for check in draft.checks if check.verdict == "red"]
        if red:
            raise ConflictError(
                f"checks are red: {', '.join(red)}; edit the draft or reject it", checks=red
            )


def _edited(
    draft: Draft, decision: Decision, markdown: str | None, now: datetime, recheck: Recheck | None
) -> Draft:
    if decision is not Decision.EDIT or markdown is None:
        return draft
    text = markdown.strip() + "\n"
    # What the reviewer left word for word keeps its citation; their own words rest on them.
    statements = tuple(s for s in draft.statements if s.text in text)
    edited = replace(
        draft,
        markdown=text,
        statements=statements,
        draft_hash=compute_draft_hash(
            title=draft.title,
            markdown=text,
            document_id=draft.document_id,
            base_version=draft.base_version,
            statements=statements,
        ),
        updated_at=now,
    )
    checks = check_text(draft.title, text)
    red = [check for check in checks if check.verdict == "red"]
    if red:
        raise InvalidInputError(red[0].detail, where="markdown", check=red[0].name)
    return replace(edited, checks=recheck(edited) if recheck is not None else checks)


def _approvers(connection: Connection, draft: Draft, draft_hash: str) -> set[str]:
    """Who approved exactly this text."""
    return {
        review.reviewer
        for review in read_reviews(connection, draft.draft_id)
        if review.draft_hash == draft_hash and Decision(review.decision) in APPROVING
    }


def _record(
    connection: Connection,
    draft: Draft,
    decision: Decision,
    reviewer: str,
    now: datetime,
    reason: str | None,
    markdown: str | None,
) -> None:
    write_review(
        connection,
        Review(
            make_id("rev"), draft.draft_id, now, reviewer, decision.value, reason,
            draft.draft_hash, markdown if decision is Decision.EDIT else None,
        ),
    )  # fmt: skip
    if draft.state is DraftState.REJECTED:
        repository.write_gap_status(connection, draft.gap_id, GapStatus.OPEN, now=now)
    audit.write_entry(
        connection, at=now, actor=reviewer, action=f"draft.{decision.value}",
        subject=draft.draft_id,
        details={"draft_hash": draft.draft_hash, "reason": reason, "state": draft.state.value},
    )  # fmt: skip
