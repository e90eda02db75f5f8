"""Sealed Chroma generations: built by a child process, probed, manifested, opened read-only.

Chroma never takes a live write here: a kill during an upsert ruins a store and two writers lose
vectors in silence (docs/operations.md, "Why the index is a disposable build"). A generation is a
directory that is complete or does not count; the database points at the one that serves.

Chroma writes to its files even when it only reads (its SQLite file at every open, small segments'
`length.bin` too), so every process opens a copy of its own and the sealed files keep their digests.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from sqlalchemy import insert, select, update

from kb import audit, intake
from kb.database import Database
from kb.errors import ConflictError, IndexAwayError, IntegrityError, UnavailableError
from kb.ports import Vectors
from kb.tables import generations, index_state

MANIFEST = "manifest.json"
BUILD_TIMEOUT_SECONDS = 3_600
_HEAVY_FAILURE_CHARACTERS = 800


@dataclass(frozen=True, slots=True)
class Generation:
    """A sealed build as the database knows it."""

    generation_id: str
    recipe: str
    watermark_seq: int
    chunk_count: int
    manifest_hash: str
    created_at: datetime
    activated_at: datetime | None
    evaluation: dict[str, Any] | None


class GenerationStore:
    """The generations of one data folder."""

    def __init__(self, database: Database, folder: Path) -> None:
        self._database = database
        self._folder = folder / "generations"
        self._runtime = folder / "runtime"

    def build(self, recipe: str, *, now: datetime) -> Generation:
        """Seal a generation of everything live; it does not serve until activated.

        Raises:
            ConflictError: Another process is building.
            IntegrityError: The build does not find its own vectors, or embeddings are missing.
            UnavailableError: The child process died.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self._folder / "build.lock", timeout=0):
                return self._build(recipe, now)
        except Timeout:
            raise ConflictError("another process is building the index") from None

    def _build(self, recipe: str, now: datetime) -> Generation:
        self._remove_leftovers()
        generation_id = "gen_" + os.urandom(8).hex()
        staging = self._folder / f"{generation_id}.tmp"
        staging.mkdir()
        job = {"database": self._database.url, "recipe": recipe, "directory": str(staging)}
        facts = self._run_child("build", job)
        self._run_child("probe", job | facts)
        manifest = {"generation": generation_id, "recipe": recipe, **facts}
        manifest["files"] = _digest_files(staging)
        content = json.dumps(manifest, sort_keys=True, indent=1).encode()
        _write_durably(staging / MANIFEST, content)
        staging.rename(self._folder / generation_id)
        _sync_directory(self._folder)
        row = {
            "id": generation_id,
            "recipe": recipe,
            "watermark_seq": facts["watermark"],
            "chunk_count": facts["chunks"],
            "manifest_hash": hashlib.sha256(content).hexdigest(),
            "created_at": now,
        }
        with self._database.write() as connection:
            connection.execute(insert(generations).values(**row))
        return self.read(generation_id)

    def _remove_leftovers(self) -> None:
        """Clear what killed builds and prunings left: folders that no row tells of."""
        known = {generation.generation_id for generation in self.read_all()}
        for path in self._folder.glob("gen_*"):
            if path.name not in known:
                shutil.rmtree(path, ignore_errors=True)

    def _run_child(self, task: str, job: dict[str, Any]) -> dict[str, Any]:
        done = subprocess.run(
            [sys.executable, "-m", "kb.generation_child", task],
            input=json.dumps(job),
            capture_output=True,
            text=True,
            timeout=BUILD_TIMEOUT_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            last = done.stderr.strip()[-_HEAVY_FAILURE_CHARACTERS:]
            if done.returncode == 3:
                raise IntegrityError(f"index {task}: {last}")
            raise UnavailableError(f"index {task} ended with {done.returncode}: {last}")
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def activate(self, generation_id: str, *, actor: str, now: datetime) -> None:
        """Point search at a sealed generation; the whole switch is one row in one commit.

        Raises:
            IntegrityError: Its files are not the ones that were sealed.
        """
        generation = self.read(generation_id)
        self.verify(generation)
        with self._database.write() as connection:
            intake.next_sequence(connection)
            before = connection.execute(select(index_state.c.active_generation)).scalar()
            connection.execute(update(index_state).values(active_generation=generation_id))
            connection.execute(
                update(generations)
                .where(generations.c.id == generation_id)
                .values(activated_at=now)
            )
            audit.write_entry(
                connection,
                at=now,
                actor=actor,
                action="index.activate",
                subject=generation_id,
                details={"before": before, "chunks": generation.chunk_count},
            )

    def read(self, generation_id: str) -> Generation:
        for generation in self.read_all():
            if generation.generation_id == generation_id:
                return generation
        raise IntegrityError(f"no generation {generation_id!r}")

    def read_all(self) -> list[Generation]:
        """Sealed generations, newest first."""
        with self._database.read() as connection:
            rows = connection.execute(
                select(generations).order_by(generations.c.created_at.desc(), generations.c.id)
            )
            return [Generation(*row) for row in rows]

    def verify(self, generation: Generation) -> None:
        """Compare every file with the manifest, and the manifest with the database.

        Raises:
            IntegrityError: Something differs; says what.
        """
        directory = self._folder / generation.generation_id
        try:
            content = (directory / MANIFEST).read_bytes()
        except OSError as error:
            raise IntegrityError(f"{generation.generation_id}: no manifest ({error})") from error
        if hashlib.sha256(content).hexdigest() != generation.manifest_hash:
            raise IntegrityError(f"{generation.generation_id}: the manifest was changed")
        wanted = json.loads(content)["files"]
        found = _digest_files(directory)
        for name in sorted(set(wanted) | set(found)):
            if wanted.get(name) != found.get(name):
                raise IntegrityError(
                    f"{generation.generation_id}: {name} differs from the manifest"
                )

    def open(self, generation: Generation) -> ChromaVectorIndex:
        """Verify a generation and open it for reading.

        Raises:
            IntegrityError: Its files are not the ones that were sealed.
            UnavailableError: Chroma cannot read it.
        """
        self.verify(generation)
        self._runtime.mkdir(parents=True, exist_ok=True)
        self._remove_dead_runtimes()
        private = Path(
            tempfile.mkdtemp(prefix=f"{os.getpid()}-{generation.generation_id}-", dir=self._runtime)
        )
        sealed = self._folder / generation.generation_id
        shutil.copytree(
            sealed, private, dirs_exist_ok=True, ignore=shutil.ignore_patterns(MANIFEST)
        )
        return ChromaVectorIndex(generation.generation_id, private)

    def prune(self, *, keep: int = 3) -> list[str]:
        """Delete sealed generations beyond the newest few; never the one that serves.

        Readers that hold a deleted one keep their own copy until they let go.
        """
        with self._database.read() as connection:
            active = connection.execute(select(index_state.c.active_generation)).scalar()
        doomed = [g.generation_id for g in self.read_all()[keep:] if g.generation_id != active]
        for generation_id in doomed:
            with self._database.write() as connection:
                connection.execute(generations.delete().where(generations.c.id == generation_id))
            shutil.rmtree(self._folder / generation_id, ignore_errors=True)
        return doomed

    def _remove_dead_runtimes(self) -> None:
        for leftover in self._runtime.iterdir():
            pid = leftover.name.split("-", 1)[0]
            if pid.isdigit() and not Path(f"/proc/{pid}").exists():
                shutil.rmtree(leftover, ignore_errors=True)


class ChromaVectorIndex:
    """A sealed generation opened for reading through Chroma.

    Its files and memory are let go with the last request that holds it.
    """

    def __init__(self, generation: str, directory: Path) -> None:
        self._generation = generation
        self._let_go = weakref.finalize(self, _remove_private, None, directory)
        try:
            client = open_chroma(directory)
            self._let_go.detach()
            self._let_go = weakref.finalize(self, _remove_private, client, directory)
            self._collections = {
                name.removeprefix("chunks-"): client.get_collection(name, embedding_function=None)
                for name in (c.name for c in client.list_collections())
            }
            self._sizes = {name: c.count() for name, c in self._collections.items()}
        except Exception as error:
            self._let_go()
            raise UnavailableError(f"index {generation}: {error}") from error

    @property
    def generation(self) -> str:
        return self._generation

    def nearest(
        self, vector: Vectors, audiences: Sequence[str], limit: int
    ) -> list[tuple[str, float]]:
        found: list[tuple[str, float]] = []
        query: Any = [np.asarray(vector, np.float32)]
        for audience in audiences:
            size = self._sizes.get(audience, 0)
            if size == 0:
                continue
            try:
                answer = self._collections[audience].query(
                    query_embeddings=query, n_results=min(limit, size), include=["distances"]
                )
            except Exception as error:
                raise IndexAwayError(f"index {self._generation}: {error}") from error
            distances = (answer["distances"] or [[]])[0]
            found.extend(
                (chunk_id, 1.0 - float(distance))
                for chunk_id, distance in zip(answer["ids"][0], distances, strict=True)
            )
        found.sort(key=lambda pair: (-pair[1], pair[0]))
        return found[:limit]

    def close(self) -> None:
        self._collections.clear()
        self._let_go()


def _remove_private(client: Any, directory: Path) -> None:
    if client is not None:
        client.close()
    shutil.rmtree(directory, ignore_errors=True)


def open_chroma(directory: Path) -> Any:
    """A Chroma client on a folder, without telemetry."""
    import chromadb
    from chromadb.config import Settings

    return chromadb.PersistentClient(
        path=str(directory), settings=Settings(anonymized_telemetry=False)
    )


def _digest_files(directory: Path) -> dict[str, str]:
    digests = {}
    for path in sorted(directory.rglob("*")):
        if path.is_file() and path.name != MANIFEST:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            digests[str(path.relative_to(directory))] = digest
    return digests


def _write_durably(path: Path, content: bytes) -> None:
    for file in path.parent.rglob("*"):
        if file.is_file():
            with file.open("rb") as handle:
                os.fsync(handle.fileno())
    with path.open("wb") as handle:
        handle.write(content)
        handle.flush()
        os.fsync(handle.fileno())
    _sync_directory(path.parent)


def _sync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
