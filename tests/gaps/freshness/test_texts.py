"""What is read of articles, tickets and files, hostile ones included."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from gaps.freshness.duplicates import find_twins
from gaps.freshness.outside import read_edits, read_releases, summarise_edits
from gaps.freshness.resolutions import (
    Claim,
    agree_on,
    find_claims,
    find_named,
    followed_in_vain,
    read_claims,
)
from gaps.freshness.terms import ArticleText, find_ticket_terms, read_article_text
from gaps.types import TicketStatus
from kb.errors import InvalidInputError
from tests.gaps.drafting.factories import make_reply, make_ticket

ARTICLE = """\
Open **Device settings** → Network → Proxy in Fennapp 102 and enter E-417.
See https://help.example/hub-reset.
You have 14 days from delivery to return it, until 31 March 2027.
"""


def test_what_an_article_says_that_can_go_out_of_date() -> None:
    text = read_article_text(ARTICLE)
    assert text.menus == {"device settings", "network", "proxy"}
    assert text.codes == {"e-417"}
    assert text.versions == {"fennapp": (102,)}
    assert text.links == ("https://help.example/hub-reset",)
    assert text.dates == (datetime(2027, 3, 31).toordinal(),)
    assert ArticleText.from_json(text.to_json()) == text


def test_months_years_and_quantities_are_no_versions() -> None:
    text = read_article_text("In May 2026 wait Within 14 days, Step 3, EUR 120, Windows 11.")
    assert text.versions == {"windows": (11,)}


@pytest.mark.parametrize("piece", ["A > " * 5_000, "Aa " * 20_000, "**" * 20_000, "A_" * 20_000,
                                   '"A' * 9_000, "https://" * 4_000, "→" * 30_000])  # fmt: skip
def test_hostile_texts_are_read_in_time(piece: str) -> None:
    started = time.process_time()
    read_article_text(piece)
    find_ticket_terms(piece)
    find_named(piece, {"article-one": "a"})
    followed_in_vain(make_ticket(1, body=piece), named=True)
    assert time.process_time() - started < 4.0


def test_a_ticket_says_each_term_once_and_few() -> None:
    terms = find_ticket_terms("E-417 again E-417 in Fennapp 115. " + " ".join(
        f"ERR_{chr(65 + n // 26)}{chr(65 + n % 26)}X" for n in range(100)))  # fmt: skip
    assert terms[0] == "e-417" and len(terms) == len(set(terms)) == 40


def test_resolutions_state_values_menus_and_versions_otherwise() -> None:
    article = read_claims(ARTICLE)
    told = (
        "You now have 30 days from delivery to return it. Choose **Home settings** in Fennapp 115."
    )
    claims = find_claims(article, make_ticket(1, told))
    assert Claim("menu", "", "home settings") in claims
    assert Claim("version", "fennapp 102", "fennapp 115") in claims
    values = [c for c in claims if c.kind == "value"]
    assert values and "30 days" in values[0].there and "14 days" in values[0].here


def test_one_requester_is_no_agreement() -> None:
    claim = Claim("value", "14 days", "30 days")
    assert agree_on([(claim, "ana", "T-1"), (claim, "ana", "T-2")]) is None
    found = agree_on([(claim, "ana", "T-2"), (claim, "ana", "T-1"), (claim, "ben", "T-3")])
    assert found is not None and found.tickets == ("T-1", "T-3")


def test_requesters_name_articles_by_id_or_address() -> None:
    ids = {"hub-offline": "hub-offline", "returns-2026": "doc-7"}
    text = "I read https://help.example/en/kb/Returns-2026?x=1#top and hub-offline."
    assert find_named(text, ids) == {"hub-offline", "doc-7"}
    assert find_named("my hub is offline", ids) == set()


def test_following_in_vain_must_be_said_by_the_requester() -> None:
    said = "I followed hub-offline and it did not work."
    assert followed_in_vain(make_ticket(1, body=said), named=True)
    assert not followed_in_vain(make_ticket(1, body=said), named=False)
    assert not followed_in_vain(make_ticket(1, body="hub-offline was useful"), named=True)
    later = make_ticket(
        2, replies=(make_reply("The steps did not work.", "customer"),), status=TicketStatus.OPEN
    )
    assert followed_in_vain(later, named=False)
    agent = make_ticket(3, replies=(make_reply("The steps did not work."),),
                        status=TicketStatus.OPEN)  # fmt: skip
    assert not followed_in_vain(agent, named=False)


def test_twins_by_blocks_are_those_of_all_pairs() -> None:
    generator = np.random.default_rng(5)
    vectors = generator.normal(size=(600, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    whole = vectors @ vectors.T
    wanted = {(i, j) for i, j in zip(*np.nonzero(np.triu(whole >= 0.97, 1)), strict=True)}
    assert wanted
    assert {(i, j) for i, j, _ in find_twins(vectors, range(600), 0.97)} == wanted
    some = {(i, j) for i, j, _ in find_twins(vectors, [3, 400], 0.97)}
    assert some == {(i, j) for i, j in wanted if {i, j} & {3, 400}}


def test_a_thousand_copies_are_bounded() -> None:
    copies = np.ones((1_000, 4), np.float32) / 2
    assert len(find_twins(copies, range(1_000), 0.9)) <= 10_000


def test_releases_and_edits_are_read_from_files(tmp_path: Path) -> None:
    releases = tmp_path / "releases.csv"
    releases.write_text('name,version,date,notes\nHub,12,2026-05-01,"Renamed ""Home"""\n')
    assert read_releases(releases)[0].notes == 'Renamed "Home"'
    log = tmp_path / "activity.csv"
    log.write_text("document_id,date,views\na,2026-05-01,\na,2026-10-01,\na,2026-10-02,70\n")
    seen = summarise_edits(read_edits(log)["a"], datetime(2026, 6, 1, tzinfo=UTC))
    assert (seen.revisions, seen.views) == (1, None)
    later = summarise_edits(read_edits(log)["a"], datetime(2026, 11, 1, tzinfo=UTC))
    assert (later.revisions, later.views) == (2, 70)
    assert later.last_revised_at == datetime(2026, 10, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name,version\nHub,12\n", ":1: lacks the column 'date'"),
        ("name,version,date\nHub,12,soon\n", ":2: 'soon' is no date"),
        ("name,version,date\nHub,,2026-01-01\n", ":2: needs"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, text: str, expected: str) -> None:
    file = tmp_path / "releases.csv"
    file.write_text(text)
    with pytest.raises(InvalidInputError) as refused:
        read_releases(file)
    assert expected in f"{refused.value}".replace(str(file), "")
