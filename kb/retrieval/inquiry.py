"""One query with who asks and when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from kb.types import Audience, SearchRequest


@dataclass(frozen=True, slots=True)
class Inquiry:
    """One query with who asks and when."""

    request: SearchRequest
    audience: Audience
    now: datetime
    superseded: Mapping[str, Sequence[str]]
