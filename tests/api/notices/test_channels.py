"""Mail and webhooks against real servers of this machine."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import ssl
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import AuthResult

from api.notices.port import DeliveryError, Outgoing
from api.notices.smtp import MailServer, SmtpChannel, compose_mail
from api.notices.webhooks import Webhook, compose_chat, sign
from tests.api.notices.servers import Receiver, serve_http, serve_mail
from tests.ingest.certificates import make_certificate

NOW = datetime(2026, 11, 23, 6, tzinfo=UTC)
SECRET = "s3cret-of-the-team"
MESSAGE = Outgoing(
    "note_1", "digest", "ana", "Week 48: 1 draft", "Ein Entwurf wartet: Rückgabe ✓\n",
    {"period": "2026-W48"}, NOW, NOW,
)  # fmt: skip


def open_webhook(receiver: Receiver, secret: str | None = SECRET) -> Webhook:
    here = f"127.0.0.1:{receiver.port}"
    return Webhook("webhook 1", f"http://{here}/hook", secret=secret, allowed=[here])


def test_a_mail_arrives_whole_and_with_the_same_id_each_time() -> None:
    with serve_mail() as (mailbox, port):
        server = MailServer("127.0.0.1", port, "Knowledge base <kb@example.com>", "none")
        for _ in range(2):
            SmtpChannel(server, "ana@example.com").deliver(MESSAGE)
    first, second = (
        message_from_bytes(e.content or b"", policy=default) for e in mailbox.envelopes
    )  # type: ignore[arg-type]
    assert mailbox.envelopes[0].rcpt_tos == ["ana@example.com"]
    assert (first["Subject"], first["To"]) == ("Week 48: 1 draft", "ana@example.com")
    assert first.get_content().replace("\r\n", "\n") == MESSAGE.text
    assert first.get_content_type() == "text/plain"
    assert first["Message-ID"] == second["Message-ID"] == "<note_1@example.com>"
    assert first["Auto-Submitted"] == "auto-generated"


@pytest.mark.parametrize("field", ["subject", "kind"])
def test_a_line_break_never_reaches_a_header(field: str) -> None:
    said: Any = {field: "x\r\nBcc: all@example.com"}
    with pytest.raises(ValueError):
        compose_mail(replace(MESSAGE, **said), sender="kb@example.com", address="ana@example.com")
    server = MailServer("127.0.0.1", 9, "kb@example.com", "none")
    with pytest.raises(DeliveryError):
        SmtpChannel(server, "ana@example.com\nBcc: b@example.com").deliver(MESSAGE)


def test_mail_that_is_refused_or_has_nobody_to_go_to_fails_with_one_line() -> None:
    with serve_mail() as (mailbox, port):
        mailbox.answers = ["451 later please"]
        channel = SmtpChannel(
            MailServer("127.0.0.1", port, "kb@example.com", "none"), "a@b.example"
        )
        with pytest.raises(DeliveryError, match="451"):
            channel.deliver(MESSAGE)
        channel.deliver(MESSAGE)
        assert len(mailbox.envelopes) == 1
    with pytest.raises(DeliveryError):
        channel.deliver(MESSAGE)


def test_a_password_is_not_sent_in_the_clear() -> None:
    seen: list[Any] = []

    def authenticate(*said: Any) -> AuthResult:
        seen.append(said)
        return AuthResult(success=True)

    with serve_mail(authenticator=authenticate, auth_require_tls=False) as (mailbox, port):
        for security in ("none", "starttls", "tls"):
            server = MailServer("127.0.0.1", port, "kb@example.com", security, "kb", "word")
            with pytest.raises(DeliveryError):
                SmtpChannel(server, "ana@example.com").deliver(MESSAGE)
    assert seen == [] and mailbox.envelopes == []


def test_mail_goes_through_starttls_with_a_login_and_only_to_who_proves_their_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls, trusted = make_certificate(tmp_path, "127.0.0.1")
    logins: list[tuple[bytes, bytes]] = []

    def authenticate(*said: Any) -> AuthResult:
        logins.append((said[-1].login, said[-1].password))
        return AuthResult(success=True)

    said = {"authenticator": authenticate, "auth_required": True, "require_starttls": True}
    with serve_mail(tls_context=tls, **said) as (mailbox, port):
        server = MailServer("127.0.0.1", port, "kb@example.com", "starttls", "kb", "word")
        with pytest.raises(DeliveryError, match="certificate"):
            SmtpChannel(server, "ana@example.com").deliver(MESSAGE)
        assert logins == [] and mailbox.envelopes == []
        monkeypatch.setattr(
            "api.notices.smtp.ssl.create_default_context",
            partial(ssl.create_default_context, cafile=trusted),
        )
        SmtpChannel(server, "ana@example.com").deliver(MESSAGE)
    assert logins == [(b"kb", b"word")] and len(mailbox.envelopes) == 1


def test_a_signed_webhook_is_verified_by_whoever_has_the_secret() -> None:
    with serve_http() as receiver:
        open_webhook(receiver).deliver(MESSAGE)
    headers, body = receiver.posts[0]
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    digest = hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()
    assert headers["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"
    assert headers["idempotency-key"] == headers["webhook-id"] == "note_1"
    assert int(headers["webhook-timestamp"]) == int(NOW.timestamp())
    said = json.loads(body)
    assert (said["type"], said["data"]["text"]) == ("kb.digest", MESSAGE.text)
    assert said["data"]["period"] == "2026-W48"


def test_the_signature_is_that_of_the_specification() -> None:
    # The example of the Standard Webhooks specification's reference libraries.
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    headers = sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_chat_gets_text_and_no_signature() -> None:
    with serve_http() as receiver:
        open_webhook(receiver, secret=None).deliver(MESSAGE)
    headers, body = receiver.posts[0]
    assert json.loads(body)["text"] == f"{MESSAGE.subject}\n\n{MESSAGE.text}".strip()
    assert "webhook-signature" not in headers


def test_quoted_text_cannot_call_everybody_or_make_a_link_in_a_chat() -> None:
    hostile = "<!channel> <https://evil.example|your bank> @here @ALL & @ana"
    text = compose_chat(replace(MESSAGE, text=hostile))["text"]
    assert "<" not in text and ">" not in text
    assert "@here" not in text and "@ALL" not in text and "@ana" in text


@pytest.mark.parametrize("status", [302, 307, 400, 401, 404, 410, 429, 500, 503])
def test_whatever_is_no_success_fails_and_is_sent_nowhere_else(status: int) -> None:
    with serve_http() as receiver:
        location = f"http://127.0.0.1:{receiver.port}/other"
        receiver.answers = [(status, {"Location": location, "Retry-After": "120"})]
        with pytest.raises(DeliveryError, match=str(status)) as failure:
            open_webhook(receiver).deliver(MESSAGE)
        assert len(receiver.posts) == 1
    assert failure.value.wait == timedelta(seconds=120)


def test_a_webhook_inside_is_reached_only_where_the_team_named_it() -> None:
    with serve_http() as receiver:
        url = f"http://127.0.0.1:{receiver.port}/hook"
        for allowed in ((), ("127.0.0.1",), (f"localhost:{receiver.port}",)):
            with pytest.raises(DeliveryError):
                Webhook("w", url, secret=SECRET, allowed=allowed).deliver(MESSAGE)
        assert receiver.posts == []
