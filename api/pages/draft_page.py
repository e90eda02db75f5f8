"""The page of one draft, in all its states: to decide on, being edited, faulty, overtaken."""

from __future__ import annotations

from fastapi.responses import HTMLResponse

from api.keys import Caller
from api.pages.article_text import render_markdown
from api.pages.bar_chart import draw_weeks
from api.pages.draft_facts import DraftFacts
from api.pages.layout import render_page
from api.pages.session import PageSession
from api.pages.word_diff import diff_texts
from gaps.drafting.workflow import APPROVING, TRANSITIONS, Decision
from gaps.types import Check, Draft
from kb.errors import NotFoundError
from kb.types import Role


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
    status: int = 200,
    fault: str = "",
    reason: str = "",
    edited: str | None = None,
    tried: Check | None = None,
) -> HTMLResponse:
    """Render a draft.

    Args:
        page: Who looks.
        facts: What is stored.
        status: Of the answer.
        fault: What was wrong with the form that was sent.
        reason: What the person had written, to be kept.
        edited: Their own text, shown rendered above the field that holds it.
        tried: What that text would do to real questions, where it was tried.
    """
    draft = facts.draft
    open_decisions = {d for s, d in TRANSITIONS if s is draft.state}
    before = facts.base_text
    red = [check for check in draft.checks if check.verdict == "red"]
    has_approved = any(
        review.reviewer == page.caller.name
        and review.draft_hash == draft.draft_hash
        and Decision(review.decision) in APPROVING
        for review in facts.reviews
    )
    return render_page(
        "draft.html",
        status=status,
        viewer=page,
        facts=facts,
        draft=draft,
        gap=facts.gap,
        body=render_markdown(draft.markdown, [s.text for s in facts.statements]),
        diff=diff_texts(before, draft.markdown) if before is not None else None,
        chart=draw_weeks(facts.gap.weekly_counts),
        may_approve=Decision.APPROVE in open_decisions and not (red or has_approved),
        is_red=bool(red) and Decision.APPROVE in open_decisions,
        may_edit=Decision.EDIT in open_decisions,
        may_reject=Decision.REJECT in open_decisions,
        may_ask=Decision.ASK_CHANGES in open_decisions,
        may_roll_back=Decision.ROLLBACK in open_decisions,
        fault=fault,
        reason=reason,
        edited=edited,
        tried=tried,
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
        may_approve=Decision.APPROVE in open_decisions,
        may_edit=Decision.EDIT in open_decisions,
    )
