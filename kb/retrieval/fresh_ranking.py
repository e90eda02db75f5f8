"""What freshness does to a ranking: stale below fresh that says the same, and verified only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from kb.freshness import DEFAULT_REVIEW_DAYS, judge_freshness
from kb.retrieval.catalogue import Catalogue
from kb.retrieval.inquiry import Inquiry
from kb.types import Document, Freshness, FreshnessVerdict, Ruling

DOUBTED = frozenset({FreshnessVerdict.STALE, FreshnessVerdict.SUPERSEDED})


def judge_document(
    document: Document, asked: Inquiry, catalogue: Catalogue, contradicted_by: Sequence[str] = ()
) -> Freshness:
    """What a document, its own tickets and those that contradict it say of its freshness."""
    key = document.document_id
    return judge_freshness(
        document,
        asked.now,
        review_every_days=catalogue.intervals.get(document.source),
        superseded_by=asked.superseded.get(key, ()),
        contradicted_by=contradicted_by,
        reported_stale=catalogue.reports.get((key, document.version)),
    )


def is_verified(document: Document, asked: Inquiry, catalogue: Catalogue) -> bool:
    """Whether a person confirmed it within its interval and nothing was reported since."""
    said = document.metadata
    verified = said.last_verified_at
    if verified is None or verified > asked.now:
        return False
    interval = said.review_every_days or catalogue.intervals.get(document.source)
    if (asked.now - verified).days > (interval or DEFAULT_REVIEW_DAYS):
        return False
    return judge_document(document, asked, catalogue).verdict not in DOUBTED


def rule_stale(
    catalogue: Catalogue,
    asked: Inquiry,
    keys: Iterable[str],
    known: Mapping[str, Document],
) -> list[Ruling]:
    """Between near-duplicates of one authority: the one that still holds beats the stale one.

    Args:
        catalogue: Knows which documents say much the same.
        asked: When.
        keys: The first documents of the ranking.
        known: What the caller may read.
    """

    def is_doubted(key: str) -> bool:
        return judge_document(known[key], asked, catalogue).verdict in DOUBTED

    ranked = list(keys)
    held = set(ranked)
    found = []
    for stale in ranked:
        others = [k for k in sorted(catalogue.alike.get(stale, ())) if k in held and k in known]
        if not others or not is_doubted(stale):
            continue
        for fresh in others:
            same = known[fresh].metadata.authority == known[stale].metadata.authority
            if same and not is_doubted(fresh):
                reason = f"says the same as {stale}, which is stale"
                found.append(Ruling(fresh, stale, "fresher", reason))
    return found
