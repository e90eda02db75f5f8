"""SQL for earned autonomy: the events that count, the rules, and the draft a rule would publish."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, insert, select, update

from gaps.drafting.workflow import Decision
from gaps.effect.demand import WORSE
from gaps.operating.autonomy import ACTOR, ChangeKind, Event, EventKind, Rule
from gaps.tables import (
    autonomy_rules,
    drafts,
    effects,
    freshness_history,
    publications,
    reviews,
)
from kb.errors import ConflictError
from kb.tables import audit, documents, versions
from kb.types import Governance

EVENT_OF = {
    Decision.APPROVE.value: EventKind.APPROVED,
    Decision.EDIT.value: EventKind.EDITED,
    Decision.REJECT.value: EventKind.REJECTED,
    Decision.ASK_CHANGES.value: EventKind.CHANGES_ASKED,
}
"""What a person's decision says about the draft; others say nothing about it."""

VERIFIED, REVERIFIED = "article.verify", "article.reverify"
"""How the audit log calls a person's confirmation of an article and a rule's."""
SOON = timedelta(days=90)


def read_events(connection: Connection) -> list[Event]:
    """Everything that counts for or against autonomy, of everybody."""
    known = _read_drafts(connection)
    return [*_draft_events(connection, known), *read_confirmations(connection)]


def _draft_events(
    connection: Connection, known: dict[str, tuple[str, ChangeKind, bool]]
) -> list[Event]:
    found = [*_decisions(connection), *_rollbacks(connection), *_worse(connection)]
    return [
        Event(at, owner, kind, event, draft_id, compliance)
        for at, event, draft_id in found
        for owner, kind, compliance in [known[draft_id]]
    ]


def _read_drafts(connection: Connection) -> dict[str, tuple[str, ChangeKind, bool]]:
    rows = connection.execute(
        select(
            drafts.c.id, drafts.c.owner, drafts.c.base_version, drafts.c.markdown,
            versions.c.markdown.label("base"), documents.c.governance,
        )
        .outerjoin(
            versions,
            and_(
                versions.c.document_id == drafts.c.document_id,
                versions.c.version == drafts.c.base_version,
            ),
        )
        .outerjoin(documents, documents.c.id == drafts.c.document_id)
        .where(drafts.c.id.in_(select(reviews.c.draft_id)))
    )  # fmt: skip
    known = {}
    for row in rows:
        kind = ChangeKind.NEW_ARTICLE
        if row.base_version is not None:
            same = row.base is not None and row.base.strip() == row.markdown.strip()
            kind = ChangeKind.REVERIFICATION if same else ChangeKind.SMALLEST_EDIT
        known[row.id] = (row.owner, kind, row.governance == Governance.COMPLIANCE.value)
    return known


def _decisions(connection: Connection) -> Iterator[tuple[datetime, EventKind, str]]:
    rows = connection.execute(
        select(reviews.c.at, reviews.c.decision, reviews.c.draft_id).where(
            reviews.c.decision.in_(list(EVENT_OF)),
            ~reviews.c.reviewer.startswith(ACTOR, autoescape=True),
        )
    )
    for row in rows:
        yield row.at, EVENT_OF[row.decision], row.draft_id


def _rollbacks(connection: Connection) -> Iterator[tuple[datetime, EventKind, str]]:
    rows = connection.execute(
        select(publications.c.rolled_back_at, publications.c.draft_id).where(
            publications.c.rolled_back_at.is_not(None)
        )
    )
    for row in rows:
        yield row.rolled_back_at, EventKind.ROLLED_BACK, row.draft_id
    yield from _overtaken(connection)


