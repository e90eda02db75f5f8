"""Nothing of a document shows to those who may not read it: not a word, not a count, not a trace.

Generated corpora hold documents of all four audiences that talk about the same things, the hidden
ones with canary words wherever a document has words. Each lower audience asks, over HTTP, MCP and
every adapter, before and after the hidden documents come and go: no canary in any byte, and no
byte differs.
"""

from __future__ import annotations

import json
import random
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import insert

from api.app import create_app
from api.compat.connections import LocalConnection
from api.compat.langchain import KbopsRetriever as LangChainRetriever
from api.compat.llama_index import KbopsRetriever as LlamaIndexRetriever
from api.settings.reading import Settings, read_settings
from api.wiring import Application
from ingest.chunking import chunk_document
from ingest.fingerprints import hash_metadata
from kb import articles, intake, live_chunks
from kb.clock import FixedClock
from kb.tables import conflicts
from kb.types import Audience, ParsedDocument, Role
from kb.vectors import embed_live
from tests.api.factories import CONFIG, NOW, bearer, make_draft, make_key
from tests.kb.factories import make_parsed

CORPORA = 46
QUESTIONS = 12
"""A corpus; 552 pairs of corpus and question, each asked by three audiences."""
COMPARED = 3
"""Of a corpus' questions, those asked again after every change to what is hidden."""
SEALED_EVERY = 15
"""In every so many corpora the hidden documents were public when the index was sealed."""
LOWER = (Audience.PUBLIC, Audience.CUSTOMER, Audience.PARTNER)
CANARY = "zq"
STORES = "/v1/vector_stores"
WORDS = (
    "reset router refund invoice vpn client password boiler valve hub meter phone billing order "
    "delivery battery sensor update network room"
).split()


