from __future__ import annotations

from datetime import UTC, datetime, timedelta

from api.pages.gaps.history import tell_history
from gaps.keeping.corrections import Correction, CorrectionKind
from gaps.keeping.lineage import EventKind, TopicEvent
from gaps.types import Publication
from tests.api.pages.gaps.test_listing import make_gap

START = datetime(2026, 9, 1, tzinfo=UTC)
TITLES = {"top_a": "A gap", "top_b": "The other"}


def at(day: int) -> datetime:
    return START + timedelta(days=day)


def correction(day: int, kind: CorrectionKind, topic_id: str, value: str | None) -> Correction:
    return Correction(
        f"co_{day}", at(day), "ines", topic_id, kind, value, ("T-1", "T-2"), "because",
        {"kind": "missing"},
    )  # fmt: skip


def tell(*facts: tuple[datetime, TopicEvent] | Correction | Publication) -> list[str]:
    told = tell_history(
        make_gap("a"),
        [fact for fact in facts if isinstance(fact, tuple)],
        [fact for fact in facts if isinstance(fact, Correction)],
        [fact for fact in facts if isinstance(fact, Publication)],
        TITLES,
    )
    return [happening.text for happening in told]


def event(day: int, topic_id: str, kind: EventKind, *others: str) -> tuple[datetime, TopicEvent]:
    return at(day), TopicEvent(topic_id, kind, others, 4)


def test_events_are_told_from_the_side_of_the_gap() -> None:
    assert tell(
        event(1, "top_a", EventKind.APPEARED),
        event(2, "top_b", EventKind.SPLIT, "top_a"),
        event(3, "top_a", EventKind.SPLIT, "top_b"),
        event(4, "top_b", EventKind.MERGED, "top_a"),
        event(5, "top_a", EventKind.MERGED, "top_gone"),
        event(6, "top_a", EventKind.DISSOLVED, "top_b"),
    ) == [
        "First found, in 4 tickets",
        "“The other” split off, with 4 tickets",
        "Split off from “The other”, with 4 tickets",
        "“The other” became part of it, with 4 tickets",
        "Became part of “top_gone”",
        "Its tickets went to “The other”",
    ]


def test_corrections_are_told_with_what_had_been_judged() -> None:
    assert tell(
        correction(1, CorrectionKind.KIND_IS, "top_a", "needs_action"),
        correction(2, CorrectionKind.ASSIGN, "top_a", "tom"),
        correction(3, CorrectionKind.TITLE_IS, "top_a", "Better"),
        correction(4, CorrectionKind.NOT_A_GAP, "top_a", None),
    ) == ["Is “Needs an action”, not “Missing”", "Assigned to tom", "Named “Better”", "Dismissed"]


def test_a_merge_by_a_person_is_told_once_with_their_name() -> None:
    told = tell_history(
        make_gap("a"), [event(4, "top_b", EventKind.MERGED, "top_a")],
        [correction(4, CorrectionKind.MERGE, "top_b", "top_a")], [], TITLES,
    )  # fmt: skip
    assert [(h.kind, h.text, h.by) for h in told] == [
        ("merged", "“The other” made part of it, with 2 tickets", "ines")
    ]


def test_a_split_is_told_on_both_sides() -> None:
    said = correction(4, CorrectionKind.SPLIT, "top_b", "top_a")
    assert tell(said) == ["Split off from “The other”, with 2 tickets"]
    said = correction(4, CorrectionKind.SPLIT, "top_a", "top_b")
    assert tell(said) == ["2 tickets split off as “The other”"]


def test_a_publication_and_its_end_stand_in_order() -> None:
    published = Publication("p", "drf", "vpn", 3, 2, None, at(2), "ines", at(9))
    assert tell(published, event(5, "top_a", EventKind.APPEARED)) == [
        "Published vpn, version 3", "First found, in 4 tickets", "Rolled back vpn",
    ]  # fmt: skip
