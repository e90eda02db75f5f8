"""Asking for one source, or by a condition, changes what is found, never what is said of it."""

from __future__ import annotations

import pytest
from sqlalchemy import insert

from api.compat.knowledge import search_knowledge
from api.keys import Caller
from api.wiring import Application
from kb import intake
from kb.errors import InvalidInputError, NotFoundError
from kb.searchlog import read_search
from kb.tables import conflicts
from kb.types import Audience, Condition, Conditions, Role, SearchRequest
from tests.api.factories import NOW, sync

QUESTION = "How to reset the router, way 0"
LIMITS = {
    "source": ("help", None),
    "condition": ("default", Condition("source", "eq", "help")),
}


def caller(audience: Audience = Audience.INTERNAL) -> Caller:
    return Caller("key_t", Role.AGENT, audience, None)


def contradict(application: Application) -> None:
    """A policy that only the internal audience may read says otherwise than an open article."""
    with application.database.write() as connection:
        intake.next_sequence(connection)
        connection.execute(
            insert(conflicts).values(
                winner_id="refunds", loser_id="help-0", winner_version=1, loser_version=1,
                winner_statement="Refunds take 14 days.",
                loser_statement="How to reset the router, way 0.", similarity=0.9, found_at=NOW,
            )
        )  # fmt: skip


@pytest.mark.parametrize("limit", LIMITS)
def test_a_policy_overrules_an_article_though_only_the_articles_are_asked(
    application: Application, limit: str
) -> None:
    sync(application)
    name, where = LIMITS[limit]

    def ask(audience: Audience, *, overruled: bool = False) -> dict[str, str | None]:
        request = SearchRequest(QUESTION, include_overruled=overruled, where=where)
        hits = search_knowledge(application, caller(audience), name, request)["hits"]
        assert {hit["source"] for hit in hits} == {"help"}
        return {h["document_id"]: (h["overruled_by"] or {}).get("document_id") for h in hits}

    assert ask(Audience.INTERNAL)["help-0"] is None
    contradict(application)
    assert "help-0" not in ask(Audience.INTERNAL)
    assert ask(Audience.INTERNAL, overruled=True)["help-0"] == "refunds"
    # Who may not read the policy is not told, nor shown by what is missing.
    assert ask(Audience.PUBLIC)["help-0"] is None


def test_what_a_contradiction_made_stale_is_not_among_the_fresh(application: Application) -> None:
    sync(application)

    def ask() -> set[str]:
        where = Condition("freshness", "ne", "stale")
        request = SearchRequest(QUESTION, include_overruled=True, where=where)
        hits = search_knowledge(application, caller(), "default", request)["hits"]
        assert all(hit["freshness"]["verdict"] != "stale" for hit in hits)
        return {hit["document_id"] for hit in hits}

    assert "help-0" in ask()
    contradict(application)
    assert "help-0" not in ask()


def test_what_is_asked_is_kept_with_its_limits(application: Application) -> None:
    sync(application)
    where = Conditions("or", (Condition("source", "in", ("help", "x")), Condition("url", "empty")))
    answer = search_knowledge(application, caller(), "help", SearchRequest("x", where=where))
    with application.database.read() as connection:
        kept = read_search(connection, answer["search_id"])["request"]
    assert kept["sources"] == ["help"]
    assert kept["where"]["operator"] == "or"
    assert kept["where"]["parts"][0] == {"key": "source", "operator": "in", "value": ["help", "x"]}


def test_too_many_conditions_and_unknown_sources_are_refused(application: Application) -> None:
    sync(application)
    many = Conditions("or", (Condition("url", "empty"),) * 101)
    with pytest.raises(InvalidInputError, match="100 comparisons"):
        search_knowledge(application, caller(), "default", SearchRequest("x", where=many))
    for name in ("unheard", "rules"):
        with pytest.raises(NotFoundError):
            search_knowledge(application, caller(Audience.PUBLIC), name, SearchRequest("x"))
