"""What a source states against what is stored → what to do; decides, and does nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from kb.types import ParsedDocument

MASS_LOSS_DOCUMENTS = 10
"""From this many on, all gone at once is taken for an unmounted disk, not for a decision."""


class StoredState(Protocol):
    """What is stored of a document ever seen; `kb.articles` reads it."""

    @property
    def content_hash(self) -> str: ...

    @property
    def metadata_hash(self) -> str: ...

    @property
    def source(self) -> str: ...

    @property
    def path(self) -> str: ...

    @property
    def deleted(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a listing holds and a sync does not take."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class SyncPlan:
    """Actions by document; every document is in one of them. Ordered as listed, deletions by id."""

    new: tuple[ParsedDocument, ...] = ()
    changed: tuple[ParsedDocument, ...] = ()
    """Another text, or a deleted document come back: a new version."""
    metadata_only: tuple[ParsedDocument, ...] = ()
    unchanged: tuple[ParsedDocument, ...] = ()
    deleted: tuple[str, ...] = ()
    refused: tuple[Refusal, ...] = ()

    @property
    def writes_nothing(self) -> bool:
        return not (self.new or self.changed or self.metadata_only or self.deleted)


def plan_sync(
    listed: Sequence[ParsedDocument],
    stored: Mapping[str, StoredState],
    source: str,
    *,
    complete: bool,
    refused_paths: Collection[str],
) -> SyncPlan:
    """Compare a listing with the stored states.

    A document is deleted only when a complete listing misses it and its file is not a refused
    one: a file that became malformed keeps serving its last good version. Another source's
    documents are never touched.

    Args:
        listed: What the source states; ids unique.
        stored: Every document ever seen, of all sources.
        source: The source's name.
        complete: Whether the listing is the whole of the source.
        refused_paths: Files that are there and could not be taken.
    """
    actions: dict[str, list[ParsedDocument]] = {
        "new": [], "changed": [], "metadata_only": [], "unchanged": []
    }  # fmt: skip
    refused: list[Refusal] = []
    for parsed in listed:
        state = stored.get(parsed.document_id)
        if state is not None and state.source != source and not state.deleted:
            reason = f"the id {parsed.document_id!r} belongs to the source {state.source!r}"
            refused.append(Refusal(parsed.path, reason))
        else:
            actions[_action_for(parsed, state)].append(parsed)
    deleted: tuple[str, ...] = ()
    if complete:
        deleted = _find_deleted(listed, stored, source, refused_paths)
    if not listed and len(deleted) >= MASS_LOSS_DOCUMENTS:
        reason = f"nothing listed where {len(deleted)} documents were: none of them deleted"
        refused.append(Refusal(".", reason))
        deleted = ()
    return SyncPlan(
        **{action: tuple(documents) for action, documents in actions.items()},
        deleted=deleted,
        refused=tuple(refused),
    )


def _action_for(parsed: ParsedDocument, state: StoredState | None) -> str:
    if state is None:
        return "new"
    if state.deleted or state.content_hash != parsed.content_hash:
        return "changed"
    if state.metadata_hash != parsed.metadata_hash or state.path != parsed.path:
        return "metadata_only"
    return "unchanged"


def _find_deleted(
    listed: Sequence[ParsedDocument],
    stored: Mapping[str, StoredState],
    source: str,
    refused_paths: Collection[str],
) -> tuple[str, ...]:
    present = {parsed.document_id for parsed in listed}
    kept = set(refused_paths)
    return tuple(
        sorted(
            document_id
            for document_id, state in stored.items()
            if state.source == source
            and not state.deleted
            and document_id not in present
            and state.path not in kept
        )
    )
