"""Drafts of before: they get a due date and their worst check, and no evidence is made up."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config

from gaps.drafting.handling import read_dates
from gaps.drafting.snapshot import find_changes, read_snapshot
from kb.database import MIGRATIONS, Database

BEFORE = "0004"
AT = "2026-11-01 09:00:00.000000"


@pytest.fixture
def database(tmp_path: Path) -> Database:
    """As a database of before the review page was, with one draft."""
    database = Database(f"sqlite:///{tmp_path / 'kb.db'}")
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with database.write() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, BEFORE)
        connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
        checks = json.dumps([
            {"name": "length", "verdict": "look", "detail": ""},
            {"name": "citations", "verdict": "green", "detail": ""},
        ])  # fmt: skip
        connection.exec_driver_sql(
            "INSERT INTO gap_runs (id, at, report) VALUES ('r', ?, '{}')", (AT,)
        )
        connection.exec_driver_sql(
            "INSERT INTO topics (id, title, terms, centroid, recipe, created_at, updated_at)"
            " VALUES ('t', 'T', '[]', x'00', 'x', ?, ?)", (AT, AT),
        )  # fmt: skip
        connection.exec_driver_sql(
            "INSERT INTO gaps (id, topic_id, kind, status, title, terms, priority, probability,"
            " impact_per_week, audience, owner, ticket_ids, document_ids, reasons, weekly_counts,"
            " first_seen_at, last_seen_at, created_at, updated_at, run_id) VALUES ('g', 't',"
            " 'missing', 'drafting', 'G', '[]', 1, 1, 1, 'public', 'ines', '[]', '[]', '[]', '[]',"
            " ?, ?, ?, ?, 'r')", (AT,) * 4,
        )  # fmt: skip
        connection.exec_driver_sql(
            "INSERT INTO drafts (id, gap_id, state, source, audience, owner, title, markdown,"
            " statements, checks, held_back_ids, draft_hash, created_at, updated_at) VALUES ('d',"
            " 'g', 'in_review', 'help', 'public', 'ines', 'T', 'M', '[]', ?, '[]', 'h', ?, ?)",
            (checks, AT, AT),
        )
    return database


def test_a_draft_of_before_gets_its_date_and_worst_check(database: Database) -> None:
    database.migrate()
    with database.read() as connection:
        due = datetime(2026, 11, 1, 9, tzinfo=UTC) + timedelta(days=7)
        assert read_dates(connection, "d").due_at == due
        verdict = connection.exec_driver_sql("SELECT verdict FROM drafts").scalar_one()
        assert verdict == "look"
        assert read_snapshot(connection, "d") is None
        assert find_changes(connection, "d", ()) == ()
    database.close()
