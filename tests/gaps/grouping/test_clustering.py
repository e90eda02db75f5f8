from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gaps.grouping import clustering
from gaps.grouping.clustering import Cluster, Point, cluster_points
from kb.ports import Vectors

DIMENSIONS = 48


def make_points(
    sizes: list[int], noise: int = 0, *, spread: float = 0.5, seed: int = 1
) -> tuple[list[Point], Vectors]:
    """Groups of the given sizes around random directions, and noise in all directions."""
    generator = np.random.default_rng(seed)
    rows, points = [], []
    for group, size in enumerate(sizes):
        direction = generator.normal(size=DIMENSIONS)
        direction /= np.linalg.norm(direction)
        for member in range(size):
            offset = generator.normal(size=DIMENSIONS) / np.sqrt(DIMENSIONS)
            rows.append(direction + spread * offset)
            points.append(Point(f"g{group}-{member:04}", f"r{group}-{member}", f"h{len(rows)}"))
    for member in range(noise):
        rows.append(generator.normal(size=DIMENSIONS))
        points.append(Point(f"noise-{member:04}", f"n{member}", f"h{len(rows)}"))
    matrix = np.asarray(rows, np.float32).reshape(-1, DIMENSIONS)
    return points, matrix / np.linalg.norm(matrix, axis=1, keepdims=True)


def named(clusters: list[Cluster]) -> set[tuple[str, ...]]:
    return {tuple(sorted(cluster.ticket_ids)) for cluster in clusters}


def test_groups_are_found_and_noise_is_in_none() -> None:
    points, matrix = make_points([30, 20, 10], noise=200)
    clusters = cluster_points(points, matrix)
    for group, size in enumerate([30, 20, 10]):
        inside = [sum(key.startswith(f"g{group}-") for key in c.ticket_ids) for c in clusters]
        best = int(np.argmax(inside))
        assert inside[best] >= 0.9 * size
        assert inside[best] >= 0.8 * len(clusters[best].ticket_ids)
    assert sum(key.startswith("noise") for c in clusters for key in c.ticket_ids) < 40


def test_noise_alone_gives_no_topic() -> None:
    points, matrix = make_points([], noise=300)
    assert cluster_points(points, matrix) == []


@settings(max_examples=15)
@given(st.randoms(use_true_random=False), st.integers(0, 5))
def test_the_order_of_the_tickets_does_not_matter(random: object, seed: int) -> None:
    points, matrix = make_points([12, 8, 5], noise=30, seed=seed)
    order = np.random.default_rng(seed + 100).permutation(len(points))
    shuffled = cluster_points([points[place] for place in order], matrix[order])
    straight = cluster_points(points, matrix)
    assert [c.ticket_ids for c in shuffled] == [c.ticket_ids for c in straight]
    for left, right in zip(shuffled, straight, strict=True):
        assert np.allclose(left.centroid, right.centroid, atol=1e-5)


def test_the_same_seed_gives_the_same_clusters() -> None:
    points, matrix = make_points([25, 25, 6], noise=100, spread=0.9)
    first, second = cluster_points(points, matrix, seed=5), cluster_points(points, matrix, seed=5)
    assert [c.ticket_ids for c in first] == [c.ticket_ids for c in second]


@pytest.mark.parametrize("count", [0, 1, 2])
def test_too_few_tickets_give_no_topic(count: int) -> None:
    points, matrix = make_points([count])
    assert cluster_points(points, matrix) == []


def test_identical_texts_of_different_people_are_one_topic() -> None:
    matrix = np.tile(np.eye(1, DIMENSIONS, dtype=np.float32), (40, 1))
    points = [Point(f"t{n:02}", f"r{n}", "same") for n in range(40)]
    [cluster] = cluster_points(points, matrix)
    assert len(cluster.ticket_ids) == 40
    assert cluster.cohesion == pytest.approx(1.0)


def test_one_person_asking_often_is_no_topic() -> None:
    points, matrix = make_points([20])
    mine = [Point(point.ticket_id, "same person", point.text_hash) for point in points]
    assert len(cluster_points(points, matrix)) == 1
    assert cluster_points(mine, matrix) == []


def test_duplicates_do_not_shatter_a_group() -> None:
    points, matrix = make_points([10, 10], noise=40)
    copies = [Point(f"copy-{n:03}", f"c{n}", points[0].text_hash) for n in range(200)]
    clusters = cluster_points(points + copies, np.vstack([matrix, np.tile(matrix[0], (200, 1))]))
    assert len(clusters[0].ticket_ids) >= 205


def test_what_does_not_fit_the_sample_is_assigned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clustering, "SAMPLE", 60)
    points, matrix = make_points([60, 60], spread=0.3)
    clusters = cluster_points(points, matrix)
    assert sorted(len(cluster.ticket_ids) for cluster in clusters) == [60, 60]


def test_most_central_tickets_come_first() -> None:
    points, matrix = make_points([15], spread=0.8)
    [cluster] = cluster_points(points, matrix)
    place = {point.ticket_id: n for n, point in enumerate(points)}
    closeness = [float(matrix[place[key]] @ cluster.centroid) for key in cluster.ticket_ids]
    assert closeness == sorted(closeness, reverse=True)


def test_what_is_asked_alike_and_solved_differently_is_two_topics() -> None:
    points, asked = make_points([60], spread=0.6)
    _, solved = make_points([30, 30], spread=0.3, seed=2)
    answered = cluster_points(points, asked, answers=solved)
    assert len(cluster_points(points, asked)) == 1
    halves = [{int(key[-4:]) < 30 for key in cluster.ticket_ids} for cluster in answered]
    assert halves == [{False}, {True}] or halves == [{True}, {False}]


def test_tickets_without_an_answer_are_grouped_by_their_question() -> None:
    points, asked = make_points([30, 30], spread=0.3)
    assert named(cluster_points(points, asked, answers=np.zeros_like(asked))) == named(
        cluster_points(points, asked)
    )
