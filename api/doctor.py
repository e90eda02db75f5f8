"""What an operator should know about an installation, each finding green, look or red."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from api.settings.edge import CLIENT_SECRET_VARIABLE
from api.settings.environment import read_secret
from kb.audit import verify_chain
from kb.encoding.embedded import EMBEDDED_MODEL
from kb.encoding.prepared import PreparedModels
from kb.errors import KbError
from kb.retrieval.index import read_state
from kb.tables import people

if TYPE_CHECKING:
    from api.wiring import Application

Finding = dict[str, str]
SOUND_SQLITE = (3, 51, 3)
"""First release without the WAL-reset corruption of 3.7.0 to 3.51.2 (sqlite.org/changes.html)."""


def examine(application: Application) -> list[Finding]:
    """Look at settings, database, index, audit chain and encoder; changes nothing."""
    return [
        _finding("settings", "green", f"{len(application.settings.sources)} sources"),
        _examine_sqlite(application),
        _examine_index(application),
        _examine_audit(application),
        _examine_encoder(application),
        _examine_language_model(application),
        _examine_notices(application),
        _examine_sign_in(application),
    ]


def _finding(name: str, verdict: str, detail: str) -> Finding:
    return {"name": name, "verdict": verdict, "detail": detail}


def _examine_sqlite(application: Application) -> Finding:
    if not application.database.is_sqlite:
        return _finding("database", "green", application.database.engine.dialect.name)
    version = sqlite3.sqlite_version
    if sqlite3.sqlite_version_info < SOUND_SQLITE:
        return _finding(
            "database",
            "look",
            f"SQLite {version} has the WAL-reset fault fixed in 3.51.3: several processes that "
            "checkpoint at once can damage the file; keep backups, or use a newer SQLite",
        )
    return _finding("database", "green", f"SQLite {version}")


def _examine_index(application: Application) -> Finding:
    with application.database.read() as connection:
        active = read_state(connection).generation
    if active is None:
        return _finding("index", "look", "no generation yet: search is exact; run 'kb index build'")
    try:
        generation = application.generations.read(active)
        application.generations.verify(generation)
    except KbError as error:
        return _finding("index", "red", f"{error.message}; run 'kb index build'")
    if generation.recipe != application.encoder.recipe:
        return _finding("index", "red", "built with another encoder; run 'kb index build'")
    return _finding("index", "green", f"{active}, {generation.chunk_count} chunks")


def _examine_audit(application: Application) -> Finding:
    try:
        with application.database.read() as connection:
            count, head = verify_chain(connection)
    except KbError as error:
        return _finding("audit", "red", error.message)
    return _finding("audit", "green", f"{count} entries, head {head[:12]}")


def _examine_encoder(application: Application) -> Finding:
    try:
        application.encoder.encode(["is the encoder there?"])
    except KbError as error:
        return _finding("encoder", "red", error.message)
    wanted = application.settings.encoder
    embedded = wanted.kind == "sentence-transformers" and wanted.model == EMBEDDED_MODEL
    if not embedded or wanted.backend != "auto":
        return _finding("encoder", "green", application.encoder.recipe)
    choice = PreparedModels(application.environment.find_model_cache()).choose()
    verdict = "green" if choice.backend == "onnx-int8" else "look"
    return _finding("encoder", verdict, f"{application.encoder.recipe} ({choice.describe()})")


def _examine_language_model(application: Application) -> Finding:
    wanted = application.settings.language_model
    if wanted.base_url is None:
        return _finding("language model", "green", "none: drafts are extractive")
    try:
        model = application.language_model
    except KbError as error:
        return _finding("language model", "red", error.message)
    keyed = "with a key" if application.environment.language_model_key else "without a key"
    name = model.name if model is not None else wanted.model
    return _finding("language model", "green", f"{name} at {wanted.base_url}, {keyed}; not asked")


def _examine_notices(application: Application) -> Finding:
    try:
        reached = {
            owner.name: application.notices.channels_of(owner.name)
            for owner in application.settings.owners
        }
    except KbError as error:
        return _finding("notices", "red", error.message)
    given_up = sum(
        notice["status"] == "given up"
        for notice in application.notices.list_notices(unsent_only=True, limit=10_000)
    )
    if given_up:
        return _finding("notices", "look", f"{given_up} given up: kb notices list --unsent")
    deaf = sorted(name for name, ways in reached.items() if not ways)
    if deaf:
        return _finding("notices", "look", f"nothing reaches {', '.join(deaf)}; see [notices]")
    return _finding("notices", "green", f"{len(reached)} owners are reached")


def _examine_sign_in(application: Application) -> Finding:
    said = application.settings.sign_in
    if said.openid_issuer is not None:
        try:
            read_secret(CLIENT_SECRET_VARIABLE)
        except KbError as error:
            return _finding("sign-in", "red", f"{said.openid_issuer}: {error.message}")
    with application.database.read() as connection:
        count = connection.execute(
            select(func.count()).select_from(people).where(people.c.disabled_at.is_(None))
        ).scalar_one()
    if count == 0 and said.openid_issuer is None and not said.keys:
        return _finding("sign-in", "red", "nobody can sign in; add people with 'kb people add'")
    keys = "keys sign in too" if said.keys else "keys do not"
    return _finding("sign-in", "green", f"{count} people, {keys}")
