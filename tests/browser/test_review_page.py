"""The review as a person does it: in Chromium, by keyboard, on a phone, in the dark."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Dialog, Page, Request, Route

from api.keys import Caller
from api.wiring import Application
from gaps.types import Check, Citation, DraftState, GapKind, Refusal, Statement
from kb.types import Audience, Role, SearchRequest
from tests.api.pages.factories import (
    CHANGED_ARTICLE,
    VPN_TICKETS,
    make_key,
    make_tickets,
    store_draft,
    store_gap,
)
from tests.api.pages.vectors import VECTORS

pytestmark = pytest.mark.browser
PAGES = ("/review", "/review?tab=decided", "/review/drf_new", "/review/drf_stale",
         "/review/drf_thin", "/articles/vpn", "/articles/none")  # fmt: skip
MOST_TABS = 80
NOT_OURS = "script:not([src^='/static/preview.js']), iframe, img, object, embed, base, style"
BOXES = ".row, .card, .paper, .decide, .diff, .strip, .filters, .toc, .comments, .outcomes"
OVERFLOWING = f"""[...document.querySelectorAll('{BOXES}')]
    .filter(box => box.scrollWidth > box.clientWidth + 1).map(box => box.className)"""


def fill(kb: Application) -> None:
    """An inbox as on an ordinary Monday."""
    missing = store_gap(kb, "gap_new", make_tickets("FM", VPN_TICKETS * 8))
    store_draft(kb, "drf_new", missing)
    stale = store_gap(
        kb, "gap_stale", make_tickets("BG", VPN_TICKETS), kind=GapKind.STALE, impact=7.25,
        title="VPN article names the old client", documents=["vpn"],
        reasons=["Linked in 9 tickets, 6 of which were reopened.", "Names BorderGate, which "
                 "nobody has mentioned as working since 5 October."],
        weekly_counts=(3, 2, 4, 3, 5, 4, 6, 4),
    )  # fmt: skip
    quote = Citation("ticket", "BG-0", "uninstalled BorderGate 3 from Settings → Apps")
    store_draft(
        kb, "drf_stale", stale, title="Connect to the company network", document_id="vpn",
        base_version=1, markdown=CHANGED_ARTICLE,
        statements=[Statement("Click the blue bird and choose Connect…", (quote,))],
        checks=[Check("citations", "green", "1 statement"), Check("length", "green", "86 words"),
                Check("conflicts", "red", "procedure 'it-vpn-policy' says sessions last 12 hours")],
    )  # fmt: skip
    thin = store_gap(
        kb, "gap_thin", make_tickets("PR", VPN_TICKETS[:3]), impact=2.0, kind=GapKind.NEEDS_ACTION,
        title="Printer in Porto eats badges", weekly_counts=(1, 0, 2),
        reasons=["Three tickets, solved in three different ways."],
    )  # fmt: skip
    store_draft(
        kb, "drf_thin", thin, title="Printer in Porto eats badges", markdown="", statements=(),
        checks=(), state=DraftState.REFUSED,
        refused=Refusal("Only two people solved it, each differently.", (
            "Which of the two ways is the right one?", "Does it concern every printer in Porto?",
            "Who may open the badge slot?")),
    )  # fmt: skip
    for number, (title, kind) in enumerate((
        ("Refund arrives without the delivery costs", GapKind.WRONG),
        ("Guest Wi-Fi code expires during the visit", GapKind.UNFINDABLE),
    )):  # fmt: skip
        store_gap(kb, f"gap_open{number}", make_tickets(f"OP{number}", VPN_TICKETS[:3]),
                  title=title, kind=kind, impact=5.5 - number)  # fmt: skip


def sign_in(page: Page, key: str) -> None:
    page.goto("/sign-in")
    page.locator("#key:focus").wait_for()
    page.keyboard.type(key)
    page.keyboard.press("Enter")
    page.wait_for_url("**/review")


def focused(page: Page) -> str:
    script = "(document.activeElement.innerText || document.activeElement.id).trim()"
    return str(page.evaluate(script))


def tab_to(page: Page, text: str, selector: str = "*") -> list[str]:
    """Press Tab until what says `text` has the focus; every stop on the way must be visible."""
    stops: list[str] = []
    # A key that follows a form would otherwise meet the page that is about to go.
    page.wait_for_load_state()
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement === document.body"):
            continue
        stops.append(focused(page))
        outlined = page.evaluate(
            "(() => { const e = document.activeElement;"
            " return e.matches(':focus-visible, input[type=date]:focus-within')"
            " && e.getBoundingClientRect().height > 0 })()"
        )
        assert outlined, f"focus is not visible on {stops[-1]!r}"
        fits = page.evaluate("s => document.activeElement.matches(s)", selector)
        if text in stops[-1] and fits:
            return stops
    raise AssertionError(f"{text!r} is not reached by Tab: {stops}")


def test_the_whole_review_by_keyboard(kb: Application, page: Page, pictures: Path) -> None:
    fill(kb)
    page.goto("/review/drf_new")
    page.wait_for_url("**/sign-in**")
    page.screenshot(path=pictures / "sign-in.png")
    sign_in(page, make_key(kb))
    page.screenshot(path=pictures / "inbox.png", full_page=True)

    assert tab_to(page, "Corvid Connect stays at Negotiating")[0] == "Skip to the content"
    page.keyboard.press("Enter")
    page.wait_for_url("**/review/drf_new")
    page.screenshot(path=pictures / "draft.png", full_page=True)

    # Moving to a statement's number shows its evidence beside it.
    stops = tab_to(page, "1", ".cite")
    assert stops.index("Skip to the decision") < 3
    evidence = page.locator(".pop", has_text="uninstalled BorderGate 3 from Settings")
    assert evidence.is_visible()
    page.screenshot(path=pictures / "evidence.png")
    stops += tab_to(page, "Remove BorderGate 3 under Settings")
    assert not evidence.is_visible()
    page.keyboard.press("Enter")
    assert page.get_by_text("uninstalled BorderGate 3 from Settings", exact=True).is_visible()
    assert "Edit and approve" in stops
    tab_to(page, "Ticket FM-0")
    page.keyboard.press("Enter")
    assert page.locator(":target").is_visible()
    tab_to(page, "comment")
    page.keyboard.type("Is the order in step 2 important?")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**#discussion")
    page.locator(".comments", has_text="Is the order in step 2 important?").wait_for()

    tab_to(page, "Approve and publish")
    page.keyboard.press("Enter")
    page.get_by_text("Published as version 1, served by the next search.").wait_for()
    page.screenshot(path=pictures / "published.png", full_page=True)
    found = kb.retriever.search(SearchRequest("Corvid Connect Negotiating CC-418"), Audience.PUBLIC)
    assert found.hits[0].chunk.document.document_id == "vpn-corvid"

    tab_to(page, "Roll back…")
    page.keyboard.press("Enter")
    page.wait_for_url("**/rollback")
    tab_to(page, "Roll back")
    page.keyboard.press("Enter")
    page.get_by_text("The article is no longer served.").wait_for()


def test_several_drafts_are_put_off_by_keyboard(
    kb: Application, page: Page, pictures: Path
) -> None:
    fill(kb)
    sign_in(page, make_key(kb))
    for name in ("Corvid Connect stays at Negotiating", "Connect to the company network"):
        box = page.get_by_label(f"Tick {name}")
        for _ in range(MOST_TABS):
            page.keyboard.press("Tab")
            if box.evaluate("box => box === document.activeElement"):
                break
        page.keyboard.press("Space")
    page.screenshot(path=pictures / "bulk.png")
    tab_to(page, "Snooze")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="2 of 2 drafts done").wait_for()
    page.screenshot(path=pictures / "bulk-done.png", full_page=True)
    assert page.locator(".draft-row").count() == 1
    page.get_by_role("link", name="Snoozed").click()
    page.get_by_text("Put off; each comes back").wait_for()
    assert page.locator(".draft-row").count() == 2


def test_a_text_is_previewed_while_it_is_typed_and_without_the_script_by_a_button(
    kb: Application, chromium: Browser, address: str, page: Page, pictures: Path
) -> None:
    fill(kb)
    sign_in(page, make_key(kb))
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text))
    page.goto("/review/drf_new")
    page.get_by_role("link", name="Edit and approve").click()
    field = page.get_by_label("Text, in Markdown")
    assert field.evaluate("field => field === document.activeElement")
    page.locator("#live-preview article").wait_for()
    field.press("Control+End")
    page.keyboard.type("Ask **Sofie** if it stays.")
    page.locator("#live-preview strong", has_text="Sofie").wait_for()
    assert "5 words added" in page.locator("#live-preview .diff-sum").inner_text()
    page.locator("#edit-form").screenshot(path=pictures / "live.png")
    assert [fault for fault in faults if not fault.startswith("[DOM]")] == []

    plain = chromium.new_context(base_url=address, java_script_enabled=False)
    page = plain.new_page()
    page.goto("/sign-in")
    page.fill("#key", make_key(kb))
    page.click("button.primary")
    page.goto("/review/drf_new")
    page.click(".edit > summary")
    assert not page.locator(".live").is_visible()
    page.fill("#edit-text", "Ask **Sofie**.\n\n1. Restart.\n")
    page.get_by_role("button", name="Preview").click()
    assert page.locator(".previewed strong").inner_text() == "Sofie"
    plain.close()


def test_a_comparison_is_shown_side_by_side_or_in_one_text(kb: Application, page: Page) -> None:
    fill(kb)
    sign_in(page, make_key(kb))
    page.goto("/review/drf_stale")
    removed = page.locator(".diff-row.changed .old del").first
    whole = page.locator(".diff-row.changed .both del").first
    assert removed.is_visible() and not whole.is_visible()
    page.get_by_label("Side by side").focus()
    page.keyboard.press("ArrowRight")
    assert whole.is_visible() and not removed.is_visible()


def test_a_rejection_asks_for_what_its_reason_names(kb: Application, page: Page) -> None:
    fill(kb)
    sign_in(page, make_key(kb))
    page.goto("/review/drf_new")
    assert not page.get_by_label("Which kind it is").is_visible()
    page.get_by_label("What is wrong with it").select_option("wrong_kind")
    page.get_by_label("Which kind it is").select_option("conflict")
    page.get_by_label("Not right? Say why").fill("Two articles disagree.")
    page.get_by_role("button", name="Reject").click()
    page.get_by_text("Another kind of gap (conflict). Two articles disagree.").wait_for()


def test_editing_is_previewed_and_rejecting_needs_a_reason(
    kb: Application, page: Page, pictures: Path
) -> None:
    fill(kb)
    sign_in(page, make_key(kb))
    page.goto("/review/drf_new")
    page.get_by_role("link", name="Edit and approve").click()
    field = page.get_by_label("Text, in Markdown")
    field.fill("Remove **BorderGate** first.\n\n1. Restart.\n")
    page.get_by_role("button", name="Preview").click()
    page.get_by_role("heading", name="Preview of your text").wait_for()
    assert page.locator(".previewed strong").inner_text() == "BorderGate"
    assert field.input_value() == "Remove **BorderGate** first.\n\n1. Restart.\n"
    page.screenshot(path=pictures / "preview.png", full_page=True)
    assert page.get_by_role("button", name="Approve and publish", exact=True).count() == 0
    page.get_by_role("button", name="Reject").click()
    assert page.evaluate("document.activeElement.id") == "reason"
    page.get_by_label("Not right? Say why").fill("Step two is missing.")
    page.get_by_role("button", name="Reject").click()
    page.get_by_text("Step two is missing.").first.wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_fits_a_phone(
    kb: Application, chromium: Browser, address: str, pictures: Path, scheme: str
) -> None:
    fill(kb)
    context = chromium.new_context(
        base_url=address,
        viewport={"width": 360, "height": 740},
        color_scheme=scheme,  # type: ignore[arg-type]
    )
    page = context.new_page()
    sign_in(page, make_key(kb))
    for place in PAGES:
        page.goto(place)
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 360, f"{place} is {wide} px wide"
        assert page.evaluate(OVERFLOWING) == [], f"something sticks out on {place}"
        name = place.strip("/").replace("/", "-").replace("?", "-")
        page.screenshot(path=pictures / f"phone-{scheme}-{name}.png", full_page=True)
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_are_drawn_on_a_desk(
    kb: Application, chromium: Browser, address: str, pictures: Path, scheme: str
) -> None:
    fill(kb)
    context = chromium.new_context(
        base_url=address,
        viewport={"width": 1280, "height": 900},
        color_scheme=scheme,  # type: ignore[arg-type]
    )
    page = context.new_page()
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text))
    page.on("pageerror", lambda error: faults.append(str(error)))
    sign_in(page, make_key(kb))
    for place in PAGES[:-1]:
        page.goto(place)
        assert page.evaluate("document.documentElement.scrollWidth") <= 1280
        name = place.strip("/").replace("/", "-").replace("?", "-")
        page.screenshot(path=pictures / f"desk-{scheme}-{name}.png", full_page=True)
    assert [fault for fault in faults if not fault.startswith("[DOM]")] == []
    context.close()


def test_no_vector_runs_and_no_request_leaves(kb: Application, page: Page, address: str) -> None:
    """The forty vectors as title, text, statement, ticket and reason, with the policy lifted."""
    tickets = make_tickets("X", [(vector, vector, vector) for vector in VECTORS])
    gap = store_gap(kb, "gap_x", tickets, title=VECTORS[0], reasons=VECTORS)
    store_draft(
        kb, "drf_x", gap, title=" ".join(VECTORS), markdown="\n\n".join(VECTORS),
        statements=[Statement(v, (Citation("ticket", "X-0", v),)) for v in VECTORS],
        checks=[Check("hostile_text", "look", v) for v in VECTORS],
    )  # fmt: skip
    away: list[str] = []
    ran: list[str] = []

    def note_request(request: Request) -> None:
        if not request.url.startswith(address):
            away.append(request.url)

    def note_dialog(dialog: Dialog) -> None:
        ran.append(dialog.message)
        dialog.dismiss()

    page.on("request", note_request)
    page.on("dialog", note_dialog)
    page.on("console", lambda message: ran.append(message.text))
    caller = Caller("k", Role.EDITOR, Audience.INTERNAL, "ed")
    for vector in VECTORS:
        kb.reviewing.comment("drf_x", vector, caller)
    sign_in(page, make_key(kb))
    ran.clear()

    def without_policy(route: Route) -> None:
        if route.request.method != "GET":
            route.continue_()
            return
        answer = route.fetch()
        headers = {k: v for k, v in answer.headers.items() if k != "content-security-policy"}
        route.fulfill(response=answer, headers=headers)

    page.route(f"{address}/review**", without_policy)
    page.route(f"{address}/review/**", without_policy)
    for place in ("/review", "/review/drf_x?tickets=all"):
        page.goto(place)
        page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        page.wait_for_timeout(300)
        assert page.evaluate("window.__ran === undefined")
        assert page.locator(NOT_OURS).count() == 0
    page.get_by_label("Text, in Markdown").fill("\n\n".join([*VECTORS, "more"]))
    page.locator("#live-preview .diff-sum ins").wait_for()
    page.wait_for_timeout(300)
    assert page.evaluate("window.__ran === undefined")
    assert page.locator(NOT_OURS).count() == 0
    assert ran == []
    assert away == []
