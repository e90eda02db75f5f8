from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import select, update

from api.keys import Caller
from api.wiring import Application
from gaps import tables
from gaps.types import Check, DraftState, Gap, GapKind, Refusal
from kb import articles
from kb.errors import UnavailableError
from kb.types import Role, SearchRequest
from tests.api.pages.factories import (
    CHANGED_ARTICLE,
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


def test_the_start_page_is_the_inbox(browser: Browser) -> None:
    assert browser.get("/").headers["location"] == "/review"


def test_an_empty_inbox_says_what_happens_next(kb: Application, browser: Browser) -> None:
    browser.sign_in(make_key(kb))
    assert "All decided" in browser.get("/review").text
    assert "Nothing decided yet" in browser.get("/review?tab=decided").text


def test_the_inbox_is_sorted_by_impact_and_says_why(kb: Application, browser: Browser) -> None:
    for number, impact in enumerate((3.0, 40.5, 12.0)):
        gap = store_gap(
            kb, f"gap_{number}", make_tickets(f"T{number}", VPN_TICKETS), impact=impact,
            reasons=[f"Because of {impact}."],
        )  # fmt: skip
        store_draft(kb, f"drf_{number}", gap, title=f"Draft with impact {impact}")
    browser.sign_in(make_key(kb))
    text = browser.get("/review").text
    places = [text.index(f"Draft with impact {impact}") for impact in (40.5, 12.0, 3.0)]
    assert places == sorted(places)
    assert "Because of 40.5." in text
    assert "93 %" in text


def test_owners_see_their_own_and_editors_see_all(
    kb: Application, open_browser: Callable[..., Browser]
) -> None:
    for owner in ("ines", "tom"):
        gap = store_gap(kb, f"gap_{owner}", make_tickets(owner, VPN_TICKETS), owner=owner)
        store_draft(kb, f"drf_{owner}", gap, title=f"For {owner} only")
        store_gap(kb, f"open_{owner}", make_tickets(f"o{owner}", VPN_TICKETS[:2]), owner=owner,
                  title=f"Open for {owner} only")  # fmt: skip
    ines, editor = open_browser(), open_browser()
    ines.sign_in(make_key(kb))
    editor.sign_in(make_key(kb, Role.EDITOR, None))
    for path in ("/review", "/review?owner=tom", "/review?tab=decided&owner=tom"):
        assert "For tom only" not in ines.get(path).text
    text = editor.get("/review").text
    assert "For ines only" in text
    assert "Open for tom only" in text
    filtered = editor.get("/review?owner=tom").text
    assert "For ines only" not in filtered
    assert "For tom only" in filtered


def test_filters_narrow_by_state_and_kind(kb: Application, browser: Browser) -> None:
    waiting, asked = DraftState.IN_REVIEW, DraftState.CHANGES_ASKED
    for kind, state in ((GapKind.STALE, waiting), (GapKind.WRONG, asked)):
        gap = store_gap(kb, f"gap_{kind}", make_tickets(kind, VPN_TICKETS), kind=kind)
        store_draft(kb, f"drf_{kind}", gap, state=state, title=f"About {kind.value}")
    browser.sign_in(make_key(kb))
    assert "About wrong" not in browser.get("/review?kind=stale").text
    assert "About stale" not in browser.get("/review?state=changes_asked").text
    assert "Nothing matches" in browser.get("/review?kind=duplicate").text
    assert browser.get("/review?kind=nonsense&state=%27--").status_code == 200


def test_a_draft_shows_text_evidence_checks_and_tickets(
    kb: Application, browser: Browser, gap: Gap
) -> None:
    store_draft(kb, "drf_1", gap)
    browser.sign_in(make_key(kb))
    text = browser.get("/review/drf_1").text
    for shown in (
        "This is a new article",
        'href="#statement-1"',
        'id="statement-1"',
        "uninstalled BorderGate 3 from Settings",
        "What solved it",
        "CC-418 device posture check failed",
        "1 check to look at",
        "<svg",
        "Oldest first: 0, 1, 0, 2, 9, 21, 17, 11",
    ):
        assert shown in text, shown


def test_evidence_links_lead_to_tickets_on_the_page(
    kb: Application, browser: Browser, gap: Gap
) -> None:
    store_draft(kb, "drf_1", gap)
    browser.sign_in(make_key(kb))
    text = browser.get("/review/drf_1").text
    for anchor in ("ticket-1", "ticket-2", "statement-1", "statement-2"):
        assert f'href="#{anchor}"' in text
        assert f'id="{anchor}"' in text


def test_a_changed_article_is_compared_by_word(kb: Application, browser: Browser, gap: Gap) -> None:
    store_draft(kb, "drf_1", gap, document_id="vpn", base_version=1, markdown=CHANGED_ARTICLE)
    browser.sign_in(make_key(kb))
    text = browser.get("/review/drf_1").text
    assert "<del>12</del><ins>8</ins>" in text


def test_approving_publishes_and_the_next_search_serves_it(
    kb: Application, browser: Browser, gap: Gap
) -> None:
    draft = store_draft(kb, "drf_1", gap)
    browser.sign_in(make_key(kb))
    answer = browser.post("/review/drf_1/decision", decision="approve", draft_hash=draft.draft_hash)
    assert (answer.status_code, answer.headers["location"]) == (303, "/review/drf_1")
    text = browser.get("/review/drf_1").text
    assert "Published as version 1, served by the next search" in text
    assert "/articles/vpn-corvid" in text
    assert "&lt;b&gt;before&lt;/b&gt;" in text
    found = kb.retriever.search(SearchRequest("Corvid Connect Negotiating CC-418"), draft.audience)
    assert found.hits[0].chunk.document.document_id == "vpn-corvid"
    assert browser.get("/articles/vpn-corvid").status_code == 200


def test_an_edited_text_is_what_is_published(kb: Application, browser: Browser, gap: Gap) -> None:
    draft = store_draft(kb, "drf_1", gap)
    browser.sign_in(make_key(kb))
    text = draft.markdown.replace("about four minutes", "up to ten minutes")
    answer = browser.post(
        "/review/drf_1/decision", decision="edit", draft_hash=draft.draft_hash,
        markdown=text.replace("\n", "\r\n"),
    )  # fmt: skip
    assert answer.status_code == 303
    with kb.database.read() as connection:
        published = articles.read_version(connection, "vpn-corvid", 1).markdown
    assert "up to ten minutes" in published
    assert "\r" not in published


def test_a_preview_saves_nothing(kb: Application, browser: Browser, gap: Gap) -> None:
    store_draft(kb, "drf_1", gap)
    browser.sign_in(make_key(kb))
    answer = browser.post("/review/drf_1/preview", markdown="Some **new** words <script>x</script>")
    assert "Some <strong>new</strong> words &lt;script&gt;" in answer.text
    assert "<textarea" in answer.text
    with kb.database.read() as connection:
        assert "new words" not in connection.execute(select(tables.drafts.c.markdown)).scalar_one()


@pytest.mark.parametrize(
    ("decision", "state"), [("reject", "rejected"), ("ask_changes", "changes_asked")]
)
def test_turning_down_needs_a_reason(
    kb: Application, browser: Browser, gap: Gap, decision: str, state: str
) -> None:
    draft = store_draft(kb, "drf_1", gap)
    browser.sign_in(make_key(kb))
    form = {"decision": decision, "draft_hash": draft.draft_hash}
    answer = browser.post("/review/drf_1/decision", reason="  ", **form)
    assert answer.status_code == 400
    assert "Say why" in answer.text
    answer = browser.post("/review/drf_1/decision", reason="Step <b>two</b> is wrong.", **form)
    assert answer.status_code == 303
    text = browser.get("/review/drf_1").text
    assert "Step &lt;b&gt;two&lt;/b&gt; is wrong." in text
    with kb.database.read() as connection:
        assert connection.execute(select(tables.drafts.c.state)).scalar_one() == state


def test_a_draft_changed_meanwhile_is_shown_with_both_texts(
    kb: Application, browser: Browser, gap: Gap
) -> None:
    draft = store_draft(kb, "drf_1", gap)
    browser.sign_in(make_key(kb))
    with kb.database.write() as connection:
        connection.execute(
            update(tables.drafts).values(markdown="Other words now.", draft_hash="f" * 64)
        )
    answer = browser.post(
        "/review/drf_1/decision", decision="approve", draft_hash=draft.draft_hash,
        seen=draft.markdown,
    )  # fmt: skip
    assert answer.status_code == 412
    assert "What you read" in answer.text
    assert "Other words now." in answer.text
    assert "Negotiating" in answer.text
    assert "f" * 64 in answer.text
    with kb.database.read() as connection:
        assert connection.execute(select(tables.publications)).all() == []


def test_an_edit_overtaken_by_another_keeps_the_persons_text(
    kb: Application, browser: Browser, gap: Gap
) -> None:
    draft = store_draft(kb, "drf_1", gap)
    browser.sign_in(make_key(kb))
    answer = browser.post(
        "/review/drf_1/decision", decision="edit", draft_hash="0" * 64,
        seen=draft.markdown, markdown="My careful words.",
    )  # fmt: skip
    assert answer.status_code == 412
    assert "My careful words." in answer.text


def test_an_article_changed_meanwhile_is_shown(kb: Application, browser: Browser, gap: Gap) -> None:
    draft = store_draft(
        kb, "drf_1", gap, document_id="vpn", base_version=1, markdown=CHANGED_ARTICLE
    )
    file = kb.root / "articles" / "vpn.md"
    file.write_text(file.read_text().replace("20 seconds", "a minute"))
    list(kb.sync_sources())
    browser.sign_in(make_key(kb))
    assert "The article changed since this was written" in browser.get("/review/drf_1").text
    answer = browser.post("/review/drf_1/decision", decision="approve", draft_hash=draft.draft_hash)
    assert answer.status_code == 412
    assert "The article changed" in answer.text
    assert "minute" in answer.text


def test_a_red_check_takes_the_approval_away(kb: Application, browser: Browser, gap: Gap) -> None:
    draft = store_draft(kb, "drf_1", gap, checks=[Check("personal_data", "red", "holds 1 email")])
    browser.sign_in(make_key(kb))
    assert 'value="approve"' not in browser.get("/review/drf_1").text
    answer = browser.post("/review/drf_1/decision", decision="approve", draft_hash=draft.draft_hash)
    assert answer.status_code == 409
    assert "personal_data" in answer.text


def test_rolling_back_asks_first(kb: Application, browser: Browser, gap: Gap) -> None:
    draft = store_draft(kb, "drf_1", gap)
    browser.sign_in(make_key(kb))
    assert browser.get("/review/drf_1/rollback").status_code == 409
    browser.post("/review/drf_1/decision", decision="approve", draft_hash=draft.draft_hash)
    assert "Roll back this publication?" in browser.get("/review/drf_1/rollback").text
    assert browser.post("/review/drf_1/rollback").status_code == 303
    assert "Rolled back" in browser.get("/review/drf_1").text
    assert browser.get("/articles/vpn-corvid").status_code == 404


def test_a_refusal_shows_its_questions(kb: Application, browser: Browser, gap: Gap) -> None:
    refusal = Refusal("Only two people solved it.", ("Which <version> is it?", "Who may renew?"))
    store_draft(
        kb,
        "drf_1",
        gap,
        state=DraftState.REFUSED,
        markdown="",
        statements=(),
        checks=(),
        refused=refusal,
    )
    browser.sign_in(make_key(kb))
    text = browser.get("/review/drf_1").text
    assert "Which &lt;version&gt; is it?" in text
    assert "Write a draft again" in text


def test_a_draft_is_asked_for_from_an_open_gap(
    kb: Application, browser: Browser, gap: Gap, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str]] = []

    def create_draft(gap_id: str, caller: Caller) -> dict[str, str]:
        asked.append((gap_id, caller.name))
        return {"draft_id": "drf_9"}

    monkeypatch.setattr(kb.desk, "create_draft", create_draft)
    browser.sign_in(make_key(kb))
    assert "Write a draft" in browser.get("/review").text
    answer = browser.post("/review/gaps/gap_vpn/draft")
    assert (answer.status_code, answer.headers["location"]) == (303, "/review/drf_9")
    assert asked == [("gap_vpn", "ines")]


