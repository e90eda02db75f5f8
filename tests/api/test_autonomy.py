"""An earned rule publishes what it covers, says so everywhere, and nothing else goes out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from api.settings.knowledge import ActionSettings
from api.wiring import Application
from gaps.drafting import publish
from gaps.drafting.drafts import make_id, read_draft, read_reviews
from gaps.operating.autonomy import ACTOR, NEEDED_CHECKS, ChangeKind
from gaps.operating.effect import WORSE
from gaps.tables import effects, publications
from gaps.types import Check, Draft, DraftState
from kb import articles
from kb.audit import read_entries, verify_chain
from kb.errors import ConflictError, ForbiddenError, NotFoundError, StaleError
from kb.tables import documents
from kb.types import Audience
from tests.api.pages.factories import (
    VPN_TICKETS,
    make_application,
    make_tickets,
    store_draft,
    store_gap,
)

GREEN = tuple(Check(name, "green", "") for name in sorted(NEEDED_CHECKS))
NEEDED = 5
TEXT = "Hold the button.\n\n1. Press it.\n2. Wait until light {} turns green.\n"


class Moving:
    """A clock that goes a minute further at every look."""

    def __init__(self, application: Application) -> None:
        self._now = application.clock.now()

    def now(self) -> Any:
        self._now += timedelta(minutes=1)
        return self._now


@pytest.fixture
def kb(tmp_path: Path) -> Iterator[Application]:
    application = make_application(tmp_path / "kb")
    application.clock = Moving(application)
    said = ActionSettings(publish_article="autonomous", earned_approvals=NEEDED)
    application.settings = application.settings.model_copy(update={"actions": said})
    yield application
    application.close()


def write(kb: Application, number: int, **said: Any) -> Draft:
    gap = store_gap(kb, f"gap_{number}", make_tickets(f"T{number}", VPN_TICKETS))
    asked = {"title": f"Light {number}", "markdown": TEXT.format(number), "checks": GREEN,
             "document_id": f"light-{number}", **said}  # fmt: skip
    return store_draft(kb, f"drf_{number}", gap, **asked)


def approve(kb: Application, draft: Draft) -> dict[str, Any]:
    return kb.publishing.review(
        draft.draft_id, "approve", caller=kb.local_caller("ines"), draft_hash=draft.draft_hash
    )


def earn(kb: Application, count: int = NEEDED) -> None:
    for number in range(count):
        approve(kb, write(kb, number))


def raise_it(kb: Application, kind: ChangeKind = ChangeKind.NEW_ARTICLE) -> str:
    row = next(s for s in kb.autonomy.read_standings("ines") if s.kind is kind)
    return kb.autonomy.raise_dial(
        "ines", kind.value, record=row.record.digest, reason="a good month", caller=kb.operator
    ).rule_id


def state(kb: Application, draft: Draft) -> DraftState:
    with kb.database.read() as connection:
        return read_draft(connection, draft.draft_id).state


def stays(kb: Application, draft: Draft) -> None:
    """Not published, now or at the next round, and nothing half done."""
    for _ in range(2):
        assert kb.autonomy.publish_earned()["published"] == []
    assert state(kb, draft) is draft.state
    with kb.database.read() as connection:
        rows = connection.execute(
            select(publications.c.id).where(publications.c.draft_id == draft.draft_id)
        ).all()
        assert rows == []
        assert not [
            r for r in read_reviews(connection, draft.draft_id) if r.reviewer.startswith(ACTOR)
        ]
        verify_chain(connection)


def test_an_earned_rule_publishes_and_everything_says_so(kb: Application) -> None:
    earn(kb)
    rule_id = raise_it(kb)
    waiting = write(kb, 100)
    report = kb.autonomy.publish_earned()
    assert [p["draft_id"] for p in report["published"]] == ["drf_100"]
    name = f"kbops (earned rule {rule_id})"
    with kb.database.read() as connection:
        (review,) = read_reviews(connection, waiting.draft_id)
        (version,) = articles.read_versions(connection, "light-100")
        found = {e.action: e for e in read_entries(connection, subject=waiting.draft_id)}
    assert (review.reviewer, review.decision) == (name, "approve")
    assert version.author == name
    assert found["draft.publish"].actor == found["draft.approve"].actor == name
    assert found["draft.publish"].details["approved_by"] == [name]
    assert found["draft.approve"].details["raised_by"] == kb.operator.name
    assert (kb.root / "articles" / "light-100.md").exists()
    assert kb.autonomy.publish_earned()["published"] == []


def test_what_goes_out_by_itself_earns_nothing_further(kb: Application) -> None:
    earn(kb)
    raise_it(kb)
    write(kb, 100)
    kb.autonomy.publish_earned()
    (row, *_) = kb.autonomy.read_standings("ines")
    assert len(row.record.approvals) == NEEDED


def test_nothing_goes_out_while_it_is_not_raised_or_not_earned(kb: Application) -> None:
    earn(kb, NEEDED - 1)
    with pytest.raises(ConflictError, match="1 more"):
        raise_it(kb)
    stays(kb, write(kb, 100))
    approve(kb, write(kb, 50))
    stays(kb, write(kb, 101))


@pytest.mark.parametrize("verdict", ["red", "look"])
def test_nothing_goes_out_whose_check_is_not_green(kb: Application, verdict: str) -> None:
    earn(kb)
    raise_it(kb)
    stays(kb, write(kb, 100, checks=(*GREEN[1:], Check(GREEN[0].name, verdict, ""))))
    stays(kb, write(kb, 101, checks=(*GREEN, Check("title", verdict, ""))))
    stays(kb, write(kb, 102, checks=()))


def test_compliance_never_goes_out_by_itself(kb: Application) -> None:
    """However the rule came to be there: the document is asked in the publishing transaction."""
    with kb.database.write() as connection:
        connection.execute(update(documents).values(governance="compliance"))
    for number in range(NEEDED):
        draft = write(kb, number, document_id="vpn", base_version=1, markdown=TEXT.format(number))
        kb.publishing.review(draft.draft_id, "reject", caller=kb.local_caller("ines"),
                             draft_hash=draft.draft_hash, reason="no")  # fmt: skip
    row = kb.autonomy.read_standings("ines")[1]
    assert row.record.approvals == ()
    with pytest.raises(ConflictError):
        raise_it(kb, ChangeKind.SMALLEST_EDIT)
    _force_rule(kb, ChangeKind.SMALLEST_EDIT)
    waiting = write(kb, 100, document_id="vpn", base_version=1)
    assert kb.autonomy.publish_earned()["left"] == []
    stays(kb, waiting)


def _force_rule(kb: Application, kind: ChangeKind) -> None:
    from gaps.operating.autonomy import Rule
    from gaps.operating.autonomy_rows import write_rule

    with kb.database.write() as connection:
        write_rule(connection, Rule("rul_f", "ines", kind, kb.clock.now(), "ada", "forced", ()))


def test_a_forced_rule_does_publish_what_is_not_compliance(kb: Application) -> None:
    """The guard above would pass for any reason; this shows that compliance was the reason."""
    _force_rule(kb, ChangeKind.SMALLEST_EDIT)
    write(kb, 100, document_id="vpn", base_version=1)
    assert len(kb.autonomy.publish_earned()["published"]) == 1


def test_a_withdrawn_rule_publishes_nothing(kb: Application) -> None:
    earn(kb)
    raise_it(kb)
    _force_rule(kb, ChangeKind.SMALLEST_EDIT)
    kb.autonomy.withdraw_dial("ines", "new_article", reason="wait", caller=kb.operator)
    stays(kb, write(kb, 100))
    with pytest.raises(NotFoundError):
        kb.autonomy.withdraw_dial("ines", "new_article", reason="wait", caller=kb.operator)


def test_a_rule_withdrawn_while_the_article_is_prepared_publishes_nothing(
    kb: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    _during_preparation(kb, monkeypatch, lambda: kb.autonomy.withdraw_dial(
        "ines", "new_article", reason="wait", caller=kb.operator))  # fmt: skip


def test_a_rollback_while_the_article_is_prepared_publishes_nothing(
    kb: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    _during_preparation(
        kb, monkeypatch, lambda: kb.publishing.rollback_draft("drf_2", kb.local_caller("ines"))
    )


def _during_preparation(
    kb: Application, monkeypatch: pytest.MonkeyPatch, act: Callable[[], Any]
) -> None:
    earn(kb)
    raise_it(kb)
    waiting = write(kb, 100)
    prepare, acted = kb.publishing.prepare, []

    def prepare_and_act(change: publish.ArticleChange) -> publish.PreparedArticle:
        if not acted:
            acted.append(True)
            act()
        return prepare(change)

    monkeypatch.setattr(kb.publishing, "prepare", prepare_and_act)
    report = kb.autonomy.publish_earned()
    assert acted and report["published"] == []
    assert "a person must approve" in report["left"][0]["why"]
    stays(kb, waiting)


def test_a_rollback_ends_the_rule_by_itself_and_is_written_down(kb: Application) -> None:
    earn(kb)
    rule_id = raise_it(kb)
    kb.publishing.rollback_draft("drf_1", kb.local_caller("ines"))
    (row, *_) = kb.autonomy.read_standings("ines")
    assert row.now == "human_approved" and row.fell_by is not None
    stays(kb, write(kb, 100))
    with kb.database.read() as connection:
        (entry,) = read_entries(connection, subject=rule_id, limit=1)
    assert (entry.action, entry.actor) == ("autonomy.withdraw", "kbops")
    assert "drf_1 was rolled back" in entry.details["reason"]


def test_an_effect_judged_worse_ends_the_rule_by_itself(kb: Application) -> None:
    earn(kb)
    raise_it(kb)
    with kb.database.write() as connection:
        publication = connection.execute(select(publications.c.id).limit(1)).scalar_one()
        connection.execute(insert(effects).values(
            id=make_id("eff"), publication_id=publication, measured_at=kb.clock.now(),
            verdict=WORSE, report={}))  # fmt: skip
    stays(kb, write(kb, 100))


def test_a_persons_draft_and_anothers_owner_and_kind_stay(kb: Application) -> None:
    earn(kb)
    raise_it(kb)
    stays(kb, write(kb, 100, document_id="vpn", base_version=1))
    gap = store_gap(kb, "gap_tom", make_tickets("TOM", VPN_TICKETS), owner="tom")
    stays(kb, store_draft(kb, "drf_tom", gap, checks=GREEN, document_id="toms"))
    stays(kb, write(kb, 102, document_id="vpn", base_version=7))


def test_the_file_forbids_and_withholds(kb: Application) -> None:
    earn(kb)
    raise_it(kb)
    waiting = write(kb, 100)
    for dial in ("human_approved", "forbidden"):
        said = kb.settings.actions.model_copy(update={"publish_article": dial})
        kb.settings = kb.settings.model_copy(update={"actions": said})
        stays(kb, waiting)
    with pytest.raises(ForbiddenError):
        approve(kb, waiting)
    assert state(kb, waiting) is DraftState.IN_REVIEW


def test_only_an_administrator_raises_and_on_the_record_they_saw(kb: Application) -> None:
    earn(kb)
    row = kb.autonomy.read_standings("ines")[0]
    asked = {"record": row.record.digest, "reason": "x"}
    with pytest.raises(ForbiddenError):
        kb.autonomy.raise_dial("ines", "new_article", caller=kb.local_caller("ines"), **asked)
    approve(kb, write(kb, 50))
    with pytest.raises(StaleError):
        kb.autonomy.raise_dial("ines", "new_article", caller=kb.operator, **asked)
    raise_it(kb)
    with pytest.raises(ConflictError, match="already"):
        raise_it(kb)


def test_a_kill_between_approval_and_publication_leaves_nothing(
    kb: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    earn(kb)
    raise_it(kb)
    waiting = write(kb, 100)
    with monkeypatch.context() as patch:
        patch.setattr(publish, "write_publication", _die)
        with pytest.raises(SystemError):
            kb.autonomy.publish_earned()
    assert state(kb, waiting) is DraftState.IN_REVIEW
    assert kb.publishing.finish() == []
    assert len(kb.autonomy.publish_earned()["published"]) == 1


def _die(*_: Any, **__: Any) -> None:
    raise SystemError("killed")


def test_owners_see_their_own_rows_and_editors_all(kb: Application) -> None:
    own = kb.autonomy.show(kb.local_caller("ines"))
    assert {row["owner"] for row in own["rows"]} == {"ines"}
    assert {row["owner"] for row in kb.autonomy.show(kb.operator)["rows"]} == {"ines", "tom"}
    assert own["actions"][0] == {"action": "publish_article", "dial": "autonomous"}
    assert Audience.INTERNAL is kb.operator.audience
