"""Every ticket of some weeks in its topic, answered or not, and the weekly counts that makes.

A topic's stored members are the tickets the knowledge base did *not* answer: they would fall by
themselves once an article answers some. Here each ticket goes to the nearest topic within its
radius, whatever became of it, before the publication as after.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from sqlalchemy import Connection

from gaps import repository
from gaps.effect.weeks import Span, Weeks, count_weeks
from gaps.keeping.increment import assign_new
from gaps.keeping.rows import StoredTopic, read_topics
from gaps.ranking.voices import requester_of
from gaps.reading.cleaning import clean_ticket, is_automatic
from gaps.types import Ticket
from kb.retrieval.retriever import Retriever


@dataclass(frozen=True, slots=True)
class TopicTickets:
    """Who asked about what."""

    tickets: Mapping[str, Ticket]
    """By id, cleaned."""
    members: Mapping[str, tuple[str, ...]]
    """Ticket ids by fine topic."""
    topics: Mapping[str, StoredTopic]
    """Fine topics, those that were merged included."""

    def find_topic(self, topic_id: str) -> str:
        """The topic it is now, if it was merged into another."""
        seen: set[str] = set()
        while topic_id not in seen and topic_id in self.topics:
            seen.add(topic_id)
            topic_id = self.topics[topic_id].merged_into or topic_id
        return topic_id

    def tickets_of(self, topic_id: str, since: datetime, until: datetime) -> list[Ticket]:
        """Its tickets created in `since` <= t < `until`, by id."""
        found = (self.tickets[key] for key in sorted(self.members.get(topic_id, ())))
        return [ticket for ticket in found if since <= ticket.created_at < until]

    def count(self, span: Span) -> dict[str, Weeks]:
        """Weekly counts of every topic that was known when the text was served.

        Topics found since are left out: they were found for having risen after it.
        """
        return {
            key: count_people([self.tickets[t] for t in self.members.get(key, ())], span)
            for key, stored in self.topics.items()
            if stored.merged_into is None and stored.created_at <= span.published_at
        }

    def count_all(self, span: Span) -> Weeks:
        """Weekly counts of all tickets, in a topic or not."""
        return count_people(list(self.tickets.values()), span)


def count_people(tickets: Sequence[Ticket], span: Span) -> Weeks:
    """Requesters a week of a span, each once a week: nobody fakes an effect by writing often."""
    first: dict[tuple[str, int], datetime] = {}
    for ticket in sorted(tickets, key=lambda t: (t.created_at, t.ticket_id)):
        week = (ticket.created_at - span.start).days // 7
        first.setdefault((requester_of(ticket), week), ticket.created_at)
    return count_weeks(list(first.values()), span)


def read_topic_tickets(
    connection: Connection, retriever: Retriever, *, since: datetime, until: datetime, recipe: str
) -> TopicTickets:
    """Read and assign the tickets created in `since` <= t < `until`; mailboxes' own are left out.

    Raises:
        UnavailableError: The encoder or the database is away.
    """
    found = repository.read_tickets(connection, since=since, until=until)
    kept = [clean_ticket(ticket) for ticket in found if not is_automatic(ticket)]
    topics = {stored.topic.topic_id: stored for stored in read_topics(connection, merged=True)}
    live = [s for s in topics.values() if s.merged_into is None and s.recipe == recipe]
    tickets = {ticket.ticket_id: ticket for ticket in kept}
    members: Mapping[str, tuple[str, ...]] = {}
    if live and tickets:
        encoded = retriever.encode([ticket.question for ticket in kept])
        vectors = {t.ticket_id: np.asarray(v) for t, v in zip(kept, encoded, strict=True)}
        members = assign_new(list(tickets), vectors, live).members
    return TopicTickets(tickets, members, topics)
