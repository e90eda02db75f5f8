"""Which statement wins: the same whatever the order, never in a circle, each rule by its name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kb.hierarchy import find_superseded, invalid_reason, rule_between, unverified_reason
from kb.types import ConfidenceState, Document
from tests.kb.factories import AUTHORITIES, NOW, make_document

CUSTOMERS = st.sampled_from([None, None, "acme", "bolt"])
LIMITS = st.sampled_from([(), (), ("x",), ("y",)])
DAYS = st.sampled_from([None, datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)])

WRITTEN = st.sampled_from([NOW, NOW - timedelta(hours=5), NOW - timedelta(days=40)])


@st.composite
def documents(draw: Any, count: int) -> list[Document]:
    return [
        make_document(
            f"d{number}",
            authority=draw(st.sampled_from([*AUTHORITIES, *["crm_note"] * 3, "hearsay"])),
            customer=draw(CUSTOMERS),
            products=draw(LIMITS),
            regions=draw(LIMITS),
            approved_by=draw(st.sampled_from([None, "mia"])),
            updated_at=draw(WRITTEN),
            effective_from=draw(DAYS),
            effective_until=draw(st.sampled_from([None, NOW + timedelta(days=30)])),
        )
        for number in range(count)
    ]


@given(documents(2), CUSTOMERS)
def test_the_ruling_does_not_depend_on_the_order(pair: list[Document], asked: str | None) -> None:
    left, right = pair
    assert rule_between(left, right, AUTHORITIES, customer=asked) == rule_between(
        right, left, AUTHORITIES, customer=asked
    )


@given(documents(5), CUSTOMERS)
def test_rulings_never_run_in_a_circle(found: list[Document], asked: str | None) -> None:
    beats: dict[str, set[str]] = {d.document_id: set() for d in found}
    for left, right in permutations(found, 2):
        ruling = rule_between(left, right, AUTHORITIES, customer=asked)
        if ruling is not None:
            beats[ruling.winner].add(ruling.loser)
    left_over = dict(beats)
    while left_over:
        unbeaten = [k for k in left_over if not any(k in losers for losers in left_over.values())]
        assert unbeaten, f"a circle among {sorted(left_over)}: {beats}"
        for key in unbeaten:
            del left_over[key]


RULES: list[tuple[str, dict[str, Any], dict[str, Any], str | None, str | None]] = [
    (
        "a note about the customer asked about",
        {"authority": "crm_note", "customer": "acme"},
        {"authority": "policy"},
        "acme",
        "customer_fact",
    ),
    (
        "a rule against a note about a customer, nobody named",
        {"authority": "help_article"},
        {"authority": "crm_note", "customer": "acme"},
        None,
        "customer_fact",
    ),
    (
        "a rule against a note about another customer",
        {"authority": "help_article"},
        {"authority": "crm_note", "customer": "acme"},
        "bolt",
        "customer_fact",
    ),
    (
        "the note about this customer against one about another",
        {"authority": "crm_note", "customer": "bolt"},
        {"authority": "crm_note", "customer": "acme"},
        "bolt",
        "customer_fact",
    ),
    (
        "a help article against an instruction that lacks its end",
        {"authority": "help_article"},
        {"authority": "manager_instruction", "products": ("x",), "approved_by": "mia"},
        None,
        "unverified_instruction",
    ),
    (
        "a complete instruction against a weaker authority",
        {
            "authority": "manager_instruction",
            "products": ("x",),
            "approved_by": "mia",
            "effective_until": NOW + timedelta(days=9),
        },
        {"authority": "help_article"},
        None,
        "stronger_authority",
    ),
    (
        "a policy against a procedure",
        {"authority": "policy"},
        {"authority": "procedure"},
        None,
        "stronger_authority",
    ),
    (
        "a listed authority against an unlisted one",
        {"authority": "crm_note"},
        {"authority": "hearsay"},
        None,
        "stronger_authority",
    ),
    (
        "the narrower scope",
        {"products": ("x",), "effective_from": datetime(2025, 1, 1, tzinfo=UTC)},
        {"effective_from": datetime(2026, 1, 1, tzinfo=UTC)},
        None,
        "specific_scope",
    ),
    (
        "the later date",
        {"effective_from": datetime(2026, 1, 1, tzinfo=UTC)},
        {"effective_from": datetime(2025, 1, 1, tzinfo=UTC)},
        None,
        "later_date",
    ),
    (
        "the newer text, neither dated",
        {"updated_at": NOW},
        {"updated_at": NOW - timedelta(days=1)},
        None,
        "newer_version",
    ),
    (
        "the newer text of two of one date",
        {"updated_at": NOW, "effective_from": datetime(2026, 1, 1, tzinfo=UTC)},
        {"updated_at": NOW - timedelta(days=9), "effective_from": datetime(2026, 1, 1, tzinfo=UTC)},
        None,
        "newer_version",
    ),
]


@pytest.mark.parametrize(
    ("winner", "loser", "asked", "rule"), [c[1:] for c in RULES], ids=[c[0] for c in RULES]
)
def test_each_rule_decides_its_case(
    winner: dict[str, Any], loser: dict[str, Any], asked: str | None, rule: str
) -> None:
    left, right = make_document("winner", **winner), make_document("loser", **loser)
    ruling = rule_between(left, right, AUTHORITIES, customer=asked)
    assert ruling is not None
    assert (ruling.winner, ruling.loser, ruling.rule) == ("winner", "loser", rule)
    assert ruling.reason


TIES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("nothing tells them apart", {}, {}),
    ("only one says from when", {"effective_from": NOW, "updated_at": NOW - timedelta(days=9)}, {}),
    ("two texts of one day", {"updated_at": NOW - timedelta(hours=2)}, {}),
    (
        "two notes about two customers, nobody named",
        {"authority": "crm_note", "customer": "acme", "effective_from": NOW},
        {"authority": "crm_note", "customer": "bolt"},
    ),
    (
        "two instructions that both lack an approver",
        {"authority": "manager_instruction"},
        {"authority": "manager_instruction"},
    ),
]


@pytest.mark.parametrize(("left", "right"), [t[1:] for t in TIES], ids=[t[0] for t in TIES])
def test_on_a_tie_nobody_wins(left: dict[str, Any], right: dict[str, Any]) -> None:
    assert (
        rule_between(make_document("a", **left), make_document("b", **right), AUTHORITIES) is None
    )


def test_a_ruling_gives_the_dates_of_both_sides() -> None:
    instruction = make_document(
        "winner",
        authority="manager_instruction",
        products=("x",),
        approved_by="mia",
        effective_from=datetime(2026, 11, 1, tzinfo=UTC),
        effective_until=datetime(2026, 12, 25, tzinfo=UTC),
    )
    article = make_document("loser", updated_at=datetime(2025, 3, 2, tzinfo=UTC))
    ruling = rule_between(instruction, article, AUTHORITIES)
    assert ruling is not None
    assert ruling.reason == (
        "manager_instruction is stronger than help_article, approved by mia (in force since "
        "2026-11-01 until 2026-12-24 against text of 2025-03-02)"
    )


def test_a_note_about_a_customer_beats_other_texts_about_that_customer() -> None:
    note = make_document("note", authority="crm_note", customer="acme")
    policy = make_document("policy", authority="policy", customer="acme")
    ruling = rule_between(policy, note, AUTHORITIES, customer="acme")
    assert ruling is not None and ruling.winner == "note"


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"confidence_state": ConfidenceState.ARCHIVED}, "archived"),
        ({"effective_from": NOW + timedelta(seconds=1)}, "not effective before 2026-11-21"),
        ({"effective_until": NOW}, "ended on 2026-11-21"),
        ({"products": ("router",)}, "about another product"),
        ({"regions": ("emea",)}, "about another region"),
        ({"plans": ("team",)}, "about another plan"),
        ({"plans": ("team", "solo")}, None),
        ({"effective_from": NOW}, None),
        ({"effective_until": NOW + timedelta(seconds=1)}, None),
        ({"products": ("router", "phone")}, None),
    ],
)
def test_what_may_not_answer_says_why(said: dict[str, Any], reason: str | None) -> None:
    products = ("phone",)
    document = make_document(**said)
    found = invalid_reason(document, NOW, products=products, regions=("apac",), plans=("solo",))
    assert found == reason


def test_a_document_without_scope_is_in_every_scope_and_a_question_without_one_asks_all() -> None:
    assert invalid_reason(make_document(), NOW, products=("a",), regions=("b",)) is None
    assert invalid_reason(make_document(products=("x",), regions=("y",)), NOW) is None


def test_an_instruction_names_everything_it_lacks() -> None:
    bare = make_document(authority="manager_instruction")
    assert unverified_reason(bare) == "manager's instruction without scope, approver, end date"
    assert unverified_reason(make_document(authority="policy")) is None


def test_a_replacement_counts_only_while_it_is_in_force_itself() -> None:
    later = NOW + timedelta(days=1)
    found = [
        make_document("now", supersedes=("old",)),
        make_document("soon", supersedes=("old",), effective_from=later),
        make_document("over", supersedes=("old",), effective_until=NOW),
        make_document("filed", supersedes=("old",), confidence_state=ConfidenceState.ARCHIVED),
        make_document("draft", supersedes=("old",),
                      confidence_state=ConfidenceState.WORK_IN_PROGRESS),
        make_document("self", supersedes=("self",)),
    ]  # fmt: skip
    assert find_superseded(found, NOW) == {"old": ["now"]}
    assert find_superseded(found, later) == {"old": ["now", "soon"]}


def test_a_chain_of_replacements_holds_when_its_middle_is_gone() -> None:
    chain = [
        make_document("new", supersedes=("middle",)),
        make_document("middle", supersedes=("old",), confidence_state=ConfidenceState.ARCHIVED),
    ]
    assert find_superseded(chain, NOW) == {"middle": ["new"], "old": ["new"]}
    ended = [chain[0], make_document("middle", supersedes=("old",), effective_until=NOW)]
    assert find_superseded(ended, NOW) == {"middle": ["new"], "old": ["new"]}


def test_a_link_not_in_force_yet_breaks_the_chain() -> None:
    chain = [
        make_document("new", supersedes=("middle",)),
        make_document("middle", supersedes=("old",), effective_from=NOW + timedelta(days=1)),
    ]
    assert find_superseded(chain, NOW) == {"middle": ["new"]}


def test_documents_that_replace_each_other_all_stay() -> None:
    circle = [
        make_document("a", supersedes=("b",)),
        make_document("b", supersedes=("c",)),
        make_document("c", supersedes=("a", "old")),
    ]
    found = find_superseded(circle, NOW)
    assert set(found) == {"old"}
