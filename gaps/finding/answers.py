"""What solved a ticket, as a text to compare: the other half of what a topic is about; pure."""

from __future__ import annotations

import re

from gaps.finding.coverage import is_solved
from gaps.types import Ticket

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
