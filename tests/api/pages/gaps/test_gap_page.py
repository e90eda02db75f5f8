from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from api.keys import create_key
from api.wiring import Application
from gaps import repository
from gaps.keeping import rows
from gaps.keeping.correcting import read_corrections
from gaps.signals import Signal, write_signal
from gaps.types import SIGNAL, DraftState, Gap, GapKind, GapStatus, Reason
from kb.tables import api_keys
from kb.types import Audience, Role
from tests.api.pages.factories import NOW, Browser, make_key, store_draft
from tests.api.pages.gaps.factories import (
    fill_world,
    make_topic_tickets,
    store_coverage,
    store_publication,
    store_ranked_gap,
)

PAGE = "/gaps/gap_00"


@pytest.fixture
def world(kb: Application) -> dict[str, Gap]:
    return fill_world(kb, 2)


@pytest.fixture
def ines(kb: Application, world: dict[str, Gap], browser: Browser) -> Browser:
    browser.sign_in(make_key(kb))
    browser.get(PAGE)
    return browser


def stored(kb: Application, gap_id: str) -> Gap:
    with kb.database.read() as connection:
        return repository.read_gap(connection, gap_id)


def correct(browser: Browser, kind: str, gap_id: str = "gap_00", **fields: Any) -> Any:
    return browser.post(f"/gaps/{gap_id}/correct", kind=kind, **fields)


def test_a_gap_says_what_it_is_what_to_do_and_what_it_rests_on(ines: Browser) -> None:
    text = ines.get(PAGE).text
    for shown in (
        "Corvid Connect stays at Negotiating", "Nothing in the knowledge base answers it.",
        "Have an article written from what solved these tickets.", "likely 4.7–17",
        "mean probability of 0.09", '<a href="#ticket-1">W00-0</a>', 'id="ticket-1"',
        "and 22 more", "cc-418", "Odd one", "1–12 of 61", "What solved it",
        "First found, in 20 tickets", "Company network from home", "from 41 people",
    ):  # fmt: skip
        assert shown in text, shown


def test_the_typical_are_the_most_central_and_the_odd_one_the_least(ines: Browser) -> None:
    found = re.findall(r'class="ticket-note">([^<]+)</b> · ([\w-]+)', ines.get(PAGE).text)
    assert found == [("Typical", "W00-0"), ("Typical", "W00-1"), ("Typical", "W00-2"),
                     ("Odd one", "W00-60")]  # fmt: skip


def test_evidence_leads_to_its_ticket_on_whichever_page_it_is(ines: Browser) -> None:
    text = ines.get(f"{PAGE}?offset=12").text
    address = re.search(r'<a href="([^"]+)">W00-3</a>', text)
    assert address is not None
    path, _, anchor = address.group(1).partition("#")
    other = ines.get(f"{PAGE}{path}").text
    assert other.split(f'id="{anchor}"')[0].rsplit(" · ", 3)[-3].endswith("W00-3")


def test_a_few_tickets_have_no_odd_one(kb: Application, ines: Browser) -> None:
    store_ranked_gap(kb, "few", "A few", GapKind.MISSING, make_topic_tickets("F", 4))
    assert "Odd one" not in ines.get("/gaps/gap_few").text


def test_tickets_go_on_over_pages(ines: Browser) -> None:
    shown: list[str] = []
    for offset in range(0, 61, 12):
        shown += re.findall(
            r'name="ticket" value="([\w-]+)"', ines.get(f"{PAGE}?offset={offset}").text
        )
    assert shown == [f"W00-{n}" for n in range(61)]
    assert ines.get(f"{PAGE}?offset=999999").status_code == 200


