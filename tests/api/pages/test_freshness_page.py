"""The freshness queue and an article's history, as a browser gets them."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from api.pages.freshness.chart import draw_history
from api.pages.freshness.evidence import Known, show_piece
from api.pages.freshness.listing import QueueQuery
from api.pages.freshness.timeline import CONFIRMED, JUDGED, Moment
from api.settings.knowledge import ActionSettings
from api.wiring import Application
from gaps import repository
from gaps.drafting.drafts import read_drafts
from gaps.types import GapKind
from kb import articles, audit
from kb.tables import documents
from kb.types import Role
from tests.api.pages.doubts import add_article, check_link, doubt, judge, reason, rewrite_article
from tests.api.pages.factories import (
    CHANGED_ARTICLE,
    NOW,
    VPN_TICKETS,
    Browser,
    make_key,
    make_tickets,
    store_draft,
    store_gap,
)
from tests.api.pages.vectors import VECTORS

AGE = reason("age", 0.1, "last confirmed 400 days ago, due every 180 days")
READY_AGE = reason("age", 0.1, "last confirmed 400 days ago", ready="12 uses, none ended badly")
BACK = reason("tickets", 0.6, "6 of 9 tickets it was used on came back", ["FM-0", "FM-1"])
LOST = reason("conflict", 0.9, "vpn says 8 hours, this says 12", ["vpn"])
TITLE = re.compile(r'<h2><a href="/freshness/[^"]*">([^<]*)</a></h2>')


def titles(text: str) -> list[str]:
    return TITLE.findall(text)


@pytest.fixture
def world(kb: Application) -> Application:
    """Four articles of two owners, judged."""
    add_article(kb, "refund-late", "Refund comes late", owner="tom")
    add_article(kb, "guest-wifi", "Guest Wi-Fi")
    with kb.database.write() as connection:
        for ticket in make_tickets("FM", VPN_TICKETS):
            repository.write_ticket(connection, ticket, "0" * 64, exists=False, now=NOW)
    judge(
        kb,
        doubt("vpn", "stale", damage=8.0, reasons=[BACK, AGE]),
        doubt("refund-late", "conflict", damage=2.0, probability=0.9, reasons=[LOST]),
        doubt("guest-wifi", "due", damage=0.5, probability=0.1, reasons=[READY_AGE]),
        doubt("refunds", "fresh", damage=0.0, probability=0.02),
    )
    return kb


@pytest.fixture
def editor(world: Application, browser: Browser) -> Browser:
    browser.sign_in(make_key(world, Role.EDITOR, None))
    return browser


@pytest.fixture
def owner(world: Application, browser: Browser) -> Browser:
    browser.sign_in(make_key(world, Role.OWNER, "ines"))
    return browser


def read_document(kb: Application, document_id: str) -> Any:
    with kb.database.read() as connection:
        return articles.read_document(connection, document_id)


def last_entry(kb: Application) -> Any:
    with kb.database.read() as connection:
        return next(iter(audit.read_entries(connection, limit=1)))


def test_the_queue_is_ranked_by_damage_with_its_pareto_line(editor: Browser) -> None:
    text = editor.get("/freshness").text
    assert titles(text) == ["Connect to the company network", "Refund comes late", "Guest Wi-Fi"]
    assert "This one closes 80 %" not in text and "These 2 close 80 %" in text
    assert text.index("Refund comes late") < text.index('id="pareto"') < text.index("Guest Wi-Fi")
    assert "6 of 9 tickets it was used on came back" in text
    assert 'href="/freshness/vpn#ticket-FM-0"' in text and 'href="/articles/vpn"' in text
    assert "Judged" in text and "Next check" in text


def test_filters_narrow_and_say_how_many(editor: Browser) -> None:
    text = editor.get("/freshness").text
    assert "tom (1)" in text and "Contradicted (1)" in text and "Past its interval (2)" in text
    assert titles(editor.get("/freshness?owner=tom").text) == ["Refund comes late"]
    assert titles(editor.get("/freshness?verdict=fresh").text) == ["Get your money back"]
    everything = editor.get("/freshness?verdict=any").text
    assert len(titles(everything)) == 4 and "Fresh (1)" in everything
    assert titles(editor.get("/freshness?signal=age&text=guest").text) == ["Guest Wi-Fi"]
    assert titles(editor.get("/freshness?show=ready").text) == ["Guest Wi-Fi"]
    assert "Nothing matches this filter" in editor.get("/freshness?text=nothing").text


def test_pages_follow_each_other(kb: Application, browser: Browser) -> None:
    for number in range(30):
        (kb.root / "articles" / f"a{number:02}.md").write_text(
            f"---\nid: a{number:02}\ntitle: Article {number:02}\n---\nText {number}.\n"
        )
    list(kb.sync_sources())
    judge(kb, *(doubt(f"a{n:02}", damage=30.0 - n, reasons=[AGE]) for n in range(30)))
    browser.sign_in(make_key(kb, Role.EDITOR, None))
    first, second = browser.get("/freshness").text, browser.get("/freshness?offset=25").text
    assert titles(first)[0] == "Article 00" and titles(second)[0] == "Article 25"
    assert "1–25 of 30" in first and "26–30 of 30" in second


def test_an_owner_sees_and_opens_only_what_is_theirs(owner: Browser) -> None:
    assert "Refund comes late" not in owner.get("/freshness?owner=tom").text
    foreign, missing = owner.get("/freshness/refund-late"), owner.get("/freshness/none")
    assert foreign.status_code == missing.status_code == 404
    assert foreign.text.replace("refund-late", "none") == missing.text
    sent = owner.post("/freshness/refund-late/verify", version=1, reason="Asked.")
    assert sent.status_code == 404


def test_several_are_confirmed_with_a_reason_and_an_interval(
    world: Application, owner: Browser
) -> None:
    owner.get("/freshness")
    answer = owner.post(
        "/freshness/bulk", do="verify", article=["1 vpn", "1 guest-wifi"], reason="Walked through.",
        days="90",
    )  # fmt: skip
    assert answer.status_code == 303 and answer.headers["location"] == "/freshness?n=2"
    assert "2 articles confirmed." in owner.get("/freshness?n=2").text
    document = read_document(world, "guest-wifi")
    assert (document.verified_by, document.metadata.review_every_days) == ("ines", 90)
    entry = last_entry(world)
    assert entry.action == "article.verify"
    assert entry.details == {
        "version": 1, "reason": "Walked through.", "review_every_days": 90, "verdict": "due",
        "probability": 0.1, "ready": "12 uses, none ended badly",
    }  # fmt: skip
    assert titles(owner.get("/freshness").text) == []
    assert len(titles(owner.get("/freshness?show=confirmed").text)) == 2


def test_what_changed_or_is_foreign_is_refused_line_by_line(
    world: Application, owner: Browser
) -> None:
    owner.get("/freshness")
    rewrite_article(world, "guest-wifi", "Another text.")
    answer = owner.post(
        "/freshness/bulk", do="verify", reason="Read it.",
        article=["1 vpn", "1 guest-wifi", "1 refund-late", "hostile"],
    )  # fmt: skip
    assert answer.status_code == 409
    assert "1 of 4 articles done" in answer.text
    assert "It changed since it was listed; read version 2." in answer.text
    assert read_document(world, "vpn").verified_by == "ines"
    assert read_document(world, "guest-wifi").verified_by is None
    assert read_document(world, "refund-late").verified_by is None


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"do": "verify", "article": ["1 vpn"]}, "Say how you know"),
        ({"do": "verify", "reason": "x"}, "Tick the articles"),
        ({"do": "burn", "article": ["1 vpn"], "reason": "x"}, "Choose what to do"),
        ({"do": "verify", "article": ["1 vpn"], "reason": "x", "days": "0"}, "1 to 3,650 days"),
        ({"do": "verify", "article": ["1 vpn"], "reason": "x", "days": "-4"}, "1 to 3,650 days"),
        ({"do": "verify", "article": ["1 vpn"], "reason": "x" * 2001}, "2,000 fit"),
    ],
)
def test_a_wrong_form_says_what_is_missing_and_keeps_its_ticks(
    world: Application, owner: Browser, fields: dict[str, Any], told: str
) -> None:
    owner.get("/freshness")
    answer = owner.post("/freshness/bulk", **fields)
    assert answer.status_code == 400 and told in answer.text
    assert ('value="1 vpn" form="bulk" aria-label="Tick Connect to the company network" checked'
            in answer.text) == ("article" in fields)  # fmt: skip
    assert read_document(world, "vpn").verified_by is None


def test_the_draft_that_waits_is_named_and_without_a_gap_there_is_none(
    world: Application, editor: Browser
) -> None:
    gap = store_gap(
        world, "gap_stale", make_tickets("BG", VPN_TICKETS), kind=GapKind.STALE, documents=["vpn"]
    )
    store_draft(world, "drf_vpn", gap, document_id="vpn", base_version=1, markdown=CHANGED_ARTICLE)
    assert 'href="/review/drf_vpn"' in editor.get("/freshness").text
    answer = editor.post("/freshness/bulk", do="draft", article=["1 vpn", "1 refund-late"])
    assert answer.status_code == 409 and 'href="/review/drf_vpn"' in answer.text
    assert "No gap is open for it" in answer.text
    with world.database.read() as connection:
        assert [d.draft_id for d in read_drafts(connection)] == ["drf_vpn"]


def test_a_draft_is_written_for_a_gap_by_whoever_owns_it(
    world: Application, owner: Browser
) -> None:
    for gap_id, who, document_id in (
        ("gap_stale", "ines", "vpn"), ("gap_tom", "tom", "guest-wifi"),
    ):  # fmt: skip
        store_gap(
            world, gap_id, make_tickets(gap_id, VPN_TICKETS), kind=GapKind.STALE, owner=who,
            documents=[document_id],
        )  # fmt: skip
    text = owner.get("/freshness/vpn").text
    assert "Write the smallest edit" in text and "/review/gaps/gap_stale/draft" in text
    assert "Write the smallest edit" not in owner.get("/freshness/guest-wifi").text
    answer = owner.post("/freshness/bulk", do="draft", article=["1 vpn", "1 guest-wifi"])
    assert answer.status_code == 409
    assert "Its gap is for tom to work on." in answer.text
    with world.database.read() as connection:
        written = read_drafts(connection)
    assert [draft.gap_id for draft in written] == ["gap_stale"]
    assert f'href="/review/{written[0].draft_id}"' in answer.text


def test_an_article_shows_reasons_evidence_links_and_history(
    world: Application, editor: Browser
) -> None:
    judge(
        world, doubt("vpn", "fresh", probability=0.05), doubt("guest-wifi", "fresh"),
        at=NOW - timedelta(days=60),
    )  # fmt: skip
    judge(world, doubt("vpn", "stale", damage=8.0, reasons=[BACK, AGE]))
    check_link(world, "vpn", "https://gate.fennmark.example/x", "dead")
    check_link(world, "vpn", "javascript:alert(1)", "ok")
    text = editor.get("/freshness/vpn").text
    assert "Tickets came back" in text and "60 %" in text and "Without any evidence" in text
    assert 'id="ticket-FM-0"' in text and "Renewed the device certificate" in text
    assert "https://gate.fennmark.example/x" in text and "answered 404" in text
    assert 'href="javascript' not in text
    assert 'class="doubt-path"' in text and "<script" not in text
    assert text.rindex("Stale, version 1") < text.rindex("Fresh, version 1")


def test_one_article_is_confirmed_as_it_was_shown(world: Application, owner: Browser) -> None:
    owner.get("/freshness/vpn")
    wrong = owner.post("/freshness/vpn/verify", version=1, reason=" ")
    assert wrong.status_code == 400 and "Say how you know" in wrong.text
    late = owner.post("/freshness/vpn/verify", version=7, reason="Read it.")
    assert late.status_code == 412 and "version 1 is served now" in late.text
    assert "Read it.</textarea>" in late.text
    done = owner.post("/freshness/vpn/verify", version=1, reason="Read it.", days="30")
    assert done.status_code == 303
    text = owner.get(done.headers["location"]).text
    assert "Confirmed. The next check judges it anew." in text
    assert "Confirmed by ines" in text and "Holds for 30 days" in text


def test_where_kb_toml_forbids_it_nobody_confirms(world: Application, owner: Browser) -> None:
    actions = ActionSettings(reverify_article="forbidden")
    world.settings = world.settings.model_copy(update={"actions": actions})
    assert "lets nobody confirm" in owner.get("/freshness/vpn").text
    answer = owner.post("/freshness/vpn/verify", version=1, reason="Read it.")
    assert answer.status_code == 403
    assert read_document(world, "vpn").verified_by is None


def test_nothing_hostile_in_titles_reasons_and_evidence_is_markup(
    kb: Application, browser: Browser
) -> None:
    with kb.database.write() as connection:
        connection.execute(update(documents).values(title="".join(VECTORS)))
    doubts = [reason(vector[:40], 0.1, vector, [vector]) for vector in VECTORS]
    judge(kb, doubt("vpn", "<b>odd</b>", reasons=doubts), doubt("refunds", "due"))
    for vector in VECTORS:
        check_link(kb, "vpn", vector, "dead", vector)
    browser.sign_in(make_key(kb, Role.EDITOR, None))
    for place in ("/freshness", "/freshness?verdict=any&show=any", "/freshness/vpn"):
        text = browser.get(place).text
        assert all(
            mark not in text.lower()
            for mark in ("<script", "<img", "<iframe", 'onerror="', 'href="javascript', "<b>odd")
        ), place


def test_before_the_first_check_it_says_so(
    kb: Application, open_browser: Callable[..., Browser]
) -> None:
    browser = open_browser()
    browser.sign_in(make_key(kb))
    assert "Nothing was judged yet" in browser.get("/freshness").text
    assert browser.get("/freshness/vpn").status_code == 404


def test_an_address_that_is_nonsense_is_the_plain_list() -> None:
    said = {"show": "x", "verdict": "x", "offset": "९", "text": " a  b "}
    assert QueueQuery.parse(said) == QueueQuery(text="a b")
    asked = QueueQuery(owner="a&b", show="ready", offset=50)
    assert asked.link(offset=25) == "/freshness?show=ready&owner=a%26b&offset=25"


@pytest.mark.parametrize(
    ("piece", "href"),
    [
        ("vpn", "/articles/vpn"),
        ("FM 1", "/freshness/a%20b#ticket-FM%201"),
        ("https://x.example/a", "https://x.example/a"),
        ("javascript:alert(1)", ""),
        ("https://[bad", ""),
        ("data:text/html,x", ""),
    ],
)
def test_evidence_leads_to_where_it_can_be_read(piece: str, href: str) -> None:
    known = Known({"vpn": "VPN"}, frozenset({"FM 1"}))
    assert show_piece(piece, "a b", known).href == href


def test_the_drawing_runs_from_verdict_to_verdict() -> None:
    moments = [
        Moment(NOW, CONFIRMED, "Confirmed by ines"),
        Moment(NOW - timedelta(days=10), JUDGED, "Stale", (), "bad", 1, 0.8),
        Moment(NOW - timedelta(days=20), JUDGED, "Fresh", (), "good", 1, 0.0),
    ]
    chart = draw_history(moments, NOW)
    assert chart is not None
    assert chart.path == "M10.0 122.0H360.0V32.4H710.0"
    assert [mark.x for mark in chart.confirmed] == [710.0]
    assert draw_history(moments[:2], NOW) is None
