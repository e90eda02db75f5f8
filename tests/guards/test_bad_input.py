"""Bad articles, tickets and settings, through the command line: one line says what is wrong where.

Nothing is half-imported: what is good beside the bad goes in, what is bad leaves no trace.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from api.cli.main import main

CONFIG = """\
[encoder]
kind = "hashing"

[[owners]]
name = "ines"

[[sources]]
name = "help"
kind = "markdown"
location = "articles"
authority = "help_article"
audience = "public"
owner = "ines"
"""
GOOD_ARTICLE = "---\ntitle: Reset the router\n---\n\nHold the pin for ten seconds.\n"
GOOD_TICKET = {
    "id": "T-1",
    "created_at": "2026-10-05T08:00:00Z",
    "subject": "Router",
    "body": "It blinks red.",
    "status": "open",
}


@dataclass
class Kb:
    folder: Path
    capture: pytest.CaptureFixture[str]

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Exit code, standard output and standard error of one command."""
        with pytest.raises(SystemExit) as ended:
            main([*arguments, "--config", str(self.folder / "kb.toml"), "--now", "2026-11-01"])
        out, err = self.capture.readouterr()
        return int(ended.value.code or 0), out, err

    def read(self, *arguments: str) -> Any:
        code, out, err = self.run(*arguments, "--json")
        assert code == 0, err
        return json.loads(out)


