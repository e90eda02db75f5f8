"""What of the freshness queue an address asks for; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from gaps.freshness.queue import ANY, SHOWS, WAITING, QueueFilter
from gaps.freshness.verdicts import CheckVerdict

ROWS = 25
LONGEST_TEXT = 200
NAMES = ("show", "text", "owner", "verdict", "signal", "offset")


@dataclass(frozen=True, slots=True)
class QueueQuery:
    """A filter and a place in what it leaves; an empty string means all."""

    show: str = WAITING
    text: str = ""
    owner: str = ""
    verdict: str = ""
    signal: str = ""
    offset: int = 0

    @classmethod
    def parse(cls, said: Mapping[str, str]) -> QueueQuery:
        """From an address; what is not known counts as not said."""
        show, verdict, offset = (said.get(name, "") for name in ("show", "verdict", "offset"))
        known = {ANY, *(one.value for one in CheckVerdict)}
        return cls(
            show=show if show in SHOWS else WAITING,
            text=" ".join(said.get("text", "")[:LONGEST_TEXT].split()),
            owner=said.get("owner", "")[:80],
            verdict=verdict if verdict in known else "",
            signal=said.get("signal", "")[:40],
            offset=int(offset) if offset.isascii() and offset.isdigit() and len(offset) < 8 else 0,
        )

    @property
    def filter(self) -> QueueFilter:
        return QueueFilter(
            owner=self.owner, verdict=self.verdict, signal=self.signal, show=self.show,
            text=self.text,
        )  # fmt: skip

    @property
    def is_narrowed(self) -> bool:
        """Whether anything beside the tab and the page is asked for."""
        return replace(self, show=WAITING, offset=0) != QueueQuery()

    def link(self, **changed: Any) -> str:
        """The address of this list with something changed; back to its start unless said."""
        asked, plain = replace(self, **({"offset": 0} | changed)), QueueQuery()
        said = {
            name: str(getattr(asked, name))
            for name in NAMES
            if getattr(asked, name) != getattr(plain, name)
        }
        return f"/freshness?{urlencode(said)}" if said else "/freshness"
