"""The style of a good article, as far as it can be counted: headings, sentences, links; pure."""

from __future__ import annotations

import re
from collections.abc import Collection

from gaps.types import Check
from kb.quantities import plain_text
from kb.statements import split_sentences

GREEN, RED, LOOK = "green", "red", "look"
HARDEST = 30.0
"""Flesch reading ease (Flesch 1948) under which a text counts as very difficult. Steps with menu
names score low without being hard, so this only asks for a look."""
LONGEST_SENTENCE = 35
FEWEST_SENTENCES = 3
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?P<to><[^>]*>|[^)\s]+)")
_VOWELS = re.compile(r"[aeiouyà-ÿ]+", re.IGNORECASE)


def check_style(title: str, markdown: str) -> Check:
    """Headings, a first step that can be found, sentences that can be read."""
    faults = []
    if not re.search(r"(?m)^#{2,3} \S", markdown):
        faults.append("no heading")
    if re.search(r"(?m)^# \S", markdown):
        faults.append("a heading of the title's rank")
    sentences = [plain_text(s.text) for s in split_sentences(markdown)]
    long = [s for s in sentences if len(s.split()) > LONGEST_SENTENCE]
    if long:
        faults.append(f"{len(long)} sentences of more than {LONGEST_SENTENCE} words")
    ease = reading_ease(sentences)
    if ease is not None and ease < HARDEST:
        faults.append(f"hard to read (Flesch {ease:.0f})")
    if re.search(r"[?!]{2,}", title) or (title.isupper() and len(title) > 6):
        faults.append("the title shouts")
    if faults:
        return Check("style", LOOK, "; ".join(faults))
    told = "" if ease is None else f", Flesch {ease:.0f}"
    return Check("style", GREEN, f"headings and {len(sentences)} sentences{told}")


def reading_ease(sentences: Collection[str]) -> float | None:
    """206.835 - 1.015 words a sentence - 84.6 syllables a word; None for too little text.

    Syllables are groups of vowels, a silent "e" left out; good enough for English only.
    """
    words = [w for s in sentences for w in re.findall(r"[^\W\d_]+", s)]
    if len(sentences) < FEWEST_SENTENCES or not words:
        return None
    syllables = sum(
        max(1, len(_VOWELS.findall(w[:-1] if len(w) > 3 and w.endswith("e") else w))) for w in words
    )
    return 206.835 - 1.015 * len(words) / len(sentences) - 84.6 * syllables / len(words)


def check_links(markdown: str, documents: Collection[str]) -> Check:
    """Links to our own articles exist; others are named, because nothing is fetched here.

    Args:
        markdown: The article.
        documents: Ids of the documents its readers may read.
    """
    targets = [m.group("to").strip("<>") for m in _LINK.finditer(markdown)]
    outside = [t for t in targets if re.match(r"[a-z][a-z0-9+.-]*:", t, re.IGNORECASE)]
    inside = [t for t in targets if t not in outside and not t.startswith("#")]
    dead = [t for t in inside if _document_of(t) not in documents]
    if dead:
        return Check("links", RED, "leads nowhere: " + ", ".join(dead[:5]))
    if outside:
        return Check("links", LOOK, "not tried, they lead elsewhere: " + ", ".join(outside[:5]))
    return Check("links", GREEN, f"{len(inside)} links, all to articles that exist")


def _document_of(target: str) -> str:
    path = target.partition("#")[0].partition("?")[0].rstrip("/")
    return path.rsplit("/", 1)[-1].removesuffix(".md")
