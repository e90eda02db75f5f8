"""The inbox: what is listed and counted, and what is done with several drafts at once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from api.pages.bulk import read_day
from api.pages.inbox_query import (
    InboxQuery,
    Line,
    Sort,
    Tab,
    choose_lines,
    count_tabs,
    count_values,
)
from api.pages.wording import tell_due
from api.wiring import Application
from gaps import tables
from gaps.types import Check, Draft, DraftState, GapKind
from kb.types import Role
from tests.api.pages.factories import (
    VPN_TICKETS,
    Browser,
    make_key,
    make_tickets,
    store_draft,
    store_gap,
)

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
FINE = (Check("citations", "green", "all"), Check("length", "green", "fine"))


def line(number: int, **said: Any) -> Line:
    basics: dict[str, Any] = {
        "id": f"d{number}",
        "state": DraftState.IN_REVIEW,
        "kind": "missing",
        "owner": "ines",
        "verdict": "green",
        "words": f"corvid connect {number}",
        "impact_per_week": float(number),
        "due_at": NOW - timedelta(days=number),
        "snoozed": False,
    }
    return Line(**basics | said)


def add(kb: Application, number: int, checks: Sequence[Check] = FINE, **said: Any) -> Draft:
    gap = store_gap(
        kb, f"gap_{number}", make_tickets(f"T{number}x", VPN_TICKETS), impact=float(number),
        owner=said.pop("owner", "ines"), kind=said.pop("kind", GapKind.MISSING),
        title=f"Topic {number}",
    )  # fmt: skip
    said = {"title": f"Draft number {number}", "document_id": f"new-{number}"} | said
    return store_draft(kb, f"drf_{number}", gap, checks=checks, **said)


def seen(*drafts: Draft) -> list[str]:
    return [f"{d.draft_id} {d.draft_hash} {d.state.value}" for d in drafts]


def state_of(kb: Application, draft: Draft) -> str:
    with kb.database.read() as connection:
        query = select(tables.drafts.c.state).where(tables.drafts.c.id == draft.draft_id)
        return str(connection.execute(query).scalar_one())


def titles(text: str) -> list[str]:
    return re.findall(r'class="cover"[^>]*>([^<]*)<', text)


def test_lines_are_sorted_by_impact_or_by_due_date() -> None:
    lines = [line(1), line(3), line(2), line(3, id="a")]
    assert [x.id for x in choose_lines(lines, InboxQuery())] == ["a", "d3", "d2", "d1"]
    due = choose_lines(lines, InboxQuery(sort=Sort.DUE))
    assert [x.id for x in due] == ["a", "d3", "d2", "d1"]
    late = line(9, due_at=NOW + timedelta(days=1))
    assert choose_lines([late, *lines], InboxQuery())[0] is late
    assert choose_lines([late, *lines], InboxQuery(sort=Sort.DUE))[-1] is late


def test_filters_narrow_and_count_what_each_choice_would_show() -> None:
    lines = [
        line(1), line(2, verdict="red"), line(3, owner="tom", verdict="red"),
        line(4, state=DraftState.PUBLISHED), line(5, snoozed=True),
    ]  # fmt: skip
    query = InboxQuery(checks="red", text="CORVID")
    assert [x.id for x in choose_lines(lines, query)] == ["d3", "d2"]
    counts = count_values(lines, query)
    assert counts["owner"] == {"ines": 1, "tom": 1}
    assert counts["checks"] == {"green": 1, "red": 2}
    assert count_tabs(lines, InboxQuery()) == {"waiting": 3, "snoozed": 1, "decided": 1}
    assert count_tabs(lines, query) == {"waiting": 2, "snoozed": 0, "decided": 0}
    assert choose_lines(lines, InboxQuery(text="corvid 2"))[0].id == "d2"


def test_an_address_says_only_what_is_not_usual_and_is_read_back() -> None:
    assert InboxQuery().link() == "/review"
    query = InboxQuery(Tab.SNOOZED, "tom", "in_review", "stale", "red", "a b", Sort.DUE, 50)
    address = query.link(offset=50)
    said = dict(pair.split("=") for pair in address.split("?")[1].split("&"))
    assert InboxQuery.parse(said | {"text": "a b"}) == query
    odd = {"tab": "x", "kind": "x", "sort": "x", "offset": "-1", "checks": "x", "state": "x"}
    assert InboxQuery.parse(odd) == InboxQuery()


@pytest.mark.parametrize(
    ("days", "text", "tone"),
    [(-3, "3 days overdue", "bad"), (-1, "1 day overdue", "bad"), (0, "due today", "warn"),
     (1, "due tomorrow", "warn"), (5, "due in 5 days", "quiet")],
)  # fmt: skip
def test_a_due_date_is_told_in_days(days: int, text: str, tone: str) -> None:
    due = tell_due(NOW + timedelta(days=days), NOW)
    assert (due.text, due.tone) == (text, tone)


@pytest.mark.parametrize("text", ["", "tomorrow", "2026-11-21", "2025-01-01", "2026-13-40"])
def test_a_day_that_is_none_or_past_is_not_taken(text: str) -> None:
    assert read_day(text, NOW) is None


def test_a_line_says_what_why_how_sure_how_many_and_when_due(
    kb: Application, browser: Browser
) -> None:
    add(kb, 7, checks=[Check("length", "look", "long")])
    with kb.database.write() as connection:
        connection.execute(
            update(tables.gaps).values(impact_low=4.2, impact_high=11.0, requester_count=31)
        )
        connection.execute(
            update(tables.drafts).values(due_at=kb.clock.now() - timedelta(days=2, minutes=1))
        )
    browser.sign_in(make_key(kb))
    text = " ".join(browser.get("/review").text.split())
    for shown in (
        "Draft number 7", "No article answers it", "93 %", ">4 <span", "31 people", "4.2–11",
        "2 days overdue", "Look at a check", "1 overdue",
    ):  # fmt: skip
        assert shown in text, shown


def test_filters_and_pages_on_the_page(kb: Application, browser: Browser) -> None:
    for number in range(1, 29):
        add(kb, number, checks=FINE if number % 2 else [Check("length", "red", "none")])
    browser.sign_in(make_key(kb))
    text = browser.get("/review").text
    assert len(titles(text)) == 25 and "1–25 of 28" in text
    assert titles(text)[0] == "Draft number 28"
    assert len(titles(browser.get("/review?offset=25").text)) == 3
    red = browser.get("/review?checks=red").text
    assert len(titles(red)) == 14 and "A problem (14)" in red
    assert titles(browser.get("/review?text=number+11").text) == ["Draft number 11"]
    assert "Nothing matches this filter" in browser.get("/review?text=nowhere").text


def test_a_snoozed_draft_is_out_of_the_inbox_until_its_day(
    kb: Application, browser: Browser
) -> None:
    draft = add(kb, 1)
    browser.sign_in(make_key(kb))
    bound = {"draft_hash": draft.draft_hash, "state": "in_review"}
    day = (kb.clock.now() + timedelta(days=5)).date().isoformat()
    answer = browser.post("/review/drf_1/later", do="snooze", until=day, why="Holiday", **bound)
    assert (answer.status_code, answer.headers["location"]) == (303, "/review")
    assert titles(browser.get("/review").text) == []
    assert titles(browser.get("/review?tab=snoozed").text) == ["Draft number 1"]
    assert "Snoozed until" in browser.get("/review/drf_1").text
    with kb.database.write() as connection:
        past = kb.clock.now() - timedelta(seconds=1)
        connection.execute(update(tables.drafts).values(snoozed_until=past))
    assert titles(browser.get("/review").text) == ["Draft number 1"]
    assert browser.post("/review/drf_1/later", do="wake", **bound).status_code == 303


def test_only_drafts_whose_checks_are_all_fine_are_approved_together(
    kb: Application, browser: Browser
) -> None:
    fine, look = add(kb, 1), add(kb, 2, checks=[Check("length", "look", "long")])
    unchecked = add(kb, 3, checks=())
    browser.sign_in(make_key(kb))
    chosen = [d.draft_id for d in (fine, look, unchecked)]
    answer = browser.post(
        "/review/bulk", do="approve", draft=chosen, seen=seen(fine, look, unchecked)
    )
    assert answer.status_code == 409
    assert "1 of 3 drafts done" in answer.text
    assert "Approved and published." in answer.text
    assert "a check wants a look: length" in answer.text
    assert [state_of(kb, d) for d in (fine, look, unchecked)] == [
        "published", "in_review", "in_review",
    ]  # fmt: skip


def test_a_compliance_document_is_not_approved_in_bulk(kb: Application, browser: Browser) -> None:
    file = kb.root / "articles" / "vpn.md"
    file.write_text(file.read_text().replace("title:", "governance: compliance\ntitle:", 1))
    list(kb.sync_sources())
    with kb.database.read() as connection:
        version = connection.exec_driver_sql("SELECT version FROM documents WHERE id='vpn'")
        base = int(version.scalar_one())
    draft = add(kb, 1, document_id="vpn", base_version=base)
    browser.sign_in(make_key(kb))
    answer = browser.post("/review/bulk", do="approve", draft=["drf_1"], seen=seen(draft))
    assert "it needs two people" in answer.text
    assert state_of(kb, draft) == "in_review"


def test_several_are_snoozed_handed_over_and_rejected_each_by_itself(
    kb: Application, browser: Browser
) -> None:
    drafts = [add(kb, number) for number in range(1, 5)]
    browser.sign_in(make_key(kb, Role.EDITOR, None))
    listed = seen(*drafts)
    listed[3] = f"drf_4 {'0' * 64} in_review"
    day = (kb.clock.now() + timedelta(days=3)).date().isoformat()

    def act(do: str, *ids: str, **more: Any) -> Any:
        return browser.post("/review/bulk", do=do, draft=list(ids), seen=listed, **more)

    assert act("snooze", "drf_1", until=day).status_code == 200
    assert act("hand_over", "drf_2", owner="tom").status_code == 200
    answer = act("reject", "drf_3", "drf_4", reason="Not needed.", because="not_a_gap")
    assert answer.status_code == 409
    assert "It changed since it was listed; read it again." in answer.text
    assert "1 of 2 drafts done" in answer.text
    with kb.database.read() as connection:
        owner = select(tables.drafts.c.owner).where(tables.drafts.c.id == "drf_2")
        assert connection.execute(owner).scalar_one() == "tom"
        status = select(tables.gaps.c.status).where(tables.gaps.c.id == "gap_3")
        assert connection.execute(status).scalar_one() == "dismissed"
    assert state_of(kb, drafts[3]) == "in_review"
    assert titles(browser.get("/review?tab=snoozed").text) == ["Draft number 1"]


@pytest.mark.parametrize(
    ("form", "fault"),
    [
        ({"do": "reject", "draft": ["drf_1"]}, "Say why they are not right"),
        ({"do": "reject", "reason": "x"}, "Tick the drafts it is about first"),
        ({"do": "snooze", "draft": ["drf_1"], "until": "2001-01-01"}, "Choose a day after today"),
        ({"do": "hand_over", "draft": ["drf_1"]}, "Choose whom to hand them to"),
        ({"do": "publish", "draft": ["drf_1"]}, "Choose what to do"),
    ],
)
def test_a_bulk_form_that_lacks_something_says_so_and_keeps_the_ticks(
    kb: Application, browser: Browser, form: dict[str, Any], fault: str
) -> None:
    add(kb, 1)
    browser.sign_in(make_key(kb))
    answer = browser.post("/review/bulk", **form)
    assert answer.status_code == 400
    assert fault in answer.text
    assert (" checked>" in answer.text) == bool(form.get("draft"))


def test_a_draft_of_somebody_else_is_not_touched_in_bulk(kb: Application, browser: Browser) -> None:
    draft = add(kb, 1, owner="tom")
    browser.sign_in(make_key(kb))
    answer = browser.post(
        "/review/bulk", do="reject", draft=["drf_1"], seen=seen(draft), reason="Mine now."
    )
    assert answer.status_code == 409
    assert "Draft number 1" not in answer.text
    assert state_of(kb, draft) == "in_review"
    assert browser.post("/review/bulk", csrf_token="forged", do="reject").status_code == 403
