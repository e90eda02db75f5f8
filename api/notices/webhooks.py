"""Webhooks: what chats understand, and a signed one for programs; both by the guarded client."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from api.notices.port import DeliveryError, Outgoing
from ingest.addresses import UnsafeAddressError
from ingest.answers import FetchLimits, read_retry_after
from ingest.fetching import fetch_alone
from kb.clock import format_instant
from kb.errors import UnavailableError

LIMITS = FetchLimits(hops=0, attempts=1, body_bytes=64_000, per_host_seconds=0.0)
"""No redirects, for nobody but the one named should read it; the outbox tries again by itself."""
_SHOUTS = re.compile(r"@(?=(?:channel|here|everyone|all)\b)", re.IGNORECASE)


class Webhook:
    """A POST of JSON to one URL."""

    def __init__(
        self,
        name: str,
        url: str,
        *,
        secret: str | None,
        allowed: Collection[str] = (),
        limits: FetchLimits = LIMITS,
    ) -> None:
        """Take where it goes.

        Args:
            name: Of the channel.
            url: Absolute.
            secret: What it is signed with; None for a chat, which checks nothing.
            allowed: "host" or "host:port" that may be inside.
            limits: What a request may cost.
        """
        self._name = name
        self._url = url
        self._secret = secret
        self._allowed = allowed
        self._limits = replace(limits, hops=0, attempts=1)

    @property
    def name(self) -> str:
        return self._name

    def deliver(self, message: Outgoing) -> None:
        said = compose_chat(message) if self._secret is None else compose_event(message)
        body = json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()
        headers = {"Content-Type": "application/json", "Idempotency-Key": message.notice_id}
        if self._secret is not None:
            headers |= sign(self._secret, message.notice_id, int(message.sent_at.timestamp()), body)
        try:
            answer = fetch_alone(
                self._url, method="POST", content=body, headers=headers,
                allowed=self._allowed, limits=self._limits,
            )  # fmt: skip
        except (UnavailableError, UnsafeAddressError) as error:
            raise DeliveryError(f"{self._name}: {error.message}") from error
        if not 200 <= answer.status_code < 300:
            wait = read_retry_after(answer.headers.get("retry-after")) or 0.0
            raise DeliveryError(
                f"{self._name}: status {answer.status_code}",
                wait=timedelta(seconds=min(wait, 86_400.0)),
            )


def compose_chat(message: Outgoing) -> dict[str, Any]:
    """As Slack, Mattermost and Rocket.Chat take it.

    What the text quotes cannot become a link, a mention or a formatting of the chat's own.
    """
    text = f"{message.subject}\n\n{message.text}".strip()
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return {"text": _SHOUTS.sub("@\u200b", text), "unfurl_links": False, "unfurl_media": False}


def compose_event(message: Outgoing) -> dict[str, Any]:
    """What programs get."""
    return {
        "id": message.notice_id,
        "type": f"kb.{message.kind}",
        "timestamp": format_instant(message.created_at),
        "data": {
            "recipient": message.recipient,
            "subject": message.subject,
            "text": message.text,
            **message.payload,
        },
    }


def sign(secret: str, message_id: str, timestamp: int, body: bytes) -> Mapping[str, str]:
    """Headers of the Standard Webhooks specification 1.0: HMAC-SHA256 over id, time and body.

    Args:
        secret: Any text, or "whsec_" and base64 as the specification writes it.
        message_id: The same at every attempt.
        timestamp: Seconds since 1970; receivers refuse what is minutes old.
        body: As sent.
    """
    key = secret.encode()
    if secret.startswith("whsec_"):
        key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{message_id}.{timestamp}.".encode() + body
    digest = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{digest}",
    }
