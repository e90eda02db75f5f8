"""Every place where someone else's words appear, with forty vectors in each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.pages.layout import static_path
from api.wiring import Application
from gaps.repository import write_gap
from gaps.types import (
    Check,
    Citation,
    Draft,
    DraftState,
    Reason,
    Refusal,
    Replayed,
    Statement,
)
from kb.types import Audience, Role
from tests.api.pages.factories import (
    Browser,
    make_application,
    make_key,
    make_tickets,
    store_draft,
    store_gap,
)
from tests.api.pages.gaps.factories import store_coverage, write_topic
from tests.api.pages.vectors import VECTORS

ACTIVE = {"script", "iframe", "object", "embed", "img", "base", "style", "math", "video", "audio"}
TEXT_ATTRIBUTES = {"value", "datetime", "aria-label"}
OUR_SVG = {"svg", "rect", "path", "circle", "line", "title", "desc"}


class _Guard(HTMLParser):
    """Fails on any element or attribute that could run, load or send something."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "script":
            assert dict(attrs) == {"src": static_path("preview.js"), "defer": None}
            return
        assert tag not in ACTIVE, self.get_starttag_text()
        for name, value in attrs:
            assert not name.startswith("on"), self.get_starttag_text()
            assert name not in ("style", "srcdoc", "src", "data", "http-equiv"), name
            if name in ("href", "action", "formaction") and tag != "a":
                assert (value or "").startswith("/"), self.get_starttag_text()
            assert "script:" not in (value or "").lower() or name in TEXT_ATTRIBUTES


Editor = tuple[Application, Browser]


@pytest.fixture(scope="module")
def editor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Editor]:
    """One knowledge base for all vectors; each brings drafts of its own."""
    kb = make_application(tmp_path_factory.mktemp("escaping") / "kb")
    browser = Browser(TestClient(create_app(kb)))
    browser.sign_in(make_key(kb, Role.EDITOR, None))
    yield kb, browser
    kb.close()


def store_hostile(kb: Application, name: str, vector: str) -> Draft:
    """A draft, a refusal and an open gap made of nothing but the vector."""
    tickets = make_tickets(f"{name}X", [(vector, vector, vector)] * 2)
    gap = store_gap(
        kb, f"{name}x", tickets, title=vector, owner=vector, reasons=[vector], documents=[vector]
    )
    quotes = (Citation("ticket", f"{name}X-0", vector), Citation("chunk", vector, vector))
    row = Replayed(
        vector, vector, Audience.PUBLIC, vector, vector, 1, None, True, False, vector, vector,
        (vector, "vpn"),
    )  # fmt: skip
    check = Check(vector, "look", vector, (row, replace(row, kind="ticket", id=f"{name}X-0")))
    draft = store_draft(
        kb, f"drf_{name}x", gap, title=vector, markdown=vector,
        statements=[Statement(vector, quotes)], checks=[check],
    )  # fmt: skip
    thin = store_gap(kb, f"{name}y", make_tickets(f"{name}Y", [(vector,) * 3]), title=vector)
    store_draft(
        kb, f"drf_{name}y", thin, title=vector, markdown="", statements=(), checks=(),
        state=DraftState.REFUSED, refused=Refusal(vector, (vector,)),
    )  # fmt: skip
    store_gap(kb, f"{name}z", make_tickets(f"{name}Z", [(vector,) * 3]), title=vector)
    return draft


def store_hostile_topic(kb: Application, name: str, vector: str) -> str:
    """A gap of a topic in an area, all their words the vector; its id."""
    tickets = make_tickets(f"{name}W", [(vector, vector, vector)] * 7)
    gap = store_gap(
        kb, f"{name}w", tickets, title=vector, owner=vector, reasons=[vector], documents=[vector]
    )
    area = f"top_{name}"
    store_coverage(kb, tickets[0].ticket_id, 0.1, vector, "vpn")
    with kb.database.write() as connection:
        write_topic(connection, area, vector, level="coarse", place=(0.5, 0.5))
        write_topic(connection, gap.topic_id, vector, parent_id=area, tickets=())
        reason = Reason(vector, vector, (vector, tickets[0].ticket_id))
        write_gap(
            connection, replace(gap, terms=(vector,), reasons=(reason,)), run_id=f"run-{name}w",
            now=gap.last_seen_at,
        )  # fmt: skip
    return gap.gap_id


