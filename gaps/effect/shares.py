"""What became of a topic's tickets before and after: linked, answered, reopened; pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gaps.effect.difference import share_difference
from gaps.types import Ticket, TicketStatus


def compare_tickets(
    before: Sequence[Ticket], after: Sequence[Ticket], *, answered: tuple[int, int, int, int] | None
) -> dict[str, Any]:
    """Link rate, answered share and reopen rate, each with the 95% interval of its change.

    Args:
        before: Of the topic, in the baseline weeks: those that made the gap were picked for
            having failed and would make anything look better.
        after: Of the topic, since the publication.
        answered: Answered and asked before, then after; None where nothing was asked.
    """
    old, new = _solved(before), _solved(after)
    found = {
        "link_rate": _compare(_linked(old), len(old), _linked(new), len(new)),
        "reopen_rate": _compare(_reopened(old), len(old), _reopened(new), len(new)),
    }
    if answered is not None:
        found["answered_share"] = _compare(*answered)
    return found


def _solved(tickets: Sequence[Ticket]) -> list[Ticket]:
    return [t for t in tickets if t.status in (TicketStatus.SOLVED, TicketStatus.CLOSED)]


def _linked(tickets: Sequence[Ticket]) -> int:
    return sum(bool(t.linked_articles) for t in tickets)


def _reopened(tickets: Sequence[Ticket]) -> int:
    return sum(t.reopened for t in tickets)


def _compare(old: int, old_tries: int, new: int, new_tries: int) -> dict[str, Any]:
    bounds = share_difference((old, old_tries), (new, new_tries))
    return {
        "before_share": round(old / old_tries, 4) if old_tries else None,
        "before_tickets": old_tries,
        "after_share": round(new / new_tries, 4) if new_tries else None,
        "after_tickets": new_tries,
        "change_low_share": round(bounds[0], 4) if bounds else None,
        "change_high_share": round(bounds[1], 4) if bounds else None,
    }
