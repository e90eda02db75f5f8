"""Which sentences of two documents cannot both be true; pure.

Embeddings align, symbols decide (`kb.alignment`, `kb.statements`). Two ways to one finding:

- *the same wording*: values are compared place by place, whatever their kind;
- *two authors on one rule*: aligned sentences of two authors lie at 0.56 to 0.78, far below the
  0.97 of an edited copy, so the cosine alone cannot separate them: how near the documents are, and
  how many telling words the sentences share, decide with it, and only quantities of one unit are
  compared.

Precise before exhaustive: a false conflict costs an owner's time and takes a true passage out of
answers. The thresholds stand on content/ and on the "tune" half of bench/hierarchy_labels.csv.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kb.alignment import align_sentences
from kb.neighbours import Near, Places, find_near, keep_mutual, select_near
from kb.ports import Vectors
from kb.quantities import extract_slots, plain_text
from kb.slots import read_words
from kb.statements import Disagreement, content_words, find_disagreement

RELATED_DOCUMENTS = 0.60
"""Cosine of two documents' mean sentence below which their sentences are not compared."""
SAME_SENTENCE = 0.80
"""Masked cosine from which on two sentences of related documents are one statement."""
SAME_TOPIC_DOCUMENTS, SAME_TOPIC_SENTENCE = 0.70, 0.62
"""Together, with shared telling words: two authors on one rule."""
TWIN_DOCUMENTS, TWIN_SENTENCE = 0.85, 0.50
"""Documents that tell the same thing throughout: their aligned values need no shared words."""
MIN_SHARED_WORDS = 2
SAME_TITLE = 0.90
"""Cosine of two titles from which on they name one subject."""
FORM_VALUES = 3
"""Values one sentence takes in other documents from which on it is a field of a form."""
TOO_FAR_APART = 10
"""Times one value is the other from which on two authors mean different things."""
IGNORED_UNITS = frozenset({"date"})
"""Dates differ between documents because their documents do; only values are compared."""


@dataclass(frozen=True, slots=True)
class Said:
    text: str
    words: frozenset[str]
    units: frozenset[str]
    """Of its quantities, those left out that are not compared."""
    subject: frozenset[str]
    """Folded words of the headings it stands under."""


