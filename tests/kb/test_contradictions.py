"""Two authors on one rule: which values that differ may be one and the same."""

from __future__ import annotations

import numpy as np
import pytest

from kb.contradictions import Statements, find_contradictions, mask_titles, read_said

PAID = "Reimbursement of travel expenses reaches your account {}."
ISSUED = "The travel team will issue the reimbursement for travel expenses {}."


def make_statements(one: str, two: str, titles: tuple[str, str] = ("A", "B")) -> Statements:
    """Sentences of two related documents, near enough for two authors on one rule."""
    alike = 1.0 if titles[0][:5] == titles[1][:5] else 0.3
    return Statements(
        said=(read_said(one, ()), read_said(two, ())),
        owners=np.arange(2),
        vectors=np.array([[1, 0], [0.7, np.sqrt(0.51)]], np.float32),
        titles=titles,
        related=np.array([[1, 0.8], [0.8, 1]], np.float32),
        entitled=np.array([[1, alike], [alike, 1]], np.float32),
    )


@pytest.mark.parametrize(
    ("one", "two", "parted"),
    [
        ("within 8 business days", "within 3 business days", True),
        ("8 business days after filing", "3 business days after the filing", True),
        ("8 business days after filing", "3 business days after approval", False),
        ("in more than 8 business days", "in less than 3 business days", False),
        ("within 8 business days in 2016", "within 3 business days in FY23", False),
        ("within 8 business days in 2023", "within 3 business days in FY23", True),
        ("within 80 business days", "within 3 business days", False),
    ],
)
def test_two_authors_part_only_where_they_may_mean_one_value(
    one: str, two: str, parted: bool
) -> None:
    for left, right in ((PAID.format(one), ISSUED.format(two)),
                        (ISSUED.format(two), PAID.format(one))):  # fmt: skip
        assert bool(list(find_contradictions(make_statements(left, right)))) is parted


def test_titles_of_other_numbers_are_apart_however_alike() -> None:
    said = ("Close the lid.", "Shut the lid.")
    same = mask_titles(make_statements(*said, titles=("Model 200", "Model 200")))
    other = mask_titles(make_statements(*said, titles=("Model 200", "Model 300")))
    assert (same[0, 1], other[0, 1], other[0, 0]) == (1.0, -1.0, 1.0)
