from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from api.pages.gaps.listing import GapQuery
from api.wiring import Application
from gaps import repository
from gaps.keeping.correcting import read_corrections
from gaps.ranking.impact import pareto_count
from gaps.types import Gap, GapKind, GapStatus
from kb import audit
from kb.types import Role
from tests.api.pages.factories import Browser, make_key
from tests.api.pages.gaps.factories import fill_world, make_topic_tickets, store_ranked_gap


@pytest.fixture
def world(kb: Application) -> dict[str, Gap]:
    return fill_world(kb, 3)


@pytest.fixture
def ines(kb: Application, world: dict[str, Gap], browser: Browser) -> Browser:
    browser.sign_in(make_key(kb))
    return browser


def titles(text: str) -> list[str]:
    return re.findall(r'<a class="cover" href="/gaps/[^"]+">([^<]+)</a>', text)


def stored(kb: Application, gap_id: str) -> Gap:
    with kb.database.read() as connection:
        return repository.read_gap(connection, gap_id)


def test_the_list_is_ranked_and_says_what_each_gap_is(ines: Browser, world: dict[str, Gap]) -> None:
    text = ines.get("/gaps").text
    ranked = sorted(world.values(), key=lambda gap: -gap.priority)
    assert titles(text) == [gap.title for gap in ranked]
    for shown in (
        "Nothing in the knowledge base answers it.", "Two documents say different things.",
        "9.4", "4.7–17", "41 people", "too close to call", ">Review<", "tickets over 13 weeks",
        "for tom", "almost certain",
    ):  # fmt: skip
        assert shown in text, shown


def test_owners_see_every_gap_as_the_api_shows_them(ines: Browser) -> None:
    text = ines.get("/gaps").text
    assert "Refund arrives without the delivery costs" in text
    only_mine = ines.get("/gaps?owner=ines").text
    assert "Refund arrives without the delivery costs" not in only_mine
    assert "Valve rattles at night" in only_mine


@pytest.mark.parametrize("sort", ["priority", "impact"])
def test_the_rule_stands_after_the_gaps_that_save_eighty_percent(
    ines: Browser, world: dict[str, Gap], sort: str
) -> None:
    text = ines.get(f"/gaps?sort={sort}").text
    count = pareto_count([gap.impact_per_week for gap in world.values()])
    assert f"The {count} gaps above save 80 %" in text
    above = text.split('id="pareto"')[0]
    assert len(titles(above)) == count


def test_no_rule_where_the_order_is_not_by_what_is_saved(ines: Browser) -> None:
    assert 'id="pareto"' not in ines.get("/gaps?sort=newest").text
    assert 'id="pareto"' not in ines.get("/gaps?status=any").text


def test_filters_say_how_many_they_would_show(ines: Browser) -> None:
    text = ines.get("/gaps?text=refund").text
    assert titles(text) == [
        "Refund arrives without the delivery costs", "How long a refund takes",
        "Refund onto a card that was closed",
    ]  # fmt: skip
    assert "In conflict (1)" in text
    assert "Missing (0)" in text
    assert "Nothing matches this filter" in ines.get("/gaps?text=refund&kind=missing").text


def test_a_long_list_goes_on_over_pages(kb: Application, ines: Browser) -> None:
    for number in range(30):
        tickets = make_topic_tickets(f"L{number}", 2)
        store_ranked_gap(kb, f"l{number}", f"Small one {number}", GapKind.MISSING, tickets)
    first = ines.get("/gaps?sort=impact").text
    assert "1–25 of 41" in first
    address = re.search(r'rel="next" href="([^"]+)"', first)
    assert address is not None
    second = ines.get(address.group(1).replace("&amp;", "&")).text
    assert "26–41 of 41" in second
    assert len(set(titles(first)) | set(titles(second))) == 41
    assert len(titles(first)) == 25


def test_an_empty_list_says_what_happens_next(kb: Application, browser: Browser) -> None:
    browser.sign_in(make_key(kb))
    assert "No open gaps" in browser.get("/gaps").text
    assert browser.get("/gaps?offset=9999999").status_code == 200


def test_several_are_dismissed_with_one_reason(
    kb: Application, ines: Browser, world: dict[str, Gap]
) -> None:
    chosen = [world["Valve rattles at night"].gap_id, world["Valve shows E2"].gap_id]
    ines.get("/gaps?kind=wrong")
    answer = ines.post(
        "/gaps/bulk", do="dismiss", asked="sort=impact", gap=chosen, reason=" Winter only. "
    )
    assert answer.status_code == 303
    assert answer.headers["location"] == "/gaps?sort=impact&done=dismissed&n=2"
    for gap_id in chosen:
        gap = stored(kb, gap_id)
        assert (gap.status, gap.dismissed_reason) == (GapStatus.DISMISSED, "Winter only.")
    text = ines.get(answer.headers["location"]).text
    assert "2 gaps dismissed." in text
    assert "Valve shows E2" not in titles(text)
    with kb.database.read() as connection:
        assert [c.kind for c in read_corrections(connection)] == ["not_a_gap"] * 2
        told = [entry for entry in audit.read_entries(connection) if entry.action == "gap.dismiss"]
        assert [entry.actor for entry in told] == ["ines", "ines"]


