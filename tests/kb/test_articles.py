"""What is stored and what is served, on a real SQLite and before any index was built."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from ingest.chunking import chunk_document
from ingest.fingerprints import hash_metadata
from kb import articles, intake, live_chunks
from kb.errors import NotFoundError
from kb.tables import chunks, embeddings
from kb.types import Audience, ConfidenceState, FreshnessVerdict, ParsedDocument
from tests.kb.factories import NOW, Knowledge, make_parsed

DAY = timedelta(days=1)


def with_metadata(parsed: ParsedDocument, **said: object) -> ParsedDocument:
    metadata = replace(parsed.metadata, **said)  # type: ignore[arg-type]
    return replace(parsed, metadata=metadata, metadata_hash=hash_metadata(metadata, parsed.path))


def count(knowledge: Knowledge, table: object) -> int:
    with knowledge.database.read() as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())  # type: ignore[arg-type]


def test_what_is_written_is_found_at_once(knowledge: Knowledge) -> None:
    assert knowledge.find("reset the router") == []
    knowledge.put(make_parsed("router", "Hold the reset key of the router."))
    assert knowledge.find("reset the router") == ["router"]


def test_a_deleted_document_is_gone_from_the_next_search_and_keeps_its_history(
    knowledge: Knowledge,
) -> None:
    knowledge.put(make_parsed("a", "Reset the router."), make_parsed("b", "Reset the phone."))
    knowledge.delete("a")
    assert knowledge.find("reset the router") == ["b"]
    with knowledge.database.read() as connection:
        assert [v.version for v in articles.read_versions(connection, "a")] == [1]
        with pytest.raises(NotFoundError):
            articles.read_document(connection, "a")
    with pytest.raises(NotFoundError):
        knowledge.delete("a")


def test_a_document_that_comes_back_goes_on_counting_its_versions(knowledge: Knowledge) -> None:
    knowledge.put(make_parsed("a", "Reset the router."))
    knowledge.delete("a")
    knowledge.put(make_parsed("a", "Reset the router twice."))
    hit = knowledge.ask("router").hits[0]
    assert (hit.chunk.document.version, hit.chunk.text) == (2, "Reset the router twice.")


def test_an_audience_change_hides_and_shows_at_once_in_both_directions(
    knowledge: Knowledge,
) -> None:
    parsed = make_parsed("a", "Reset the router.")
    knowledge.put(parsed)
    assert knowledge.find("router", Audience.PUBLIC) == ["a"]
    knowledge.put_metadata(with_metadata(parsed, audience=Audience.PARTNER))
    assert knowledge.find("router", Audience.CUSTOMER) == []
    assert knowledge.find("router", Audience.PARTNER) == ["a"]
    knowledge.put_metadata(with_metadata(parsed, audience=Audience.CUSTOMER))
    assert knowledge.find("router", Audience.CUSTOMER) == ["a"]
    assert knowledge.find("router", Audience.PUBLIC) == []


def test_a_changed_title_keeps_version_chunks_and_embeddings_and_is_searched(
    knowledge: Knowledge,
) -> None:
    parsed = make_parsed("a", "Hold the key.")
    knowledge.put(parsed)
    before = count(knowledge, chunks), count(knowledge, embeddings)
    knowledge.put_metadata(with_metadata(parsed, title="Resetting the zeppelin"))
    hit = knowledge.ask("zeppelin").hits[0]
    assert (hit.chunk.document.version, hit.chunk.document.metadata.title) == (
        1,
        "Resetting the zeppelin",
    )
    # The new title is embedded by the search that first needs it; no chunk is embedded again.
    assert (count(knowledge, chunks), count(knowledge, embeddings)) == (before[0], before[1] + 1)


def test_only_the_newest_version_is_served(knowledge: Knowledge) -> None:
    knowledge.put(make_parsed("a", "Press the zeppelin lever."))
    knowledge.put(make_parsed("a", "Press the button."))
    assert [hit.chunk.text for hit in knowledge.ask("zeppelin lever button").hits] == [
        "Press the button."
    ]
    with knowledge.database.read() as connection:
        assert [v.version for v in articles.read_versions(connection, "a")] == [2, 1]
        assert articles.read_version(connection, "a", 1).markdown == "Press the zeppelin lever."


def test_dates_take_effect_by_the_clock_alone(knowledge: Knowledge) -> None:
    knowledge.put(
        make_parsed("soon", "Reset it soon.", effective_from=NOW + DAY),
        make_parsed("over", "Reset it over.", effective_until=NOW + DAY),
        make_parsed("always", "Reset it always."),
        make_parsed("filed", "Reset it filed.", confidence_state=ConfidenceState.ARCHIVED),
    )
    assert sorted(knowledge.find("reset")) == ["always", "over"]
    assert sorted(knowledge.find("reset", now=NOW + DAY)) == ["always", "soon"]
    assert sorted(knowledge.find("reset", now=NOW + DAY * 400)) == ["always", "soon"]


def test_a_superseded_document_leaves_search_when_its_successor_takes_effect(
    knowledge: Knowledge,
) -> None:
    knowledge.put(
        make_parsed("old", "Refunds take 30 days."),
        make_parsed("new", "Refunds take 14 days.", supersedes=("old",), effective_from=NOW + DAY),
    )
    assert knowledge.find("refunds") == ["old"]
    assert knowledge.find("refunds", now=NOW + DAY) == ["new"]
    knowledge.delete("new")
    assert knowledge.find("refunds", now=NOW + DAY) == ["old"]


def test_a_successor_the_reader_may_not_see_takes_nothing_from_them(knowledge: Knowledge) -> None:
    knowledge.put(
        make_parsed("old", "Refunds take 30 days."),
        make_parsed("new", "Refunds: 14 days.", supersedes=("old",), audience=Audience.INTERNAL),
    )
    assert knowledge.find("refunds", Audience.PUBLIC) == ["old"]
    assert knowledge.find("refunds", Audience.INTERNAL) == ["new"]


def test_labels_products_and_regions_narrow_and_what_names_none_stays(
    knowledge: Knowledge,
) -> None:
    knowledge.put(
        make_parsed("x", "Reset x.", products=("x",), labels=("how-to",)),
        make_parsed("y", "Reset y.", products=("y",), regions=("emea",)),
        make_parsed("any", "Reset any.", labels=("how-to", "faq")),
    )
    assert sorted(knowledge.find("reset", products=("x",))) == ["any", "x"]
    assert sorted(knowledge.find("reset", regions=("apac",))) == ["any", "x"]
    assert sorted(knowledge.find("reset", labels=("faq",))) == ["any"]


def test_a_note_about_another_customer_is_not_shown_when_one_is_named(
    knowledge: Knowledge,
) -> None:
    note = {"authority": "crm_note", "audience": Audience.INTERNAL}
    knowledge.put(
        make_parsed("acme", "Refunds for Acme: 60 days.", customer="acme", **note),
        make_parsed("bolt", "Refunds for Bolt: 90 days.", customer="bolt", **note),
        make_parsed("rule", "Refunds take 14 days."),
    )
    assert sorted(knowledge.find("refunds days", customer="acme")) == ["acme", "rule"]


def test_a_verification_freshens_a_document_and_an_unknown_one_is_not_found(
    knowledge: Knowledge,
) -> None:
    knowledge.put(make_parsed("a", "Reset."))
    assert knowledge.ask("reset").hits[0].freshness.verdict is FreshnessVerdict.UNKNOWN
    with knowledge.database.write() as connection:
        intake.write_verification(connection, "a", by="ana", now=NOW)
    assert knowledge.ask("reset").hits[0].freshness.verdict is FreshnessVerdict.FRESH
    with pytest.raises(NotFoundError), knowledge.database.write() as connection:
        intake.write_verification(connection, "nobody", by="ana", now=NOW)


def test_a_verification_survives_a_change_of_metadata_and_ends_with_a_new_text(
    knowledge: Knowledge,
) -> None:
    parsed = make_parsed("a", "Reset.", last_verified_at=NOW - DAY * 30)
    knowledge.put(parsed)
    with knowledge.database.write() as connection:
        intake.write_verification(connection, "a", by="ana", now=NOW)
    knowledge.put_metadata(with_metadata(parsed, title="Another title"))
    document = knowledge.ask("reset").hits[0].chunk.document
    assert (document.metadata.last_verified_at, document.verified_by) == (NOW, "ana")
    knowledge.put(make_parsed("a", "Reset it another way."))
    document = knowledge.ask("reset").hits[0].chunk.document
    assert (document.metadata.last_verified_at, document.verified_by) == (None, None)


@pytest.mark.parametrize("reader", list(Audience))
def test_every_read_holds_back_what_the_reader_may_not_see(
    knowledge: Knowledge, reader: Audience
) -> None:
    for audience in Audience:
        knowledge.put(make_parsed(audience.value, "Reset the router.", audience=audience))
    wanted = sorted(a.value for a in reader.readable())
    with knowledge.database.read() as connection:
        ids = [a.value for a in Audience]
        found = articles.read_documents(connection, reader)
        assert [d.document_id for d in found] == wanted
        assert [
            d.document_id for d in articles.read_documents(connection, reader, ids=ids)
        ] == wanted
        passages = live_chunks.read_chunks_of(connection, ids, reader)
        assert [c.document.document_id for c in passages] == wanted
        every = [c.chunk_id for c in live_chunks.read_chunks_of(connection, ids, Audience.INTERNAL)]
        assert len(live_chunks.read_chunks(connection, every, reader)) == len(wanted)
        for hidden in set(ids) - set(wanted):
            with pytest.raises(NotFoundError):
                articles.read_document(connection, hidden, reader)
    assert sorted(knowledge.find("reset router", reader)) == wanted


def test_listings_page_in_the_order_of_ids(knowledge: Knowledge) -> None:
    knowledge.put(*(make_parsed(f"d{n}") for n in range(7)))
    with knowledge.database.read() as connection:
        pages = [
            [d.document_id for d in articles.read_documents(connection, limit=3, offset=o)]
            for o in (0, 3, 6, 9)
        ]
    assert pages == [["d0", "d1", "d2"], ["d3", "d4", "d5"], ["d6"], []]


def test_a_document_of_many_chunks_is_stored_and_read_whole(knowledge: Knowledge) -> None:
    parsed = make_parsed("a", "\n\n".join(f"## Step {n}\n\n{'word ' * 60}" for n in range(1_200)))
    parts = chunk_document(parsed)
    assert len(parts) > 1_000
    with knowledge.database.write() as connection:
        knowledge._write_source(connection)
        intake.write_version(connection, parsed, parts, now=NOW, author="t", reason="r")
    with knowledge.database.read() as connection:
        found = live_chunks.read_chunks_of(connection, ["a"], Audience.PUBLIC)
        assert [c.text for c in found] == [p.text for p in parts]
        assert len(
            live_chunks.read_chunks(connection, [c.chunk_id for c in found], Audience.PUBLIC)
        ) == (len(parts))
