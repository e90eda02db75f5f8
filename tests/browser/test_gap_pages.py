"""The gap pages as a person uses them: in Chromium, by keyboard, on a phone, without a script."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from api.wiring import Application
from gaps import repository
from gaps.types import DraftState, Gap, GapStatus
from tests.api.pages.factories import NOW, make_key, store_draft, store_gap
from tests.api.pages.gaps.factories import fill_world, store_coverage, store_publication
from tests.api.pages.vectors import VECTORS
from tests.browser.test_review_page import OVERFLOWING, sign_in, tab_to

pytestmark = pytest.mark.browser
PAGES = {
    "gaps": "/gaps",
    "gaps-any": "/gaps?status=any&sort=newest&text=refund",
    "gap": "/gaps/gap_00",
    "gap-plain": "/gaps/gap_12",
    "map": "/gaps/map",
    "area": "/gaps/map?area=top_area2",
}
CONTRAST = """(root) => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgba = text => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = text;
    canvas.fillRect(0, 0, 1, 1); return [...canvas.getImageData(0, 0, 1, 1).data]; };
  const light = c => { const [r, g, b] = c.map(v => v / 255).map(v =>
    v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const under = e => { for (; e; e = e.parentElement) {
    const c = rgba(getComputedStyle(e).backgroundColor); if (c[3] === 255) return c; }
    return [255, 255, 255, 255]; };
  const poor = [];
  for (const e of document.querySelectorAll('main *, header *')) {
    const said = [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
    const box = e.getBoundingClientRect();
    if (!said || box.width < 2 || box.height < 2 || e.closest('option')) continue;
    const style = getComputedStyle(e);
    const svg = e instanceof SVGElement;
    if (svg && e.tagName !== 'text') continue;
    const own = rgba(svg ? style.fill : style.color);
    const mark = svg && e.closest('.mark, .weeks-mark');
    const shape = mark && mark.querySelector('circle, rect, path:not(.weeks-mark-line)');
    const inside = shape && (e.closest('.weeks-mark') || !mark.querySelector('.mark-name') ||
      Math.abs(box.top - shape.getBoundingClientRect().top) < shape.getBoundingClientRect().height);
    const behind = inside ? rgba(getComputedStyle(shape).fill) : under(e);
    const [a, b] = [light(own), light(behind)].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) poor.push(`${e.textContent.trim().slice(0, 30)}: ${ratio.toFixed(2)}`);
  }
  return poor;
}"""
"""WCAG 2.2, 1.4.3: text that has less than 4.5 to 1."""
UNNAMED = """[...document.querySelectorAll('a, button, input:not([type=hidden]), select, textarea')]
    .filter(e => e.getClientRects().length)
    .filter(e => !(e.getAttribute('aria-label') || e.textContent.trim()
        || (e.labels && [...e.labels].some(l => l.textContent.trim())) ))
    .map(e => e.outerHTML.slice(0, 120))"""
DOUBLE_IDS = """[...document.querySelectorAll('[id]')].map(e => e.id)
    .filter((id, place, all) => all.indexOf(id) !== place)"""


@pytest.fixture
def world(kb: Application) -> dict[str, Gap]:
    """A quarter of a made-up company's gaps, one of them published for."""
    gaps = fill_world(kb)
    first = gaps["Corvid Connect stays at Negotiating"]
    store_draft(kb, "drf_old", first, state=DraftState.PUBLISHED)
    store_publication(kb, "drf_old", 20)
    store_draft(kb, "drf_new", gaps["VPN article names the old client"])
    with kb.database.write() as connection:
        repository.write_gap_status(connection, first.gap_id, GapStatus.OPEN, now=NOW)
    for number in range(30):
        found = ("vpn", "refunds") if number % 3 else ("refunds", "vpn")
        store_coverage(kb, f"W00-{number}", 0.05 + number % 7 / 100, *found)
    return gaps


@pytest.fixture(params=[("light", 1280), ("dark", 1280), ("light", 360), ("dark", 360)], ids=str)
def seen(
    request: pytest.FixtureRequest, chromium: Browser, address: str, kb: Application
) -> Iterator[tuple[Page, str, int]]:
    """A page signed in, in a colour scheme and a width."""
    scheme, width = request.param
    context = chromium.new_context(
        base_url=address, viewport={"width": width, "height": 800}, color_scheme=scheme
    )
    page = context.new_page()
    sign_in(page, make_key(kb))
    yield page, scheme, width
    context.close()


def test_every_page_fits_is_named_and_readable(
    world: dict[str, Gap], seen: tuple[Page, str, int], pictures: Path
) -> None:
    page, scheme, width = seen
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text))
    page.on("pageerror", lambda error: faults.append(str(error)))
    for name, place in PAGES.items():
        page.goto(place)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, place
        assert page.evaluate(OVERFLOWING) == [], place
        assert page.evaluate(UNNAMED) == [], place
        assert page.evaluate(DOUBLE_IDS) == [], place
        page.screenshot(path=pictures / f"{scheme}-{width}-{name}.png", full_page=True)
        assert page.evaluate(CONTRAST) == [], place
        page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{place}, opened"
        assert page.evaluate(CONTRAST) == [], f"{place}, opened"
    assert faults == []


