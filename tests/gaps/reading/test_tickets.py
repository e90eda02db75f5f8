from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gaps import repository
from gaps.reading.tickets import parse_ticket_line, pseudonym
from gaps.types import TicketStatus
from kb import audit
from kb.errors import InvalidInputError
from kb.types import Audience
from tests.gaps.finding.factories import Helpdesk, make_line, public

REPLY = {"author_role": "agent", "created_at": "2026-10-06T09:00:00Z", "body": "Hello"}


def deep(depth: int) -> str:
    return "[" * depth + "]" * depth


MALFORMED: list[tuple[bytes, str]] = [
    (b"not json", "line"),
    (b"{", "line"),
    (b"[]", "line"),
    (b'"text"', "line"),
    (b"42", "line"),
    (b"null", "line"),
    (b'{"id": NaN}', "line"),
    (b"\xff\xfe{}", "line"),
    (make_line().replace(b"Cannot", b"Can\xffnot"), "line"),
    (deep(100_000).encode(), "line"),
    (b'{"id": "' + b"9" * 1_000_001 + b'"}', "line"),
    (b'{"id": 1' + b"0" * 5_000 + b"}", "line"),
    (b'{"id": "a", "id": "b"}', "id"),
    (make_line(id=...), "id"),
    (make_line(id=7), "id"),
    (make_line(id=""), "id"),
    (make_line(id=" T-1"), "id"),
    (make_line(id="T\n1"), "id"),
    (make_line(id="x" * 121), "id"),
    (make_line(id=None), "id"),
    (make_line(created_at=...), "created_at"),
    (make_line(created_at="yesterday"), "created_at"),
    (make_line(created_at="2026-13-01"), "created_at"),
    (make_line(created_at=1_760_000_000), "created_at"),
    (make_line(created_at="0001-01-01T00:00:00+14:00"), "created_at"),
    (make_line(subject=...), "subject"),
    (make_line(subject=["a"]), "subject"),
    (make_line(subject="a\x00b"), "subject"),
    (make_line(subject="\ud800"), "subject"),
    (make_line(body=...), "body"),
    (make_line(body={"text": "x"}), "body"),
    (make_line(body="x" * 200_001), "body"),
    (make_line(body="é" * 100_001), "body"),
    (make_line(subject=" ", body=""), "body"),
    (make_line(status=...), "status"),
    (make_line(status="new"), "status"),
    (make_line(status=True), "status"),
    (make_line(solved_at="soon"), "solved_at"),
    (make_line(solved_at="2026-10-05T00:00:00Z"), "solved_at"),
    (make_line(resolution=4), "resolution"),
    (make_line(resolution="\udfff"), "resolution"),
    (make_line(replies={}), "replies"),
    (make_line(replies=["hello"]), "replies[0]"),
    (make_line(replies=[REPLY, {**REPLY, "author_role": "robot"}]), "replies[1].author_role"),
    (make_line(replies=[{**REPLY, "body": None}]), "replies[0].body"),
    (make_line(replies=[{**REPLY, "mood": "bad"}]), "replies[0].mood"),
    (make_line(replies=[{**REPLY, "created_at": "x"}]), "replies[0].created_at"),
    (make_line(replies=[REPLY] * 1_001), "replies"),
    (make_line(linked_articles="guide"), "linked_articles"),
    (make_line(linked_articles=["a", 1]), "linked_articles[1]"),
    (make_line(linked_articles=[""]), "linked_articles[0]"),
    (make_line(helpful="yes"), "helpful"),
    (make_line(helpful=1), "helpful"),
    (make_line(reopened=0), "reopened"),
    (make_line(escalated="false"), "escalated"),
    (make_line(channel=["email"]), "channel"),
    (make_line(channel="x" * 41), "channel"),
    (make_line(product=3), "product"),
    (make_line(tags="vpn"), "tags"),
    (make_line(tags=[None]), "tags[0]"),
    (make_line(tags=["a"] * 201), "tags"),
    (make_line(requester=12), "requester"),
    (make_line(requester="x" * 81), "requester"),
    (make_line(error_code=418), "error_code"),
    (make_line(priority="high"), "priority"),
    (make_line(**{"\x1b[31m": 1}), "'\\x1b[31m'"),
]


