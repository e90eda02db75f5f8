"""Bytes of an article file → its front matter as written, and its body.

Knows YAML and places in a file, not what the keys mean (`metadata` does). Values keep their
spelling, so that a region `NO` stays a region and does not become the boolean YAML reads in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NoReturn

import yaml

from kb.errors import InvalidInputError

MAX_FILE_BYTES = 5_000_000
MAX_FRONT_MATTER_CHARACTERS = 65_536

_LOADER: type[yaml.CSafeLoader] | type[yaml.SafeLoader] = getattr(
    yaml, "CSafeLoader", yaml.SafeLoader
)
_RESOLVER = yaml.resolver.Resolver()
_KINDS = {
    "tag:yaml.org,2002:null": "nothing",
    "tag:yaml.org,2002:bool": "a yes/no value",
    "tag:yaml.org,2002:int": "a number",
    "tag:yaml.org,2002:float": "a number",
    "tag:yaml.org,2002:timestamp": "a date",
}
TEXT = "text"
NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value as written."""

    text: str
    kind: str
    """What YAML reads in the unquoted spelling; `TEXT` for everything quoted."""
    line: int


@dataclass(frozen=True, slots=True)
class Field:
    """One key with its value or list of values."""

    key: str
    line: int
    scalars: tuple[Scalar, ...]
    is_list: bool


@dataclass(frozen=True, slots=True)
class FrontMatter:
    fields: Mapping[str, Field]
    body: str
    """Everything after the front matter; newlines are \\n."""
    body_line: int
    """Line of the file the body starts on, counted from 1."""


def refuse(message: str, path: str, line: int) -> NoReturn:
    """Raise what a file does wrong, with its place in words and as details."""
    raise InvalidInputError(message, where=f"{path}:{line}", path=path, line=line)


def decode_text(raw: bytes, path: str) -> str:
    """Text of a file without byte order mark, newlines as \\n.

    Raises:
        InvalidInputError: Over `MAX_FILE_BYTES`, not UTF-8, or holding NUL.
    """
    if len(raw) > MAX_FILE_BYTES:
        refuse(f"the file has {len(raw)} bytes (expected at most {MAX_FILE_BYTES})", path, 1)
    if (offset := raw.find(b"\x00")) >= 0:
        refuse(f"NUL byte at offset {offset} (expected text)", path, _line_at(raw, offset))
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # The codec counts from after a byte order mark.
        offset = error.start + (3 if raw.startswith(b"\xef\xbb\xbf") else 0)
        refuse(f"not UTF-8 at byte offset {offset}", path, _line_at(raw, offset))
    return text.replace("\r\n", "\n").replace("\r", "\n")


def split_front_matter(raw: bytes, path: str) -> FrontMatter:
    """Split a file into front matter and body; a file without front matter is all body.

    Raises:
        InvalidInputError: Not readable as text, not closed, or not plain `key: value` YAML.
    """
    text = decode_text(raw, path)
    lines = text.split("\n")
    if lines[0].rstrip() != "---":
        return FrontMatter({}, text, 1)
    closing = next((i for i in range(1, len(lines)) if lines[i].rstrip() in ("---", "...")), None)
    if closing is None:
        refuse("front matter is not closed (expected a line '---' after the keys)", path, 1)
    header = "\n".join(lines[1:closing])
    if len(header) > MAX_FRONT_MATTER_CHARACTERS:
        refuse(f"front matter is over {MAX_FRONT_MATTER_CHARACTERS} characters", path, 1)
    return FrontMatter(_read_fields(header, path), "\n".join(lines[closing + 1 :]), closing + 2)


def _read_fields(header: str, path: str) -> dict[str, Field]:
    events = iter(_read_events(header, path))
    first = next(events, None)
    if first is None:
        return {}
    if not isinstance(first, yaml.MappingStartEvent):
        refuse("front matter is not 'key: value' lines", path, _line_of(first))
    fields: dict[str, Field] = {}
    for event in events:
        if isinstance(event, yaml.MappingEndEvent):
            break
        if not isinstance(event, yaml.ScalarEvent):
            refuse("a key is not text (expected 'key: value')", path, _line_of(event))
        key, line = event.value, _line_of(event)
        if key in fields:
            refuse(f"{key!r} is given twice (first on line {fields[key].line})", path, line)
        fields[key] = _read_field(key, line, events, path)
    return fields


def _read_field(key: str, line: int, events: Iterator[yaml.Event], path: str) -> Field:
    event = next(events)
    if isinstance(event, yaml.ScalarEvent):
        return Field(key, line, (_read_scalar(event),), is_list=False)
    if not isinstance(event, yaml.SequenceStartEvent):
        refuse(f"{key!r} is a mapping (expected one value or a list of values)", path, line)
    scalars: list[Scalar] = []
    for member in events:
        if isinstance(member, yaml.SequenceEndEvent):
            break
        if not isinstance(member, yaml.ScalarEvent):
            refuse(
                f"{key!r} holds a nested value (expected a list of texts)", path, _line_of(member)
            )
        scalars.append(_read_scalar(member))
    return Field(key, line, tuple(scalars), is_list=True)


def _read_scalar(event: yaml.ScalarEvent) -> Scalar:
    kind = TEXT
    if event.implicit[0]:
        tag = _RESOLVER.resolve(yaml.ScalarNode, event.value, (True, False))  # type: ignore[no-untyped-call]
        kind = _KINDS.get(str(tag), TEXT)
    return Scalar(event.value, kind, _line_of(event))


def _read_events(header: str, path: str) -> list[yaml.Event]:
    """Events of the one YAML document; a stream of events cannot be expanded by aliases."""
    events: list[yaml.Event] = []
    documents = 0
    try:
        for event in yaml.parse(header, Loader=_LOADER):
            documents += isinstance(event, yaml.DocumentStartEvent)
            if isinstance(event, yaml.NodeEvent):
                _check_plain(event, path)
            if isinstance(event, yaml.NodeEvent | yaml.CollectionEndEvent):
                events.append(event)
            if documents > 1:
                refuse("front matter holds a second document", path, _line_of(event))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 2 if error.problem_mark else 1
        refuse(f"front matter is not YAML: {_explain(error.problem)}", path, line)
    except yaml.reader.ReaderError as error:
        line = header.count("\n", 0, int(error.position)) + 2
        refuse(f"front matter is not YAML: {error.reason}", path, line)
    return events


def _check_plain(event: yaml.NodeEvent, path: str) -> None:
    if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
        refuse("anchors and aliases (& and *) are not allowed", path, _line_of(event))
    if getattr(event, "tag", None) is not None:
        refuse("tags (!) are not allowed", path, _line_of(event))


def _explain(problem: str | None) -> str:
    if problem and re.search(r"mapping values are not allowed", problem):
        return f"{problem} (a text holding ': ' needs quotes)"
    return problem or "malformed"


def _line_of(event: yaml.Event) -> int:
    # Marks count from 0, and the header starts on the file's second line.
    return (event.start_mark.line if event.start_mark else 0) + 2


def _line_at(raw: bytes, offset: int) -> int:
    before = raw[:offset].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return before.count(b"\n") + 1
