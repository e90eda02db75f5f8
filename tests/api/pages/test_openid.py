"""Signing in at a real provider over HTTP, and the ways in that must stay shut."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import httpx
import pytest
from joserfc.jwk import ECKey, RSAKey
from sqlalchemy import select, update

from api import openid
from api.openid import vouch
from api.pages import sign_in_openid
from api.people import disable_person
from api.settings.edge import CLIENT_SECRET_VARIABLE, GrantSettings, SignInSettings
from api.wiring import Application
from kb.audit import read_entries
from kb.errors import UnauthenticatedError
from kb.tables import openid_flows, people, sessions
from kb.types import Role
from tests.api.pages.factories import Browser
from tests.api.pages.provider import CLIENT_ID, CLIENT_SECRET, Provider, serve_provider

Open = Callable[..., Browser]


@pytest.fixture
def provider(kb: Application, monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    monkeypatch.setenv(CLIENT_SECRET_VARIABLE, CLIENT_SECRET)
    with serve_provider() as served:
        settle(kb, served.issuer)
        yield served


def settle(kb: Application, issuer: str, **said: Any) -> None:
    grants = (
        GrantSettings(claim="groups", value="kb-admins", role="admin"),
        GrantSettings(claim="email", value="Eda@Example.org", role="editor"),
        GrantSettings(claim="groups", value="kb-owners", role="owner", owner="ines"),
    )
    asked = {"openid_issuer": issuer, "client_id": CLIENT_ID, "grants": grants,
             "allowed_domains": ("example.org",), **said}  # fmt: skip
    kb.settings = kb.settings.model_copy(update={"sign_in": SignInSettings(**asked)})


def leave(browser: Browser, next: str = "/review") -> str:
    """Begin here and sign in there; the address that the provider leads back to."""
    there = browser.get(f"/sign-in/openid?{urlencode({'next': next})}")
    assert there.status_code == 303, there.text
    back = httpx.get(there.headers["location"], follow_redirects=False)
    return "/sign-in/openid/callback?" + urlsplit(back.headers["location"]).query


def come_back(browser: Browser, address: str) -> Any:
    """The provider's page leads the browser, so our strict cookies stay behind."""
    return browser.client.get(
        address, headers={"sec-fetch-site": "cross-site"}, follow_redirects=False
    )


def is_in(browser: Browser) -> bool:
    return bool(browser.get("/review").status_code == 200)


def refuse(kb: Application, browser: Browser, address: str | None = None) -> None:
    """Come back, be refused, leave no session and no person."""
    answer = come_back(browser, address or leave(browser))
    assert answer.status_code == 401, answer.text
    assert "kb_session" not in str(answer.headers)
    with kb.database.read() as connection:
        assert connection.execute(select(sessions)).all() == []
        assert connection.execute(select(people)).all() == []
    assert not is_in(browser)


def test_whoever_the_provider_vouches_for_is_in(
    kb: Application, browser: Browser, provider: Provider
) -> None:
    assert "/sign-in/openid?next=" in browser.get("/sign-in").text
    answer = come_back(browser, leave(browser, "/review?tab=decided"))
    assert answer.status_code == 200
    assert '<meta http-equiv="refresh" content="0;url=/review?tab=decided">' in answer.text
    assert is_in(browser)
    with kb.database.read() as connection:
        row = connection.execute(select(people)).one()
        found = [(e.action, e.actor, e.details) for e in read_entries(connection)]
    assert (row.name, row.role, row.owner) == ("ines@example.org", "owner", "ines")
    assert ("session.begin", "ines@example.org", {"by": "openid"}) in found
    assert provider.redeemed[0]["redirect_uri"] == "http://testserver/sign-in/openid/callback"


def test_the_session_cookie_stays_strict_and_the_flow_cookie_comes_back(
    kb: Application, browser: Browser, provider: Provider
) -> None:
    there = browser.get("/sign-in/openid")
    assert "SameSite=lax" in there.headers["set-cookie"]
    assert "HttpOnly" in there.headers["set-cookie"]
    cookies = come_back(browser, leave(browser)).headers.get_list("set-cookie")
    kept = next(cookie for cookie in cookies if cookie.startswith("kb_session="))
    assert "SameSite=strict" in kept and "HttpOnly" in kept


def test_the_second_time_is_the_same_person_with_what_holds_then(
    kb: Application, browser: Browser, provider: Provider
) -> None:
    come_back(browser, leave(browser))
    provider.person["groups"] = ["kb-admins"]
    come_back(browser, leave(browser))
    with kb.database.read() as connection:
        row = connection.execute(select(people)).one()
    assert (row.role, row.owner) == ("admin", None)


