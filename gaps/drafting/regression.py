"""What a draft would do to real questions: what is gained, what is harmed elsewhere, by name.

Pure: it compares answers that `replay` has asked for, and reads nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gaps.types import Check, Replayed
from kb.types import Audience

NAME = "regression"
FIRST_PLACES = 3
"""A question counts as answered by these, as `kb evaluate` counts (kb/evaluation.py)."""
MOST_KEPT = 30
"""Rows stored with a draft, the worst first."""
MOST_NAMED = 5
QUESTION, TICKET = "question", "ticket"
LOST, GAINED, MOVED, SAME = "lost", "gained", "moved", "same"


@dataclass(frozen=True, slots=True)
class Answer:
    """What one search said."""

    documents: tuple[str, ...]
    """Ids of the first hits' documents, best first, at most ten."""
    answerable: bool


@dataclass(frozen=True, slots=True)
class AskedTwice:
    """One question with its answers without and with the draft."""

    kind: str
    id: str
    text: str
    audience: Audience
    right: frozenset[str]
    """Documents that answer it: the labels of a frozen question, a ticket's is the draft's."""
    before: Answer
    after: Answer


def compare_answers(asked: AskedTwice) -> Replayed:
    """Say what the draft did to one question.

    A frozen question is lost where its right document leaves the first three, gained where one
    comes in. A ticket is lost where it is no longer answered or the draft's document leaves the
    first three, gained where it becomes answered or the document comes in and it is answered.
    """
    before, after = asked.before, asked.after
    was, now = _rank(before, asked.right), _rank(after, asked.right)
    outcome = _judge(asked, _is_first(was), _is_first(now))
    first_before, first_after = _first(before), _first(after)
    if outcome == SAME and (
        (first_before, before.answerable, was) != (first_after, after.answerable, now)
    ):
        outcome = MOVED
    fresh = [d for d in after.documents[:FIRST_PLACES] if d not in before.documents[:FIRST_PLACES]]
    return Replayed(
        kind=asked.kind,
        id=asked.id,
        audience=asked.audience,
        text=asked.text,
        outcome=outcome,
        rank_before=was,
        rank_after=now,
        answerable_before=before.answerable,
        answerable_after=after.answerable,
        first_before=first_before,
        first_after=first_after,
        displaced_by=tuple(fresh) if _is_first(was) and not _is_first(now) else (),
    )


def _judge(asked: AskedTwice, was_first: bool, is_first: bool) -> str:
    lost, gained = was_first and not is_first, is_first and not was_first
    if asked.kind == TICKET:
        before, after = asked.before.answerable, asked.after.answerable
        lost = lost or (before and not after)
        gained = after and (gained or not before)
    if lost:
        return LOST
    return GAINED if gained else SAME


def _rank(answer: Answer, right: frozenset[str]) -> int | None:
    return next((n for n, d in enumerate(answer.documents, start=1) if d in right), None)


def _is_first(rank: int | None) -> bool:
    return rank is not None and rank <= FIRST_PLACES


def _first(answer: Answer) -> str | None:
    return answer.documents[0] if answer.documents else None


def check_regression(asked: Sequence[AskedTwice], audience: Audience) -> Check:
    """The verdict over everything that was asked, in the order it was asked.

    Red where a labelled question, whoever asks it, loses its right answer from the first three.
    Green where the gap's tickets gain, none of them loses, and labelled questions were there to
    vouch for the rest, none of which is refused now; otherwise a look.

    Args:
        asked: Every question with both answers.
        audience: The draft's: what it may not read is counted in the detail, not named.
    """
    compared = [compare_answers(one) for one in asked]
    labelled = [
        row for row, one in zip(compared, asked, strict=True) if row.kind == QUESTION and one.right
    ]
    tickets = [row for row in compared if row.kind == TICKET]
    harmed = [row for row in labelled if row.outcome == LOST]
    refused = [row for row in labelled if row.answerable_before and not row.answerable_after]
    worse = [row for row in tickets if row.outcome == LOST]
    gained = sum(row.outcome == GAINED for row in tickets)
    said = [_tell_questions(labelled), _tell_tickets(tickets)]
    if harmed:
        said.append("harmed: " + _name(harmed, audience, _tell_harm))
    if refused:
        said.append("no longer answered: " + _name(refused, audience, lambda row: row.id))
    if worse:
        said.append("tickets that lose: " + _name(worse, audience, lambda row: row.id))
    if tickets and not gained:
        said.append("no ticket gains")
    said += _tell_first_places(compared, audience)
    green = bool(gained and labelled) and not worse and not refused
    verdict = "red" if harmed else "green" if green else "look"
    return Check(NAME, verdict, "; ".join(said), _keep(compared))


def _tell_questions(labelled: Sequence[Replayed]) -> str:
    if not labelled:
        return "no frozen questions to ask ([learning] questions)"
    before = sum(_is_first(row.rank_before) for row in labelled)
    after = sum(_is_first(row.rank_after) for row in labelled)
    return f"{len(labelled)} frozen questions with a right answer in the first three: " + (
        f"{before} → {after}"
    )


def _tell_tickets(tickets: Sequence[Replayed]) -> str:
    if not tickets:
        return "no ticket to ask"
    before = sum(row.answerable_before for row in tickets)
    after = sum(row.answerable_after for row in tickets)
    was = sum(_is_first(row.rank_before) for row in tickets)
    now = sum(_is_first(row.rank_after) for row in tickets)
    return (
        f"answered tickets {before} → {after} of {len(tickets)},"
        f" this article in their first three {was} → {now}"
    )


def _tell_harm(row: Replayed) -> str:
    by = ", ".join(row.displaced_by)
    return f"{row.id} (gives way to {by})" if by else row.id


def _name(rows: Sequence[Replayed], audience: Audience, tell: Callable[[Replayed], str]) -> str:
    """Names of what the audience may know of, the rest as a number."""
    known = sorted((row for row in rows if audience.may_read(row.audience)), key=lambda r: r.id)
    named = [tell(row) for row in known[:MOST_NAMED]]
    more = len(known) - len(named)
    hidden = len(rows) - len(known)
    if more:
        named.append(f"{more} more")
    if hidden:
        named.append(f"{hidden} that only others may read")
    return ", ".join(named)


def _tell_first_places(rows: Sequence[Replayed], audience: Audience) -> list[str]:
    """Documents that came first and no longer do, most often first."""
    lost = Counter(
        row.first_before
        for row in rows
        if row.first_before is not None
        and row.first_before != row.first_after
        and audience.may_read(row.audience)
    )
    if not lost:
        return []
    ordered = sorted(lost.items(), key=lambda pair: (-pair[1], pair[0]))
    told = ", ".join(f"{key} {count}" for key, count in ordered[:MOST_NAMED])
    more = len(ordered) - MOST_NAMED
    return [f"first places lost: {told}" + (f" and {more} more" if more > 0 else "")]


def _keep(compared: Sequence[Replayed]) -> tuple[Replayed, ...]:
    """What differs, worst first: lost before gained before moved, questions before tickets."""
    order = {LOST: 0, GAINED: 1, MOVED: 2}
    differing = [row for row in compared if row.outcome in order]
    differing.sort(key=lambda row: (order[row.outcome], row.kind, row.id))
    return tuple(differing[:MOST_KEPT])
