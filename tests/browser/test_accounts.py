"""Signing in, one's account, articles and the action table in Chromium: keyboard, phone, dark."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page
from sqlalchemy import insert

from api.people import reset_person
from api.settings.edge import CLIENT_SECRET_VARIABLE, GrantSettings, SignInSettings
from api.settings.knowledge import ActionSettings
from api.wiring import Application
from gaps.drafting.drafts import make_id
from gaps.operating.autonomy import NEEDED_CHECKS
from gaps.tables import effects
from gaps.types import Check
from kb.types import Role
from tests.api.pages.factories import (
    CHANGED_ARTICLE,
    PASSWORD,
    VPN_TICKETS,
    make_person,
    make_tickets,
    store_draft,
    store_gap,
)
from tests.api.pages.provider import CLIENT_ID, CLIENT_SECRET, Provider, serve_provider

pytestmark = pytest.mark.browser
GREEN = tuple(Check(name, "green", "") for name in sorted(NEEDED_CHECKS))
PAGES = (
    "/account", "/autonomy", "/articles", "/articles?text=gateway", "/articles/vpn",
    "/articles/vpn?version=1", "/articles/vpn/compare?before=1&after=3",
    "/articles/vpn/rollback?version=1", "/articles/vpn/audit",
)  # fmt: skip
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def fill(kb: Application) -> None:
    """Three versions of an article, a row of approvals, one rule raised and one fallen."""
    said = ActionSettings(publish_article="autonomous", earned_approvals=5)
    kb.settings = kb.settings.model_copy(update={"actions": said})
    ines = kb.local_caller("ines")
    gap = store_gap(kb, "gap_1", make_tickets("A", VPN_TICKETS), title="Old client is named")
    draft = store_draft(kb, "drf_vpn", gap, title="Connect to the company network",
                        document_id="vpn", base_version=1, markdown=CHANGED_ARTICLE)  # fmt: skip
    made = kb.publishing.review("drf_vpn", "approve", caller=ines, draft_hash=draft.draft_hash)
    with kb.database.write() as connection:
        connection.execute(insert(effects).values(
            id=make_id("eff"), publication_id=made["publication_id"], verdict="worked",
            measured_at=kb.clock.now(), report={"why": "7 of 9 tickets the writer never saw find "
                                                "it among the first three"}))  # fmt: skip
    file = kb.root / "articles" / "vpn.md"
    file.write_text(file.read_text().replace("20 seconds", "half a minute"))
    list(kb.sync_sources())
    for owner in ("ines", "tom"):
        for number in range(6 if owner == "ines" else 5):
            own = store_gap(kb, f"gap_{owner}{number}", make_tickets(f"{owner}{number}", VPN_TICKETS),
                            owner=owner)  # fmt: skip
            draft = store_draft(kb, f"drf_{owner}{number}", own, title=f"Light {owner} {number}",
                                document_id=f"light-{owner}-{number}", checks=GREEN,
                                markdown=f"Press {number} until {owner} is green.\n")  # fmt: skip
            kb.publishing.review(draft.draft_id, "approve", caller=kb.local_caller(owner),
                                 draft_hash=draft.draft_hash)  # fmt: skip
    row = next(s for s in kb.autonomy.read_standings("tom") if s.may_raise)
    kb.autonomy.raise_dial("tom", row.kind.value, record=row.record.digest, caller=kb.operator,
                           reason="Five refund articles went out as they were written.")  # fmt: skip
    kb.publishing.rollback_draft("drf_tom2", kb.local_caller("tom"))


def sign_in(page: Page, name: str = "ines", password: str = PASSWORD) -> None:
    page.goto("/sign-in")
    page.locator("#name:focus").wait_for()
    page.keyboard.type(name)
    page.keyboard.press("Tab")
    page.keyboard.type(password)
    page.keyboard.press("Enter")


def test_signing_in_by_password_and_keyboard(kb: Application, page: Page, pictures: Path) -> None:
    make_person(kb)
    page.goto("/articles/vpn")
    page.wait_for_url("**/sign-in**")
    page.locator("#name:focus").wait_for()
    page.screenshot(path=pictures / "sign-in-password.png")
    page.keyboard.type("ines")
    page.keyboard.press("Tab")
    page.keyboard.type("a wrong password")
    page.keyboard.press("Enter")
    page.locator("#fault").wait_for()
    page.screenshot(path=pictures / "sign-in-wrong.png")
    page.locator("#password:focus").wait_for()
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/articles/vpn")
    cookie = next(c for c in page.context.cookies() if c["name"] == "kb_session")
    assert cookie["httpOnly"] and cookie["sameSite"] == "Strict"
    page.get_by_role("link", name="ines", exact=True).click()
    page.wait_for_url("**/account")
    page.get_by_role("button", name="Sign out everywhere").click()
    page.wait_for_url("**/sign-in")
    page.goto("/review")
    page.wait_for_url("**/sign-in**")


def test_a_setup_link_ends_at_the_inbox(kb: Application, page: Page, pictures: Path) -> None:
    make_person(kb, password=None)
    with kb.database.write() as connection:
        token = reset_person(connection, "ines", now=kb.clock.now(), actor="t")
    page.goto(f"/sign-in/setup?token={token}")
    page.locator("#password:focus").wait_for()
    page.screenshot(path=pictures / "setup.png")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/review")


@pytest.fixture
def provider(kb: Application, monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    monkeypatch.setenv(CLIENT_SECRET_VARIABLE, CLIENT_SECRET)
    with serve_provider() as served:
        said = SignInSettings(
            openid_issuer=served.issuer, client_id=CLIENT_ID, openid_name="Fennmark",
            grants=(GrantSettings(claim="groups", value="kb-owners", role="owner", owner="ines"),),
        )  # fmt: skip
        kb.settings = kb.settings.model_copy(update={"sign_in": said})
        yield served


def test_signing_in_at_a_provider_in_a_real_browser(
    kb: Application, chromium: Browser, address: str, provider: Provider, pictures: Path
) -> None:
    """The strict cookie must be there after another site led back."""
    make_person(kb, "tom", owner="tom")
    context = chromium.new_context(base_url=address)
    page = context.new_page()
    page.goto("/articles/vpn")
    page.wait_for_url("**/sign-in**")
    page.screenshot(path=pictures / "sign-in-provider.png")
    page.get_by_role("link", name="Sign in with Fennmark").click()
    page.wait_for_url(f"{address}/articles/vpn")
    assert page.get_by_role("link", name="ines@example.org").is_visible()
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_fits_a_phone_and_has_no_serious_fault(
    kb: Application, chromium: Browser, address: str, pictures: Path, scheme: str
) -> None:
    fill(kb)
    make_person(kb, "ada", Role.ADMIN, None)
    context = chromium.new_context(base_url=address, color_scheme=scheme,  # type: ignore[arg-type]
                                   viewport={"width": 360, "height": 800})  # fmt: skip
    page = context.new_page()
    sign_in(page, "ada")
    page.wait_for_url("**/review")
    for path in PAGES:
        page.goto(path)
        name = path.strip("/").replace("/", "-").replace("?", "-").replace("&", "-")
        page.screenshot(path=pictures / f"{scheme}-phone-{name}.png", full_page=True)
        assert page.evaluate(OVERFLOW) <= 0, path
        found = Axe().run(page).response["violations"]
        serious = [(f["id"], f["nodes"][0]["html"][:200]) for f in found
                   if f["impact"] in ("serious", "critical")]  # fmt: skip
        assert serious == [], path
        page.set_viewport_size({"width": 1280, "height": 900})
        page.screenshot(path=pictures / f"{scheme}-desk-{name}.png", full_page=True)
        assert page.evaluate(OVERFLOW) <= 0, path
        page.set_viewport_size({"width": 360, "height": 800})
    context.close()


def test_comparing_and_going_back_by_keyboard(kb: Application, page: Page) -> None:
    fill(kb)
    make_person(kb)
    sign_in(page)
    page.wait_for_url("**/review")
    page.goto("/articles/vpn")
    page.locator("select[name=before]").focus()
    page.keyboard.press("ArrowDown")
    page.get_by_role("button", name="Compare").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/compare?before=1&after=3")
    page.get_by_role("link", name="Serve version 1 again…").focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Serve version 1 again").focus()
    page.keyboard.press("Enter")
    page.get_by_text("An earlier text served again").wait_for()
    assert "Version 4" in page.locator(".page-head").inner_text()