def test_from_the_list_to_a_dismissal_by_keyboard_without_a_script(
    kb: Application, world: dict[str, Gap], chromium: Browser, address: str
) -> None:
    context = chromium.new_context(base_url=address, java_script_enabled=False)
    page = context.new_page()
    page.goto("/sign-in?next=/gaps")
    page.locator("#key").press_sequentially(make_key(kb))
    page.keyboard.press("Enter")
    page.wait_for_url(f"{address}/gaps")
    press_until(page, "Valve rattles at night", "Enter")
    page.wait_for_url("**/gaps/gap_20")
    press_until(page, "It is not worth an article", "Enter")
    press_until(page, "why-not_a_gap", None)
    page.keyboard.type("Winter only.")
    press_until(page, "Dismiss", "Enter")
    page.wait_for_url("**/gaps/gap_20?done=dismissed")
    assert page.get_by_text("Dismissed. It stays off the list").is_visible()
    with kb.database.read() as connection:
        gap = repository.read_gap(connection, "gap_20")
    assert (gap.status, gap.dismissed_reason) == (GapStatus.DISMISSED, "Winter only.")
    context.close()


def press_until(page: Page, text: str, then: str | None) -> None:
    """Press Tab until what says `text`, or has it as id, is focused; then another key."""
    for _ in range(150):
        page.keyboard.press("Tab")
        focus = page.locator(":focus")
        said = f"{focus.inner_text()} {focus.get_attribute('id') or ''}" if focus.count() else ""
        if text in said:
            if then:
                page.keyboard.press(then)
            return
    raise AssertionError(f"{text!r} is not reached by Tab")


def test_ticked_gaps_are_dismissed_together(
    kb: Application, world: dict[str, Gap], page: Page
) -> None:
    sign_in(page, make_key(kb))
    page.goto("/gaps")
    for title in ("Valve rattles at night", "Valve shows E2"):
        page.get_by_label(f"Tick {title}").focus()
        page.keyboard.press("Space")
    bulk = page.locator("#bulk")
    assert bulk.bounding_box()["y"] < 900, "the form is in sight once a gap is ticked"  # type: ignore[index]
    page.get_by_role("button", name="Dismiss").click()
    assert page.get_by_role("alert").inner_text().startswith("Say why")
    assert page.evaluate("document.activeElement.id") == "bulk-reason"
    assert page.get_by_label("Tick Valve shows E2").is_checked()
    page.keyboard.type("Winter only.")
    page.get_by_role("button", name="Dismiss").click()
    page.get_by_text("2 gaps dismissed.").wait_for()
    assert page.get_by_role("link", name="Valve shows E2").count() == 0


def test_tickets_are_split_off_and_the_wrong_form_is_shown_open(
    world: dict[str, Gap], kb: Application, page: Page
) -> None:
    sign_in(page, make_key(kb))
    page.goto("/gaps/gap_00")
    page.get_by_text("It needs another name").click()
    page.get_by_label("Title, 90 characters at most").fill("x" * 91)
    page.get_by_role("button", name="Rename").click()
    assert "1 to 90 characters" in page.get_by_role("alert").inner_text()
    page.wait_for_function("document.activeElement.id == 'title'")
    assert page.get_by_label("Title, 90 characters at most").input_value() == "x" * 91
    page.goto("/gaps/gap_00")
    page.get_by_label("Split off ticket W00-2").check()
    page.get_by_role("button", name="Split off as a gap of their own").click()
    page.get_by_text("Split off: this is the new gap").wait_for()
    assert page.get_by_role("heading", name="All tickets").inner_text().split()[-1] == "1"


