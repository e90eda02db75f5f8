"""One draft's page: evidence at hand, texts kept, people counted, things said and put off."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from markupsafe import Markup
from sqlalchemy import select, update

from api.pages.article_text import render_markdown
from api.pages.evidence_facts import ShownCitation, ShownStatement, attach_evidence
from api.wiring import Application
from gaps import tables
from gaps.types import Check, Draft, Dropped, Gap, GapKind
from kb.types import Role
from tests.api.pages.factories import (
    CHANGED_ARTICLE,
    NEW_ARTICLE,
    VPN_TICKETS,
    Browser,
    make_key,
    make_tickets,
    store_draft,
    store_gap,
)


@pytest.fixture
def gap(kb: Application) -> Gap:
    return store_gap(kb, "gap_vpn", make_tickets("VPN", VPN_TICKETS))


@pytest.fixture
def draft(kb: Application, gap: Gap, browser: Browser) -> Iterator[Draft]:
    draft = store_draft(kb, "drf_1", gap)
    browser.sign_in(make_key(kb))
    yield draft


def bound(draft: Draft, **said: Any) -> dict[str, Any]:
    return {"draft_hash": draft.draft_hash, "state": draft.state.value, **said}


def decide(browser: Browser, draft: Draft, decision: str, **said: Any) -> Any:
    path = f"/review/{draft.draft_id}/decision"
    return browser.post(path, decision=decision, **bound(draft, **said))


def change_ticket(kb: Application, ticket_id: str = "VPN-0") -> None:
    with kb.database.write() as connection:
        connection.execute(
            update(tables.tickets)
            .where(tables.tickets.c.id == ticket_id)
            .values(content_hash="9" * 64, resolution="A <reinstall> solved it after all.")
        )


def test_a_statement_has_its_evidence_beside_it_escaped() -> None:
    body = render_markdown("1. Restart it.\n2. Wait.", ["Restart it.", "Wait."])
    shown = attach_evidence(
        body,
        [
            ShownStatement("Restart it.", (ShownCitation("Ticket <1>", "<b>did</b>", None),) * 5),
            ShownStatement("Wait.", ()),
        ],
    )
    assert "&lt;b&gt;did&lt;/b&gt;" in shown and "Ticket &lt;1&gt;" in shown
    assert "<b>did" not in shown
    assert "and 2 more below" in shown and "No evidence is cited." in shown
    assert len(re.findall('class="cited-by"', shown)) == 2
    assert attach_evidence(Markup("<p>Plain</p>"), []) == "<p>Plain</p>"


def test_the_page_has_one_script_of_its_own_and_only_where_a_text_can_be_edited(
    kb: Application, browser: Browser, draft: Draft
) -> None:
    answer = browser.get("/review/drf_1")
    assert re.findall(r"<script[^>]*>", answer.text) == re.findall(
        r'<script src="/static/preview\.js\?v=[0-9a-f]{12}" defer>', answer.text
    )
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self'" in policy and "unsafe" not in policy
    script = browser.get("/static/preview.js")
    assert script.headers["content-type"].startswith("text/javascript")
    assert decide(browser, draft, "reject", reason="No.").status_code == 303
    after = browser.get("/review/drf_1")
    assert "<script" not in after.text
    assert "script-src" not in after.headers["content-security-policy"]
    assert "script-src" not in browser.get("/review").headers["content-security-policy"]


def test_a_live_preview_is_the_changed_part_with_quick_checks_and_saves_nothing(
    kb: Application, browser: Browser, draft: Draft
) -> None:
    text = NEW_ARTICLE.replace("about four minutes", "a <b>while</b>") + "\nAsk ana@example.org\n"
    answer = browser.post("/review/drf_1/preview", markdown=text, live="1")
    assert answer.status_code == 200
    assert "<html" not in answer.text
    assert "&lt;b&gt;while&lt;/b&gt;" in answer.text
    assert "1 of 2 statements keep their evidence" in answer.text
    assert "holds 1 email" in answer.text
    whole = browser.post("/review/drf_1/preview", markdown=text)
    assert "Real questions asked again" in whole.text and "<html" in whole.text
    with kb.database.read() as connection:
        assert connection.execute(select(tables.drafts.c.markdown)).scalar_one() == NEW_ARTICLE


def test_changed_evidence_is_told_and_asked_about_with_both_texts(
    kb: Application, browser: Browser, draft: Draft
) -> None:
    change_ticket(kb)
    assert "changed since this was checked" in browser.get("/review/drf_1").text
    answer = decide(browser, draft, "approve")
    assert answer.status_code == 412
    assert "uninstalled BorderGate 3 from Settings" in answer.text
    assert "A &lt;reinstall&gt; solved it after all." in answer.text
    known = re.findall(r'name="evidence_hash" value="([0-9a-f]{64})"', answer.text)[0]
    # The quote is gone from the ticket, so the checks that run again are red.
    again = decide(browser, draft, "approve", evidence_hash=known)
    assert again.status_code == 409 and "citations" in again.text
    edited = decide(
        browser, draft, "edit", evidence_hash=known,
        markdown="Remove the old client.\n\n1. Restart the laptop.\n",
    )  # fmt: skip
    assert edited.status_code == 303


def test_an_edit_on_changed_evidence_keeps_the_persons_text(
    kb: Application, browser: Browser, draft: Draft
) -> None:
    change_ticket(kb)
    mine = NEW_ARTICLE + "\nMy careful words.\n"
    answer = decide(browser, draft, "edit", markdown=mine)
    assert answer.status_code == 412
    assert "My careful words." in answer.text and "The evidence changed" in answer.text


def test_of_two_reviewers_the_later_one_sees_both_texts(
    kb: Application, open_browser: Callable[..., Browser], gap: Gap
) -> None:
    draft = store_draft(kb, "drf_1", gap)
    first, second = open_browser(), open_browser()
    first.sign_in(make_key(kb))
    second.sign_in(make_key(kb, Role.EDITOR, None))
    theirs = NEW_ARTICLE.replace("about four minutes", "five minutes")
    assert decide(first, draft, "edit", markdown=theirs).status_code == 303
    answer = decide(
        second, draft, "edit", seen=draft.markdown, markdown=NEW_ARTICLE + "\nWhat ed wrote.\n"
    )
    assert answer.status_code == 412
    assert "What ed wrote." in answer.text
    assert "five minutes" in answer.text.replace("<ins>", "").replace("</ins>", "")
    late = decide(second, draft, "approve", seen=draft.markdown)
    assert late.status_code == 412


def test_a_compliance_document_shows_who_approved_and_who_is_still_needed(
    kb: Application, open_browser: Callable[..., Browser], gap: Gap
) -> None:
    file = kb.root / "articles" / "vpn.md"
    file.write_text(file.read_text().replace("title:", "governance: compliance\ntitle:", 1))
    list(kb.sync_sources())
    with kb.database.read() as connection:
        version = connection.exec_driver_sql("SELECT version FROM documents WHERE id='vpn'")
        base = int(version.scalar_one())
    draft = store_draft(
        kb, "drf_1", gap, document_id="vpn", base_version=base, markdown=CHANGED_ARTICLE
    )
    ines, editor = open_browser(), open_browser()
    ines.sign_in(make_key(kb))
    editor.sign_in(make_key(kb, Role.EDITOR, None))
    assert "Two people must approve this" in ines.get("/review/drf_1").text
    assert decide(ines, draft, "approve").status_code == 303
    text = " ".join(ines.get("/review/drf_1").text.split())
    assert "Approved by ines." in text and "ines (you)" in text and "somebody else" in text
    assert 'value="approve"' not in text
    again = decide(ines, draft, "approve")
    assert again.status_code == 409 and "approved already" in again.text
    assert "still needed" in editor.get("/review/drf_1").text
    assert decide(editor, draft, "approve").status_code == 303
    assert "Published as version" in editor.get("/review/drf_1").text


def test_what_is_said_is_shown_escaped_in_order(
    kb: Application, browser: Browser, draft: Draft
) -> None:
    for said in ("Is <b>step two</b> right?", "Yes.\nI tried it."):
        answer = browser.post("/review/drf_1/comment", text=said)
        assert (answer.status_code, answer.headers["location"]) == (
            303, "/review/drf_1#discussion",
        )  # fmt: skip
    text = browser.get("/review/drf_1").text
    assert "Is &lt;b&gt;step two&lt;/b&gt; right?" in text
    assert text.index("step two") < text.index("I tried it.")
    empty = browser.post("/review/drf_1/comment", text="  ")
    assert empty.status_code == 400 and "Say something." in empty.text


@pytest.mark.parametrize(
    ("form", "kind", "status"),
    [
        ({"because": "not_a_gap"}, "missing", "dismissed"),
        ({"because": "wrong_kind", "kind": "conflict"}, "conflict", "open"),
        ({"because": "already_answered", "document": "refunds"}, "unfindable", "open"),
        ({"because": "needs_action"}, "needs_action", "open"),
        ({"because": "evidence_wrong", "ticket": ["VPN-0"]}, "missing", "open"),
        ({}, "missing", "open"),
    ],
)
def test_a_rejection_with_its_reason_corrects_the_gap(
    kb: Application, browser: Browser, draft: Draft, form: dict[str, Any], kind: str, status: str
) -> None:
    assert decide(browser, draft, "reject", reason="Because.", **form).status_code == 303
    with kb.database.read() as connection:
        row = connection.execute(select(tables.gaps).where(tables.gaps.c.id == "gap_vpn")).one()
    assert (row.kind, row.status) == (kind, status)
    assert ("VPN-0" in row.ticket_ids) == ("ticket" not in form)


@pytest.mark.parametrize(
    ("form", "fault"),
    [
        ({"because": "wrong_kind"}, "Choose which kind of gap it is."),
        ({"because": "already_answered"}, "Name the article"),
        ({"because": "already_answered", "document": "no-such"}, "No-such"),
        ({"because": "nonsense"}, "Expected one of"),
    ],
)
def test_a_reason_that_lacks_what_it_names_is_asked_for_and_keeps_the_words(
    kb: Application, browser: Browser, draft: Draft, form: dict[str, Any], fault: str
) -> None:
    answer = decide(browser, draft, "reject", reason="My words.", **form)
    assert answer.status_code == 400
    assert fault.lower() in answer.text.lower() and "My words." in answer.text
    assert "Waiting" in browser.get("/review").text


def test_a_draft_is_handed_over_and_its_history_says_from_whom(
    kb: Application, browser: Browser, draft: Draft, open_browser: Callable[..., Browser]
) -> None:
    answer = browser.post(
        "/review/drf_1/later", do="hand_over", owner="tom", why="He knows it.", **bound(draft)
    )
    assert answer.status_code == 303
    assert browser.get("/review/drf_1").status_code == 404
    tom = open_browser()
    tom.sign_in(make_key(kb, owner="tom"))
    text = tom.get("/review/drf_1").text
    assert "Handed over, ines → tom" in text and "He knows it." in text
    fault = tom.post("/review/drf_1/later", do="snooze", until="2020-01-01", **bound(draft))
    assert fault.status_code == 400 and "Choose a day after today." in fault.text
    stale = tom.post("/review/drf_1/later", do="hand_over", owner="ines", draft_hash="0" * 64)
    assert stale.status_code == 412


def test_a_long_article_and_five_hundred_tickets_stay_small_and_linked(
    kb: Application, browser: Browser
) -> None:
    many = make_tickets("M", [(f"Subject {n}", "Body", "Solved") for n in range(500)])
    lines = [f"{n}. Open page {n} and press button {n % 7}." for n in range(1, 2_001)]
    file = kb.root / "articles" / "long.md"
    file.write_text("---\nid: long\ntitle: Long\n---\n" + "\n".join(lines))
    list(kb.sync_sources())
    changed = [line.replace("press", "click") if n % 40 == 0 else line
               for n, line in enumerate(lines)]  # fmt: skip
    gap = store_gap(kb, "gap_many", many, kind=GapKind.STALE)
    store_draft(
        kb, "drf_long", gap, document_id="long", base_version=1, title="Long",
        markdown="\n".join(changed) + "\n", checks=[Check("length", "look", "long")],
    )  # fmt: skip
    browser.sign_in(make_key(kb))
    answer = browser.get("/review/drf_long")
    assert answer.status_code == 200
    assert answer.text.count("diff-row changed") == 50
    assert "50 words added" in answer.text
    assert len(answer.text) < 1_500_000


def test_what_the_language_model_offered_and_was_left_out_is_shown(
    kb: Application, gap: Gap, browser: Browser
) -> None:
    left = Dropped("Call <b>us</b> at night.", "no evidence says so")
    draft = store_draft(
        kb, "drf_worded", gap, checks=[Check("writer", "look", "1 left out", (), (left,))]
    )
    browser.sign_in(make_key(kb))
    page = browser.get(f"/review/{draft.draft_id}").text
    assert "1 statement left out" in page
    assert "Call &lt;b&gt;us&lt;/b&gt; at night." in page and left.why in page
