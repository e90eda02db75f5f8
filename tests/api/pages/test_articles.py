"""The list of articles, their history with its reasons, the way back, and the verified trail."""

from __future__ import annotations

import re
from typing import Any

import pytest
from sqlalchemy import insert, text, update

from api.wiring import Application
from gaps.drafting.drafts import make_id
from gaps.tables import effects
from kb import articles, audit
from kb.tables import documents
from kb.types import Role
from tests.api.pages.factories import (
    CHANGED_ARTICLE,
    VPN_TICKETS,
    Browser,
    make_key,
    make_person,
    make_tickets,
    store_draft,
    store_gap,
)


def titles(page: str) -> list[str]:
    return re.findall(r'class="cover" href="/articles/[^"]*">([^<]*)<', page)


def edit_file(kb: Application, before: str, after: str) -> None:
    file = kb.root / "articles" / "vpn.md"
    file.write_text(file.read_text().replace(before, after))


def publish(kb: Application) -> dict[str, Any]:
    """A change of the VPN article, approved by its owner."""
    gap = store_gap(kb, "gap_1", make_tickets("A", VPN_TICKETS), title="Old client is named")
    draft = store_draft(kb, "drf_1", gap, title="Connect to the company network",
                        document_id="vpn", base_version=1, markdown=CHANGED_ARTICLE)  # fmt: skip
    return kb.publishing.review(
        "drf_1", "approve", caller=kb.local_caller("ines"), draft_hash=draft.draft_hash
    )


def served(kb: Application) -> tuple[int, str]:
    with kb.database.read() as connection:
        document = articles.read_document(connection, "vpn")
        return document.version, articles.read_version(connection, "vpn", document.version).markdown


def test_the_list_finds_by_title_by_id_and_by_text(kb: Application, browser: Browser) -> None:
    browser.sign_in(make_key(kb))
    assert titles(browser.get("/articles").text) == [
        "Connect to the company network", "Get your money back",
    ]  # fmt: skip
    assert titles(browser.get("/articles?text=MONEY+back").text) == ["Get your money back"]
    assert titles(browser.get("/articles?text=refund").text)[:1] == ["Get your money back"]
    by_text = browser.get("/articles?text=gateway+password").text
    assert "Found in the text" in by_text
    assert "Connect to the company network" in titles(by_text)


def test_the_list_is_narrowed_by_owner_source_and_audience(
    kb: Application, browser: Browser
) -> None:
    browser.sign_in(make_key(kb))
    with kb.database.write() as connection:
        connection.execute(update(documents).where(documents.c.id == "vpn").values(owner="tom"))
    assert titles(browser.get("/articles?owner=tom").text) == ["Connect to the company network"]
    assert titles(browser.get("/articles?source=help&audience=public").text)
    for nothing in ("owner=nobody", "source=none", "audience=internal", "text=zzzzqqq&owner=tom"):
        page = browser.get(f"/articles?{nothing}")
        assert page.status_code == 200
        assert titles(page.text) == [], nothing


@pytest.mark.parametrize(
    "query", ["text=%25", "text=_", "text=%27%3B--", "audience=x", "text=" + "a" * 900]
)
def test_odd_words_are_words(kb: Application, browser: Browser, query: str) -> None:
    browser.sign_in(make_key(kb))
    page = browser.get(f"/articles?{query}")
    assert page.status_code == 200
    assert '<ul class="rows">' not in page.text.split("Found in the text")[0] or "audience" in query


def test_a_version_says_who_when_why_and_what_came_of_it(kb: Application, browser: Browser) -> None:
    publication = publish(kb)
    with kb.database.write() as connection:
        connection.execute(insert(effects).values(
            id=make_id("eff"), publication_id=publication["publication_id"],
            measured_at=kb.clock.now(), verdict="worked",
            report={"why": "7 of 9 find it now <b>"}))  # fmt: skip
    browser.sign_in(make_key(kb))
    page = browser.get("/articles/vpn").text
    newest = page.split('id="version-2"')[1].split("</li>\n      <li")[0]
    for said in ("served now", "ines", "/review/drf_1", "/gaps/gap_1", "Old client is named",
                 "Approved by ines", "Worked", "7 of 9 find it now &lt;b&gt;"):  # fmt: skip
        assert said in newest, said
    oldest = page.split('id="version-1"')[1]
    assert "Read from help: new in source" in oldest
    assert "compare?before=1&amp;after=2" in oldest and "rollback?version=1" in oldest


def test_any_two_versions_are_compared_by_word(kb: Application, browser: Browser) -> None:
    edit_file(kb, "20 seconds", "a minute")
    list(kb.sync_sources())
    edit_file(kb, "a minute", "an hour")
    list(kb.sync_sources())
    browser.sign_in(make_key(kb))
    page = browser.get("/articles/vpn/compare?before=1&after=3").text
    assert "<del>20 seconds</del>" in page and "<ins>an hour</ins>" in page
    back = browser.get("/articles/vpn/compare?before=3&after=1").text
    assert "<ins>20 seconds</ins>" in back
    assert "No word differs" in browser.get("/articles/vpn/compare?before=2&after=2").text
    for missing in ("before=1&after=9", "before=1", "before=x&after=1", "before=0&after=1"):
        assert browser.get(f"/articles/vpn/compare?{missing}").status_code in (404, 422)
    assert browser.get("/articles/none/compare?before=1&after=2").status_code == 404


