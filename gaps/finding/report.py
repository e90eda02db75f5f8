"""What a run tells: as `kb gaps find --json` prints it; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gaps.types import Gap, Ticket
from kb.clock import format_instant

if TYPE_CHECKING:
    from gaps.finding.tracing import Traced

QUOTES = 5
LONGEST_QUOTE = 240


@dataclass(frozen=True, slots=True)
class FindReport:
    run_id: str
    read: int
    unresolved: int
    uncovered: int
    topics: dict[str, Any]
    """How many, why all were found anew if they were, and what became of which."""
    gaps: tuple[dict[str, Any], ...]
    """As `kb gaps find --json` prints them, strongest first."""

    def to_json(self) -> dict[str, Any]:
        return {
            "run": self.run_id,
            "tickets": {
                "read": self.read,
                "unresolved": self.unresolved,
                "uncovered": self.uncovered,
            },
            "topics": self.topics,
            "gaps": list(self.gaps),
        }


def topics_json(traced: Traced) -> dict[str, Any]:
    """How many topics, why all were found anew, and what became of which."""
    return {
        "found": len(traced.topics),
        "anew": traced.reason,
        "changes": [
            {
                "topic_id": event.topic_id, "kind": event.kind.value,
                "others": list(event.others), "tickets": event.ticket_count,
            }
            for event in traced.events
        ],
    }  # fmt: skip


def gap_json(gap: Gap) -> dict[str, Any]:
    """A gap as every surface tells it."""
    return {
        "gap_id": gap.gap_id,
        "kind": gap.kind.value,
        "title": gap.title,
        "terms": list(gap.terms),
        "status": gap.status.value,
        "priority": gap.priority,
        "probability": gap.probability,
        "impact_per_week": gap.impact_per_week,
        "impact_interval": [gap.impact_low, gap.impact_high],
        "needs_look": gap.needs_look,
        "tickets": list(gap.ticket_ids),
        "documents": list(gap.document_ids),
        "first_seen_at": format_instant(gap.first_seen_at),
        "last_seen_at": format_instant(gap.last_seen_at),
        "weekly_counts": list(gap.weekly_counts),
        "audience": gap.audience.value,
        "owner": gap.owner,
        "requesters": gap.requester_count,
        "reasons": [
            {"signal": r.signal, "text": r.text, "evidence": list(r.evidence)} for r in gap.reasons
        ],
        "dismissed_reason": gap.dismissed_reason,
    }


def quoted_gap_json(gap: Gap, tickets: Mapping[str, Ticket]) -> dict[str, Any]:
    """A gap with the words of its first tickets."""
    shown = [tickets[key] for key in gap.ticket_ids if key in tickets][:QUOTES]
    return gap_json(gap) | {
        "quotes": [{"ticket_id": t.ticket_id, "text": t.question[:LONGEST_QUOTE]} for t in shown]
    }
