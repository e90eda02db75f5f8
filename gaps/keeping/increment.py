"""New tickets into known topics; pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gaps.discovery.assigning import assign
from gaps.keeping.rediscovery import Fit
from gaps.keeping.rows import StoredTopic
from kb.ports import Vectors


@dataclass(frozen=True, slots=True)
class Increment:
    """Where new tickets went."""

    members: Mapping[str, tuple[str, ...]]
    """Ticket ids by topic; only topics that got some."""
    unassigned: tuple[str, ...]
    fit: Fit


def assign_new(
    ticket_ids: Sequence[str], vectors: Mapping[str, Vectors], topics: Sequence[StoredTopic]
) -> Increment:
    """Put each ticket into the nearest topic that is near enough.

    Args:
        ticket_ids: New ones, any order.
        vectors: Unit vectors by ticket id.
        topics: Fine topics with centroid and radius, of the vectors' recipe.
    """
    ids = sorted(ticket_ids)
    known = sorted(topics, key=lambda stored: stored.topic.topic_id)
    if not ids or not known:
        return Increment({}, tuple(ids), Fit((), len(ids)))
    labels, cosines = assign(
        np.stack([vectors[key] for key in ids]),
        np.stack([stored.centroid for stored in known]),
        np.asarray([stored.radius for stored in known], np.float32),
    )
    members: defaultdict[str, list[str]] = defaultdict(list)
    for key, label in zip(ids, labels.tolist(), strict=True):
        if label >= 0:
            members[known[label].topic.topic_id].append(key)
    return Increment(
        members={key: tuple(found) for key, found in sorted(members.items())},
        unassigned=tuple(k for k, label in zip(ids, labels.tolist(), strict=True) if label < 0),
        fit=Fit(tuple(cosines[labels >= 0].tolist()), int((labels < 0).sum())),
    )
