"""Full-text search in the database.

One index an audience, each holding everything that audience may read: term statistics of a more
trusted audience cannot show in a less trusted one's scores. Written in the transaction that
changes the document, so it is never behind. SQLite's FTS5 for now; PostgreSQL's text search takes
the same functions.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache

import snowballstemmer
from sqlalchemy import Connection, bindparam, text

from kb.types import Audience

TITLE_WEIGHT = 3.0
"""bench/fusion.py: title three times the body, as in the design's measurements."""
MAX_QUERY_TERMS = 24
"""A long ticket's later words add noise: on customers' questions 24 is as good as 48 (.545), on
long problem descriptions better, .891 against .872 (bench/README.md)."""

_WORD = re.compile(r"[^\W_]+(?:['’.-][^\W_]+)*")
_STOPWORDS = frozenset(
    """a about after again all also am an and any are as at be because been before being but by
    can cannot could did do does doing don don't down for from had has have having he hello help
    her here hi him his how i i'm i've if in into is isn't it it's its just like me my no nor not
    now of off on only or other our out over please s same she should so some such t than thank
    thanks that the their them then there these they this those through to too under until up us
    very was we were what when where which while who why will with would you your""".split()
)


def create_tables(connection: Connection) -> None:
    for audience in Audience:
        connection.execute(
            text(
                f"CREATE VIRTUAL TABLE IF NOT EXISTS lexical_{audience.value} USING fts5("
                "title, body, tokenize='porter unicode61 remove_diacritics 2')"
            )
        )
        connection.execute(
            text(
                f"CREATE VIRTUAL TABLE IF NOT EXISTS lexical_{audience.value}_terms "
                f"USING fts5vocab('lexical_{audience.value}', 'row')"
            )
        )


def write_document(
    connection: Connection, number: int, audience: Audience, *, title: str, body: str
) -> None:
    """Put the document into the indexes of all audiences that may read it, and no others."""
    delete_document(connection, number)
    for reader in Audience:
        if reader.may_read(audience):
            connection.execute(
                text(
                    f"INSERT INTO lexical_{reader.value}(rowid, title, body) "
                    "VALUES (:number, :title, :body)"
                ),
                {"number": number, "title": title, "body": body},
            )


def delete_document(connection: Connection, number: int) -> None:
    for reader in Audience:
        connection.execute(
            text(f"DELETE FROM lexical_{reader.value} WHERE rowid = :number"), {"number": number}
        )


def extract_terms(query: str) -> list[str]:
    """The words of a query that carry meaning, lower case, each once, in order."""
    words = (match.group().lower() for match in _WORD.finditer(query))
    return list(dict.fromkeys(word for word in words if word not in _STOPWORDS))


def stem(term: str) -> str:
    """The token the index holds for a lower-case word: without accents, then Porter's stem."""
    return _stem(term)


@lru_cache(maxsize=65_536)
def _stem(term: str) -> str:
    letters = unicodedata.normalize("NFD", term)
    plain = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return str(_stemmer().stemWord(plain))


@lru_cache(maxsize=1)
def _stemmer() -> snowballstemmer.stemmer:
    return snowballstemmer.stemmer("porter")


def stems_of(passage: str) -> frozenset[str]:
    """Stems of all words of a text, parts of hyphenated words included."""
    parts = (part for match in _WORD.finditer(passage) for part in split_term(match.group()))
    return frozenset(stem(part.lower()) for part in parts)


def split_term(term: str) -> list[str]:
    """The tokens the index makes of a term: "CC-418" is stored as "cc" and "418"."""
    return [part for part in re.split(r"['’.-]", term) if part]


def search(
    connection: Connection, terms: Sequence[str], audience: Audience, limit: int
) -> list[tuple[int, float]]:
    """Document numbers with BM25 (title weighted), best first; higher is better."""
    if not terms:
        return []
    table = f"lexical_{audience.value}"
    phrases = " OR ".join(f'"{term}"' for term in terms[:MAX_QUERY_TERMS])
    rows = connection.execute(
        text(
            f"SELECT rowid, bm25({table}, {TITLE_WEIGHT}, 1.0) AS cost FROM {table} "
            f"WHERE {table} MATCH :phrases ORDER BY cost, rowid LIMIT :limit"
        ),
        {"phrases": phrases, "limit": limit},
    )
    return [(row.rowid, -row.cost) for row in rows]


def weigh_terms(
    connection: Connection, terms: Iterable[str], audience: Audience
) -> dict[str, float]:
    """Inverse document frequency of each term's rarest part, as this audience's index knows it.

    ln(1 + (N - n + 0.5) / (n + 0.5)) (Robertson and Zaragoza, 2009); an unknown term weighs most.
    """
    parts = {term: [stem(part) for part in split_term(term)] for term in terms}
    stems = sorted({part for found in parts.values() for part in found})
    counts = {}
    if stems:
        rows = connection.execute(
            text(
                f"SELECT term, doc FROM lexical_{audience.value}_terms WHERE term IN :stems"
            ).bindparams(bindparam("stems", expanding=True)),
            {"stems": stems},
        )
        counts = {row.term: int(row.doc) for row in rows}
    total = _count_documents(connection, audience)
    return {
        term: _idf(total, min((counts.get(part, 0) for part in found), default=0))
        for term, found in parts.items()
    }


def _idf(total: int, held: int) -> float:
    return math.log(1 + (total - held + 0.5) / (held + 0.5))


def _count_documents(connection: Connection, audience: Audience) -> int:
    table = f"lexical_{audience.value}"
    return int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())
