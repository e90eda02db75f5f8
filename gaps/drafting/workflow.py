"""What may happen to a draft; a pure state machine."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from gaps.types import DraftState
from kb.errors import ConflictError


class Decision(StrEnum):
    """What a person decides on a draft."""

    APPROVE = "approve"
    EDIT = "edit"
    """Edit and approve: the edited text is what is approved."""
    REJECT = "reject"
    ASK_CHANGES = "ask_changes"
    PUBLISH = "publish"
    ROLLBACK = "rollback"


TRANSITIONS: Mapping[tuple[DraftState, Decision], DraftState] = {
    (DraftState.IN_REVIEW, Decision.APPROVE): DraftState.APPROVED,
    (DraftState.IN_REVIEW, Decision.EDIT): DraftState.APPROVED,
    (DraftState.IN_REVIEW, Decision.REJECT): DraftState.REJECTED,
    (DraftState.IN_REVIEW, Decision.ASK_CHANGES): DraftState.CHANGES_ASKED,
    (DraftState.CHANGES_ASKED, Decision.EDIT): DraftState.APPROVED,
    (DraftState.CHANGES_ASKED, Decision.REJECT): DraftState.REJECTED,
    (DraftState.APPROVED, Decision.REJECT): DraftState.REJECTED,
    (DraftState.APPROVED, Decision.PUBLISH): DraftState.PUBLISHED,
    (DraftState.PUBLISHED, Decision.ROLLBACK): DraftState.ROLLED_BACK,
}
REASONED = frozenset({Decision.REJECT, Decision.ASK_CHANGES})
"""Decisions the writer can only learn from when they say why."""
APPROVING = frozenset({Decision.APPROVE, Decision.EDIT})


def next_state(state: DraftState, decision: Decision, *, approvals_missing: int = 0) -> DraftState:
    """The state a decision leads to.

    Args:
        state: Where the draft is.
        decision: What was decided.
        approvals_missing: How many other people must still approve after this decision
            (compliance-governed documents need two); the draft then stays in review.

    Raises:
        ConflictError: The decision is not open in this state.
    """
    following = TRANSITIONS.get((state, decision))
    if following is None:
        allowed = sorted(d.value for s, d in TRANSITIONS if s is state)
        raise ConflictError(
            f"a draft that is {state.value} cannot take {decision.value!r}"
            f" (possible: {', '.join(allowed) or 'nothing'})",
            state=state.value,
            decision=decision.value,
        )
    if following is DraftState.APPROVED and approvals_missing > 0:
        return DraftState.IN_REVIEW
    return following
