"""Commands about tickets, gaps and drafts."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from api.cli import handling
from api.cli.session import (
    open_application,
    print_json,
    print_line,
    print_table,
    show_progress,
)
from gaps.keeping.corrections import CorrectionKind
from kb.clock import parse_instant
from kb.errors import InvalidInputError

AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
Owner = Annotated[str, typer.Option("--as", help="Owner who decides it.")]


def add_commands(app: typer.Typer) -> None:
    tickets = typer.Typer(help="What requesters asked.", no_args_is_help=True)
    tickets.command("import")(tickets_import)
    tickets.command("delete")(tickets_delete)
    app.add_typer(tickets, name="tickets")
    gaps = typer.Typer(help="What the knowledge base lacks.", no_args_is_help=True)
    gaps.command("find")(gaps_find)
    gaps.command("list")(gaps_list)
    gaps.command("show")(gaps_show)
    gaps.command("dismiss")(gaps_dismiss)
    gaps.command("correct")(gaps_correct)
    app.add_typer(gaps, name="gaps")
    drafts = typer.Typer(help="Proposed articles and their review.", no_args_is_help=True)
    drafts.command("list")(drafts_list)
    drafts.command("show")(drafts_show)
    drafts.command("create")(drafts_create)
    drafts.command("approve")(drafts_approve)
    drafts.command("edit")(drafts_edit)
    drafts.command("reject")(drafts_reject)
    handling.add_commands(drafts)
    drafts.command("rollback")(drafts_rollback)
    app.add_typer(drafts, name="drafts")


def tickets_import(file: Path, as_json: AsJson = False) -> None:
    """Import JSON lines, one ticket a line; bad lines are refused by number."""
    try:
        lines = file.open("rb")
    except OSError as error:
        raise InvalidInputError(f"cannot be read: {error.strerror}", where=str(file)) from error
    with lines, open_application() as application:
        report = application.desk.import_tickets(lines, "cli")
    if as_json:
        print_json(report)
    else:
        print_line(
            f"{report['read']} read: {report['imported']} imported, {report['updated']} updated, "
            f"{report['unchanged']} unchanged, {len(report['refused'])} refused"
        )
        for refused in report["refused"]:
            sys.stderr.write(f"kb: refused {file}:{refused['line']}: {refused['reason']}\n")
    if report["refused"] and not (report["imported"] or report["updated"] or report["unchanged"]):
        sys.exit(1)


def tickets_delete(ticket_id: str) -> None:
    """Forget a ticket and what it taught; the next search does without it."""
    with open_application() as application:
        application.desk.delete_ticket(ticket_id, "cli")
    print_line(f"deleted {ticket_id}")


def gaps_find(
    since: Annotated[str | None, typer.Option(help="Tickets from this instant on.")] = None,
    until: Annotated[str | None, typer.Option(help="Tickets before this instant.")] = None,
    anew: Annotated[bool, typer.Option("--anew", help="Find all topics anew.")] = False,
    as_json: AsJson = False,
) -> None:
    """Read the tickets and say what is missing, stale or wrong, strongest first."""
    with open_application() as application, show_progress("tickets", quiet=as_json) as tick:
        report = application.desk.find_gaps(
            since=parse_instant(since, where="--since") if since else None,
            until=parse_instant(until, where="--until") if until else None,
            anew=anew,
            progress=tick,
        )
    if as_json:
        print_json(report)
        return
    counted = report["tickets"]
    print_line(
        f"{counted['read']} tickets read, {counted['unresolved']} not resolved by the knowledge "
        f"base, {counted['uncovered']} not covered by it"
    )
    topics = report["topics"]
    print_line(
        f"{topics['found']} topics, all found anew: {topics['anew']}"
        if topics["anew"]
        else f"{topics['found']} topics, new tickets put into known ones"
    )
    for change in topics["changes"]:
        others = f" ({', '.join(change['others'])})" if change["others"] else ""
        print_line(f"  {change['topic_id']} {change['kind']}{others}")
    _print_gaps(report["gaps"])


def gaps_list(
    status: Annotated[str | None, typer.Option()] = None,
    kind: Annotated[str | None, typer.Option()] = None,
    as_json: AsJson = False,
) -> None:
    """Known gaps, strongest first."""
    with open_application() as application:
        found = application.desk.list_gaps(status=status, kind=kind)
    if as_json:
        print_json({"gaps": found})
        return
    _print_gaps(found)


def _print_gaps(found: list[dict[str, Any]]) -> None:
    print_table(
        ["gap", "kind", "status", "priority", "a week", "tickets", "owner", "title"],
        [
            [
                gap["gap_id"],
                gap["kind"],
                gap["status"],
                f"{gap['priority']:.0f}",
                f"{gap['impact_per_week']:.1f}",
                str(len(gap["tickets"])),
                gap["owner"],
                gap["title"],
            ]
            for gap in found
        ],
    )


def gaps_show(gap_id: str, as_json: AsJson = False) -> None:
    """One gap with its evidence."""
    with open_application() as application:
        gap = application.desk.show_gap(gap_id)
    if as_json:
        print_json(gap)
        return
    print_line(f"{gap['title']}  [{gap['kind']}, {gap['status']}, owner {gap['owner']}]")
    print_line(f"terms: {', '.join(gap['terms'])}")
    print_line(f"tickets a week: {' '.join(str(count) for count in gap['weekly_counts'])}")
    for reason in gap["reasons"]:
        print_line(f"- {reason['text']}")
    for ticket in gap["evidence"]:
        body = " ".join(ticket["body"].split())
        print_line(f"\n{ticket['ticket_id']}  {ticket['subject']}\n  {body[:300]}")
        if ticket["resolution"]:
            print_line(f"  resolved: {' '.join(ticket['resolution'].split())[:300]}")


def gaps_dismiss(
    gap_id: str,
    reason: Annotated[str, typer.Option(help="Why it needs no article.")],
    as_: Owner,
    growth: Annotated[
        float | None, typer.Option(help="Factor of its weekly tickets that opens it again.")
    ] = None,
) -> None:
    """Set a gap aside; it comes back only when it has grown."""
    with open_application() as application:
        application.topics.correct(
            gap_id, CorrectionKind.NOT_A_GAP, application.local_caller(as_), reason=reason,
            growth=growth,
        )  # fmt: skip
    print_line(f"dismissed {gap_id}")


def gaps_correct(
    gap_id: str,
    as_: Owner,
    kind_is: Annotated[str | None, typer.Option(help="The kind of gap it is.")] = None,
    into: Annotated[str | None, typer.Option(help="The gap it is part of.")] = None,
    split: Annotated[str | None, typer.Option(help="Ticket ids that are another gap.")] = None,
    owner: Annotated[str | None, typer.Option(help="Whose it is.")] = None,
    title: Annotated[str | None, typer.Option(help="What it is about.")] = None,
    reason: Annotated[str | None, typer.Option()] = None,
) -> None:
    """Say what a gap is: its kind, its owner, its title, part of another, or two."""
    said = {
        CorrectionKind.KIND_IS: kind_is,
        CorrectionKind.MERGE: into,
        CorrectionKind.SPLIT: split,
        CorrectionKind.ASSIGN: owner,
        CorrectionKind.TITLE_IS: title,
    }
    chosen = [(kind, value) for kind, value in said.items() if value is not None]
    if len(chosen) != 1:
        raise InvalidInputError("say one of --kind-is, --into, --split, --owner and --title")
    [(kind, value)] = chosen
    tickets = tuple(key.strip() for key in value.split(",")) if kind is CorrectionKind.SPLIT else ()
    with open_application() as application:
        gap = application.topics.correct(
            gap_id, kind, application.local_caller(as_), value=value, tickets=tickets,
            reason=reason,
        )  # fmt: skip
    print_line(f"{gap['gap_id']}  {gap['kind']}  {gap['owner']}  {gap['title']}")


def drafts_list(
    state: Annotated[str | None, typer.Option()] = None, as_json: AsJson = False
) -> None:
    """Drafts, newest first."""
    with open_application() as application:
        found = application.desk.list_drafts(application.operator, state=state)
    if as_json:
        print_json({"drafts": found})
        return
    print_table(
        ["draft", "state", "owner", "document", "statements", "title"],
        [
            [
                draft["draft_id"],
                draft["state"],
                draft["owner"],
                draft["document_id"] or "",
                str(len(draft["statements"])),
                draft["title"],
            ]
            for draft in found
        ],
    )


def drafts_show(draft_id: str, as_json: AsJson = False) -> None:
    """A draft's text, evidence and checks."""
    with open_application() as application:
        draft = application.desk.show_draft(draft_id, application.operator)
    if as_json:
        print_json(draft)
        return
    _print_draft(draft)


