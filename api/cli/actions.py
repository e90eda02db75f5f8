"""Commands for the action table: what kbops may do by itself, and who decided that."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from api.cli.session import open_application, print_json, print_line, print_table

AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
Kind = Annotated[str, typer.Option(help="new_article, smallest_edit or reverification.")]
Owner = Annotated[str, typer.Option(help="Whose drafts.")]
Reason = Annotated[str, typer.Option(help="Why; it goes into the audit log.")]


def add_commands(app: typer.Typer) -> None:
    actions = typer.Typer(help="What kbops may do by itself.", no_args_is_help=True)
    actions.command("show")(show)
    actions.command("raise")(raise_dial)
    actions.command("withdraw")(withdraw)
    app.add_typer(actions, name="actions")


def show(as_json: AsJson = False) -> None:
    """Every action's dial, every owner's record, and what is missing."""
    with open_application() as application:
        said = application.autonomy.show(application.operator)
    if as_json:
        print_json(said)
        return
    for row in said["actions"]:
        print_line(f"{row['action']}: {row['dial']}")
    print_table(
        ["owner", "kind", "now", "in a row", "missing"],
        [
            [
                row["owner"],
                row["kind"],
                row["now"],
                f"{row['approvals_in_a_row']} of {row['approvals_needed']}",
                _explain(row),
            ]
            for row in said["rows"]
        ],
    )


def raise_dial(owner: Owner, kind: Kind, reason: Reason) -> None:
    """Let a kind of change go out by itself for an owner; only what is earned can be raised."""
    with open_application() as application:
        record = next(
            (
                row.record.digest
                for row in application.autonomy.read_standings(owner)
                if row.kind.value == kind
            ),
            "",
        )
        rule = application.autonomy.raise_dial(
            owner, kind, record=record, reason=reason, caller=application.operator
        )
    print_line(f"raised {rule.kind.value} for {owner} ({rule.rule_id})")


def withdraw(owner: Owner, kind: Kind, reason: Reason) -> None:
    """Let a person approve each again, from the next draft on."""
    with open_application() as application:
        rule = application.autonomy.withdraw_dial(
            owner, kind, reason=reason, caller=application.operator
        )
    print_line(f"withdrew {rule.kind.value} for {owner} ({rule.rule_id})")


def _explain(row: dict[str, Any]) -> str:
    if row["rule"] and row["rule"]["fell_by"]:
        fell = row["rule"]["fell_by"]
        return f"fell back: {fell['draft_id']} was {fell['event'].replace('_', ' ')}"
    return "; ".join(row["missing"])
