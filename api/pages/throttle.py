"""How often a client may fail to sign in; counted in this process's memory."""

from __future__ import annotations

import math
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from threading import Lock

FAILURES = 10
WINDOW_SECONDS = 300.0
MAX_CLIENTS = 10_000
"""Clients remembered; the one that failed longest ago is forgotten first."""


class SignInThrottle:
    """A sliding window of failures for each client."""

    def __init__(self, now_seconds: Callable[[], float] = time.monotonic) -> None:
        self._now_seconds = now_seconds
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = Lock()

    def wait_seconds(self, client: str) -> int:
        """Whole seconds until this client may try again; 0 means now."""
        with self._lock:
            recent = self._recent(client)
            if len(recent) < FAILURES:
                return 0
            return max(1, math.ceil(recent[0] + WINDOW_SECONDS - self._now_seconds()))

    def record_failure(self, client: str) -> None:
        with self._lock:
            recent = self._recent(client)
            recent.append(self._now_seconds())
            self._failures[client] = recent
            self._failures.move_to_end(client)
            while len(self._failures) > MAX_CLIENTS:
                self._failures.popitem(last=False)

    def forget(self, client: str) -> None:
        """Called when the client signs in."""
        with self._lock:
            self._failures.pop(client, None)

    def _recent(self, client: str) -> deque[float]:
        recent = self._failures.get(client, deque())
        oldest = self._now_seconds() - WINDOW_SECONDS
        while recent and recent[0] <= oldest:
            recent.popleft()
        return recent
