"""OpenID Connect: authorization code with PKCE; the only file that knows Authlib and joserfc.

What is checked follows OpenID Connect Core 1.0, 3.1.3.7, and RFC 9700: issuer, audience,
authorized party, expiry, nonce, and a signature by one of the provider's present keys with an
asymmetric algorithm. A token that says "none", or signs with the client's secret, is refused
because its algorithm is not among those.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

from authlib.common.errors import AuthlibBaseError
from authlib.integrations.httpx_client import OAuth2Client
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from api.settings.edge import LOOPBACK, SignInSettings
from kb.errors import InvalidInputError, UnauthenticatedError, UnavailableError
from kb.types import Role

try:  # What Authlib speaks through; it falls back the same way.
    import httpx2 as http
except ImportError:  # pragma: no cover
    import httpx as http  # type: ignore[no-redef]

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA")
SCOPE = "openid email profile"
TIMEOUT_SECONDS = 10.0
LEEWAY_SECONDS = 60
METADATA_LIFE_SECONDS = 3600.0
KEYS_LEAST_SECONDS = 30.0
"""An unknown key id asks for the keys again, so often at most: anybody can name one."""
_ADDRESS = re.compile(r"[^\s@<>\"'\\]{1,50}@[a-z0-9.-]{1,60}")


@dataclass(frozen=True, slots=True)
class Vouched:
    """Whom a provider vouches for, and as what they come in."""

    subject: str
    name: str
    role: Role
    owner: str | None


class OpenIdProvider:
    """One provider, found by its issuer; its metadata and keys are kept for an hour."""

    def __init__(self, issuer: str, client_id: str, secret: str) -> None:
        self.issuer = issuer
        self._client_id = client_id
        self._secret = secret
        self._lock = Lock()
        self._metadata: dict[str, Any] | None = None
        self._keys: KeySet | None = None
        self._read_at = 0.0
        self._keys_at = 0.0

    def authorization_address(
        self, *, redirect_uri: str, state: str, nonce: str, code_verifier: str
    ) -> str:
        """Where the browser goes to sign in.

        Raises:
            UnavailableError: The provider does not say who it is.
        """
        metadata = self._read_metadata()
        with self._client(redirect_uri) as client:
            address, _ = client.create_authorization_url(
                metadata["authorization_endpoint"],
                state=state,
                nonce=nonce,
                code_verifier=code_verifier,
            )
        return str(address)

    def redeem(
        self, code: str, *, redirect_uri: str, nonce: str, code_verifier: str
    ) -> dict[str, Any]:
        """Exchange a code for the claims of an ID token that holds.

        Raises:
            UnauthenticatedError: The provider refused the code, or its token does not hold.
            UnavailableError: The provider cannot be reached.
        """
        metadata = self._read_metadata()
        try:
            with self._client(redirect_uri) as client:
                token = client.fetch_token(
                    metadata["token_endpoint"],
                    grant_type="authorization_code",
                    code=code,
                    redirect_uri=redirect_uri,
                    code_verifier=code_verifier,
                )
        except http.HTTPError as error:
            raise UnavailableError(f"the OpenID provider does not answer: {error}") from error
        except (AuthlibBaseError, ValueError) as error:
            raise UnauthenticatedError(f"the OpenID provider refused the code: {error}") from error
        return self._check_token(token, nonce)

    def _check_token(self, token: Mapping[str, Any], nonce: str) -> dict[str, Any]:
        raw = token.get("id_token")
        if not isinstance(raw, str):
            raise UnauthenticatedError("the OpenID provider sent no ID token")
        try:
            decoded = self._decode(raw)
            claims = CodeIDToken(
                decoded.claims,
                decoded.header,
                options={
                    "iss": {"essential": True, "value": self.issuer},
                    "aud": {"essential": True, "value": self._client_id},
                    "nonce": {"essential": True, "value": nonce},
                },
                params={
                    "nonce": nonce,
                    "client_id": self._client_id,
                    "access_token": token.get("access_token"),
                },
            )
            claims.validate(now=int(time.time()), leeway=LEEWAY_SECONDS)
        except (JoseError, AuthlibBaseError, ValueError, TypeError, KeyError) as error:
            raise UnauthenticatedError(f"the ID token does not hold: {error}") from error
        if not isinstance(claims.get("sub"), str) or not claims["sub"]:
            raise UnauthenticatedError("the ID token names nobody")
        return dict(claims)

    def _decode(self, raw: str) -> jwt.Token:
        keys = self._read_keys()
        try:
            return jwt.decode(raw, keys, algorithms=list(ALGORITHMS))
        except (JoseError, ValueError):
            # The provider may have changed its keys since they were read.
            fresh = self._read_keys(anew=True)
            if fresh is keys:
                raise
            return jwt.decode(raw, fresh, algorithms=list(ALGORITHMS))

    def _read_metadata(self) -> dict[str, Any]:
        with self._lock:
            now = time.monotonic()
            if self._metadata is None or now - self._read_at > METADATA_LIFE_SECONDS:
                found = self._get(f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
                # Else one provider could speak for another (RFC 8414, 3.3).
                if found.get("issuer") != self.issuer:
                    raise UnavailableError(
                        f"the OpenID provider calls itself {found.get('issuer')!r:.200}",
                        retryable=False,
                    )
                for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
                    _check_endpoint(name, found.get(name))
                self._metadata, self._read_at = found, now
            return self._metadata

    def _read_keys(self, *, anew: bool = False) -> KeySet:
        address = self._read_metadata()["jwks_uri"]
        with self._lock:
            age = time.monotonic() - self._keys_at
            old = age > METADATA_LIFE_SECONDS or (anew and age > KEYS_LEAST_SECONDS)
            if self._keys is None or old:
                try:
                    self._keys = KeySet.import_key_set(self._get(address))  # type: ignore[arg-type]
                except (JoseError, ValueError, KeyError, TypeError) as error:
                    raise UnavailableError(f"the OpenID provider's keys: {error}") from error
                self._keys_at = time.monotonic()
            return self._keys

    def _get(self, address: str) -> dict[str, Any]:
        try:
            with self._client("") as client:
                answer = client.request("GET", address, withhold_token=True)
                answer.raise_for_status()
                found = answer.json()
        except (http.HTTPError, ValueError) as error:
            raise UnavailableError(f"the OpenID provider does not answer: {error}") from error
        if not isinstance(found, dict):
            raise UnavailableError("the OpenID provider answers with something else")
        return found

    def _client(self, redirect_uri: str) -> Any:
        return OAuth2Client(
            client_id=self._client_id,
            client_secret=self._secret,
            scope=SCOPE,
            redirect_uri=redirect_uri,
            code_challenge_method="S256",
            timeout=TIMEOUT_SECONDS,
            follow_redirects=False,
        )


def vouch(claims: Mapping[str, Any], settings: SignInSettings) -> Vouched:
    """Whom checked claims let in, and as what; pure.

    An e-mail address counts only where the provider calls it verified.

    Raises:
        UnauthenticatedError: Nobody with these claims may come in.
    """
    subject = str(claims["sub"])
    address = str(claims.get("email") or "").casefold()
    verified = claims.get("email_verified") is True and bool(_ADDRESS.fullmatch(address))
    if settings.allowed_domains and (
        not verified or address.rpartition("@")[2] not in settings.allowed_domains
    ):
        raise UnauthenticatedError("no verified e-mail address of an allowed domain")
    for grant in settings.grants:
        if grant.claim == "email":
            fits = verified and address == grant.value.casefold()
        else:
            said = claims.get(grant.claim)
            fits = grant.value in said if isinstance(said, list) else said == grant.value
        if fits:
            name = address if verified and len(address) <= 80 else _plain_name(subject, settings)
            return Vouched(subject, name, Role(grant.role), grant.owner)
    raise UnauthenticatedError("nothing in [[sign_in.grants]] fits this person")


def _plain_name(subject: str, settings: SignInSettings) -> str:
    """A name with an @, so that it is nobody's who was added by hand."""
    host = urlsplit(settings.openid_issuer or "").hostname or "openid"
    plain = re.sub(r"[^a-z0-9._-]", "-", subject.casefold())[:40]
    return f"{plain}@{host}"[:80]


def _check_endpoint(name: str, address: object) -> None:
    parts = urlsplit(address) if isinstance(address, str) else urlsplit("")
    local = parts.scheme == "http" and parts.hostname in LOOPBACK
    if not (parts.scheme == "https" or local) or not parts.hostname:
        raise UnavailableError(f"the OpenID provider's {name} is not https", retryable=False)


def require_whole(settings: SignInSettings) -> tuple[str, str]:
    """Issuer and client id.

    Raises:
        InvalidInputError: kb.toml names no provider.
    """
    if settings.openid_issuer is None or settings.client_id is None:
        raise InvalidInputError("no OpenID provider is set up here")
    return settings.openid_issuer, settings.client_id
