from __future__ import annotations

import random

import numpy as np
import pytest

from gaps.covering.judging import judge_topics
from gaps.covering.model import Verdict, read_shipped_calibration
from gaps.types import Coverage
from tests.gaps.covering.factories import make_calibration, make_siblings


def test_a_sibling_without_an_article_is_missing_and_the_others_are_covered():
    lists, topics = make_siblings()
    found = judge_topics(lists, topics, make_calibration())
    assert {key: one.verdict for key, one in found.items()} == {
        "refunds": Verdict.COVERED,
        "logins": Verdict.COVERED,
        "late-refunds": Verdict.MISSING,
    }
    sibling = found["late-refunds"]
    assert (sibling.best_document, sibling.rival_topic) == ("refunds.md", "refunds")
    assert sibling.exclusivity == pytest.approx(-0.2, abs=1e-5)
    assert any("belongs rather to the topic refunds" in reason for reason in sibling.reasons)


def test_the_shipped_calibration_orders_the_siblings():
    lists, topics = make_siblings()
    found = judge_topics(lists, topics, read_shipped_calibration())
    assert found["late-refunds"].probability_missing > 0.5
    assert found["logins"].probability_missing < 0.5


def test_the_order_of_tickets_topics_and_members_is_irrelevant():
    lists, topics = make_siblings()
    shuffle = random.Random(3)
    shuffled = {key: lists[key] for key in shuffle.sample(sorted(lists), len(lists))}
    turned = {key: shuffle.sample(topics[key], len(topics[key])) for key in reversed(topics)}
    assert judge_topics(shuffled, turned, make_calibration()) == judge_topics(
        lists, topics, make_calibration()
    )


@pytest.mark.parametrize("topic", ["refunds", "late-refunds", "logins"])
def test_nearer_tickets_never_raise_the_chance_of_a_gap(topic):
    lists, topics = make_siblings()
    chances = []
    for lift in (0.0, 0.05, 0.1, 0.15, 0.2):
        lifted = dict(lists)
        for key in topics[topic]:
            (best, cosine), *rest = lists[key]
            lifted[key] = [(best, cosine + lift), *rest]
        judged = judge_topics(lifted, topics, read_shipped_calibration())
        chances.append(judged[topic].probability_missing)
    assert chances == sorted(chances, reverse=True)
    assert chances[-1] < chances[0]


def test_coverage_of_the_finder_is_read_as_it_is():
    lists, topics = make_siblings()
    coverage = {
        key: Coverage(key, 0.5, tuple(ranked), (), False, False) for key, ranked in lists.items()
    }
    assert judge_topics(coverage, topics, make_calibration()) == judge_topics(
        lists, topics, make_calibration()
    )


def test_nothing_to_judge():
    assert judge_topics({}, {}, make_calibration()) == {}


def test_one_topic_alone_is_left_to_review():
    lists, topics = make_siblings()
    found = judge_topics(lists, {"logins": topics["logins"]}, make_calibration())
    assert found["logins"].verdict is Verdict.REVIEW
    assert found["logins"].reasons == ("there is no other topic to compare it with",)


def test_a_topic_whose_tickets_were_not_asked_is_left_to_review():
    lists, topics = make_siblings()
    found = judge_topics(lists, topics | {"other": ["unknown-1", "unknown-2"]}, make_calibration())
    assert found["other"].verdict is Verdict.REVIEW
    assert found["other"].probability_missing == make_calibration().prior


def test_without_any_document_every_topic_is_missing():
    _, topics = make_siblings()
    lists = {ticket: [] for tickets in topics.values() for ticket in tickets}
    found = judge_topics(lists, topics, make_calibration())
    assert {one.verdict for one in found.values()} == {Verdict.MISSING}
    assert found["logins"].reasons == ("no document came near any ticket",)


def make_vectors(spread: dict[str, float], tickets: int = 6) -> dict[str, np.ndarray]:
    """Unit vectors around a direction of each topic."""
    generator = np.random.default_rng(5)
    found = {}
    for place, (topic, width) in enumerate(spread.items()):
        for number in range(tickets):
            row = width * generator.normal(size=64) / 8
            row[place] += 1
            found[f"{topic}-{number}"] = (row / np.linalg.norm(row)).astype(np.float32)
    return found


def test_a_diffuse_topic_is_not_called_missing():
    lists, topics = make_siblings()
    for topic in ("prices", "phones"):
        topics[topic] = [f"{topic}-{number}" for number in range(6)]
        lists |= {key: [(f"{topic}.md", 0.7), ("terms.md", 0.2)] for key in topics[topic]}
    widths = dict.fromkeys(topics, 0.3)
    tight = judge_topics(lists, topics, make_calibration(), vectors=make_vectors(widths))
    widths["late-refunds"] = 1.5
    loose = judge_topics(lists, topics, make_calibration(), vectors=make_vectors(widths))
    assert tight["late-refunds"].verdict is Verdict.MISSING
    assert loose["late-refunds"].verdict is Verdict.REVIEW
    assert loose["late-refunds"].reasons[0] == "its tickets are hardly about one thing"


def test_a_stray_ticket_does_not_count():
    lists, topics = make_siblings()
    vectors = make_vectors(dict.fromkeys(topics, 0.3))
    topics["logins"].append("stray")
    lists["stray"] = [("terms.md", 0.2)]
    vectors["stray"] = np.eye(64, dtype=np.float32)[40]
    found = judge_topics(lists, topics, make_calibration(), vectors=vectors)
    assert found["logins"].strays == ("stray",)
    assert found["logins"].score == pytest.approx(0.595, abs=1e-5)
