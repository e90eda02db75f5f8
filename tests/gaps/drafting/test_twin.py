from __future__ import annotations

from gaps.drafting.writer import create_draft
from tests.gaps.drafting.factories import NOW, Desk, make_tickets


def test_a_draft_of_what_an_article_is_about_becomes_an_edit_of_it(desk: Desk) -> None:
    text = "Ask the desk for a new laptop when the light is red."
    desk.add_article("posture", text, title="CC-418 posture check failed")
    desk.add_gap(make_tickets())
    draft = create_draft(
        desk.database, desk.retriever, desk.encoder, "gap_1", now=NOW, settings=desk.settings
    )
    assert (draft.document_id, draft.base_version) == ("posture", 1)
    assert text in draft.markdown


def test_a_draft_of_something_else_stays_an_article_of_its_own(desk: Desk) -> None:
    desk.add_article("gifts", "Redeem the card in the shop.", title="Gift cards")
    desk.add_gap(make_tickets())
    draft = create_draft(
        desk.database, desk.retriever, desk.encoder, "gap_1", now=NOW, settings=desk.settings
    )
    assert draft.base_version is None