class Corpus:
    """Documents of every audience, and questions that fit all of them."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.documents = {a: self._make_documents(a, seed) for a in Audience}
        shared = [d.document_id for d in self.documents[Audience.PUBLIC]]
        hidden = [d for a in Audience if a is not Audience.PUBLIC for d in self.documents[a]]
        # A public text may say that it replaces one that its readers must not know of.
        first = self.documents[Audience.PUBLIC][0]
        said = replace(first.metadata, supersedes=(hidden[-1].document_id, "never-was"))
        self.documents[Audience.PUBLIC][0] = replace(
            first, metadata=said, metadata_hash=hash_metadata(said, first.path)
        )
        self.ids = shared
        self.questions = [self._make_question(hidden) for _ in range(QUESTIONS)]

    def _make_documents(self, audience: Audience, seed: int) -> list[ParsedDocument]:
        return [
            self._make_document(audience, seed, number) for number in range(self.rng.randint(2, 4))
        ]

    def _make_document(self, audience: Audience, seed: int, number: int) -> ParsedDocument:
        rng = self.rng
        hidden = audience is not Audience.PUBLIC
        marks = iter(range(99))

        def canary() -> str:
            return f"{CANARY}{audience.value}{seed}d{number}m{next(marks)}" if hidden else "word"

        topic = " ".join(rng.sample(WORDS, 3))
        days = rng.randint(2, 60)
        body = (
            f"The {topic} is done within {days} days. {canary()} {' '.join(rng.choices(WORDS, k=25))}."
            f"\n\n## {rng.choice(WORDS)} {canary()}\n\nPress the {rng.choice(WORDS)} {canary()} twice, "
            f"then wait {days} minutes. {' '.join(rng.choices(WORDS, k=20))}."
        )
        parsed = make_parsed(
            f"{canary()}-{number}" if hidden else f"open-{seed}-{number}",
            body,
            title=f"{topic} {canary()}" if hidden else topic,
            audience=audience,
            owner=f"{canary()}" if hidden else "ana",
            labels=(canary(), rng.choice(WORDS)) if hidden else (rng.choice(WORDS),),
            products=(canary(),) if hidden and rng.random() < 0.2 else (),
            url=f"https://example.org/{canary()}" if hidden else None,
            approved_by=canary() if hidden else None,
            customer=canary() if hidden and rng.random() < 0.2 else None,
            authority=rng.choice(("policy", "help_article", "crm_note", "manager_instruction")),
            supersedes=tuple(rng.sample([f"open-{seed}-0", f"open-{seed}-1"], 1)) if hidden else (),
        )
        return replace(parsed, source=source_of(audience))

    def _make_question(self, hidden: Sequence[ParsedDocument]) -> str:
        target = self.rng.choice(hidden)
        return self.rng.choice(
            (
                " ".join(self.rng.sample(WORDS, 3)),
                f"how do I {self.rng.choice(WORDS)} the {self.rng.choice(WORDS)}",
                target.metadata.title.rsplit(" ", 1)[0],
                " ".join(w for w in target.markdown.split()[1:9] if CANARY not in w),
                # Somebody guesses a word that only a hidden document holds.
                target.metadata.title,
                f"{self.rng.choice(WORDS)} {re.findall(rf'{CANARY}[a-z0-9]+', target.markdown)[0]}",
            )
        )


def source_of(audience: Audience) -> str:
    return "help" if audience is Audience.PUBLIC else f"{CANARY}{audience.value}-source"


class Installation:
    """One corpus in a database of its own, behind the one HTTP application."""

    def __init__(self, application: Application, client: TestClient) -> None:
        self.application = application
        self.client = client
        client.app.state.application = application  # type: ignore[attr-defined]
        self.keys = {a: make_key(application, audience=a) for a in Audience}
        self.first_way = 0

    def put(self, documents: Sequence[ParsedDocument], audience: Audience | None = None) -> None:
        """Store documents, as another audience's where one is given."""
        with self.application.database.write() as connection:
            for parsed in documents:
                shown = audience or parsed.metadata.audience
                intake.write_source(
                    connection, name=parsed.source, kind="markdown", location="x",
                    authority="help_article", audience=shown, owner="ana", review_every_days=90,
                )  # fmt: skip
                moved = replace(parsed, metadata=replace(parsed.metadata, audience=shown))
                intake.write_version(
                    connection, moved, chunk_document(moved), now=NOW, author="t", reason="t"
                )
        embed_live(self.application.database, self.application.encoder)

    def hide(self, documents: Sequence[ParsedDocument]) -> None:
        """Give documents the audience they should have had; nothing else changes."""
        with self.application.database.write() as connection:
            for parsed in documents:
                intake.write_metadata(connection, parsed, now=NOW)

    def delete(self, documents: Sequence[ParsedDocument]) -> None:
        with self.application.database.write() as connection:
            for parsed in documents:
                intake.delete_document(connection, parsed.document_id, now=NOW)

    def contradict(self, hidden: Sequence[ParsedDocument], open_ids: Sequence[str]) -> None:
        """As if the weekly checks found hidden and open documents to disagree, both ways."""
        rows = [
            {
                "winner_id": pair[0], "loser_id": pair[1], "winner_version": 1, "loser_version": 1,
                "winner_statement": "The", "loser_statement": "The", "similarity": 0.9,
                "found_at": NOW,
            }
            for parsed in hidden[:2]
            for pair in ((parsed.document_id, open_ids[0]), (open_ids[1], parsed.document_id))
        ]  # fmt: skip
        with self.application.database.write() as connection:
            intake.next_sequence(connection)
            connection.execute(insert(conflicts).prefix_with("OR IGNORE"), rows)

    def ask(self, question: str, audience: Audience, place: int) -> str:
        """An answer's bytes, without what differs between any two answers.

        Each question has its own way of being asked, and every corpus another for its first.
        """
        way = WAYS[(place + self.first_way) % len(WAYS)]
        return _without_asked(stripped(way(self, question, audience)), question)

    def post(self, path: str, body: dict[str, Any], audience: Audience, **headers: str) -> str:
        said = {**bearer(self.keys[audience]), **headers}
        answer = self.client.post(path, json=body, headers=said)
        assert answer.status_code == 200, answer.text
        assert CANARY not in str(answer.headers)
        return str(answer.text)

    def call(self, tool: str, audience: Audience, **arguments: Any) -> dict[str, Any]:
        """What a tool answers over `/mcp`, refusals too; its text says the same as its structure."""
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
            "name": tool, "arguments": arguments}}  # fmt: skip
        accept = "application/json, text/event-stream"
        text = self.post("/mcp", message, audience, Host="localhost", Accept=accept)
        result = json.loads(text)["result"]
        said: dict[str, Any] = json.loads(result["content"][0]["text"])
        assert result.get("isError") or said == result["structuredContent"]
        return said

    def get(self, path: str, audience: Audience) -> tuple[int, str]:
        answer = self.client.get(path, headers=bearer(self.keys[audience]))
        assert CANARY not in str(answer.headers)
        return answer.status_code, answer.text


