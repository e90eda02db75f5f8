"""What tickets say against a version; pure.

Failures are shrunk towards everybody's share, what resolutions say counts from two requesters on,
and a requester who followed the article in vain is a report by itself.
"""

from __future__ import annotations

from collections.abc import Iterator

from gaps.freshness.facts import ArticleFacts, Finding, World

PRIOR_TICKETS = 8
"""Strength of the prior: a document's failure share counts as much as everybody's at 8 tickets."""
FEWEST_FAILED = 2
SLIGHT_EXCESS = 0.05
VALUE_FLOOR, TERM_FLOOR, VERSION_FLOOR = 0.60, 0.35, 0.20
"""Two requesters were told another value, another menu or code, another version, by who solved
it."""
FOLLOWED_FLOOR, MOST_FOLLOWED = 0.04, 4
"""Each requester who followed it in vain, from two on. Little: readers also fail to follow what is
right, and such articles were edited 1.0 to 1.2 times as often as others (bench/README.md)."""
SHOWN_EVIDENCE = 20


def find_reports(facts: ArticleFacts, world: World) -> Iterator[Finding]:
    """Failures, other facts told, and readers whom it did not help."""
    yield from _failures(facts, world)
    told = facts.told
    if told is not None:
        floor = {"value": VALUE_FLOOR, "version": VERSION_FLOOR}.get(told.kind, TERM_FLOOR)
        says = f"says {told.here}" if told.here else "does not say it"
        text = f"{says}, {len(told.tickets)} resolutions say {told.there}"
        yield Finding(
            f"resolution_{told.kind}", text, told.tickets, floor, value=float(len(told.tickets))
        )
    followed = facts.uses.followed_tickets
    if followed:
        count = len(followed)
        text = f"{count} {'requester' if count == 1 else 'requesters'} followed it in vain"
        floor = 1.0 - (1.0 - FOLLOWED_FLOOR) ** (min(count, MOST_FOLLOWED) if count > 1 else 0)
        yield Finding("followed", text, followed[:SHOWN_EVIDENCE], floor, value=float(count))
    if facts.shown.wrong:
        count = len(facts.shown.wrong)
        text = f"{count} {'answer' if count == 1 else 'answers'} that showed it were marked wrong"
        floor = 1.0 - 0.75 ** min(count, MOST_FOLLOWED)
        yield Finding(
            "marked_wrong", text, facts.shown.wrong[:SHOWN_EVIDENCE], floor, value=float(count)
        )


def _failures(facts: ArticleFacts, world: World) -> Iterator[Finding]:
    """Beta-binomial excess of the failure share over everybody's."""
    uses, usual = facts.uses, world.failure_share
    if uses.failed < FEWEST_FAILED:
        return
    share = (uses.failed + PRIOR_TICKETS * usual) / (uses.linked + PRIOR_TICKETS)
    excess = max(0.0, (share - usual) / max(1e-9, 1.0 - usual))
    if excess > SLIGHT_EXCESS:
        text = f"{uses.failed} of {uses.linked} tickets it was used on came back"
        yield Finding("tickets", text, uses.failed_tickets[:SHOWN_EVIDENCE], excess, excess)
