from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

import pytest
from sqlalchemy import select, update

from api.keys import create_key, revoke_key
from api.pages.origin import START_PAGE, local_path
from api.pages.session_store import SESSION_LIFE
from api.wiring import Application
from kb.tables import api_keys, sessions
from kb.types import Audience, Role
from tests.api.pages.factories import Browser, make_key


def test_a_page_without_session_leads_to_the_sign_in(browser: Browser) -> None:
    answer = browser.get("/review")
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/sign-in")


def test_signing_in_opens_the_inbox_and_signing_out_ends_it(
    kb: Application, browser: Browser
) -> None:
    answer = browser.sign_in(make_key(kb))
    assert (answer.status_code, answer.headers["location"]) == (303, "/review")
    assert browser.get("/review").status_code == 200
    assert browser.post("/sign-out").status_code == 303
    assert browser.get("/review").status_code == 303
    with kb.database.read() as connection:
        assert connection.execute(select(sessions)).all() == []


def test_the_session_id_itself_is_not_stored(kb: Application, browser: Browser) -> None:
    browser.sign_in(make_key(kb))
    cookie = browser.client.cookies["kb_session"]
    with kb.database.read() as connection:
        row = connection.execute(select(sessions)).one()
    assert len(cookie) >= 43
    assert cookie not in map(str, row)


def test_cookies_are_closed_to_scripts_and_other_sites(kb: Application, browser: Browser) -> None:
    cookie = browser.sign_in(make_key(kb)).headers.get_list("set-cookie")[0]
    assert cookie.startswith("kb_session=")
    for part in ("HttpOnly", "SameSite=strict", "Path=/"):
        assert part in cookie
    assert "Secure" not in cookie


def test_over_https_the_cookie_is_bound_to_the_host(
    kb: Application, open_browser: Callable[..., Browser]
) -> None:
    browser = open_browser("https://testserver")
    cookie = browser.sign_in(make_key(kb)).headers.get_list("set-cookie")[0]
    assert cookie.startswith("__Host-kb_session=")
    assert "Secure" in cookie
    assert "Domain" not in cookie
    assert browser.get("/review").status_code == 200


def test_a_plain_cookie_is_not_read_over_https(
    kb: Application, browser: Browser, open_browser: Callable[..., Browser]
) -> None:
    browser.sign_in(make_key(kb))
    secure = open_browser("https://testserver")
    secure.client.cookies.set("kb_session", browser.client.cookies["kb_session"])
    assert secure.get("/review").status_code == 303


def test_revoking_the_key_ends_the_session(kb: Application, browser: Browser) -> None:
    browser.sign_in(make_key(kb))
    with kb.database.write() as connection:
        key_id = connection.execute(select(api_keys.c.id)).scalar_one()
        revoke_key(connection, key_id, now=kb.clock.now(), actor="test")
    assert browser.get("/review").status_code == 303


def test_a_session_ends_after_its_time(kb: Application, browser: Browser) -> None:
    browser.sign_in(make_key(kb))
    with kb.database.write() as connection:
        connection.execute(update(sessions).values(expires_at=kb.clock.now() - SESSION_LIFE / 1000))
    assert browser.get("/review").status_code == 303


def test_every_failure_says_the_same(kb: Application, browser: Browser) -> None:
    agent = make_key(kb, Role.AGENT, None)
    with kb.database.write() as connection:
        public = create_key(
            connection, role=Role.EDITOR, audience=Audience.PUBLIC, owner=None,
            now=kb.clock.now(), actor="test",
        )[1]  # fmt: skip
    texts = set()
    for key in ("", "nonsense", "kb_0000_00_00000000", agent, public, "ключ", "x" * 300):
        answer = browser.sign_in(key)
        assert answer.status_code == 401
        texts.add(answer.text.split('id="fault">')[1].split("<")[0])
    assert len(texts) == 1


def test_ten_failures_and_the_client_has_to_wait(kb: Application, browser: Browser) -> None:
    for _ in range(10):
        assert browser.sign_in("kb_wrong").status_code == 401
    answer = browser.sign_in(make_key(kb))
    assert answer.status_code == 429
    assert 0 < int(answer.headers["retry-after"]) <= 300


def test_the_sign_in_form_needs_its_own_token(kb: Application, browser: Browser) -> None:
    key = make_key(kb)
    assert browser.post("/sign-in", key=key).status_code == 403
    browser.get("/sign-in")
    assert browser.post("/sign-in", key=key, csrf_token="forged").status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "http://testserver", "sec-fetch-site": "cross-site"},
    ],
)
def test_a_form_from_another_site_is_refused(
    kb: Application, browser: Browser, headers: dict[str, str]
) -> None:
    browser.sign_in(make_key(kb))
    assert browser.post("/sign-out", headers).status_code == 403
    assert browser.get("/review").status_code == 200


@pytest.mark.parametrize("token", ["", "forged", "é"])
def test_a_form_without_the_session_token_is_refused(
    kb: Application, browser: Browser, token: str
) -> None:
    browser.sign_in(make_key(kb))
    assert browser.post("/sign-out", csrf_token=token).status_code == 403


def test_another_session_cannot_lend_its_token(
    kb: Application, open_browser: Callable[..., Browser]
) -> None:
    ines, tom = open_browser(), open_browser()
    ines.sign_in(make_key(kb))
    tom.sign_in(make_key(kb, owner="tom"))
    assert ines.post("/sign-out", csrf_token=tom.csrf_token).status_code == 403


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example",
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "/%0d%0aSet-Cookie:x\r\nx: y",
        "javascript:alert(1)",
        "data:text/html,x",
        "http:evil.example",
        "review",
        "",
        " /review",
        "/sign-out",
        "/sign-in?next=/sign-in",
        "/ｅvil",
    ],
)
def test_only_paths_of_this_site_are_followed(
    kb: Application, browser: Browser, wanted: str
) -> None:
    assert local_path(wanted) == START_PAGE
    assert browser.sign_in(make_key(kb), next=wanted).headers["location"] == START_PAGE
    assert "evil" not in browser.get(f"/sign-in?next={quote(wanted)}").text


@pytest.mark.parametrize(
    "wanted", ["/review/drf_1", "/articles/a?version=2", "/review?tab=decided"]
)
def test_a_path_of_this_site_is_followed(kb: Application, browser: Browser, wanted: str) -> None:
    assert browser.sign_in(make_key(kb), next=wanted).headers["location"] == wanted
