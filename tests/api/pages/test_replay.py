"""The regression check, wired: who runs it, and what a reviewer is shown of it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from api import weekly
from api.cli.gaps import _print_draft
from api.keys import Caller
from api.wiring import Application
from gaps.drafting.drafts import read_draft
from gaps.types import Check, Draft, Gap, Replayed
from kb.errors import UnavailableError
from kb.types import Audience, Role
from tests.api.pages.factories import (
    NEW_ARTICLE,
    VPN_TICKETS,
    Browser,
    make_key,
    make_tickets,
    store_draft,
    store_gap,
)

LOST = Replayed(
    "question", "q-7", Audience.INTERNAL, "how do I connect?", "lost", 3, None, True, False,
    "vpn", "vpn-corvid", ("vpn-corvid",),
)  # fmt: skip
GAINED = Replayed(
    "ticket", "VPN-0", Audience.PUBLIC, "", "gained", None, 1, False, True, "vpn", "vpn-corvid"
)


@pytest.fixture
def gap(kb: Application) -> Gap:
    return store_gap(kb, "gap_vpn", make_tickets("VPN", VPN_TICKETS))


def freeze(kb: Application, *questions: dict[str, Any]) -> None:
    """Set a frozen question set in kb.toml's place."""
    lines = "".join(json.dumps(question) + "\n" for question in questions)
    (kb.root / "questions.jsonl").write_text(lines)
    learning = kb.settings.learning.model_copy(update={"questions": "questions.jsonl"})
    kb.settings = kb.settings.model_copy(update={"learning": learning})


def regression_of(kb: Application, draft_id: str = "drf_1") -> Check:
    with kb.database.read() as connection:
        draft = read_draft(connection, draft_id)
    return {check.name: check for check in draft.checks}["regression"]


def with_rows(kb: Application, gap: Gap, *rows: Replayed) -> Draft:
    return store_draft(kb, "drf_1", gap, checks=[Check("regression", "look", "told", rows)])


def test_a_text_edited_on_the_page_is_asked_about_again(
    kb: Application, browser: Browser, gap: Gap
) -> None:
    freeze(kb, {"id": "q-1", "text": "How do I get my money back?", "relevant": {"refunds": 1}})
    draft = store_draft(kb, "drf_1", gap)
    browser.sign_in(make_key(kb))
    answer = browser.post(
        "/review/drf_1/decision", decision="edit", draft_hash=draft.draft_hash,
        markdown=NEW_ARTICLE.replace("about four minutes", "about five minutes"),
    )  # fmt: skip
    assert answer.status_code == 303
    check = regression_of(kb)
    assert "1 frozen questions with a right answer in the first three: 1 → 1" in check.detail
    assert "of 3, this article in their first three 0 → 3" in check.detail


def test_a_written_draft_is_asked_about_and_not_served(kb: Application, gap: Gap) -> None:
    freeze(kb, {"id": "q-1", "text": "How do I get my money back?", "relevant": {"refunds": 1}})
    check = kb.desk.check_regression(
        store_draft(kb, "drf_1", gap), make_tickets("VPN", VPN_TICKETS)
    )
    assert {row.id for row in check.replayed} >= {f"VPN-{n}" for n in range(4)}
    assert not (kb.root / "articles" / "vpn-corvid.md").exists()
    with kb.database.read() as connection:
        assert "vpn-corvid" not in kb.index.view().catalogue.documents
        assert connection.exec_driver_sql("SELECT count(*) FROM versions").scalar() == 2


@pytest.mark.parametrize("spoilt", ["no such file", "{not json}\n"])
def test_a_question_set_that_cannot_be_read_is_a_look_that_says_why(
    kb: Application, gap: Gap, spoilt: str
) -> None:
    freeze(kb)
    file = kb.root / "questions.jsonl"
    file.unlink() if spoilt == "no such file" else file.write_text(spoilt)
    checks = kb.desk.check_draft(store_draft(kb, "drf_1", gap))
    found = {check.name: check for check in checks}["regression"]
    assert found.verdict == "look"
    assert found.detail.startswith("not run: ")
    assert "questions.jsonl" in found.detail or "cannot be read" in found.detail


