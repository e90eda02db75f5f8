"""One document's standing: what a hit would say of it, and nothing its reader may not know."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert

from kb import intake
from kb.errors import NotFoundError
from kb.retrieval.standing import Standing, read_standing
from kb.tables import conflicts
from kb.types import Audience, FreshnessVerdict
from tests.kb.factories import NOW, Knowledge, make_parsed

AUTHORITIES = ("policy", "help_article")


@pytest.fixture
def knowledge(tmp_path: Path) -> Knowledge:
    return Knowledge(tmp_path)


def contradict(knowledge: Knowledge, winner: str, loser: str, *, loser_version: int = 1) -> None:
    with knowledge.database.write() as connection:
        intake.next_sequence(connection)
        connection.execute(
            insert(conflicts).values(
                winner_id=winner, loser_id=loser, winner_version=1, loser_version=loser_version,
                winner_statement="14 days", loser_statement="30 days", similarity=0.9, found_at=NOW,
            )
        )  # fmt: skip


def stand(
    knowledge: Knowledge, document_id: str, audience: Audience = Audience.INTERNAL
) -> Standing:
    with knowledge.database.read() as connection:
        return read_standing(connection, document_id, audience, AUTHORITIES, now=NOW)


def test_the_stronger_side_wins_whichever_was_written_down_as_the_winner(
    knowledge: Knowledge,
) -> None:
    knowledge.put(
        make_parsed("rule", "Refunds take 14 days.", authority="policy"),
        make_parsed("help", "Refunds take 30 days."),
        make_parsed("page", "Refunds take 30 days."),
    )
    contradict(knowledge, "rule", "help")
    contradict(knowledge, "page", "rule")
    for loser in ("help", "page"):
        found = stand(knowledge, loser)
        assert [ruling.winner for ruling in found.overruled_by] == ["rule"]
        assert found.freshness.verdict is FreshnessVerdict.STALE
    assert stand(knowledge, "rule").overruled_by == ()


def test_a_finding_about_an_earlier_text_no_longer_counts(knowledge: Knowledge) -> None:
    knowledge.put(
        make_parsed("rule", "Refunds take 14 days.", authority="policy"),
        make_parsed("help", "Refunds take 30 days."),
    )
    contradict(knowledge, "rule", "help", loser_version=2)
    assert stand(knowledge, "help").overruled_by == ()


def test_what_the_reader_may_not_know_neither_overrules_nor_replaces(knowledge: Knowledge) -> None:
    knowledge.put(
        make_parsed("help", "Refunds take 30 days."),
        make_parsed("old", "Refunds take a year."),
        make_parsed(
            "rule", "Refunds take 14 days.", authority="policy", audience=Audience.INTERNAL
        ),
        make_parsed("new", "Refunds are gone.", audience=Audience.INTERNAL, supersedes=("old",)),
    )
    contradict(knowledge, "rule", "help")
    for key in ("help", "old"):
        found = stand(knowledge, key, Audience.PUBLIC)
        assert found.overruled_by == () and found.invalid is None
        assert not {"rule", "new"} & set(" ".join(found.freshness.reasons).split())
    assert [r.winner for r in stand(knowledge, "help").overruled_by] == ["rule"]
    assert stand(knowledge, "old").invalid == "superseded by new"
    with pytest.raises(NotFoundError):
        stand(knowledge, "rule", Audience.PUBLIC)


def test_what_has_ended_is_shown_as_such_and_overrules_nothing(knowledge: Knowledge) -> None:
    knowledge.put(
        make_parsed(
            "rule", "Refunds take 14 days.", authority="policy",
            effective_until=NOW - timedelta(days=1),
        ),
        make_parsed("help", "Refunds take 30 days."),
    )  # fmt: skip
    contradict(knowledge, "rule", "help")
    ended = stand(knowledge, "rule")
    assert ended.freshness.verdict is FreshnessVerdict.SUPERSEDED
    assert ended.invalid is not None and ended.invalid.startswith("ended on")
    assert stand(knowledge, "help").overruled_by == ()
