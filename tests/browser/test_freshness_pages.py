"""The freshness pages as a person uses them: by keyboard, on a phone, light and dark."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page
from sqlalchemy import update

from api.wiring import Application
from gaps import repository
from gaps.types import GapKind
from kb import articles
from kb.tables import versions
from kb.types import Role
from tests.api.pages.doubts import add_article, check_link, doubt, judge, reason
from tests.api.pages.factories import (
    CHANGED_ARTICLE,
    NOW,
    VPN_TICKETS,
    make_key,
    make_tickets,
    store_draft,
    store_gap,
)
from tests.browser.test_accessible import grave_findings
from tests.browser.test_gap_pages import CONTRAST, DOUBLE_IDS, UNNAMED, press_until
from tests.browser.test_review_page import OVERFLOWING, sign_in

pytestmark = pytest.mark.browser
PAGES = {
    "freshness": "/freshness",
    "freshness-ready": "/freshness?show=ready",
    "freshness-none": "/freshness?text=nothing",
    "freshness-article": "/freshness/vpn",
    "freshness-plain": "/freshness/refunds",
}
ADDRESS = "https://gate.fennmark.example/downloads/bordergate-3/setup?language=en&channel=stable"
BACK = reason(
    "tickets", 0.62, "7 of 9 tickets it was used on came back", ["FM-0", "FM-1", "FM-2", "FM-3"]
)
MENU = reason(
    "resolution_menu", 0.35, "says Settings → Apps, 3 resolutions say Company Portal → Devices",
    ["FM-1", "FM-3"],
)  # fmt: skip
DEAD = reason("dead_link", 0.2, f"{ADDRESS} cannot be reached", [ADDRESS])
AGE = reason("age", 0.04, "last confirmed 173 days ago, due every 90 days")
READY = reason(
    "age", 0.04, "last confirmed 265 days ago, due every 180 days",
    ready="due only by its age; 31 uses with a known outcome in 90 days, none ended badly",
)  # fmt: skip


@pytest.fixture
def world(kb: Application) -> Application:
    """A queue as on an ordinary Monday, with an article that was doubted for weeks."""
    for document_id, title, owner in (
        ("expenses", "What the company pays for on a business trip", "tom"),
        ("guest-wifi", "Give a guest the Wi-Fi code", "ines"),
        ("badge", "Get a new badge", "ines"),
        ("printer", "Print in the Porto office", "tom"),
    ):
        add_article(kb, document_id, title, owner, verified=document_id != "badge")
    with kb.database.write() as connection:
        connection.execute(update(versions).values(created_at=NOW - timedelta(days=54)))
    stale = store_gap(
        kb, "gap_stale", make_tickets("FM", VPN_TICKETS), kind=GapKind.STALE, documents=["vpn"],
        title="VPN article names the old client",
    )  # fmt: skip
    store_draft(kb, "drf_vpn", stale, document_id="vpn", base_version=1, markdown=CHANGED_ARTICLE)
    store_gap(
        kb, "gap_trip", make_tickets("TR", VPN_TICKETS), kind=GapKind.WRONG,
        documents=["expenses"], owner="tom", title="Hotels cost more than the article says",
    )  # fmt: skip
    quiet = [doubt(name, "fresh", probability=0.03, damage=0.0)
             for name in ("refunds", "expenses", "guest-wifi", "badge", "printer")]  # fmt: skip
    for days, verdict, probability, found in (
        (61, "fresh", 0.04, []),
        (47, "due", 0.31, [AGE, DEAD]),
        (33, "due", 0.42, [DEAD, AGE]),
        (19, "stale", 0.74, [BACK, DEAD, AGE]),
    ):
        judge(kb, doubt("vpn", verdict, probability=probability, reasons=found), *quiet,
              at=NOW - timedelta(days=days))  # fmt: skip
    judge(
        kb,
        doubt("vpn", "stale", probability=0.83, damage=11.4, reasons=[BACK, MENU, DEAD, AGE]),
        doubt("expenses", "conflict", probability=0.91, damage=4.2, reasons=[
            reason("conflict", 0.9, "Get your money back says 30 days, this says 14", ["refunds"]),
        ]),
        doubt("printer", "superseded", probability=0.97, damage=0.9, reasons=[
            reason("superseded", 0.97, "replaced by Get a new badge", ["badge"])]),
        doubt("guest-wifi", "due", probability=0.07, damage=0.4, reasons=[READY]),
        doubt("badge", "unknown", probability=0.04, damage=0.1),
        doubt("refunds", "fresh", probability=0.02, damage=0.0),
    )  # fmt: skip
    check_link(kb, "vpn", ADDRESS, "dead")
    check_link(
        kb, "vpn", "https://fennmark.example/it", "redirected", "https://it.fennmark.example/"
    )
    check_link(kb, "vpn", "https://corvid.example/help", "ok")
    return kb


@pytest.fixture(params=[("light", 1280), ("dark", 1280), ("light", 360), ("dark", 360)], ids=str)
def seen(
    request: pytest.FixtureRequest, chromium: Browser, address: str, kb: Application
) -> Iterator[tuple[Page, str, int]]:
    """A page signed in as an editor, in a colour scheme and a width."""
    scheme, width = request.param
    context = chromium.new_context(
        base_url=address, viewport={"width": width, "height": 800}, color_scheme=scheme,
        bypass_csp=True,
    )  # fmt: skip
    page = context.new_page()
    sign_in(page, make_key(kb, Role.EDITOR, None))
    yield page, scheme, width
    context.close()


def test_every_page_fits_is_named_and_readable(
    world: Application, seen: tuple[Page, str, int], pictures: Path
) -> None:
    page, scheme, width = seen
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text))
    for name, place in PAGES.items():
        page.goto(place)
        page.screenshot(path=pictures / f"{scheme}-{width}-{name}.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, place
        assert page.evaluate(OVERFLOWING) == [], place
        assert page.evaluate(UNNAMED) == [], place
        assert page.evaluate(DOUBLE_IDS) == [], place
        page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{place}, opened"
        assert page.evaluate(CONTRAST) == [], place
        assert grave_findings(page) == [], place
    assert faults == []


def test_articles_are_confirmed_by_keyboard_without_a_script(
    world: Application, chromium: Browser, address: str
) -> None:
    context = chromium.new_context(base_url=address, java_script_enabled=False)
    page = context.new_page()
    page.goto("/sign-in?next=/freshness")
    page.locator("#key").press_sequentially(make_key(world))
    page.keyboard.press("Enter")
    page.wait_for_url(f"{address}/freshness")
    assert page.get_by_role("link", name="What the company pays").count() == 0, "it is tom's"
    for title in ("Give a guest the Wi-Fi code", "Get a new badge"):
        page.get_by_label(f"Tick {title}").focus()
        page.keyboard.press("Space")
    press_until(page, "bulk-reason", None)
    page.keyboard.press("Enter")
    assert page.get_by_role("alert").inner_text().startswith("Say how you know")
    assert page.get_by_label("Tick Get a new badge").is_checked()
    page.get_by_label("How you know").focus()
    page.keyboard.type("Asked the front desk.")
    page.keyboard.press("Enter")
    page.get_by_text("2 articles confirmed.").wait_for()
    press_until(page, "Connect to the company network", "Enter")
    page.wait_for_url("**/freshness/vpn")
    press_until(page, "reason", None)
    page.keyboard.type("Walked through it on a new laptop.")
    press_until(page, "days", None)
    page.keyboard.type("90")
    page.keyboard.press("Enter")
    page.get_by_text("Confirmed. The next check judges it anew.").wait_for()
    assert page.get_by_text("Holds for 90 days").is_visible()
    with world.database.read() as connection:
        kept = articles.read_document(connection, "vpn")
        assert articles.read_document(connection, "badge").verified_by == "ines"
        assert repository.read_gap(connection, "gap_stale").kind is GapKind.STALE
    assert (kept.verified_by, kept.metadata.review_every_days) == ("ines", 90)
    context.close()
