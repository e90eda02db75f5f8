from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.pages.gaps.map_labels import LETTER, LINE, Box, Label, Name, place_labels, wrap
from api.pages.gaps.map_layout import Circle, lay_out
from tests.api.pages.gaps.test_map_layout import SIZES, scatter

WORDS = "Refund arrives without the delivery costs of the second parcel"


def box_of(label: Label) -> Box:
    across = max(len(text) for _, _, text in label.lines) * LETTER * label.size
    x = label.lines[0][0]
    left = {"middle": x - across / 2, "start": x, "end": x - across}[label.anchor]
    top = label.lines[0][1] - 0.78 * LINE * label.size
    return Box(left, top, left + across, top + len(label.lines) * LINE * label.size)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("count", [3, 12, 30])
def test_no_label_beside_a_circle_lies_on_another_or_on_a_circle(
    size: tuple[float, float], count: int
) -> None:
    circles = lay_out(scatter(count), *size)
    names = {
        c.key: Name(WORDS[: 8 + n % 5 * 9], "4 tickets", n % 2 == 0) for n, c in enumerate(circles)
    }
    labels = place_labels(circles, names, *size)
    boxes = [box_of(label) for label in labels.values() if not label.is_inside]
    assert labels
    for number, box in enumerate(boxes):
        assert box.left >= 0
        assert box.right <= size[0]
        assert not any(box.overlaps(other) for other in boxes[:number])
        assert not any(box.touches(circle) for circle in circles)


@pytest.mark.parametrize("size", SIZES)
def test_a_label_inside_stays_inside(size: tuple[float, float]) -> None:
    circles = {c.key: c for c in lay_out(scatter(9), *size)}
    labels = place_labels(
        list(circles.values()), {k: Name(WORDS[:14], "3 tickets", True) for k in circles}, *size
    )
    assert any(label.is_inside for label in labels.values())
    for key, label in labels.items():
        if not label.is_inside:
            continue
        circle, box = circles[key], box_of(label)
        for x in (box.left, box.right):
            for y in (box.top, box.bottom):
                assert (x - circle.x) ** 2 + (y - circle.y) ** 2 <= circle.radius**2
        assert circle.y - circle.radius < label.shapes_y < box.top


def test_the_smaller_of_two_gives_way() -> None:
    circles = [Circle("large", 60, 100, 30), Circle("small", 60, 178, 20)]
    name = Name("Negotiating for ever")
    both = place_labels(circles, {"large": name, "small": name}, 120, 200)
    assert set(both) == {"large"}
    assert set(place_labels(circles[1:], {"small": name}, 120, 200)) == {"small"}


def test_a_name_without_room_is_cut_between_words_inside_a_large_circle() -> None:
    circle = Circle("c", 45, 45, 44)
    label = place_labels([circle], {"c": Name("Refund for the wrong part of an order")}, 90, 90)[
        "c"
    ]
    assert label.is_inside
    assert [text for _, _, text in label.lines] == ["Refund", "for the", "wrong…"]


@given(st.text(max_size=120), st.integers(1, 30), st.integers(1, 4))
def test_wrapping_keeps_within_its_lines(text: str, letters: int, most: int) -> None:
    lines = wrap(text, letters, most, cut=True)
    assert lines is not None
    assert len(lines) <= most
    assert all(len(line) <= letters for line in lines)
    whole = wrap(text, letters, most, cut=False)
    assert whole is None or " ".join(whole) == " ".join(text.split())


def test_what_is_cut_says_so() -> None:
    assert wrap("Parcel marked delivered", 8, 1, cut=True) == ["Parcel…"]
    assert wrap("Negotiating", 8, 1, cut=True) == ["Negotia…"]
    assert wrap("Negotiating", 8, 1, cut=False) is None
