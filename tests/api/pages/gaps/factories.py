"""A small world of areas, topics and gaps for the tests of the gap pages."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import numpy as np
from sqlalchemy import Connection

from api.wiring import Application
from gaps import repository
from gaps.drafting.publications import write_publication
from gaps.keeping import rows
from gaps.keeping.lineage import EventKind, TopicEvent
from gaps.tables import coverages
from gaps.types import Gap, GapKind, GapStatus, Publication, Reason, Ticket, Topic
from kb.types import Audience
from tests.api.pages.factories import NOW, VPN_TICKETS, make_tickets

WORLD: tuple[tuple[str, tuple[float, float], tuple[tuple[str, GapKind | None, int], ...]], ...] = (
    ("Company network from home", (0.2, 0.25), (
        ("Corvid Connect stays at Negotiating", GapKind.MISSING, 61),
        ("Connection drops after a few hours", GapKind.WRONG, 34),
        ("VPN article names the old client", GapKind.STALE, 22),
        ("Which programs need the network at all", None, 15),
        ("Posture check after an update", GapKind.MISSING, 9),
    )),
    ("Money back", (0.75, 0.2), (
        ("Refund arrives without the delivery costs", GapKind.CONFLICT, 48),
        ("How long a refund takes", GapKind.DUPLICATE, 30),
        ("Refund onto a card that was closed", GapKind.NEEDS_ACTION, 17),
        ("Proof of the refund for the bank", None, 8),
    )),
    ("Smart valves", (0.85, 0.65), (
        ("Valve rattles at night", GapKind.WRONG, 26),
        ("Batteries empty after a month", GapKind.STALE, 38),
        ("Adapter for old Danfoss threads", GapKind.MISSING, 12),
        ("Calibration never ends", None, 19),
        ("Valve shows E2", GapKind.UNFINDABLE, 14),
        ("Child lock off again", None, 6),
    )),
    ("Accounts and passwords", (0.35, 0.75), (
        ("Code by text message never comes", GapKind.UNFINDABLE, 44),
        ("Second factor on a new telephone", GapKind.NEEDS_ACTION, 36),
        ("Change the mail address", None, 21),
        ("Account of a colleague who left", GapKind.RESTRICTED, 7),
    )),
    ("Guests and meeting rooms", (0.1, 0.6), (
        ("Guest Wi-Fi code expires during the visit", GapKind.UNFINDABLE, 18),
        ("Room panel shows the wrong day", None, 9),
        ("Printer in Porto eats badges", GapKind.NEEDS_ACTION, 5),
    )),
    ("Orders on the way", (0.55, 0.45), (
        ("Address changed after dispatch", GapKind.RESTRICTED, 23),
        ("Parcel marked delivered and not there", None, 41),
        ("Delivery on a Saturday", None, 11),
    )),
    ("Invoices", (0.6, 0.85), (
        ("Invoice with another company name", GapKind.MISSING, 13),
        ("Reverse charge on partner orders", GapKind.CONFLICT, 10),
    )),
)  # fmt: skip
REASONS = {
    GapKind.MISSING: "the knowledge base answers these with a mean probability of 0.09",
    GapKind.STALE: "“Connect to the company network” was linked in 14 tickets and did not help in 9",
    GapKind.WRONG: "“Connect to the company network” was linked in 11 tickets and did not help in 8",
    GapKind.UNFINDABLE: "“Get your money back” is what 9 of 12 resolutions say, and 10 of 14 "
    "questions do not find it among the first three",
    GapKind.CONFLICT: "vpn says “12 hours”, refunds says “8 hours”",
    GapKind.DUPLICATE: "vpn and refunds say nearly the same (cosine 0.97)",
    GapKind.NEEDS_ACTION: "15 of 17 resolutions report an action and hold no steps",
    GapKind.RESTRICTED: "“Get your money back” answers 6 of 7 questions, and may be read by "
    "internal only",
}


def fill_world(kb: Application, areas: int = len(WORLD)) -> dict[str, Gap]:
    """Seven areas, 27 topics and 19 open gaps; gaps by title."""
    stored: dict[str, Gap] = {}
    with kb.database.write() as connection:
        for number, (name, place, topics) in enumerate(WORLD[:areas]):
            area_id = f"top_area{number}"
            write_topic(connection, area_id, name, level=rows.COARSE, place=place)
            for part, (title, kind, count) in enumerate(topics):
                key = f"{number}{part}"
                tickets = make_topic_tickets(f"W{key}", count)
                turn = part * 2.4
                spot = (0.5 + 0.4 * math.cos(turn), 0.5 + 0.4 * math.sin(turn))
                if kind is None:
                    write_topic(
                        connection, f"top_{key}", title, parent_id=area_id, place=spot,
                        tickets=tickets,
                    )  # fmt: skip
                else:
                    stored[title] = write_ranked_gap(
                        connection, key, title, kind, tickets, area_id, spot
                    )
    return stored


def make_topic_tickets(prefix: str, count: int) -> list[Ticket]:
    """Tickets of a topic that began three months ago and grew, from the VPN's words."""
    found = []
    for number, ticket in enumerate(
        make_tickets(prefix, [VPN_TICKETS[n % len(VPN_TICKETS)] for n in range(count)])
    ):
        days = 88 * (1 - ((number * 7919 % count + 0.5) / count) ** (0.4 + count % 4 / 3))
        created = NOW - timedelta(days=days)
        found.append(
            replace(
                ticket, created_at=created, solved_at=created + timedelta(hours=3),
                requester=f"r{number * 2 // 3}", escalated=number % 9 == 4,
            )
        )  # fmt: skip
    return found


