from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from ingest.plan import MASS_LOSS_DOCUMENTS, SyncPlan, plan_sync
from kb.articles import StoredState
from kb.types import ParsedDocument
from tests.ingest.factories import make_document

IDS = st.sampled_from("abcdef")
DOCUMENTS = st.builds(make_document, IDS, st.sampled_from(["x", "y"]), title=st.sampled_from("TU"))
LISTINGS = st.lists(DOCUMENTS, unique_by=lambda document: document.document_id)


@st.composite
def stored_states(draw: st.DrawFn) -> dict[str, StoredState]:
    documents = draw(LISTINGS)
    return {
        d.document_id: replace(
            state_of(d),
            source=draw(st.sampled_from(["help", "other"])),
            deleted=draw(st.booleans()),
        )
        for d in documents
    }


def state_of(document: ParsedDocument) -> StoredState:
    return StoredState(
        document.content_hash, document.metadata_hash, document.source, document.path, False
    )


def apply(plan: SyncPlan, stored: dict[str, StoredState]) -> dict[str, StoredState]:
    after = dict(stored)
    for document in (*plan.new, *plan.changed, *plan.metadata_only):
        after[document.document_id] = state_of(document)
    for document_id in plan.deleted:
        after[document_id] = replace(after[document_id], deleted=True)
    return after


def plan(
    listed: list[ParsedDocument], stored: dict[str, StoredState], complete: bool = True
) -> SyncPlan:
    return plan_sync(listed, stored, "help", complete=complete, refused_paths=set())


@given(LISTINGS, stored_states(), st.booleans())
def test_a_plan_applied_leaves_nothing_to_do(
    listed: list[ParsedDocument], stored: dict[str, StoredState], complete: bool
) -> None:
    after = apply(plan(listed, stored, complete), stored)
    assert plan(listed, after, complete).writes_nothing


@given(LISTINGS, stored_states())
def test_another_sources_live_documents_are_never_touched(
    listed: list[ParsedDocument], stored: dict[str, StoredState]
) -> None:
    after = apply(plan(listed, stored), stored)
    theirs = {k: v for k, v in stored.items() if v.source == "other" and not v.deleted}
    assert {key: after[key] for key in theirs} == theirs


@given(LISTINGS, stored_states())
def test_every_listed_document_has_exactly_one_fate(
    listed: list[ParsedDocument], stored: dict[str, StoredState]
) -> None:
    made = plan(listed, stored)
    fates = [*made.new, *made.changed, *made.metadata_only, *made.unchanged]
    told = [d.path for d in fates] + [refusal.path for refusal in made.refused]
    assert sorted(told) == sorted(document.path for document in listed)


@given(stored_states())
def test_a_partial_listing_deletes_nothing(stored: dict[str, StoredState]) -> None:
    assert plan([], stored, complete=False).deleted == ()


def test_a_document_whose_file_was_refused_is_not_deleted() -> None:
    stored = {"a": state_of(make_document("a")), "b": state_of(make_document("b"))}
    made = plan_sync([], stored, "help", complete=True, refused_paths={"a.md"})
    assert made.deleted == ("b",)


def test_an_id_of_another_source_is_refused_naming_it() -> None:
    stored = {"a": replace(state_of(make_document("a")), source="crm")}
    made = plan([make_document("a")], stored)
    assert [(r.path, r.reason) for r in made.refused] == [
        ("a.md", "the id 'a' belongs to the source 'crm'")
    ]


def test_a_document_come_back_gets_a_new_version() -> None:
    document = make_document("a")
    made = plan([document], {"a": replace(state_of(document), deleted=True)})
    assert made.changed == (document,)


def test_a_moved_file_with_the_same_id_changes_metadata_only() -> None:
    document = make_document("a")
    made = plan(
        [replace(document, path="moved.md", metadata_hash="other")], {"a": state_of(document)}
    )
    assert [d.path for d in made.metadata_only] == ["moved.md"]


def test_a_source_gone_empty_at_once_deletes_nothing() -> None:
    def stored(count: int) -> dict[str, StoredState]:
        return {str(i): state_of(make_document(str(i))) for i in range(count)}

    assert len(plan([], stored(MASS_LOSS_DOCUMENTS - 1)).deleted) == MASS_LOSS_DOCUMENTS - 1
    withheld = plan([], stored(MASS_LOSS_DOCUMENTS))
    assert withheld.writes_nothing
    assert "none of them deleted" in withheld.refused[0].reason
