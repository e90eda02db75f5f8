"""What every way of telling a person looks like."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from kb.errors import UnavailableError


class DeliveryError(UnavailableError):
    """A channel did not take a message; it may do so later."""

    def __init__(self, message: str, *, wait: timedelta = timedelta(0)) -> None:
        super().__init__(message)
        self.wait = wait


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message as it leaves."""

    notice_id: str
    """The same at every attempt: receivers know a repetition by it."""
    kind: str
    recipient: str
    subject: str
    text: str
    payload: dict[str, Any]
    created_at: datetime
    sent_at: datetime


class Channel(Protocol):
    """A way of telling one person."""

    @property
    def name(self) -> str:
        """Unique among one person's channels, and the same after a restart."""
        ...

    def deliver(self, message: Outgoing) -> None:
        """Hand the message over.

        Raises:
            DeliveryError: It was not taken, or nobody knows whether it was.
        """
        ...