def test_what_belongs_to_someone_else_is_refused(
    kb: Application, open_browser: Callable[..., Browser], gap: Gap
) -> None:
    draft = store_draft(kb, "drf_1", gap)
    open_gap = store_gap(kb, "gap_open", make_tickets("O", VPN_TICKETS[:2]))
    tom = open_browser()
    tom.sign_in(make_key(kb, owner="tom"))
    form = {"draft_hash": draft.draft_hash, "reason": "mine", "markdown": "x", "version": "1"}
    for path in ("/review/drf_1", "/review/drf_1/rollback"):
        answer = tom.get(path)
        assert answer.status_code == 404
        assert draft.title not in answer.text
    for path in (
        "/review/drf_1/preview",
        "/review/drf_1/rollback",
        f"/review/gaps/{open_gap.gap_id}/draft",
        "/articles/vpn/rollback",
        *("/review/drf_1/decision",) * 4,
    ):
        for decision in ("approve", "edit", "reject", "ask_changes"):
            answer = tom.post(path, decision=decision, **form)
            assert answer.status_code == (404 if "/drf_1/" in path else 403), path
    with kb.database.read() as connection:
        assert connection.execute(select(tables.reviews)).all() == []
    assert tom.get("/review/drf_none").status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/review/drf_1/decision",
        "/review/drf_1/preview",
        "/review/drf_1/rollback",
        "/review/gaps/gap_vpn/draft",
        "/articles/vpn/rollback",
        "/sign-out",
    ],
)
def test_every_form_needs_the_token_and_this_origin(
    kb: Application, browser: Browser, gap: Gap, path: str
) -> None:
    draft = store_draft(kb, "drf_1", gap)
    form = {"decision": "approve", "draft_hash": draft.draft_hash, "version": "1"}
    assert browser.post(path, **form).status_code == 303
    browser.sign_in(make_key(kb))
    assert browser.post(path, **form | {"csrf_token": "forged"}).status_code == 403
    evil = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
    assert browser.post(path, evil, **form).status_code == 403
    with kb.database.read() as connection:
        assert connection.execute(select(tables.reviews)).all() == []


