"""What is done with several drafts at once: each by itself, on the text that was listed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from api.keys import Caller
from api.pages.wording import DONE
from api.review_desk import count_needed, make_lesson
from api.wiring import Application
from gaps.drafting.drafts import read_draft
from gaps.types import Draft
from kb.errors import ConflictError, InvalidInputError, KbError, StaleError

MOST_CHOSEN = 100


@dataclass(frozen=True, slots=True)
class BulkForm:
    """What was sent beside the ticked drafts."""

    do: str
    """"approve", "snooze", "hand_over" or "reject"."""
    reason: str = ""
    because: str = ""
    owner: str = ""
    until: str = ""
    """A day, as a date field sends it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one draft."""

    draft_id: str
    title: str
    done: bool
    told: str


def find_fault(form: BulkForm, chosen: Sequence[str], now: datetime) -> str:
    """What is missing in the form, in words; empty where nothing is."""
    if form.do not in DONE:
        return "Choose what to do with the ticked drafts."
    if not chosen:
        return "Tick the drafts it is about first."
    if form.do == "reject" and not form.reason:
        return "Say why they are not right; it teaches the next run."
    if form.do == "hand_over" and not form.owner:
        return "Choose whom to hand them to."
    if form.do == "snooze" and read_day(form.until, now) is None:
        return "Choose a day after today on which they come back."
    return ""


def read_day(text: str, now: datetime) -> datetime | None:
    """Midnight UTC of a date field's day, where that is still to come."""
    try:
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=now.tzinfo)
    except ValueError:
        return None
    return day if day > now else None


def do_all(
    kb: Application, caller: Caller, form: BulkForm, chosen: Sequence[str], seen: Mapping[str, str]
) -> Iterator[Outcome]:
    """Do one thing with every ticked draft, and say of each what became of it.

    Args:
        kb: The knowledge base.
        caller: Who decides.
        form: What to do.
        chosen: Ids of the ticked drafts.
        seen: By id, hash and state of the draft when it was listed ("hash state").
    """
    for draft_id in chosen:
        title = draft_id
        try:
            draft = kb.desk.read_draft(draft_id, caller)
            title = draft.title
            _do(kb, caller, form, draft, seen.get(draft_id, ""))
        except KbError as error:
            told = error.reason if isinstance(error, InvalidInputError) else error.message
            yield Outcome(draft_id, title, False, f"{told[:1].upper()}{told[1:]}.")
        else:
            yield Outcome(draft_id, title, True, f"{DONE[form.do].capitalize()}.")


def _do(kb: Application, caller: Caller, form: BulkForm, draft: Draft, seen: str) -> None:
    draft_hash, _, state = seen.partition(" ")
    if draft.draft_hash != draft_hash or draft.state.value != state:
        raise StaleError("it changed since it was listed; read it again")
    now = kb.clock.now()
    if form.do == "snooze":
        until = read_day(form.until, now)
        kb.reviewing.snooze(
            draft.draft_id, until, caller, draft_hash=draft_hash, reason=form.reason
        )
    elif form.do == "hand_over":
        kb.reviewing.hand_over(
            draft.draft_id, form.owner, caller, draft_hash=draft_hash, reason=form.reason
        )
    elif form.do == "reject":
        kb.publishing.review(
            draft.draft_id, "reject", caller=caller, draft_hash=draft_hash, state=state,
            reason=form.reason, lesson=make_lesson(form.because),
        )  # fmt: skip
    else:
        _refuse_in_bulk(kb, draft)
        kb.publishing.review(
            draft.draft_id, "approve", caller=caller, draft_hash=draft_hash, state=state
        )


def _refuse_in_bulk(kb: Application, draft: Draft) -> None:
    """Without a look at each, only what every check calls fine and one person may decide."""
    wanting = [check.name for check in draft.checks if check.verdict != "green"]
    if wanting or not draft.checks:
        told = ", ".join(name.replace("_", " ") for name in wanting) or "it was not checked"
        raise ConflictError(f"open it to approve it; a check wants a look: {told}")
    with kb.database.read() as connection:
        draft = read_draft(connection, draft.draft_id)
        if count_needed(connection, draft) > 1:
            raise ConflictError("open it to approve it; it needs two people")
