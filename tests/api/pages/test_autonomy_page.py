"""The action table as people see it: what each row says, and who may turn a dial."""

from __future__ import annotations

import re

import pytest

from api.settings.knowledge import ActionSettings
from api.wiring import Application
from gaps.operating.autonomy import NEEDED_CHECKS
from gaps.types import Check
from kb.types import Role
from tests.api.pages.factories import (
    VPN_TICKETS,
    Browser,
    make_key,
    make_person,
    make_tickets,
    store_draft,
    store_gap,
)

GREEN = tuple(Check(name, "green", "") for name in sorted(NEEDED_CHECKS))


def allow(kb: Application, dial: str = "autonomous") -> None:
    said = ActionSettings(publish_article=dial, earned_approvals=5)  # type: ignore[arg-type]
    kb.settings = kb.settings.model_copy(update={"actions": said})


def earn(kb: Application, count: int = 5) -> None:
    for number in range(count):
        gap = store_gap(kb, f"gap_{number}", make_tickets(f"T{number}", VPN_TICKETS))
        draft = store_draft(kb, f"drf_{number}", gap, title=f"Light {number}", checks=GREEN,
                            document_id=f"light-{number}", markdown=f"Press {number}.\n")  # fmt: skip
        kb.publishing.review(draft.draft_id, "approve", caller=kb.local_caller("ines"),
                             draft_hash=draft.draft_hash)  # fmt: skip


def row(page: str, owner: str = "ines", kind: str = "new_article") -> str:
    return page.split(f'id="{owner}-{kind}"')[1].split('<li class="standing"')[0]


def form(page: str) -> dict[str, str]:
    return dict(re.findall(r'type="hidden" name="(owner|kind|record)" value="([^"]*)"', page))


def test_every_row_explains_itself(kb: Application, browser: Browser) -> None:
    earn(kb, 2)
    browser.sign_in(make_key(kb))
    said = row(browser.get("/autonomy").text)
    assert "A person approves each" in said and "<b>2</b> of 20" in said
    assert "kb.toml says publish_article = &#34;human_approved&#34;" in said
    assert "18 more approvals" in said


def test_owners_see_their_own_rows_and_no_dial_to_turn(kb: Application, browser: Browser) -> None:
    allow(kb)
    earn(kb)
    browser.sign_in(make_key(kb))
    page = browser.get("/autonomy").text
    assert 'id="ines-new_article"' in page and 'id="tom-' not in page
    assert "/autonomy/raise" not in page
    assert browser.post("/autonomy/raise", owner="ines", kind="new_article", record="x",
                        reason="x").status_code == 403  # fmt: skip
    assert browser.post("/autonomy/withdraw", owner="ines", kind="new_article", reason="x"
                        ).status_code == 403  # fmt: skip


def test_an_administrator_raises_and_withdraws(kb: Application, browser: Browser) -> None:
    allow(kb)
    earn(kb)
    make_person(kb, "ada", Role.ADMIN, None)
    browser.sign_in_as("ada")
    asked = form(row(browser.get("/autonomy").text))
    assert browser.post("/autonomy/raise", **asked, reason=" ").status_code == 400
    assert browser.post("/autonomy/raise", **asked, reason="a <b>good</b> month").status_code == 303
    said = row(browser.get("/autonomy").text)
    assert "Goes out by itself" in said and "raised by ada: a &lt;b&gt;good&lt;/b&gt;" in said
    asked.pop("record")
    assert browser.post("/autonomy/withdraw", **asked, reason="wait").status_code == 303
    assert "Withdrawn on" in row(browser.get("/autonomy").text)


def test_a_record_that_moved_on_is_412(kb: Application, browser: Browser) -> None:
    allow(kb)
    earn(kb)
    browser.sign_in(make_key(kb, Role.ADMIN, None))
    asked = form(row(browser.get("/autonomy").text))
    kb.publishing.rollback_draft("drf_0", kb.operator)
    answer = browser.post("/autonomy/raise", **asked, reason="x")
    assert answer.status_code == 412 and "record changed" in answer.text
    assert "drf_0</a> was rolled back" in row(answer.text)


def test_what_is_not_earned_is_409(kb: Application, browser: Browser) -> None:
    allow(kb)
    earn(kb, 4)
    browser.sign_in(make_key(kb, Role.ADMIN, None))
    page = browser.get("/autonomy").text
    assert "/autonomy/raise" not in page
    digest = kb.autonomy.read_standings("ines")[0].record.digest
    answer = browser.post("/autonomy/raise", owner="ines", kind="new_article", record=digest,
                          reason="x")  # fmt: skip
    assert answer.status_code == 409


@pytest.mark.parametrize("path", ["/autonomy/raise", "/autonomy/withdraw"])
def test_dials_need_the_sessions_own_form(kb: Application, browser: Browser, path: str) -> None:
    assert browser.post(path).status_code == 303
    browser.sign_in(make_key(kb, Role.ADMIN, None))
    assert browser.post(path, csrf_token="forged").status_code == 403
    assert browser.post(path, {"origin": "https://evil.example"}).status_code == 403
    assert browser.post(path, owner="ines", kind="nonsense", reason="x").status_code == 400
    assert browser.post(path, owner="nobody", kind="new_article", reason="x").status_code in (
        400,
        404,
    )


def test_a_forbidden_action_says_so(kb: Application, browser: Browser) -> None:
    allow(kb, "forbidden")
    browser.sign_in(make_key(kb))
    assert "Nobody may" in row(browser.get("/autonomy").text)
