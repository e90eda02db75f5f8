"""A small real knowledge base with tickets, gaps and drafts for the tests of the pages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from fastapi.testclient import TestClient

from api.keys import create_key
from api.passwords import hash_password
from api.people import add_person
from api.wiring import Application
from gaps import repository
from gaps.drafting.drafts import compute_draft_hash, write_draft
from gaps.keeping.rows import StoredTopic, write_members, write_topic
from gaps.types import (
    Check,
    Citation,
    Draft,
    DraftState,
    Gap,
    GapKind,
    GapStatus,
    Reason,
    Refusal,
    Statement,
    Ticket,
    TicketStatus,
    Topic,
)
from kb.types import Audience, Role

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
CONFIG = """
[[sources]]
name = "help"
kind = "markdown"
location = "articles"
authority = "help_article"
audience = "public"
owner = "ines"
review_every_days = 180

[[owners]]
name = "ines"
topics = ["vpn"]

[[owners]]
name = "tom"
topics = ["refund"]

[encoder]
kind = "hashing"
"""
OLD_ARTICLE = """\
You need the VPN for Vault drive and the build servers. Mail and chat work without it.

## Before you start

- A Fennmark laptop. BorderGate refuses private machines.
- BorderGate 3 installed. It sits in the taskbar as a small grey shield.

## Connecting

1. Click the grey shield and choose **Connect…**
2. In *Gateway*, type `vpn.fennmark.example`.
3. Enter your normal Windows password, then press **Next**.
4. The shield turns green. That takes up to 20 seconds.

The session drops by itself after 12 hours.
"""
CHANGED_ARTICLE = """\
You need the VPN for Vault drive and the build servers. Mail and chat work without it.

## Before you start

- A Fennmark laptop. Corvid Connect refuses private machines.
- Corvid Connect installed. It sits in the taskbar as a small blue bird.

## Connecting

1. Click the blue bird and choose **Connect…**
2. In *Gateway*, type `gate.fennmark.example`.
3. Enter your normal Windows password, then press **Next**.
4. The bird turns green. That takes up to 20 seconds.

The session drops by itself after 8 hours.
"""
NEW_ARTICLE = """\
Corvid Connect stays at "Negotiating", or shows CC-418, on laptops that still have BorderGate 3.

## Who is affected

Everyone whose laptop was set up before 5 October 2026.

## What to do

1. Remove BorderGate 3 under **Settings → Apps**.
2. Restart the laptop. The order matters: remove the old client, restart, then open Corvid Connect.
3. Open Company Portal → **Devices** and choose **Renew device certificate**.
4. Wait for the green tick, about four minutes, and connect again.

## When to ask for help

