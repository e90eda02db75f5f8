"""What solved a ticket, as a text to compare: the other half of what a topic is about; pure."""

from __future__ import annotations

import re

from gaps.finding.coverage import is_solved
from gaps.types import Coverage, Ticket

_ADDRESS = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)


def answer_of(ticket: Ticket) -> str:
    """What agents replied, else the resolution; without addresses, "" where nothing is known.

    An address says where something stands and not what it says.
    """
    replies = " ".join(reply.body for reply in ticket.replies if reply.author_role == "agent")
    text = _ADDRESS.sub(" ", replies if replies.strip() else ticket.resolution or "")
    return " ".join(text.split())


def was_answered(ticket: Ticket) -> bool:
    """Whether somebody helped: it is solved, or an agent replied, with or without thanks."""
    return is_solved(ticket) or any(reply.author_role == "agent" for reply in ticket.replies)


def helped_by_article(coverage: Coverage) -> bool:
    """Whether an article that exists was linked and nothing says that it failed.

    In many help centres nobody says that it helped either.
    """
    return bool(coverage.linked_live) and not coverage.failed


def answered_by_hand(ticket: Ticket, coverage: Coverage) -> bool:
    """Whether somebody helped, and no article did."""
    return was_answered(ticket) and not helped_by_article(coverage)
