"""Looks behind links: a few hosts at a time, one request a host, and no more than is needed."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from datetime import datetime

from ingest.addresses import UnsafeAddressError, read_target
from ingest.answers import Fetched
from ingest.fetching import BrokenAnswerError, Fetcher, NameNotFoundError
from ingest.links.judging import LinkState, LinkVerdict, judge_answer
from kb.errors import UnavailableError

SILENT_LINKS = 2
"""A host that gave no answer so often in a row is left alone for this run."""
_ASKED_ENOUGH = frozenset({429, 503})
Checked = tuple[str, LinkState]


class LinkChecker:
    """Checks URLs with a fixed number of workers, so that many links cost time and not memory."""

    def __init__(self, fetcher: Fetcher, now: Callable[[], datetime]) -> None:
        """Take what fetches and what tells the time.

        Args:
            fetcher: Its `limits.at_once` is the number of workers.
            now: For `checked_at`.
        """
        self._fetcher = fetcher
        self._now = now
        self.answered = False
        """Whether anybody has answered: if not, the network is away and names are not missing."""

    async def check(self, urls: Iterable[str]) -> AsyncIterator[Checked]:
        """Check each URL once, in no certain order.

        Yields:
            URL and finding, as soon as there is one. Names that do not exist come last.
        """
        waiting = _group_by_host(urls, self._fetcher.allowed)
        found: asyncio.Queue[Checked | None] = asyncio.Queue()
        missing: list[str] = []
        count = min(self._fetcher.limits.at_once, max(1, len(waiting)))
        workers = [
            asyncio.create_task(self._work(waiting, found, missing), name=f"link-check-{number}")
            for number in range(count)
        ]
        try:
            working = count
            while working:
                result = await found.get()
                if result is None:
                    working -= 1
                else:
                    yield result
            await asyncio.gather(*workers)
            for url in missing:
                verdict = LinkVerdict.DEAD if self.answered else LinkVerdict.UNKNOWN
                yield url, LinkState(verdict, None, None, self._now())
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)

    async def _work(
        self,
        waiting: deque[Sequence[str]],
        found: asyncio.Queue[Checked | None],
        missing: list[str],
    ) -> None:
        try:
            while waiting:
                silent = 0
                for url in waiting.popleft():
                    if silent >= SILENT_LINKS:
                        found.put_nowait((url, self._unknown()))
                        continue
                    try:
                        state = judge_answer(await self._ask(url), self._now())
                        self.answered, silent = True, 0
                    except NameNotFoundError:
                        missing.append(url)
                        continue
                    except UnsafeAddressError:
                        state = self._unknown()
                    except UnavailableError:
                        state, silent = self._unknown(), silent + 1
                    found.put_nowait((url, state))
        finally:
            found.put_nowait(None)

    async def _ask(self, url: str) -> Fetched:
        """HEAD, and GET where a server does not know HEAD or answers it otherwise."""
        try:
            answer = await self._fetcher.fetch(url, method="HEAD", read_body=False)
        except BrokenAnswerError:
            pass
        else:
            if answer.status_code < 400 or answer.status_code in _ASKED_ENOUGH:
                return answer
        return await self._fetcher.fetch(url, method="GET", read_body=False)

    def _unknown(self) -> LinkState:
        return LinkState(LinkVerdict.UNKNOWN, None, None, self._now())


def _group_by_host(urls: Iterable[str], allowed: Collection[str]) -> deque[Sequence[str]]:
    groups: dict[str, list[str]] = defaultdict(list)
    for url in dict.fromkeys(urls):
        try:
            groups[read_target(url, allowed).host].append(url)
        except UnsafeAddressError:
            groups[""].append(url)
    return deque(sorted(groups.values(), key=lambda group: (-len(group), group[0])))
