"""The unlearned ranking, reordered by what was learned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

import numpy as np

from kb.fusion import Fused, scale_min_max
from kb.learning.precedents import Evidence
from kb.learning.ranker import Ranker, keep_places, read_features
from kb.ports import Vectors

SERVED = 100
"""No answer reaches deeper."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What could be shown for one question, with its features."""

    keys: tuple[str, ...]
    """Best unlearned first, then what only precedents bring in."""
    matrix: Vectors
    evidence: Mapping[str, Evidence]
    ranked: int = 0
    """How many of the first documents the unlearned ranking holds."""


def read_shown(
    ranked: Sequence[Fused],
    rankings: Mapping[str, Mapping[str, float]],
    evidence: Mapping[str, Evidence],
    valid: AbstractSet[str],
) -> Shown:
    """Everything ranked, and what precedents vote for, as far as it is valid."""
    known = {fused.key for fused in ranked}
    further = sorted(
        (key for key, said in evidence.items() if said.votes > 0 and key in valid - known),
        key=lambda key: (-evidence[key].votes, key),
    )
    keys = (*(fused.key for fused in ranked), *further)
    scaled = {name: scale_min_max(scores) for name, scores in rankings.items() if scores}
    return Shown(keys, read_features(keys, scaled, evidence), evidence, len(ranked))


def order_shown(
    shown: Shown, ranker: Ranker, protected: AbstractSet[str]
) -> list[tuple[str, float]]:
    """Documents, best first, with the chance the model gives each among all shown.

    A protected document takes at least the chance of the one that follows it.
    """
    if not shown.keys:
        return []
    scores = ranker.score(shown.matrix)
    spread = np.exp(scores - scores.max())
    chances = dict(zip(shown.keys, (spread / spread.sum()).tolist(), strict=True))
    learned = sorted(shown.keys, key=lambda key: (-chances[key], key))
    order = keep_places(learned, shown.keys[: shown.ranked], protected)
    ranked: list[tuple[str, float]] = []
    least = 0.0
    for key in reversed(order):
        least = max(least, chances[key])
        ranked.append((key, least))
    return ranked[::-1]


def rank_learned(
    ranked: Sequence[Fused], shown: Shown, ranker: Ranker, protected: AbstractSet[str]
) -> list[Fused]:
    """The ranking with its trace: `learned` is the place by the model, `votes` what was solved."""
    before = {fused.key: fused for fused in ranked}
    found = []
    order = order_shown(shown, ranker, protected)[:SERVED]
    for place, (key, chance) in enumerate(order, start=1):
        fused = before.get(key) or Fused(key, 0.0, {}, {})
        said = shown.evidence.get(key)
        parts = {} if said is None else {"votes": said.votes, "precedents": said.centre}
        found.append(
            replace(
                fused,
                score=chance,
                ranks=fused.ranks | {"learned": place},
                parts=fused.parts | parts,
            )
        )
    return found
