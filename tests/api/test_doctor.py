"""The doctor sees what is wrong, says what to do, and changes nothing."""

from __future__ import annotations

from sqlalchemy import text

from api.doctor import examine
from api.wiring import Application
from tests.api.factories import sync


def verdicts(application: Application) -> dict[str, str]:
    return {finding["name"]: finding["verdict"] for finding in examine(application)}


def test_a_sound_installation_has_no_red_finding(application: Application) -> None:
    sync(application)
    assert verdicts(application)["index"] == "look"
    application.rebuild_index(actor="t")
    assert verdicts(application)["index"] == "green"
    assert "red" not in verdicts(application).values()


def test_a_damaged_index_a_broken_chain_and_a_changed_encoder_are_red(
    application: Application,
) -> None:
    sync(application)
    application.rebuild_index(actor="t")
    next((application.data_folder / "generations").rglob("data_level0.bin")).write_bytes(b"x")
    with application.database.write() as connection:
        connection.execute(text("UPDATE audit SET actor = 'eve' WHERE seq = 1"))
    found = {f["name"]: f for f in examine(application)}
    assert found["index"]["verdict"] == found["audit"]["verdict"] == "red"
    assert "kb index build" in found["index"]["detail"]
    assert "audit entry 1" in found["audit"]["detail"]


def test_looking_changes_nothing(application: Application) -> None:
    sync(application)
    application.rebuild_index(actor="t")
    before = (application.data_folder / "kb.db").read_bytes()
    examine(application)
    assert (application.data_folder / "kb.db").read_bytes() == before
