"""The doctor sees what is wrong, says what to do, and changes nothing."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from api.doctor import examine
from api.settings.edge import CLIENT_SECRET_VARIABLE, GrantSettings, SignInSettings
from api.settings.knowledge import EncoderSettings
from api.wiring import Application
from kb.encoding.hashing import HashingEncoder
from kb.encoding.prepared import Choice, PreparedModels
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


def test_a_slower_encoder_than_the_best_is_told_with_its_reason(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    choice = Choice("torch", "onnxruntime is not there", 0.0, 0.0)
    monkeypatch.setattr(PreparedModels, "choose", lambda _self: choice)
    application.encoder = HashingEncoder()
    chosen = application.settings.model_copy(update={"encoder": EncoderSettings()})
    monkeypatch.setattr(application, "settings", chosen)
    found = next(f for f in examine(application) if f["name"] == "encoder")
    assert found["verdict"] == "look"
    assert "torch, because onnxruntime is not there" in found["detail"]


def test_another_encoder_embeds_everything_anew_and_says_so(
    application: Application, caplog: pytest.LogCaptureFixture
) -> None:
    sync(application)
    application.refresh_index(actor="t")
    del application.encoder
    application.encoder = other = HashingEncoder(64)
    assert {f["name"]: f["verdict"] for f in examine(application)}["index"] == "red"
    assert not caplog.records
    application.refresh_index(actor="t")
    assert "was built with encoder hashing/128/v1; embedding" in caplog.text
    assert other.encoded_count > 0
    assert verdicts(application)["index"] == "green"


def test_a_provider_without_its_secret_and_a_door_for_nobody_are_red(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    def find(**said: object) -> str:
        settings = SignInSettings(**said)  # type: ignore[arg-type]
        application.settings = application.settings.model_copy(update={"sign_in": settings})
        return verdicts(application)["sign-in"]

    grant = GrantSettings(value="eda@example.org", role="editor")
    provider = {"openid_issuer": "https://login.example", "client_id": "c", "grants": (grant,)}
    monkeypatch.delenv(CLIENT_SECRET_VARIABLE, raising=False)
    assert find() == "green"
    assert find(**provider) == "red"
    monkeypatch.setenv(CLIENT_SECRET_VARIABLE, "s")
    assert find(**provider, keys=False) == "green"
    assert find(keys=False) == "red"
