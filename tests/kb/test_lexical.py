"""Full-text search: BM25 as the papers have it, and statistics that no audience shares."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kb import lexical
from kb.database import Database
from kb.types import Audience

K1, B = 1.2, 0.75
"""FTS5's constants (sqlite.org/fts5.html, "The bm25() function")."""

WORDS = st.sampled_from("reset resets router phone billing bills hub valve vpn client".split())
TEXTS = st.lists(WORDS, max_size=12).map(" ".join)
CORPORA = st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=8)
REUSED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)


def plain_bm25(corpus: Sequence[tuple[str, str]], terms: Sequence[str]) -> list[tuple[int, float]]:
    """BM25 over title and body, the title's words weighted, written out from the formula."""
    stems = [
        ([lexical.stem(w) for w in title.split()], [lexical.stem(w) for w in body.split()])
        for title, body in corpus
    ]
    lengths = [len(title) + len(body) for title, body in stems]
    mean = sum(lengths) / len(lengths)
    scores: dict[int, float] = {}
    for term in terms:
        wanted = lexical.stem(term)
        held = sum(wanted in title or wanted in body for title, body in stems)
        idf = max(math.log((len(corpus) - held + 0.5) / (held + 0.5)), 1e-6)
        for place, (title, body) in enumerate(stems):
            found = lexical.TITLE_WEIGHT * Counter(title)[wanted] + Counter(body)[wanted]
            if found:
                norm = K1 * (1 - B + B * lengths[place] / mean)
                scores[place] = scores.get(place, 0.0) + idf * found * (K1 + 1) / (found + norm)
    return sorted(scores.items(), key=lambda pair: (-round(pair[1], 9), pair[0]))


def write_corpus(
    database: Database, corpus: Sequence[tuple[str, str]], audience: Audience = Audience.PUBLIC
) -> None:
    with database.write() as connection:
        for number in range(20):
            lexical.delete_document(connection, number)
        for number, (title, body) in enumerate(corpus):
            lexical.write_document(connection, number, audience, title=title, body=body)


@REUSED
@given(CORPORA, st.lists(WORDS, min_size=1, max_size=4, unique=True))
def test_order_and_scores_are_those_of_plain_bm25(
    database: Database, corpus: list[tuple[str, str]], terms: list[str]
) -> None:
    write_corpus(database, corpus)
    with database.read() as connection:
        found = lexical.search(connection, terms, Audience.PUBLIC, 20)
    wanted = plain_bm25(corpus, terms)
    assert dict(found) == pytest.approx(dict(wanted), rel=1e-6, abs=1e-7)
    assert [round(score, 7) for _, score in found] == sorted(
        (round(score, 7) for _, score in found), reverse=True
    )


@REUSED
@given(CORPORA, CORPORA, st.lists(WORDS, min_size=1, max_size=4, unique=True))
def test_documents_of_a_more_trusted_audience_change_no_score_and_no_weight(
    database: Database,
    corpus: list[tuple[str, str]],
    hidden: list[tuple[str, str]],
    terms: list[str],
) -> None:
    write_corpus(database, corpus)
    before = read_all(database, terms, Audience.CUSTOMER)
    with database.write() as connection:
        for number, (title, body) in enumerate(hidden, start=10):
            lexical.write_document(connection, number, Audience.PARTNER, title=title, body=body)
    assert read_all(database, terms, Audience.CUSTOMER) == before
    with database.read() as connection:
        seen = lexical.search(connection, [*terms, "reset"], Audience.INTERNAL, 50)
    assert {number for number, _ in seen} >= {
        10 + place
        for place, parts in enumerate(hidden)
        if {lexical.stem(w) for w in " ".join(parts).split()} & {lexical.stem(t) for t in terms}
    }


def read_all(database: Database, terms: Sequence[str], audience: Audience) -> object:
    with database.read() as connection:
        return (
            lexical.search(connection, terms, audience, 50),
            lexical.weigh_terms(connection, terms, audience),
        )


@REUSED
@given(st.text(max_size=80))
def test_no_query_breaks_the_index(database: Database, query: str) -> None:
    write_corpus(database, [("Reset", query.encode("utf-8", "replace").decode())])
    with database.read() as connection:
        terms = lexical.extract_terms(query)
        lexical.search(connection, terms, Audience.PUBLIC, 5)
        assert all(weight > 0 for weight in
                   lexical.weigh_terms(connection, terms, Audience.PUBLIC).values())  # fmt: skip


