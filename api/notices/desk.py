"""Notices, wired: what is written when, and the ways each owner is reached."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from api.notices.port import Channel
from api.notices.relay import send_due
from api.notices.smtp import MailServer, SmtpChannel
from api.notices.webhooks import Webhook
from api.settings.edge import WebhookSettings
from api.settings.environment import read_secret
from api.settings.knowledge import OwnerSettings
from gaps import repository
from gaps.operating import notice_facts as facts_rows
from gaps.operating.digest import (
    LISTED,
    Overdue,
    OwnerFacts,
    compose_approval_notice,
    compose_digest,
    compose_draft_notice,
    compose_reminder,
)
from gaps.types import Draft
from kb import outbox
from kb.clock import format_instant

if TYPE_CHECKING:
    from api.wiring import Application

NEW_GAPS = timedelta(days=7)


class Notices:
    """What people are told, and the sending of it."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._settings = application.settings.notices
        self._owners = {owner.name: owner for owner in application.settings.owners}

    def announce_draft(self, connection: Connection, draft: Draft) -> None:
        """A draft waits for its owner; written with the draft."""
        if draft.refused is not None:
            return
        tickets = len(repository.read_gap(connection, draft.gap_id).ticket_ids)
        changes = draft.base_version is not None
        message = compose_draft_notice(draft.title, changes_article=changes, ticket_count=tickets)
        outbox.write_notice(
            connection, kind=facts_rows.DRAFT, recipient=draft.owner, subject=message.subject,
            body=message.body, dedupe_key=f"draft:{draft.draft_id}",
            payload={"draft_id": draft.draft_id, "path": f"/review/{draft.draft_id}"},
            now=self._application.clock.now(),
        )  # fmt: skip

    def ask_second(self, connection: Connection, draft: Draft, approved_by: str) -> None:
        """A draft was approved and needs another person; written with the approval."""
        asked = self._find_second(draft.owner, approved_by)
        if asked is None:
            return
        message = compose_approval_notice(draft.title, approved_by=approved_by)
        outbox.write_notice(
            connection, kind=facts_rows.APPROVAL, recipient=asked, subject=message.subject,
            body=message.body, dedupe_key=f"approval:{draft.draft_id}:{draft.draft_hash}",
            payload={"draft_id": draft.draft_id, "path": f"/review/{draft.draft_id}"},
            now=self._application.clock.now(),
        )  # fmt: skip

    def _find_second(self, owner: str, approved_by: str) -> str | None:
        """The owner where somebody else approved; else who stands in for them."""
        stands_in = self._owners[owner].fallback if owner in self._owners else None
        asked = (owner, stands_in, self._application.settings.gaps.default_owner)
        return next((name for name in asked if name and name != approved_by), None)

    def write_digests(self, period: str) -> dict[str, Any]:
        """One letter to every owner with something to do, once a period."""
        now = self._application.clock.now()
        with self._application.database.write() as connection:
            found = facts_rows.read_owner_facts(connection, now=now, gaps_since=now - NEW_GAPS)
            written = [
                facts.owner
                for facts in found.values()
                if self._write_digest(connection, facts, period, now)
            ]
        return {"period": period, "written": written}

    def _write_digest(
        self, connection: Connection, facts: OwnerFacts, period: str, now: datetime
    ) -> bool:
        message = compose_digest(facts, period=period, now=now, base_url=self._settings.base_url)
        return outbox.write_notice(
            connection, kind=facts_rows.DIGEST, recipient=facts.owner, subject=message.subject,
            body=message.body, dedupe_key=f"digest:{period}:{facts.owner}",
            payload={"period": period, **facts_rows.describe_facts(facts, LISTED)}, now=now,
        )  # fmt: skip

    def write_reminders(self) -> dict[str, Any]:
        """Tell owners what is late, and their fallback owners what is later still, each once."""
        now = self._application.clock.now()
        reminded: list[str] = []
        escalated: list[str] = []
        with self._application.database.write() as connection:
            found = facts_rows.read_owner_facts(connection, now=now, gaps_since=now)
            for owner, facts in found.items():
                undone = facts_rows.read_undone(connection, facts)
                if self._remind(connection, owner, owner, undone, now):
                    reminded.append(owner)
                fallback = self._owners[owner].fallback if owner in self._owners else None
                if fallback and self._remind(connection, fallback, owner, undone, now):
                    escalated.append(fallback)
        return {"reminded": reminded, "escalated": escalated}

    def _remind(
        self,
        connection: Connection,
        recipient: str,
        owner: str,
        undone: Sequence[Overdue],
        now: datetime,
    ) -> bool:
        escalated = recipient != owner
        kind = facts_rows.ESCALATION if escalated else facts_rows.REMINDER
        days = self._settings.escalate_after_days if escalated else self._settings.remind_after_days
        before = facts_rows.read_reminded(connection, kind, recipient)
        overdue = [
            late
            for late in undone
            if now - late.since >= timedelta(days=days) and late.key not in before
        ]
        if not overdue:
            return False
        message = compose_reminder(
            overdue, owner=owner, escalated=escalated, now=now, base_url=self._settings.base_url
        )
        keys = [late.key for late in overdue]
        digest = hashlib.sha256("\n".join(sorted(keys)).encode()).hexdigest()[:32]
        return outbox.write_notice(
            connection, kind=kind, recipient=recipient, subject=message.subject, body=message.body,
            dedupe_key=f"{kind}:{recipient}:{digest}", payload={"owner": owner, "items": keys},
            now=now,
        )  # fmt: skip

    def send(self, *, again: bool = False) -> dict[str, Any]:
        """Send what is due, where any way to send is set up.

        Args:
            again: Whether to try those that were given up once more.
        """
        application = self._application
        if again:
            with application.database.write() as connection:
                outbox.write_again(connection, now=application.clock.now())
        if self._settings.smtp_host is None and not self._settings.webhooks:
            return {"sent": [], "failed": [], "channels": 0}
        report = send_due(
            application.database, application.clock, self.channels_of,
            base_url=self._settings.base_url,
        )  # fmt: skip
        ways = bool(self._settings.smtp_host) + len(self._settings.webhooks)
        return report | {"channels": ways}

    def channels_of(self, owner: str) -> list[Channel]:
        """The ways to reach an owner.

        Raises:
            InvalidInputError: A secret that a channel needs is not in the environment.
        """
        found: list[Channel] = []
        known = self._owners.get(owner, OwnerSettings(name=owner))
        if self._settings.smtp_host is not None and known.email is not None:
            found.append(SmtpChannel(self._mail_server(), known.email))
        for place, webhook in enumerate(self._settings.webhooks):
            if not webhook.owners or owner in webhook.owners:
                found.append(self._open_webhook(webhook, place))
        return found

    def _mail_server(self) -> MailServer:
        settings, environment = self._settings, self._application.environment
        assert settings.smtp_host is not None and settings.smtp_from is not None
        password = environment.smtp_password
        return MailServer(
            settings.smtp_host, settings.smtp_port, settings.smtp_from, settings.smtp_security,
            environment.smtp_user, password.get_secret_value() if password else None,
        )  # fmt: skip

    def _open_webhook(self, webhook: WebhookSettings, place: int) -> Webhook:
        url = webhook.url or read_secret(webhook.url_env or "")
        secret = read_secret("KB_WEBHOOK_SECRET") if webhook.kind == "signed" else None
        return Webhook(
            f"webhook {place + 1}", url, secret=secret, allowed=self._settings.allow_hosts
        )

    def list_notices(self, *, unsent_only: bool = False, limit: int = 100) -> list[dict[str, Any]]:
        """Notices, newest first."""
        with self._application.database.read() as connection:
            found = outbox.read_notices(connection, unsent_only=unsent_only, limit=limit)
        return [
            {
                "id": notice.notice_id,
                "kind": notice.kind,
                "recipient": notice.recipient,
                "subject": notice.subject,
                "status": notice.status,
                "created_at": format_instant(notice.created_at),
                "sent_at": format_instant(notice.sent_at) if notice.sent_at else None,
                "attempts": notice.attempts,
                "last_error": notice.last_error,
            }
            for notice in found
        ]
