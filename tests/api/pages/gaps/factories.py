"""A small world of areas, topics and gaps for the tests of the gap pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import numpy as np

from api.wiring import Application
from gaps import repository
from gaps.drafting.publications import write_publication
from gaps.keeping import rows
from gaps.keeping.lineage import EventKind, TopicEvent
from gaps.tables import coverages
from gaps.types import Gap, GapKind, GapStatus, Publication, Reason, Ticket, Topic
from kb.types import Audience
from tests.api.pages.factories import NOW, VPN_TICKETS, make_tickets, store_gap

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
    for number, (name, place, topics) in enumerate(WORLD[:areas]):
        area_id = f"top_area{number}"
        store_topic(kb, area_id, name, level=rows.COARSE, place=place)
        for part, (title, kind, count) in enumerate(topics):
            key = f"{number}{part}"
            tickets = make_topic_tickets(f"W{key}", count)
            spot = (0.5 + 0.4 * np.cos(part * 2.4), 0.5 + 0.4 * np.sin(part * 2.4))
            if kind is None:
                store_topic(
                    kb, f"top_{key}", title, parent_id=area_id, place=spot, tickets=tickets
                )
                continue
            stored[title] = store_ranked_gap(kb, key, title, kind, tickets, area_id, spot)
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
    kb: Application,
    key: str,
    title: str,
    kind: GapKind,
    tickets: Sequence[Ticket],
    area_id: str | None = None,
    place: tuple[float, float] | None = None,
    *,
    owner: str | None = None,
    status: GapStatus = GapStatus.OPEN,
) -> Gap:
    """A gap with impact, interval, requesters and reasons that follow from its tickets."""
    count = len(tickets)
    weeks = [0] * 13
    for ticket in tickets:
        weeks[max(0, 12 - (NOW - ticket.created_at).days // 7)] += 1
    owner = owner or ("tom" if "efund" in title or "nvoice" in title else "ines")
    gap = store_gap(
        kb, f"gap_{key}", tickets, title=title, kind=kind, owner=owner, status=status,
        impact=round(count / 6.5, 2), weekly_counts=weeks,
        documents=[] if kind in (GapKind.MISSING, GapKind.NEEDS_ACTION) else ["vpn"],
    )  # fmt: skip
    evidence = (*gap.document_ids, *(t.ticket_id for t in tickets[: max(3, count // 2)]))
    gap = replace(
        gap,
        priority=round(100 * (1 - float(np.exp(-count / 32))), 2),
        probability=0.52 if key == "01" else round(0.97 - 0.013 * (count % 23), 2),
        needs_look=key == "01",
        impact_low=round(count / 13, 2),
        impact_high=round(count / 3.6, 2),
        requester_count=count * 2 // 3 + 1,
        audience=tuple(Audience)[int(key[-1]) % 2 * 3],
        reasons=(Reason("signal", REASONS[kind], evidence),),
        first_seen_at=min(ticket.created_at for ticket in tickets),
    )
    with kb.database.write() as connection:
        repository.write_gap(connection, gap, run_id=f"run-{gap.gap_id}", now=NOW)
    store_topic(kb, gap.topic_id, title, parent_id=area_id, place=place)
    with kb.database.write() as connection:
        similarities = {t.ticket_id: 0.95 - 0.5 * n / count for n, t in enumerate(tickets)}
        rows.write_members(connection, gap.topic_id, similarities, now=NOW)
        rows.write_events(
            connection, [TopicEvent(gap.topic_id, EventKind.APPEARED, (), max(1, count // 3))],
            run_id="run", now=gap.first_seen_at + timedelta(days=9),
        )  # fmt: skip
    return gap


def store_topic(
    kb: Application,
    topic_id: str,
    title: str,
    *,
    level: str = rows.FINE,
    parent_id: str | None = None,
    place: tuple[float, float] | None = None,
    tickets: Sequence[Ticket] = (),
) -> None:
    ids = tuple(ticket.ticket_id for ticket in tickets)
    place = None if place is None else (float(place[0]), float(place[1]))
    seed = sum(map(ord, title))
    centroid = np.random.default_rng(seed).normal(size=8)
    with kb.database.write() as connection:
        for ticket in tickets:
            repository.write_ticket(connection, ticket, "0" * 64, exists=False, now=NOW)
        rows.write_topic(
            connection,
            rows.StoredTopic(
                Topic(topic_id, title, (), ids), centroid, "hashing", NOW, NOW,
                level=level, parent_id=parent_id, place=place,
            ),
        )  # fmt: skip
        rows.write_members(connection, topic_id, dict.fromkeys(ids, 0.9), now=NOW)


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
