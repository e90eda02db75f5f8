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
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from functools import lru_cache
from threading import Lock

import snowballstemmer
from sqlalchemy import Connection, bindparam, text

from kb.types import Audience

TITLE_WEIGHT = 3.0
"""bench/fusion.py: title three times the body, as in the design's measurements."""
MAX_QUERY_TERMS = 24
"""As good as 48 on customers' questions and role plays, better on long problem descriptions; the
first 24 instead of the weightiest lose a third on role plays (bench/README.md)."""
MAX_REPEATS = 3
"""A word said often is what a ticket is about; nDCG@10 of words alone .400 against .360."""
HALF_WEIGHT_PLACE = 40
"""A term this far down counts half."""
SELECT_BATCH = 500

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


_STEMMER = snowballstemmer.stemmer("porter")
_STEMMING = Lock()


@lru_cache(maxsize=65_536)
def _stem(term: str) -> str:
    letters = unicodedata.normalize("NFD", term)
    plain = "".join(letter for letter in letters if not unicodedata.combining(letter))
    # A stemmer keeps the word it works on: two threads at once would get, and keep, wrong stems.
    with _STEMMING:
        return str(_STEMMER.stemWord(plain))


def stems_of(passage: str) -> frozenset[str]:
    """Stems of all words of a text, parts of hyphenated words included."""
    parts = (part for match in _WORD.finditer(passage) for part in split_term(match.group()))
    return frozenset(stem(part.lower()) for part in parts)


def split_term(term: str) -> list[str]:
    """The tokens the index makes of a term: "CC-418" is stored as "cc" and "418"."""
    return [part for part in re.split(r"['’.-]", term) if part]


class Vocabulary:
    """Document frequencies of one audience's index, read when first asked for and kept."""

    def __init__(self, audience: Audience) -> None:
        self._audience = audience
        self._documents: int | None = None
        self._holding: dict[str, int] = {}

    def weigh(self, connection: Connection, terms: Iterable[str]) -> dict[str, float]:
        """Inverse document frequency of each term's rarest part, as this audience's index knows it.

        ln(1 + (N - n + 0.5) / (n + 0.5)) (Robertson and Zaragoza, 2009); an unknown term weighs
        most.
        """
        parts = {term: [stem(part) for part in split_term(term)] for term in terms}
        self._read(connection, {part for found in parts.values() for part in found})
        total = self._documents or 0
        return {term: _idf(total, self._rarest(found)) for term, found in parts.items()}

    def is_held(self, term: str) -> bool:
        """Whether some document holds a term that was weighed before."""
        return self._rarest([stem(part) for part in split_term(term)]) > 0

    def _rarest(self, stems: Sequence[str]) -> int:
        return min((self._holding.get(part, 0) for part in stems), default=0)

    def _read(self, connection: Connection, stems: Set[str]) -> None:
        if self._documents is None:
            self._documents = _count_documents(connection, self._audience)
        missing = sorted(stems - self._holding.keys())
        for start in range(0, len(missing), SELECT_BATCH):
            batch = missing[start : start + SELECT_BATCH]
            self._holding |= dict.fromkeys(batch, 0) | _count_holding(
                connection, batch, self._audience
            )


def weigh_terms(
    connection: Connection, terms: Iterable[str], audience: Audience
) -> dict[str, float]:
    """As `Vocabulary.weigh`, read afresh."""
    return Vocabulary(audience).weigh(connection, terms)


def choose_terms(query: str, weights: Mapping[str, float]) -> list[str]:
    """The terms to search for, best first, each as often as the query says it.

    A ticket is not a keyword query: the terms are those that weigh most (idf times how often they
    are said), early ones before late ones.

    Args:
        query: What is asked.
        weights: Inverse document frequency of those of the query's terms that some document holds.
    """
    said = Counter(match.group().lower() for match in _WORD.finditer(query))
    terms = [term for term in extract_terms(query) if term in weights]
    worth = {
        term: weights[term] * min(said[term], MAX_REPEATS) / (1 + place / HALF_WEIGHT_PLACE)
        for place, term in enumerate(terms)
    }
    chosen = sorted(terms, key=lambda term: -worth[term])[:MAX_QUERY_TERMS]
    return [term for term in chosen for _ in range(min(said[term], MAX_REPEATS))]


def search(
    connection: Connection, terms: Sequence[str], audience: Audience, limit: int
) -> list[tuple[int, float]]:
    """Document numbers with BM25 (title weighted), best first; higher is better.

    Args:
        connection: The caller's transaction.
        terms: What is looked for; one given twice counts twice.
        audience: Whose index is asked.
        limit: How many at most.
    """
    if not terms:
        return []
    table = f"lexical_{audience.value}"
    phrases = " OR ".join(f'"{term}"' for term in terms)
    rows = connection.execute(
        text(
            f"SELECT rowid, bm25({table}, {TITLE_WEIGHT}, 1.0) AS cost FROM {table} "
            f"WHERE {table} MATCH :phrases ORDER BY cost, rowid LIMIT :limit"
        ),
        {"phrases": phrases, "limit": limit},
    )
    return [(row.rowid, -row.cost) for row in rows]


def _idf(total: int, held: int) -> float:
    return math.log(1 + (total - held + 0.5) / (held + 0.5))


def _count_holding(
    connection: Connection, stems: Sequence[str], audience: Audience
) -> dict[str, int]:
    rows = connection.execute(
        text(
            f"SELECT term, doc FROM lexical_{audience.value}_terms WHERE term IN :stems"
        ).bindparams(bindparam("stems", expanding=True)),
        {"stems": list(stems)},
    )
    return {row.term: int(row.doc) for row in rows}


def _count_documents(connection: Connection, audience: Audience) -> int:
    table = f"lexical_{audience.value}"
    return int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())
