"""The lines: bursts wait their turn, a sustained excess does not, searches go before bulk."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from api.limits.line import LineRules, Lines
from api.limits.work import Work

SEARCH = LineRules(2, 8, 1.0, 0.02)
BULK = LineRules(1, 4, 1.0, 0.02, sheds_excess=False)


class Watch:
    """A clock that stands still until it is moved."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def run(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(story, 20))


def make_lines(search: LineRules = SEARCH, bulk: LineRules = BULK) -> tuple[Lines, Watch]:
    watch = Watch()
    return Lines({Work.SEARCH: search, Work.BULK: bulk}, watch), watch


async def settle() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


def test_those_over_the_places_wait_and_come_in_their_order() -> None:
    async def story() -> None:
        lines, _ = make_lines()
        order: list[int] = []

        async def search(number: int) -> None:
            assert lines.may_enter(Work.SEARCH)
            assert await lines.enter(Work.SEARCH)
            order.append(number)

        tasks = [asyncio.create_task(search(number)) for number in range(5)]
        await settle()
        assert order == [0, 1]
        assert len(lines.lines[Work.SEARCH].waiting) == 3
        for done in range(2, 5):
            lines.leave(Work.SEARCH, 0.02)
            await settle()
            assert order == list(range(done + 1))
        await asyncio.gather(*tasks)
        lines.leave(Work.SEARCH)
        lines.leave(Work.SEARCH)
        assert lines.lines[Work.SEARCH].running == 0

    run(story())


def test_a_full_line_refuses_at_once() -> None:
    async def story() -> None:
        lines, _ = make_lines(LineRules(1, 2, 1.0, 0.02))
        assert await lines.enter(Work.SEARCH)
        waiting = [asyncio.create_task(lines.enter(Work.SEARCH)) for _ in range(2)]
        await settle()
        assert not lines.may_enter(Work.SEARCH)
        assert not await lines.enter(Work.SEARCH)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        assert not lines.lines[Work.SEARCH].waiting

    run(story())


def test_who_waits_longer_than_is_bearable_is_refused_and_takes_no_place() -> None:
    async def story() -> None:
        lines, _ = make_lines(LineRules(1, 2, 0.05, 0.02))
        assert await lines.enter(Work.SEARCH)
        assert not await lines.enter(Work.SEARCH)
        lines.leave(Work.SEARCH)
        assert lines.lines[Work.SEARCH].running == 0
        assert await lines.enter(Work.SEARCH)

    run(story())


def test_nobody_waits_who_would_wait_too_long() -> None:
    async def story() -> None:
        lines, _ = make_lines(LineRules(1, 100, 1.0, 0.4))
        assert await lines.enter(Work.SEARCH)
        tasks = []
        for _ in range(2):
            assert lines.may_enter(Work.SEARCH)
            tasks.append(asyncio.create_task(lines.enter(Work.SEARCH)))
            await settle()
        assert not lines.may_enter(Work.SEARCH)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    run(story())


def test_a_burst_may_wait_and_a_sustained_excess_may_not() -> None:
    async def story() -> None:
        lines, watch = make_lines(LineRules(2, 1_000, 60.0, 0.02))
        line = lines.lines[Work.SEARCH]
        line.running = 2
        # Two at once, 20 ms each: 25 in a window of a quarter of a second are possible.
        calming = [(30, True)] * 4
        windows = [(100, False), (100, False), (100, True), *calming, (30, False)]
        for arrivals, overrun in windows:
            assert all(lines.may_enter(Work.SEARCH) is not line.is_overrun for _ in range(arrivals))
            assert line.is_overrun is overrun
            watch.now += 0.26
        watch.now += 60.0
        assert lines.may_enter(Work.SEARCH)

    run(story())


@pytest.mark.parametrize("callers", [1, 8, 60])
def test_callers_that_wait_for_their_answers_are_no_excess_however_many(callers: int) -> None:
    async def story() -> None:
        lines, watch = make_lines(LineRules(2, 100, 60.0, 0.02))
        refused, answered = 0, 0

        async def call() -> None:
            nonlocal refused, answered
            for _ in range(20):
                if not lines.may_enter(Work.SEARCH) or not await lines.enter(Work.SEARCH):
                    refused += 1
                    continue
                await asyncio.sleep(0)
                watch.now += 0.01
                lines.leave(Work.SEARCH, 0.02)
                answered += 1

        await asyncio.gather(*(call() for _ in range(callers)))
        assert (refused, answered) == (0, 20 * callers)

    run(story())


def test_bulk_work_does_not_begin_while_a_search_waits() -> None:
    async def story() -> None:
        lines, _ = make_lines(LineRules(1, 4, 5.0, 0.02))
        order: list[str] = []

        async def work(kind: Work) -> None:
            assert await lines.enter(kind)
            order.append(kind.value)

        await work(Work.SEARCH)
        second = asyncio.create_task(work(Work.SEARCH))
        await settle()
        bulk = asyncio.create_task(work(Work.BULK))
        await settle()
        assert order == ["search"]
        lines.leave(Work.SEARCH)
        await asyncio.gather(second, bulk)
        assert order == ["search", "search", "bulk"]

    run(story())


def test_bulk_work_goes_on_when_the_waiting_search_gives_up() -> None:
    async def story() -> None:
        lines, _ = make_lines(LineRules(1, 4, 5.0, 0.02))
        assert await lines.enter(Work.SEARCH)
        search = asyncio.create_task(lines.enter(Work.SEARCH))
        await settle()
        bulk = asyncio.create_task(lines.enter(Work.BULK))
        await settle()
        search.cancel()
        assert await bulk

    run(story())


def test_bulk_work_is_never_an_excess_only_too_much_to_wait_for() -> None:
    async def story() -> None:
        lines, _ = make_lines(bulk=LineRules(1, 4, 30.0, 1.0, sheds_excess=False))
        assert [lines.may_enter(Work.BULK) for _ in range(100)] == [True] * 100

    run(story())


def test_one_slow_call_is_no_sign_and_many_are() -> None:
    lines, _ = make_lines(LineRules(2, 64, 5.0, 0.02))
    line = lines.lines[Work.SEARCH]
    line.note_duration(30.0)
    assert line.mean_seconds < 0.03
    for _ in range(40):
        line.note_duration(1.0)
    assert line.mean_seconds > 0.8