def test_the_chart_shows_every_week_and_marks_publications(
    kb: Application, ines: Browser, world: dict[str, Gap]
) -> None:
    store_draft(
        kb, "drf_1", world["Corvid Connect stays at Negotiating"], state=DraftState.PUBLISHED
    )
    store_publication(kb, "drf_1", 20)
    text = ines.get(PAGE).text
    assert "61 tickets in 13 weeks" in text
    assert text.count('class="weeks-mark published"') == 2
    assert '<a href="/review/drf_1">Published: vpn-corvid, version 1</a>' in text
    assert "Published vpn-corvid, version 1" in text


def test_the_nearest_articles_say_why_they_do_not_answer(kb: Application, ines: Browser) -> None:
    assert "Nearest articles" not in ines.get(PAGE).text
    for number in range(10):
        store_coverage(kb, f"W00-{number}", 0.08, "refunds", "vpn")
    text = ines.get(PAGE).text
    assert '<a href="/articles/refunds">Get your money back</a>' in text
    assert "10 of 10 questions find it among the first 3; where it comes first" in text
    assert "search is 8 % sure that it answers." in text
    stale = ines.get("/gaps/gap_02").text
    assert "“Connect to the company network” was linked in 14 tickets" in stale.split("Nearest")[1]


def test_what_agents_told_stands_beside_the_tickets_and_is_none(
    kb: Application, ines: Browser, world: dict[str, Gap]
) -> None:
    assert "What agents told" not in ines.get(PAGE).text
    gap = world["Corvid Connect stays at Negotiating"]
    with kb.database.write() as connection:
        told = write_signal(
            connection, Signal("Corvid <b>hangs</b> on a train?", GapKind.UNFINDABLE),
            key_id=None, audience=Audience.INTERNAL, now=NOW - timedelta(days=3),
        )  # fmt: skip
        key = f"{SIGNAL}{told}"
        reason = Reason("told", "an agent found nothing", (key, "W00-1", "W99-gone"))
        gap = replace(gap, ticket_ids=(key, *gap.ticket_ids), reasons=(reason,))
        repository.write_gap(connection, gap, run_id="run-gap_00", now=NOW)
    text = ines.get(PAGE).text
    assert "Corvid &lt;b&gt;hangs&lt;/b&gt; on a train?" in text
    assert "they say: hard to find" in text
    assert '<a href="#told">1 report from agents</a>' in text
    assert '<a href="#tickets">61</a>' in text
    assert "W99-gone" not in text
    assert re.search(r"<dd>61 <span class=.range.>41 people", ines.get("/gaps").text)


def test_a_topic_without_tickets_of_its_own_shows_the_weeks_of_its_run(
    kb: Application, ines: Browser, world: dict[str, Gap]
) -> None:
    gap = world["How long a refund takes"]
    with kb.database.write() as connection:
        rows.write_members(connection, "top_03", dict.fromkeys(gap.ticket_ids, 0.5), now=NOW)
    assert "30 tickets in 13 weeks" in ines.get(f"/gaps/{gap.gap_id}").text


def test_dismissing_takes_it_off_the_list_and_says_so(kb: Application, ines: Browser) -> None:
    answer = correct(ines, "not_a_gap", reason="One day only.", growth="3,5")
    assert (answer.status_code, answer.headers["location"]) == (303, f"{PAGE}?done=dismissed")
    text = ines.get(answer.headers["location"]).text
    assert "Dismissed. It stays off the list" in text
    assert "<strong>Dismissed</strong> by ines: One day only." in text
    with kb.database.read() as connection:
        assert repository.read_stored_gap(connection, "gap_00").dismissed_growth == 3.5


def test_it_is_another_kind(kb: Application, ines: Browser) -> None:
    answer = correct(ines, "kind_is", value="needs_action", reason="They need a token")
    assert answer.headers["location"] == f"{PAGE}?done=kind"
    assert stored(kb, "gap_00").kind is GapKind.NEEDS_ACTION
    text = ines.get(PAGE).text
    assert "Is “Needs an action”, not “Missing”" in text
    assert "They need a token" in text


