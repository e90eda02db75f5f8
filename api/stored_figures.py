"""Figures of what is stored, for `/metrics`: the index, the jobs, gaps and drafts."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, func, select

from api.meters import StoredFigure
from gaps.tables import drafts, gaps
from kb.jobs import DONE
from kb.tables import chunks, documents, generations, index_state, job_runs


def read_stored_figures(connection: Connection, now: datetime) -> dict[str, StoredFigure]:
    """By name of the gauge; all of them, whether there is something or not."""
    return {
        **_read_index(connection, now),
        "kb_job_last_success_timestamp_seconds": StoredFigure(
            "When each job was last done.", _read_jobs(connection), ("job",)
        ),
        "kb_gaps": StoredFigure(
            "Gaps by kind and status.", _count(connection, gaps.c.kind, gaps.c.status),
            ("kind", "status"),
        ),
        "kb_drafts": StoredFigure(
            "Drafts by state.", _count(connection, drafts.c.state), ("state",)
        ),
        "kb_documents": StoredFigure(
            "Documents that are served.",
            [((), float(connection.execute(
                select(func.count()).select_from(documents).where(documents.c.deleted_at.is_(None))
            ).scalar_one()))],
        ),
    }  # fmt: skip


def _read_index(connection: Connection, now: datetime) -> dict[str, StoredFigure]:
    state = connection.execute(
        select(
            index_state.c.last_seq, generations.c.id, generations.c.created_at,
            generations.c.chunk_count, generations.c.watermark_seq,
        ).outerjoin_from(
            index_state, generations, generations.c.id == index_state.c.active_generation
        )
    ).first()  # fmt: skip
    watermark, age, sealed_count, named = 0, 0.0, 0.0, []
    if state is not None and state.id is not None:
        watermark, sealed_count = state.watermark_seq, float(state.chunk_count)
        age, named = (now - state.created_at).total_seconds(), [((state.id,), 1.0)]
    live = select(func.count()).select_from(chunks).where(chunks.c.live)
    served = connection.execute(live).scalar_one()
    fresh = connection.execute(live.where(chunks.c.index_seq > watermark)).scalar_one()
    sequence = float(state.last_seq) if state is not None else 0.0
    return {
        "kb_index_generation": StoredFigure("The one that serves.", named, ("generation",)),
        "kb_index_age_seconds": StoredFigure("Since it was sealed.", [((), age)]),
        "kb_index_sealed_chunks": StoredFigure("Passages in it.", [((), sealed_count)]),
        "kb_index_fresh_chunks": StoredFigure("Passages beside it.", [((), float(fresh))]),
        "kb_chunks": StoredFigure("Passages that are served.", [((), float(served))]),
        "kb_index_sequence": StoredFigure("Changes of what is served.", [((), sequence)]),
    }


def _read_jobs(connection: Connection) -> list[tuple[tuple[str, ...], float]]:
    rows = connection.execute(
        select(job_runs.c.job, func.max(job_runs.c.finished_at))
        .where(job_runs.c.status == DONE)
        .group_by(job_runs.c.job)
    )
    return [((job,), at.timestamp()) for job, at in rows if at is not None]


def _count(connection: Connection, *columns: object) -> Iterable[tuple[tuple[str, ...], float]]:
    rows = connection.execute(select(*columns, func.count()).group_by(*columns))  # type: ignore[call-overload]
    return [(tuple(str(value) for value in row[:-1]), float(row[-1])) for row in rows]
