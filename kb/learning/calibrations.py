"""SQL for fitted confidences: one is in force, earlier ones stay readable."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from kb import audit
from kb.confidence import Calibration
from kb.tables import calibrations


def write_calibration(
    connection: Connection, calibration: Calibration, *, actor: str, now: datetime
) -> None:
    """Store the calibration and make it the one in force."""
    connection.execute(update(calibrations).values(active=False))
    connection.execute(
        insert(calibrations).values(
            name=calibration.name,
            fitted_at=now,
            model=calibration.to_json(),
            evaluation=calibration.evaluation,
            active=True,
        )
    )
    audit.write_entry(
        connection,
        at=now,
        actor=actor,
        action="confidence.fit",
        subject=calibration.name,
        details=calibration.evaluation,
    )


def read_calibration(connection: Connection) -> Calibration | None:
    """The calibration in force, if one was fitted here."""
    model = connection.execute(select(calibrations.c.model).where(calibrations.c.active)).scalar()
    return Calibration.from_json(model) if model else None
