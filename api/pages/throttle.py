"""How often somebody may fail to sign in, with growing waits; counted in this process's memory.

One process serves a data folder (api/server.py holds its lock), so memory is the whole count; a
restart forgets it, which gives a guesser one more round. Three counters stand beside each other:

- an address may fail ten times in five minutes, whatever it tries;
- a name from one address waits from the fifth failure on, twice as long each time;
- a name from anywhere waits a minute from the twentieth failure in a day on. That slows a guesser
  with many addresses to about 1,500 guesses a day for a name, and keeps the waits that a stranger
  can force on its owner short.

An attempt counts before its password is looked at, so that many at once are no way around.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from ipaddress import IPv6Address, ip_address
from threading import Lock

from fastapi import Request

FAILURES = 10
WINDOW_SECONDS = 300.0
PAIR_FAILURES = 5
PAIR_MAX_SECONDS = 900.0
NAME_FAILURES = 20
NAME_WAIT_SECONDS = 60.0
DAY_SECONDS = 86_400.0
MAX_CLIENTS = 10_000
"""Counters kept of each sort; the one that failed longest ago is forgotten first."""


class SignInThrottle:
    """Failures by address, by name, and by both."""

    def __init__(
        self, now_seconds: Callable[[], float] = time.monotonic, *, failures: int = FAILURES
    ) -> None:
        """Begin without any.

        Args:
            now_seconds: A clock that only goes forward.
            failures: That an address has in the window.
        """
        self._failures = failures
        self._now_seconds = now_seconds
        self._by_client: OrderedDict[str, deque[float]] = OrderedDict()
        self._by_pair: OrderedDict[str, deque[float]] = OrderedDict()
        self._by_name: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = Lock()

    def wait_seconds(self, client: str, name: str = "") -> int:
        """Whole seconds until this address may try this name again; 0 means now."""
        with self._lock:
            return self._wait(client, name)

    def begin(self, client: str, name: str = "") -> int:
        """Count an attempt as failed until `succeed` says otherwise.

        Returns:
            0, or the whole seconds to wait; then nothing was counted.
        """
        with self._lock:
            wait = self._wait(client, name)
            if wait == 0:
                self._record(client, name)
            return wait

    def succeed(self, client: str, name: str = "") -> None:
        """Take the last attempt back: it was right.

        The address keeps its other failures, or one good account would pay for guesses at others.
        """
        with self._lock:
            recent = self._by_client.get(client)
            if recent:
                recent.pop()
            if name:
                self._by_pair.pop(_pair(client, name), None)
                self._by_name.pop(name, None)

    def _wait(self, client: str, name: str) -> int:
        now = self._now_seconds()
        waits = [0.0]
        recent = _recent(self._by_client, client, now - WINDOW_SECONDS)
        if len(recent) >= self._failures:
            waits.append(recent[0] + WINDOW_SECONDS - now)
        if name:
            both = _recent(self._by_pair, _pair(client, name), now - DAY_SECONDS)
            if len(both) >= PAIR_FAILURES:
                held = min(PAIR_MAX_SECONDS, 2.0 ** (len(both) - PAIR_FAILURES))
                waits.append(both[-1] + held - now)
            everywhere = _recent(self._by_name, name, now - DAY_SECONDS)
            if len(everywhere) >= NAME_FAILURES:
                waits.append(everywhere[-1] + NAME_WAIT_SECONDS - now)
        longest = max(waits)
        return math.ceil(longest) if longest > 0 else 0

    def _record(self, client: str, name: str) -> None:
        now = self._now_seconds()
        _add(self._by_client, client, now)
        if name:
            _add(self._by_pair, _pair(client, name), now)
            _add(self._by_name, name, now)


def network_of(address: str) -> str:
    """What counts as one client: an IPv4 address, or the /64 that one IPv6 customer is given."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return f"{IPv6Address(int(parsed) >> 64 << 64)}/64"
    return str(parsed)


def client_of(request: Request) -> str:
    return network_of(request.client.host if request.client else "")


def throttle_of(request: Request) -> SignInThrottle:
    """The one of this process."""
    state = request.app.state
    if not hasattr(state, "sign_in_throttle"):
        state.sign_in_throttle = SignInThrottle()
    throttle: SignInThrottle = state.sign_in_throttle
    return throttle


def _pair(client: str, name: str) -> str:
    return f"{client}\n{name}"


def _recent(held: OrderedDict[str, deque[float]], key: str, oldest: float) -> Sequence[float]:
    recent = held.get(key, deque())
    while recent and recent[0] <= oldest:
        recent.popleft()
    return recent


def _add(held: OrderedDict[str, deque[float]], key: str, now: float) -> None:
    held.setdefault(key, deque(maxlen=100)).append(now)
    held.move_to_end(key)
    while len(held) > MAX_CLIENTS:
        held.popitem(last=False)