def arrange(browser: Browser, page: str, draft: Draft, vector: str) -> list[Any]:
    """The vector as comment, as reason, as query, and in every field of the bulk form."""
    bound = {"draft_hash": draft.draft_hash, "state": "in_review"}
    day = (datetime.now(UTC) + timedelta(days=9)).date().isoformat()
    seen = [f"{draft.draft_id} {draft.draft_hash} in_review"]
    return [
        browser.post(f"{page}/comment", text=vector),
        browser.post(f"{page}/later", do="snooze", until=day, why=vector, **bound),
        browser.get(f"/review?{urlencode({'text': vector, 'owner': vector, 'tab': 'snoozed'})}"),
        browser.post(f"{page}/later", do="snooze", until=vector[:20], owner=vector[:80], **bound),
        browser.post("/review/bulk", do=vector[:20], draft=[vector], asked=vector, reason=vector,
                     until=vector[:20], owner=vector[:80], because=vector[:30]),
        browser.post("/review/bulk", do="reject", draft=[draft.draft_id, vector], seen=seen,
                     reason=vector, because=vector[:30]),
    ]  # fmt: skip


@pytest.mark.parametrize("number", range(len(VECTORS)))
def test_no_page_lets_a_vector_through(editor: Editor, number: int) -> None:
    kb, browser = editor
    name, vector = f"v{number}", VECTORS[number]
    draft = store_hostile(kb, name, vector)
    page = f"/review/{draft.draft_id}"
    answers = [browser.get(path) for path in ("/review", page, f"/review/drf_{name}y")]
    answers.append(browser.post(f"{page}/preview", markdown=vector))
    answers.append(browser.post(f"{page}/preview", markdown=vector, live="1"))
    answers += arrange(browser, page, draft, vector)
    form = {"seen": vector + " before", "markdown": vector, "reason": vector}
    stale, current = "0" * 64, draft.draft_hash
    for decision, digest in (("approve", stale), ("edit", stale), ("reject", current)):
        answers.append(
            browser.post(f"{page}/decision", decision=decision, draft_hash=digest, **form)
        )
    answers += [browser.get(page), browser.get("/review?tab=decided")]
    statuses = [answer.status_code for answer in answers]
    arranged = [303, 303, 200, 400, 400, 409]
    assert statuses == [200, 200, 200, 200, 200, *arranged, 412, 412, 303, 200, 200]
    answers.append(browser.post(f"{page}/decision", decision=vector))
    assert answers[-1].status_code in (400, 422)
    for answer in answers:
        _Guard().feed(answer.text)


@pytest.mark.parametrize("number", range(len(VECTORS)))
def test_no_gap_page_lets_a_vector_through(editor: Editor, number: int) -> None:
    kb, browser = editor
    name, vector = f"g{number}", VECTORS[number]
    gap_id = store_hostile_topic(kb, name, vector)
    store_gap(kb, f"{name}o", make_tickets(f"{name}O", [(vector,) * 3]), title=vector)
    page, said = f"/gaps/{gap_id}", {"reason": vector}
    query = urlencode({"text": vector, "owner": vector, "status": "any"})
    answers = [
        browser.get(path)
        for path in (f"/gaps?text={name}w", f"/gaps?{query}", page, "/gaps/map",
                     f"/gaps/map?area=top_{name}", f"{page}?done={urlencode({'': vector})}"[:90])
    ]  # fmt: skip
    answers += [
        browser.post(f"{page}/correct", kind="kind_is", value=vector, **said),
        browser.post(f"{page}/correct", kind="assign", value=vector, **said),
        browser.post(f"{page}/correct", kind="merge", value=vector, **said),
        browser.post(f"{page}/correct", kind="split", ticket=[vector], **said),
        browser.post(f"{page}/correct", kind="title_is", value=vector * 9, **said),
        browser.post(f"{page}/correct", kind="not_a_gap", growth=vector, **said),
        browser.post("/gaps/bulk", do="dismiss", gap=[vector], asked=query, **said),
        browser.post("/gaps/bulk", do=vector, gap=[gap_id], asked=vector, owner=vector, **said),
        browser.post(f"{page}/correct", kind="title_is", value=vector[:90], **said),
        browser.post(f"{page}/correct", kind="merge", value=f"{name}o", **said),
        browser.get(f"/gaps/{name}o"),
        browser.get(page),
    ]
    statuses = [answer.status_code for answer in answers]
    assert statuses[:5] == [200] * 5
    assert [s for s in statuses if s >= 500] == []
    assert statuses[-2:] == [200, 200]
    for answer in answers:
        _Guard().feed(answer.text)
