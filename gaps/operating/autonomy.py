"""What kbops may publish by itself: earned by owner and kind of change, lost at once; pure.

Two keys turn. `[actions]` in kb.toml says whether an action may ever be autonomous, and an
administrator raises a dial for one owner and one kind of change, which only a record allows: so
many approvals in a row that nobody edited, rejected, took back or saw judged worse. A rule is no
state that somebody has to keep: it stands or falls with the events since it was raised, so a
rollback ends it in the transaction that rolls back. Compliance-governed documents earn nothing and
are never published by a rule.

Twenty in a row without a fault still allow a fault rate of 14 % (upper 95 % bound,
1 - 0.05^(1/20)); the pages say so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gaps.types import Draft, DraftState
from kb.types import Governance

AUTONOMOUS, HUMAN_APPROVED, FORBIDDEN = "autonomous", "human_approved", "forbidden"
NEEDED_APPROVALS = 20
NEEDED_CHECKS = frozenset({"citations", "personal_data", "hostile_text", "regression"})
"""Without these a draft was not checked, however green the rest is."""
ACTOR = "kbops (earned rule "
"""How the name of an earned rule begins; no person's or owner's name holds a parenthesis."""


class ChangeKind(StrEnum):
    NEW_ARTICLE = "new_article"
    SMALLEST_EDIT = "smallest_edit"
    REVERIFICATION = "reverification"
    """The text stays as it is and is confirmed anew."""


ACTION_OF: Mapping[ChangeKind, str] = {
    ChangeKind.NEW_ARTICLE: "publish_article",
    ChangeKind.SMALLEST_EDIT: "publish_article",
    ChangeKind.REVERIFICATION: "reverify_article",
}


class EventKind(StrEnum):
    APPROVED = "approved"
    """By a person, as it was written."""
    EDITED = "edited"
    REJECTED = "rejected"
    CHANGES_ASKED = "changes_asked"
    ROLLED_BACK = "rolled_back"
    WORSE = "worse"


ENDS_RULE = frozenset({EventKind.ROLLED_BACK, EventKind.WORSE})
"""What takes a raised dial back; an edit by a person only ends the row that earns one."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that speaks for or against publishing a kind of change without a person."""

    at: datetime
    owner: str
    kind: ChangeKind
    event: EventKind
    draft_id: str
    """Of a confirmation, the article's id."""
    compliance: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """An administrator's act: changes of a kind for an owner may go out by themselves."""

    rule_id: str
    owner: str
    kind: ChangeKind
    raised_at: datetime
    raised_by: str
    reason: str
    draft_ids: tuple[str, ...]
    """The approvals that earned it."""
    withdrawn_at: datetime | None = None
    withdrawn_by: str | None = None
    withdrawn_reason: str | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """What has happened, as far as it counts."""

    approvals: tuple[str, ...]
    """Drafts approved in a row since the last thing that broke it, oldest first."""
    broken_by: Event | None
    """What ended the row before."""

    @property
    def digest(self) -> str:
        """Binds an administrator's decision to the record they saw."""
        broken = f"{self.broken_by.draft_id}:{self.broken_by.event}" if self.broken_by else ""
        return hashlib.sha256("\n".join((*self.approvals, broken)).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Standing:
    """A row of the action table: what happens now, what the record is, what is missing."""

    owner: str
    kind: ChangeKind
    dial: str
    """What kb.toml allows at most."""
    needed: int
    record: Record
    rule: Rule | None
    """The last one that was raised, in force or not."""
    fell_by: Event | None
    """What took the rule back by itself."""

    @property
    def is_earned(self) -> bool:
        return len(self.record.approvals) >= self.needed

    @property
    def is_in_force(self) -> bool:
        return (
            self.dial == AUTONOMOUS
            and self.rule is not None
            and self.rule.withdrawn_at is None
            and self.fell_by is None
        )

    @property
    def now(self) -> str:
        """autonomous, human_approved or forbidden."""
        if self.dial == FORBIDDEN:
            return FORBIDDEN
        return AUTONOMOUS if self.is_in_force else HUMAN_APPROVED

    @property
    def may_raise(self) -> bool:
        return self.dial == AUTONOMOUS and self.is_earned and not self.is_in_force

    @property
    def missing(self) -> tuple[str, ...]:
        """What stands between this row and its being raised, as sentences."""
        if self.is_in_force:
            return ()
        said = []
        if self.dial != AUTONOMOUS:
            said.append(f'kb.toml says {ACTION_OF[self.kind]} = "{self.dial}"')
        short = self.needed - len(self.record.approvals)
        if short > 0:
            more = "approval" if short == 1 else "approvals"
            said.append(f"{short} more {more} in a row without an edit")
        if not said:
            said.append("an administrator's decision")
        return tuple(said)


def read_record(events: Sequence[Event]) -> Record:
    """The row of approvals that stands now.

    Args:
        events: Of one owner and kind, in any order. Approvals of compliance-governed documents
            do not count; what went wrong with them does.
    """
    approvals: list[str] = []
    broken: Event | None = None
    # At the same instant what went wrong counts last.
    for event in sorted(
        events, key=lambda e: (e.at, e.event is not EventKind.APPROVED, e.draft_id)
    ):
        if event.event is not EventKind.APPROVED:
            approvals, broken = [], event
        elif not event.compliance and event.draft_id not in approvals:
            approvals.append(event.draft_id)
    return Record(tuple(approvals), broken)


def judge_standing(
    owner: str,
    kind: ChangeKind,
    *,
    events: Sequence[Event],
    rules: Sequence[Rule],
    dials: Mapping[str, str],
    needed: int = NEEDED_APPROVALS,
) -> Standing:
    """Where one owner and kind stand.

    Args:
        owner: Whose drafts.
        kind: Of change.
        events: Everybody's, in any order.
        rules: Everybody's, in any order.
        dials: By action, what kb.toml says.
        needed: Approvals in a row that earn it.
    """
    own = [event for event in events if (event.owner, event.kind) == (owner, kind)]
    raised = [rule for rule in rules if (rule.owner, rule.kind) == (owner, kind)]
    rule = max(raised, key=lambda r: (r.raised_at, r.rule_id), default=None)
    fell = None
    if rule is not None:
        since = [e for e in own if e.event in ENDS_RULE and e.at >= rule.raised_at]
        fell = min(since, key=lambda e: (e.at, e.draft_id), default=None)
    dial = dials.get(ACTION_OF[kind], HUMAN_APPROVED)
    return Standing(owner, kind, dial, needed, read_record(own), rule, fell)


def kind_of_change(draft: Draft, base_text: str | None) -> ChangeKind:
    """What a draft would do to its document.

    Args:
        draft: As stored.
        base_text: Of the version it was written against; None for a new article.
    """
    if draft.base_version is None:
        return ChangeKind.NEW_ARTICLE
    if base_text is not None and base_text.strip() == draft.markdown.strip():
        return ChangeKind.REVERIFICATION
    return ChangeKind.SMALLEST_EDIT


def find_objection(
    draft: Draft,
    standing: Standing,
    *,
    governances: Sequence[Governance],
    reviewed: bool,
) -> str | None:
    """Why a draft may not go out without a person; None where it may.

    Args:
        draft: As stored.
        standing: Of its owner and kind.
        governances: Of the document as it is stored and as the draft would leave it.
        reviewed: Whether a person has decided anything on it.
    """
    if not standing.is_in_force:
        return f"{standing.kind} for {standing.owner} is {standing.now}"
    if any(governance is Governance.COMPLIANCE for governance in governances):
        return "compliance needs people"
    if draft.state is not DraftState.IN_REVIEW or draft.refused is not None:
        return f"it is {draft.state.value}"
    if reviewed:
        return "a person is at it"
    absent = NEEDED_CHECKS - {check.name for check in draft.checks}
    if absent:
        return f"not checked: {', '.join(sorted(absent))}"
    doubtful = [check.name for check in draft.checks if check.verdict != "green"]
    if doubtful:
        return f"not green: {', '.join(doubtful)}"
    return None


def actor_of(rule: Rule) -> str:
    """Who approved and published, as the reviews and the audit log say it."""
    return f"{ACTOR}{rule.rule_id})"
