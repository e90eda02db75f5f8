"""Signing in by name and password: who gets in, who waits, and what ends it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select, update

from api.pages.session_store import IDLE_LIFE, SEEN_RESOLUTION, SESSION_LIFE
from api.pages.throttle import PAIR_FAILURES
from api.passwords import needs_rehash
from api.people import change_person, disable_person, reset_person
from api.settings.edge import SignInSettings
from api.wiring import Application
from kb.audit import read_entries, verify_chain
from kb.tables import people, sessions
from kb.types import Role
from tests.api.pages.factories import (
    PASSWORD,
    VPN_TICKETS,
    Browser,
    make_key,
    make_person,
    make_tickets,
    store_draft,
    store_gap,
)

Open = Callable[..., Browser]


def settle(kb: Application, **said: object) -> None:
    kb.settings = kb.settings.model_copy(update={"sign_in": SignInSettings(**said)})  # type: ignore[arg-type]


def entries(kb: Application) -> list[tuple[str, str, str]]:
    with kb.database.read() as connection:
        verify_chain(connection)
        return [(e.action, e.actor, e.subject) for e in reversed(read_entries(connection))]


def count_sessions(kb: Application) -> int:
    with kb.database.read() as connection:
        return len(connection.execute(select(sessions)).all())


def test_name_and_password_open_the_inbox(kb: Application, browser: Browser) -> None:
    person_id = make_person(kb)
    answer = browser.sign_in_as("Ines ")
    assert (answer.status_code, answer.headers["location"]) == (303, "/review")
    assert browser.get("/review").status_code == 200
    assert ("session.begin", "ines", person_id) in entries(kb)


def test_every_failure_looks_the_same(kb: Application, open_browser: Open) -> None:
    make_person(kb)
    make_person(kb, "gone", password=PASSWORD)
    make_person(kb, "new", password=None)
    with kb.database.write() as connection:
        disable_person(connection, "gone", now=kb.clock.now(), actor="t")
    texts = set()
    for name, password in (
        ("ines", "wrong"), ("nobody", PASSWORD), ("gone", PASSWORD), ("new", PASSWORD),
        ("new", ""), ("ines", PASSWORD.upper()), ("é" * 80, "x" * 900),
    ):  # fmt: skip
        answer = open_browser().sign_in_as(name, password)
        assert answer.status_code == 401
        assert "kb_session" not in str(answer.headers)
        texts.add(answer.text.split('id="fault">')[1].split("<")[0])
    assert len(texts) == 1


def test_failures_make_a_name_wait_and_are_audited_without_what_was_typed(
    kb: Application, browser: Browser
) -> None:
    person_id = make_person(kb)
    for _ in range(PAIR_FAILURES):
        assert browser.sign_in_as("ines", "my secret typing").status_code == 401
    held = browser.sign_in_as("ines")
    assert held.status_code == 429 and int(held.headers["retry-after"]) >= 1
    with kb.database.read() as connection:
        found = [e for e in read_entries(connection) if e.action == "sign_in.held"]
    assert [entry.subject for entry in found] == [person_id]
    assert "secret typing" not in str(found)


def test_an_unknown_name_is_held_and_audited_without_the_name(
    kb: Application, browser: Browser
) -> None:
    for _ in range(PAIR_FAILURES):
        assert browser.sign_in_as("a password typed as name", "x").status_code == 401
    assert browser.sign_in_as("a password typed as name", "x").status_code == 429
    with kb.database.read() as connection:
        found = [e for e in read_entries(connection) if e.action == "sign_in.held"]
    assert [entry.subject for entry in found] == ["unknown"]
    assert "typed as name" not in str(found)


def test_signing_in_gives_a_new_session_id_and_ends_the_old_one(
    kb: Application, browser: Browser, open_browser: Open
) -> None:
    make_person(kb)
    browser.sign_in_as("ines")
    first = browser.client.cookies["kb_session"]
    browser.sign_in_as("ines")
    assert browser.client.cookies["kb_session"] != first
    thief = open_browser()
    thief.client.cookies.set("kb_session", first)
    assert thief.get("/review").status_code == 303
    assert count_sessions(kb) == 1


def test_a_planted_session_id_is_not_taken_over(kb: Application, browser: Browser) -> None:
    make_person(kb)
    browser.client.cookies.set("kb_session", "planted-by-somebody-else")
    browser.sign_in_as("ines")
    assert browser.client.cookies.get("kb_session", domain="testserver.local") != (
        "planted-by-somebody-else"
    )
    with kb.database.read() as connection:
        rows = str(connection.execute(select(sessions)).all())
    assert "planted" not in rows


@pytest.mark.parametrize("column", ["seen_at", "expires_at"])
def test_a_session_ends_when_idle_and_in_any_case(
    kb: Application, browser: Browser, column: str
) -> None:
    make_person(kb)
    browser.sign_in_as("ines")
    with kb.database.write() as connection:
        past = kb.clock.now() - (IDLE_LIFE if column == "seen_at" else timedelta(seconds=1))
        connection.execute(update(sessions).values({column: past}))
    assert browser.get("/review").status_code == 303


def test_looking_at_a_page_keeps_a_session_but_not_past_its_end(
    kb: Application, browser: Browser
) -> None:
    make_person(kb)
    browser.sign_in_as("ines")
    with kb.database.write() as connection:
        before = connection.execute(select(sessions)).one()
        connection.execute(update(sessions).values(seen_at=before.seen_at - SEEN_RESOLUTION * 2))
    assert browser.get("/review").status_code == 200
    with kb.database.read() as connection:
        after = connection.execute(select(sessions)).one()
    assert after.seen_at >= before.seen_at
    assert after.expires_at == before.expires_at == before.created_at + SESSION_LIFE


def test_signing_out_everywhere_ends_every_browser(
    kb: Application, browser: Browser, open_browser: Open
) -> None:
    make_person(kb)
    make_person(kb, "tom", owner="tom")
    other, tom = open_browser(), open_browser()
    for one, name in ((browser, "ines"), (other, "ines"), (tom, "tom")):
        assert one.sign_in_as(name).status_code == 303
    assert browser.get("/account").text.count("last seen") == 2
    assert browser.post("/account/sign-out-everywhere").status_code == 303
    assert (browser.get("/review").status_code, other.get("/review").status_code) == (303, 303)
    assert tom.get("/review").status_code == 200
    assert entries(kb)[-1][:2] == ("session.end_all", "ines")


def test_disabling_acts_at_the_next_request(kb: Application, browser: Browser) -> None:
    make_person(kb)
    browser.sign_in_as("ines")
    assert browser.get("/review").status_code == 200
    with kb.database.write() as connection:
        connection.execute(update(people).values(disabled_at=kb.clock.now()))
    assert browser.get("/review").status_code == 303


def test_another_role_or_owner_acts_at_the_next_request(kb: Application, browser: Browser) -> None:
    gap = store_gap(kb, "gap_1", make_tickets("A", VPN_TICKETS), owner="ines")
    store_draft(kb, "drf_1", gap)
    make_person(kb, "i.silva", owner="ines")
    browser.sign_in_as("i.silva")
    assert browser.get("/review/drf_1").status_code == 200
    with kb.database.write() as connection:
        change_person(
            connection, "i.silva", role=Role.OWNER, owner="tom", now=kb.clock.now(), actor="t"
        )
    assert browser.get("/review/drf_1").status_code in (403, 404)
    with kb.database.write() as connection:
        change_person(
            connection, "i.silva", role=Role.EDITOR, owner=None, now=kb.clock.now(), actor="t"
        )
    assert browser.get("/review/drf_1").status_code == 200


def test_a_person_decides_for_their_owner_under_their_own_name(
    kb: Application, browser: Browser
) -> None:
    gap = store_gap(kb, "gap_1", make_tickets("A", VPN_TICKETS), owner="ines")
    draft = store_draft(kb, "drf_1", gap)
    make_person(kb, "i.silva", owner="ines")
    browser.sign_in_as("i.silva")
    answer = browser.post(
        "/review/drf_1/decision",
        decision="approve",
        draft_hash=draft.draft_hash,
        seen=draft.markdown,
    )
    assert answer.status_code == 303, answer.text
    assert ("draft.publish", "i.silva", "drf_1") in entries(kb)
    assert browser.post("/review/drf_1/rollback").status_code == 303


def test_a_person_named_like_another_owner_decides_nothing_of_theirs(
    kb: Application, browser: Browser
) -> None:
    gap = store_gap(kb, "gap_1", make_tickets("A", VPN_TICKETS), owner="tom")
    draft = store_draft(kb, "drf_1", gap)
    make_person(kb, "tom", owner="ines")
    browser.sign_in_as("tom")
    answer = browser.post("/review/drf_1/decision", decision="approve", draft_hash=draft.draft_hash)
    assert answer.status_code in (403, 404)


def test_an_old_hash_is_kept_anew_at_the_next_sign_in(kb: Application, browser: Browser) -> None:
    make_person(kb)
    weak = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(PASSWORD)
    with kb.database.write() as connection:
        connection.execute(update(people).values(password_hash=weak))
    assert browser.sign_in_as("ines").status_code == 303
    with kb.database.read() as connection:
        kept = connection.execute(select(people.c.password_hash)).scalar_one()
    assert kept != weak and not needs_rehash(kept)


def test_changing_the_password_needs_the_old_one_and_ends_other_sessions(
    kb: Application, browser: Browser, open_browser: Open
) -> None:
    make_person(kb)
    other = open_browser()
    other.sign_in_as("ines")
    browser.sign_in_as("ines")
    fresh = "another lamp, another sea"
    asked = {"present": PASSWORD, "password": fresh, "again": fresh}
    assert browser.post("/account/password", **asked | {"present": "wrong"}).status_code == 400
    assert browser.post("/account/password", **asked | {"again": "else"}).status_code == 400
    assert browser.post("/account/password", **asked | {"password": "ines", "again": "ines"}
                        ).status_code == 400  # fmt: skip
    assert browser.post("/account/password", **asked, csrf_token="forged").status_code == 403
    assert other.get("/review").status_code == 200
    assert browser.post("/account/password", **asked).status_code == 303
    assert browser.get("/review").status_code == 200
    assert other.get("/review").status_code == 303
    assert other.sign_in_as("ines").status_code == 401
    assert other.sign_in_as("ines", fresh).status_code == 303


def test_a_setup_link_sets_a_password_once(kb: Application, browser: Browser) -> None:
    make_person(kb, password=None)
    with kb.database.write() as connection:
        token = reset_person(connection, "ines", now=kb.clock.now(), actor="t")
    address = f"/sign-in/setup?token={token}"
    asked = {"token": token, "password": PASSWORD, "again": PASSWORD}
    for _ in range(2):
        assert "Welcome, ines" in browser.get(address).text
    assert browser.post("/sign-in/setup", **asked, csrf_token="forged").status_code == 403
    browser.get(address)
    assert browser.post("/sign-in/setup", **asked | {"again": "else"}).status_code == 400
    browser.get(address)
    assert browser.post("/sign-in/setup", **asked).status_code == 303
    assert browser.get("/review").status_code == 200
    browser.post("/sign-out")
    assert browser.get(address).headers["location"].startswith("/sign-in")
    assert browser.sign_in_as("ines").status_code == 303


def test_a_key_form_stays_beside_the_password_until_keys_are_off(
    kb: Application, browser: Browser
) -> None:
    key = make_key(kb)
    assert 'name="password"' not in browser.get("/sign-in").text
    make_person(kb)
    shown = browser.get("/sign-in").text
    assert 'name="password"' in shown and 'name="key"' in shown
    assert browser.sign_in(key).status_code == 303
    settle(kb, keys=False)
    assert browser.get("/review").status_code == 303
    assert 'name="key"' not in browser.get("/sign-in").text
    assert browser.sign_in(key).status_code == 401
    settle(kb, passwords=False)
    assert 'name="password"' not in browser.get("/sign-in").text
    assert browser.sign_in_as("ines").status_code == 401


def test_a_public_https_address_binds_the_cookie_behind_a_proxy(
    kb: Application, browser: Browser
) -> None:
    make_person(kb)
    settle(kb, public_url="https://kb.example.org")
    browser.get("/sign-in")
    cookie = browser.get("/sign-in").headers["set-cookie"]
    assert cookie.startswith("__Host-kb_form=") and "Secure" in cookie


def test_the_name_a_person_typed_is_shown_escaped(kb: Application, browser: Browser) -> None:
    make_person(kb)
    shown = browser.sign_in_as('"><script>alert(1)</script>', "x").text
    assert "<script" not in shown and "&lt;script&gt;" in shown


@pytest.mark.parametrize("path", ["/account/sign-out-everywhere", "/account/password", "/sign-out"])
def test_forms_of_the_account_need_the_session_and_its_token(
    kb: Application, browser: Browser, path: str
) -> None:
    make_person(kb)
    assert browser.post(path).status_code == 303
    browser.sign_in_as("ines")
    assert browser.post(path, csrf_token="forged").status_code == 403
    assert browser.post(path, {"origin": "https://evil.example"}).status_code == 403
    assert browser.get("/review").status_code == 200