def test_it_is_assigned_and_renamed(kb: Application, ines: Browser) -> None:
    assert correct(ines, "assign", value="tom").status_code == 303
    assert correct(ines, "title_is", value="  Corvid   hangs ").status_code == 303
    gap = stored(kb, "gap_00")
    assert (gap.owner, gap.title) == ("tom", "Corvid hangs")


def test_merging_leads_to_the_gap_that_goes_on(kb: Application, ines: Browser) -> None:
    offered = re.findall(r'<option value="(gap_\w+)"', ines.get("/gaps/gap_04").text)
    assert set(offered[:3]) == {"gap_00", "gap_01", "gap_02"}, "the same area comes first"
    assert "gap_04" not in offered
    answer = correct(ines, "merge", "gap_04", value="gap_00", reason="Same thing")
    assert answer.headers["location"] == f"{PAGE}?done=merged"
    assert "“Posture check after an update” made part of it, with 9 tickets" in ines.get(PAGE).text
    gone = ines.get("/gaps/gap_04").text
    assert f'<a href="{PAGE}">Corvid Connect stays at Negotiating</a>' in gone
    assert "It is part of another gap" not in gone or "Part of another gap now" in gone


def test_ticked_tickets_become_a_gap_of_their_own(kb: Application, ines: Browser) -> None:
    answer = correct(ines, "split", ticket=["W00-3", "W00-5"])
    address = answer.headers["location"]
    assert answer.status_code == 303
    assert address.endswith("?done=split")
    text = ines.get(address).text
    assert "Split off from “Corvid Connect stays at Negotiating”, with 2 tickets" in text
    assert re.findall(r'name="ticket" value="([\w-]+)"', text) == ["W00-3", "W00-5"]
    assert len(stored(kb, "gap_00").ticket_ids) == 59


@pytest.mark.parametrize(
    ("kind", "fields", "told"),
    [
        ("not_a_gap", {}, "Say why"),
        ("not_a_gap", {"reason": "r", "growth": "1"}, "more than 1"),
        ("not_a_gap", {"reason": "r", "growth": "nan"}, "more than 1"),
        ("not_a_gap", {"reason": "r" * 2001}, "2,001 characters"),
        ("kind_is", {}, "Choose what it is"),
        ("kind_is", {"value": "odd"}, "Expected one of: missing"),
        ("assign", {"value": "nobody"}, "Expected one of: ines, tom"),
        ("title_is", {"value": "x" * 91}, "1 to 90 characters"),
        ("title_is", {"value": "a‮b"}, "one line"),
        ("merge", {"value": "gap_none"}, "No gap"),
        ("merge", {"value": "gap_00"}, "itself"),
        ("split", {}, "Tick the tickets"),
        ("split", {"ticket": ["W00-1", "strange"]}, "strange"),
    ],
)
def test_a_correction_that_cannot_be_stands_beside_its_field(
    kb: Application, ines: Browser, kind: str, fields: dict[str, Any], told: str
) -> None:
    before = stored(kb, "gap_00")
    answer = correct(ines, kind, **fields)
    assert answer.status_code == 400
    assert re.search(rf'role="alert" id="fault">[^<]*{re.escape(told)}', answer.text)
    if kind != "split":
        form = next(part for part in answer.text.split("<details class=") if 'id="fault"' in part)
        assert f'name="kind" value="{kind}"' in form
        assert 'name="say" open' in form
    else:
        ticked = re.findall(r'value="([\w-]+)" form="split"[^>]* checked', answer.text)
        assert ticked == [key for key in fields.get("ticket", []) if key != "strange"]
    assert stored(kb, "gap_00") == before
    with kb.database.read() as connection:
        assert read_corrections(connection) == []