def test_the_map_is_walked_by_keyboard_from_areas_to_a_gap(
    world: dict[str, Gap], kb: Application, page: Page
) -> None:
    sign_in(page, make_key(kb))
    page.goto("/gaps/map")
    focus_mark(page, "Smart valves")
    page.keyboard.press("Enter")
    page.wait_for_url("**/gaps/map?area=top_area2")
    focus_mark(page, "Valve rattles at night")
    page.keyboard.press("Enter")
    page.wait_for_url("**/gaps/gap_20")


def focus_mark(page: Page, name: str) -> None:
    for _ in range(40):
        page.keyboard.press("Tab")
        said = page.evaluate("document.activeElement.getAttribute('aria-label') || ''")
        if said.startswith(f"{name}:"):
            width = "getComputedStyle(document.activeElement.querySelector('circle')).strokeWidth"
            assert page.evaluate(width) == "5px", "focus is not visible"
            return
    raise AssertionError(f"{name!r} is not reached by Tab")


@pytest.mark.parametrize("width", [1280, 360])
def test_names_on_the_map_overlap_neither_each_other_nor_strange_circles(
    world: dict[str, Gap], kb: Application, page: Page, width: int
) -> None:
    """As the browser draws them, in its own font."""
    page.set_viewport_size({"width": width, "height": 800})
    sign_in(page, make_key(kb))
    for place in ("/gaps/map", *(f"/gaps/map?area=top_area{n}" for n in range(7))):
        page.goto(place)
        boxes: list[dict[str, Any]] = page.evaluate(
            "[...document.querySelectorAll('.mark-name')].filter(e => e.getClientRects().length)"
            ".map(e => ({text: e.textContent, ...e.getBoundingClientRect().toJSON()}))"
        )
        assert boxes
        for number, one in enumerate(boxes):
            for two in boxes[:number]:
                apart = (
                    one["right"] <= two["left"] or two["right"] <= one["left"]
                    # Lines of one name stand closer than their boxes.
                    or one["bottom"] <= two["top"] + 5 or two["bottom"] <= one["top"] + 5
                )  # fmt: skip
                assert apart, (place, one["text"], two["text"])


def test_a_printed_page_has_no_forms_and_the_map_in_full(
    world: dict[str, Gap], kb: Application, page: Page
) -> None:
    sign_in(page, make_key(kb))
    page.emulate_media(media="print")
    for place in ("/gaps", "/gaps/gap_00", "/gaps/map"):
        page.goto(place)
        assert page.locator("header.bar").is_hidden()
        for form in page.locator("form").all():
            assert form.is_hidden(), place
    assert page.locator("svg.map.wide-only").is_visible()
    assert page.locator("svg.map.narrow-only").is_hidden()


def test_no_vector_runs_on_the_gap_pages(
    kb: Application, world: dict[str, Gap], page: Page, address: str
) -> None:
    """The forty vectors as titles, terms and tickets, with the policy lifted."""
    for number, vector in enumerate(VECTORS):
        store_gap(kb, f"gap_v{number}", [], title=vector, reasons=[vector], owner="ines")
    ran: list[str] = []
    page.on("console", lambda message: ran.append(message.text))
    page.on("dialog", lambda dialog: (ran.append(dialog.message), dialog.dismiss()))
    sign_in(page, make_key(kb))
    ran.clear()

    def without_policy(route: Any) -> None:
        answer = route.fetch()
        headers = {k: v for k, v in answer.headers.items() if k != "content-security-policy"}
        route.fulfill(response=answer, headers=headers)

    page.route(f"{address}/gaps**", without_policy)
    page.route(f"{address}/gaps/**", without_policy)
    places = ["/gaps", "/gaps?offset=25", "/gaps?offset=50", "/gaps/map?area=none"]
    for place in (*places, "/gaps/gap_v0", "/gaps/gap_v5", "/gaps/gap_v30"):
        page.goto(place)
        page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        page.wait_for_timeout(200)
        assert page.evaluate("window.__ran === undefined")
        assert page.locator("script, iframe, img, object, embed, base, style").count() == 0
    assert ran == []


def test_the_decision_is_one_stop_away(world: dict[str, Gap], kb: Application, page: Page) -> None:
    sign_in(page, make_key(kb))
    page.goto("/gaps/gap_00")
    stops = tab_to(page, "Skip to the decision")
    assert len(stops) <= 2
    page.keyboard.press("Enter")
    tab_to(page, "Write a draft")
