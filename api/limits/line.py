"""A bounded line before each class of work; lives on one event loop, takes no lock.

A burst waits its turn. A sustained excess, more coming in than can be done, is not queued at all:
whoever finds no free place is refused at once, so that those let in are served as if alone
(reliability.md §5: shed before queueing). The two are told apart by the rate of arrivals.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from api.limits.work import Work

EXCESS = 1.3
"""Arrivals over what can be done from which on nobody is queued. Callers that each wait for their
answer arrive as fast as they are served, however many they are: they stay under it."""
SHORTEST_WINDOW_SECONDS, LONGEST_WINDOW_SECONDS = 0.25, 30.0
WINDOW_CALLS = 20
"""Arrivals are counted over as long as this many take, within these bounds. Two windows on end with
an excess are a sustained one; one is a burst."""
WINDOWS_TO_SHED, WINDOWS_TO_CALM = 2, 4
"""On end. A moment's lull does not fill the line again."""
SMOOTHING = 0.1
"""Weight of the newest duration in the mean."""
MOST_TIMES_MEAN = 5.0
"""What a single duration counts as at most; where all take longer, the mean follows anyway."""


@dataclass(frozen=True, slots=True)
class LineRules:
    at_once: int
    """How many are worked on together."""
    waiting: int
    """How many may wait."""
    patience_seconds: float
    """The longest wait."""
    expected_seconds: float
    """What one takes, until some were measured."""
    sheds_excess: bool = True
    """Whether nobody waits while clearly more comes in than can be done."""


class Line:
    """Who is worked on, and who waits, in one class."""

    def __init__(self, rules: LineRules, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.rules = rules
        self.running = 0
        self.waiting: deque[asyncio.Future[None]] = deque()
        self.mean_seconds = rules.expected_seconds
        self._monotonic = monotonic
        self._window_began_at = monotonic()
        self._window_seconds = self._find_window()
        self._arrivals = 0
        self._excess_windows = 0
        self._calm_windows = 0
        self._overrun = False

    def note_arrival(self) -> None:
        now = self._monotonic()
        passed = (now - self._window_began_at) / self._window_seconds
        if passed >= 1.0:
            possible = self.rules.at_once * self._window_seconds / max(self.mean_seconds, 1e-6)
            excessive = self._arrivals > EXCESS * possible
            self._note_window(excessive, is_followed=passed < 2.0)
            self._window_began_at, self._arrivals = now, 0
            self._window_seconds = self._find_window()
        self._arrivals += 1

    def _note_window(self, excessive: bool, *, is_followed: bool) -> None:
        """Say how a window was, and whether the next one follows on it at once."""
        self._excess_windows = self._excess_windows + 1 if excessive else 0
        self._calm_windows = 0 if excessive else self._calm_windows + 1
        if not is_followed:
            self._excess_windows, self._overrun = 0, False
        elif self._excess_windows >= WINDOWS_TO_SHED:
            self._overrun = True
        elif self._calm_windows >= WINDOWS_TO_CALM:
            self._overrun = False

    def _find_window(self) -> float:
        wanted = WINDOW_CALLS * self.mean_seconds / self.rules.at_once
        return min(max(wanted, SHORTEST_WINDOW_SECONDS), LONGEST_WINDOW_SECONDS)

    def note_duration(self, seconds: float) -> None:
        # One that loads a model must not make the next ones look hopeless.
        likely = min(seconds, MOST_TIMES_MEAN * self.mean_seconds)
        self.mean_seconds += SMOOTHING * (likely - self.mean_seconds)

    @property
    def is_overrun(self) -> bool:
        """Whether clearly more has been coming in than can be done."""
        return self.rules.sheds_excess and self._overrun

    @property
    def may_wait(self) -> bool:
        if len(self.waiting) >= self.rules.waiting:
            return False
        expected = (len(self.waiting) + 1) * self.mean_seconds / self.rules.at_once
        return not self.is_overrun and expected <= self.rules.patience_seconds

    @property
    def retry_seconds(self) -> int:
        """When to try again: once those who wait are done; at least 1."""
        expected = (len(self.waiting) + self.running) * self.mean_seconds / self.rules.at_once
        return max(1, min(60, round(expected + 0.5)))


class Lines:
    """The lines of all classes; searches go before bulk work."""

    def __init__(
        self,
        rules: Mapping[Work, LineRules],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.lines = {work: Line(rules[work], monotonic) for work in Work if work in rules}

    def may_enter(self, work: Work) -> bool:
        """Whether there is a place, or one to wait for, as it looks now; notes the arrival."""
        line = self.lines[work]
        line.note_arrival()
        return (not line.waiting and self._is_free(work)) or line.may_wait

    async def enter(self, work: Work) -> bool:
        """Take a place, after a wait where there is one to wait for.

        Returns:
            Whether there is one; whoever got it calls `leave`. Ask `may_enter` first: what is
            refused there costs nothing.
        """
        line = self.lines[work]
        if not line.waiting and self._is_free(work):
            line.running += 1
            return True
        if not line.may_wait:
            return False
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        line.waiting.append(place)
        try:
            await asyncio.wait_for(place, line.rules.patience_seconds)
        except (TimeoutError, asyncio.CancelledError) as error:
            if place in line.waiting:
                line.waiting.remove(place)
            elif not place.cancelled():
                # Given a place in the very moment of giving up.
                line.running -= 1
            self._admit()
            if isinstance(error, asyncio.CancelledError):
                raise
            return False
        return True

    def leave(self, work: Work, seconds: float | None = None) -> None:
        """Give a place back, to whoever is next.

        Args:
            work: Whose place.
            seconds: How long it was worked on, where that says something about the next.
        """
        line = self.lines[work]
        line.running -= 1
        if seconds is not None:
            line.note_duration(seconds)
        self._admit()

    def _admit(self) -> None:
        for work, line in self.lines.items():
            while line.waiting and self._is_free(work):
                place = line.waiting.popleft()
                if not place.done():
                    line.running += 1
                    place.set_result(None)

    def _is_free(self, work: Work) -> bool:
        line = self.lines[work]
        if work is Work.BULK and self._is_anyone_searching_kept_waiting():
            return False
        return line.running < line.rules.at_once

    def _is_anyone_searching_kept_waiting(self) -> bool:
        search = self.lines.get(Work.SEARCH)
        return search is not None and bool(search.waiting)
