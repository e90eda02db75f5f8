"""What is bound by an approval, arranged without a decision, and learned from a rejection."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from gaps import repository
from gaps.drafting import handling
from gaps.drafting.drafts import read_draft, read_reviews
from gaps.drafting.handling import MAX_TEXT, NoteKind, read_dates, read_notes
from gaps.drafting.lessons import Because, Lesson
from gaps.drafting.review import read_approvers
from gaps.drafting.snapshot import (
    EvidenceItem,
    compare_evidence,
    find_changes,
    hash_evidence,
    read_evidence,
)
from gaps.drafting.workflow import Decision
from gaps.drafting.writer import create_draft
from gaps.keeping.correcting import read_corrections
from gaps.keeping.corrections import CorrectionKind
from gaps.tables import draft_notes
from gaps.types import Check, Draft, DraftState, GapKind, GapStatus
from kb.audit import read_entries, verify_chain
from kb.errors import (
    ConflictError,
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
    StaleError,
)
from kb.types import Role
from tests.gaps.drafting.factories import NOW, Desk, make_ticket, make_tickets
from tests.gaps.drafting.test_publish import decide, draft_of, state_of

OWNERS = ("ines", "tom")


def reimport(desk: Desk, draft: Draft, words: str = "Something else solved it.") -> str:
    """Import a cited ticket again with other words; returns its id."""
    cited = sorted({c.id for s in draft.statements for c in s.citations if c.kind == "ticket"})
    number = int(cited[0].removeprefix("T-"))
    with desk.database.write() as connection:
        repository.write_ticket(
            connection, make_ticket(number, words), "e" * 64, exists=True, now=NOW
        )
    return cited[0]


def say(desk: Desk, draft: Draft, **said: Any) -> dict[str, Any]:
    basics = {"by": draft.owner, "role": Role.OWNER, "now": NOW}
    return basics | said


def test_changed_evidence_makes_an_approval_stale_and_says_what(desk: Desk) -> None:
    draft = draft_of(desk)
    changed = reimport(desk, draft)
    with pytest.raises(StaleError, match="evidence changed") as caught:
        decide(desk, draft)
    assert caught.value.details["changed"] == [f"ticket {changed}"]
    assert state_of(desk, draft) is DraftState.IN_REVIEW


def test_changed_evidence_that_the_reviewer_knows_is_approved_on(desk: Desk) -> None:
    draft = draft_of(desk)
    reimport(desk, draft)
    with pytest.raises(StaleError) as caught:
        decide(desk, draft)
    known = str(caught.value.details["evidence_hash"])
    with pytest.raises(StaleError):
        decide(desk, draft, evidence_hash="0" * 64)
    assert decide(desk, draft, evidence_hash=known).state is DraftState.APPROVED
    with desk.database.read() as connection:
        assert find_changes(connection, draft.draft_id, draft.statements) == ()
        assert read_reviews(connection, draft.draft_id)[-1].evidence_hash == known


def test_checks_are_run_again_on_changed_evidence_and_red_refuses(desk: Desk) -> None:
    draft = draft_of(desk)
    reimport(desk, draft)
    with desk.database.read() as connection:
        known = hash_evidence(read_evidence(connection, draft.statements))
    with pytest.raises(ConflictError, match="citations"):
        decide(
            desk, draft, evidence_hash=known,
            recheck=lambda _draft: (Check("citations", "red", "not word for word"),),
        )  # fmt: skip
    assert state_of(desk, draft) is DraftState.IN_REVIEW


def test_a_deleted_ticket_is_changed_evidence(desk: Desk) -> None:
    draft = draft_of(desk)
    cited = next(c.id for s in draft.statements for c in s.citations if c.kind == "ticket")
    with desk.database.write() as connection:
        repository.delete_ticket(connection, cited, actor="t", now=NOW)
    with desk.database.read() as connection:
        (change,) = find_changes(connection, draft.draft_id, draft.statements)
    assert (change.id, change.is_gone) == (cited, True)
    with pytest.raises(StaleError):
        decide(desk, draft)


def test_an_edit_that_drops_what_changed_is_not_stale(desk: Desk) -> None:
    draft = draft_of(desk)
    reimport(desk, draft)
    own_words = "My own words, with one step.\n\n1. Restart the laptop.\n"
    assert decide(desk, draft, Decision.EDIT, markdown=own_words).state is DraftState.APPROVED


def test_what_is_cited_no_more_is_no_change() -> None:
    before = [EvidenceItem("ticket", "a", "1"), EvidenceItem("ticket", "b", "1")]
    after = [EvidenceItem("ticket", "b", "2"), EvidenceItem("document", "c", "1")]
    assert [c.id for c in compare_evidence(before, after)] == ["c", "b"]
    assert compare_evidence(before, before[:1]) == ()
    assert hash_evidence(before) == hash_evidence(reversed(before)) != hash_evidence(after)


def test_an_approval_on_other_evidence_does_not_count(desk: Desk) -> None:
    draft = draft_of(desk)
    decide(desk, draft)
    with desk.database.read() as connection:
        assert read_approvers(connection, draft) == {"ines"}
    with desk.database.write() as connection:
        from gaps.drafting.snapshot import write_evidence

        write_evidence(connection, draft.draft_id, [EvidenceItem("ticket", "T-1", "other")])
        assert read_approvers(connection, draft) == set()


def test_a_state_that_is_not_the_one_read_is_stale(desk: Desk) -> None:
    draft = draft_of(desk)
    decide(desk, draft, Decision.ASK_CHANGES, reason="Shorter.", reviewer="ed", role=Role.EDITOR)
    with pytest.raises(StaleError, match="ed decided on it meanwhile"):
        decide(
            desk, draft, Decision.EDIT, markdown="1. Mine.\n", expected_state=DraftState.IN_REVIEW
        )
    with pytest.raises(StaleError, match="ed decided on it meanwhile"):
        decide(desk, draft)
    own = decide(
        desk, draft, Decision.EDIT, markdown="1. Restart the laptop.\n",
        expected_state=DraftState.CHANGES_ASKED,
    )  # fmt: skip
    assert own.state is DraftState.APPROVED
    with pytest.raises(ConflictError):
        decide(desk, own, Decision.ASK_CHANGES, reason="No.")


@pytest.mark.parametrize("pair", range(4))
def test_of_two_hundred_races_each_has_one_winner_and_one_told_so(desk: Desk, pair: int) -> None:
    """Fifty races for each pair of decisions, on one database."""
    first, second = (
        (Decision.APPROVE, Decision.APPROVE),
        (Decision.APPROVE, Decision.EDIT),
        (Decision.EDIT, Decision.EDIT),
        (Decision.APPROVE, Decision.ASK_CHANGES),
    )[pair]
    draft = draft_of(desk)
    for number in range(50):
        fresh = copy_draft(desk, draft, number)
        told: list[str] = []
        gate = threading.Barrier(2)

        def take(
            who: str,
            decision: Decision,
            fresh: Draft = fresh,
            gate: threading.Barrier = gate,
            told: list[str] = told,
        ) -> None:
            gate.wait()
            try:
                decide(
                    desk, fresh, decision, reviewer=who, role=Role.EDITOR,
                    expected_state=DraftState.IN_REVIEW, reason="Not yet.",
                    markdown=f"1. What {who} wrote.\n" if decision is Decision.EDIT else None,
                )  # fmt: skip
            except StaleError:
                told.append("stale")
            else:
                told.append("won")

        threads = [
            threading.Thread(target=take, args=("ana", first)),
            threading.Thread(target=take, args=("ben", second)),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(told) == ["stale", "won"], (number, told)
        with desk.database.read() as connection:
            assert len(read_reviews(connection, fresh.draft_id)) == 1


def copy_draft(desk: Desk, draft: Draft, number: int) -> Draft:
    from dataclasses import replace

    from gaps.drafting.drafts import write_draft

    fresh = replace(draft, draft_id=f"{draft.draft_id}-{number}")
    with desk.database.write() as connection:
        write_draft(connection, fresh)
    return fresh


def test_a_comment_is_kept_and_its_words_are_not_in_the_audit_log(desk: Desk) -> None:
    draft = draft_of(desk)
    note = handling.add_comment(
        desk.database, draft.draft_id, text=" Ask <Sofie>.\r\n", **say(desk, draft)
    )
    assert (note.kind, note.text) == (NoteKind.COMMENT, "Ask <Sofie>.")
    with desk.database.read() as connection:
        assert read_notes(connection, draft.draft_id) == [note]
        entry = read_entries(connection, subject=draft.draft_id)[0]
        assert entry.action == "draft.comment"
        assert "Sofie" not in str(entry.details)
        verify_chain(connection)


@pytest.mark.parametrize("text", ["", "  \n", "x" * (MAX_TEXT + 1)])
def test_a_comment_says_something_and_is_short(desk: Desk, text: str) -> None:
    draft = draft_of(desk)
    with pytest.raises(InvalidInputError):
        handling.add_comment(desk.database, draft.draft_id, text=text, **say(desk, draft))


def test_a_snoozed_draft_is_due_no_earlier_than_it_comes_back(desk: Desk) -> None:
    draft = draft_of(desk)
    until = NOW + timedelta(days=30)
    said = say(desk, draft, expected_hash=draft.draft_hash)
    handling.snooze_draft(desk.database, draft.draft_id, until=until, **said)
    with desk.database.read() as connection:
        dates = read_dates(connection, draft.draft_id)
    assert (dates.snoozed_until, dates.due_at) == (until, until)
    handling.snooze_draft(desk.database, draft.draft_id, until=None, **said)
    with desk.database.read() as connection:
        assert read_dates(connection, draft.draft_id).snoozed_until is None
        kinds = [note.kind for note in read_notes(connection, draft.draft_id)]
    assert kinds == [NoteKind.SNOOZED, NoteKind.WOKEN]


@pytest.mark.parametrize("days", [0, -1, 400])
def test_a_draft_is_put_off_into_the_coming_year_only(desk: Desk, days: int) -> None:
    draft = draft_of(desk)
    with pytest.raises(InvalidInputError):
        handling.snooze_draft(
            desk.database, draft.draft_id, until=NOW + timedelta(days=days),
            **say(desk, draft, expected_hash=draft.draft_hash),
        )  # fmt: skip


def test_a_handover_changes_who_may_decide_and_later_runs_follow(desk: Desk) -> None:
    draft = draft_of(desk)
    said = say(desk, draft, expected_hash=draft.draft_hash)
    note = handling.hand_over_draft(
        desk.database, draft.draft_id, to="tom", owners=OWNERS, reason="He knows.", **said
    )
    assert note.value == "ines → tom"
    with pytest.raises(ForbiddenError):
        decide(desk, draft)
    assert decide(desk, draft, reviewer="tom").owner == "tom"
    with desk.database.read() as connection:
        assert repository.read_gap(connection, draft.gap_id).owner == "tom"
        corrections = read_corrections(connection)
        assert [(c.kind, c.value) for c in corrections] == [(CorrectionKind.ASSIGN, "tom")]
        assert read_draft(connection, draft.draft_id).owner == "tom"


def test_arranging_needs_the_text_that_was_read_a_right_and_an_open_draft(desk: Desk) -> None:
    draft = draft_of(desk)
    until = NOW + timedelta(days=1)
    calls: list[tuple[Any, dict[str, Any]]] = [
        (handling.snooze_draft, {"until": until}),
        (handling.hand_over_draft, {"to": "tom", "owners": OWNERS}),
    ]
    good = say(desk, draft, expected_hash=draft.draft_hash)
    for call, more in calls:
        for wrong, error in (
            ({"expected_hash": "0" * 64}, StaleError),
            ({"by": "tom"}, ForbiddenError),
        ):
            with pytest.raises(error):
                call(desk.database, draft.draft_id, **(good | more | wrong))
    with pytest.raises(InvalidInputError):
        handling.hand_over_draft(desk.database, draft.draft_id, to="nobody", owners=OWNERS, **good)
    with pytest.raises(ConflictError):
        handling.hand_over_draft(desk.database, draft.draft_id, to="ines", owners=OWNERS, **good)
    decide(desk, draft)
    for call, more in calls:
        with pytest.raises(ConflictError):
            call(desk.database, draft.draft_id, **(good | more))
    with desk.database.read() as connection:
        assert connection.execute(select(draft_notes)).all() == []


@pytest.mark.parametrize(
    ("lesson", "kind", "status", "learned"),
    [
        (Lesson(Because.NOT_A_GAP), GapKind.MISSING, GapStatus.DISMISSED, CorrectionKind.NOT_A_GAP),
        (Lesson(Because.WRONG_KIND, "conflict"), GapKind.CONFLICT, GapStatus.OPEN,
         CorrectionKind.KIND_IS),
        (Lesson(Because.NEEDS_ACTION), GapKind.NEEDS_ACTION, GapStatus.OPEN,
         CorrectionKind.KIND_IS),
        (Lesson(Because.ALREADY_ANSWERED, "vpn"), GapKind.UNFINDABLE, GapStatus.OPEN,
         CorrectionKind.KIND_IS),
        (Lesson(Because.EVIDENCE_WRONG, None, ("T-1", "T-2")), GapKind.MISSING, GapStatus.OPEN,
         CorrectionKind.SPLIT),
    ],
)  # fmt: skip
def test_a_rejection_teaches_triage(
    desk: Desk, lesson: Lesson, kind: GapKind, status: GapStatus, learned: CorrectionKind
) -> None:
    draft = draft_of(desk)
    desk.add_article("vpn", "Open the portal.", title="VPN")
    rejected = decide(desk, draft, Decision.REJECT, reason="Because.", lesson=lesson)
    assert rejected.state is DraftState.REJECTED
    gap = desk.read_gap()
    assert (gap.kind, gap.status) == (kind, status)
    with desk.database.read() as connection:
        assert [c.kind for c in read_corrections(connection)] == [learned]
        (review,) = read_reviews(connection, draft.draft_id)
    assert review.because == lesson.because.value
    if lesson.because is Because.ALREADY_ANSWERED:
        assert gap.document_ids[0] == "vpn"
    if lesson.because is Because.EVIDENCE_WRONG:
        assert not {"T-1", "T-2"} & set(gap.ticket_ids)


@pytest.mark.parametrize(
    ("lesson", "error"),
    [
        (Lesson(Because.WRONG_KIND, "missing"), InvalidInputError),
        (Lesson(Because.WRONG_KIND), InvalidInputError),
        (Lesson(Because.ALREADY_ANSWERED, "nothing"), NotFoundError),
        (Lesson(Because.EVIDENCE_WRONG, None, ("T-999",)), InvalidInputError),
    ],
)
def test_a_lesson_that_cannot_be_taught_rejects_nothing(
    desk: Desk, lesson: Lesson, error: type[Exception]
) -> None:
    draft = draft_of(desk)
    with pytest.raises(error):
        decide(desk, draft, Decision.REJECT, reason="Because.", lesson=lesson)
    assert state_of(desk, draft) is DraftState.IN_REVIEW
    with pytest.raises(InvalidInputError):
        decide(desk, draft, lesson=Lesson(Because.NOT_A_GAP))


def test_a_draft_written_anew_is_bound_to_what_it_was_written_from(desk: Desk) -> None:
    draft = draft_of(desk)
    reimport(desk, draft)
    with desk.database.read() as connection:
        assert find_changes(connection, draft.draft_id, draft.statements)
    decide(desk, draft, Decision.REJECT, reason="The ticket changed.")
    again = create_draft(
        desk.database, desk.retriever, desk.encoder, draft.gap_id, now=NOW, settings=desk.settings
    )
    with desk.database.read() as connection:
        assert find_changes(connection, again.draft_id, again.statements) == ()
    assert make_tickets(1)
