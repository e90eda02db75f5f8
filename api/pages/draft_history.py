"""What happened to a draft, in one order: written, talked about, put off, decided, served; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from api.pages.wording import REASONS, label, tone
from gaps.drafting.drafts import Review
from gaps.drafting.handling import Note, NoteKind
from gaps.drafting.lessons import Because
from gaps.types import Draft, Publication
from kb.clock import parse_instant


@dataclass(frozen=True, slots=True)
class Happening:
    at: datetime
    what: str
    by: str = ""
    text: str = ""
    detail: str = ""
    tone: str = "quiet"


def tell_history(
    draft: Draft,
    reviews: Sequence[Review],
    notes: Sequence[Note],
    publication: Publication | None,
) -> list[Happening]:
    """Everything but the comments, oldest first."""
    told = [
        Happening(
            draft.created_at, "Refused to write a draft" if draft.refused else "Draft written"
        ),
        *map(_tell_review, reviews),
        *(_tell_note(note) for note in notes if note.kind is not NoteKind.COMMENT),
        *_tell_publication(publication),
    ]
    return sorted(told, key=lambda happening: happening.at)


def _tell_review(review: Review) -> Happening:
    detail = f"text {review.draft_hash[:8]}"
    if review.evidence_hash:
        detail += f", evidence {review.evidence_hash[:8]}"
    text = review.reason or ""
    if review.because in set(Because):
        named = f" ({review.because_value})" if review.because_value else ""
        text = f"{REASONS[Because(review.because)]}{named}. {text}"
    return Happening(
        review.at, label(review.decision), review.reviewer, text, detail, tone(review.decision)
    )


def _tell_note(note: Note) -> Happening:
    what = label(note.kind.value)
    if note.kind is NoteKind.SNOOZED and note.value:
        until = parse_instant(note.value)
        what = f"Snoozed until {until.day} {until:%b %Y}"
    elif note.kind is NoteKind.HANDED_OVER:
        what = f"Handed over, {note.value}"
    return Happening(note.at, what, note.by, note.text)


def _tell_publication(publication: Publication | None) -> Iterator[Happening]:
    if publication is None:
        return
    yield Happening(
        publication.published_at, f"Published as version {publication.version}",
        publication.published_by, tone="good", detail=_tell_delivery(publication.delivery),
    )  # fmt: skip
    if publication.rolled_back_at is not None:
        yield Happening(publication.rolled_back_at, "Rolled back", tone="bad")


def _tell_delivery(delivery: Mapping[str, Any] | None) -> str:
    """What became of it at its source, where the source is more than a folder."""
    if not delivery:
        return ""
    where = delivery.get("why") or (f"on {delivery['branch']}" if delivery.get("branch") else "")
    return f"at its source: {label(delivery['state'])} {where}".rstrip()
