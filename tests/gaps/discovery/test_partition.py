from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gaps.discovery import partition
from gaps.discovery.assigning import assign
from gaps.discovery.partition import Partition, discover
from kb.errors import InvalidInputError
from kb.ports import Vectors
from tests.gaps.discovery.factories import DIMENSIONS, make_blobs


def find(ids: list[str], matrix: Vectors, *, seed: int = 7) -> Partition:
    """Topics of tickets whose texts all differ."""
    return discover([f"text of {key}" for key in ids], matrix, ids, seed=seed)


def topics_by_id(found: Partition, ids: list[str]) -> dict[str, int]:
    return dict(zip(ids, found.labels.tolist(), strict=True))


def agreement(ids: list[str], labels: list[int]) -> float:
    """Share of the tickets of blobs that are in their blob's most common topic."""
    right = total = 0
    for blob in sorted({key[:3] for key in ids if not key.startswith("noise")}):
        mine = [label for key, label in zip(ids, labels, strict=True) if key.startswith(blob)]
        right += max(mine.count(label) for label in set(mine) if label >= 0)
        total += len(mine)
    return right / total


@pytest.mark.parametrize("count", [5, 12, 30])
def test_it_finds_how_many_topics_there_are(count: int) -> None:
    ids, matrix = make_blobs([40] * count)
    found = find(ids, matrix)
    assert len(found.parents) == count
    assert agreement(ids, found.labels.tolist()) == 1.0


def test_topics_that_overlap_have_one_parent() -> None:
    generator = np.random.default_rng(5)
    rows, ids = [], []
    for family in range(4):
        middle = generator.normal(size=DIMENSIONS)
        for child in range(4):
            direction = middle + 0.5 * generator.normal(size=DIMENSIONS)
            rows.append(direction + 0.9 * generator.normal(size=(25, DIMENSIONS)))
            ids += [f"{family}{child}-{member:03}" for member in range(25)]
    matrix = np.concatenate(rows)
    matrix = (matrix / np.linalg.norm(matrix, axis=1, keepdims=True)).astype(np.float32)
    found = find(ids, matrix)
    families = [
        {key[0] for key, at in zip(ids, found.coarse, strict=True) if at == topic}
        for topic in sorted(set(found.parents.tolist()))
    ]
    assert len(families) < len(found.parents)
    assert all(len(family) == 1 for family in families)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1_000))
def test_the_order_of_the_tickets_does_not_matter(shuffle: int) -> None:
    ids, matrix = make_blobs([30, 20, 12, 5], noise=60, spread=1.0)
    order = np.random.default_rng(shuffle).permutation(len(ids))
    shuffled_ids = [ids[place] for place in order]
    straight, shuffled = find(ids, matrix), find(shuffled_ids, matrix[order])
    assert topics_by_id(straight, ids) == topics_by_id(shuffled, shuffled_ids)
    assert straight.parents.tolist() == shuffled.parents.tolist()
    assert straight.representatives == shuffled.representatives
    assert np.array_equal(straight.centroids, shuffled.centroids)
    assert np.array_equal(straight.thresholds, shuffled.thresholds)


def test_order_does_not_matter_where_most_tickets_are_outside_the_sample(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(partition, "SAMPLE", 150)
    ids, matrix = make_blobs([200, 150, 100], noise=150)
    order = np.random.default_rng(3).permutation(len(ids))
    shuffled_ids = [ids[place] for place in order]
    straight, shuffled = find(ids, matrix), find(shuffled_ids, matrix[order])
    assert topics_by_id(straight, ids) == topics_by_id(shuffled, shuffled_ids)


def test_the_same_seed_gives_the_same_topics() -> None:
    ids, matrix = make_blobs([25, 25, 6], noise=100, spread=1.2)
    first, second = find(ids, matrix, seed=5), find(ids, matrix, seed=5)
    assert np.array_equal(first.labels, second.labels)
    assert np.array_equal(first.centroids, second.centroids)


def test_no_ticket_gives_no_topic() -> None:
    found = discover([], np.zeros((0, DIMENSIONS), np.float32), [])
    assert found.labels.shape == found.coarse.shape == (0,)
    assert found.centroids.shape == (0, DIMENSIONS)
    assert found.representatives == ()


@pytest.mark.parametrize("count", [1, 2])
def test_fewer_than_three_tickets_are_no_topic(count: int) -> None:
    ids, matrix = make_blobs([count])
    found = find(ids, matrix)
    assert found.labels.tolist() == [-1] * count
    assert len(found.centroids) == 0


def test_identical_tickets_are_one_topic() -> None:
    ids = [f"t{place:02}" for place in range(40)]
    matrix = np.tile(np.eye(1, DIMENSIONS, dtype=np.float32), (40, 1))
    for hashes in (["same"] * 40, ids):
        found = discover(hashes, matrix, ids)
        assert found.labels.tolist() == [0] * 40
        assert found.leaders.tolist() == [0] * 40
        assert found.representatives == (("t00",),)


def test_copies_do_not_shatter_a_topic() -> None:
    ids, matrix = make_blobs([30, 30, 30])
    hashes = [*ids, *[ids[0]] * 300]
    copies = [f"copy-{place:03}" for place in range(300)]
    found = discover(hashes, np.vstack([matrix, np.tile(matrix[0], (300, 1))]), [*ids, *copies])
    assert len(found.parents) == 3
    assert set(found.labels[len(ids) :].tolist()) == {int(found.labels[0])} == {0}
    # All copies follow the first of them by id.
    assert set(found.leaders[len(ids) :].tolist()) == {0}


def test_near_copies_do_not_shatter_a_topic() -> None:
    ids, matrix = make_blobs([30, 30, 30])
    generator = np.random.default_rng(2)
    near = matrix[0] + 0.01 * generator.normal(size=(300, DIMENSIONS)).astype(np.float32)
    near /= np.linalg.norm(near, axis=1, keepdims=True)
    copies = [f"copy-{place:03}" for place in range(300)]
    found = find([*ids, *copies], np.vstack([matrix, near.astype(np.float32)]))
    assert len(found.parents) == 3
    assert set(found.labels[len(ids) :].tolist()) == {int(found.labels[0])}


def test_what_is_outside_the_sample_is_assigned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partition, "SAMPLE", 120)
    ids, matrix = make_blobs([300, 200, 100], spread=0.5)
    found = find(ids, matrix)
    assert len(found.parents) == 3
    assert agreement(ids, found.labels.tolist()) > 0.9


