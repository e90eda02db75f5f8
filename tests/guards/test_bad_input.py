"""Malformed articles, tickets, question sets, settings and arguments, through the command itself.

Each is refused in one line that names the file and the line or field; nothing of it is taken, and
everything else is.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from api.cli.main import main
from gaps.tables import metadata as gap_tables
from kb.database import Database
from kb.tables import metadata as tables
from tests.api.factories import CONFIG, write_installation

NOW = "2026-11-21T09:00:00Z"
DERIVED = ("embeddings",)
"""What refused input may leave behind: vectors of texts, true whatever happens next."""


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Kb:
    """The command, run in this process on one installation."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.config = folder / "kb.toml"
        self._capsys = capsys

    def run(self, *words: str) -> Outcome:
        self._capsys.readouterr()
        code = 0
        try:
            main([*words, "--config", str(self.config), "--now", NOW])
        except SystemExit as ended:
            code = int(ended.code or 0)
        said = self._capsys.readouterr()
        return Outcome(code, said.out, said.err)

    def state(self) -> dict[str, str]:
        """A digest of every row of every table but the derived ones."""
        database = Database(f"sqlite:///{self.folder / '.kb' / 'kb.db'}")
        found = {}
        with database.read() as connection:
            for table in [*tables.sorted_tables, *gap_tables.sorted_tables]:
                if table.name not in DERIVED:
                    rows = sorted(str(tuple(row)) for row in connection.execute(select(table)))
                    found[table.name] = hashlib.sha256("\n".join(rows).encode()).hexdigest()
        database.close()
        return found

    def ids(self) -> list[str]:
        return [a["document_id"] for a in self.run("articles", "list", "--json").json["articles"]]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installation that is synced and has its index; made once, at the path all tests use."""
    folder = tmp_path_factory.mktemp("bad") / "kb"
    config = write_installation(folder)
    with pytest.raises(SystemExit):
        main(["sync", "--json", "--config", str(config), "--now", NOW])
    shutil.copytree(folder, folder.with_name("template"))
    return folder.with_name("template")


@pytest.fixture
def kb(template: Path, capsys: pytest.CaptureFixture[str]) -> Kb:
    folder = template.with_name("kb")
    shutil.rmtree(folder)
    shutil.copytree(template, folder)
    return Kb(folder, capsys)


@pytest.fixture
def bare(kb: Kb) -> Kb:
    """The same before anything was done with it."""
    shutil.rmtree(kb.folder / ".kb")
    return kb


def one_line(text: str) -> str:
    lines = text.strip().splitlines()
    assert len(lines) == 1, text
    assert "Traceback" not in text
    return lines[0]


GOOD = "---\ntitle: {}\n---\n\nHow to open the window.\n"
ARTICLES: list[tuple[bytes | str, int | None, str]] = [
    ("---\ntitle: A\n", 1, "front matter is not closed"),
    ("---\ntitle: [\n---\nBody.", 3, "front matter is not YAML"),
    ("---\ntitle: A: b\n---\nBody.", 2, "needs quotes"),
    ("---\n- a\n- b\n---\nBody.", 2, "not 'key: value' lines"),
    ("---\nhello\n---\nBody.", 2, "not 'key: value' lines"),
    ("---\ntitle: A\ntitle: B\n---\nBody.", 3, "given twice"),
    ("---\ntitle: A\nowned_by: ana\n---\nBody.", 3, "unknown key 'owned_by'"),
    ("---\ntitle: A\nTitle: A\n---\nBody.", 3, "did you mean 'title'?"),
    ("---\nowner: ana\n---\nBody without a heading.", 1, "no title"),
    ("---\ntitle:\n---\nBody.", 2, "'title' is empty"),
    ("---\ntitle: 2026\n---\nBody.", 2, "'title' is a number"),
    ("---\ntitle: " + "x" * 301 + "\n---\nBody.", 2, "at most 300"),
    ("---\ntitle: A\naudience: everybody\n---\nBody.", 3, "public, customer, partner, internal"),
    ("---\ntitle: A\naudience: [public]\n---\nBody.", 3, "is a list"),
    ("---\ntitle: A\nowner: zoe\n---\nBody.", 3, "ana, ben"),
    ("---\ntitle: A\nauthority: rumour\n---\nBody.", 3, "policy, procedure"),
    ("---\ntitle: A\nconfidence: sure\n---\nBody.", 3, "work_in_progress"),
    ("---\ntitle: A\ngovernance: none\n---\nBody.", 3, "experience, compliance"),
    ("---\ntitle: A\naction_class: yes\n---\nBody.", 3, "autonomous"),
    ("---\ntitle: A\neffective_from: soon\n---\nBody.", 3, "expected a date"),
    ("---\ntitle: A\neffective_until: 2026-13-01\n---\nBody.", 3, "is not a date"),
    ("---\ntitle: A\neffective_from: 2026-02-01\neffective_until: 2026-01-01\n---\nBody.", 4,
     "before effective_from"),
    ("---\ntitle: A\nreview_every_days: often\n---\nBody.", 3, "number of days"),
    ("---\ntitle: A\nreview_every_days: -1\n---\nBody.", 3, "1 to 36500"),
    ("---\ntitle: A\nid: a b\n---\nBody.", 3, "only letters, digits"),
    ("---\ntitle: A\nid: ../../etc/passwd\n---\nBody.", 3, "no empty or dotted part"),
    ("---\ntitle: A\nid: help-0\n---\nBody.", None, "already that of help-0.md"),
    ("---\ntitle: A\nid: refunds\n---\nBody.", None, "belongs to the source 'rules'"),
    ("---\ntitle: A\nsupersedes: [bad]\nid: bad\n---\nBody.", 3, "supersedes itself"),
    ("---\ntitle: A\nlabels: [a, [b]]\n---\nBody.", 3, "nested value"),
    ("---\ntitle: A\nlabels: {a: b}\n---\nBody.", 3, "is a mapping"),
    ("---\ntitle: A\nlabels: &x [a]\nplans: *x\n---\nBody.", 3, "anchors and aliases"),
    ("---\ntitle: !!python/object:os.system A\n---\nBody.", 2, "tags (!)"),
    ("---\ntitle: A\nurl: javascript:alert(1)\n---\nBody.", 3, "expected https://"),
    (b"---\ntitle: A\n---\nBod\xff\n", 4, "not UTF-8"),
    (b"---\ntitle: A\n---\nBo\x00dy\n", 4, "NUL byte"),
    (b"\xff\xfe-\x00-\x00-\x00", 1, "NUL byte"),
    ("---\ntitle: A\n---\n" + "x" * 5_000_001, 1, "expected at most 5000000"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("raw", "line", "reason"),
    ARTICLES,
    ids=[f"{number}-{c[2]}" for number, c in enumerate(ARTICLES)],
)
def test_a_malformed_article_is_refused_and_its_neighbours_are_taken(
    kb: Kb, raw: bytes | str, line: int | None, reason: str
) -> None:
    before, ids = kb.state(), kb.ids()
    bad = kb.folder / "articles" / "zz-bad.md"
    bad.write_bytes(raw.encode() if isinstance(raw, str) else raw)
    done = kb.run("sync")
    assert done.code == 0
    said = one_line(done.err)
    place = "zz-bad.md" if line is None else f"zz-bad.md:{line}"
    assert said.startswith(f"kb: refused {place}: ") and reason in said, said
    assert kb.state() == before
    (kb.folder / "articles" / "good.md").write_text(GOOD.format("Good"), encoding="utf-8")
    report = kb.run("sync", "--json")
    refused = report.json["sources"][0]["refused"]
    assert [entry["path"] for entry in refused] == ["zz-bad.md"] and reason in refused[0]["reason"]
    assert kb.ids() == sorted([*ids, "good"])


def test_an_article_that_becomes_malformed_keeps_its_last_good_version(kb: Kb) -> None:
    before = kb.state()
    (kb.folder / "articles" / "help-0.md").write_text("---\ntitle: [\n---\n", encoding="utf-8")
    done = kb.run("sync")
    assert one_line(done.err).startswith("kb: refused help-0.md:")
    assert kb.state() == before


def ticket(**changes: Any) -> str:
    facts: dict[str, Any] = {
        "id": "t-bad", "created_at": "2026-11-01T08:00:00Z", "subject": "Window",
        "body": "It does not open.", "status": "open",
    }  # fmt: skip
    facts.update(changes)
    return json.dumps({key: value for key, value in facts.items() if value is not ...})


REPLY = {"author_role": "agent", "created_at": "2026-11-01T09:00:00Z", "body": "Push."}
TICKETS: list[tuple[str | bytes, str]] = [
    ("not json", "line: not JSON"),
    ('{"id": "t-bad"', "line: not JSON"),
    ("[1, 2]", "line: expected an object, got a list"),
    ("null", "line: expected an object, got null"),
    (b'{"id": "\xff"}', "line: not UTF-8"),
    ('{"id": NaN}', "line: NaN is not JSON"),
    ('{"id": "a", "id": "b"}', "id: stands 2 times"),
    ("[" * 100_000, "line: "),
    (ticket(priority=3), "priority: unknown key"),
    (ticket(id=...), "id: missing"),
    (ticket(id=7), "id: expected a text, got a number"),
    (ticket(id=" a"), "id: empty, padded"),
    (ticket(id="x" * 121), "id: 121 bytes, at most 120"),
    (ticket(created_at=...), "created_at: missing"),
    (ticket(created_at="yesterday"), "created_at: 'yesterday' is not an instant"),
    (ticket(created_at=1_700_000_000), "created_at: expected a text"),
    (ticket(status="new"), "status: 'new' (expected one of: open, pending, solved, closed)"),
    (ticket(subject=...), "subject: missing"),
    (ticket(subject=" ", body="\n"), "body: nothing is asked"),
    (ticket(body=["a"]), "body: expected a text, got a list"),
    (ticket(body="a\x00b"), "body: holds a NUL"),
    (ticket(body="\ud800"), "body: holds half of a surrogate pair"),
    (ticket(body="x" * 200_001), "body: 200001 bytes"),
    (ticket(solved_at="2026-10-01"), "solved_at: before created_at"),
    (ticket(helpful="yes"), "helpful: expected true or false, got a text"),
    (ticket(reopened=1), "reopened: expected true or false, got a number"),
    (ticket(tags="vpn"), "tags: expected a list, got a text"),
    (ticket(tags=[1]), "tags[0]: expected a text, got a number"),
    (ticket(linked_articles=["a", ""]), "linked_articles[1]: empty"),
    (ticket(replies={}), "replies: expected a list, got an object"),
    (ticket(replies=["a"]), "replies[0]: expected an object"),
    (ticket(replies=[REPLY | {"author_role": "boss"}]), "replies[0].author_role: 'boss'"),
    (ticket(replies=[REPLY, REPLY | {"created_at": "x"}]), "replies[1].created_at: 'x'"),
    (ticket(replies=[REPLY | {"mood": "bad"}]), "replies[0].mood: unknown key"),
    (ticket(replies=[{"author_role": "agent", "body": "a"}]), "replies[0].created_at: missing"),
    (ticket(body="x" * 1_000_001), "line: "),
]


@pytest.mark.parametrize(
    ("raw", "reason"), TICKETS, ids=[f"{number}-{c[1]}" for number, c in enumerate(TICKETS)]
)
def test_a_malformed_ticket_is_refused_by_number_and_its_neighbours_are_taken(
    kb: Kb, raw: str | bytes, reason: str
) -> None:
    bad = raw.encode("utf-8", "surrogatepass") if isinstance(raw, str) else raw
    file = kb.folder / "tickets.jsonl"
    file.write_bytes(bad + b"\n")
    before = kb.state()
    alone = kb.run("tickets", "import", str(file))
    assert alone.code == 1
    assert one_line(alone.err).startswith(f"kb: refused {file}:1: {reason}")
    assert kb.state() == before
    good = [ticket(id=name).encode() for name in ("t-1", "t-2")]
    file.write_bytes(b"\n".join([good[0], bad, b"", good[1]]))
    done = kb.run("tickets", "import", str(file), "--json")
    assert (done.code, done.err) == (0, "")
    report = done.json
    assert (report["read"], report["imported"]) == (3, 2)
    assert [entry["line"] for entry in report["refused"]] == [2]
    assert report["refused"][0]["reason"].startswith(reason)
    after = kb.state()
    assert kb.run("tickets", "import", str(file), "--json").json["unchanged"] == 2
    assert kb.state() == after


QUESTION = {"id": "q1", "text": "How?", "relevant": {"help-0": 1}, "answerable": True}
QUESTIONS: list[tuple[str, int | None, str]] = [
    ("{", 2, "not JSON"),
    ("[]", 2, "not an object"),
    (json.dumps(QUESTION | {"answer": "x"}), 2, "unknown key 'answer'"),
    (json.dumps(QUESTION | {"id": 1}), 2, "'id' must be a text"),
    (json.dumps(QUESTION | {"text": " "}), 2, "'text' must be a text"),
    (json.dumps(QUESTION | {"relevant": ["a"]}), 2, "'relevant' must map"),
    (json.dumps(QUESTION | {"relevant": {"a": True}}), 2, "'relevant' must map"),
    (json.dumps(QUESTION | {"relevant": {"a": -1}}), 2, "'relevant' must map"),
    (json.dumps(QUESTION | {"relevant": {"a": float("nan")}}), 2, "'relevant' must map"),
    (json.dumps(QUESTION | {"answerable": "no"}), 2, "'answerable' must be true or false"),
    (json.dumps(QUESTION | {"audience": "all"}), 2, "'audience' must be one of public"),
    (json.dumps(QUESTION), None, "id 'q1' twice"),
]


@pytest.mark.parametrize(("raw", "line", "reason"), QUESTIONS, ids=[c[2] for c in QUESTIONS])
def test_a_malformed_question_set_is_refused_whole(
    kb: Kb, raw: str, line: int | None, reason: str
) -> None:
    file = kb.folder / "questions.jsonl"
    file.write_text(f"{json.dumps(QUESTION)}\n{raw}\n", encoding="utf-8")
    before = kb.state()
    place = f"{file}:{line}: " if line else f"{file}: "
    for words in (("evaluate", str(file)), ("learn", "--questions", str(file))):
        done = kb.run(*words, "--json")
        assert (done.code, done.out) == (1, "")
        assert one_line(done.err).startswith(f"kb: {place}") and reason in done.err
    assert kb.state() == before


SETTINGS: list[tuple[str, str, int, str]] = [
    ("[encoder]", "[encoder", 1, "not TOML"),
    ('kind = "hashing"', "kind = hashing", 2, "not TOML"),
    ('kind = "hashing"', 'kind = "magic"', 2, "'sentence-transformers' or 'hashing'"),
    ("[encoder]", "[encoders]", 1, "did you mean 'encoder'?"),
    ('name = "ana"', 'nam = "ana"', 5, "did you mean 'name'?"),
    ('name = "ana"', "name = 5", 5, "valid string"),
    ('name = "ben"', 'name = "ana"', 8, "'ana' is there twice"),
    ('kind = "markdown"', 'kind = "sharepoint"', 12, "should be 'markdown'"),
    ('location = "articles"', "location = []", 13, "valid string"),
    ('authority = "help_article"', 'authority = "blog"', 14, "unknown authority 'blog'"),
    ('audience = "public"', 'audience = "world"', 15, "'public', 'customer'"),
    ('owner = "ana"', 'owner = "zoe"', 16, "unknown owner 'zoe'"),
    ('name = "rules"', 'name = "help"', 19, "'help' is there twice"),
    ('owner = "ben"', 'owner = "ben"\nreview_every_days = 0', 25, "greater than or equal to 1"),
    ('owner = "ben"', 'owner = "ben"\nschedule = "daily"', 25, "not a cron line"),
    ('owner = "ben"', 'owner = "ben"\n[gaps]\npublish_to = "x"', 26, "unknown source 'x'"),
    ('owner = "ben"', 'owner = "ben"\n[drive]\nschedule = "0 5 * * funday"', 26, "not a cron line"),
    ('owner = "ben"', 'owner = "ben"\n[actions]\npublish_article = true', 26, "'autonomous'"),
    ('owner = "ben"', 'owner = "ben"\n[language_model]\napi_key = "s3cret"', 26, "unknown key"),
    ('owner = "ben"', 'owner = "ben"\n[hierarchy]\nauthorities = "policy"', 26, "valid tuple"),
]


@pytest.mark.parametrize(
    ("old", "new", "line", "reason"), SETTINGS, ids=[f"{c[1]!r:.50}" for c in SETTINGS]
)
def test_a_malformed_kb_toml_stops_every_command_with_its_line(
    bare: Kb, old: str, new: str, line: int, reason: str
) -> None:
    kb = bare
    assert old in CONFIG
    kb.config.write_text(CONFIG.replace(old, new, 1), encoding="utf-8")
    for words in (("sync", "--json"), ("search", "x"), ("serve",), ("doctor",)):
        done = kb.run(*words)
        assert (done.code, done.out) == (1, "")
        said = one_line(done.err)
        assert said.startswith(f"kb: {kb.config}:{line}: ") and reason in said, said
    assert not (kb.folder / ".kb").exists()


ARGUMENTS: list[tuple[tuple[str, ...], int, str]] = [
    (("search", " "), 1, "the query is empty"),
    (("search", "x", "--top-k", "0"), 2, "--top-k"),
    (("search", "x", "--audience", "staff"), 2, "--audience"),
    (("search",), 2, "query"),
    (("sync", "--source", "unheard"), 1, "no source 'unheard'"),
    (("sync", "unheard"), 2, "unexpected extra argument"),
    (("unheard",), 2, "unheard"),
    (("articles", "show", "unheard"), 1, "no document 'unheard'"),
    (("articles", "verify", "unheard", "--as", "ana"), 1, "no document 'unheard'"),
    (("articles", "verify", "help-0", "--as", "zoe"), 1, "unknown owner 'zoe'"),
    (("articles", "verify", "help-0", "--as", "ben"), 1, "ben does not own this, ana does"),
    (("freshness", "show", "unheard"), 1, "no verdict on document 'unheard'"),
    (("freshness", "verify", "help-0", "--as", "ana"), 2, "--reason"),
    (("freshness", "verify", "help-0", "--as", "ana", "--reason", " "), 1, "say why"),
    (("articles", "rollback", "help-0", "--as", "zoe"), 1, "unknown owner 'zoe'"),
    (("articles", "rollback", "help-0", "--as", "ana", "--version", "7"), 1, "7"),
    (("index", "activate", "unheard"), 1, "no generation 'unheard'"),
    (("gaps", "show", "unheard"), 1, "no gap 'unheard'"),
    (("gaps", "list", "--status", "unheard"), 1, "expected one of"),
    (("gaps", "find", "--since", "yesterday"), 1, "--since"),
    (("gaps", "dismiss", "unheard", "--reason", "r", "--as", "ana"), 1, "no gap 'unheard'"),
    (("drafts", "show", "unheard"), 1, "no draft 'unheard'"),
    (("drafts", "create", "unheard"), 1, "no gap 'unheard'"),
    (("drafts", "approve", "unheard", "--as", "ana"), 1, "no draft 'unheard'"),
    (("drafts", "approve", "unheard", "--as", "zoe"), 1, "unknown owner 'zoe'"),
    (("drafts", "edit", "x", "--as", "ana", "--file", "/nowhere.md"), 1, "/nowhere.md"),
    (("drafts", "list", "--state", "unheard"), 1, "expected one of"),
    (("keys", "create", "--role", "owner", "--audience", "internal"), 1, "needs --owner"),
    (("keys", "create", "--role", "owner", "--audience", "internal", "--owner", "zoe"), 1, "'zoe'"),
    (("keys", "create", "--role", "agent", "--audience", "public", "--expires", "soon"), 1,
     "--expires"),
    (("keys", "create", "--role", "king", "--audience", "public"), 2, "--role"),
    (("keys", "revoke", "unheard"), 1, "no key in use 'unheard'"),
    (("drive", "show", "1999-W01"), 1, "1999-W01"),
    (("tickets", "import", "/nowhere.jsonl"), 1, "/nowhere.jsonl"),
    (("evaluate", "/nowhere.jsonl"), 1, "/nowhere.jsonl"),
    (("restore", "/nowhere.db"), 1, "/nowhere.db"),
    (("backup", "/nowhere/b.db"), 1, "/nowhere/b.db"),
    (("init", "{folder}"), 1, "is there already"),
    (("serve", "--port", "99999"), 2, "--port"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "code", "reason"), ARGUMENTS, ids=[" ".join(c[0]) for c in ARGUMENTS]
)
def test_a_wrong_argument_changes_nothing_and_ends_with_its_code(
    kb: Kb, words: tuple[str, ...], code: int, reason: str
) -> None:
    before = kb.state()
    done = kb.run(*(word.replace("{folder}", str(kb.folder)) for word in words))
    assert done.code == code, done.err
    assert done.out == ""
    if code == 1:
        said = one_line(done.err)
        assert said.startswith("kb: ") and reason in said, said
    else:
        assert reason in done.err and "Traceback" not in done.err
    assert kb.state() == before


@pytest.mark.parametrize("now", ["yesterday", "2026-13-01", "9999-99-99T00:00:00Z"])
def test_a_present_that_is_no_instant_is_refused(
    bare: Kb, now: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["sync", "--config", str(bare.config), "--now", now])
    assert ended.value.code == 1
    assert one_line(capsys.readouterr().err).startswith("kb: --now: ")
    assert not (bare.folder / ".kb" / "kb.db").exists()


@pytest.mark.parametrize("fault", ["no folder", "a file"])
def test_a_source_that_cannot_be_read_deletes_nothing_and_stops_no_other(
    kb: Kb, fault: str
) -> None:
    before = kb.ids()
    articles = kb.folder / "articles"
    articles.rename(kb.folder / "moved")
    if fault == "a file":
        articles.write_text("not a folder")
    (kb.folder / "policies" / "new.md").write_text(GOOD.format("New"), encoding="utf-8")
    done = kb.run("sync")
    assert done.code == 1
    assert one_line(done.err).startswith("kb: source help: ")
    assert kb.ids() == sorted([*before, "new"])


def test_a_database_that_is_none_is_said_so_in_one_line(bare: Kb) -> None:
    kb = bare
    (kb.folder / ".kb").mkdir()
    (kb.folder / ".kb" / "kb.db").write_text("not a database, " * 99)
    for words in (("sync",), ("search", "x"), ("audit", "verify")):
        done = kb.run(*words)
        assert done.code == 1
        assert "not a database" in one_line(done.err)


def test_there_are_as_many_cases_as_promised() -> None:
    assert len(ARTICLES) + len(TICKETS) + len(SETTINGS) >= 60
