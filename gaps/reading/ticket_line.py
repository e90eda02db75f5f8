"""One line of a ticket file to a ticket, personal data masked before a ticket exists; pure."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, NoReturn

from gaps.types import Reply, Ticket, TicketStatus
from kb.clock import parse_instant
from kb.errors import InvalidInputError
from kb.redaction import mask_personal_data
from kb.types import Audience

AudienceFor = Callable[[str | None], Audience]
"""A ticket's product, or None, to the least trusted audience its content may be shown to."""

LONGEST_LINE_BYTES = 1_000_000
LONGEST_TEXT_BYTES = 200_000
MOST_REPLIES = 1_000
MOST_LISTED = 200
REQUESTER_NAMESPACE = "kbops/requester/v1"
AUTHOR_ROLES = ("customer", "agent", "ai")
REQUIRED = ("id", "created_at", "subject", "body", "status")
OPTIONAL = (
    "solved_at", "resolution", "replies", "linked_articles", "helpful", "reopened", "channel",
    "product", "tags", "requester", "error_code", "escalated",
)  # fmt: skip


def parse_ticket_line(line: str | bytes, number: int, audience_for: AudienceFor) -> Ticket:
    """Read one line of a ticket file.

    Args:
        line: One JSON object, at most 1 MB.
        number: The line's number in its file, from 1.
        audience_for: Audience of a ticket's content by its product.

    Raises:
        InvalidInputError: The line breaks the contract; `reason` begins with the field's name.
    """
    try:
        return _Parsing(_read_object(line)).ticket(audience_for)
    except InvalidInputError as error:
        raise InvalidInputError(error.reason, where=f"line {number}") from None


def pseudonym(requester: str) -> str:
    """`r_` and 12 hex digits that stand for a requester, the same in every import.

    Protects against reading identities out of the database, its backups and reports. Does not
    protect against someone who holds a list of requesters and hashes it: the namespace is no
    secret, so that two installations over the same tickets count the same people.
    """
    digest = hashlib.sha256(f"{REQUESTER_NAMESPACE}:{requester}".encode()).hexdigest()
    return f"r_{digest[:12]}"


def _read_object(line: str | bytes) -> dict[str, Any]:
    text = _decode(line)
    try:
        value = json.loads(
            text, object_pairs_hook=_without_repeats, parse_constant=_refuse_constant
        )
    except RecursionError:
        raise InvalidInputError("line: nested too deep") from None
    except ValueError as error:
        raise InvalidInputError(f"line: not JSON ({error})") from None
    if not isinstance(value, dict):
        raise InvalidInputError(f"line: expected an object, got {_kind(value)}")
    return value


def _decode(line: str | bytes) -> str:
    size = len(line) if isinstance(line, bytes) else len(line.encode(errors="surrogatepass"))
    if size > LONGEST_LINE_BYTES:
        raise InvalidInputError(f"line: {size} bytes, at most {LONGEST_LINE_BYTES}")
    if isinstance(line, str):
        return line.lstrip("\ufeff")
    try:
        return line.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInputError(f"line: not UTF-8 at byte {error.start}") from None


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    for key, count in Counter(key for key, _ in pairs).items():
        if count > 1:
            raise InvalidInputError(f"{_shown(key)}: stands {count} times in one object")
    return dict(pairs)


def _refuse_constant(name: str) -> NoReturn:
    raise InvalidInputError(f"line: {name} is not JSON")


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false"}
    return "null" if value is None else names.get(type(value), "a number")


def _shown(key: str) -> str:
    if key.isascii() and key.isidentifier():
        return key[:60]
    return ascii(mask_personal_data(key[:60])[0])


