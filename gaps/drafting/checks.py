"""What is checked on every draft before a person sees it: green, red or "look".

Red keeps a draft from being approved as it stands; "look" tells the reviewer where to look.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gaps.drafting.style import GREEN, LOOK, RED, check_links, check_style
from gaps.drafting.writing.evidence import common_words, usable_texts
from gaps.drafting.writing.symptoms import MAX_TITLE_CHARACTERS
from gaps.drafting.writing.tracing import trace_statements
from gaps.types import Check, Statement, Ticket
from kb.hostile_text import find_hostile
from kb.ports import Encoder
from kb.quantities import plain_text
from kb.redaction import mask_personal_data
from kb.statements import find_disagreement, mask_values, split_sentences
from kb.types import Audience, StoredChunk

MIN_WORDS, MAX_WORDS = 60, 900
DUPLICATE_SIMILARITY = 0.9
"""Cosine of titles or of texts from which on an existing article is named to the reviewer."""
OPENING = 1_500
"""Characters of an article that stand for it."""
CONFLICT_SIMILARITY = 0.7
"""Cosine from which on a draft's sentence and a stronger document's are about one thing."""


@dataclass(frozen=True, slots=True)
class CheckedDraft:
    """What the checks read of a draft."""

    title: str
    markdown: str
    statements: tuple[Statement, ...]
    audience: Audience
    document_id: str | None
    changes_existing: bool


def run_checks(
    draft: CheckedDraft,
    *,
    tickets: Sequence[Ticket],
    chunks: Mapping[str, StoredChunk],
    stronger: Sequence[StoredChunk],
    articles: Mapping[str, tuple[str, str]],
    encoder: Encoder,
    regression: Check | None,
) -> tuple[Check, ...]:
    """Every check of a draft, in a fixed order.

    Args:
        draft: What is proposed.
        tickets: The gap's tickets, to find quotes and wordings in.
        chunks: Cited and related chunks by id.
        stronger: Chunks of documents of a stronger authority about the same.
        articles: Existing documents' title and opening text by id.
        encoder: For duplicates and conflicts.
        regression: What asking real questions again said, where that was done.

    Raises:
        UnavailableError: The encoder is away.
    """
    return (
        check_citations(draft.statements, tickets, chunks),
        *check_text(draft.title, draft.markdown),
        check_title(draft.title, tickets),
        check_style(draft.title, draft.markdown),
        check_links(draft.markdown, articles),
        check_conflicts(draft, stronger, encoder),
        check_duplicate(draft, articles, encoder),
        check_audience(draft, tickets, chunks),
        check_contacts(tickets),
        regression or Check("regression", LOOK, "not run"),
    )


def check_text(title: str, markdown: str) -> tuple[Check, ...]:
    """The checks that need nothing but the text; run again on every edit."""
    whole = f"{title}\n\n{markdown}"
    _, counts = mask_personal_data(whole)
    hostile = find_hostile(whole)
    words = len(re.findall(r"\w+", plain_text(markdown)))
    steps = len(re.findall(r"(?m)^\s*\d+[.)]\s", markdown))
    fits = MIN_WORDS <= words <= MAX_WORDS and steps > 0
    return (
        Check("personal_data", RED, "holds " + ", ".join(f"{n} {k}" for k, n in counts.items()))
        if counts
        else Check("personal_data", GREEN, "none found"),
        Check("hostile_text", RED, f"{hostile[0].rule}: {hostile[0].excerpt!r}")
        if hostile
        else Check("hostile_text", GREEN, "nothing hidden, active or addressed to a program"),
        Check("length", GREEN if fits else LOOK, f"{words} words, {steps} numbered steps"),
    )


def check_citations(
    statements: Sequence[Statement], tickets: Sequence[Ticket], chunks: Mapping[str, StoredChunk]
) -> Check:
    """Each statement is cited, each quote stands in its source word for word and bears it out.

    A quote that is not there is red; that a true quote says less is a reader's judgement.
    """
    texts: dict[str, Sequence[str]] = {t.ticket_id: usable_texts(t) for t in tickets}
    texts |= {key: (chunk.text,) for key, chunk in chunks.items()}
    untraced = trace_statements(statements, texts)
    wrong = next((one for one in untraced if not one.verbatim), None)
    if wrong is not None:
        return Check("citations", RED, wrong.why)
    if untraced:
        return Check("citations", LOOK, f"{len(untraced)} say more than quoted: {untraced[0].why}")
    quotes = sum(len(s.citations) for s in statements)
    return Check("citations", GREEN, f"{len(statements)} statements, {quotes} quotes, all verbatim")


def check_title(title: str, tickets: Sequence[Ticket]) -> Check:
    """The title is short and says it in words that requesters use."""
    if len(title) > MAX_TITLE_CHARACTERS:
        return Check("title", RED, f"{len(title)} characters, {MAX_TITLE_CHARACTERS} at most")
    known = common_words([(t.requester or t.ticket_id, t.question) for t in tickets])
    words = re.findall(r"[^\W_]{3,}", title.lower())
    strange = [w for w in words if not known[w]]
    if words and len(strange) > len(words) / 2:
        return Check("title", LOOK, "requesters do not say " + ", ".join(strange))
    return Check("title", GREEN, "in the requesters' words")


def check_conflicts(
    draft: CheckedDraft, stronger: Sequence[StoredChunk], encoder: Encoder
) -> Check:
    """No sentence states another value than a stronger document does of the same thing."""
    ours = [s.text for s in split_sentences(draft.markdown)]
    theirs = [
        (chunk.document.document_id, s.text)
        for chunk in stronger
        if draft.audience.may_read(chunk.document.metadata.audience)
        for s in split_sentences(chunk.text)
    ]
    if ours and theirs:
        left = encoder.encode([mask_values(text) for text in ours])
        right = encoder.encode([mask_values(text) for _, text in theirs])
        similar = left @ right.T
        for i, text in enumerate(ours):
            for j, (document_id, other) in enumerate(theirs):
                if similar[i, j] < CONFLICT_SIMILARITY:
                    continue
                found = find_disagreement(text, other)
                if found:
                    detail = f"says {found.left}, {document_id} says {found.right}: {text}"
                    return Check("conflicts", RED, detail)
    return Check("conflicts", GREEN, f"compared with {len(theirs)} sentences of stronger documents")


def check_duplicate(
    draft: CheckedDraft, articles: Mapping[str, tuple[str, str]], encoder: Encoder
) -> Check:
    """Whether an article about this exists already."""
    others = {k: v for k, v in sorted(articles.items()) if k != draft.document_id}
    if draft.changes_existing or not others:
        return Check("duplicate", GREEN, "changes an existing article" if others else "none")
    key, value = find_nearest_article(draft.title, draft.markdown, others, encoder)
    if value >= DUPLICATE_SIMILARITY:
        return Check("duplicate", LOOK, f"much like {key} ({value:.2f})")
    return Check("duplicate", GREEN, f"nearest is {key} ({value:.2f})")


def find_nearest_article(
    title: str, markdown: str, articles: Mapping[str, tuple[str, str]], encoder: Encoder
) -> tuple[str, float]:
    """The article most like a text, and the greater of the cosines of titles and of openings.

    Args:
        title: The text's.
        markdown: The text.
        articles: At least one, title and text by id.
        encoder: Of both.
    """
    keys = sorted(articles)
    mine = encoder.encode([title, plain_text(markdown)[:OPENING]])
    titles = encoder.encode([articles[k][0] for k in keys]) @ mine[0]
    bodies = encoder.encode([plain_text(articles[k][1])[:OPENING] for k in keys]) @ mine[1]
    value, key = max(
        (max(float(a), float(b)), k) for a, b, k in zip(titles, bodies, keys, strict=True)
    )
    return key, value


def check_audience(
    draft: CheckedDraft, tickets: Sequence[Ticket], chunks: Mapping[str, StoredChunk]
) -> Check:
    """No evidence of a more trusted audience than the draft's."""
    levels = {t.ticket_id: t.audience for t in tickets}
    levels |= {key: chunk.document.metadata.audience for key, chunk in chunks.items()}
    for statement in draft.statements:
        for citation in statement.citations:
            level = levels.get(citation.id)
            if level is not None and not draft.audience.may_read(level):
                return Check("audience", RED, f"{citation.id} is for {level.value} only")
    return Check("audience", GREEN, f"all evidence may be read by {draft.audience.value}")


def check_contacts(tickets: Sequence[Ticket]) -> Check:
    """Whether resolutions name an address or number that was masked and the article may need."""
    masked = [
        t.ticket_id
        for t in tickets
        if any(re.search(r"\[(?:email|phone)\]", text) for text in usable_texts(t))
    ]
    if len(masked) < 2:
        return Check("contacts", GREEN, "no contact is left out")
    return Check(
        "contacts", LOOK,
        "a contact in the resolutions was masked; add the right team's: " + ", ".join(masked[:5]),
    )  # fmt: skip
