"""What became of a topic and what people said about it, as one story; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from api.pages.wording import label, plural
from gaps.keeping.corrections import Correction, CorrectionKind
from gaps.keeping.lineage import EventKind, TopicEvent
from gaps.types import Gap, Publication


@dataclass(frozen=True, slots=True)
class Happening:
    at: datetime
    kind: str
    """An event's or a correction's kind, "published" or "rolled_back"."""
    text: str
    by: str = ""
    reason: str = ""


def tell_history(
    gap: Gap,
    events: Sequence[tuple[datetime, TopicEvent]],
    corrections: Sequence[Correction],
    published: Sequence[Publication],
    titles: Mapping[str, str],
) -> tuple[Happening, ...]:
    """Oldest first; a merge or split by a person is told once, with their name.

    Args:
        gap: Whose page it is.
        events: Of its topic, and of others in which it took part.
        corrections: Of its topic, and of those that were joined to it.
        published: For the gap.
        titles: Of topics by id.
    """
    by_person = {
        c.at for c in corrections if c.kind in (CorrectionKind.MERGE, CorrectionKind.SPLIT)
    }
    told = [
        Happening(at, event.kind.value, _event_text(gap.topic_id, event, titles))
        for at, event in events
        if at not in by_person
    ]
    told += [
        Happening(c.at, _kind_of(c), _said(gap.topic_id, c, titles), c.by, c.reason or "")
        for c in corrections
    ]
    for one in published:
        text = f"Published {one.document_id}, version {one.version}"
        told.append(Happening(one.published_at, "published", text, one.published_by))
        if one.rolled_back_at is not None:
            told.append(
                Happening(one.rolled_back_at, "rolled_back", f"Rolled back {one.document_id}")
            )
    return tuple(sorted(told, key=lambda h: (h.at, h.kind, h.text)))


def _kind_of(correction: Correction) -> str:
    marked = {CorrectionKind.MERGE: "merged", CorrectionKind.SPLIT: "split"}
    return marked.get(correction.kind, correction.kind.value)


def _event_text(topic_id: str, event: TopicEvent, titles: Mapping[str, str]) -> str:
    count = plural(event.ticket_count, "ticket")
    other = ", ".join(f"“{titles.get(key, key)}”" for key in event.others)
    itself = event.topic_id == topic_id
    name = f"“{titles.get(event.topic_id, event.topic_id)}”"
    if event.kind is EventKind.APPEARED:
        return f"First found, in {count}"
    if event.kind is EventKind.SPLIT:
        return (
            f"Split off from {other}, with {count}" if itself else f"{name} split off, with {count}"
        )
    if event.kind is EventKind.MERGED:
        return f"Became part of {other}" if itself else f"{name} became part of it, with {count}"
    return f"Its tickets went to {other}" if itself else f"It took tickets of {name}"


def _said(topic_id: str, correction: Correction, titles: Mapping[str, str]) -> str:
    value, itself = correction.value or "", correction.topic_id == topic_id
    name = f"“{titles.get(correction.topic_id, correction.topic_id)}”"
    other = f"“{titles.get(value, value)}”"
    count = plural(len(correction.ticket_ids), "ticket")
    if correction.kind is CorrectionKind.NOT_A_GAP:
        return "Dismissed"
    if correction.kind is CorrectionKind.KIND_IS:
        before = correction.judged.get("kind")
        was = f", not “{label(str(before))}”" if before and before != value else ""
        return f"Is “{label(value)}”{was}"
    if correction.kind is CorrectionKind.ASSIGN:
        return f"Assigned to {value}"
    if correction.kind is CorrectionKind.TITLE_IS:
        return f"Named “{value}”"
    if correction.kind is CorrectionKind.MERGE:
        return f"Made part of {other}" if itself else f"{name} made part of it, with {count}"
    return f"{count} split off as {other}" if itself else f"Split off from {name}, with {count}"
