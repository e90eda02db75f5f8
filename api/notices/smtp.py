"""E-mail, through a mail server of the team's own."""

from __future__ import annotations

import smtplib
import ssl
from dataclasses import dataclass
from email.errors import MessageError
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from api.notices.port import DeliveryError, Outgoing

TIMEOUT_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail is handed in."""

    host: str
    port: int
    sender: str
    security: str
    """"starttls", "tls" or "none"."""
    user: str | None = None
    password: str | None = None


class SmtpChannel:
    """Mail to one address."""

    def __init__(self, server: MailServer, address: str) -> None:
        self._server = server
        self._address = address

    @property
    def name(self) -> str:
        return "email"

    def deliver(self, message: Outgoing) -> None:
        """Hand the mail in; with the same Message-ID at every attempt."""
        try:
            mail = compose_mail(message, sender=self._server.sender, address=self._address)
            with self._connect() as connection:
                connection.send_message(mail)
        except (OSError, smtplib.SMTPException, MessageError, ValueError) as error:
            raise DeliveryError(f"mail: {type(error).__name__}: {error}") from error

    def _connect(self) -> smtplib.SMTP:
        server = self._server
        if server.user and server.security == "none":
            raise DeliveryError("mail: a password is not sent without TLS; set smtp_security")
        if server.security == "tls":
            context = ssl.create_default_context()
            connection: smtplib.SMTP = smtplib.SMTP_SSL(
                server.host, server.port, timeout=TIMEOUT_SECONDS, context=context
            )
        else:
            connection = smtplib.SMTP(server.host, server.port, timeout=TIMEOUT_SECONDS)
        try:
            if server.security == "starttls":
                connection.starttls(context=ssl.create_default_context())
            if server.user:
                connection.login(server.user, server.password or "")
        except BaseException:
            connection.close()
            raise
        return connection


def compose_mail(message: Outgoing, *, sender: str, address: str) -> EmailMessage:
    """A plain-text mail.

    Raises:
        ValueError: A header would hold a line break.
    """
    mail = EmailMessage(policy=SMTP)
    mail["From"] = sender
    mail["To"] = address
    mail["Subject"] = message.subject
    mail["Date"] = format_datetime(message.sent_at)
    domain = sender.rpartition("@")[2].strip(" >") or "localhost"
    mail["Message-ID"] = f"<{message.notice_id}@{domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Kbops-Kind"] = message.kind
    mail.set_content(message.text, charset="utf-8")
    return mail