def test_going_back_is_a_new_version_and_says_where_it_came_from(
    kb: Application, browser: Browser
) -> None:
    publish(kb)
    edit_file(kb, "20 seconds", "a minute")
    list(kb.sync_sources())
    browser.sign_in(make_key(kb))
    assert "Serve version 1 again?" in browser.get("/articles/vpn/rollback?version=1").text
    answer = browser.post("/articles/vpn/rollback", version="1", base="3")
    assert answer.status_code == 303
    assert (served(kb)[0], "BorderGate" in served(kb)[1]) == (4, True)
    page = browser.get("/articles/vpn").text
    assert "An earlier text served again: rollback to version 1" in page
    assert "BorderGate" in (kb.root / "articles" / "vpn.md").read_text()
    assert next(iter(kb.sync_sources())).get("changed", []) in ([], 0)
    assert served(kb)[0] == 4


def test_going_back_from_what_is_no_longer_served_shows_the_conflict(
    kb: Application, browser: Browser
) -> None:
    publish(kb)
    browser.sign_in(make_key(kb))
    browser.get("/articles/vpn/rollback?version=1")
    edit_file(kb, "20 seconds", "a minute")
    list(kb.sync_sources())
    answer = browser.post("/articles/vpn/rollback", version="1", base="2")
    assert answer.status_code == 412
    assert "What changed since you looked" in answer.text and "a minute" in answer.text
    assert 'name="base" value="3"' in answer.text
    assert served(kb)[0] == 3


def test_a_file_that_somebody_changed_is_not_written_over(
    kb: Application, browser: Browser
) -> None:
    for words in ("a minute", "an hour"):
        edit_file(kb, "20 seconds" if words == "a minute" else "a minute", words)
        list(kb.sync_sources())
    edit_file(kb, "an hour", "nobody has synced this")
    browser.sign_in(make_key(kb))
    answer = browser.post("/articles/vpn/rollback", version="1", base="3")
    assert answer.status_code == 412
    assert "Nothing was changed" in answer.text and "sync the source first" in answer.text
    assert "nobody has synced this" in (kb.root / "articles" / "vpn.md").read_text()
    assert served(kb)[0] == 3


def test_going_back_to_what_is_served_changes_nothing(kb: Application, browser: Browser) -> None:
    browser.sign_in(make_key(kb))
    answer = browser.post("/articles/vpn/rollback", version="1", base="1")
    assert answer.status_code == 409 and "already" in answer.text
    assert served(kb)[0] == 1
    assert browser.post("/articles/vpn/rollback", version="9", base="1").status_code == 404


def test_only_its_owner_and_editors_go_back_or_see_the_trail(
    kb: Application, browser: Browser
) -> None:
    publish(kb)
    make_person(kb, "tom", owner="tom")
    make_person(kb, "eda", Role.EDITOR, None)
    browser.sign_in_as("tom")
    page = browser.get("/articles/vpn").text
    assert "rollback?version" not in page and "/audit" not in page
    for path in ("/articles/vpn/audit", "/articles/vpn/rollback?version=1"):
        assert browser.get(path).status_code == 403
    assert browser.post("/articles/vpn/rollback", version="1", base="2").status_code == 403
    browser.sign_in_as("eda")
    assert browser.get("/articles/vpn/audit").status_code == 200
    assert browser.post("/articles/vpn/rollback", version="1", base="2").status_code == 303


def test_the_trail_holds_the_articles_entries_and_the_verdict_on_the_chain(
    kb: Application, browser: Browser
) -> None:
    publish(kb)
    browser.sign_in(make_key(kb))
    page = browser.get("/articles/vpn/audit").text
    with kb.database.read() as connection:
        count, head = audit.verify_chain(connection)
    assert "The chain holds" in page and head in page and f"{count} entries" in page
    assert "<b>draft.publish</b> by ines" in page and "<b>draft.approve</b> by ines" in page
    assert "session.begin" not in page and "key.create" not in page
    assert browser.get("/articles/none/audit").status_code == 404


def test_a_broken_chain_is_told_on_the_page(kb: Application, browser: Browser) -> None:
    publish(kb)
    browser.sign_in(make_key(kb))
    with kb.database.write() as connection:
        connection.execute(text("UPDATE audit SET actor = 'somebody' WHERE seq = 2"))
    page = browser.get("/articles/vpn/audit")
    assert page.status_code == 200
    assert "The chain is broken" in page.text
    assert "audit entry 2 does not follow" in page.text
    assert "The chain holds" not in page.text


def test_going_back_past_a_publication_counts_against_autonomy(kb: Application) -> None:
    """Whoever goes back to an older version takes what lies between back, too."""
    publish(kb)
    edit_file(kb, "20 seconds", "a minute")
    list(kb.sync_sources())
    row = kb.autonomy.read_standings("ines")[1]
    assert row.record.approvals == ("drf_1",)
    kb.publishing.rollback_article("vpn", 1, kb.operator)
    row = kb.autonomy.read_standings("ines")[1]
    assert row.record.approvals == () and row.record.broken_by is not None
    assert row.record.broken_by.event == "rolled_back"
