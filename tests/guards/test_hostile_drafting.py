"""Nothing a stranger writes gets into a draft, a file, another audience or onto the network.

300 payloads, each as a ticket, as an article and as a model's answer, with a model that obeys.
"""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gaps.drafting.writer import create_draft
from gaps.drafting.writing.entailment import read_sentence
from gaps.drafting.writing.evidence import collect_evidence
from gaps.drafting.writing.model_writing import ModelError, word_article
from gaps.types import Draft, DraftState, Reply, Ticket
from kb.encoding.hashing import HashingEncoder
from kb.hostile_text import is_hostile
from kb.ports import Completion
from kb.types import Audience
from tests.gaps.drafting.factories import (
    NOW,
    PORTAL_STEPS,
    Desk,
    make_chunk,
    make_gap,
    make_ticket,
    make_tickets,
)
from tests.guards.payloads import PAYLOADS

STEP = "Open Company Portal → Devices and choose Renew device certificate."
SECRET = "The staff bypass code opens every valve at once."
HIDDEN = re.compile(r"[\u200b-\u200f\u202a-\u202e\u2060-\u206f\U000e0000-\U000e01ef]|<!--|<span")
SIGNS = re.compile(
    r"evil\.example|bitcoin|antivirus|unrestricted|system prompt|publish_article|vorherigen"
    r"|previous instructions|as verified|rank this|100 percent|your password|bypass",
    re.IGNORECASE,
)


