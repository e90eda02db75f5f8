from __future__ import annotations

import pytest

from api.mcp import server
from api.warming import warm_up
from api.wiring import Application
from kb.errors import UnavailableError
from tests.api.factories import make_key, sync


def test_what_the_first_caller_would_wait_for_is_there(application: Application) -> None:
    sync(application)
    warm_up(application).join()
    assert {"encoder", "index", "retriever"} <= application.__dict__.keys()


def test_what_is_away_is_told_and_stops_nothing(
    application: Application, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def away(*_: object) -> None:
        raise UnavailableError("the database is away")

    monkeypatch.setattr(application.retriever, "search", away)
    warm_up(application).join()
    assert capsys.readouterr().err == "kb: warm-up: the database is away\n"


def test_a_client_on_stdio_finds_the_encoder_loaded(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync(application)
    key = make_key(application)
    application.__dict__.pop("retriever", None)
    monkeypatch.setattr(server.signal, "signal", lambda *_: None)
    monkeypatch.setattr(server.anyio, "run", lambda _serve: None)
    server.run_stdio(application, key)
    assert "retriever" in application.__dict__