def store_ranked_gap(
    kb: Application, key: str, title: str, kind: GapKind, tickets: Sequence[Ticket]
) -> Gap:
    """A gap in no area, in a transaction of its own."""
    with kb.database.write() as connection:
        return write_ranked_gap(connection, key, title, kind, tickets, None, None)


def write_ranked_gap(
    connection: Connection,
    key: str,
    title: str,
    kind: GapKind,
    tickets: Sequence[Ticket],
    area_id: str | None,
    place: tuple[float, float] | None,
) -> Gap:
    """A gap with impact, interval, requesters and reasons that follow from its tickets."""
    count = len(tickets)
    weeks = [0] * 13
    for ticket in tickets:
        weeks[max(0, 12 - (NOW - ticket.created_at).days // 7)] += 1
    documents = () if kind in (GapKind.MISSING, GapKind.NEEDS_ACTION) else ("vpn",)
    ids = tuple(ticket.ticket_id for ticket in tickets)
    first = min(ticket.created_at for ticket in tickets)
    gap = Gap(
        gap_id=f"gap_{key}", topic_id=f"top-gap_{key}", kind=kind, status=GapStatus.OPEN,
        title=title, terms=("corvid", "negotiating", "cc-418", "certificate", "bordergate"),
        priority=round(100 * (1 - math.exp(-count / 32)), 2),
        probability=0.52 if key == "01" else round(0.97 - 0.013 * (count % 23), 2),
        impact_per_week=round(count / 6.5, 2),
        audience=tuple(Audience)[ord(key[-1]) % 2 * 3],
        owner="tom" if "efund" in title or "nvoice" in title else "ines",
        ticket_ids=ids, document_ids=documents,
        reasons=(Reason("signal", REASONS[kind], (*documents, *ids[: max(3, count // 2)])),),
        weekly_counts=tuple(weeks), first_seen_at=first, last_seen_at=NOW - timedelta(days=1),
        impact_low=round(count / 13, 2), impact_high=round(count / 3.6, 2),
        requester_count=count * 2 // 3 + 1, needs_look=key == "01",
    )  # fmt: skip
    run = f"run-{gap.gap_id}"
    repository.write_gap_run(connection, run, at=NOW, since=None, until=None, report={})
    write_topic(connection, gap.topic_id, title, parent_id=area_id, place=place, tickets=tickets)
    repository.write_gap(connection, gap, run_id=run, now=NOW)
    event = TopicEvent(gap.topic_id, EventKind.APPEARED, (), max(1, count // 3))
    rows.write_events(connection, [event], run_id=run, now=first + timedelta(days=9))
    return gap


def write_topic(
    connection: Connection,
    topic_id: str,
    title: str,
    *,
    level: str = rows.FINE,
    parent_id: str | None = None,
    place: tuple[float, float] | None = None,
    tickets: Sequence[Ticket] = (),
) -> None:
    """A topic whose first ticket is its most central."""
    count = len(tickets)
    for ticket in tickets:
        repository.write_ticket(connection, ticket, "0" * 64, exists=False, now=NOW)
    ids = tuple(ticket.ticket_id for ticket in tickets)
    centroid = np.random.default_rng(sum(map(ord, title))).normal(size=8)
    stored = rows.StoredTopic(
        Topic(topic_id, title, (), ids), centroid, "hashing", NOW, NOW,
        level=level, parent_id=parent_id, place=place,
    )  # fmt: skip
    rows.write_topic(connection, stored)
    closeness = {key: 0.95 - 0.5 * place / count for place, key in enumerate(ids)}
    rows.write_members(connection, topic_id, closeness, now=NOW)


def store_coverage(kb: Application, ticket_id: str, probability: float, *found: str) -> None:
    """What the knowledge base answered to a ticket."""
    with kb.database.write() as connection:
        connection.execute(
            coverages.insert().values(
                ticket_id=ticket_id, content_hash="0" * 64, state="s", probability=probability,
                best_documents=[[key, 0.5] for key in found],
            )
        )  # fmt: skip


def store_publication(kb: Application, draft_id: str, days_ago: int) -> None:
    with kb.database.write() as connection:
        write_publication(
            connection,
            Publication(
                f"pub_{draft_id}", draft_id, "vpn-corvid", 1, None, None,
                NOW - timedelta(days=days_ago), "ines", None,
            ),
            file_written=True,
        )  # fmt: skip
