"""Commands about a draft that do not decide it: send it back, comment, put off, hand over."""

from __future__ import annotations

from typing import Annotated

import typer

from api.cli.session import open_application, print_json, print_line
from kb.clock import parse_instant

AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
Owner = Annotated[str, typer.Option("--as", help="Owner who decides it.")]


def add_commands(drafts: typer.Typer) -> None:
    drafts.command("ask-changes")(drafts_ask_changes)
    drafts.command("comment")(drafts_comment)
    drafts.command("snooze")(drafts_snooze)
    drafts.command("hand-over")(drafts_hand_over)


def drafts_ask_changes(
    draft_id: str,
    as_: Owner,
    reason: Annotated[str, typer.Option(help="What should change.")],
    as_json: AsJson = False,
) -> None:
    """Send a draft back with what should change."""
    with open_application() as application:
        draft = application.desk.read_draft(draft_id, application.operator)
        answer = application.publishing.review(
            draft_id, "ask_changes", caller=application.local_caller(as_),
            draft_hash=draft.draft_hash, reason=reason,
        )  # fmt: skip
    if as_json:
        print_json(answer)
        return
    print_line(f"{draft_id}: {answer['state']}")


def drafts_comment(draft_id: str, text: str, as_: Owner) -> None:
    """Say something about a draft to whoever reviews it."""
    with open_application() as application:
        application.reviewing.comment(draft_id, text, application.local_caller(as_))
    print_line(f"{draft_id}: said")


def drafts_snooze(
    draft_id: str,
    as_: Owner,
    until: Annotated[str, typer.Option(help="Day it comes back, or 'now'.")],
    reason: Annotated[str, typer.Option()] = "",
) -> None:
    """Put a draft off until a day, when it comes back by itself."""
    instant = None if until == "now" else parse_instant(until, where="--until")
    with open_application() as application:
        draft = application.desk.read_draft(draft_id, application.operator)
        application.reviewing.snooze(
            draft_id, instant, application.local_caller(as_), draft_hash=draft.draft_hash,
            reason=reason,
        )  # fmt: skip
    print_line(f"{draft_id}: back {'now' if instant is None else until}")


def drafts_hand_over(
    draft_id: str,
    as_: Owner,
    to: Annotated[str, typer.Option(help="Owner who gets it, with its gap.")],
    reason: Annotated[str, typer.Option()] = "",
) -> None:
    """Give a draft and its gap to another owner."""
    with open_application() as application:
        draft = application.desk.read_draft(draft_id, application.operator)
        application.reviewing.hand_over(
            draft_id, to, application.local_caller(as_), draft_hash=draft.draft_hash, reason=reason
        )
    print_line(f"{draft_id}: {to}'s now")
