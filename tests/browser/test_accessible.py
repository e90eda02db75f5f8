"""Every review page held against axe, in light and dark, on a desk and on a phone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest
from playwright.sync_api import Browser, Page

from api.wiring import Application
from tests.api.pages.factories import make_key
from tests.browser.test_review_page import PAGES, fill, sign_in

pytestmark = pytest.mark.browser
AXE = next(Path(axe_playwright_python.__file__).parent.rglob("axe.min.js"))
GRAVE = ("serious", "critical")
SHOWN = (*PAGES, "/review?tab=snoozed", "/review?text=nothing+such", "/review/drf_none")


def grave_findings(page: Page) -> list[str]:
    """What axe calls serious or critical, with where it stands."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    report: dict[str, Any] = page.evaluate("axe.run()")
    return [
        f"{finding['id']}: {node['html'][:160]}"
        for finding in report["violations"]
        if finding["impact"] in GRAVE
        for node in finding["nodes"]
    ]


def open_page(chromium: Browser, address: str, scheme: str, width: int, key: str) -> Page:
    context = chromium.new_context(
        base_url=address,
        viewport={"width": width, "height": 900},
        color_scheme=scheme,  # type: ignore[arg-type]
        # axe is put into the page, which our policy would refuse.
        bypass_csp=True,
    )
    page = context.new_page()
    sign_in(page, key)
    return page


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 360)])
def test_no_page_has_a_serious_finding(
    kb: Application, chromium: Browser, address: str, scheme: str, width: int
) -> None:
    fill(kb)
    page = open_page(chromium, address, scheme, width, make_key(kb))
    found: dict[str, list[str]] = {}
    for place in SHOWN:
        page.goto(place)
        page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        page.evaluate("document.querySelectorAll('.tick').forEach(t => t.checked = true)")
        findings = grave_findings(page)
        if findings:
            found[place] = findings
    page.goto("/review/drf_new")
    page.get_by_role("link", name="Edit and approve").click()
    page.locator("#live-preview article").wait_for()
    page.get_by_label("What is wrong with it").select_option("evidence_wrong")
    found["edited"] = grave_findings(page)
    page.locator("button[value=reject]").evaluate("b => b.form.noValidate = true")
    page.locator("button[value=reject]").click()
    page.get_by_text("Say why, so that the next draft can be better.").wait_for()
    found["faulty"] = grave_findings(page)
    page.goto("/review/drf_new")
    with kb.database.write() as connection:
        connection.exec_driver_sql("UPDATE tickets SET content_hash = 'x' WHERE id = 'FM-0'")
    page.get_by_role("button", name="Approve and publish", exact=True).click()
    page.get_by_role("heading", name="The evidence changed").wait_for()
    found["overtaken"] = grave_findings(page)
    assert {place: findings for place, findings in found.items() if findings} == {}
    page.context.close()


def test_axe_would_find_something(chromium: Browser) -> None:
    page = chromium.new_page()
    page.set_content("<img src='x'><input>")
    assert len(grave_findings(page)) >= 2
    page.close()
