"""Demand over a real database: whom it counts, against whom, and what follows from "worse"."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from gaps import repository
from gaps.drafting.drafts import read_draft, write_draft
from gaps.drafting.publications import write_publication
from gaps.drafting.publish import publish_draft
from gaps.drafting.review import review_draft
from gaps.drafting.workflow import Decision
from gaps.drafting.writer import create_draft
from gaps.effect.weeks import Span
from gaps.keeping.rows import StoredTopic, write_topic
from gaps.operating.drive import DriveTools, measure_due
from gaps.operating.effect import baseline_for, measure_effect
from gaps.operating.topic_weeks import count_people, read_topic_tickets
from gaps.reading.tickets import hash_ticket
from gaps.types import Effect, GapStatus, Publication, Ticket, Topic
from kb.tables import audit
from kb.types import Role
from tests.gaps.drafting.factories import NOW, Desk, make_ticket, make_tickets

OWN = "CC-418 posture check failed"
OTHERS = ("gift card", "late parcel", "wrong invoice", "lost password", "broken scanner",
          "slow printer", "empty basket")  # fmt: skip
WEEKLY = (9, 11, 10, 10, 8, 12, 10, 9, 11, 10, 10, 10)
LATER = NOW + timedelta(weeks=9)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.close()


class World:
    """A desk with the tickets of eight topics around a publication at `NOW`."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.number = 1000

    def build(self, *, after: float, answered: bool = False) -> Publication:
        for place, words in enumerate((OWN, *OTHERS)):
            self._add_topic(f"topic_{place + 1}", words)
            for week in range(-16, 9):
                level = WEEKLY[(week + place) % 12]
                factor = 1.0
                if place == 0:
                    factor = 1.0 if week < -4 else 1.5 if week < 0 else after
                self._add(words, week, round(level * factor), answered and week >= 0)
        return self.publish()

    def publish(self) -> Publication:
        desk = self.desk
        desk.add_gap(make_tickets(12))
        self._add_topic("topic_1", OWN)
        draft = create_draft(
            desk.database, desk.retriever, desk.encoder, "gap_1", now=NOW, settings=desk.settings
        )
        review_draft(
            desk.database, draft.draft_id, decision=Decision.APPROVE, reviewer="ines",
            role=Role.OWNER, now=NOW, expected_hash=draft.draft_hash,
        )  # fmt: skip
        return publish_draft(
            desk.database, draft.draft_id, reviewer="ines", role=Role.OWNER, now=NOW,
            prepare=desk.prepare, measure_before=baseline_for(desk.database, desk.retriever),
        )  # fmt: skip

    def measure(self, publication: Publication) -> Effect:
        return measure_effect(
            self.desk.database, self.desk.retriever, publication.publication_id, now=LATER
        )

    def _add(self, words: str, week: int, count: int, answered: bool) -> None:
        with self.desk.database.write() as connection:
            for place in range(count):
                self.number += 1
                ticket = self._ticket(words, week, place, answered)
                repository.write_ticket(
                    connection, ticket, hash_ticket(ticket), exists=False, now=NOW
                )

    def _ticket(self, words: str, week: int, place: int, answered: bool) -> Ticket:
        return make_ticket(
            self.number, subject=words, body=f"{words} again", linked_articles=("x",) * answered,
            created_at=NOW + timedelta(weeks=week, hours=2 + place),
        )  # fmt: skip

    def _add_topic(self, topic_id: str, words: str) -> None:
        desk = self.desk
        vector = desk.encoder.encode([f"{words}\n{words} again"])[0]
        early = NOW - timedelta(weeks=20)
        stored = StoredTopic(
            Topic(topic_id, words, (), ()), vector, desk.encoder.recipe, early, early, radius=0.5
        )
        with desk.database.write() as connection:
            write_topic(connection, stored)


def test_fewer_tickets_than_the_controls_worked_and_both_parts_are_said(desk: Desk) -> None:
    effect = World(desk).build(after=0.3)
    found = World(desk).measure(effect)
    assert found.verdict == "worked", found.report["why"]
    weekly = found.report["weekly_tickets"]
    assert weekly["verdict"] == "worked" and weekly["control_topics"] == 7
    assert weekly["rate_ratio_low"] < 0.35 < weekly["rate_ratio_high"]
    assert weekly["weeks_left_out"] == 4
    assert found.report["answering"]["verdict"] == "worked"
    assert (
        found.report["why"].startswith("answering: ") and "; demand: after" in found.report["why"]
    )


def test_tickets_that_an_article_answered_still_count_as_asked(desk: Desk) -> None:
    """They leave the stored topic, which would look like an effect."""
    world = World(desk)
    found = world.measure(world.build(after=1.0, answered=True))
    assert found.report["weekly_tickets"]["verdict"] == "no_effect_shown"
    shares = found.report["topic_tickets"]["link_rate"]
    assert shares["before_share"] == 0.0 and shares["after_share"] == 1.0
    assert shares["change_low_share"] > 0.9


