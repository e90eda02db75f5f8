"""How often a key may call: the only owner of the `limits` library.

Counted in this process's memory: a restart forgets, and two servers count apart. The window
slides (the last minute's count fades while this one's grows), which takes two numbers a key.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from api.limits.work import Counted

WINDOW_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a key has left after a call."""

    allowed: bool
    limit: int
    """Calls a minute."""
    remaining: int
    reset_seconds: int
    """Until there is more again; at least 1."""

    def headers(self) -> dict[str, str]:
        """As draft-ietf-httpapi-ratelimit-headers had them up to -07, which clients read."""
        return {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(self.reset_seconds),
            "RateLimit-Policy": f"{self.limit};w={WINDOW_SECONDS}",
        }


class KeyRates:
    """Counts calls by key and kind."""

    def __init__(self, per_minute: Mapping[Counted, int]) -> None:
        """Take the limits of keys that have none of their own."""
        self._items = {kind: RateLimitItemPerMinute(most) for kind, most in per_minute.items()}
        self._window = SlidingWindowCounterRateLimiter(MemoryStorage())

    def count(self, key: str, kind: Counted, per_minute: int | None = None) -> Allowance:
        """Count one call.

        Args:
            key: Whatever names the key.
            kind: Each kind has its own count.
            per_minute: The key's own limit.
        """
        item = self._items[kind] if per_minute is None else RateLimitItemPerMinute(per_minute)
        allowed = self._window.hit(item, kind.value, key)
        left = self._window.get_window_stats(item, kind.value, key)
        reset = max(1, math.ceil(left.reset_time - time.time()))
        return Allowance(allowed, item.amount, max(0, left.remaining), min(reset, WINDOW_SECONDS))
