"""Every place where someone else's words appear, with forty vectors in each."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from api.wiring import Application
from gaps.types import Check, Citation, DraftState, Refusal, Statement
from tests.api.pages.factories import Browser, make_key, make_tickets, store_draft, store_gap
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


@pytest.mark.parametrize("vector", VECTORS)
def test_no_page_lets_a_vector_through(kb: Application, browser: Browser, vector: str) -> None:
    tickets = make_tickets("X", [(vector, vector, vector)] * 2)
    gap = store_gap(kb, "gap_x", tickets, title=vector, reasons=[vector], documents=[vector])
    quote = Citation("ticket", "X-0", vector)
    draft = store_draft(
        kb, "drf_x", gap, title=vector, markdown=vector,
        statements=[Statement(vector, (quote, Citation("chunk", vector, vector)))],
        checks=[Check(vector, "look", vector)],
    )  # fmt: skip
    thin = store_gap(kb, "gap_y", make_tickets("Y", [(vector, vector, vector)]), title=vector)
    store_draft(
        kb, "drf_y", thin, title=vector, markdown="", statements=(), checks=(),
        state=DraftState.REFUSED, refused=Refusal(vector, (vector,)),
    )  # fmt: skip
    store_gap(kb, "gap_z", make_tickets("Z", [(vector, vector, vector)]), title=vector)
    browser.sign_in(make_key(kb))
    answers = [browser.get(path) for path in ("/review", "/review/drf_x", "/review/drf_y")]
    answers.append(browser.post("/review/drf_x/preview", markdown=vector))
    form = {"seen": vector + " before", "markdown": vector, "reason": vector}
    for decision, digest in (
        ("approve", "0" * 64),
        ("edit", "0" * 64),
        ("reject", draft.draft_hash),
    ):
        answers.append(
            browser.post("/review/drf_x/decision", decision=decision, draft_hash=digest, **form)
        )
    answers.append(browser.get("/review/drf_x"))
    answers.append(browser.get("/review?tab=decided"))
    answers.append(browser.post("/review/drf_x/decision", decision=vector))
    assert [answer.status_code for answer in answers] == [200] * 4 + [
        412,
        412,
        303,
        200,
        200,
        422 if len(vector) > 20 else 400,
    ]
    for answer in answers:
        _Guard().feed(answer.text)