def test_the_desk_and_the_drive_run_the_gate(
    kb: Application, gap: Gap, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []

    def fail(*_args: Any, **_said: Any) -> Any:
        raise UnavailableError("away today")

    monkeypatch.setattr("api.gap_desk.replay_draft", fail)
    monkeypatch.setattr("api.gap_desk.writer.create_draft", lambda *_a, **said: told.append(said))
    kb.desk.write_draft(gap.gap_id, actor="test")
    monkeypatch.setattr(weekly.drive, "run_drive", lambda tools, **_said: told.append(tools))
    weekly.Weekly(kb).run_drive("2026-W45")
    draft = store_draft(kb, "drf_1", gap)
    for gate in (told[0]["gate"], told[1].gate):
        with pytest.raises(UnavailableError, match="away today"):
            gate(draft, [])


def test_the_page_shows_before_and_after(kb: Application, browser: Browser, gap: Gap) -> None:
    with_rows(kb, gap, LOST, GAINED)
    browser.sign_in(make_key(kb))
    text = browser.get("/review/drf_1").text
    section = text[text.index('id="replay"') : text.index('id="gap"')]
    for shown in (
        "Frozen question q-7",
        "how do I connect?",
        "Answered, right one 3rd",
        "Not answered, right one not among ten",
        "First: Connect to the company network",
        "Gives way to Corvid Connect stays at Negotiating (this draft)",
        "Ticket VPN-0</a>",
        "new vpn not working",
        ">Worse<",
        ">Better<",
    ):
        assert shown in section, shown
    assert 'href="#ticket-' in section


def test_many_rows_wait_behind_a_fold_and_no_place_is_told_where_nothing_is_known_right(
    kb: Application, browser: Browser, gap: Gap
) -> None:
    unlabelled = replace(LOST, outcome="moved", rank_before=None, displaced_by=())
    with_rows(kb, gap, *(replace(unlabelled, id=f"q-{n}") for n in range(10)))
    browser.sign_in(make_key(kb))
    text = browser.get("/review/drf_1").text
    assert "<summary>2 more questions</summary>" in text
    assert text.index("q-7") < text.index("2 more questions") < text.index("q-8")
    assert "right one" not in text


def test_a_page_without_rows_has_no_table(kb: Application, browser: Browser, gap: Gap) -> None:
    with_rows(kb, gap)
    browser.sign_in(make_key(kb))
    assert 'id="replay"' not in browser.get("/review/drf_1").text


def test_readers_see_only_questions_of_audiences_they_may_read(
    kb: Application, gap: Gap, monkeypatch: pytest.MonkeyPatch
) -> None:
    from api.pages.draft_facts import read_draft_facts

    with_rows(kb, gap, LOST, replace(GAINED, audience=Audience.PUBLIC))
    for audience, ids in ((Audience.INTERNAL, {"q-7", "VPN-0"}), (Audience.PUBLIC, {"VPN-0"})):
        caller = Caller("ines", Role.OWNER, audience, "ines")
        for draft in (kb.desk.show_draft("drf_1", caller), kb.desk.list_drafts(caller)[0]):
            assert {row["id"] for row in draft["checks"][0]["replayed"]} == ids
        with kb.database.read() as connection:
            facts = read_draft_facts(connection, "drf_1", audience)
        assert {row.label.split()[-1] for row in facts.replayed} == ids


def test_titles_of_documents_a_reader_may_not_read_stay_hidden(kb: Application, gap: Gap) -> None:
    from api.pages.draft_facts import read_draft_facts

    with_rows(kb, gap, GAINED)
    with kb.database.write() as connection:
        connection.exec_driver_sql("UPDATE documents SET audience = 'internal' WHERE id = 'vpn'")
    with kb.database.read() as connection:
        shown = read_draft_facts(connection, "drf_1", Audience.PUBLIC).replayed[0]
    assert "Connect to the company network" not in repr(shown)


def test_the_command_line_prints_the_rows(
    kb: Application, gap: Gap, capsys: pytest.CaptureFixture[str]
) -> None:
    with_rows(kb, gap, LOST, GAINED)
    _print_draft(kb.desk.show_draft("drf_1", kb.operator))
    said = capsys.readouterr().out
    assert (
        "lost   question q-7: answered, right one 3, first vpn →"
        " not answered, right one –, first vpn-corvid; gives way to vpn-corvid" in said
    )
    assert "gained ticket VPN-0: not answered, right one –, first vpn →" in said


def test_a_preview_tells_what_the_text_would_do_and_keeps_nothing(
    kb: Application, browser: Browser, gap: Gap
) -> None:
    freeze(kb, {"id": "q-1", "text": "How do I get my money back?", "relevant": {"refunds": 1}})
    draft = store_draft(kb, "drf_1", gap)
    browser.sign_in(make_key(kb))
    text = browser.post("/review/drf_1/preview", markdown=NEW_ARTICLE).text
    preview = text[text.index('id="preview"') : text.index('class="paper previewed"')]
    assert "Real questions asked again" in preview
    assert "this article in their first three 0 → 3" in preview
    with kb.database.read() as connection:
        assert read_draft(connection, "drf_1") == draft
    assert "Real questions asked" not in browser.post("/review/drf_1/preview", markdown=" ").text
