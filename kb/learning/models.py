"""SQL for learned models: versions, the one in force, and what a view of it needs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from kb import audit, intake
from kb.clock import format_instant
from kb.errors import ConflictError, NotFoundError
from kb.learning.ranker import Ranker
from kb.tables import documents, learned_models, passed_over
from kb.types import Audience

KEPT_MODELS = 12


@dataclass(frozen=True, slots=True)
class LearnedModel:
    """One version: readable weights for each audience, and what they were fitted on."""

    model_id: str
    fitted_at: datetime
    until: datetime
    """Judgements known by then count as precedents."""
    recipe: str
    """Of the encoder whose vectors it was fitted on."""
    rankers: Mapping[Audience, Ranker]
    evaluation: Mapping[str, Any]
    active: bool = False


def name_model(rankers: Mapping[Audience, Ranker], until: datetime, recipe: str) -> str:
    """The same data give the same name."""
    said = {audience.value: ranker.to_json() for audience, ranker in rankers.items()}
    told = json.dumps([said, format_instant(until), recipe], sort_keys=True)
    return "lm_" + hashlib.sha256(told.encode()).hexdigest()[:16]


def write_model(
    connection: Connection,
    model: LearnedModel,
    passed: Mapping[Audience, AbstractSet[str]],
) -> None:
    """Store a version without serving it; the same version again replaces itself, and goes on
    serving if it did.

    Versions newer than the one in force were rolled back: they go, so that no later roll-back
    leads to them.

    Args:
        connection: The caller's transaction.
        model: The version.
        passed: Documents an audience was often shown and never helped by: those without a
            precedent no longer keep their unlearned place.
    """
    held = read_models(connection)
    place = next((i for i, version in enumerate(held) if version.active), len(held))
    serves = place < len(held) and held[place].model_id == model.model_id
    for outdated in {*(version.model_id for version in held[:place]), model.model_id}:
        _delete_model(connection, outdated)
    connection.execute(
        insert(learned_models).values(
            id=model.model_id,
            fitted_at=model.fitted_at,
            until=model.until,
            recipe=model.recipe,
            model={a.value: ranker.to_json() for a, ranker in model.rankers.items()},
            evaluation=dict(model.evaluation),
            active=serves,
        )
    )
    live = set(
        connection.execute(select(documents.c.id).where(documents.c.deleted_at.is_(None))).scalars()
    )
    rows = [
        {"model_id": model.model_id, "audience": audience.value, "document_id": key}
        for audience, keys in passed.items()
        for key in sorted(keys & live)
    ]
    if rows:
        connection.execute(insert(passed_over), rows)


def activate_model(
    connection: Connection, model_id: str | None, *, actor: str, now: datetime
) -> None:
    """Serve a version from the next search on; None serves the unlearned ranking.

    Raises:
        NotFoundError: There is no such version.
    """
    before = connection.execute(select(learned_models.c.id).where(learned_models.c.active)).scalar()
    evaluation = None
    if model_id is not None:
        row = connection.execute(
            select(learned_models.c.evaluation).where(learned_models.c.id == model_id)
        ).first()
        if row is None:
            raise NotFoundError("learned model", model_id)
        evaluation = row.evaluation
    intake.next_sequence(connection)
    connection.execute(update(learned_models).values(active=False))
    connection.execute(
        update(learned_models).where(learned_models.c.id == model_id).values(active=True)
    )
    audit.write_entry(
        connection, at=now, actor=actor, action="learned.activate",
        subject=model_id or "unlearned",
        details={"before": before, "after": model_id, "evaluation": evaluation},
    )  # fmt: skip


def roll_back(connection: Connection, *, actor: str, now: datetime) -> str | None:
    """Serve the version before the one in force, or the unlearned ranking where there is none.

    Returns:
        The version that serves now.

    Raises:
        ConflictError: Nothing learned is in force.
    """
    found = read_models(connection)
    place = next((i for i, model in enumerate(found) if model.active), None)
    if place is None:
        raise ConflictError("no learned model is in force")
    earlier = found[place + 1].model_id if place + 1 < len(found) else None
    activate_model(connection, earlier, actor=actor, now=now)
    return earlier


def prune_models(connection: Connection) -> None:
    """Delete all but the newest versions and the one in force."""
    for model in read_models(connection)[KEPT_MODELS:]:
        if not model.active:
            _delete_model(connection, model.model_id)


def _delete_model(connection: Connection, model_id: str) -> None:
    connection.execute(delete(passed_over).where(passed_over.c.model_id == model_id))
    connection.execute(delete(learned_models).where(learned_models.c.id == model_id))


def read_models(connection: Connection) -> list[LearnedModel]:
    """All versions, newest first."""
    rows = connection.execute(
        select(learned_models).order_by(
            learned_models.c.fitted_at.desc(), learned_models.c.id.desc()
        )
    )
    return [
        LearnedModel(
            row.id,
            row.fitted_at,
            row.until,
            row.recipe,
            {Audience(name): Ranker.from_json(said) for name, said in row.model.items()},
            row.evaluation,
            row.active,
        )
        for row in rows
    ]


def read_active(connection: Connection) -> LearnedModel | None:
    return next((model for model in read_models(connection) if model.active), None)


def read_passed_over(connection: Connection, model_id: str) -> dict[Audience, frozenset[str]]:
    rows = connection.execute(select(passed_over).where(passed_over.c.model_id == model_id))
    found: dict[Audience, set[str]] = {}
    for row in rows:
        found.setdefault(Audience(row.audience), set()).add(row.document_id)
    return {audience: frozenset(keys) for audience, keys in found.items()}
