"""Whether everything an article states leads back to its evidence; pure.

It shares no code with the writers but the entailment they are held to: it reads the finished text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gaps.drafting.writing.entailment import find_unsupported
from gaps.types import Statement
from kb.quantities import plain_text

_HEADING = re.compile(r"^#{1,6}\s+(?P<name>.+)$")
_ENTRY = re.compile(r"^\s*(?:\d+[.)]|[-*+])\s+(?P<text>\S.*)$")
_TOLD = re.compile(r"^Solved before: “(?P<quote>.*)”\.?$", re.DOTALL)
SYMPTOM = "Symptom"


@dataclass(frozen=True, slots=True)
class Untraced:
    """Something stated that its evidence does not bear out."""

    text: str
    why: str
    verbatim: bool
    """Whether the quotes stand in their sources; only then it is a matter of reading."""


def trace_statements(
    statements: Sequence[Statement], texts: Mapping[str, Sequence[str]]
) -> list[Untraced]:
    """Statements without a verbatim quote, or that say more than their quotes.

    Args:
        statements: The draft's.
        texts: By ticket or chunk id, what may be quoted of it.
    """
    found = []
    for statement in statements:
        if not statement.citations:
            found.append(Untraced(statement.text, f"no source for: {statement.text}", False))
            continue
        astray = next(
            (
                c.id
                for c in statement.citations
                if not c.quote or not any(c.quote in text for text in texts.get(c.id, ()))
            ),
            None,
        )
        if astray is not None:
            found.append(Untraced(statement.text, f"not word for word in {astray}", False))
            continue
        told = _TOLD.match(statement.text)
        said = told.group("quote") if told else statement.text
        lacking = find_unsupported(said, [c.quote for c in statement.citations])
        if lacking is not None:
            found.append(Untraced(statement.text, f"{lacking}: {statement.text}", True))
    return found


def find_unstated(
    markdown: str, statements: Sequence[Statement], wordings: Sequence[str]
) -> list[str]:
    """Entries of a new article that are neither a statement nor the requesters' words.

    Args:
        markdown: The article.
        statements: What it states.
        wordings: What requesters wrote, for the entries under "Symptom".
    """
    known = [s.text for s in statements]
    told = " ".join(plain_text(text).lower() for text in wordings)
    found = []
    section = ""
    for line in markdown.splitlines():
        heading = _HEADING.match(line)
        if heading:
            section = heading.group("name")
            continue
        entry = _ENTRY.match(line)
        if entry is None:
            continue
        text = entry.group("text").strip()
        if section == SYMPTOM:
            if text.strip("“”").lower() not in told:
                found.append(text)
        elif not _is_made_of(text, known):
            found.append(text)
    return found


def _is_made_of(text: str, statements: Sequence[str]) -> bool:
    """An entry of several acts is several statements, one after the other."""
    left = text
    for statement in sorted(statements, key=len, reverse=True):
        left = left.replace(statement, " ")
    return not left.strip()