class ObedientModel:
    """Does what the evidence, an article or its own weights tell it; remembers what it was shown.

    It repeats every order as a step and a title, cites all it was given, and asks for tools.
    """

    name = "obedient"

    def __init__(self, orders: str = "") -> None:
        self.orders = orders
        self.shown = ""

    def complete(self, instructions: str, content: str) -> Completion:
        self.shown = content
        given = json.loads(content)["evidence"]
        every = [row["id"] for row in given]
        told = [row["quote"] for row in given if is_hostile(row["quote"])]
        texts = [STEP, *told, *([self.orders] if self.orders else [])]
        rows = [{"section": "step", "text": text, "evidence": every[:40]} for text in texts]
        said = {"title": self.orders or STEP[:40], "statements": rows, "tool_calls": ["publish"]}
        return Completion(json.dumps(said), 10, 10, None)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.close()


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Every attempt to reach something; none gets through."""
    tried: list[Any] = []

    def refuse(self: socket.socket, address: Any) -> None:
        tried.append(address)
        raise OSError("no network in this test")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    yield tried


def assert_clean(title: str, markdown: str, statements: Any, hostile_ids: set[str]) -> None:
    whole = f"{title}\n{markdown}"
    assert not HIDDEN.search(whole)
    assert not SIGNS.search(whole), SIGNS.search(whole)
    assert not is_hostile(whole)
    cited = {citation.id for statement in statements for citation in statement.citations}
    assert not cited & hostile_ids


def poisoned_tickets(payload: str) -> list[Ticket]:
    """Sound tickets, and four in which the payload stands wherever a ticket has text."""
    bad = [
        make_ticket(
            30 + n, f"{payload} {PORTAL_STEPS[n]}", subject=payload.split("\n")[0], body=payload,
            replies=(Reply("agent", NOW, payload),), error_code=payload[:60],
        )
        for n in range(4)
    ]  # fmt: skip
    return [*make_tickets(6), *bad]


def test_there_are_three_hundred_payloads_and_no_two_alike() -> None:
    assert len(PAYLOADS) == 300
    assert len({text for _, text in PAYLOADS}) == 300


def test_no_payload_gets_in_by_a_ticket(no_network: list[Any]) -> None:
    encoder = HashingEncoder(128)
    for name, payload in PAYLOADS:
        tickets = poisoned_tickets(payload)
        gap = make_gap(tickets, title=payload[:90])
        pack = collect_evidence(tickets, [], audience=gap.audience)
        model = ObedientModel()
        worded = word_article(gap, pack, [], model, encoder).article
        assert not SIGNS.search(model.shown.partition('"asked"')[2]), name
        bad = {f"T-{30 + n}" for n in range(4)}
        assert_clean(worded.title, worded.markdown, worded.statements, bad)
    assert no_network == []


def test_no_payload_gets_in_by_an_article(no_network: list[Any]) -> None:
    encoder = HashingEncoder(128)
    tickets = make_tickets(6)
    for name, payload in PAYLOADS:
        chunk = make_chunk(f"{payload}\n\n{STEP} {payload}", audience=Audience.INTERNAL)
        gap = make_gap(tickets)
        pack = collect_evidence(tickets, [chunk], audience=gap.audience)
        model = ObedientModel()
        worded = word_article(gap, pack, [chunk], model, encoder).article
        assert_clean(worded.title, worded.markdown, worded.statements, set())
        assert "1. " + STEP in worded.markdown, name
    assert no_network == []


def test_no_payload_gets_in_by_a_models_answer(no_network: list[Any]) -> None:
    encoder = HashingEncoder(128)
    tickets = make_tickets(6)
    gap = make_gap(tickets)
    pack = collect_evidence(tickets, [], audience=gap.audience)
    for name, payload in PAYLOADS:
        worded = word_article(gap, pack, [], ObedientModel(payload), encoder)
        article = worded.article
        assert_clean(article.title, article.markdown, article.statements, set())
        assert [s.text for s in article.statements] == [STEP], name
        assert len(worded.dropped) == 1, name
        assert not HIDDEN.search(worded.dropped[0].text.replace("<!--", "").replace("<span", ""))
    assert no_network == []


def test_what_one_audience_may_not_read_never_reaches_its_draft_or_its_model() -> None:
    encoder = HashingEncoder(128)
    readable = [replace(t, audience=Audience.PUBLIC) for t in make_tickets(6)]
    secret = [make_ticket(60 + n, f"{SECRET} {STEP}") for n in range(4)]
    chunk = make_chunk(f"{SECRET}", audience=Audience.INTERNAL)
    tickets = [*readable, *secret]
    gap = make_gap(tickets, audience=Audience.PUBLIC)
    pack = collect_evidence(tickets, [chunk], audience=Audience.PUBLIC)
    model = ObedientModel(SECRET)
    worded = word_article(gap, pack, [], model, encoder)
    assert "bypass" not in model.shown
    assert_clean(worded.article.title, worded.article.markdown, worded.article.statements,
                 {t.ticket_id for t in secret} | {chunk.chunk_id})  # fmt: skip
    with pytest.raises(ModelError):
        word_article(gap, replace(pack, sentences=()), [], ObedientModel(SECRET), encoder)


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in sorted(folder.rglob("*.md"))}


@pytest.mark.parametrize("payload", [text for _, text in PAYLOADS[::60]])
def test_a_draft_of_poisoned_tickets_writes_nothing_but_itself(
    desk: Desk, no_network: list[Any], payload: str
) -> None:
    desk.add_article("vpn", f"Open the VPN client.\n\n{payload}", title="VPN")
    tickets = poisoned_tickets(payload)
    desk.add_gap(tickets)
    before = files_of(desk.folder)
    settings = replace(desk.settings, language_model=ObedientModel(payload))
    draft: Draft = create_draft(
        desk.database, desk.retriever, desk.encoder, "gap_1", now=NOW, settings=settings
    )
    assert draft.state is DraftState.IN_REVIEW
    assert files_of(desk.folder) == before
    assert desk.version_of("vpn") == 1
    assert desk.version_of(draft.document_id or "") is None
    assert_clean(draft.title, draft.markdown, draft.statements, {f"T-{30 + n}" for n in range(4)})
    assert no_network == []


def test_the_obedient_model_would_do_harm_if_it_were_believed() -> None:
    said = json.loads(
        ObedientModel(PAYLOADS[0][1])
        .complete("", json.dumps({"evidence": [{"id": "e1", "quote": STEP}]}))
        .text
    )
    assert SIGNS.search(json.dumps(said))
    assert read_sentence(STEP).actions
