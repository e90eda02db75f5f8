"""Passages of one matter: by themselves, and as counterparts in versions of one document."""

from __future__ import annotations

import numpy as np
import pytest

from kb.passage_twins import find_twin_passages
from kb.ports import Vectors


def near(cosine: float, axis: int) -> Vectors:
    """A unit vector at a cosine to the axis, otherwise like nothing else."""
    vector = np.zeros(64, np.float32)
    vector[axis], vector[63 - axis] = cosine, np.sqrt(1 - cosine**2)
    return vector


def find(
    cosines: list[float], *, related: float = 0.95, entitled: float = 1.0
) -> list[tuple[int, int]]:
    """Twins of two documents whose passages lie pairwise at these cosines."""
    count = len(cosines)
    vectors = np.stack([near(1.0, n) for n in range(count)] + [near(c, n) for n, c in
                       enumerate(cosines)])  # fmt: skip
    owners = np.repeat(np.arange(2), count)
    rows, columns, _ = find_twin_passages(
        vectors, owners, np.array([[1, related], [related, 1]], np.float32),
        np.array([[1, entitled], [entitled, 1]], np.float32),
    )  # fmt: skip
    return [(int(i), int(j)) for i, j in zip(rows, columns, strict=True)]


def test_passages_that_say_the_same_are_twins_in_any_two_documents() -> None:
    assert find([0.95, 0.85], related=0.1, entitled=0.0) == [(0, 2)]


def test_a_rewritten_passage_has_a_counterpart_in_a_version_of_its_document() -> None:
    assert find([0.95, 0.7, 0.4]) == [(0, 3), (1, 4)]


def test_documents_that_share_much_are_versions_whatever_their_titles() -> None:
    shared = [0.85, 0.85, 0.85, 0.7, 0.1]
    assert find(shared, entitled=0.2, related=0.7) == [(0, 5), (1, 6), (2, 7), (3, 8)]


@pytest.mark.parametrize(
    "said",
    [
        {"entitled": -1.0},  # The titles number them.
        {"related": -1.0},  # Nobody reads both, or their scopes are apart.
        {"entitled": 0.2, "related": 0.5},
    ],
)
def test_what_is_about_another_thing_has_no_counterparts(said: dict[str, float]) -> None:
    assert find([0.85, 0.85, 0.85, 0.7], **said) == []


def test_a_share_of_few_passages_makes_no_versions() -> None:
    assert find([0.85, 0.85, 0.1], entitled=0.2, related=0.7) == []