Way = Callable[[Installation, str, Audience], str]


def _over_rest(path: str, **more: Any) -> Way:
    def ask(kb: Installation, question: str, audience: Audience) -> str:
        text = kb.post(path, {"query": question, **more}, audience)
        assert json.dumps(question) in text or path == "/v1/context"
        return text

    return ask


def _over_mcp(tool: str, **more: Any) -> Way:
    def ask(kb: Installation, question: str, audience: Audience) -> str:
        return _compact(kb.call(tool, audience, query=question, **more))

    return ask


def _ask_dify(kb: Installation, question: str, audience: Audience) -> str:
    setting = {"top_k": 50, "score_threshold": 0.0}
    body = {"knowledge_id": "default", "query": question, "retrieval_setting": setting}
    return kb.post("/compat/dify/retrieval", body, audience)


def _ask_openai(kb: Installation, question: str, audience: Audience) -> str:
    body = {"query": [question], "max_num_results": 50}
    # One source: what may overrule its documents from outside is another way in.
    return kb.post(f"{STORES}/{source_of(Audience.PUBLIC)}/search", body, audience)


def _ask_llama_index(kb: Installation, question: str, audience: Audience) -> str:
    connection = LocalConnection(kb.application, kb.keys[audience])
    nodes = LlamaIndexRetriever(connection=connection).retrieve(question)
    return _compact({"nodes": [node.model_dump(mode="json") for node in nodes]})


def _ask_langchain(kb: Installation, question: str, audience: Audience) -> str:
    connection = LocalConnection(kb.application, kb.keys[audience])
    found = LangChainRetriever(connection=connection).invoke(question)
    return _compact({"documents": [document.model_dump(mode="json") for document in found]})


def _compact(said: Any) -> str:
    return json.dumps(said, separators=(",", ":"))


WAYS: tuple[Way, ...] = (
    _over_rest("/v1/search", explain=True),
    _over_rest("/v1/search", group_by="chunk", include_overruled=True, top_k=50),
    _over_rest("/v1/context", token_budget=4_000),
    _over_mcp("search"),
    _over_mcp("search_knowledge", include_overruled=True, explain=True),
    _over_mcp("get_context", token_budget=4_000),
    _ask_dify,
    _ask_openai,
    _ask_llama_index,
    _ask_langchain,
)


def _without_asked(text: str, question: str) -> str:
    """The answer without the caller's own words, which a refusal repeats."""
    told = json.loads(text)
    words = sorted(re.findall(r"\w+", question.lower()), key=len, reverse=True)
    told["why_not"] = _blank(told.get("why_not"), words)
    return json.dumps(told).replace(json.dumps(question), '"asked"')


def _blank(said: Any, words: Sequence[str]) -> Any:
    if isinstance(said, str):
        for word in words:
            said = said.replace(word, "asked")
        return said
    if isinstance(said, list):
        return [_blank(part, words) for part in said]
    if isinstance(said, dict):
        return {key: _blank(part, words) for key, part in said.items()}
    return said