def test_several_are_assigned(kb: Application, ines: Browser, world: dict[str, Gap]) -> None:
    chosen = [world["Valve rattles at night"].gap_id, world["Valve shows E2"].gap_id]
    answer = ines.post("/gaps/bulk", do="assign", gap=chosen, owner="tom")
    assert answer.status_code == 303
    assert {stored(kb, gap_id).owner for gap_id in chosen} == {"tom"}


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ({"do": "dismiss", "gap": ["gap_00"]}, "Say why"),
        ({"do": "dismiss", "reason": "r"}, "Tick the gaps"),
        ({"do": "assign", "gap": ["gap_00"]}, "Choose whom"),
        ({"do": "drop", "gap": ["gap_00"], "reason": "r"}, "Choose what to do"),
        ({"do": "dismiss", "gap": ["gap_00"], "reason": "r" * 2001}, "2,001 characters"),
    ],
)
def test_what_is_missing_is_said_and_nothing_changes(
    kb: Application, ines: Browser, sent: dict[str, str], told: str
) -> None:
    before = stored(kb, "gap_00")
    answer = ines.post("/gaps/bulk", **sent)
    assert answer.status_code == 400
    assert told in answer.text
    assert stored(kb, "gap_00") == before
    if "gap" in sent:
        assert re.search(r'value="gap_00" form="bulk"[^>]* checked', answer.text)


def test_what_cannot_be_dismissed_is_told_and_stays_ticked(
    kb: Application, ines: Browser, world: dict[str, Gap]
) -> None:
    with kb.database.write() as connection:
        repository.write_gap_status(connection, "gap_00", GapStatus.DRAFTING, now=kb.clock.now())
    answer = ines.post(
        "/gaps/bulk", do="dismiss", asked="status=any", gap=["gap_00", "gap_01", "gap_none"],
        reason="r",
    )  # fmt: skip
    assert answer.status_code == 409
    assert "1 of 3 dismissed." in answer.text
    assert "only an open one can be dismissed" in answer.text
    assert stored(kb, "gap_01").status is GapStatus.DISMISSED
    assert re.search(r'value="gap_00" form="bulk"[^>]* checked', answer.text)


def test_the_list_a_form_comes_back_to_is_always_this_one(ines: Browser) -> None:
    for asked in ("//evil.example", "x=https://evil.example", "text=a\r\nSet-Cookie: b=c"):
        answer = ines.post("/gaps/bulk", do="assign", gap=["gap_00"], owner="ines", asked=asked)
        address = answer.headers["location"]
        assert address.startswith("/gaps?")
        assert "evil" not in address
        assert "\n" not in address


def test_the_longest_filter_in_another_script_comes_back(kb: Application, ines: Browser) -> None:
    query = GapQuery(text="𐀀" * 200, owner="𐀀" * 80, status="any")
    asked = query.link().partition("?")[2]
    answer = ines.post("/gaps/bulk", do="assign", gap=["gap_00"], owner="tom", asked=asked)
    assert answer.headers["location"].startswith(query.link())


def test_the_inbox_leads_to_the_gap(ines: Browser) -> None:
    assert '<a href="/gaps/gap_20">Valve rattles at night</a>' in ines.get("/review").text


def test_no_form_is_taken_without_its_token_or_from_elsewhere(
    kb: Application, ines: Browser
) -> None:
    before = stored(kb, "gap_00")
    for path, fields in (
        ("/gaps/bulk", {"do": "dismiss", "gap": "gap_00", "reason": "r"}),
        ("/gaps/gap_00/correct", {"kind": "not_a_gap", "reason": "r"}),
    ):
        assert ines.post(path, **fields, csrf_token="").status_code == 403
        foreign = {"origin": "https://evil.example"}
        assert ines.post(path, foreign, **fields).status_code == 403
    assert stored(kb, "gap_00") == before


PLACES = ("/gaps", "/gaps/gap_00", "/gaps/map", "/gaps/map?area=top_area0")


def test_nobody_looks_without_signing_in(
    kb: Application, open_browser: Callable[..., Browser]
) -> None:
    fill_world(kb, 1)
    stranger, agent = open_browser(), open_browser()
    assert agent.sign_in(make_key(kb, Role.AGENT, None)).status_code == 401
    for browser in (stranger, agent):
        for place in PLACES:
            answer = browser.get(place)
            assert answer.status_code == 303
            assert answer.headers["location"].startswith("/sign-in")
        answer = browser.post("/gaps/gap_00/correct", kind="not_a_gap", reason="r")
        assert answer.headers["location"].startswith("/sign-in")
    assert stored(kb, "gap_00").status is GapStatus.OPEN