If CC-418 stays after the restart, call the IT desk on extension 4400.
"""


def make_application(folder: Path) -> Application:
    """A migrated database with two synced articles, in a folder of its own."""
    (folder / "articles").mkdir(parents=True)
    (folder / "kb.toml").write_text(CONFIG)
    for name, title, body in (
        ("vpn", "Connect to the company network", OLD_ARTICLE),
        ("refunds", "Get your money back", "You have 30 days.\n\n1. Open the order.\n"),
    ):
        head = f"---\nid: {name}\ntitle: {title}\nlast_verified_at: 2026-06-01\n---\n"
        (folder / "articles" / f"{name}.md").write_text(head + body)
    application = Application.open(folder / "kb.toml")
    application.__dict__["weekly"] = _Weekly()
    for _ in application.sync_sources():
        pass
    return application


class _Weekly:
    """Stands in for the measurement before a publication: the pages only show its result."""

    def measure_before(self, draft: Draft) -> dict[str, Any]:
        return {"tickets": len(draft.held_back_ids), "answered_share": 0.1, "note": "<b>before</b>"}


def make_key(application: Application, role: Role = Role.OWNER, owner: str | None = "ines") -> str:
    with application.database.write() as connection:
        return create_key(
            connection,
            role=role,
            audience=Audience.INTERNAL,
            owner=owner,
            now=application.clock.now(),
            actor="test",
        )[1]


PASSWORD = "harbour lamp seven"


def make_person(
    application: Application,
    name: str = "ines",
    role: Role = Role.OWNER,
    owner: str | None = "ines",
    password: str | None = PASSWORD,
) -> str:
    """Somebody who may sign in; returns their id."""
    with application.database.write() as connection:
        return add_person(
            connection,
            name,
            role=role,
            owner=owner,
            now=application.clock.now(),
            actor="test",
            password_hash=hash_password(password) if password else None,
        )


def make_tickets(prefix: str, texts: Sequence[tuple[str, str, str]]) -> list[Ticket]:
    """Solved tickets from subject, body and resolution, a day apart."""
    first = NOW - timedelta(days=45)
    return [
        Ticket(
            ticket_id=f"{prefix}-{number}",
            created_at=first + timedelta(days=number),
            subject=subject,
            body=body,
            status=TicketStatus.SOLVED,
            audience=Audience.INTERNAL,
            solved_at=first + timedelta(days=number, hours=3),
            resolution=resolution,
            requester=f"r{number}",
            reopened=number % 5 == 2,
        )
        for number, (subject, body, resolution) in enumerate(texts)
    ]


def store_gap(
    application: Application,
    gap_id: str,
    tickets: Sequence[Ticket],
    *,
    owner: str = "ines",
    kind: GapKind = GapKind.MISSING,
    title: str = "Corvid Connect stays at Negotiating",
    impact: float = 18.4,
    reasons: Sequence[str] = ("No article answers it: the best passage fits 9 % of the tickets.",),
    weekly_counts: Sequence[int] = (0, 1, 0, 2, 9, 21, 17, 11),
    documents: Sequence[str] = (),
    status: GapStatus = GapStatus.OPEN,
) -> Gap:
    gap = Gap(
        gap_id=gap_id,
        topic_id=f"top-{gap_id}",
        kind=kind,
        status=status,
        title=title,
        terms=("corvid", "negotiating", "cc-418", "certificate", "bordergate"),
        priority=impact,
        probability=0.93,
        impact_per_week=impact,
        audience=Audience.PUBLIC,
        owner=owner,
        ticket_ids=tuple(t.ticket_id for t in tickets),
        document_ids=tuple(documents),
        reasons=tuple(Reason("coverage", text) for text in reasons),
        weekly_counts=tuple(weekly_counts),
        first_seen_at=NOW - timedelta(days=47),
        last_seen_at=NOW - timedelta(days=1),
    )
    run = f"run-{gap_id}"
    with application.database.write() as connection:
        repository.write_gap_run(connection, run, at=NOW, since=None, until=None, report={})
        topic = Topic(gap.topic_id, title, (), gap.ticket_ids)
        write_topic(connection, StoredTopic(topic, np.zeros(8), "hashing", NOW, NOW))
        write_members(connection, gap.topic_id, dict.fromkeys(gap.ticket_ids, 1.0), now=NOW)
        for ticket in tickets:
            repository.write_ticket(connection, ticket, "0" * 64, exists=False, now=NOW)
        repository.write_gap(connection, gap, run_id=run, now=NOW)
    return gap


def store_draft(
    application: Application,
    draft_id: str,
    gap: Gap,
    *,
    title: str = "Corvid Connect stays at Negotiating",
    markdown: str = NEW_ARTICLE,
    document_id: str | None = "vpn-corvid",
    base_version: int | None = None,
    state: DraftState = DraftState.IN_REVIEW,
    statements: Sequence[Statement] | None = None,
    checks: Sequence[Check] | None = None,
    refused: Refusal | None = None,
) -> Draft:
    if statements is None:
        statements = (
            Statement(
                "Remove BorderGate 3 under Settings → Apps.",
                (
                    Citation("ticket", gap.ticket_ids[0], "uninstalled BorderGate 3 from Settings"),
                    Citation("ticket", gap.ticket_ids[-1], "removed the old BorderGate client"),
                ),
            ),
            Statement(
                "Wait for the green tick, about four minutes, and connect again.",
                (Citation("ticket", gap.ticket_ids[-1], "green tick (took about four minutes)"),),
            ),
        )
    if checks is None:
        checks = (
            Check("citations", "green", "2 statements, each with its evidence"),
            Check("personal_data", "green", "none found"),
            Check("hostile_text", "green", "nothing hidden, active or addressed to a program"),
            Check("duplicate", "look", "close to 'Connect to the company network' (0.91)"),
        )
    facts: dict[str, Any] = {
        "title": title,
        "markdown": markdown,
        "document_id": document_id,
        "base_version": base_version,
        "statements": tuple(statements),
    }
    draft = Draft(
        draft_id=draft_id,
        gap_id=gap.gap_id,
        state=state,
        checks=tuple(checks),
        audience=Audience.PUBLIC,
        owner=gap.owner,
        source="help",
        held_back_ids=gap.ticket_ids[1:2],
        refused=refused,
        created_at=NOW - timedelta(days=2),
        updated_at=NOW - timedelta(days=2),
        draft_hash=compute_draft_hash(**facts),
        **facts,
    )
    with application.database.write() as connection:
        write_draft(connection, draft)
        repository.write_gap_status(connection, gap.gap_id, GapStatus.DRAFTING, now=NOW)
    return draft


VPN_TICKETS = (
    ("new vpn not working", "since today I cannot connect from home. Corvid says \"Negotiating\" "
     "and then nothing for ten minutes. I tried three times.",
     "BorderGate 3 was still there. Sofie uninstalled BorderGate 3 from Settings → Apps, restarted "
     "and connected at the first try."),
    ("CC-418", "CC-418 device posture check failed. what is this?? standup in 8 min",
     "Renewed the device certificate in Company Portal, restarted, posture check passed."),
    ("Gateway certificate not trusted", "Hi IT,\nthe Corvid client tells me \"gateway certificate "
     "not trusted\". Is it safe to go on?", "Renewed the certificate, then it connected."),
    ("VPN since the change", "Negotiating for ever. My colleague in Porto has it too.",
     "We removed the old BorderGate client, restarted; green tick (took about four minutes)."),
)  # fmt: skip


class Browser:
    """What a browser does with forms: keeps cookies, sends the page's token and its origin."""

    def __init__(self, client: TestClient) -> None:
        self.client = client
        self.client.headers.update({"accept": "text/html"})
        self.csrf_token = ""

    def get(self, path: str) -> Any:
        answer = self.client.get(path, follow_redirects=False)
        found = answer.text.split('name="csrf_token" value="')
        if len(found) > 1:
            self.csrf_token = found[1].split('"')[0]
        return answer

    def post(self, path: str, headers: dict[str, str] | None = None, /, **fields: Any) -> Any:
        fields = {"csrf_token": self.csrf_token, **fields}
        return self.client.post(path, data=fields, headers=headers, follow_redirects=False)

    def sign_in_as(self, name: str, password: str = PASSWORD, next: str = "/review") -> Any:
        self.get("/sign-in")
        answer = self.post("/sign-in", name=name, password=password, next=next)
        if answer.status_code == 303:
            self.get("/account")
        return answer

    def sign_in(self, key: str, next: str = "/review") -> Any:
        self.get("/sign-in")
        answer = self.post("/sign-in", key=key, next=next)
        if answer.status_code == 303:
            self.get("/review")
        return answer
