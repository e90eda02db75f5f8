from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from gaps.drafting import replay
from gaps.drafting.drafts import draft_to_json, read_draft
from gaps.drafting.regression import AskedTwice, check_regression
from gaps.drafting.replay import replay_draft
from gaps.drafting.writer import create_draft
from gaps.repository import judgement_ref
from gaps.types import Check, Draft, Ticket
from kb.clock import FixedClock
from kb.encoding.hashing import HashingEncoder
from kb.errors import StaleError, UnavailableError
from kb.evaluation import Question
from kb.generation import GenerationStore
from kb.ports import Vectors
from kb.retrieval.retriever import Retriever, RetrieverRules
from kb.types import Audience
from tests.gaps.drafting.factories import AUTHORITIES, NOW, WEIGHTS, Desk, make_tickets

REFUNDS = "Refunds take five days. Open the order and choose refund."


class Away(HashingEncoder):
    def encode(self, texts: Sequence[str]) -> Vectors:
        raise UnavailableError("the encoder is away")


def question(
    words: str, *right: str, id: str = "q-1", audience: Audience = Audience.INTERNAL
) -> Question:
    return Question(id, words, dict.fromkeys(right, 1.0), bool(right), audience)


REFUND = question("refunds take how many days order", "refunds")


def write(desk: Desk, **said: Any) -> Draft:
    desk.add_article("refunds", REFUNDS, title="Refunds")
    desk.add_gap(make_tickets(12))
    return create_draft(
        desk.database, desk.retriever, desk.encoder, "gap_1", now=NOW, settings=desk.settings,
        **said,
    )  # fmt: skip


def ask(
    desk: Desk, draft: Draft, questions: Sequence[Question], tickets: Sequence[Ticket] = (),
    encoder: HashingEncoder | None = None,
) -> list[AskedTwice]:  # fmt: skip
    return replay_draft(
        desk.database, desk.retriever, encoder or desk.encoder, draft, questions=questions,
        tickets=tickets, now=NOW, prepare=desk.render,
    )  # fmt: skip


def dump(desk: Desk) -> dict[str, list[Any]]:
    """Every row of every table, full-text indexes and vectors included."""
    with desk.database.read() as connection:
        names = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'table'"))
        return {
            name: [tuple(row) for row in connection.execute(text(f'SELECT * FROM "{name}"'))]
            for name in sorted(names.scalars())
        }


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_a_missing_article_gains_its_tickets_and_harms_nothing(desk: Desk) -> None:
    draft = write(desk)
    # A third of a ticket's words is much for an article: the rest says when and how urgent.
    rules = RetrieverRules(AUTHORITIES, WEIGHTS, answerable_threshold=0.3)
    desk.retriever = Retriever(
        desk.database, desk.index, desk.encoder, FixedClock(NOW), rules, None
    )  # fmt: skip
    asked = ask(desk, draft, [REFUND], make_tickets(3))
    assert [one.id for one in asked] == ["q-1", "T-1", "T-2", "T-3"]
    for one in asked[1:]:
        assert draft.document_id not in one.before.documents
        assert one.after.documents[0] == draft.document_id
        assert one.text == ""
    check = check_regression(asked, draft.audience)
    assert check.verdict == "green", check.detail


def test_what_is_asked_is_what_a_publication_then_serves(desk: Desk) -> None:
    draft = write(desk)
    tickets = make_tickets(3)
    foreseen = [one.after.documents for one in ask(desk, draft, [], tickets)]
    desk.add_article(draft.document_id or "", draft.markdown, title=draft.title, now=NOW)
    assert foreseen == [tuple(desk.search(t.question)) for t in tickets]


def test_a_draft_that_pushes_the_right_answer_down_is_red_by_name(desk: Desk) -> None:
    draft = write(desk)
    words = "gateway lamp blinks orange"
    for name, body in (("a", words), ("b", words), ("c", "The gateway lamp, and more besides.")):
        desk.add_article(name, body, title=f"{words} {name}" if name != "c" else "Lamp")
    asked_for = question(words, "c")
    greedy = replace(draft, title=words, markdown=f"{words}. {words}.\n")
    asked = ask(desk, greedy, [asked_for])
    assert asked[0].before.documents.index("c") == 2
    check = check_regression(asked, draft.audience)
    assert check.verdict == "red"
    assert f"q-1 (gives way to {draft.document_id})" in check.detail
    assert check_regression(ask(desk, draft, [asked_for]), draft.audience).verdict != "red"


def test_an_edit_is_asked_in_place_of_the_article(desk: Desk) -> None:
    draft = write(desk)
    for name in "abcd":
        desk.add_article(name, "Choose the order and wait five days.", title=f"Order {name}")
    edit = replace(
        draft, document_id="refunds", base_version=1, title="Refunds", markdown="Nothing left.\n"
    )
    one = ask(desk, edit, [REFUND])[0]
    assert one.before.documents[0] == "refunds"
    assert one.after.documents.count("refunds") <= 1
    assert one.after.documents[0] != "refunds"


def test_nothing_stays_behind_and_the_same_is_served(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft = write(desk)
    spare = tmp_path / "spare"
    spare.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(spare))
    monkeypatch.setenv("SQLITE_TMPDIR", str(spare))
    served, state = desk.search("CC-418 posture check"), desk.retriever.name_state()
    view, rows, files = desk.index.held, dump(desk), files_of(desk.folder)
    assert rows["versions"]
    assert ask(desk, draft, [REFUND], make_tickets(3))
    assert dump(desk) == rows
    assert files_of(desk.folder) == files
    assert list(spare.iterdir()) == []
    assert desk.index.held is view
    assert desk.retriever.name_state() == state
    assert desk.search("CC-418 posture check") == served


