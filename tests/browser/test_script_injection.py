"""A thousand vectors on the pages of drafts and articles, with the content policy lifted.

The policy would stop most of them by itself; here only what the pages make of a text counts.
"""

from __future__ import annotations

import pytest
from playwright.sync_api import Dialog, Page, Request, Route

from api.wiring import Application
from gaps.types import Check, Citation, Dropped, Statement
from tests.api.pages.factories import make_key, make_tickets, store_draft, store_gap
from tests.browser.injections import INJECTIONS

pytestmark = pytest.mark.browser
A_PAGE = 250
FORBIDDEN = "iframe, object, embed, base, meta[http-equiv=refresh], svg script, video, math"


class Watch:
    """What a page tried: scripts that spoke, dialogs, requests to anywhere else."""

    def __init__(self, page: Page, address: str) -> None:
        self.said: list[str] = []
        self.away: list[str] = []
        self.requests = 0
        self._address = address
        page.on("request", self._request)
        page.on("dialog", self._dialog)
        page.on("popup", lambda popup: self.away.append(popup.url))

    def _request(self, request: Request) -> None:
        self.requests += 1
        if not request.url.startswith(self._address):
            self.away.append(request.url)

    def _dialog(self, dialog: Dialog) -> None:
        self.said.append(dialog.message)
        dialog.dismiss()


def without_policy(route: Route) -> None:
    answer = route.fetch()
    headers = {k: v for k, v in answer.headers.items() if k != "content-security-policy"}
    route.fulfill(response=answer, headers=headers)


def sign_in(page: Page, key: str) -> None:
    page.goto("/sign-in")
    page.locator("#key").fill(key)
    page.keyboard.press("Enter")
    page.wait_for_url("**/review")


def look_at(page: Page, place: str) -> None:
    answer = page.goto(place)
    assert answer is not None
    assert answer.status == 200, place
    assert page.evaluate("location.pathname") == place.partition("?")[0]
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    for event in ("mouseover", "focus", "click"):
        page.evaluate(
            "e => document.querySelectorAll('main b, main img, main input:not([type])')"
            ".forEach(n => n.dispatchEvent(new Event(e)))",
            event,
        )
    page.wait_for_timeout(200)
    assert page.evaluate("window.__ran === undefined")
    assert page.locator(FORBIDDEN).count() == 0
    handlers = "[...document.querySelectorAll('*')].filter(n => [...n.attributes].some(a => \
        a.name.startsWith('on') || /^\\s*javascript:/i.test(a.value) && \
        ['href', 'src', 'action', 'data', 'xlink:href'].includes(a.name))).length"
    assert page.evaluate(handlers) == 0
    outside = "[...document.querySelectorAll('[src], link[href]')].filter(n => \
        !(n.src || n.href).startsWith(location.origin)).length"
    assert page.evaluate(outside) == 0


def test_there_are_a_thousand_vectors_and_no_two_alike() -> None:
    assert len(INJECTIONS) == 1_000
    assert len(set(INJECTIONS)) == 1_000


def test_a_thousand_vectors_run_nothing_and_ask_nobody(
    kb: Application, page: Page, address: str
) -> None:
    places = []
    batches = [INJECTIONS[n : n + A_PAGE] for n in range(0, len(INJECTIONS), A_PAGE)]
    for number, vectors in enumerate(batches):
        tickets = make_tickets(f"X{number}", [(v[:150], v, v) for v in vectors[:40]])
        gap = store_gap(kb, f"gap_x{number}", tickets, title=vectors[0][:150], reasons=vectors[:20])
        store_draft(
            kb, f"drf_x{number}", gap, title=vectors[1][:150], document_id=f"x-{number}",
            markdown="\n\n".join(vectors),
            statements=[
                Statement(v, (Citation("ticket", f"X{number}-0", v),)) for v in vectors
            ],
            checks=[
                Check("writer", "look", vectors[2], dropped=tuple(
                    Dropped(v, v) for v in vectors[:40]
                )),
                *(Check("hostile_text", "look", v) for v in vectors[40:60]),
            ],
        )  # fmt: skip
        file = kb.root / "articles" / f"page-{number}.md"
        file.write_text(f"---\nid: page-{number}\ntitle: Page\n---\n\n" + "\n\n".join(vectors))
        places += [f"/review/drf_x{number}?tickets=all", f"/articles/page-{number}"]
    for _ in kb.sync_sources():
        pass
    sign_in(page, make_key(kb))
    watch = Watch(page, address)
    page.route(f"{address}/**", without_policy)
    for place in ["/review", *places]:
        look_at(page, place)
    assert watch.said == []
    assert watch.away == []
    assert watch.requests >= len(places)


def test_the_watch_sees_what_a_page_without_guards_would_do(page: Page, address: str) -> None:
    watch = Watch(page, address)
    bare = "<html><body>" + INJECTIONS[3 * 8] + INJECTIONS[3 * 8 + 2] + "</body></html>"
    page.route(f"{address}/bare", lambda route: route.fulfill(content_type="text/html", body=bare))
    page.goto("/bare")
    page.wait_for_timeout(300)
    assert page.evaluate("window.__ran === 1")
    assert watch.away != []
