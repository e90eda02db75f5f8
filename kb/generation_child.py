"""What runs in the child process: build a generation, or probe one. Not imported by the product.

Reads its job as JSON on standard input and answers in JSON on standard output; exits 3 when the
build is not what it must be.
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import func, select

from kb.database import Database
from kb.generation import open_chroma
from kb.tables import chunks, documents, embeddings, index_state
from kb.types import Audience

ADD_BATCH = 2_000
PROBE_COUNT = 200
PROBE_NEIGHBOURS = 10
PROBE_RECALL = 0.95
"""Share of the exact neighbours a sound HNSW index must return; a damaged one gives under 0.6."""
BYTES_PER_CHUNK = 40_000
SMALLEST_FILE_LIMIT = 256 * 1024 * 1024


def build(job: dict[str, Any]) -> dict[str, Any]:
    """Write one collection an audience from one snapshot of the database."""
    rows, watermark = _read_live(Database(job["database"]), job["recipe"])
    _limit_file_size(len(rows))
    client = open_chroma(Path(job["directory"]))
    for audience in Audience:
        members = [row for row in rows if row[1] == audience.value]
        collection = client.create_collection(
            f"chunks-{audience.value}",
            configuration={"hnsw": {"space": "cosine"}},
            embedding_function=None,
        )
        for start in range(0, len(members), ADD_BATCH):
            batch = members[start : start + ADD_BATCH]
            collection.add(
                ids=[row[0] for row in batch],
                embeddings=np.stack([row[2] for row in batch]),
            )
    return {"watermark": watermark, "chunks": len(rows)}


def probe(job: dict[str, Any]) -> dict[str, Any]:
    """Compare nearest neighbours with exact search for a spread of stored vectors."""
    rows, _ = _read_live(Database(job["database"]), job["recipe"])
    client = open_chroma(Path(job["directory"]))
    recalls = []
    total = 0
    for audience in Audience:
        collection = client.get_collection(f"chunks-{audience.value}", embedding_function=None)
        held = set(collection.get(include=[])["ids"])
        size = len(held)
        total += size
        if size == 0:
            continue
        members = [row for row in rows if row[0] in held]
        matrix = np.stack([row[2] for row in members]) if members else np.zeros((0, 1))
        step = max(1, len(members) // PROBE_COUNT)
        wanted = min(PROBE_NEIGHBOURS, len(members))
        for position in range(0, len(members), step):
            exact = matrix @ matrix[position]
            limit = np.sort(exact)[-wanted] - 1e-4
            answer = collection.query(
                query_embeddings=[matrix[position]], n_results=min(size, wanted)
            )
            near = {row[0] for row, value in zip(members, exact, strict=True) if value >= limit}
            recalls.append(len(near & set(answer["ids"][0])) / wanted)
    if total != job["chunks"]:
        raise ValueError(f"the built index holds {total} of {job['chunks']} chunks")
    recall = float(np.mean(recalls)) if recalls else 1.0
    if recall < PROBE_RECALL:
        raise ValueError(f"the built index finds {recall:.2f} of the exact neighbours")
    return {"recall": recall, "probes": len(recalls)}


def _read_live(database: Database, recipe: str) -> tuple[list[tuple[str, str, Any]], int]:
    with database.read() as connection:
        watermark = connection.execute(select(index_state.c.last_seq)).scalar() or 0
        live = connection.execute(
            select(func.count()).select_from(chunks).where(chunks.c.live)
        ).scalar_one()
        found = connection.execute(
            select(chunks.c.id, documents.c.audience, embeddings.c.vector)
            .join(documents, documents.c.id == chunks.c.document_id)
            .join(embeddings, embeddings.c.content_hash == chunks.c.content_hash)
            .where(chunks.c.live, embeddings.c.recipe == recipe)
            .order_by(chunks.c.id)
        )
        rows = [(row.id, row.audience, np.frombuffer(row.vector, np.float32)) for row in found]
    if len(rows) != live:
        raise ValueError(f"{live - len(rows)} live chunks have no embedding under {recipe}")
    return rows, int(watermark)


def _limit_file_size(count: int) -> None:
    """Stop a runaway index file (chroma has grown one to terabytes) at a generous bound."""
    limit = max(SMALLEST_FILE_LIMIT, count * BYTES_PER_CHUNK)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))


def main() -> int:
    job = json.loads(sys.stdin.read())
    try:
        answer = {"build": build, "probe": probe}[sys.argv[1]](job)
    except ValueError as error:
        sys.stderr.write(str(error))
        return 3
    sys.stdout.write(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main())