def test_nothing_stays_behind_where_it_fails_midway(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft = write(desk)
    rows = dump(desk)

    def fail(*_args: Any, **_said: Any) -> None:
        raise UnavailableError("gone")

    monkeypatch.setattr(replay.intake, "write_verification", fail)
    with pytest.raises(UnavailableError):
        ask(desk, draft, [REFUND])
    assert dump(desk) == rows
    assert draft.document_id not in desk.search("CC-418 posture check")


def test_each_question_is_asked_as_its_own_audience(desk: Desk) -> None:
    draft = write(desk)
    words = "CC-418 posture check failed renew device certificate"
    told = [
        question(words, id="q-in"),
        question(words, id="q-out", audience=Audience.PUBLIC),
    ]
    inside, outside = ask(desk, draft, told)
    assert inside.after.documents[0] == draft.document_id
    assert outside.before.documents == outside.after.documents == ()


def test_of_many_questions_the_nearest_are_asked_whatever_their_order(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft = write(desk)
    monkeypatch.setattr(replay, "MOST_ASKED", 2)
    told = [question(f"parental leave of {n} weeks", id=f"q-{n}") for n in range(6)]
    told.append(question("posture check failed, renew device certificate", id="q-9"))
    asked = ask(desk, draft, told, make_tickets(5))
    assert len(asked) == 4
    assert "q-9" in [one.id for one in asked]
    assert ask(desk, draft, told[::-1], make_tickets(5)[::-1]) == asked


def test_of_many_questions_those_the_edited_article_answers_now_are_asked(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft = write(desk)
    monkeypatch.setattr(replay, "MOST_ASKED", 2)
    edit = replace(
        draft, document_id="refunds", base_version=1, title="Refunds", markdown="It has moved.\n"
    )
    told = [question(f"what has moved, {n}?", id=f"q-{n}") for n in range(4)]
    told.append(question("when is my money back?", "refunds", id="q-7"))
    told.append(question("refunds take five days, open the order and choose refund", id="q-8"))
    assert [one.id for one in ask(desk, edit, told)] == ["q-7", "q-8"]


def test_a_draft_whose_article_moved_on_is_not_tried(desk: Desk) -> None:
    draft = write(desk)
    with pytest.raises(StaleError):
        ask(desk, replace(draft, document_id="refunds", base_version=7), [REFUND])


def test_a_gate_that_cannot_run_is_a_look_that_says_why(desk: Desk) -> None:
    def gate(draft: Draft, tickets: Sequence[Ticket]) -> Check:
        asked = ask(desk, draft, [REFUND], tickets, encoder=Away(256))
        return check_regression(asked, draft.audience)

    found = {c.name: c for c in write(desk, gate=gate).checks}["regression"]
    assert (found.verdict, found.detail) == ("look", "not run: the encoder is away")


def test_the_gate_sees_only_the_tickets_the_writer_saw_and_its_rows_are_stored(
    desk: Desk,
) -> None:
    seen: list[str] = []

    def gate(draft: Draft, tickets: Sequence[Ticket]) -> Check:
        seen.extend(t.ticket_id for t in tickets)
        public = question("CC-418 posture check", id="q-out", audience=Audience.PUBLIC)
        return check_regression(
            ask(desk, draft, [REFUND, public], tickets), draft.audience
        )  # fmt: skip

    draft = write(desk, gate=gate)
    assert set(seen) == {t.ticket_id for t in make_tickets(12)} - set(draft.held_back_ids)
    with desk.database.read() as connection:
        assert read_draft(connection, draft.draft_id) == draft
    rows = {c["name"]: c for c in draft_to_json(draft, Audience.INTERNAL)["checks"]}
    assert {row["id"] for row in rows["regression"]["replayed"]} == {"q-1", *seen}
    outside = {c["name"]: c for c in draft_to_json(draft, Audience.PUBLIC)["checks"]}
    assert "replayed" not in outside["regression"]


def test_a_solved_ticket_does_not_teach_its_own_answer(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft = write(desk)
    left_out: list[str | None] = []
    search = Retriever.search

    def spy(self: Retriever, *args: Any, **said: Any) -> Any:
        left_out.append(said["leave_out"])
        return search(self, *args, **said)

    monkeypatch.setattr(Retriever, "search", spy)
    ask(desk, draft, [REFUND], make_tickets(1))
    assert left_out == [None, judgement_ref("T-1")] * 2


def test_a_sealed_generation_is_read_and_left_as_it_is(desk: Desk, tmp_path: Path) -> None:
    draft = write(desk)
    store = GenerationStore(desk.database, tmp_path / "data")
    sealed = store.build(desk.encoder.recipe, now=NOW)
    store.activate(sealed.generation_id, actor="test", now=NOW)
    served = desk.search("CC-418 posture check")
    opened, files = desk.index.view().sealed, files_of(tmp_path / "data" / "generations")
    asked = ask(desk, draft, [REFUND], make_tickets(1))
    assert asked[0].before.documents == ("refunds",)
    assert asked[1].after.documents[0] == draft.document_id
    assert desk.search("CC-418 posture check") == served
    assert desk.index.view().sealed is opened
    assert files_of(tmp_path / "data" / "generations") == files
    assert len(list((tmp_path / "data" / "runtime").iterdir())) == 1
