"""Sends what waits in the outbox, at least once, each channel by itself."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from api.notices.port import Channel, DeliveryError, Outgoing
from kb import outbox
from kb.database import Database
from kb.outbox import Notice
from kb.ports import Clock

log = logging.getLogger("kb.notices")
MOST_AT_ONCE = 500
"""Of one run: the next minute's goes on."""
Channels = Callable[[str], Sequence[Channel]]
"""The ways to reach an owner, by name."""


def send_due(
    database: Database, clock: Clock, channels: Channels, *, base_url: str | None = None
) -> dict[str, Any]:
    """Send every notice that is due.

    Args:
        database: Where the outbox is.
        clock: For due dates and signatures.
        channels: Of an owner.
        base_url: Of the service's pages, for the link below a notice that has one.

    Returns:
        What `kb notices send --json` prints.
    """
    sent: list[str] = []
    failed: list[dict[str, Any]] = []
    for _ in range(MOST_AT_ONCE):
        with database.write() as connection:
            notice = outbox.claim_notice(connection, now=clock.now())
        if notice is None:
            break
        error = _send(database, clock, channels(notice.recipient), notice, base_url)
        if error is None:
            sent.append(notice.notice_id)
        else:
            failed.append({"id": notice.notice_id, "error": error})
    return {"sent": sent, "failed": failed}


def _send(
    database: Database,
    clock: Clock,
    ways: Sequence[Channel],
    notice: Notice,
    base_url: str | None,
) -> str | None:
    """Hand a claimed notice to every channel that has not taken it; returns why not."""
    now = clock.now()
    if now - notice.created_at > outbox.EXPIRES and notice.attempts == 1:
        return _fail(database, clock, notice, [DeliveryError("too old to be news")], for_good=True)
    if not ways:
        nowhere = DeliveryError(f"no way to reach {notice.recipient}")
        return _fail(database, clock, notice, [nowhere])
    delivered = set(notice.payload.get("delivered", ()))
    message = _to_message(notice, base_url, clock)
    errors = []
    for channel in ways:
        if channel.name in delivered:
            continue
        try:
            channel.deliver(message)
        except DeliveryError as error:
            errors.append(error)
            continue
        delivered.add(channel.name)
        with database.write() as connection:
            outbox.write_delivered(connection, notice, delivered)
    if errors:
        return _fail(database, clock, notice, errors)
    with database.write() as connection:
        outbox.write_sent(connection, notice.notice_id, now=clock.now())
    return None


def _fail(
    database: Database,
    clock: Clock,
    notice: Notice,
    errors: Sequence[DeliveryError],
    *,
    for_good: bool = False,
) -> str:
    said = "; ".join(error.message for error in errors)
    with database.write() as connection:
        outbox.write_failed(
            connection, notice, said, now=clock.now(), wait=max(e.wait for e in errors),
            for_good=for_good,
        )  # fmt: skip
    log.warning("notice %s is not sent: %s", notice.notice_id, said)
    return said


def _to_message(notice: Notice, base_url: str | None, clock: Clock) -> Outgoing:
    path = notice.payload.get("path")
    link = f"\n{base_url.rstrip('/')}{path}\n" if base_url and path else ""
    payload = {key: value for key, value in notice.payload.items() if key != "delivered"}
    return Outgoing(
        notice.notice_id, notice.kind, notice.recipient, notice.subject, notice.body + link,
        payload, notice.created_at, clock.now(),
    )  # fmt: skip
