from __future__ import annotations

import numpy as np
import pytest

from gaps.covering.features import fill_similarities, measure_closeness, measure_topics
from gaps.discovery.rows import unit_rows
from tests.gaps.covering.factories import make_siblings


def test_a_document_missing_in_a_list_is_as_near_as_the_lists_last():
    found = fill_similarities({"b": [("x", 0.9), ("y", 0.3)], "a": [("z", 0.5)]})
    assert found.ticket_ids == ("a", "b")
    assert found.document_ids == ("x", "z")
    assert found.cosines.ravel().tolist() == pytest.approx([0.5, 0.5, 0.9, 0.3])
    assert found.floors.tolist() == pytest.approx([0.5, 0.3])


@pytest.mark.parametrize("cosine", [0.0, -0.5, float("nan"), float("inf")])
def test_a_cosine_that_is_none_is_unknown(cosine):
    found = fill_similarities({"a": [("x", cosine), ("y", 0.4)]})
    assert found.document_ids == ("y",)
    assert found.floors.tolist() == pytest.approx([0.4])


def test_the_nearest_document_need_not_come_first():
    found = fill_similarities({"a": [("words", 0.2), ("meaning", 0.6)]})
    assert found.document_ids == ("meaning",)


def test_exclusivity_separates_a_sibling_that_nearness_does_not():
    lists, topics = make_siblings()
    filled = fill_similarities(lists)
    place = {key: row for row, key in enumerate(filled.ticket_ids)}
    groups = [np.asarray([place[t] for t in topics[key]]) for key in topics]
    covered, sibling, other = measure_topics(filled.cosines, filled.floors, groups)
    assert sibling.values["score"] == pytest.approx(other.values["score"])
    assert sibling.values["exclusivity"] == pytest.approx(-0.2, abs=1e-5)
    assert other.values["exclusivity"] == pytest.approx(0.5, abs=1e-5)
    assert sibling.values["belonging"] < -0.15 < -0.02 < other.values["belonging"]
    assert (sibling.values["home_share"], other.values["home_share"]) == (0.0, 0.5)
    assert (covered.values["sole"], other.values["sole"]) == (0.0, 1.0)
    assert sibling.rival == 0


def test_home_is_what_an_article_reaches_with_its_nearest_tickets():
    cosines = np.asarray([[0.9], [0.7], [0.5], [0.3], [0.1], [0.1]], np.float32)
    groups = [np.asarray([0, 1, 2]), np.asarray([3, 4, 5])]
    near, far = measure_topics(cosines, np.zeros(6, np.float32), groups)
    assert near.values["belonging"] == pytest.approx(0.0, abs=1e-6)
    assert far.values["belonging"] == pytest.approx(0.5 / 3 - 0.7, abs=1e-6)


def test_one_topic_has_nothing_to_be_compared_with():
    cosines = np.asarray([[0.9, 0.1], [0.8, 0.1], [0.7, 0.2]], np.float32)
    (found,) = measure_topics(cosines, np.full(3, 0.1, np.float32), [np.arange(3)])
    assert found.rival is None
    assert "exclusivity" not in found.values
    assert found.values["contrast"] == pytest.approx(0.7)


def test_a_topic_without_tickets_disturbs_no_other():
    lists, topics = make_siblings()
    filled = fill_similarities(lists)
    place = {key: row for row, key in enumerate(filled.ticket_ids)}
    groups = [np.asarray([place[t] for t in topics[key]]) for key in topics]
    without = measure_topics(filled.cosines, filled.floors, groups)
    empty, *others = measure_topics(filled.cosines, filled.floors, [np.zeros(0, np.intp), *groups])
    assert empty.values == {}
    assert [found.values for found in others] == [found.values for found in without]


def test_closeness_is_the_mean_cosine_with_the_others():
    rows = unit_rows(np.asarray([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], np.float32))
    half = 2**-0.5
    assert measure_closeness(rows).tolist() == pytest.approx([half / 2, half / 2, half])
    assert measure_closeness(rows[:1]).tolist() == [0.0]


def test_relative_features_do_not_depend_on_how_narrow_the_product_is():
    lists, topics = make_siblings()
    narrow = {
        key: [(document, 0.5 + 0.5 * cosine) for document, cosine in ranked]
        for key, ranked in lists.items()
    }
    wide, close = (
        measure_topics(
            filled.cosines, filled.floors,
            [np.asarray([filled.ticket_ids.index(t) for t in topics[key]]) for key in topics],
        )
        for filled in (fill_similarities(lists), fill_similarities(narrow))
    )  # fmt: skip
    for one, other in zip(wide, close, strict=True):
        assert one.values["exclusivity"] == pytest.approx(2 * other.values["exclusivity"], abs=1e-4)
        for name in ("relative_exclusivity", "relative_belonging"):
            assert one.values[name] == pytest.approx(other.values[name], abs=1e-4)