@pytest.fixture
def kb(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Kb:
    (tmp_path / "kb.toml").write_text(CONFIG)
    (tmp_path / "articles").mkdir()
    (tmp_path / "articles" / "good.md").write_text(GOOD_ARTICLE)
    return Kb(tmp_path, capsys)


def _front(lines: str, body: str = "Text.\n") -> bytes:
    return f"---\n{lines}\n---\n\n{body}".encode()


ARTICLES = {
    "no title and no heading": (b"Just text.\n", "bad.md", "title"),
    "title a list": (_front("title: [a, b]"), "bad.md:2", "title"),
    "title empty": (_front("title: ''"), "bad.md:2", "title"),
    "title too long": (_front("title: " + "x" * 400), "bad.md:2", "title"),
    "unknown key": (_front("title: T\nauthor: me"), "bad.md:3", "author"),
    "misspelt key": (_front("title: T\nlabel: x"), "bad.md:3", "labels"),
    "key twice": (_front("title: T\ntitle: U"), "bad.md:3", "title"),
    "unknown audience": (_front("title: T\naudience: secret"), "bad.md:3", "internal"),
    "unknown owner": (_front("title: T\nowner: nobody"), "bad.md:3", "ines"),
    "unknown authority": (_front("title: T\nauthority: rumour"), "bad.md:3", "rumour"),
    "unknown confidence": (_front("title: T\nconfidence: sure"), "bad.md:3", "validated"),
    "unknown governance": (_front("title: T\ngovernance: none"), "bad.md:3", "compliance"),
    "unknown action class": (_front("title: T\naction_class: always"), "bad.md:3", "forbidden"),
    "no date": (_front("title: T\neffective_from: soon"), "bad.md:3", "soon"),
    "impossible date": (_front("title: T\nlast_verified_at: 2026-02-30"), "bad.md:3", "2026-02-30"),
    "ends before it starts": (
        _front("title: T\neffective_from: 2026-05-01\neffective_until: 2026-04-01"),
        "bad.md:4",
        "effective_until",
    ),
    "review days no number": (_front("title: T\nreview_every_days: often"), "bad.md:3", "often"),
    "review days negative": (_front("title: T\nreview_every_days: -3"), "bad.md:3", "-3"),
    "supersedes itself": (_front("title: T\nid: bad\nsupersedes: [bad]"), "bad.md:4", "supersedes"),
    "id with spaces": (_front("title: T\nid: 'a b'"), "bad.md:3", "id"),
    "id too long": (_front("title: T\nid: " + "i" * 300), "bad.md:3", "id"),
    "url a script": (_front("title: T\nurl: javascript:alert(1)"), "bad.md:3", "url"),
    "labels nested": (_front("title: T\nlabels: {a: 1}"), "bad.md:3", "labels"),
    "front matter not closed": (b"---\ntitle: T\n\nText\n", "bad.md:1", "closed"),
    "front matter no yaml": (_front("title: [T"), "bad.md:", "YAML"),
    "yaml alias": (_front("title: &a T\nlabels: [*a]"), "bad.md:", "alias"),
    "yaml tag": (_front("title: !!python/object:os.system x"), "bad.md:2", "tag"),
    "not utf-8": (b"---\ntitle: T\n---\n\n\xff\xfe\n", "bad.md:5", "UTF-8"),
    "a zero byte": (b"---\ntitle: T\n---\n\na\x00b\n", "bad.md:5", "NUL"),
}


@pytest.mark.parametrize("name", ARTICLES)
def test_a_bad_article_is_refused_by_file_and_line_and_the_rest_is_taken(kb: Kb, name: str) -> None:
    raw, place, said = ARTICLES[name]
    (kb.folder / "articles" / "bad.md").write_bytes(raw)
    code, _, err = kb.run("sync")
    lines = [line for line in err.splitlines() if "refused" in line]
    assert len(lines) == 1, err
    assert place in lines[0]
    assert said.lower() in lines[0].lower()
    assert code == 0
    listed = kb.read("articles", "list")["articles"]
    assert [article["document_id"] for article in listed] == ["good"]
    assert listed[0]["title"] == "Reset the router"


def test_an_id_that_is_taken_is_refused_with_the_file_that_has_it(kb: Kb) -> None:
    (kb.folder / "articles" / "later.md").write_bytes(_front("title: T\nid: good"))
    _, _, err = kb.run("sync")
    assert "later.md" in err
    assert "good.md" in err
    assert kb.read("articles", "list")["articles"][0]["title"] == "Reset the router"


def _ticket(**changes: Any) -> bytes:
    said = {k: v for k, v in (GOOD_TICKET | {"id": "T-2"} | changes).items() if v is not ...}
    return json.dumps(said).encode()


TICKETS = {
    "not json": (b"{nope", "JSON"),
    "a list": (b"[1, 2]", "object"),
    "a number": (b"7", "object"),
    "not utf-8": (b'{"id": "\xff"}', "UTF-8"),
    "no id": (_ticket(id=...), "id"),
    "id a number": (_ticket(id=5), "id"),
    "id empty": (_ticket(id=""), "id"),
    "no body": (_ticket(body=...), "body"),
    "body null": (_ticket(body=None), "body"),
    "body too long": (_ticket(body="x" * 300_000), "body"),
    "subject a list": (_ticket(subject=["a"]), "subject"),
    "no created_at": (_ticket(created_at=...), "created_at"),
    "created_at no date": (_ticket(created_at="yesterday"), "created_at"),
    "created_at a number": (_ticket(created_at=1_700_000_000), "created_at"),
    "unknown status": (_ticket(status="done"), "status"),
    "solved before created": (
        _ticket(status="solved", solved_at="2026-01-01T00:00:00Z"),
        "solved_at",
    ),
    "reopened a text": (_ticket(reopened="yes"), "reopened"),
    "helpful a number": (_ticket(helpful=1), "helpful"),
    "links a text": (_ticket(linked_articles="a"), "linked_articles"),
    "links of numbers": (_ticket(linked_articles=[1]), "linked_articles"),
    "tags an object": (_ticket(tags={}), "tags"),
    "replies a text": (_ticket(replies="hello"), "replies"),
    "reply without role": (
        _ticket(replies=[{"created_at": "2026-10-05T09:00:00Z", "body": "x"}]),
        "author_role",
    ),
    "reply of unknown role": (
        _ticket(replies=[{"author_role": "boss", "created_at": "2026-10-05T09:00:00Z", "body": ""}]),
        "author_role",
    ),
    "unknown key": (_ticket(priority="high"), "priority"),
}


@pytest.mark.parametrize("name", TICKETS)
def test_a_bad_ticket_is_refused_by_line_and_field_and_the_rest_is_taken(kb: Kb, name: str) -> None:
    raw, said = TICKETS[name]
    file = kb.folder / "tickets.jsonl"
    good = json.dumps(GOOD_TICKET).encode()
    file.write_bytes(good + b"\n" + raw + b"\n" + good.replace(b"T-1", b"T-3") + b"\n")
    report = kb.read("tickets", "import", str(file))
    assert report["read"] == 3
    assert report["imported"] == 2
    assert [refused["line"] for refused in report["refused"]] == [2]
    assert said.lower() in report["refused"][0]["reason"].lower()
    assert "\n" not in report["refused"][0]["reason"]
    again = kb.read("tickets", "import", str(file))
    assert (again["imported"], again["updated"], again["unchanged"]) == (0, 0, 2)


SETTINGS = {
    "not toml": ('[[owners]]\nname = "ines', "kb.toml:2"),
    "unknown table": (CONFIG + "\n[gap]\n", "kb.toml:15"),
    "unknown key": (CONFIG + 'colour = "red"\n', "kb.toml:14"),
    "unknown kind": (CONFIG.replace('"markdown"', '"ftp"'), "kb.toml:9"),
    "unknown owner": (CONFIG.replace('owner = "ines"', 'owner = "noor"'), "kb.toml:13"),
    "unknown authority": (CONFIG.replace('"help_article"', '"rumour"'), "kb.toml:11"),
    "unknown audience": (CONFIG.replace('"public"', '"all"'), "kb.toml:12"),
    "source without a name": (CONFIG.replace('name = "help"\n', ""), "kb.toml:7"),
    "owner twice": (CONFIG + '\n[[owners]]\nname = "ines"\n', "kb.toml:16"),
    "zero review days": (CONFIG + "review_every_days = 0\n", "kb.toml:14"),
    "action allowed by a wrong word": (
        CONFIG + '\n[actions]\npublish_article = "yes"\n',
        "kb.toml:16",
    ),
    "unknown encoder": (CONFIG.replace('"hashing"', '"magic"'), "kb.toml:2"),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_wrong_settings_stop_the_start_with_the_line(kb: Kb, name: str) -> None:
    text, place = SETTINGS[name]
    (kb.folder / "kb.toml").write_text(text)
    code, out, err = kb.run("sync")
    assert code == 1
    assert out == ""
    assert len(err.strip().splitlines()) == 1, err
    assert place in err
    assert not (kb.folder / ".kb").exists()


def test_a_missing_config_says_how_to_get_one(kb: Kb) -> None:
    (kb.folder / "kb.toml").unlink()
    code, _, err = kb.run("sync")
    assert code == 1
    assert "kb init" in err


def test_wrong_usage_ends_with_two(kb: Kb) -> None:
    assert kb.run("search")[0] == 2
    assert kb.run("nonsense")[0] == 2
    assert kb.run("search", "x", "--top-k", "900")[0] == 2


def test_there_are_sixty_bad_inputs() -> None:
    assert len(ARTICLES) + len(TICKETS) + len(SETTINGS) >= 60
