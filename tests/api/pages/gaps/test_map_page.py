from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest

from api.pages.gaps.map_labels import Label
from api.pages.gaps.map_layout import Circle
from api.pages.gaps.map_page import DESK, PHONE, Entry, draw_map, place_shapes
from api.wiring import Application
from gaps import repository
from gaps.types import GapKind, GapStatus
from tests.api.pages.factories import NOW, Browser, make_key
from tests.api.pages.gaps.factories import (
    fill_world,
    make_topic_tickets,
    store_ranked_gap,
    write_topic,
)


@pytest.fixture
def ines(kb: Application, browser: Browser) -> Browser:
    browser.sign_in(make_key(kb))
    return browser


def drawings(text: str) -> list[ElementTree.Element]:
    found = text.split("<figcaption>")[0].split('<svg class="map')[1:]
    ends = (f'<svg class="map{one[: one.rindex("</svg>")]}</svg>' for one in found)
    return [ElementTree.fromstring(one) for one in ends]


def links(svg: ElementTree.Element) -> dict[str, str]:
    return {a.get("href", ""): a.get("aria-label", "") for a in svg.findall("a")}


def test_no_topics_are_said(ines: Browser) -> None:
    assert "No topics yet" in ines.get("/gaps/map").text


def test_areas_lead_to_their_topics_and_topics_to_their_gaps(
    kb: Application, ines: Browser
) -> None:
    fill_world(kb)
    text = ines.get("/gaps/map").text
    wide, narrow = drawings(text)
    assert links(wide) == links(narrow)
    assert len(links(wide)) == 7
    told = links(wide)["/gaps/map?area=top_area0"]
    assert told.startswith("Company network from home: 141 tickets; 2 missing")
    assert "tickets a week to be saved" in told
    inside = ines.get("/gaps/map?area=top_area0").text
    found = links(drawings(inside)[0])
    assert set(found) == {"/gaps/gap_00", "/gaps/gap_01", "/gaps/gap_02", "#top_03", "/gaps/gap_04"}
    assert found["#top_03"] == "Which programs need the network at all: 15 tickets; no open gap"
    assert 'id="top_03"' in inside
    assert '<a href="/gaps/map?area=top_area1">Money back</a>' in inside


def test_every_mark_has_a_title_and_every_kind_a_shape(kb: Application, ines: Browser) -> None:
    fill_world(kb)
    for path in ("/gaps/map", "/gaps/map?area=top_area2"):
        for svg in drawings(ines.get(path).text):
            for mark in svg.findall("a"):
                assert mark.findtext("title") == mark.get("aria-label")
                assert mark.find("circle") is not None
                has_gap = "no open gap" not in mark.get("aria-label", "")
                assert has_gap == (mark.find("svg") is not None)


def test_the_table_says_the_same(kb: Application, ines: Browser) -> None:
    fill_world(kb)
    text = ines.get("/gaps/map").text
    table = text.split('<table class="grid">')[1]
    for name in ("Company network from home", "Money back", "Invoices", "Smart valves"):
        assert name in table
    assert table.count("<tr id=") == 7
    assert ">141<" in table


def test_dismissed_gaps_are_no_longer_coloured(kb: Application, ines: Browser) -> None:
    fill_world(kb, 1)
    with kb.database.write() as connection:
        repository.write_gap_status(connection, "gap_01", GapStatus.DISMISSED, now=NOW)
    found = links(drawings(ines.get("/gaps/map").text)[0])
    assert found["/gaps/gap_01"].endswith("no open gap")


def test_topics_without_an_area_or_a_place_are_shown_too(kb: Application, ines: Browser) -> None:
    for number in range(3):
        store_ranked_gap(
            kb, f"x{number}", f"Alone {number}", GapKind.MISSING, make_topic_tickets(f"X{number}", 4)
        )  # fmt: skip
    assert "Alone 1" in ines.get("/gaps/map").text, "one area needs no level of its own"
    fill_world(kb, 2)
    assert "In no area" in ines.get("/gaps/map").text
    assert "Alone 1" in ines.get("/gaps/map?area=none").text


def test_merged_topics_and_empty_areas_are_left_out(kb: Application, ines: Browser) -> None:
    fill_world(kb, 2)
    with kb.database.write() as connection:
        write_topic(connection, "top_empty", "Nothing in it", level="coarse", place=(0.5, 0.5))
    text = ines.get("/gaps/map").text
    assert "Nothing in it" not in text
    ines.post("/gaps/gap_04/correct", kind="merge", value="gap_00")
    assert "Posture check" not in ines.get("/gaps/map?area=top_area0").text


def make_entries(count: int) -> list[Entry]:
    return [
        Entry(f"t{n}", f"Topic {n}", f"#t{n}", 500 - n, (("stale", 1),), 1.0, None)
        for n in range(count)
    ]


@pytest.mark.parametrize(("size", "most"), [(DESK, 80), (PHONE, 30)])
def test_more_than_can_be_told_apart_is_left_to_the_table(
    size: tuple[float, float], most: int
) -> None:
    drawn = draw_map(make_entries(200), size)
    assert len(drawn.marks) == most
    assert drawn.left_out == 200 - most
    assert drawn.marks[0].entry.key == "t0"


def test_shapes_stay_inside_their_circle() -> None:
    kinds = (("missing", 3), ("stale", 2), ("wrong", 1), ("conflict", 1))
    for radius in (13.0, 20.0, 34.0, 60.0, 110.0):
        circle = Circle("c", 200, 200, radius)
        for label in (None, Label(((200, 210, "x"),), "middle", True, 13.0, 190.0)):
            if label is not None and radius < 34:
                continue
            shapes = place_shapes(kinds, circle, label)
            assert shapes
            for shape in shapes:
                for x in (shape.x, shape.x + shape.size):
                    assert abs(x - 200) <= radius
