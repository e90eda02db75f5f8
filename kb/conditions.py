"""Conditions on documents' attributes, as agents' tools state them, and who meets them; pure.

An attribute that a document does not have meets only what denies something (`ne`, `not_in`,
`not_contains`, `empty`). One with several values, as labels, meets what any value meets, and denies
what none of them meets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from kb.types import Condition, Conditions, Document, Freshness

MOST_DEPTH = 5
"""Of groups in groups; tools that build filters nest two or three."""
MOST_COMPARISONS = 100


def matches(where: Condition | Conditions, attributes: Mapping[str, Any]) -> bool:
    """Whether a document with these attributes meets the condition."""
    if isinstance(where, Conditions):
        met = (matches(part, attributes) for part in where.parts)
        return all(met) if where.operator == "and" else any(met)
    found = attributes.get(where.key)
    held = [
        value for value in (found if isinstance(found, tuple) else (found,)) if value is not None
    ]
    if where.operator == "empty":
        return not any(value != "" for value in held)
    if where.operator == "not_empty":
        return any(value != "" for value in held)
    denied = DENIALS.get(where.operator)
    meets = COMPARISONS[denied or where.operator]
    met_any = any(meets(value, where.value) for value in held)
    return not met_any if denied else met_any


def read_attributes(document: Document, freshness: Freshness) -> dict[str, Any]:
    """What conditions can name: text, numbers, aware instants, and tuples of text."""
    said = document.metadata
    return {
        "document_id": document.document_id,
        "version": document.version,
        "title": said.title,
        "url": said.url,
        "source": document.source,
        "authority": said.authority,
        "audience": said.audience.value,
        "owner": said.owner,
        "confidence_state": said.confidence_state.value,
        "freshness": freshness.verdict.value,
        "age_days": freshness.age_days,
        "action_class": said.action_class.value if said.action_class else None,
        "labels": said.labels,
        "products": said.products,
        "regions": said.regions,
        "last_verified_at": said.last_verified_at,
        "updated_at": document.updated_at,
        "effective_from": said.effective_from,
        "effective_until": said.effective_until,
    }


def read_kept(said: Mapping[str, Any] | None) -> Condition | Conditions | None:
    """A condition as the search log keeps it (`dataclasses.asdict`, as JSON), to be asked again."""
    if said is None:
        return None
    if "parts" in said:
        parts = (read_kept(part) for part in said["parts"])
        return Conditions(said["operator"], tuple(part for part in parts if part is not None))
    value = said["value"]
    return Condition(
        said["key"], said["operator"], tuple(value) if isinstance(value, list) else value
    )


def check_size(where: Condition | Conditions) -> str | None:
    """Why a condition is too large to be asked, or None."""
    depth, comparisons, level = 0, 0, [where]
    while level:
        depth += 1
        if depth > MOST_DEPTH + 1:
            return f"conditions may be nested {MOST_DEPTH} deep"
        groups = [part for part in level if isinstance(part, Conditions)]
        comparisons += len(level) - len(groups)
        if comparisons > MOST_COMPARISONS:
            return f"there may be {MOST_COMPARISONS} comparisons"
        level = [part for group in groups for part in group.parts]
    return None


def _equals(held: Any, value: Any) -> bool:
    pair = _comparable(held, value)
    return pair is not None and bool(pair[0] == pair[1])


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def meets(held: Any, value: Any) -> bool:
        pair = _comparable(held, value)
        return pair is not None and compare(*pair)

    return meets


def _dated(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def meets(held: Any, value: Any) -> bool:
        left, right = _to_instant(held), _to_instant(value)
        return left is not None and right is not None and compare(left, right)

    return meets


def _in_text(compare: Callable[[str, str], bool]) -> Callable[[Any, Any], bool]:
    def meets(held: Any, value: Any) -> bool:
        wanted = value if isinstance(value, list | tuple) else (value,)
        return any(compare(_to_text(held), _to_text(part)) for part in wanted if part is not None)

    return meets


def _among(held: Any, value: Any) -> bool:
    wanted = value if isinstance(value, list | tuple) else (value,)
    return any(_equals(held, part) for part in wanted)


COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": _equals,
    "in": _among,
    "gt": _ordered(lambda held, value: held > value),
    "gte": _ordered(lambda held, value: held >= value),
    "lt": _ordered(lambda held, value: held < value),
    "lte": _ordered(lambda held, value: held <= value),
    "before": _dated(lambda held, value: held < value),
    "after": _dated(lambda held, value: held > value),
    "contains": _in_text(lambda held, value: value in held),
    "starts_with": _in_text(lambda held, value: held.startswith(value)),
    "ends_with": _in_text(lambda held, value: held.endswith(value)),
}
"""By operator; text is compared whole and as written by the first two, else without its case."""
DENIALS = {"ne": "eq", "not_in": "in", "not_contains": "contains"}
OPERATORS = frozenset({*COMPARISONS, *DENIALS, "empty", "not_empty"})


def _comparable(held: Any, value: Any) -> tuple[Any, Any] | None:
    """Both as the kind the attribute has; None where the value is of no such kind."""
    if isinstance(held, datetime):
        instant = _to_instant(value)
        return None if instant is None else (held, instant)
    if isinstance(held, int | float) and not isinstance(held, bool):
        try:
            return None if isinstance(value, bool) else (held, float(value))
        except (TypeError, ValueError, OverflowError):
            return None
    return (held, value) if isinstance(held, str) and isinstance(value, str) else None


def _to_text(value: Any) -> str:
    return (value.isoformat() if isinstance(value, datetime) else str(value)).casefold()


def _to_instant(value: Any) -> datetime | None:
    """An aware instant from one, from ISO 8601 text (a day counts from midnight, UTC), or seconds
    since 1970."""
    try:
        if isinstance(value, str):
            value = datetime.fromisoformat(value.strip())
        elif isinstance(value, int | float) and not isinstance(value, bool):
            value = datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    if not isinstance(value, datetime):
        return None
    return value if value.tzinfo else value.replace(tzinfo=UTC)
