"""Sealed generations: a damaged one is never served, a killed build changes nothing."""

from __future__ import annotations

import gc
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock
from sqlalchemy import select, text

from kb import generation as generation_module
from kb.encoding.hashing import HashingEncoder
from kb.errors import ConflictError, IntegrityError, UnavailableError
from kb.generation import GenerationStore
from kb.retrieval.index import read_state
from kb.tables import generations
from kb.types import Audience
from tests.kb.factories import NOW, Knowledge, make_parsed

TOPICS = "router phone billing valve vpn client refund meter boiler invoice".split()
AUDIENCES = list(Audience)


@pytest.fixture(scope="module")
def sealed_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A knowledge base with one served generation, copied by every test that changes it."""
    folder = tmp_path_factory.mktemp("sealed")
    knowledge = Knowledge(folder)
    knowledge.put(
        *(
            make_parsed(f"{topic}-{place}", f"How to reset the {topic}, way {place}.",
                        audience=AUDIENCES[place % 4])
            for topic in TOPICS
            for place in range(4)
        )
    )  # fmt: skip
    knowledge.build()
    knowledge.close()
    return folder


@pytest.fixture
def sealed(sealed_folder: Path, tmp_path: Path) -> Iterator[Knowledge]:
    shutil.copytree(sealed_folder, tmp_path / "kb")
    knowledge = Knowledge(tmp_path / "kb")
    yield knowledge
    knowledge.close()


def served(knowledge: Knowledge) -> str | None:
    with knowledge.database.read() as connection:
        return read_state(connection).generation


def files_of(knowledge: Knowledge, generation_id: str | None = None) -> dict[str, str]:
    folder = knowledge.folder / "generations" / (generation_id or str(served(knowledge)))
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def answers(knowledge: Knowledge) -> dict[str, list[tuple[str, float]]]:
    return {
        f"{topic} {audience}": [
            (hit.chunk.chunk_id, round(hit.score, 5))
            for hit in knowledge.ask(f"reset the {topic}", audience).hits
        ]
        for topic in TOPICS[:5]
        for audience in Audience
    }


def test_a_sealed_generation_answers_as_the_exact_search_does(sealed: Knowledge) -> None:
    sealed_answers = answers(sealed)
    assert sealed.ask("reset").degraded == ()
    assert sealed.ask("reset").generation == served(sealed)
    with sealed.database.write() as connection:
        connection.execute(text("UPDATE index_state SET active_generation = NULL"))
    sealed.forget()
    assert answers(sealed) == sealed_answers


def test_reading_changes_no_sealed_file(sealed: Knowledge) -> None:
    before = files_of(sealed)
    answers(sealed)
    sealed.forget()
    assert files_of(sealed) == before
    sealed.store.verify(sealed.store.read_all()[0])


def sealed_names(folder: Path) -> list[str]:
    generation = next((folder / "generations").glob("gen_*"))
    return sorted(str(p.relative_to(generation)) for p in generation.rglob("*") if p.is_file())


def test_a_flipped_byte_in_any_file_takes_the_generation_out_and_answers_stay_right(
    sealed_folder: Path, sealed: Knowledge
) -> None:
    wanted = answers(sealed)
    generation = str(served(sealed))
    names = sealed_names(sealed_folder)
    assert len(names) >= 6
    for name in names:
        path = sealed.folder / "generations" / generation / name
        raw = path.read_bytes()
        if not raw:
            continue
        for place in (0, len(raw) // 2, len(raw) - 1):
            sealed.forget()
            flipped = bytearray(raw)
            flipped[place] ^= 1
            path.write_bytes(flipped)
            with pytest.raises(IntegrityError):
                sealed.store.verify(sealed.store.read(generation))
            found = sealed.ask("reset the router")
            assert found.degraded == ("generation",), name
            path.write_bytes(raw)
        path.write_bytes(flipped)
        sealed.forget()
        assert answers(sealed) == wanted, name
        path.write_bytes(raw)
    sealed.forget()
    assert sealed.ask("reset").degraded == ()


@pytest.mark.parametrize(
    "damage", ["file missing", "file added", "manifest missing", "all missing"]
)
def test_a_missing_or_added_file_takes_the_generation_out(sealed: Knowledge, damage: str) -> None:
    wanted = answers(sealed)
    sealed.forget()
    folder = sealed.folder / "generations" / str(served(sealed))
    if damage == "file missing":
        next(folder.rglob("data_level0.bin")).unlink()
    elif damage == "file added":
        (folder / "extra.bin").write_bytes(b"")
    elif damage == "manifest missing":
        (folder / "manifest.json").unlink()
    else:
        shutil.rmtree(folder)
    assert sealed.ask("reset").degraded == ("generation",)
    assert answers(sealed) == wanted


def test_a_rebuild_after_damage_serves_sealed_again(sealed: Knowledge) -> None:
    next((sealed.folder / "generations" / str(served(sealed))).rglob("*.bin")).unlink()
    assert sealed.ask("reset").degraded == ("generation",)
    sealed.build()
    assert sealed.ask("reset").degraded == ()


def test_a_generation_of_another_encoder_is_not_served(sealed: Knowledge) -> None:
    other = Knowledge(sealed.folder, HashingEncoder(32))
    with pytest.raises(IntegrityError, match="no embedding"):
        other.store.build(other.encoder.recipe, now=NOW)
    assert other.ask("reset the router").degraded == ("generation",)
    other.put(make_parsed("new", "Reset the router anew."))
    assert "router-0" in other.find("reset the router")
    other.close()


def test_the_delta_serves_what_came_after_and_hides_what_went(sealed: Knowledge) -> None:
    sealed.put(make_parsed("router-0", "Reset the zeppelin."), make_parsed("new", "A zeppelin."))
    sealed.delete("router-1")
    found = sealed.ask("zeppelin")
    assert [hit.chunk.document.document_id for hit in found.hits][:2] in (
        ["new", "router-0"], ["router-0", "new"],
    )  # fmt: skip
    assert found.degraded == ()
    hits = sealed.ask("how to reset the router", top_k=50).hits
    assert "router-1" not in {h.chunk.document.document_id for h in hits}
    assert not [h for h in hits if "way 0" in h.chunk.text and "router" in h.chunk.text]


def test_an_audience_change_after_sealing_holds_in_both_directions(sealed: Knowledge) -> None:
    hidden = make_parsed("router-3", "How to reset the router, way 3.", audience=Audience.PUBLIC)
    shown = make_parsed("router-0", "How to reset the router, way 0.", audience=Audience.INTERNAL)
    assert sealed.find("router", Audience.PUBLIC)[:1] == ["router-0"]
    sealed.put_metadata(hidden)
    sealed.put_metadata(shown)
    assert "router-0" not in sealed.find("router", Audience.PARTNER, top_k=50)
    assert sealed.find("router", Audience.PUBLIC)[:1] == ["router-3"]


def test_rolling_back_is_moving_the_pointer_and_old_generations_are_pruned(
    sealed: Knowledge,
) -> None:
    first = str(served(sealed))
    sealed.put(make_parsed("new", "A zeppelin."))
    second = sealed.build().generation_id
    assert served(sealed) == second
    wanted = sealed.find("zeppelin router")
    sealed.store.activate(first, actor="t", now=NOW)
    assert sealed.ask("router").generation == first
    # The older generation serves the newer text all the same: the delta covers the difference.
    assert sealed.find("zeppelin router") == wanted
    assert sealed.store.prune(keep=1) in ([], [second])
    assert sealed.ask("router").generation == first
    kept = {p.name for p in (sealed.folder / "generations").glob("gen_*")}
    assert first in kept and len(kept) <= 2


def test_pruning_deletes_rows_and_folders_but_never_what_serves(sealed: Knowledge) -> None:
    first = str(served(sealed))
    with sealed.database.write() as connection:
        row = connection.execute(select(generations)).one()
        for number in range(4):
            name = f"gen_{number:016x}"
            connection.execute(
                generations.insert().values(**dict(row._mapping) | {"id": name, "created_at": NOW})
            )
            shutil.copytree(sealed.folder / "generations" / first,
                            sealed.folder / "generations" / name)  # fmt: skip
    sealed.store.prune(keep=2)
    left = {g.generation_id for g in sealed.store.read_all()}
    assert first in left and len(left) <= 3
    assert {p.name for p in (sealed.folder / "generations").glob("gen_*")} == left


def test_activating_a_damaged_or_unknown_generation_is_refused(sealed: Knowledge) -> None:
    live = str(served(sealed))
    with pytest.raises(IntegrityError, match="no generation"):
        sealed.store.activate("gen_unheard", actor="t", now=NOW)
    (sealed.folder / "generations" / live / "manifest.json").write_text("{}")
    with pytest.raises(IntegrityError, match="manifest was changed"):
        sealed.store.activate(live, actor="t", now=NOW)


def test_of_two_builders_the_second_is_refused(sealed: Knowledge) -> None:
    with (
        FileLock(sealed.folder / "generations" / "build.lock"),
        pytest.raises(ConflictError, match="another process is building"),
    ):
        sealed.store.build(sealed.encoder.recipe, now=NOW)


def test_two_builders_at_once_end_with_one_sound_generation(sealed: Knowledge) -> None:
    outcomes: list[object] = []

    def build() -> None:
        store = GenerationStore(sealed.database, sealed.folder)
        try:
            outcomes.append(store.build(sealed.encoder.recipe, now=NOW))
        except ConflictError as error:
            outcomes.append(error)

    threads = [threading.Thread(target=build) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(isinstance(o, ConflictError) for o in outcomes) == [False, True]
    for generation in sealed.store.read_all():
        sealed.store.verify(generation)


BUILDER = """
import sys
from pathlib import Path
from tests.kb.factories import Knowledge, NOW
knowledge = Knowledge(Path(sys.argv[1]))
print("building", flush=True)
knowledge.store.build(knowledge.encoder.recipe, now=NOW)
"""


@pytest.mark.parametrize("whole_group", [True, False], ids=["with its child", "parent only"])
def test_a_killed_builder_leaves_what_serves_byte_for_byte_and_the_next_build_works(
    sealed: Knowledge, whole_group: bool
) -> None:
    before, wanted = files_of(sealed), answers(sealed)
    builder = subprocess.Popen(
        [sys.executable, "-c", BUILDER, str(sealed.folder)],
        stdout=subprocess.PIPE, cwd=Path(__file__).parents[2], start_new_session=True,
    )  # fmt: skip
    assert builder.stdout is not None
    builder.stdout.readline()
    folder = sealed.folder / "generations"
    while not any(path.stat().st_size for path in folder.glob("*.tmp/*.sqlite3")):
        assert builder.poll() is None, "the build ended before it could be killed"
    if whole_group:
        os.killpg(builder.pid, signal.SIGKILL)
    else:
        builder.kill()
    builder.wait()
    builder.stdout.close()
    assert files_of(sealed) == before
    assert len(sealed.store.read_all()) == 1
    sealed.forget()
    assert answers(sealed) == wanted
    sealed.build()
    assert not list(folder.glob("*.tmp"))
    assert answers(sealed) == wanted
    assert {p.name for p in folder.glob("gen_*")} == {
        g.generation_id for g in sealed.store.read_all()
    }


def test_folders_no_row_tells_of_are_cleared_by_the_next_build(sealed: Knowledge) -> None:
    """A kill between sealing and recording, or between the two halves of pruning, leaves one."""
    orphan = sealed.folder / "generations" / "gen_0123456789abcdef"
    shutil.copytree(sealed.folder / "generations" / str(served(sealed)), orphan)
    sealed.build()
    assert not orphan.exists()


def test_a_build_that_lost_vectors_is_not_served(
    sealed: Knowledge, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = served(sealed)
    run_child = GenerationStore._run_child

    def lose_vectors(self: GenerationStore, task: str, job: dict[str, object]) -> object:
        facts = run_child(self, task, job)
        if task == "build":
            client = generation_module.open_chroma(Path(str(job["directory"])))
            collection = client.get_collection("chunks-internal", embedding_function=None)
            collection.delete(ids=collection.get(include=[])["ids"][::2])
        return facts

    monkeypatch.setattr(GenerationStore, "_run_child", lose_vectors)
    with pytest.raises(IntegrityError):
        sealed.store.build(sealed.encoder.recipe, now=NOW)
    assert served(sealed) == before
    assert len(sealed.store.read_all()) == 1


def test_a_child_that_dies_is_reported_with_its_last_words(
    sealed: Knowledge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    with pytest.raises(UnavailableError, match="index build ended with 1"):
        sealed.store.build(sealed.encoder.recipe, now=NOW)


def test_a_closed_index_leaves_no_private_copy_and_the_dead_ones_are_cleared(
    sealed: Knowledge,
) -> None:
    dead = sealed.folder / "runtime" / "4194999-gen_x-abc"
    dead.mkdir(parents=True)
    sealed.ask("reset")
    assert not dead.exists()
    sealed.close()
    assert list((sealed.folder / "runtime").iterdir()) == []


def test_a_generation_nobody_reads_any_more_is_let_go_with_its_files(sealed: Knowledge) -> None:
    sealed.ask("reset")
    with sealed.database.write() as connection:
        held = sealed.index.view()
        connection.execute(text("UPDATE index_state SET active_generation = NULL, last_seq = 999"))
    sealed.ask("reset")
    assert held.sealed is not None
    vector = sealed.encoder.encode(["reset the router"])[0]
    assert held.nearest_chunks(vector, Audience.PUBLIC, 5)
    assert len(list((sealed.folder / "runtime").iterdir())) == 1
    del held
    gc.collect()
    assert list((sealed.folder / "runtime").iterdir()) == []
