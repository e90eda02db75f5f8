"""The page of one draft, in all its states: to decide on, being edited, faulty, overtaken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from fastapi.responses import HTMLResponse

from api.keys import Caller
from api.pages.article_text import render_markdown
from api.pages.bar_chart import draw_weeks
from api.pages.draft_facts import DraftFacts
from api.pages.draft_history import tell_history
from api.pages.evidence_facts import attach_evidence
from api.pages.layout import render_page
from api.pages.session import PageSession
from api.pages.word_diff import diff_texts
from api.pages.wording import REASONS, tell_due
from gaps.drafting.handling import WAITING
from gaps.drafting.workflow import TRANSITIONS, Decision
from gaps.types import Check, Draft, GapKind
from kb.errors import NotFoundError
from kb.types import Role

SCRIPTED = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
}
"""Only where a text can be edited: one script of ours previews it while it is typed."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What a person had chosen or written in a form that could not be taken."""

    because: str = ""
    kind: str = ""
    document: str = ""
    tickets: frozenset[str] = frozenset()
    comment: str = ""
    until: str = ""
    owner: str = ""
    place: str = "decide"
    """Beside which form the fault is told: "decide", "later" or "comment"."""


def ensure_may_review(caller: Caller, draft: Draft) -> None:
    """Owners decide on what they own, editors and admins on everything.

    Raises:
        NotFoundError: The draft is someone else's; it answers like one that is not there.
    """
    if not caller.role.includes(Role.EDITOR) and caller.owner != draft.owner:
        raise NotFoundError("draft", draft.draft_id)


def show_draft(
    page: PageSession,
    facts: DraftFacts,
    *,
    now: datetime,
    owners: Sequence[str],
    status: int = 200,
    fault: str = "",
    reason: str = "",
    edited: str | None = None,
    tried: Sequence[Check] = (),
    sent: Sent | None = None,
) -> HTMLResponse:
    """Render a draft.

    Args:
        page: Who looks.
        facts: What is stored.
        now: The moment.
        owners: Whom it can be handed to.
        status: Of the answer.
        fault: What was wrong with the form that was sent.
        reason: What the person had written, to be kept.
        edited: Their own text, shown rendered above the field that holds it.
        tried: The checks of that text, where it was checked.
        sent: What else the person had chosen or written, to be kept.
    """
    draft = facts.draft
    open_decisions = {d for s, d in TRANSITIONS if s is draft.state}
    before = facts.base_text
    red = [check for check in draft.checks if check.verdict == "red"]
    has_approved = page.caller.name in facts.approvers
    return render_page(
        "draft.html",
        status=status,
        viewer=page,
        facts=facts,
        headers=SCRIPTED if Decision.EDIT in open_decisions else None,
        draft=draft,
        gap=facts.gap,
        body=attach_evidence(
            render_markdown(draft.markdown, [s.text for s in facts.statements]), facts.statements
        ),
        diff=diff_texts(before, draft.markdown) if before is not None else None,
        chart=draw_weeks(facts.gap.weekly_counts),
        history=tell_history(draft, facts.reviews, facts.notes, facts.publication),
        may_approve=Decision.APPROVE in open_decisions and not (red or has_approved),
        is_red=bool(red) and Decision.APPROVE in open_decisions,
        may_edit=Decision.EDIT in open_decisions,
        may_reject=Decision.REJECT in open_decisions,
        may_ask=Decision.ASK_CHANGES in open_decisions,
        may_roll_back=Decision.ROLLBACK in open_decisions,
        may_arrange=draft.state in WAITING,
        has_approved=has_approved,
        fault=fault,
        reason=reason,
        edited=edited,
        tried=tried,
        sent=sent or Sent(),
        now=now,
        due=tell_due(facts.dates.due_at, now) if facts.dates.due_at else None,
        tomorrow=(now + timedelta(days=1)).date().isoformat(),
        next_week=(now + timedelta(days=7)).date().isoformat(),
        reasons=[(because.value, text) for because, text in REASONS.items()],
        kinds=[kind.value for kind in GapKind if kind is not facts.gap.kind],
        hand_to=[name for name in owners if name != draft.owner],
        preview=render_markdown(edited) if edited is not None else None,
        problems=[c for c in draft.checks if c.verdict != "green"],
    )


def show_overtaken(
    page: PageSession,
    facts: DraftFacts,
    *,
    message: str,
    seen: str,
    edited: str | None,
    decision: str,
) -> HTMLResponse:
    """412: what was decided on is no longer what is stored; both texts, and the question again."""
    draft = facts.draft
    open_decisions = {d for s, d in TRANSITIONS if s is draft.state}
    base_diff = None
    if facts.base_changed and facts.current_text is not None:
        base_diff = diff_texts(facts.base_text or "", facts.current_text)
    return render_page(
        "overtaken.html",
        status=412,
        viewer=page,
        facts=facts,
        draft=draft,
        decision=decision,
        message=f"{message[:1].upper()}{message[1:]}.",
        seen_diff=diff_texts(seen, draft.markdown) if seen and seen != draft.markdown else None,
        base_diff=base_diff,
        edited=edited,
        last=facts.reviews[-1] if facts.reviews else None,
        may_approve=Decision.APPROVE in open_decisions and page.caller.name not in facts.approvers,
        may_edit=Decision.EDIT in open_decisions,
    )
