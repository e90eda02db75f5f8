from __future__ import annotations

from itertools import product

import pytest

from gaps.drafting.workflow import APPROVING, TRANSITIONS, Decision, next_state
from gaps.types import DraftState
from kb.errors import ConflictError

ALLOWED = {
    "in_review": {"approve", "edit", "reject", "ask_changes"},
    "changes_asked": {"edit", "reject"},
    "approved": {"publish", "reject"},
    "published": {"rollback"},
    "refused": set(),
    "rejected": set(),
    "rolled_back": set(),
}


@pytest.mark.parametrize(("state", "decision"), list(product(DraftState, Decision)))
def test_every_decision_not_allowed_in_a_state_is_refused(
    state: DraftState, decision: Decision
) -> None:
    if decision.value in ALLOWED[state.value]:
        assert next_state(state, decision) in DraftState
    else:
        with pytest.raises(ConflictError, match="cannot take"):
            next_state(state, decision)


def test_nothing_is_published_without_an_approval_on_every_path_there_is() -> None:
    paths: list[tuple[DraftState, tuple[Decision, ...]]] = [(DraftState.IN_REVIEW, ())]
    finished = 0
    while paths:
        state, taken = paths.pop()
        if state is DraftState.PUBLISHED:
            assert any(decision in APPROVING for decision in taken)
            assert Decision.REJECT not in taken
            finished += 1
        assert len(taken) < 10, "a loop"
        paths += [
            (after, (*taken, decision))
            for (before, decision), after in TRANSITIONS.items()
            if before is state
        ]
    assert finished >= 2


def test_a_second_approval_missing_keeps_the_draft_in_review() -> None:
    after = next_state(DraftState.IN_REVIEW, Decision.APPROVE, approvals_missing=1)
    assert after is DraftState.IN_REVIEW
    assert next_state(after, Decision.APPROVE) is DraftState.APPROVED