class _Parsing:
    """One object on its way to a ticket; every text that leaves here is masked."""

    def __init__(self, found: dict[str, Any]) -> None:
        for key in found:
            if key not in REQUIRED and key not in OPTIONAL:
                raise InvalidInputError(f"{_shown(key)}: unknown key")
        for key in REQUIRED:
            if found.get(key) is None:
                raise InvalidInputError(f"{key}: missing")
        self._found = found
        self._masked: Counter[str] = Counter()

    def ticket(self, audience_for: AudienceFor) -> Ticket:
        created_at = self._instant("created_at", self._found["created_at"])
        solved_at = self._optional("solved_at", self._instant)
        if solved_at is not None and solved_at < created_at:
            raise InvalidInputError("solved_at: before created_at")
        subject = self._text("subject", self._found["subject"])
        body = self._text("body", self._found["body"])
        if not (subject + body).strip():
            raise InvalidInputError("body: nothing is asked, subject and body are empty")
        product = self._optional("product", self._name)
        requester = self._optional("requester", self._name)
        return Ticket(
            ticket_id=self._identifier("id", self._found["id"], 120),
            created_at=created_at,
            subject=subject,
            body=body,
            status=self._status(),
            audience=audience_for(product),
            solved_at=solved_at,
            resolution=self._optional("resolution", self._text),
            replies=self._replies(),
            linked_articles=tuple(
                dict.fromkeys(
                    self._identifier(where, value, 200)
                    for where, value in self._list("linked_articles", MOST_LISTED)
                )
            ),
            helpful=self._optional("helpful", self._flag),
            reopened=bool(self._optional("reopened", self._flag)),
            escalated=bool(self._optional("escalated", self._flag)),
            channel=self._optional("channel", self._short),
            product=None if product is None else self._mask(product),
            tags=tuple(self._short(where, v) for where, v in self._list("tags", MOST_LISTED)),
            requester=None if requester is None else pseudonym(requester),
            error_code=self._optional("error_code", self._short),
            masked=dict(sorted(self._masked.items())),
        )

    def _optional(self, name: str, read: Callable[[str, Any], Any]) -> Any:
        value = self._found.get(name)
        return None if value is None else read(name, value)

    def _mask(self, text: str) -> str:
        masked, counts = mask_personal_data(text)
        self._masked.update(counts)
        return masked

    def _raw(self, name: str, value: Any, longest_bytes: int = LONGEST_TEXT_BYTES) -> str:
        if not isinstance(value, str):
            raise InvalidInputError(f"{name}: expected a text, got {_kind(value)}")
        if "\x00" in value:
            raise InvalidInputError(f"{name}: holds a NUL character")
        try:
            size = len(value.encode())
        except UnicodeEncodeError:
            raise InvalidInputError(f"{name}: holds half of a surrogate pair") from None
        if size > longest_bytes:
            raise InvalidInputError(f"{name}: {size} bytes, at most {longest_bytes}")
        return value

    def _text(self, name: str, value: Any) -> str:
        return self._mask(self._raw(name, value))

    def _name(self, name: str, value: Any) -> str:
        return self._raw(name, value, 80).strip()

    def _short(self, name: str, value: Any) -> str:
        limit = 40 if name == "channel" else 80
        masked = self._mask(self._raw(name, value, limit).strip())
        # A mask can be longer than what it hides.
        return masked[:limit]

    def _identifier(self, name: str, value: Any, longest_bytes: int) -> str:
        text = self._raw(name, value, longest_bytes)
        if not text.strip() or text != text.strip() or not text.isprintable():
            raise InvalidInputError(f"{name}: empty, padded or with control characters")
        return text

    def _flag(self, name: str, value: Any) -> bool:
        if not isinstance(value, bool):
            raise InvalidInputError(f"{name}: expected true or false, got {_kind(value)}")
        return value

    def _instant(self, name: str, value: Any) -> datetime:
        text = self._raw(name, value, 64)
        try:
            return parse_instant(text)
        except (InvalidInputError, OverflowError):
            shown = ascii(text[:40])
            raise InvalidInputError(
                f"{name}: {shown} is not an instant (expected 2026-03-01T09:00:00Z)"
            ) from None

    def _status(self) -> TicketStatus:
        value = self._raw("status", self._found["status"], 200)
        try:
            return TicketStatus(value)
        except ValueError:
            known = ", ".join(TicketStatus)
            raise InvalidInputError(f"status: {value[:40]!a} (expected one of: {known})") from None

    def _list(self, name: str, most: int) -> Iterator[tuple[str, Any]]:
        value = self._found.get(name)
        if value is None:
            return
        if not isinstance(value, list):
            raise InvalidInputError(f"{name}: expected a list, got {_kind(value)}")
        if len(value) > most:
            raise InvalidInputError(f"{name}: {len(value)} entries, at most {most}")
        for place, entry in enumerate(value):
            yield f"{name}[{place}]", entry

    def _replies(self) -> tuple[Reply, ...]:
        return tuple(self._reply(where, v) for where, v in self._list("replies", MOST_REPLIES))

    def _reply(self, where: str, value: Any) -> Reply:
        if not isinstance(value, dict):
            raise InvalidInputError(f"{where}: expected an object, got {_kind(value)}")
        names = ("author_role", "created_at", "body")
        for key in value:
            if key not in names:
                raise InvalidInputError(f"{where}.{_shown(key)}: unknown key")
        for key in names:
            if value.get(key) is None:
                raise InvalidInputError(f"{where}.{key}: missing")
        role = self._raw(f"{where}.author_role", value["author_role"], 200)
        if role not in AUTHOR_ROLES:
            known = ", ".join(AUTHOR_ROLES)
            raise InvalidInputError(
                f"{where}.author_role: {role[:40]!a} (expected one of: {known})"
            )
        at = self._instant(f"{where}.created_at", value["created_at"])
        return Reply(role, at, self._text(f"{where}.body", value["body"]))
