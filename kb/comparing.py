"""How an answer differs from the one that was served; pure.

An answer is described by what is kept of it in the search log: documents in order, each with its
version and its verdicts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

VERDICTS = (
    "freshness", "confidence_state", "action_class", "authority", "unverified", "overrules",
    "overruled_by",
)  # fmt: skip
"""Of a hit; what is not kept of an older search is not compared."""


@dataclass(frozen=True, slots=True)
class Change:
    """One hit that is not what it was."""

    kind: str
    """new, gone, moved, version_changed or verdict_changed."""
    hit: str
    """Document id, or chunk id where the answer was grouped by chunk."""
    before: Any
    after: Any
    what: str = ""
    """The verdict that changed."""

    def to_json(self) -> dict[str, Any]:
        named = {"verdict": self.what} if self.what else {}
        return {
            "kind": self.kind, "hit": self.hit, **named, "before": self.before, "after": self.after,
        }  # fmt: skip


def compare_hits(
    before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]], *, by: str
) -> list[Change]:
    """What happened to each hit.

    Args:
        before: As served, best first.
        after: As it would be served now, best first.
        by: The key that names a hit: document_id or chunk_id.

    Returns:
        Those of before in their order, then the new ones in theirs. Places count from 1; that a
        hit moved only because others came or went before it is a move all the same.
    """
    served = {hit[by]: (place, hit) for place, hit in enumerate(before, start=1)}
    serving = {hit[by]: (place, hit) for place, hit in enumerate(after, start=1)}
    changes = []
    for name, (place, hit) in served.items():
        if name not in serving:
            changes.append(Change("gone", name, place, None))
            continue
        now_place, now = serving[name]
        if now_place != place:
            changes.append(Change("moved", name, place, now_place))
        if now["version"] != hit["version"]:
            changes.append(Change("version_changed", name, hit["version"], now["version"]))
        changes += [
            Change("verdict_changed", name, hit[verdict], now.get(verdict), verdict)
            for verdict in VERDICTS
            if verdict in hit and hit[verdict] != now.get(verdict)
        ]
    fresh = [name for name in serving if name not in served]
    return changes + [Change("new", name, None, serving[name][0]) for name in fresh]
