from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from api.pages.bar_chart import HEIGHT, WIDTH, draw_weeks
from api.pages.word_diff import Diff, Segment, diff_texts

_LINES = st.lists(st.text("ab c.1", max_size=12), max_size=12).map("\n".join)


def _lines(diff: Diff, side: str) -> list[str]:
    texts = ["".join(segment.text for segment in getattr(row, side)) for row in diff.rows]
    return [line for text in texts for line in text.split("\n")]


@given(_LINES, _LINES)
def test_no_text_is_lost_or_made_up(before: str, after: str) -> None:
    diff = diff_texts(before, after)
    for side, text in (("before", before), ("after", after)):
        shown = [line for line in _lines(diff, side) if line]
        assert shown == [line for line in text.splitlines() if line]


@given(_LINES)
def test_equal_texts_have_no_difference(text: str) -> None:
    assert diff_texts(text, text).is_empty


def test_a_phrase_that_changed_is_one_change() -> None:
    (row,) = diff_texts("click the grey shield now", "click the blue bird now").rows
    assert row.segments == (
        Segment("same", "click the "),
        Segment("removed", "grey shield"),
        Segment("added", "blue bird"),
        Segment("same", " now"),
    )


def test_far_unchanged_lines_are_folded() -> None:
    lines = [f"line {number}" for number in range(2_000)]
    diff = diff_texts("\n".join(lines), "\n".join([*lines[:1_000], "new", *lines[1_001:]]))
    assert [row.kind for row in diff.rows] == [
        "folded", "same", "same", "changed", "same", "same", "folded",
    ]  # fmt: skip
    assert sum(row.line_count for row in diff.rows) == 2_000


def test_weeks_become_bars_inside_the_frame() -> None:
    chart = draw_weeks([0, 3, 12, 6])
    assert chart is not None
    assert [bar.is_peak for bar in chart.bars] == [False, False, True, False]
    assert all(0 <= bar.x <= WIDTH - bar.width for bar in chart.bars)
    assert all(abs(bar.y + bar.height - HEIGHT) < 0.02 for bar in chart.bars)
    assert "21 tickets over 4 weeks" in chart.title


def test_nothing_to_draw_is_no_chart() -> None:
    assert draw_weeks([]) is None
    assert draw_weeks([0, 0]) is None
