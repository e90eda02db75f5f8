"""What is done with several articles of the queue at once: each by itself, as it was listed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from api.freshness_desk import LONGEST_INTERVAL_DAYS, MAX_REASON
from api.keys import Caller
from api.wiring import Application
from gaps.freshness import queue
from kb.errors import ConflictError, ForbiddenError, InvalidInputError, KbError, StaleError
from kb.types import Role

MOST_CHOSEN = 200
MOST_DRAFTS = 10
"""Of one press: each asks the search many questions."""
VERIFY, DRAFT = "verify", "draft"


@dataclass(frozen=True, slots=True)
class QueueForm:
    """What was sent beside the ticked articles."""

    do: str = ""
    """"verify" or "draft"."""
    reason: str = ""
    days: str = ""
    """An interval as a number field sends it; empty: as before."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one article."""

    document_id: str
    title: str
    done: bool
    told: str
    href: str


def find_fault(form: QueueForm, chosen: Sequence[str]) -> str:
    """What is missing in the form, in words; empty where nothing is."""
    if form.do not in (VERIFY, DRAFT):
        return "Choose what to do with the ticked articles."
    if not chosen:
        return "Tick the articles it is about first."
    if form.do == VERIFY and not form.reason:
        return "Say how you know that they are true; it goes into the audit log."
    if len(form.reason) > MAX_REASON:
        return f"The reason has {len(form.reason):,} characters; {MAX_REASON:,} fit."
    if form.do == VERIFY and read_days(form.days) == 0:
        return f"The interval is 1 to {LONGEST_INTERVAL_DAYS:,} days; leave it out to keep each."
    if form.do == DRAFT and len(chosen) > MOST_DRAFTS:
        return f"At most {MOST_DRAFTS} drafts are written at once; {len(chosen)} are ticked."
    return ""


def read_days(text: str) -> int | None:
    """Days of an interval; None where none is named, 0 where it is no interval."""
    if not text:
        return None
    days = int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0
    return days if days <= LONGEST_INTERVAL_DAYS else 0


def do_all(
    kb: Application, caller: Caller, form: QueueForm, chosen: Sequence[str]
) -> Iterator[Outcome]:
    """Do one thing with every ticked article, and say of each what became of it.

    Args:
        kb: The knowledge base.
        caller: Who decides.
        form: What to do.
        chosen: "version id" of each ticked article, as it was listed.
    """
    for one in chosen:
        listed, _, document_id = one.partition(" ")
        title, href = document_id, f"/freshness/{quote(document_id)}"
        try:
            with kb.database.read() as connection:
                entry = kb.freshness.read_entry(connection, document_id, caller)
            title = entry.title
            if listed != str(entry.version):
                raise StaleError(f"it changed since it was listed; read version {entry.version}")
            if form.do == VERIFY:
                kb.freshness.verify(
                    document_id, caller, reason=form.reason, interval_days=read_days(form.days),
                    version=entry.version,
                )  # fmt: skip
                told = "Confirmed."
            else:
                href = f"/review/{quote(_write_draft(kb, caller, document_id))}"
                told = "A draft is written."
        except KbError as error:
            said = error.reason if isinstance(error, InvalidInputError) else error.message
            yield Outcome(document_id, title, False, f"{said[:1].upper()}{said[1:]}.", href)
        else:
            yield Outcome(document_id, title, True, told, href)


def _write_draft(kb: Application, caller: Caller, document_id: str) -> str:
    """The draft that changes the article: the one there is, or one written now."""
    with kb.database.read() as connection:
        repair = queue.read_repairs(connection, [document_id]).get(document_id)
    if repair is None:
        raise ConflictError("no gap is open for it; tickets have not asked for a change")
    if not caller.role.includes(Role.EDITOR) and caller.owner != repair.gap_owner:
        raise ForbiddenError(f"its gap is for {repair.gap_owner} to work on")
    if repair.draft_id is not None:
        return repair.draft_id
    return kb.desk.write_draft(repair.gap_id, actor=caller.name).draft_id
