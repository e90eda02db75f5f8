"""Builders for the tests of freshness."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from gaps.freshness.facts import ArticleFacts, World
from gaps.freshness.terms import read_article_text
from tests.kb.factories import make_document

NOW = datetime(2026, 11, 9, 9, tzinfo=UTC)


def make_facts(markdown: str = "Press the pin.", **known: Any) -> ArticleFacts:
    """Facts of an article verified ten days ago; `known` are fields, `said` its metadata."""
    said = {"last_verified_at": NOW - timedelta(days=10), **known.pop("said", {})}
    document = make_document("a", updated_at=NOW - timedelta(days=60), **said)
    basics: dict[str, Any] = {"text": read_article_text(markdown), "interval_days": 180}
    return ArticleFacts(document, **{**basics, **known})


def make_world(**known: Any) -> World:
    return World(NOW, **known)
