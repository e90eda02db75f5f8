"""A real OpenID provider on loopback for the tests: discovery, keys, codes with PKCE, ID tokens.

What it says can be bent, one thing at a time, into the attacks a relying party must withstand.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

CLIENT_ID, CLIENT_SECRET = "kbops-test", "shared-with-the-provider-and-32-bytes"

KEY = RSAKey.generate_key(2048, {"kid": "k1", "use": "sig"})
OTHER_KEY = RSAKey.generate_key(2048, {"kid": "k1"})


class Provider:
    """Signs whoever `person` is in, at once."""

    def __init__(self) -> None:
        self.key: RSAKey | ECKey = KEY
        self.person: dict[str, Any] = {
            "sub": "s-1", "email": "ines@example.org", "email_verified": True,
            "groups": ["staff", "kb-owners"],
        }  # fmt: skip
        self.bend: dict[str, Any] = {}
        """Claims that replace right ones; None takes one away."""
        self.metadata: dict[str, Any] = {}
        self.signing = "right"
        self.codes: dict[str, dict[str, str]] = {}
        self.keeps_codes = False
        """Whether a code may be redeemed again, as a careless provider allows."""
        self.redeemed: list[dict[str, str]] = []
        self.issuer = ""

    def authorize(self, asked: dict[str, str]) -> str:
        """What the person's browser is led to after they signed in here."""
        assert asked["client_id"] == CLIENT_ID and asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        assert "openid" in asked["scope"].split()
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        back = {"code": code, "state": asked["state"], "iss": self.issuer}
        return f"{asked['redirect_uri']}?{urlencode(back)}"

    def redeem(self, said: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        take = self.codes.get if self.keeps_codes else self.codes.pop
        asked = take(said.get("code", ""), None)
        digest = hashlib.sha256(said.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        basic = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        if authorization != f"Basic {basic}":
            return 401, {"error": "invalid_client"}
        if (
            asked is None
            or asked["code_challenge"] != challenge
            or asked["redirect_uri"] != said.get("redirect_uri")
        ):
            return 400, {"error": "invalid_grant"}
        self.redeemed.append(asked)
        return 200, {
            "access_token": "at", "token_type": "Bearer", "expires_in": 60,
            "id_token": self.sign(asked["nonce"]),
        }  # fmt: skip

    def sign(self, nonce: str) -> str:
        now = int(time.time())
        claims = {
            "iss": self.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 300, "nonce": nonce,
        } | self.person | self.bend  # fmt: skip
        claims = {name: value for name, value in claims.items() if value is not None}
        if self.signing == "none":
            parts = ({"alg": "none", "typ": "JWT"}, claims)
            return ".".join(_encode(json.dumps(part).encode()) for part in parts) + "."
        if self.signing == "client secret":
            return jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(CLIENT_SECRET))
        if self.signing == "public key as secret":
            head = _encode(json.dumps({"alg": "HS256", "kid": "k1"}).encode())
            signed = f"{head}.{_encode(json.dumps(claims).encode())}"
            made = hmac.new(self.key.as_pem(private=False), signed.encode(), "sha256").digest()
            return f"{signed}.{_encode(made)}"
        if self.signing == "another key":
            return jwt.encode({"alg": "RS256", "kid": "k1"}, claims, OTHER_KEY)
        if self.signing == "key in the header":
            header = {"alg": "RS256", "jwk": OTHER_KEY.as_dict(private=False)}
            return jwt.encode(header, claims, OTHER_KEY)
        algorithm = "ES256" if isinstance(self.key, ECKey) else "RS256"
        token = jwt.encode({"alg": algorithm, "kid": self.key.kid or ""}, claims, self.key)
        if self.signing == "changed after":
            head, body, tail = token.split(".")
            changed = json.loads(_decode(body)) | {"email": "tom@example.org"}
            return f"{head}.{_encode(json.dumps(changed).encode())}.{tail}"
        return token


@contextmanager
def serve_provider() -> Iterator[Provider]:
    provider = Provider()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            if parts.path == "/.well-known/openid-configuration":
                found = {
                    "issuer": provider.issuer,
                    "authorization_endpoint": f"{provider.issuer}/authorize",
                    "token_endpoint": f"{provider.issuer}/token",
                    "jwks_uri": f"{provider.issuer}/keys",
                }
                self._answer(200, found | provider.metadata)
            elif parts.path == "/keys":
                self._answer(200, {"keys": [provider.key.as_dict(private=False)]})
            elif parts.path == "/authorize":
                asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
                self.send_response(302)
                self.send_header("Location", provider.authorize(asked))
                self.send_header("Content-Length", "0")
                self.end_headers()
            else:
                self._answer(404, {})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            said = {name: values[0] for name, values in parse_qs(body).items()}
            self._answer(*provider.redeem(said, self.headers.get("Authorization", "")))

        def _answer(self, status: int, said: dict[str, Any]) -> None:
            body = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider.issuer = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=10)


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