def _overtaken(connection: Connection) -> Iterator[tuple[datetime, EventKind, str]]:
    """Publications that an earlier version was put in the place of, without naming them."""
    backs = connection.execute(
        select(audit.c.at, audit.c.subject, audit.c.details).where(
            audit.c.action == "article.rollback"
        )
    ).all()
    for back in backs:
        rows = connection.execute(
            select(publications.c.draft_id).where(
                publications.c.document_id == back.subject,
                publications.c.version > back.details["to"],
                publications.c.version < back.details["version"],
                publications.c.rolled_back_at.is_(None),
            )
        )
        for row in rows:
            yield back.at, EventKind.ROLLED_BACK, row.draft_id


def _worse(connection: Connection) -> Iterator[tuple[datetime, EventKind, str]]:
    rows = connection.execute(
        select(effects.c.measured_at, publications.c.draft_id)
        .join(publications, publications.c.id == effects.c.publication_id)
        .where(effects.c.verdict == WORSE)
    )
    for row in rows:
        yield row.measured_at, EventKind.WORSE, row.draft_id


def read_confirmations(connection: Connection) -> list[Event]:
    """What speaks for and against confirming articles anew without a look.

    For it: a person confirmed what the check had proposed. Against it: what a rule confirmed was
    found stale within 90 days, at the same version. Events name the article for the draft.
    """
    rows = connection.execute(
        select(
            audit.c.at, audit.c.action, audit.c.subject, audit.c.details, documents.c.owner,
            documents.c.governance,
        )
        .join(documents, documents.c.id == audit.c.subject)
        .where(audit.c.action.in_([VERIFIED, REVERIFIED]))
        .order_by(audit.c.seq)
    ).all()  # fmt: skip
    events = []
    for row in rows:
        compliance = row.governance == Governance.COMPLIANCE.value
        at, kind = row.at, EventKind.APPROVED
        if row.action == REVERIFIED:
            found = _found_stale(connection, row.subject, row.details["version"], row.at)
            if found is None:
                continue
            at, kind = found, EventKind.WORSE
        elif not row.details.get("ready"):
            continue
        events.append(
            Event(at, row.owner, ChangeKind.REVERIFICATION, kind, row.subject, compliance)
        )
    return events


def _found_stale(
    connection: Connection, document_id: str, version: int, since: datetime
) -> datetime | None:
    judged = freshness_history.c
    found: datetime | None = connection.execute(
        select(judged.at)
        .where(
            judged.document_id == document_id, judged.version == version,
            judged.verdict == "stale", judged.at > since, judged.at <= since + SOON,
        )
        .order_by(judged.at)
        .limit(1)
    ).scalar()  # fmt: skip
    return found


def read_rules(connection: Connection) -> list[Rule]:
    """Every rule that was ever raised, oldest first."""
    rows = connection.execute(
        select(autonomy_rules).order_by(autonomy_rules.c.raised_at, autonomy_rules.c.id)
    )
    return [_to_rule(row) for row in rows]


def write_rule(connection: Connection, rule: Rule) -> None:
    facts = asdict(rule)
    connection.execute(
        insert(autonomy_rules).values(
            id=facts.pop("rule_id"), **facts | {"draft_ids": list(rule.draft_ids)}
        )
    )


def write_withdrawn(
    connection: Connection, rule_id: str, *, by: str, reason: str, now: datetime
) -> None:
    """Raises ConflictError where it was withdrawn meanwhile."""
    changed = connection.execute(
        update(autonomy_rules)
        .where(autonomy_rules.c.id == rule_id, autonomy_rules.c.withdrawn_at.is_(None))
        .values(withdrawn_at=now, withdrawn_by=by, withdrawn_reason=reason)
    )
    if changed.rowcount == 0:
        raise ConflictError("this rule was withdrawn already", rule_id=rule_id)


def _to_rule(row: Any) -> Rule:
    return Rule(
        row.id, row.owner, ChangeKind(row.kind), row.raised_at, row.raised_by, row.reason,
        tuple(row.draft_ids), row.withdrawn_at, row.withdrawn_by, row.withdrawn_reason,
    )  # fmt: skip