def drafts_create(gap_id: str, as_json: AsJson = False) -> None:
    """Write a draft for a gap, or say what is missing for one."""
    with open_application() as application:
        draft = application.desk.create_draft(gap_id, application.operator)
    if as_json:
        print_json(draft)
        return
    _print_draft(draft)


def _print_draft(draft: dict[str, Any]) -> None:
    print_line(f"{draft['draft_id']}  [{draft['state']}, owner {draft['owner']}]")
    if draft.get("refused"):
        print_line(f"no draft: {draft['refused']['why']}")
        for question in draft["refused"]["questions"]:
            print_line(f"? {question}")
        return
    print_line(f"\n# {draft['title']}\n\n{draft['markdown']}\n")
    for place, statement in enumerate(draft["statements"], start=1):
        cited = ", ".join(f"{c['kind']} {c['id']}" for c in statement["citations"])
        print_line(f"[{place}] {statement['text'][:100]}  ({cited})")
    for check in draft["checks"]:
        print_line(f"{check['verdict']:5} {check['name']}: {check['detail']}")
        for row in check.get("replayed", ()):
            print_line(f"      {tell_replayed(row)}")


def tell_replayed(row: dict[str, Any]) -> str:
    """A question's answers without and with the draft, in one line."""
    was, now = (
        f"{'answered' if row[f'answerable_{when}'] else 'not answered'},"
        f" right one {row[f'rank_{when}'] or '–'}, first {row[f'first_{when}'] or 'nothing'}"
        for when in ("before", "after")
    )
    gave_way = f"; gives way to {', '.join(row['displaced_by'])}" if row["displaced_by"] else ""
    return f"{row['outcome']:6} {row['kind']} {row['id']}: {was} → {now}{gave_way}"


