from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from api.pages.gaps.week_chart import (
    HEIGHT,
    LEFT,
    MARK_SPACE,
    MOST_LINES,
    MOST_WEEKS,
    Mark,
    WeekChart,
    draw_series,
)

MONDAY = datetime(2025, 11, 3, tzinfo=UTC)


def draw(counts: list[int], marks: list[Mark] | None = None, width: int = 720) -> WeekChart | None:
    weeks = [(MONDAY + timedelta(weeks=n), count) for n, count in enumerate(counts)]
    return draw_series(weeks, marks or [], width=width)


def test_nothing_to_draw_without_tickets() -> None:
    assert draw([]) is None
    assert draw([0, 0]) is None


@given(st.lists(st.integers(0, 3_000), min_size=1, max_size=200), st.sampled_from([312, 720]))
def test_bars_stand_on_the_axis_inside_the_drawing_and_follow_their_counts(
    counts: list[int], width: int
) -> None:
    chart = draw(counts, width=width)
    shown = [count for count in counts[-MOST_WEEKS:] if count]
    if chart is None:
        assert not shown
        return
    assert len(chart.bars) == len(shown)
    unit = chart.bars[0].height / shown[0]
    for bar, count in zip(chart.bars, shown, strict=True):
        assert bar.x >= LEFT - 0.1
        assert bar.x + bar.width <= width
        assert abs(bar.y + bar.height - chart.base) < 0.02
        assert bar.y >= chart.top - 0.02
        assert abs(bar.height - count * unit) <= 0.01 + 0.005 * count / shown[0] + 0.01
    assert 1 <= len(chart.lines) <= MOST_LINES
    assert chart.lines[-1][1] >= max(shown)
    assert all(0 < y < HEIGHT for y, _ in chart.lines)


def test_months_are_named_once_and_the_year_where_it_begins() -> None:
    chart = draw([3] * 20)
    assert chart is not None
    names = [name for _, name in chart.months]
    assert names[0] == "Nov 2025"
    assert "Jan 2026" in names
    for (left, name), (right, _) in pairwise(chart.months):
        assert right - left >= len(name) * 7


def test_close_marks_keep_their_numbers_apart_and_old_ones_are_left_out() -> None:
    at = MONDAY + timedelta(days=40)
    marks = [
        Mark(MONDAY - timedelta(days=9), "merged", "before the first week"),
        Mark(at, "published", "one"),
        Mark(at + timedelta(hours=1), "rolled_back", "two"),
    ]
    chart = draw([1] * 13, marks)
    assert chart is not None
    one, two = chart.marks
    assert (one.number, one.mark.text, two.number) == (1, "one", 2)
    assert two.label_x - one.label_x >= MARK_SPACE - 0.01
    assert two.x - one.x < 1


def test_a_mark_stands_at_its_day() -> None:
    mark = Mark(MONDAY + timedelta(weeks=6, days=3.5), "published", "p")
    chart = draw([1] * 13, [mark])
    assert chart is not None
    seventh = chart.bars[6]
    assert abs(chart.marks[0].x - (seventh.x + seventh.width / 2)) < 0.1
