"""Which topics lie together, and where each stands on the map; pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from gaps.keeping.lineage import Group

Places = NDArray[np.float64]

PULL = 0.6
"""How far a topic moves from its own place towards its area's, so that areas hold together."""
ROUNDS = 60
MARGIN = 0.04


def gather_areas(topics: Mapping[str, Sequence[str]], coarse_of: Mapping[str, int]) -> list[Group]:
    """Topic ids that lie in one coarse topic: that of most of their tickets.

    Args:
        topics: Ticket ids by topic.
        coarse_of: Coarse topic by ticket id; tickets without one are left out.

    Returns:
        Groups of topic ids, each topic in one; a topic without a coarse one is an area of its own.
    """
    groups: defaultdict[str, set[str]] = defaultdict(set)
    for topic_id, tickets in topics.items():
        counts = Counter(coarse_of[key] for key in tickets if coarse_of.get(key, -1) >= 0)
        best = min(counts, key=lambda label: (-counts[label], label), default=None)
        groups[f"alone {topic_id}" if best is None else f"coarse {best}"].add(topic_id)
    return sorted((frozenset(group) for group in groups.values()), key=lambda g: (-len(g), min(g)))


def lay_out(
    centroids: Mapping[str, NDArray[np.float32]],
    areas: Mapping[str, str],
    sizes: Mapping[str, int],
) -> dict[str, tuple[float, float]]:
    """Where topics and areas stand: near what they are like, without lying on each other.

    The first two principal components of the centroids, spread evenly by rank; topics drawn to
    their area; then pushed apart until their circles (area in proportion to tickets) are free.

    Args:
        centroids: Of the topics, by id.
        areas: Area by topic id.
        sizes: Tickets by topic id.

    Returns:
        x and y, both 0 to 1, by topic id and by area id.
    """
    ids = sorted(centroids)
    if not ids:
        return {}
    places = _spread(_project(np.stack([centroids[key] for key in ids]).astype(np.float64)))
    names = [areas[key] for key in ids]
    weights = np.asarray([max(1, sizes.get(key, 1)) for key in ids], float)
    middles = {
        name: _middle(places, weights, [n == name for n in names]) for name in sorted(set(names))
    }
    places += PULL * (np.stack([middles[name] for name in names]) - places)
    radii = np.sqrt(weights / weights.sum() / (6 * np.pi))
    places = _push_apart(places, radii)
    found = {key: (float(x), float(y)) for key, (x, y) in zip(ids, places.round(4), strict=True)}
    for name in middles:
        x, y = _middle(places, weights, [n == name for n in names]).round(4)
        found[name] = (float(x), float(y))
    return found


def _project(matrix: Places) -> Places:
    """Two components, each with its largest coordinate positive: the sign of one is arbitrary."""
    if len(matrix) < 3:
        return np.stack([np.arange(len(matrix), dtype=float), np.zeros(len(matrix))], axis=1)
    found = PCA(2, svd_solver="full").fit_transform(matrix)
    strongest = np.argmax(np.abs(found), axis=0)
    return np.asarray(found * np.where(found[strongest, [0, 1]] < 0, -1.0, 1.0))


def _spread(places: Places) -> Places:
    """Each axis by rank, 0 to 1; equal values stand together."""
    result = np.zeros_like(places)
    for axis in range(places.shape[1]):
        values, inverse = np.unique(places[:, axis].round(6), return_inverse=True)
        result[:, axis] = (inverse + 0.5) / len(values)
    return result


def _middle(places: Places, weights: Places, chosen: Sequence[bool]) -> Places:
    mask = np.asarray(chosen)
    return np.asarray(np.average(places[mask], axis=0, weights=weights[mask]))


def _push_apart(places: Places, radii: Places) -> Places:
    apart = radii[:, None] + radii[None, :]
    for _ in range(ROUNDS):
        steps = places[:, None, :] - places[None, :, :]
        distances = np.sqrt((steps**2).sum(axis=2))
        np.fill_diagonal(distances, np.inf)
        lacking = np.maximum(0.0, apart - distances)
        if lacking.max() <= 1e-4:
            break
        # What stands on one spot is moved along x by order: any fixed direction will do.
        order = np.sign(np.arange(len(places))[:, None] - np.arange(len(places))[None, :])
        away = steps / np.maximum(distances, 1e-9)[:, :, None]
        away[distances < 1e-9] = 0.0
        away[..., 0] += np.where(distances < 1e-9, order, 0)
        places = places + (away * lacking[:, :, None] / 2).sum(axis=1)
    low, high = places - radii[:, None], places + radii[:, None]
    least, span = low.min(axis=0), float((high.max(axis=0) - low.min(axis=0)).max())
    scaled = (places - least) / max(span, 1e-9)
    return np.asarray(MARGIN + (1 - 2 * MARGIN) * np.clip(scaled, 0, 1))
