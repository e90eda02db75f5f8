"""Asking as a person: the same answer as an agent's, why it ranks so, and saying what is wrong."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from api.pages.search_facts import cut_passage, describe_change, explain_place, ordinal
from api.wiring import Application
from gaps.tables import signals
from kb import searchlog
from kb.comparing import Change
from kb.tables import outcomes, searches
from kb.types import Audience, SearchRequest
from tests.api.pages.factories import Browser, make_key

QUESTION = "How do I connect to the company network?"


@pytest.fixture
def signed_in(kb: Application, browser: Browser) -> Browser:
    browser.sign_in(make_key(kb))
    browser.get("/search")
    return browser


def ask(browser: Browser, question: str = QUESTION, audience: str = "public") -> str:
    """Ask, and the address of the answer."""
    answer = browser.post("/search", q=question, audience=audience)
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


def rows_of(kb: Application, table: Any) -> list[Any]:
    with kb.database.read() as connection:
        return list(connection.execute(select(table)).all())


def test_only_who_is_signed_in_may_ask(browser: Browser) -> None:
    for path in ("/search", "/search/se_1"):
        answer = browser.get(path)
        assert answer.status_code == 303 and "/sign-in" in answer.headers["location"]
    assert browser.post("/search", q="x").status_code == 303


def test_an_answer_is_an_agent_s_with_verdicts_and_reasons(
    kb: Application, signed_in: Browser
) -> None:
    place = ask(signed_in)
    assert re.fullmatch(r"/search/se_[0-9a-f]+", place), "no question in the address"
    page = signed_in.get(place)
    assert page.status_code == 200
    served = kb.retriever.search(SearchRequest(QUESTION), Audience.PUBLIC)
    shown = re.findall(r'<h2 id="hit-\d+-title"><a href="/articles/([^"]+)"', page.text)
    assert shown == [hit.chunk.document.document_id for hit in served.hits]
    for wanted in ("Why here", "owned by ines", "Help article", "Confidence", "Asked by you"):
        assert wanted in page.text
    assert QUESTION in page.text
    assert "<script" not in page.text and "style=" not in page.text
    (row,) = rows_of(kb, searches)
    assert (row.query, row.audience) == (QUESTION, "public")


def test_a_search_shown_again_is_not_kept_again(kb: Application, signed_in: Browser) -> None:
    place = ask(signed_in)
    for _ in range(3):
        signed_in.get(place)
    assert len(rows_of(kb, searches)) == 1


def test_asking_as_somebody_else_shows_what_they_would_see(
    kb: Application, signed_in: Browser
) -> None:
    folder = kb.root / "articles"
    (folder / "inside.md").write_text(
        "---\nid: inside\ntitle: The company network inside\naudience: internal\n---\nSecret gate.\n"
    )
    list(kb.sync_sources())
    assert "Secret gate" not in signed_in.get(ask(signed_in)).text
    assert "Secret gate" in signed_in.get(ask(signed_in, audience="internal")).text
    assert signed_in.post("/search", q="x", audience="king").status_code == 400


@pytest.mark.parametrize("question", ["", "   \n", "x" * 20_001])
def test_an_empty_or_endless_question_is_not_asked(
    kb: Application, signed_in: Browser, question: str
) -> None:
    answer = signed_in.post("/search", q=question, audience="public")
    assert answer.status_code == 422 and 'role="alert"' in answer.text
    assert rows_of(kb, searches) == []


def test_hostile_words_show_as_words(signed_in: Browser) -> None:
    page = signed_in.get(ask(signed_in, "<script>alert(1)</script> network \u202e"))
    assert "<script" not in page.text
    assert "&lt;script&gt;" in page.text


def test_a_wrong_answer_is_the_outcome_an_agent_would_report(
    kb: Application, signed_in: Browser
) -> None:
    place = ask(signed_in)
    page = signed_in.get(place)
    assert page.text.count("Mark as wrong") == 2
    answer = signed_in.post(f"{place}/wrong", document_id="vpn", note="Mail jo@example.org instead")
    assert answer.headers["location"] == f"{place}?done=wrong"
    signed_in.post(f"{place}/wrong", document_id="refunds")
    (row,) = rows_of(kb, outcomes)
    assert (row.outcome, row.document_ids) == ("wrong", ["vpn", "refunds"])
    assert row.note == "Mail [email] instead"
    page = signed_in.get(f"{place}?done=wrong")
    assert page.text.count("Marked wrong") == 2 and "Mark as wrong" not in page.text
    assert 'role="status"' in page.text


def test_a_missing_answer_is_the_signal_an_agent_would_send(
    kb: Application, signed_in: Browser
) -> None:
    place = ask(signed_in)
    for _ in range(2):
        assert signed_in.post(f"{place}/missing", reason="unfindable").status_code == 303
    (row,) = rows_of(kb, signals)
    assert (row.question, row.reason, row.audience) == (QUESTION, "unfindable", "public")
    assert set(row.found) == {"vpn", "refunds"}
    assert signed_in.post(f"{place}/missing", reason="restricted").status_code == 400


def test_what_is_marked_must_have_been_shown_to_the_one_who_marks(
    kb: Application, signed_in: Browser, open_browser: Callable[..., Browser]
) -> None:
    place = ask(signed_in)
    assert signed_in.post(f"{place}/wrong", document_id="other").status_code == 400
    other = open_browser()
    other.sign_in(make_key(kb, owner="tom"))
    page = other.get(place)
    assert page.status_code == 200 and "Mark as wrong" not in page.text
    assert "Asked by key_" in page.text
    for form in ({"document_id": "vpn"}, {"reason": "missing"}):
        kind = "wrong" if "document_id" in form else "missing"
        assert other.post(f"{place}/{kind}", **form).status_code == 404
    assert rows_of(kb, outcomes) == [] and rows_of(kb, signals) == []
    assert other.get("/search/se_0").status_code == 404


@pytest.mark.parametrize("path", ["/search", "/wrong", "/missing"])
def test_a_form_of_another_site_is_refused(kb: Application, signed_in: Browser, path: str) -> None:
    place = ask(signed_in)
    target = path if path == "/search" else place + path
    form = {"q": "x", "document_id": "vpn"}
    assert signed_in.post(target, {"Origin": "https://evil.example"}, **form).status_code == 403
    assert signed_in.post(target, **form, csrf_token="").status_code == 403
    assert rows_of(kb, outcomes) == [] and rows_of(kb, signals) == []


def test_an_agent_s_search_shows_what_is_different_today(
    kb: Application, signed_in: Browser
) -> None:
    request = SearchRequest(QUESTION)
    response = kb.retriever.search(request, Audience.PUBLIC)
    with kb.database.write() as connection:
        search_id = searchlog.write_search(
            connection, request, response, audience=Audience.PUBLIC, key_id="key_agent",
            at=kb.clock.now(),
        )  # fmt: skip
    (kb.root / "articles" / "refunds.md").unlink()
    list(kb.sync_sources())
    page = signed_in.get(f"/search/{search_id}").text
    assert "Asked by key_agent" in page
    assert "No longer in the answer" in page and "Get your money back" in page


def test_the_form_lists_what_agents_could_not_answer(kb: Application, signed_in: Browser) -> None:
    request = SearchRequest("zzz qqq")
    with kb.database.write() as connection:
        searchlog.write_search(
            connection, request, kb.retriever.search(request, Audience.PUBLIC),
            audience=Audience.PUBLIC, key_id="key_agent", at=kb.clock.now(),
        )  # fmt: skip
    ask(signed_in)
    page = signed_in.get("/search").text
    unanswered, asked = page.split('id="recent-title"')
    assert "zzz qqq" in unanswered and "zzz qqq" not in asked and QUESTION in asked


def test_the_stylesheet_is_served_as_one(signed_in: Browser) -> None:
    page = signed_in.get("/search").text
    found = re.search(r'href="(/static/search\.css\?v=\w+)"', page)
    assert found is not None
    assert signed_in.get(found.group(1)).headers["content-type"].startswith("text/css")


def test_places_are_told_strongest_first() -> None:
    why = {"semantic_rank": 3, "lexical_rank": 1, "title_rank": 22}
    assert explain_place(why) == "Best by words, 3rd in meaning and 22nd by title."
    assert explain_place({"semantic_rank": 1, "learned_rank": 2, "votes_part": 3.0}) == (
        "Solved questions like this one before and nearest in meaning. Place 2 by what was learned."
    )
    assert explain_place({}) == "Brought in by what was learned from solved tickets."
    assert [ordinal(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 111)] == [
        "1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "111th",
    ]  # fmt: skip


def test_a_long_passage_is_cut_between_paragraphs_and_loses_nothing() -> None:
    text = "\n\n".join(f"Paragraph {number}. " + "word " * 40 for number in range(12))
    first, rest = cut_passage(text)
    assert 200 < len(first) < 1_000 and rest.startswith("Paragraph")
    assert " ".join(f"{first} {rest}".split()) == " ".join(text.split())
    assert cut_passage("short") == ("short", "")
    assert cut_passage("x" * 9_000) == ("x" * 9_000, "")


def test_every_kind_of_change_has_words() -> None:
    assert describe_change(Change("verdict_changed", "a", None, ["b"], "overrules")) == (
        "What it overrules was nothing"
    )
    assert describe_change(Change("verdict_changed", "a", "stale", "fresh", "freshness")) == (
        "Freshness was stale"
    )
    assert describe_change(Change("moved", "a", 4, 1)) == "Was place 4"
