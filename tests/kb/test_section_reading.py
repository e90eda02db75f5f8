"""What a context is packed from: what the caller may read now, and what of it another overrules."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import insert

from kb.section_reading import Sections, read_sections
from kb.tables import conflicts
from kb.types import Audience, SearchRequest
from tests.kb.factories import AUTHORITIES, NOW, Knowledge, make_parsed

LONG = "Refunds are paid within 30 days."
SHORT = "Refunds are paid within 14 days."


def disagree(knowledge: Knowledge, winner: str, loser: str) -> None:
    with knowledge.database.write() as connection:
        connection.execute(
            insert(conflicts).values(
                winner_id=winner, loser_id=loser, winner_version=1, loser_version=1,
                winner_statement=SHORT, loser_statement=LONG, similarity=0.9, found_at=NOW,
            )
        )  # fmt: skip


def read(knowledge: Knowledge, *ids: str, audience: Audience = Audience.INTERNAL) -> Sections:
    with knowledge.database.read() as connection:
        return read_sections(
            connection, ids, SearchRequest("refunds"), audience, AUTHORITIES, now=NOW
        )


def test_a_document_loses_its_statement_also_to_a_winner_no_search_found(
    knowledge: Knowledge,
) -> None:
    knowledge.put(make_parsed("policy", SHORT, authority="policy"), make_parsed("help", LONG))
    disagree(knowledge, "policy", "help")
    sections = read(knowledge, "help")
    assert sections.losing == {"help": (LONG,)}
    assert set(sections.chunks_of) == {"help"}


def test_the_side_stored_as_winner_loses_its_own_statement_where_the_rules_say_so(
    knowledge: Knowledge,
) -> None:
    knowledge.put(make_parsed("help", SHORT), make_parsed("policy", LONG, authority="policy"))
    disagree(knowledge, "help", "policy")
    assert read(knowledge, "help", "policy").losing == {"help": (SHORT,)}


@pytest.mark.parametrize(
    "said",
    [
        {"audience": Audience.INTERNAL},
        {"effective_until": NOW - timedelta(days=1)},
        {"effective_from": NOW + timedelta(days=1)},
    ],
)
def test_a_winner_the_caller_may_not_read_or_that_does_not_hold_overrules_nothing(
    knowledge: Knowledge, said: dict[str, object]
) -> None:
    policy = make_parsed("policy", SHORT, authority="policy", **said)
    knowledge.put(policy, make_parsed("help", LONG))
    disagree(knowledge, "policy", "help")
    assert read(knowledge, "help", audience=Audience.PUBLIC).losing == {}


def test_a_conflict_about_an_older_version_overrules_nothing(knowledge: Knowledge) -> None:
    knowledge.put(make_parsed("policy", SHORT, authority="policy"), make_parsed("help", LONG))
    disagree(knowledge, "policy", "help")
    knowledge.put(make_parsed("help", f"{LONG} As ever."))
    assert read(knowledge, "help").losing == {}


def test_what_ended_was_replaced_or_is_not_for_the_caller_is_not_read(knowledge: Knowledge) -> None:
    knowledge.put(
        make_parsed("open", "Open."),
        make_parsed("ended", "Ended.", effective_until=NOW - timedelta(days=1)),
        make_parsed("older", "Older."),
        make_parsed("newer", "Newer.", supersedes=("older",)),
        make_parsed("hidden", "Hidden.", audience=Audience.INTERNAL),
    )
    asked = ("open", "ended", "older", "hidden", "never-was")
    assert set(read(knowledge, *asked, audience=Audience.PUBLIC).chunks_of) == {"open"}
    assert set(read(knowledge, *asked).chunks_of) == {"open", "hidden"}
