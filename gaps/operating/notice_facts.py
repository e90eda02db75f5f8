"""SQL for what owners are told: what waits for them, and what they were told before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, or_, select

from gaps.operating.digest import DueArticle, NewGap, Overdue, OwnerFacts, WaitingDraft
from gaps.tables import drafts, gaps
from gaps.types import DraftState, GapStatus
from kb import outbox
from kb.tables import documents, freshness_verdicts

DIGEST, DRAFT, APPROVAL = "digest", "draft", "approval"
REMINDER, ESCALATION = "reminder", "escalation"
TRUSTED = ("fresh", "unknown")
"""Verdicts that ask nothing of an owner: all others do, those of later versions too."""
REMEMBERED = 2_000
"""Notices of one kind to one owner that are looked back on: decades of digests."""


def read_owner_facts(
    connection: Connection, *, now: datetime, gaps_since: datetime
) -> dict[str, OwnerFacts]:
    """What every owner should know, by owner; owners without anything are left out.

    Args:
        connection: A read.
        now: Drafts put off until later do not wait.
        gaps_since: Gaps that were found earlier are not new.
    """
    waiting = _read_drafts(connection, now)
    due = _read_articles(connection)
    found = _read_gaps(connection, gaps_since)
    return {
        owner: OwnerFacts(owner, tuple(waiting[owner]), tuple(due[owner]), tuple(found[owner]))
        for owner in sorted({*waiting, *due, *found})
    }


def _read_drafts(connection: Connection, now: datetime) -> dict[str, list[WaitingDraft]]:
    put_off = drafts.c.snoozed_until
    rows = connection.execute(
        select(
            drafts.c.id, drafts.c.title, drafts.c.owner, drafts.c.created_at, drafts.c.base_version
        )
        .join(gaps, gaps.c.id == drafts.c.gap_id)
        .where(drafts.c.state.in_([DraftState.IN_REVIEW.value, DraftState.CHANGES_ASKED.value]))
        .where(or_(put_off.is_(None), put_off <= now))
        .order_by(gaps.c.priority.desc(), drafts.c.created_at, drafts.c.id)
    )
    found: dict[str, list[WaitingDraft]] = defaultdict(list)
    for row in rows:
        found[row.owner].append(
            WaitingDraft(row.id, row.title, row.created_at, row.base_version is not None)
        )
    return found


def _read_articles(connection: Connection) -> dict[str, list[DueArticle]]:
    rows = connection.execute(
        select(
            documents.c.id, documents.c.version, documents.c.title, documents.c.owner,
            freshness_verdicts.c.verdict, freshness_verdicts.c.damage, freshness_verdicts.c.reasons,
        )
        .join(documents, documents.c.id == freshness_verdicts.c.document_id)
        .where(
            documents.c.deleted_at.is_(None),
            documents.c.version == freshness_verdicts.c.version,
            freshness_verdicts.c.verdict.not_in(TRUSTED),
            # Confirmed since the check: nobody is reminded of what is done.
            or_(
                documents.c.verified_by.is_(None),
                documents.c.last_verified_at < freshness_verdicts.c.judged_at,
            ),
        )
        .order_by(
            freshness_verdicts.c.damage.desc(), freshness_verdicts.c.probability.desc(),
            documents.c.id,
        )
    )  # fmt: skip
    found: dict[str, list[DueArticle]] = defaultdict(list)
    for row in rows:
        reasons = tuple(str(reason.get("text", "")) for reason in row.reasons)
        found[row.owner].append(
            DueArticle(row.id, row.version, row.title, row.verdict, row.damage, reasons)
        )
    return found


def _read_gaps(connection: Connection, since: datetime) -> dict[str, list[NewGap]]:
    rows = connection.execute(
        select(gaps)
        .where(
            gaps.c.created_at >= since,
            gaps.c.status.in_([GapStatus.OPEN.value, GapStatus.DRAFTING.value]),
        )
        .order_by(gaps.c.priority.desc(), gaps.c.id)
    )
    found: dict[str, list[NewGap]] = defaultdict(list)
    for row in rows:
        found[row.owner].append(
            NewGap(row.id, row.title, row.kind, len(row.ticket_ids), row.impact_per_week)
        )
    return found


def read_told(connection: Connection, owner: str) -> dict[str, list[datetime]]:
    """When an owner's digests named each article, oldest first, by "id@version"."""
    told: dict[str, list[datetime]] = defaultdict(list)
    digests = outbox.read_notices(connection, kinds=[DIGEST], recipient=owner, limit=REMEMBERED)
    for notice in reversed(digests):
        for document_id, version in notice.payload.get("articles", []):
            told[f"{document_id}@{version}"].append(notice.created_at)
    return told


def read_confirmed_at(connection: Connection, document_ids: Sequence[str]) -> dict[str, datetime]:
    """When each document was last changed or verified."""
    rows = connection.execute(
        select(documents.c.id, documents.c.updated_at, documents.c.last_verified_at).where(
            documents.c.id.in_(document_ids)
        )
    )
    return {row.id: max(row.updated_at, row.last_verified_at or row.updated_at) for row in rows}


def read_reminded(connection: Connection, kind: str, recipient: str) -> set[str]:
    """Keys of what a person was reminded of before."""
    notices = outbox.read_notices(connection, kinds=[kind], recipient=recipient, limit=REMEMBERED)
    return {key for notice in notices for key in notice.payload.get("items", [])}


def read_undone(connection: Connection, facts: OwnerFacts) -> list[Overdue]:
    """What waits for an owner, with the moment they first heard of it; longest first.

    A draft is announced when it is written. An article counts from the first digest that named it
    after it was last changed or verified, so that nobody is reminded of what they never saw.
    """
    undone = [
        Overdue(f"draft:{d.draft_id}", d.title, "draft", f"/review/{d.draft_id}", d.created_at)
        for d in facts.drafts
    ]
    told = read_told(connection, facts.owner)
    confirmed = read_confirmed_at(connection, [a.document_id for a in facts.articles])
    for article in facts.articles:
        name = f"{article.document_id}@{article.version}"
        since = [t for t in told.get(name, []) if t >= confirmed[article.document_id]]
        if since:
            undone.append(
                Overdue(
                    f"article:{name}:{since[0].date().isoformat()}",
                    article.title,
                    f"article, {article.verdict.replace('_', ' ')}",
                    f"/articles/{quote(article.document_id)}",
                    since[0],
                )
            )
    return sorted(undone, key=lambda late: (late.since, late.key))


def describe_facts(facts: OwnerFacts, listed: int) -> dict[str, Any]:
    """What a digest told of, for reminders and for programs that receive it."""
    return {
        "drafts": [draft.draft_id for draft in facts.drafts[:listed]],
        "articles": [[a.document_id, a.version] for a in facts.articles[:listed]],
        "gaps": [gap.gap_id for gap in facts.gaps[:listed]],
        "counts": {
            "drafts": len(facts.drafts),
            "articles": len(facts.articles),
            "gaps": len(facts.gaps),
        },
    }