@dataclass(frozen=True, slots=True)
class Statements:
    """All sentences of the compared documents, in the order of the documents."""

    said: tuple[Said, ...]
    owners: Places
    """Place of each sentence's document."""
    vectors: Vectors
    """Of each sentence, values masked."""
    titles: tuple[str, ...]
    """Of each document."""
    related: Vectors
    """Cosine of each two documents' mean sentence; -1 where they are not to be compared."""
    entitled: Vectors
    """Cosine of each two documents' titles."""


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Two sentences, by their places, and why they cannot both be true."""

    left: int
    right: int
    similarity: float
    disagreement: Disagreement


def read_said(text: str, heading_path: Sequence[str]) -> Said:
    units = {slot.unit for slot in extract_slots(text)} - IGNORED_UNITS
    subject = content_words(" ".join(heading_path))
    return Said(text, frozenset(telling_words(text)), frozenset(units), frozenset(subject))


_UNIT_WORDS = frozenset(
    "day week month year hour minute second working business euro eur gbp usd percent character"
    " time people unit least most within about up than more less one two three four five six seven"
    " eight nine ten twelve".split()
)


def telling_words(sentence: str) -> set[str]:
    """Content words that are neither a number nor a unit: what a value is about."""
    return {
        word
        for word in content_words(sentence)
        if word not in _UNIT_WORDS and word.rstrip("s") not in _UNIT_WORDS
    }


def find_contradictions(statements: Statements) -> Iterator[Contradiction]:
    """Every two sentences that contradict each other, each pair once."""
    if not len(statements.owners):
        return
    near = find_near(
        statements.vectors,
        statements.owners,
        statements.related,
        ((TWIN_DOCUMENTS, TWIN_SENTENCE), (RELATED_DOCUMENTS, SAME_TOPIC_SENTENCE)),
    )
    near = _without_agreed(statements, near)
    same_wording = _find_reworded(statements, near)
    seen = set()
    for i, j, cosine, disagreement in same_wording:
        seen.add((i, j))
        if disagreement is not None:
            yield Contradiction(i, j, cosine, disagreement)
    shared = np.asarray(
        [
            bool(statements.said[i].units & statements.said[j].units)
            for i, j in zip(*near[:2], strict=True)
        ],
        bool,
    )
    by_unit = keep_mutual(select_near(near, shared), statements.owners)
    for i, j, cosine in triples(by_unit):
        ours, theirs = statements.said[i], statements.said[j]
        related = float(statements.related[statements.owners[i], statements.owners[j]])
        if (i, j) in seen or not is_same_statement(related, cosine, len(ours.words & theirs.words)):
            continue
        found = find_disagreement(ours.text, theirs.text)
        if found is None or found.unit in IGNORED_UNITS:
            continue
        if _may_be_one_value(ours.text, theirs.text, found):
            yield Contradiction(i, j, cosine, found)


_AT_LEAST = re.compile(r"\b(?:more than|over|above|at least|exceed\w*|minimum(?: of)?)\s*$", re.I)
_AT_MOST = re.compile(r"\b(?:less than|under|below|at most|up to|within|maximum(?: of)?)\s*$", re.I)
_COUNTED_FROM = re.compile(r"\s*(?:after|from|of|since|before|prior to)\s+([^.;,()]{1,60})", re.I)
_YEAR = re.compile(r"\b(?:FY ?|20)(\d{2})\b")


def _may_be_one_value(left: str, right: str, found: Disagreement) -> bool:
    """Whether two authors may mean one value, read out of what stands around it.

    Not where one states a lower and the other an upper bound, both name years and different ones,
    both say what they count from and share no word of it, or one value is ten times the other.
    """
    texts = plain_text(left), plain_text(right)
    years = [set(_YEAR.findall(text)) for text in texts]
    if all(years) and not years[0] & years[1]:
        return False
    around = [t.partition(value) for t, value in zip(texts, (found.left, found.right), strict=True)]
    least, most = (
        [bool(bound.search(before)) for before, _, _ in around] for bound in (_AT_LEAST, _AT_MOST)
    )
    if (least[0] and most[1]) or (least[1] and most[0]):
        return False
    origins = [_COUNTED_FROM.match(after) for _, _, after in around]
    if origins[0] and origins[1]:
        counted = [content_words(origin.group(1)) for origin in origins if origin]
        if not counted[0] & counted[1]:
            return False
    sizes = [
        [slot.high for slot in extract_slots(text) if slot.text == value]
        for text, value in zip(texts, (found.left, found.right), strict=True)
    ]
    if not all(sizes):
        return True
    small, large = sorted((sizes[0][0], sizes[1][0]))
    return large < TOO_FAR_APART * small


def triples(near: Near) -> Iterator[tuple[int, int, float]]:
    for i, j, cosine in zip(*near, strict=True):
        yield int(i), int(j), float(cosine)


def _without_agreed(statements: Statements, near: Near) -> Near:
    """Without sentences that the other document says too, word for word."""
    rows, columns, _ = near
    bodies = [" ".join(said.text.split()) for said in statements.said]
    said_in: dict[str, set[int]] = defaultdict(set)
    for place, body in enumerate(bodies):
        said_in[body].add(int(statements.owners[place]))
    kept = np.asarray(
        [
            int(statements.owners[j]) not in said_in[bodies[i]]
            and int(statements.owners[i]) not in said_in[bodies[j]]
            for i, j in zip(rows, columns, strict=True)
        ],
        bool,
    )
    return select_near(near, kept)


def _find_reworded(
    statements: Statements, near: Near
) -> list[tuple[int, int, float, Disagreement | None]]:
    """Pairs of the same wording, compared place by place; None where they agree."""
    titled = statements.entitled[statements.owners[near[0]], statements.owners[near[1]]]
    close = (near[2] >= SAME_SENTENCE) | (titled >= SAME_TITLE)
    pairs = list(triples(keep_mutual(select_near(near, close), statements.owners)))
    partners: dict[tuple[int, int], int] = defaultdict(int)
    for i, j, _ in pairs:
        partners[i, int(statements.owners[j])] += 1
        partners[j, int(statements.owners[i])] += 1
    found: list[tuple[int, int, float, Disagreement | None]] = []
    values: dict[int, set[tuple[int, str]]] = defaultdict(set)
    for i, j, cosine in pairs:
        # Two equally near: which of them is meant cannot be told.
        if partners[i, int(statements.owners[j])] > 1 or partners[j, int(statements.owners[i])] > 1:
            continue
        aligned = align_sentences(statements.said[i].text, statements.said[j].text)
        if aligned.disagreements:
            values[i].add((int(statements.owners[j]), aligned.disagreements[0].right))
            values[j].add((int(statements.owners[i]), aligned.disagreements[0].left))
            if _is_same_subject(statements, i, j, aligned.renamed):
                found.append((i, j, cosine, aligned.disagreements[0]))
        elif aligned.agrees:
            found.append((i, j, cosine, None))
    return [entry for entry in found if entry[3] is None or not _is_form(statements, values, entry)]


def _is_form(
    statements: Statements,
    values: Mapping[int, set[tuple[int, str]]],
    entry: tuple[int, int, float, Disagreement | None],
) -> bool:
    """Whether a sentence stands in many documents, each with a value of its own.

    Such a sentence is a field of a form: its value belongs to its document, unless the two have
    one title.
    """
    i, j = entry[:2]
    if statements.entitled[statements.owners[i], statements.owners[j]] >= SAME_TITLE:
        return False
    return any(len({value for _, value in values[k]}) >= FORM_VALUES for k in (i, j))


def _is_same_subject(statements: Statements, i: int, j: int, renamed: bool) -> bool:
    """Whether two sentences of the same wording are about one thing.

    Documents of one title may rename what they speak of; others may not, have to share telling
    words, one of which stands in the title or a heading of each, and no number, heading or name
    may tell them apart.
    """
    left, right = statements.owners[i], statements.owners[j]
    one, two = statements.said[i], statements.said[j]
    if statements.entitled[left, right] >= SAME_TITLE:
        return True
    if renamed or len(one.words & two.words) < MIN_SHARED_WORDS:
        return False
    titles = [statements.titles[place] for place in (left, right)]
    if _marks(titles[0]) != _marks(titles[1]):
        return False
    if one.subject and two.subject and not one.subject & two.subject:
        return False
    # "There is a health center on the 3rd floor" is about whatever its page is about.
    shared = one.words & two.words
    return all(
        shared & (content_words(title) | said.subject)
        for title, said in zip(titles, (one, two), strict=True)
    )


def _marks(title: str) -> set[str]:
    """Numbers and identifiers of a title: they tell two pages of one form apart."""
    return {word.text.lower() for word in read_words(title) if word.value}


def mask_titles(statements: Statements) -> Vectors:
    """Cosines of titles, with -1 where a number or an identifier tells two apart."""
    entitled = np.array(statements.entitled, np.float32)
    marks = [_marks(title) for title in statements.titles]
    for i, j in zip(*np.nonzero(entitled >= SAME_TITLE), strict=True):
        if marks[i] != marks[j]:
            entitled[i, j] = -1.0
    return entitled


def is_same_statement(documents: float, sentences: float, shared_words: int) -> bool:
    """Whether two sentences of two documents speak of one thing.

    Args:
        documents: Cosine of the documents.
        sentences: Cosine of the sentences, values masked.
        shared_words: Telling words in common.
    """
    if documents >= TWIN_DOCUMENTS and sentences >= TWIN_SENTENCE:
        return True
    if shared_words < MIN_SHARED_WORDS:
        return False
    if documents >= RELATED_DOCUMENTS and sentences >= SAME_SENTENCE:
        return True
    return documents >= SAME_TOPIC_DOCUMENTS and sentences >= SAME_TOPIC_SENTENCE