def test_a_gap_that_got_worse_is_opened_again_once_and_says_why(desk: Desk) -> None:
    world = World(desk)
    publication = world.build(after=4.0)
    assert desk.read_gap().status is GapStatus.PUBLISHED
    found = world.measure(publication)
    assert found.verdict == "worse", found.report["why"]
    gap = desk.read_gap()
    assert gap.status is GapStatus.OPEN
    assert gap.reasons[0].signal == "worse_since_publication"
    assert "times the tickets" in gap.reasons[0].text
    world.measure(publication)
    with desk.database.read() as connection:
        told = connection.execute(select(audit).where(audit.c.action == "gap.reopen")).fetchall()
    assert [row.subject for row in told] == ["gap_1"]
    assert told[0].details["publication_id"] == publication.publication_id


def test_what_a_person_dismissed_stays_dismissed(desk: Desk) -> None:
    world = World(desk)
    publication = world.build(after=4.0)
    with desk.database.write() as connection:
        repository.write_gap_status(connection, "gap_1", GapStatus.DISMISSED, now=NOW)
    assert world.measure(publication).verdict == "worse"
    assert desk.read_gap().status is GapStatus.DISMISSED


def test_a_topic_with_a_publication_of_its_own_is_no_control(desk: Desk) -> None:
    world = World(desk)
    publication = world.build(after=1.0)
    desk.add_gap([make_ticket(900, subject="other")], gap_id="gap_2", topic_id="topic_2")
    world._add_topic("topic_2", OTHERS[0])
    with desk.database.write() as connection:
        draft = read_draft(connection, publication.draft_id)
        write_draft(connection, replace(draft, draft_id="dr_other", gap_id="gap_2"))
        other = replace(publication, publication_id="pub_other", draft_id="dr_other",
                        rolled_back_at=NOW)  # fmt: skip
        write_publication(connection, other, file_written=True)
    weekly = world.measure(publication).report["weekly_tickets"]
    assert weekly["control_topics"] == 6
    assert "topic_2" not in weekly["control_topic_ids"]


def test_the_drive_measures_all_publications_and_says_both_parts(desk: Desk) -> None:
    world = World(desk)
    world.build(after=0.3)
    tools = DriveTools(desk.database, desk.retriever, desk.encoder, desk.settings, dict)
    found = measure_due(tools, now=LATER)
    assert [(f["verdict"], f["answering"], f["demand"]) for f in found] == [
        ("worked", "worked", "worked")
    ]


def test_topics_found_since_or_of_another_encoder_are_no_controls(desk: Desk) -> None:
    world = World(desk)
    world.build(after=1.0)
    late = NOW + timedelta(days=1)
    with desk.database.write() as connection:
        topic = Topic("topic_new", "new", (), ())
        vector = desk.encoder.encode(["entirely new words"])[0]
        write_topic(connection, StoredTopic(topic, vector, desk.encoder.recipe, late, late))
    with desk.database.read() as connection:
        found = read_topic_tickets(
            connection, desk.retriever, since=NOW, until=LATER, recipe=desk.encoder.recipe
        )
        other = read_topic_tickets(
            connection, desk.retriever, since=NOW, until=LATER, recipe="another"
        )
    span = Span(NOW, 0, 0, 2)
    assert sorted(found.count(span)) == [f"topic_{n}" for n in range(1, 9)]
    assert sum(found.count(span)["topic_2"].after) > 10
    assert other.members == {}


def test_a_merged_topic_is_followed_into_the_other(desk: Desk) -> None:
    world = World(desk)
    for name in ("topic_1", "topic_2", "topic_3"):
        world._add_topic(name, OWN)
    with desk.database.read() as connection:
        found = read_topic_tickets(
            connection, desk.retriever, since=NOW, until=NOW, recipe=desk.encoder.recipe
        )
    merged = dict(found.topics)
    merged["topic_1"] = replace(merged["topic_1"], merged_into="topic_2")
    merged["topic_2"] = replace(merged["topic_2"], merged_into="topic_3")
    followed = replace(found, topics=merged)
    assert followed.find_topic("topic_1") == "topic_3"
    merged["topic_3"] = replace(merged["topic_3"], merged_into="topic_1")
    assert followed.find_topic("topic_1") in merged


def test_who_writes_often_in_a_week_counts_once() -> None:
    often = [make_ticket(n, requester="r", created_at=NOW + timedelta(hours=n)) for n in range(9)]
    late = make_ticket(99, requester="r", created_at=NOW + timedelta(days=8))
    assert count_people([*often, late], Span(NOW, 0, 0, 2)).after == (1, 1)