@pytest.mark.parametrize(
    ("what", "bend"),
    [
        ("another sign-in's nonce", {"nonce": "somebody-elses"}),
        ("no nonce", {"nonce": None}),
        ("another client's token", {"aud": "another-client"}),
        ("several audiences without party", {"aud": [CLIENT_ID, "another-client"]}),
        ("another authorized party", {"azp": "another-client"}),
        ("no audience", {"aud": None}),
        ("another issuer", {"iss": "https://login.evil.example"}),
        ("no issuer", {"iss": None}),
        ("expired", {"exp": int(time.time()) - 3600, "iat": int(time.time()) - 7200}),
        ("without end", {"exp": None}),
        ("not yet valid", {"nbf": int(time.time()) + 7200}),
        ("nobody", {"sub": None}),
        ("an empty subject", {"sub": ""}),
        ("another token's access token", {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}),
        ("an unverified address", {"email_verified": False}),
        ("verified as a string", {"email_verified": "true"}),
        ("no address", {"email": None}),
        ("another domain", {"email": "ines@evil.example"}),
        ("a domain that ends alike", {"email": "ines@evilexample.org"}),
        ("two addresses in one", {"email": "a@evil.example,x@example.org"}),
        ("no group of ours", {"groups": ["staff"]}),
        ("groups as one word", {"groups": "staff kb-owners"}),
    ],
)
def test_a_token_that_does_not_hold_lets_nobody_in(
    kb: Application, browser: Browser, provider: Provider, what: str, bend: dict[str, Any]
) -> None:
    provider.bend = bend
    refuse(kb, browser)


@pytest.mark.parametrize(
    "signing",
    ["none", "client secret", "public key as secret", "another key", "key in the header",
     "changed after"],
)  # fmt: skip
def test_a_signature_that_is_not_the_providers_lets_nobody_in(
    kb: Application, browser: Browser, provider: Provider, signing: str
) -> None:
    provider.signing = signing
    refuse(kb, browser)


def test_a_state_counts_once(kb: Application, browser: Browser, provider: Provider) -> None:
    """Even where the provider would redeem the code again and the browser has its cookie back."""
    provider.keeps_codes = True
    address = leave(browser)
    bound = browser.client.cookies["kb_openid"]
    assert come_back(browser, address).status_code == 200
    browser.client.cookies.clear()
    browser.client.cookies.set("kb_openid", bound)
    assert come_back(browser, address).status_code == 401
    assert not is_in(browser)


def test_a_state_is_used_up_by_a_refusal(
    kb: Application, browser: Browser, provider: Provider
) -> None:
    provider.keeps_codes = True
    address = leave(browser)
    provider.bend = {"nonce": "wrong"}
    refuse(kb, browser, address)
    provider.bend = {}
    refuse(kb, browser, address)


def test_another_browser_cannot_finish_what_this_one_began(
    kb: Application, browser: Browser, open_browser: Open, provider: Provider
) -> None:
    """Login forgery: the attacker's own way back, followed by the victim."""
    address, victim = leave(browser), open_browser()
    refuse(kb, victim, address)
    leave(victim)
    refuse(kb, victim, address)


@pytest.mark.parametrize("state", ["", "made-up", "é", "x" * 3000])
def test_a_made_up_state_is_refused(
    kb: Application, browser: Browser, provider: Provider, state: str
) -> None:
    said = dict(parse_qsl(urlsplit(leave(browser)).query)) | {"state": state}
    refuse(kb, browser, f"/sign-in/openid/callback?{urlencode(said)}")


def test_a_state_grows_too_old(kb: Application, browser: Browser, provider: Provider) -> None:
    address = leave(browser)
    with kb.database.write() as connection:
        connection.execute(update(openid_flows).values(expires_at=kb.clock.now()))
    refuse(kb, browser, address)


def test_anothers_code_does_not_fit_this_flow(
    kb: Application, browser: Browser, open_browser: Open, provider: Provider
) -> None:
    """Code injection: PKCE and the nonce bind a code to the flow it was made for."""
    stolen = dict(parse_qsl(urlsplit(leave(open_browser())).query))["code"]
    said = dict(parse_qsl(urlsplit(leave(browser)).query)) | {"code": stolen}
    refuse(kb, browser, f"/sign-in/openid/callback?{urlencode(said)}")


def test_an_answer_of_another_provider_is_refused(
    kb: Application, browser: Browser, provider: Provider
) -> None:
    said = dict(parse_qsl(urlsplit(leave(browser)).query)) | {"iss": "https://evil.example"}
    refuse(kb, browser, f"/sign-in/openid/callback?{urlencode(said)}")


def test_what_the_provider_says_went_wrong_is_not_shown(
    kb: Application, browser: Browser, provider: Provider
) -> None:
    said = dict(parse_qsl(urlsplit(leave(browser)).query))
    asked = {"state": said["state"], "error": "<script>alert(1)</script>"}
    answer = come_back(browser, f"/sign-in/openid/callback?{urlencode(asked)}")
    assert answer.status_code == 401 and "alert(1)" not in answer.text