def test_noise_is_let_go_far_more_often_than_members(monkeypatch: pytest.MonkeyPatch) -> None:
    ids, matrix = make_blobs([300, 300, 300], noise=90, spread=0.5)
    monkeypatch.setattr(partition, "SAMPLE", 300)
    labels = topics_by_id(find(ids, matrix), ids)
    noise = [label == -1 for key, label in labels.items() if key.startswith("noise")]
    members = [label == -1 for key, label in labels.items() if not key.startswith("noise")]
    assert np.mean(noise) > 0.25
    assert np.mean(noise) > 5 * np.mean(members)


def test_a_second_look_finds_what_the_sample_was_too_small_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(partition, "SAMPLE", 200)
    ids, matrix = make_blobs([3_000, 3_000, 60, 60], spread=0.5)
    found = find(ids, matrix)
    small = [label for key, label in topics_by_id(found, ids).items() if key[:3] in ("b02", "b03")]
    large = [label for key, label in topics_by_id(found, ids).items() if key[:3] in ("b00", "b01")]
    assert small.count(-1) < 0.2 * len(small)
    assert not set(small) & set(large) - {-1}
    monkeypatch.setattr(partition, "LEAST_LEFT", 10**9)
    once = topics_by_id(find(ids, matrix), ids)
    assert [once[key] for key in ids if key[:3] in ("b02", "b03")].count(-1) > 60


def test_topics_are_numbered_by_size_and_described() -> None:
    ids, matrix = make_blobs([10, 40, 25])
    found = find(ids, matrix)
    sizes = np.bincount(found.labels[found.labels >= 0])
    assert sizes.tolist() == [40, 25, 10]
    assert all(key.startswith("b01") for key in found.representatives[0])
    assert np.allclose(np.linalg.norm(found.centroids, axis=1), 1.0, atol=1e-5)
    assert (found.thresholds <= found.cohesions).all()


def test_next_week_joins_known_topics() -> None:
    ids, matrix = make_blobs([60, 60, 60], spread=0.5)
    first = np.asarray([place % 60 < 40 for place in range(180)])
    known = [key for key, in_first in zip(ids, first, strict=True) if in_first]
    found = find(known, matrix[first])
    labels, _ = assign(matrix[~first], found.centroids, found.thresholds)
    expected = np.repeat([topics_by_id(found, known)[f"b{b:02}-00000"] for b in range(3)], 20)
    assert (labels == expected).mean() > 0.9
    assert set(labels.tolist()) - {-1} == set(expected.tolist())


def test_half_precision_changes_hardly_anything() -> None:
    ids, matrix = make_blobs([40, 30, 20])
    assert np.array_equal(find(ids, matrix.astype(np.float16)).labels, find(ids, matrix).labels)


def test_rows_without_a_direction_belong_to_no_topic() -> None:
    ids, matrix = make_blobs([30, 30])
    matrix[0], matrix[40, 3], matrix[41, 3] = 0.0, np.nan, np.inf
    found = find(ids, matrix)
    assert found.labels[[0, 40, 41]].tolist() == [-1, -1, -1]
    assert (np.delete(found.labels, [0, 40, 41]) >= 0).all()
    nothing = find(ids, np.zeros_like(matrix))
    assert set(nothing.labels.tolist()) == {-1}


def test_lengths_that_differ_and_repeated_ids_are_refused() -> None:
    ids, matrix = make_blobs([10])
    with pytest.raises(InvalidInputError):
        discover(ids[:-1], matrix, ids)
    with pytest.raises(InvalidInputError, match="b00-00003"):
        discover(ids, matrix, [*ids[:-1], ids[3]])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 14), st.integers(1, 5), st.integers(0, 99))
def test_a_handful_of_any_vectors_gives_labels_within_range(
    count: int, dimensions: int, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    matrix = generator.normal(size=(count, dimensions)).astype(np.float32)
    matrix[generator.random(count) < 0.2] = np.nan
    ids = [f"t{place}" for place in range(count)]
    found = discover([f"h{place // 2}" for place in range(count)], matrix, ids)
    assert found.labels.shape == found.coarse.shape == (count,)
    assert set(found.labels.tolist()) <= set(range(-1, len(found.parents)))
    assert len(found.centroids) == len(found.thresholds) == len(found.representatives)
    assert all(found.leaders[place] <= place for place in range(count) if count <= 10)
