"""What belongs together beside its wording: failures of one article, a name nobody knows; pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence

from gaps.keeping.lineage import Alike, Group

MARKER_SHARE = 0.4
MARKER_STRAY_SHARE = 0.25
MARKER_LIKENESS = 0.3
"""The made-up company's VPN story falls into four groups without this, into two with it."""
FEWEST_REQUESTERS = 3


def group_by_failed_article(
    groups: Sequence[Group],
    failed_on: Mapping[str, str],
    requesters: Mapping[str, str],
) -> list[Group]:
    """Let the agents' own links overrule the wording: failures of one article are one topic.

    Tickets that failed on an article join the group that holds most of them where that article is
    what most of the group's linked tickets failed on; else they become a group of their own,
    if three people stand behind it.

    Args:
        groups: Disjoint sets of ticket ids.
        failed_on: The linked article that failed, by ticket id; only of unresolved tickets.
        requesters: Requester by ticket id.
    """
    current = [set(group) for group in groups]
    by_article: defaultdict[str, set[str]] = defaultdict(set)
    for ticket_id, article in failed_on.items():
        by_article[article].add(ticket_id)
    for article, failures in sorted(by_article.items()):
        if count_requesters(failures, requesters) < FEWEST_REQUESTERS:
            continue
        home = _home_of(article, failures, current, failed_on)
        for group in current:
            if group is not home:
                group -= failures
        if home is None:
            current.append(set(failures))
        else:
            home |= failures
    return _large_enough(current, requesters)


def _home_of(
    article: str, failures: set[str], groups: Sequence[set[str]], failed_on: Mapping[str, str]
) -> set[str] | None:
    """The group with most of the failures, where they are its main failure."""
    found = max(groups, key=lambda group: len(group & failures), default=None)
    if found is None or not found & failures:
        return None
    articles = Counter(failed_on[key] for key in found if key in failed_on)
    leading = max(articles, key=lambda key: (articles[key], key))
    return found if leading == article else None


def merge_by_markers(
    groups: Sequence[Group],
    holders: Mapping[str, Collection[str]],
    requesters: Mapping[str, str],
    alike: Alike,
) -> list[Group]:
    """Join groups that speak of the same thing no document knows.

    A marker is a term without a document that at least 40% of each joined group hold, and that
    hardly occurs in the other groups. Groups that are not alike beside it stay apart: an ordinary
    word that no document happens to hold says nothing. Ungrouped tickets that hold it come along.

    Args:
        groups: Disjoint sets of ticket ids.
        holders: Ticket ids that hold each term no document knows.
        requesters: Requester by ticket id.
        alike: Of two groups: 1 where their members are as alike across as within.
    """
    current = [set(group) for group in groups]
    for term in sorted(holders, key=lambda t: (-len(holders[t]), t)):
        held = set(holders[term])
        marked = [group for group in current if len(group & held) >= MARKER_SHARE * len(group)]
        if not marked:
            continue
        main = min((frozenset(g) for g in marked), key=lambda group: (-len(group), min(group)))
        marked = [g for g in marked if g == main or alike(main, frozenset(g)) >= MARKER_LIKENESS]
        inside = sum(len(group & held) for group in marked)
        grouped = sum(len(group & held) for group in current)
        if grouped - inside > MARKER_STRAY_SHARE * grouped:
            continue
        ungrouped = held - set().union(*current)
        joined = set().union(*marked) | (ungrouped if len(held) >= 2 * len(ungrouped) else set())
        current = [group for group in current if not any(group is m for m in marked)]
        current.append(joined)
    return _large_enough(current, requesters)


def count_requesters(ticket_ids: Collection[str], requesters: Mapping[str, str]) -> int:
    return len({requesters[key] for key in ticket_ids})


def _large_enough(groups: Sequence[set[str]], requesters: Mapping[str, str]) -> list[Group]:
    kept = [frozenset(g) for g in groups if count_requesters(g, requesters) >= FEWEST_REQUESTERS]
    return sorted(kept, key=lambda g: (-len(g), min(g)))
