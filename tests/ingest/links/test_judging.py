"""Links to our own articles are judged by what is known, others by what they answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ingest.answers import Fetched
from ingest.links.judging import (
    MISSING,
    KnownDocument,
    KnownPlaces,
    LinkState,
    LinkVerdict,
    is_fresh,
    judge_answer,
    judge_document,
)

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)


def known(document_id: str, path: str, *, location: str = "/kb/articles", url: str | None = None,
          state: str = "validated", deleted: bool = False) -> KnownDocument:  # fmt: skip
    return KnownDocument(document_id, location, path, url, state, deleted)


HELP = "https://help.example.com"
ORIGIN = known("reset", "router/reset.md", url=f"{HELP}/en/reset")
PLACES = KnownPlaces(
    [
        ORIGIN,
        known("light", "router/light.md"),
        known("old", "old.md", state="archived", url=f"{HELP}/en/old"),
        known("gone", "gone.md", deleted=True),
        known("refunds", "refunds.md", location="/kb/policies"),
        known("moved-before", "light-2.md", deleted=True),
        known("moved-after", "light-2.md"),
    ]
)


@pytest.mark.parametrize(
    ("link", "meant"),
    [
        ("light.md", "light"),
        ("./light.md#colours", "light"),
        ("../old.md", "old"),
        ("/old.md", "old"),
        ("../../policies/refunds.md", "refunds"),
        ("../gone.md", "gone"),
        ("../light-2.md", "moved-after"),
        ("light", "light"),
        ("refunds#top", "refunds"),
        (f"{HELP}/en/old/", "old"),
        ("http://HELP.example.com/en/old#x", "old"),
        ("/en/old", "old"),
        ("other?x=1", f"{HELP}/en/other?x=1"),
        ("/other", f"{HELP}/other"),
        ("https://other.example/x", "https://other.example/x"),
        ("//other.example/x", "https://other.example/x"),
        ("nowhere.md", ""),
        ("../../../../etc/passwd.md", ""),
        ("javascript:alert(1)", None),
        ("ftp://x.example/", None),
        ("http://[", None),
    ],
)
def test_a_link_means_a_document_of_ours_or_a_page_of_others(link: str, meant: str | None) -> None:
    found = PLACES.resolve(ORIGIN, link)
    assert (found.document_id if isinstance(found, KnownDocument) else found) == meant


def test_a_relative_link_of_an_article_without_url_that_is_no_article_means_nothing() -> None:
    origin = known("light", "router/light.md")
    assert PLACES.resolve(origin, "picture.png") is None


@pytest.mark.parametrize(
    ("document", "verdict"),
    [(ORIGIN, "ok"), (known("a", "a.md", state="archived"), "archived"),
     (known("a", "a.md", deleted=True), "dead"),
     (known("a", "a.md", state="archived", deleted=True), "dead"), (MISSING, "dead")],
)  # fmt: skip
def test_our_own_articles_are_judged_from_what_is_known(
    document: KnownDocument, verdict: str
) -> None:
    state = judge_document(document, NOW)
    assert (state.verdict, state.status_code) == (verdict, None)
    assert state.target == (document.document_id or None)


@pytest.mark.parametrize(
    ("status", "redirects", "verdict"),
    [
        (200, (), "ok"), (204, (), "ok"), (404, (), "dead"), (410, (), "dead"),
        (401, (), "unknown"), (403, (), "unknown"), (429, (), "unknown"), (500, (), "unknown"),
        (503, (), "unknown"), (304, (), "unknown"),
        (200, (301,), "redirected"), (200, (308, 301), "redirected"), (200, (302,), "ok"),
        (200, (301, 302), "ok"), (404, (301,), "dead"), (403, (301,), "unknown"),
    ],
)  # fmt: skip
def test_only_what_is_certain_is_dead(
    status: int, redirects: tuple[int, ...], verdict: str
) -> None:
    hops = tuple((code, "https://x.example/new") for code in redirects)
    state = judge_answer(Fetched("https://x.example/new", status, {}, b"", hops), NOW)
    assert (state.verdict, state.status_code) == (verdict, status)
    assert state.target == ("https://x.example/new" if redirects else None)


def test_a_finding_stands_for_its_time_and_one_from_the_future_never() -> None:
    state = LinkState(LinkVerdict.OK, 200, None, NOW)
    ages = {LinkVerdict.OK: 6}
    assert is_fresh(state, NOW + timedelta(days=5), ages)
    assert not is_fresh(state, NOW + timedelta(days=6), ages)
    assert not is_fresh(state, NOW - timedelta(days=1), ages)
    assert not is_fresh(LinkState(LinkVerdict.DEAD, 404, None, NOW), NOW, ages)