def stripped(text: str) -> str:
    text = re.sub(r'"search_id":"se_[0-9a-f]+"', '"search_id":""', text)
    return re.sub(r'"took_ms":[0-9.e-]+', '"took_ms":0', text)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with an empty database, copied for every corpus."""
    folder = tmp_path_factory.mktemp("template")
    (folder / "kb.toml").write_text(CONFIG, encoding="utf-8")
    Application.open(folder / "kb.toml", FixedClock(NOW)).close()
    return folder


@pytest.fixture(scope="module")
def settings(template: Path) -> Settings:
    return read_settings(template / "kb.toml")


@pytest.fixture(scope="module")
def client(template: Path, settings: Settings) -> Iterator[TestClient]:
    placeholder = Application(settings, template, FixedClock(NOW))
    with TestClient(create_app(placeholder)) as client:
        yield client
    placeholder.close()


@pytest.fixture
def installation(
    template: Path, settings: Settings, client: TestClient, tmp_path: Path
) -> Iterator[Installation]:
    shutil.copytree(template / ".kb", tmp_path / ".kb")
    application = Application(settings, tmp_path, FixedClock(NOW))
    yield Installation(application, client)
    application.close()


def visible_canaries(text: str, audience: Audience) -> set[str]:
    """Canary words in a text that belong to audiences this one may not read."""
    owners = {a.value for a in Audience if not audience.may_read(a)}
    found = re.findall(rf"{CANARY}[a-z]+[a-z0-9-]*", text)
    return {word for word in found if any(word.startswith(CANARY + name) for name in owners)}


def test_there_are_as_many_pairs_as_promised() -> None:
    pairs = {(seed, q) for seed in range(CORPORA) for q in Corpus(seed).questions}
    assert len(pairs) >= 500


@pytest.mark.parametrize("seed", range(CORPORA))
def test_hidden_documents_show_in_no_byte_and_change_no_byte(
    installation: Installation, seed: int
) -> None:
    corpus = Corpus(seed)
    installation.first_way = seed * COMPARED
    hidden = {
        a: [d for b in Audience if not a.may_read(b) for d in corpus.documents[b]] for a in LOWER
    }
    compared: dict[tuple[int, Audience], str] = {}
    listed: dict[Audience, list[tuple[int, str]]] = {}
    if seed % SEALED_EVERY == 0:
        _seal_while_public(installation, corpus)
    for audience in Audience:
        # Documents come in from the least trusted audience to the most trusted one.
        if seed % SEALED_EVERY == 0:
            installation.hide(corpus.documents[audience])
        else:
            installation.put(corpus.documents[audience])
        installation.application.weekly.check_freshness()
        for arrived in audience.readable()[1:]:
            installation.contradict(corpus.documents[arrived], corpus.ids)
        _compare(installation, corpus, audience, compared, listed)
    for reader in LOWER:
        for place, question in enumerate(corpus.questions):
            leaked = visible_canaries(installation.ask(question, reader, place), reader)
            assert not leaked, f"{reader} asked {question!r} and was shown {leaked}"
        _check_routes(installation, corpus, reader, hidden[reader])
    installation.delete(corpus.documents[Audience.INTERNAL])
    _compare(installation, corpus, Audience.INTERNAL, compared, listed)


def _seal_while_public(installation: Installation, corpus: Corpus) -> None:
    """Everything is public when the index is sealed, and is hidden only after."""
    for audience in Audience:
        installation.put(corpus.documents[audience], Audience.PUBLIC)
    installation.application.rebuild_index(actor="t")
    for audience in reversed(Audience):
        moved = replace_audiences(corpus.documents[audience], Audience.INTERNAL)
        installation.hide(moved)


def replace_audiences(
    documents: Sequence[ParsedDocument], audience: Audience
) -> list[ParsedDocument]:
    return [replace(d, metadata=replace(d.metadata, audience=audience)) for d in documents]


def _compare(
    installation: Installation,
    corpus: Corpus,
    arrived: Audience,
    compared: dict[tuple[int, Audience], str],
    listed: dict[Audience, list[tuple[int, str]]],
) -> None:
    """Those who may not read what has just arrived or gone see exactly what they saw before."""
    for reader in LOWER:
        if reader.rank > arrived.rank:
            continue
        for place, question in enumerate(corpus.questions[:COMPARED]):
            now = installation.ask(question, reader, place)
            before = compared.setdefault((place, reader), now)
            assert now == before, (
                f"{arrived} documents changed what {reader} gets for {question!r}: "
                f"{first_difference(before, now)}"
            )
        now_listed = [installation.get(path, reader) for path in ("/v1/articles", STORES)]
        assert now_listed == listed.setdefault(reader, now_listed)


def first_difference(before: str, now: str) -> str:
    place = next(
        (p for p, (a, b) in enumerate(zip(before, now, strict=False)) if a != b),
        min(len(before), len(now)),
    )
    around = slice(max(0, place - 60), place + 60)
    return f"…{before[around]}… became …{now[around]}…"


def _check_routes(
    installation: Installation, corpus: Corpus, reader: Audience, hidden: Sequence[ParsedDocument]
) -> None:
    for document_id in corpus.ids:
        for path in (f"/v1/articles/{document_id}", f"/v1/articles/{document_id}/versions"):
            status, text = installation.get(path, reader)
            assert status == 200 and not visible_canaries(text, reader)
    for parsed in hidden[:3]:
        known, missing = parsed.document_id, "x" * len(parsed.document_id)
        for pattern in (
            "/v1/articles/{}", "/v1/articles/{}/versions", "/v1/articles?source={}",
            "/v1/articles?limit=1&offset=1&source={}", "/v1/gaps/{}", "/v1/drafts/{}",
        ):  # fmt: skip
            status, text = installation.get(pattern.format(known), reader)
            twin = installation.get(pattern.format(missing), reader)
            assert (status, text.replace(known, missing)) == twin
        told = installation.call("fetch", reader, id=known)
        assert told["error"]["code"] == "not_found"
        twin = installation.call("fetch", reader, id=missing)
        assert json.dumps(told).replace(known, missing) == json.dumps(twin)
    _check_stores(installation, hidden[0], reader)
    status, source = installation.get(f"/v1/articles?source={hidden[0].source}", reader)
    assert (status, source) == installation.get("/v1/articles?source=unheard", reader)
    for name in ("labels", "products"):
        word = getattr(hidden[0].metadata, name)[:1]
        answers = [
            installation.client.post(
                "/v1/search", json={"query": corpus.questions[0], name: list(values)},
                headers=bearer(installation.keys[reader]),
            ).text
            for values in (word or ("a",), ("unheard",))
        ]  # fmt: skip
        assert stripped(answers[0]) == stripped(answers[1])


def _check_stores(kb: Installation, hidden: ParsedDocument, reader: Audience) -> None:
    """A hidden source, and hidden labels in a filter, are as if they were not there."""
    setting = {"top_k": 3, "score_threshold": 0.0}
    answers = []
    for name in (hidden.source, "x" * len(hidden.source)):
        store = f"{STORES}/{name}"
        asked = [
            kb.client.get(store, headers=bearer(kb.keys[reader])),
            kb.client.post(f"{store}/search", json={"query": "x"}, headers=bearer(kb.keys[reader])),
            kb.client.post(
                "/compat/dify/retrieval", headers=bearer(kb.keys[reader]),
                json={"knowledge_id": name, "query": "x", "retrieval_setting": setting},
            ),
        ]  # fmt: skip
        assert [answer.status_code for answer in asked] == [404, 404, 404]
        answers.append([answer.text.replace(name, "NAME") for answer in asked])
    assert answers[0] == answers[1]
    for key in ("labels", "source", "document_id", "owner"):
        held = getattr(hidden, key, None) or getattr(hidden.metadata, key)
        values = [held[0] if isinstance(held, tuple) else held, "unheard"]
        for kind in ("eq", "ne"):
            filters = [{"type": kind, "key": key, "value": value} for value in values]
            found = [
                kb.post(f"{STORES}/default/search", {"query": "router", "filters": one}, reader)
                for one in filters
            ]
            assert stripped(found[0]) == stripped(found[1])


def test_gaps_and_drafts_show_to_no_lower_audience_whatever_its_role(
    installation: Installation,
) -> None:
    corpus = Corpus(3)
    for audience in Audience:
        installation.put(corpus.documents[audience])
    draft = make_draft(
        installation.application, corpus.documents[Audience.INTERNAL][0].document_id,
        changes=True, markdown=f"The {CANARY}internaldraft says so.\n",
    )  # fmt: skip
    for reader in LOWER:
        for role in (Role.OWNER, Role.EDITOR, Role.ADMIN):
            headers = bearer(make_key(installation.application, role, reader))
            for path, twin in (
                (f"/v1/drafts/{draft.draft_id}", "/v1/drafts/dr_unheard"),
                (f"/v1/gaps/{draft.gap_id}", "/v1/gaps/gap_unheard"),
                ("/v1/drafts", "/v1/drafts?state=unheard"),
                ("/v1/gaps", "/v1/gaps?limit=1"),
                ("/v1/audit", "/v1/audit?subject=unheard"),
                ("/v1/sources", "/v1/sources?limit=1"),
                ("/v1/jobs", "/v1/jobs?limit=1"),
                ("/v1/drives", "/v1/drives?limit=1"),
            ):
                shown = installation.client.get(path, headers=headers)
                assert shown.status_code == 403
                assert CANARY not in shown.text
                assert shown.text == installation.client.get(twin, headers=headers).text


def test_the_guard_sees_a_leak_when_there_is_one(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same checks fail once the product's own check of every hit is taken out."""
    real: Any = live_chunks._live_chunks
    everything: Any = articles._live_documents
    monkeypatch.setattr(live_chunks, "_live_chunks", lambda _audience: real(Audience.INTERNAL))
    monkeypatch.setattr(
        articles, "_live_documents", lambda _audience: everything(Audience.INTERNAL)
    )
    with pytest.raises(AssertionError):
        test_hidden_documents_show_in_no_byte_and_change_no_byte(installation, 0)