def test_an_article_shows_versions_and_can_serve_an_earlier_one(
    kb: Application, browser: Browser
) -> None:
    file = kb.root / "articles" / "vpn.md"
    file.write_text(file.read_text().replace("20 seconds", "a minute"))
    list(kb.sync_sources())
    browser.sign_in(make_key(kb))
    text = browser.get("/articles/vpn").text
    assert "Version 2" in text
    assert "Can it be trusted?" in text
    assert "<del>20 seconds</del>" in browser.get("/articles/vpn?version=1").text
    assert "Serve version 1 again?" in browser.get("/articles/vpn/rollback?version=1").text
    assert browser.post("/articles/vpn/rollback", version="1").status_code == 303
    with kb.database.read() as connection:
        document = articles.read_document(connection, "vpn")
        assert document.version == 3
        assert "20 seconds" in articles.read_version(connection, "vpn", 3).markdown
    assert browser.get("/articles/vpn?version=9").status_code == 404
    assert browser.get("/articles/nothing").status_code == 404


def test_many_tickets_wait_behind_a_link(kb: Application, browser: Browser) -> None:
    many = make_tickets("M", [(f"Subject {n}", "Body", "Solved") for n in range(500)])
    many = [replace(ticket, created_at=ticket.created_at.replace(year=2025)) for ticket in many]
    store_draft(kb, "drf_1", store_gap(kb, "gap_many", many))
    browser.sign_in(make_key(kb))
    short, full = browser.get("/review/drf_1").text, browser.get("/review/drf_1?tickets=all").text
    assert "Show all 500" in short
    assert short.count("ticket-subject") < 40
    assert full.count("ticket-subject") == 500


def test_the_stylesheet_may_be_cached(browser: Browser) -> None:
    answer = browser.get("/static/kbops.css")
    assert answer.headers["content-type"].startswith("text/css")
    assert "max-age" in answer.headers["cache-control"]


def test_pages_are_not_cached_and_run_nothing(kb: Application, browser: Browser) -> None:
    browser.sign_in(make_key(kb))
    answer = browser.get("/review")
    assert answer.headers["cache-control"] == "no-store"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "<script" not in answer.text
    assert " style=" not in answer.text


def test_an_outage_is_a_page(
    kb: Application, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser.sign_in(make_key(kb))

    def fail(*_: object, **__: object) -> None:
        raise UnavailableError("database: locked")

    monkeypatch.setattr("api.pages.inbox_page.read_lines", fail)
    answer = browser.get("/review")
    assert answer.status_code == 503
    assert "Not available right now" in answer.text