def drafts_approve(draft_id: str, as_: Owner, as_json: AsJson = False) -> None:
    """Approve and publish; the next search serves it."""
    _review(draft_id, "approve", as_, as_json)


def drafts_edit(
    draft_id: str,
    as_: Owner,
    file: Annotated[Path, typer.Option(help="Markdown that is approved instead.")],
    as_json: AsJson = False,
) -> None:
    """Approve with a text of your own."""
    try:
        markdown = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"cannot be read: {error}", where=str(file)) from error
    _review(draft_id, "edit", as_, as_json, markdown=markdown)


def drafts_reject(
    draft_id: str,
    as_: Owner,
    reason: Annotated[str, typer.Option(help="Why; it is kept with the draft.")],
    because: Annotated[
        str,
        typer.Option(
            help="not_a_gap, wrong_kind, already_answered, needs_action or evidence_wrong; "
            "it corrects the gap and teaches triage."
        ),
    ] = "",
    value: Annotated[
        str, typer.Option(help="The right kind, the document, or tickets that do not belong.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Reject a draft; its gap is open again."""
    from api.review_desk import make_lesson

    split = because == "evidence_wrong"
    tickets = tuple(key.strip() for key in value.split(",") if key.strip()) if split else ()
    lesson = make_lesson(because, "" if split else value, tickets)
    _review(draft_id, "reject", as_, as_json, reason=reason, lesson=lesson)


def _review(draft_id: str, decision: str, as_: str, as_json: bool, **said: Any) -> None:
    with open_application() as application:
        caller = application.local_caller(as_)
        draft = application.desk.read_draft(draft_id, application.operator)
        answer = application.publishing.review(
            draft_id, decision, caller=caller, draft_hash=draft.draft_hash, **said
        )
    if as_json:
        print_json(answer)
        return
    print_line(f"{draft_id}: {answer['state']}")
    if "version" in answer:
        print_line(f"{answer['document_id']} version {answer['version']} is served now")


def drafts_rollback(
    draft_id: str,
    as_: Owner,
    reason: Annotated[str, typer.Option(help="Why.")] = "rolled back",
    as_json: AsJson = False,
) -> None:
    """Take a published draft back."""
    with open_application() as application:
        caller = application.local_caller(as_)
        answer = application.publishing.rollback_draft(draft_id, caller, reason)
    if as_json:
        print_json(answer)
        return
    print_line(f"{answer['document_id']}: {answer['served']} is served now")