def test_what_is_being_drafted_is_neither_merged_split_nor_dismissed(
    kb: Application, ines: Browser
) -> None:
    with kb.database.write() as connection:
        repository.write_gap_status(connection, "gap_00", GapStatus.DRAFTING, now=NOW)
    text = ines.get(PAGE).text
    assert 'value="merge"' not in text
    assert 'form="split"' not in text
    assert 'value="not_a_gap"' not in text
    assert correct(ines, "merge", value="gap_01").status_code == 409
    assert correct(ines, "split", ticket=["W00-1"]).status_code == 409
    assert correct(ines, "not_a_gap", reason="r").status_code == 409


def test_the_owner_and_editors_write_drafts_others_do_not(
    kb: Application, ines: Browser, open_browser: Callable[..., Browser], world: dict[str, Gap]
) -> None:
    tom, editor = open_browser(), open_browser()
    tom.sign_in(make_key(kb, Role.OWNER, "tom"))
    editor.sign_in(make_key(kb, Role.EDITOR, None))
    button = 'action="/review/gaps/gap_00/draft"'
    assert button in ines.get(PAGE).text
    assert button in editor.get(PAGE).text
    assert button not in tom.get(PAGE).text
    assert tom.post("/review/gaps/gap_00/draft").status_code == 403
    draft = store_draft(kb, "drf_1", world["Corvid Connect stays at Negotiating"])
    link = f'href="/review/{draft.draft_id}">Open the draft'
    assert link in ines.get(PAGE).text
    assert button not in ines.get(PAGE).text
    assert link not in tom.get(PAGE).text
    assert "A draft is with ines" in tom.get(PAGE).text


def test_what_is_not_there_is_not_here(ines: Browser) -> None:
    for answer in (
        ines.get("/gaps/gap_none"), correct(ines, "not_a_gap", "gap_none", reason="r"),
        ines.get("/gaps/map?area=top_none"),
    ):  # fmt: skip
        assert answer.status_code == 404
        assert "Not here" in answer.text
    assert correct(ines, "nonsense").status_code == 400
    assert ines.get(f"{PAGE}?offset=-1").status_code == 422


def test_a_key_of_a_lower_audience_or_role_does_not_look(
    kb: Application, world: dict[str, Gap], open_browser: Callable[..., Browser]
) -> None:
    with kb.database.write() as connection:
        key = create_key(
            connection, role=Role.OWNER, audience=Audience.PARTNER, owner="tom", now=NOW,
            actor="test",
        )[1]  # fmt: skip
    assert open_browser().sign_in(key).status_code == 401
    demoted = open_browser()
    demoted.sign_in(make_key(kb))
    assert demoted.get(PAGE).status_code == 200
    with kb.database.write() as connection:
        connection.execute(update(api_keys).values(role=Role.AGENT.value))
    for path in (PAGE, "/gaps", "/gaps/map"):
        assert demoted.get(path).headers["location"].startswith("/sign-in")
    assert correct(demoted, "not_a_gap", reason="r").headers["location"].startswith("/sign-in")
    assert stored(kb, "gap_00").status is GapStatus.OPEN


def test_deleted_tickets_and_documents_do_no_harm(kb: Application, ines: Browser) -> None:
    with kb.database.write() as connection:
        for number in range(1, 61):
            repository.delete_ticket(connection, f"W00-{number}", actor="test", now=NOW)
    text = ines.get(PAGE).text
    assert "W00-0" in text
    assert 'form="split"' not in text
    with kb.database.write() as connection:
        repository.delete_ticket(connection, "W00-0", actor="test", now=NOW)
        connection.exec_driver_sql("UPDATE documents SET deleted_at = '2026-11-20 00:00:00.000000'")
    text = ines.get(PAGE).text
    assert "no longer stored" in text
    assert "no longer there" in ines.get("/gaps/gap_02").text


def test_a_topic_merged_by_the_finder_leads_on(kb: Application, ines: Browser) -> None:
    with kb.database.write() as connection:
        rows.move_members(connection, "top-gap_04", "top-gap_00")
    assert "Part of another gap now" in ines.get("/gaps/gap_04").text
