from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from gaps.keeping.areas import gather_areas, lay_out
from gaps.keeping.increment import assign_new
from gaps.keeping.rows import StoredTopic
from gaps.types import Topic
from tests.gaps.finding.factories import MONDAY


def unit(*values: float) -> NDArray[np.float32]:
    vector = np.asarray(values, np.float32)
    return np.asarray(vector / np.linalg.norm(vector), np.float32)


def make_topic(key: str, centroid: NDArray[np.float32], radius: float) -> StoredTopic:
    return StoredTopic(Topic(key, key, (), ()), centroid, "r", MONDAY, MONDAY, radius=radius)


def test_a_topic_lies_where_most_of_its_tickets_do() -> None:
    topics = {"top_a": ["1", "2", "3"], "top_b": ["4", "5"], "top_c": ["6"], "top_d": ["7"]}
    coarse = {"1": 0, "2": 0, "3": 1, "4": 0, "5": -1, "6": 1}
    found = gather_areas(topics, coarse)
    assert found == [frozenset({"top_a", "top_b"}), frozenset({"top_c"}), frozenset({"top_d"})]


@given(st.integers(1, 40), st.integers(0, 1_000))
def test_every_topic_has_a_place_on_the_map_whatever_the_order(count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    centroids = {f"t{n}": unit(*rng.normal(size=8)) for n in range(count)}
    areas = {key: f"a{n % 3}" for n, key in enumerate(centroids)}
    sizes = {key: 3 + n * 7 for n, key in enumerate(centroids)}
    places = lay_out(centroids, areas, sizes)
    assert set(places) == set(centroids) | set(areas.values())
    assert all(0 <= value <= 1 for place in places.values() for value in place)
    turned = dict(reversed(list(centroids.items())))
    assert lay_out(turned, areas, sizes) == places


def test_topics_of_one_area_stand_together() -> None:
    rng = np.random.default_rng(4)
    poles = np.eye(3, 6)
    centroids = {
        f"t{area}{n}": unit(*(poles[area] * 4 + rng.normal(size=6) * 0.3))
        for area in range(3)
        for n in range(6)
    }
    areas = {key: f"a{key[1]}" for key in centroids}
    places = lay_out(centroids, areas, dict.fromkeys(centroids, 10))
    spots = {key: np.asarray(place) for key, place in places.items()}

    def distance(left: str, right: str) -> float:
        return float(np.linalg.norm(spots[left] - spots[right]))

    own = np.mean([distance(k, j) for k in centroids for j in centroids if k[1] == j[1] and k != j])
    other = np.mean([distance(k, j) for k in centroids for j in centroids if k[1] != j[1]])
    assert own < 0.6 * other


def test_nothing_and_one_topic_can_be_shown() -> None:
    assert lay_out({}, {}, {}) == {}
    places = lay_out({"t": unit(1, 0)}, {"t": "a"}, {"t": 5})
    assert set(places) == {"t", "a"}


def test_new_tickets_join_the_nearest_topic_that_is_near_enough() -> None:
    topics = [make_topic("top_a", unit(1, 0, 0), 0.8), make_topic("top_b", unit(0, 1, 0), 0.99)]
    vectors = {"n1": unit(1, 0.2, 0), "n2": unit(0.2, 1, 0), "n3": unit(0, 0, 1)}
    found = assign_new(list(vectors), vectors, topics)
    assert found.members == {"top_a": ("n1",)}
    assert found.unassigned == ("n2", "n3")
    assert found.fit.unassigned_share == 2 / 3
    assert assign_new(["n1"], vectors, []).unassigned == ("n1",)
