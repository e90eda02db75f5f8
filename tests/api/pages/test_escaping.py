"""Every place where someone else's words appear, with forty vectors in each."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.wiring import Application
from gaps.types import Check, Citation, Draft, DraftState, Refusal, Statement
from kb.types import Role
from tests.api.pages.factories import (
    Browser,
    make_application,
    make_key,
    make_tickets,
    store_draft,
    store_gap,
)
from tests.api.pages.vectors import VECTORS

ACTIVE = {"script", "iframe", "object", "embed", "img", "base", "style", "math", "video", "audio"}
OUR_SVG = {"svg", "rect", "path", "circle", "line", "title", "desc"}


class _Guard(HTMLParser):
    """Fails on any element or attribute that could run, load or send something."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in ACTIVE, self.get_starttag_text()
        for name, value in attrs:
            assert not name.startswith("on"), self.get_starttag_text()
            assert name not in ("style", "srcdoc", "src", "data", "http-equiv"), name
            if name in ("href", "action", "formaction") and tag != "a":
                assert (value or "").startswith("/"), self.get_starttag_text()
            assert "script:" not in (value or "").lower() or name in ("value", "datetime")


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
    draft = store_draft(
        kb, f"drf_{name}x", gap, title=vector, markdown=vector,
        statements=[Statement(vector, quotes)], checks=[Check(vector, "look", vector)],
    )  # fmt: skip
    thin = store_gap(kb, f"{name}y", make_tickets(f"{name}Y", [(vector,) * 3]), title=vector)
    store_draft(
        kb, f"drf_{name}y", thin, title=vector, markdown="", statements=(), checks=(),
        state=DraftState.REFUSED, refused=Refusal(vector, (vector,)),
    )  # fmt: skip
    store_gap(kb, f"{name}z", make_tickets(f"{name}Z", [(vector,) * 3]), title=vector)
    return draft


@pytest.mark.parametrize("number", range(len(VECTORS)))
def test_no_page_lets_a_vector_through(editor: Editor, number: int) -> None:
    kb, browser = editor
    name, vector = f"v{number}", VECTORS[number]
    draft = store_hostile(kb, name, vector)
    page = f"/review/{draft.draft_id}"
    answers = [browser.get(path) for path in ("/review", page, f"/review/drf_{name}y")]
    answers.append(browser.post(f"{page}/preview", markdown=vector))
    form = {"seen": vector + " before", "markdown": vector, "reason": vector}
    stale, current = "0" * 64, draft.draft_hash
    for decision, digest in (("approve", stale), ("edit", stale), ("reject", current)):
        answers.append(
            browser.post(f"{page}/decision", decision=decision, draft_hash=digest, **form)
        )
    answers += [browser.get(page), browser.get("/review?tab=decided")]
    statuses = [answer.status_code for answer in answers]
    assert statuses == [200, 200, 200, 200, 412, 412, 303, 200, 200]
    answers.append(browser.post(f"{page}/decision", decision=vector))
    assert answers[-1].status_code in (400, 422)
    for answer in answers:
        _Guard().feed(answer.text)