@pytest.mark.parametrize(
    "wanted",
    ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)",
     "/sign-out", '0;url=https://evil.example"><script>', "/x\r\nSet-Cookie: a=b"],
)  # fmt: skip
def test_the_way_back_leads_to_this_site_only(
    kb: Application, browser: Browser, provider: Provider, wanted: str
) -> None:
    answer = come_back(browser, leave(browser, wanted))
    assert answer.status_code == 200
    assert 'content="0;url=/review"' in answer.text and "evil" not in answer.text


def test_a_disabled_person_stays_out(kb: Application, browser: Browser, provider: Provider) -> None:
    come_back(browser, leave(browser))
    with kb.database.write() as connection:
        disable_person(connection, "ines@example.org", now=kb.clock.now(), actor="t")
    assert not is_in(browser)
    assert come_back(browser, leave(browser)).status_code == 401
    assert not is_in(browser)


def test_signing_in_replaces_the_session_id(
    kb: Application, browser: Browser, provider: Provider
) -> None:
    come_back(browser, leave(browser))
    first = browser.client.cookies["kb_session"]
    address = leave(browser)
    browser.client.get(address)
    assert browser.client.cookies["kb_session"] != first
    with kb.database.read() as connection:
        assert len(connection.execute(select(sessions)).all()) == 1


def test_the_provider_may_change_its_keys(
    kb: Application, browser: Browser, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert come_back(browser, leave(browser)).status_code == 200
    provider.key = ECKey.generate_key("P-256", {"kid": "k2", "use": "sig"})
    assert come_back(browser, leave(browser)).status_code == 401
    monkeypatch.setattr(openid, "KEYS_LEAST_SECONDS", 0.0)
    assert come_back(browser, leave(browser)).status_code == 200
    provider.key = RSAKey.generate_key(2048, {"kid": "k2", "use": "sig"})
    assert come_back(browser, leave(browser)).status_code == 200


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://login.evil.example"},
        {"token_endpoint": "http://evil.example/token"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": None},
    ],
)
def test_a_provider_that_describes_itself_wrongly_is_not_used(
    kb: Application, browser: Browser, provider: Provider, metadata: dict[str, Any]
) -> None:
    provider.metadata = metadata
    assert browser.get("/sign-in/openid").status_code == 503


def test_a_provider_that_is_away_leaves_the_other_ways_in(
    kb: Application, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CLIENT_SECRET_VARIABLE, CLIENT_SECRET)
    with serve_provider() as served:
        settle(kb, served.issuer)
    answer = browser.get("/sign-in/openid")
    assert answer.status_code == 503 and "/sign-in" in answer.text
    assert browser.get("/sign-in").status_code == 200


def test_a_missing_secret_is_no_way_in(
    kb: Application, browser: Browser, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(CLIENT_SECRET_VARIABLE)
    assert browser.get("/sign-in/openid").status_code == 503


def test_without_a_provider_there_is_no_such_way(kb: Application, browser: Browser) -> None:
    assert "/sign-in/openid" not in browser.get("/sign-in").text
    assert browser.get("/sign-in/openid").status_code == 400
    assert browser.get("/sign-in/openid/callback").status_code == 400


def test_starting_over_and_over_is_held(
    kb: Application, browser: Browser, provider: Provider
) -> None:
    answers = [browser.get("/sign-in/openid").status_code for _ in range(sign_in_openid.STARTS + 1)]
    assert answers[-1] == 429 and set(answers[:-1]) == {303}


def test_the_address_that_a_proxy_serves_is_the_one_to_come_back_to(
    kb: Application, browser: Browser, provider: Provider
) -> None:
    settle(kb, provider.issuer, public_url="https://kb.example.org")
    there = browser.get("/sign-in/openid")
    asked = parse_qs(urlsplit(there.headers["location"]).query)
    assert asked["redirect_uri"] == ["https://kb.example.org/sign-in/openid/callback"]
    assert there.headers["set-cookie"].startswith("__Host-kb_openid=")


def test_the_first_grant_that_fits_counts() -> None:
    said = SignInSettings(
        openid_issuer="https://login.example", client_id="c",
        grants=(GrantSettings(value="eda@example.org", role="admin"),
                GrantSettings(claim="groups", value="kb", role="editor")),
    )  # fmt: skip
    claims = {"sub": "S 1/é", "email": "Eda@example.org", "email_verified": True, "groups": ["kb"]}
    assert vouch(claims, said).role is Role.ADMIN
    known = vouch(claims | {"email_verified": False}, said)
    assert (known.role, known.name) == (Role.EDITOR, "s-1--@login.example")
    with pytest.raises(UnauthenticatedError):
        vouch(claims | {"groups": None, "email": "x@example.org"}, said)