@pytest.mark.parametrize(("line", "field"), MALFORMED, ids=lambda value: repr(value)[:50])
def test_a_malformed_line_is_refused_naming_line_and_field(line: bytes, field: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        parse_ticket_line(line, 17, public)
    assert caught.value.reason.startswith(f"{field}:")
    assert "line 17" in str(caught.value)


def test_one_bad_line_costs_no_other(desk: Helpdesk) -> None:
    lines: list[bytes] = []
    for number, (bad, _) in enumerate(MALFORMED):
        lines += [make_line(id=f"T-{number}"), bad]
    report = desk.import_lines(lines)
    assert report["imported"] == len(MALFORMED)
    assert [refused["line"] for refused in report["refused"]] == list(range(2, len(lines) + 1, 2))
    with desk.database.read() as connection:
        assert repository.count_tickets(connection) == len(MALFORMED)


def test_every_field_arrives() -> None:
    line = make_line(
        solved_at="2026-10-07", resolution="Done", replies=[REPLY], linked_articles=["b", "a", "b"],
        helpful=False, reopened=True, channel="email", product="it", tags=["vpn"],
        requester="e-214", error_code="CC-418", escalated=True,
    )  # fmt: skip
    ticket = parse_ticket_line(line, 1, lambda p: Audience.INTERNAL if p == "it" else public(p))
    assert ticket.audience is Audience.INTERNAL
    assert ticket.status is TicketStatus.SOLVED
    assert ticket.linked_articles == ("b", "a")
    assert (ticket.helpful, ticket.reopened, ticket.escalated) == (False, True, True)
    assert ticket.error_code == "CC-418"
    assert ticket.replies[0].body == "Hello"
    assert ticket.requester == pseudonym("e-214") != "e-214"
    assert ticket.solved_at is not None and ticket.solved_at.day == 7


def test_null_stands_for_an_optional_field_left_out() -> None:
    ticket = parse_ticket_line(make_line(resolution=None, helpful=None, tags=None), 1, public)
    assert (ticket.resolution, ticket.helpful, ticket.tags) == (None, None, ())


def test_personal_data_never_reaches_the_disk(desk: Helpdesk, tmp_path: Path) -> None:
    address, card = "anna.peeters@post.example", "4111 1111 1111 1111"
    line = make_line(
        subject=f"From {address}", body=f"Pay with {card}, call +32 470 12 34 56",
        resolution=f"Wrote to {address}", tags=[address], error_code=address, product=address,
        requester=address, replies=[{**REPLY, "body": f"{address} password: hunter22"}],
    )  # fmt: skip
    assert desk.import_lines([line])["imported"] == 1
    desk.close()
    stored = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    for secret in (address, card, "470 12 34 56", "hunter22", "anna.peeters"):
        assert secret.encode() not in stored
    assert b"[email]" in stored


def test_what_was_masked_is_counted() -> None:
    ticket = parse_ticket_line(make_line(body="a@post.example, 10.0.0.1"), 1, public)
    assert ticket.masked == {"email": 1, "ip": 1}


@settings(max_examples=8)
@given(st.lists(st.tuples(st.integers(0, 6), st.text(min_size=1, max_size=8)), max_size=20))
def test_importing_again_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, wanted: list[tuple[int, str]]
) -> None:
    lines = [make_line(id=f"T-{key}", body=f"b{body}") for key, body in wanted]
    desk = Helpdesk(tmp_path_factory.mktemp("kb"))
    first = desk.import_lines(lines)
    before = rows(desk)
    again = desk.import_lines(lines)
    assert rows(desk) == before
    assert again["unchanged"] == again["read"] - len(again["refused"])
    assert first["imported"] + first["updated"] + first["unchanged"] == again["unchanged"]
    desk.close()


def rows(desk: Helpdesk) -> list[Any]:
    with desk.database.read() as connection:
        return [repository.read_tickets(connection), audit.verify_chain(connection)]


def test_of_a_repeated_id_the_last_line_wins(desk: Helpdesk) -> None:
    lines = [make_line(body=f"version {n}") for n in range(3)]
    report = desk.import_lines(lines)
    assert (report["imported"], report["updated"]) == (1, 2)
    with desk.database.read() as connection:
        assert repository.read_ticket(connection, "T-1").body == "version 2"


def test_a_changed_ticket_is_updated_over_several_batches(desk: Helpdesk) -> None:
    lines = [make_line(id=f"T-{n}") for n in range(600)]
    assert desk.import_lines(lines)["imported"] == 600
    lines[550] = make_line(id="T-550", status="closed")
    report = desk.import_lines([*lines, b"  \n"])
    assert (report["read"], report["unchanged"], report["updated"]) == (600, 599, 1)


def test_an_import_is_audited(desk: Helpdesk) -> None:
    desk.import_lines([make_line(), b"{}"])
    with desk.database.read() as connection:
        [entry] = audit.read_entries(connection, subject="tickets")
    assert entry.details["imported"] == 1
    assert entry.details["refused"] == 1


@given(st.binary(max_size=200) | st.text(max_size=200) | st.from_type(dict).map(json.dumps))
def test_whatever_comes_is_a_ticket_or_a_refusal(line: bytes | str) -> None:
    try:
        parse_ticket_line(line, 1, public)
    except InvalidInputError as error:
        assert error.reason
