from __future__ import annotations

import numpy as np
import pytest

from gaps.discovery import assigning
from gaps.discovery.assigning import assign, measure_topics
from tests.gaps.discovery.factories import make_blobs

AXES = np.eye(3, dtype=np.float32)
TIGHT = np.asarray([0.9, 0.5, 0.5], np.float32)


def test_a_ticket_joins_the_nearest_topic_that_is_near_enough() -> None:
    tickets = np.asarray([[0.8, 0.6, 0], [0.6, 0.8, 0], [1, 0, 0], [0.5, 0.5, 0.7]], np.float32)
    labels, cosines = assign(tickets, AXES, TIGHT)
    # The first is nearest to a topic that asks for .9, and gets no second choice.
    assert labels.tolist() == [-1, 1, 0, 2]
    assert cosines == pytest.approx([0.8, 0.8, 1.0, 0.7])


def test_blocks_and_chosen_rows_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    _, tickets = make_blobs([50, 50])
    centroids = tickets[[0, 60]]
    labels, _ = assign(tickets, centroids, np.asarray([0.5, 0.5], np.float32))
    monkeypatch.setattr(assigning, "BLOCK", 9)
    rows = np.arange(99, -1, -1)
    again, _ = assign(tickets, centroids, np.asarray([0.5, 0.5], np.float32), rows)
    assert again.tolist() == labels[::-1].tolist()


def test_nothing_is_assigned_to_no_topics_or_without_a_direction() -> None:
    none = np.zeros((0, 3), np.float32)
    assert assign(AXES, none, np.zeros(0, np.float32))[0].tolist() == [-1, -1, -1]
    assert assign(none, AXES, TIGHT)[0].tolist() == []
    broken = np.asarray([[0, 0, 0], [np.nan, 1, 0], [np.inf, 0, 0]], np.float32)
    labels, cosines = assign(broken, AXES, -np.ones(3, np.float32))
    assert labels.tolist() == [-1, -1, -1]
    assert np.isfinite(cosines).all()


def test_a_threshold_turns_away_few_members_and_most_strangers() -> None:
    ids, matrix = make_blobs([400, 400], noise=400, spread=0.8)
    labels = np.repeat([0, 1], 400).astype(np.int32)
    profiles = measure_topics(matrix[:800], labels, 2)
    found, _ = assign(matrix, profiles.centroids, profiles.thresholds)
    assert 0.02 < (found[:800] != labels).mean() < 0.08
    assert (found[800:] == -1).mean() > 0.95
    assert len(ids) == 1_200


def test_a_small_topic_borrows_the_spread_of_the_others() -> None:
    _, matrix = make_blobs([400, 2], spread=0.8)
    profiles = measure_topics(matrix, np.repeat([0, 1], [400, 2]).astype(np.int32), 2)
    alone = measure_topics(matrix[400:], np.zeros(2, np.int32), 1)
    assert profiles.thresholds[1] < alone.thresholds[0] - 0.05
