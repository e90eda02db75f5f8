"""`kb links` and `kb notices`, as an operator calls them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from api.cli.main import main
from tests.api.factories import NOW, write_article, write_installation


def call(config: Path, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    with pytest.raises(SystemExit) as ended:
        main([*words, "--config", str(config), "--now", NOW.isoformat()])
    assert ended.value.code == 0
    return capsys.readouterr().out


def test_links_are_checked_and_nothing_leaves_the_machine_unasked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = write_installation(tmp_path / "kb")
    text = "[a](help-1.md) [b](nowhere.md) [c](https://outside.example/)"
    write_article(tmp_path / "kb" / "articles" / "links.md", text, title="Links")
    call(config, capsys, "sync")

    def leave(*_: object, **__: object) -> None:
        raise AssertionError("left the machine")

    monkeypatch.setattr("ingest.fetching.Fetcher.__init__", leave)
    report = json.loads(call(config, capsys, "links", "check", "--json"))
    assert (report["links"], report["skipped"], report["asked"]) == (3, 1, 0)
    assert [(row["url"], row["verdict"]) for row in report["found"]] == [("nowhere.md", "dead")]
    plain = call(config, capsys, "links", "check")
    assert "dead\tlinks\tnowhere.md" in plain and "enabled = true" in plain


def test_notices_are_listed_and_sent(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = write_installation(tmp_path / "kb")
    call(config, capsys, "sync")
    call(config, capsys, "freshness", "check")
    said = json.loads(call(config, capsys, "notices", "send", "--write", "--json"))
    assert said == {"sent": [], "failed": [], "channels": 0}
    assert json.loads(call(config, capsys, "notices", "list", "--json")) == {"notices": []}
    assert "no way to send is set up" in call(config, capsys, "notices", "send")
