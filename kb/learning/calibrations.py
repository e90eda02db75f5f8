"""SQL for fitted confidences: one a ranking and audience, and what a search states now."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update

from kb import audit, intake
from kb.confidence import Calibration
from kb.tables import calibrations
from kb.types import Audience

KEPT = 24


def write_calibrations(
    connection: Connection,
    fitted: Mapping[Audience, Calibration],
    *,
    name: str,
    recipe: str,
    actor: str,
    now: datetime,
) -> None:
    """Store what was fitted together; every process states it from its next search on.

    Args:
        connection: The caller's transaction.
        fitted: By audience; each names the ranking it was fitted on.
        name: What responses call them.
        recipe: The encoder's.
        actor: Who asked for it.
        now: Dates them.
    """
    evaluation = {audience.value: found.evaluation for audience, found in fitted.items()}
    intake.next_sequence(connection)
    connection.execute(update(calibrations).values(active=False))
    connection.execute(
        insert(calibrations).values(
            name=name,
            fitted_at=now,
            model={
                "recipe": recipe,
                "audiences": {a.value: found.to_json() for a, found in fitted.items()},
            },
            evaluation=evaluation,
            active=True,
        )
    )
    newest = select(calibrations.c.id).order_by(calibrations.c.id.desc()).limit(KEPT)
    connection.execute(delete(calibrations).where(calibrations.c.id.not_in(newest)))
    audit.write_entry(
        connection, at=now, actor=actor, action="confidence.fit", subject=name, details=evaluation
    )


def read_calibration(
    connection: Connection, audience: Audience, *, recipe: str, ranking: str | None
) -> Calibration | None:
    """The newest fitted here on the ranking that serves the audience; else the newest, as stale.

    A ranking rolled back to thus brings its own calibration back.

    Args:
        connection: A snapshot.
        audience: Who asks.
        recipe: The encoder's; what another's vectors gave is never stated.
        ranking: The learned model that ranks for the audience, None for the unlearned ranking.
    """
    stale: Calibration | None = None
    rows = connection.execute(select(calibrations.c.model).order_by(calibrations.c.id.desc()))
    for row in rows:
        said = row.model.get("audiences", {}).get(audience.value)
        if said is None or row.model.get("recipe") != recipe:
            continue
        found = Calibration.from_json(said)
        if not found.is_current:
            continue
        if found.ranking == ranking:
            return found
        stale = stale or replace(found, name=f"{found.name} (stale)")
    return stale


@dataclass(frozen=True, slots=True)
class _Read:
    state: Hashable
    found: dict[tuple[Audience, str | None], Calibration | None]


class CalibrationsInForce:
    """What is stated at one state of the index; read again when that moves on."""

    def __init__(self, recipe: str) -> None:
        self._recipe = recipe
        self._read = _Read(None, {})

    def read(
        self, connection: Connection, state: Hashable, audience: Audience, ranking: str | None
    ) -> Calibration | None:
        """As `read_calibration` in the state's snapshot."""
        held = self._read
        if held.state != state:
            held = self._read = _Read(state, {})
        key = (audience, ranking)
        if key not in held.found:
            held.found[key] = read_calibration(
                connection, audience, recipe=self._recipe, ranking=ranking
            )
        return held.found[key]
