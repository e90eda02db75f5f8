from __future__ import annotations

from gaps.covering.model import FEATURES, TopicCalibration

Lists = dict[str, list[tuple[str, float]]]
WEIGHTS = {
    "relative_exclusivity": -1.0,
    "relative_belonging": -1.0,
    "home_share": -1.0,
    "sole": -0.1,
}


def make_calibration(low: float = 0.3, high: float = 0.7) -> TopicCalibration:
    return TopicCalibration(
        means=dict.fromkeys(FEATURES, 0.0) | {"home_share": 0.3, "sole": 0.5},
        scales=dict.fromkeys(FEATURES, 0.2),
        weights=WEIGHTS,
        intercept=0.0,
        prior=0.5,
        low=low,
        high=high,
        evaluation={},
    )


def make_siblings(tickets: int = 6) -> tuple[Lists, dict[str, list[str]]]:
    """Two topics with an article each, and a sibling of the first that has none.

    The sibling's tickets are as near to the neighbour's article as the second topic's are to their
    own, so that nearness alone cannot tell them apart.
    """
    nearness = {
        "refunds": {"refunds.md": 0.8, "logins.md": 0.1, "terms.md": 0.2},
        "late-refunds": {"refunds.md": 0.6, "logins.md": 0.1, "terms.md": 0.2},
        "logins": {"refunds.md": 0.1, "logins.md": 0.6, "terms.md": 0.2},
    }
    lists: Lists = {}
    topics: dict[str, list[str]] = {}
    for topic, near in nearness.items():
        for number in range(tickets):
            key = f"{topic}-{number}"
            topics.setdefault(topic, []).append(key)
            shift = 0.01 * (number - tickets / 2)
            ranked = sorted(near.items(), key=lambda pair: -pair[1])
            lists[key] = [(document, cosine + shift) for document, cosine in ranked]
    return lists, topics