@pytest.mark.parametrize(
    "query",
    [
        'reset" OR "x',
        "title:reset",
        "reset*",
        "NEAR(reset router)",
        "-reset",
        "(",
        "reset AND",
        '""',
    ],
)
def test_the_index_own_language_is_only_words(database: Database, query: str) -> None:
    write_corpus(database, [("Reset", "the router"), ("Other", "thing")])
    with database.read() as connection:
        found = lexical.search(connection, lexical.extract_terms(query), Audience.PUBLIC, 5)
    assert [number for number, _ in found] in ([0], [])


@pytest.mark.parametrize(
    ("written", "asked"),
    [
        ("Error CC-418 at start", "cc-418"),
        ("the café is open", "cafe"),
        ("the cafe is open", "café"),
        ("Zurücksetzen des Geräts", "zurucksetzen"),
        ("the customer's invoice", "customer's"),
        ("it resets itself", "resetting"),
    ],
)
def test_words_are_found_as_people_write_them(database: Database, written: str, asked: str) -> None:
    write_corpus(database, [("A", written), ("B", "something else"), ("C", "and more")])
    with database.read() as connection:
        found = lexical.search(connection, lexical.extract_terms(asked), Audience.PUBLIC, 5)
    assert [number for number, _ in found] == [0]


def test_terms_are_lower_case_once_each_and_carry_meaning() -> None:
    query = "How can I reset the Router? The router's light is RED, error CC-418"
    assert lexical.extract_terms(query) == ["reset", "router", "router's", "light", "red", "error", "cc-418"]  # fmt: skip


def test_a_rare_term_weighs_more_and_an_unknown_one_most(database: Database) -> None:
    write_corpus(database, [("A", "hub reset"), ("B", "hub valve"), ("C", "hub")])
    with database.read() as connection:
        weights = lexical.weigh_terms(connection, ["hub", "valve", "unheard"], Audience.PUBLIC)
    assert weights["hub"] == pytest.approx(math.log(1 + 0.5 / 3.5))
    assert weights["valve"] == pytest.approx(math.log(1 + 2.5 / 1.5))
    assert weights["unheard"] == pytest.approx(math.log(1 + 3.5 / 0.5))


@pytest.mark.parametrize("word", ["café", "Geräte", "naïve", "résumé"])
def test_an_accented_word_weighs_as_the_index_holds_it(database: Database, word: str) -> None:
    write_corpus(database, [("A", word), ("B", word), ("C", word)])
    with database.read() as connection:
        weights = lexical.weigh_terms(connection, lexical.extract_terms(word), Audience.PUBLIC)
    assert list(weights.values()) == [pytest.approx(math.log(1 + 0.5 / 3.5))]


@pytest.mark.parametrize("audience", list(Audience))
def test_a_document_is_in_the_indexes_of_those_who_may_read_it_and_no_other(
    database: Database, audience: Audience
) -> None:
    write_corpus(database, [("Reset", "the router")], audience)
    with database.read() as connection:
        holding = [a for a in Audience if lexical.search(connection, ["router"], a, 5)]
    assert holding == [a for a in Audience if a.may_read(audience)]


def test_a_changed_audience_moves_the_document_and_a_deletion_takes_it_out(
    database: Database,
) -> None:
    write_corpus(database, [("Reset", "the router")], Audience.INTERNAL)
    with database.write() as connection:
        lexical.write_document(connection, 0, Audience.PUBLIC, title="Reset", body="router")
        assert lexical.search(connection, ["router"], Audience.PUBLIC, 5)
        lexical.write_document(connection, 0, Audience.PARTNER, title="Reset", body="router")
        assert not lexical.search(connection, ["router"], Audience.CUSTOMER, 5)
        assert lexical.search(connection, ["router"], Audience.INTERNAL, 5)
        lexical.delete_document(connection, 0)
        assert not any(lexical.search(connection, ["router"], a, 5) for a in Audience)


def test_many_threads_stem_as_one_does() -> None:
    starts = [f"{one}{two}" for one in ("connect", "relat", "hope", "gener") for two in "abcdefgh"]
    words = [f"{start}{end}" for start in starts for end in ("ing", "ations", "fulness", "ies", "")]
    lexical._stem.cache_clear()
    wanted = [lexical.stem(word) for word in words]
    for _ in range(20):
        lexical._stem.cache_clear()
        with ThreadPoolExecutor(8) as executor:
            assert list(executor.map(lexical.stem, words)) == wanted
