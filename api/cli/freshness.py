"""Commands for what is no longer true: judge, look at one article, confirm it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from api.cli.session import open_application, print_json, print_line, print_table

AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]


def add_commands(app: typer.Typer) -> None:
    freshness = typer.Typer(help="What is no longer true.", no_args_is_help=True)
    freshness.command("check")(check)
    freshness.command("show")(show)
    freshness.command("verify")(verify)
    app.add_typer(freshness, name="freshness")


def check(as_json: AsJson = False) -> None:
    """A verdict on every published version, most damaging first."""
    with open_application() as application:
        report = application.weekly.check_freshness()
    if as_json:
        print_json(report)
        return
    print_table(
        ["document", "verdict", "probability", "damage", "why"],
        [
            [
                row["document_id"],
                row["verdict"],
                f"{row['probability']:.2f}",
                f"{row['damage']:.2f}",
                "; ".join(reason["text"] for reason in row["reasons"])[:100],
            ]
            for row in report["documents"]
            if row["verdict"] != "fresh"
        ],
    )
    done = report["reverified"]
    if done["confirmed"]:
        print_line(f"confirmed without a look: {', '.join(done['confirmed'])}")
    if done["proposed"]:
        print_line(f"ready to be confirmed: {', '.join(done['proposed'])}")


def show(document_id: str, as_json: AsJson = False) -> None:
    """An article's verdict with its reasons, and what was judged of it before."""
    with open_application() as application:
        said = application.freshness.show_entry(document_id, application.operator)
    if as_json:
        print_json(said)
        return
    _print_verdict(said)
    if said["draft_id"]:
        print_line(f"draft: {said['draft_id']}")
    elif said["gap_id"]:
        print_line(f"gap: {said['gap_id']}; kb drafts create {said['gap_id']} writes an edit")
    print_table(
        ["at", "version", "verdict", "probability"],
        [
            [row["at"], str(row["version"]), row["verdict"], f"{row['probability']:.2f}"]
            for row in said["history"]
        ],
    )


def _print_verdict(said: dict[str, Any]) -> None:
    print_line(
        f"{said['document_id']} v{said['version']}: {said['verdict']}, "
        f"probability {said['probability']:.2f}, damage {said['damage']:.2f} a week"
    )
    for reason in said["reasons"]:
        evidence = f" [{', '.join(reason['evidence'][:5])}]" if reason["evidence"] else ""
        print_line(f"  {reason['weight']:.2f} {reason['text']}{evidence}")
    print_line(
        f"owner {said['owner']}, confirmed {said['last_verified_at'] or 'never'}"
        f"{' by ' + said['verified_by'] if said['verified_by'] else ''}"
    )


def verify(
    document_id: str,
    as_: Annotated[str, typer.Option("--as", help="Owner who confirms it.")],
    reason: Annotated[str, typer.Option(help="How they know; it goes into the audit log.")],
    days: Annotated[
        int | None, typer.Option("--every-days", help="For how long it holds; as before if not.")
    ] = None,
    version: Annotated[
        int | None, typer.Option(help="The version that was read; refused if another is served.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Record that a person found the served text true."""
    from api.schemas import document_json

    with open_application() as application:
        document = application.freshness.verify(
            document_id, application.local_caller(as_), reason=reason, interval_days=days,
            version=version,
        )  # fmt: skip
    if as_json:
        print_json(document_json(document))
        return
    print_line(f"{document_id} version {document.version} confirmed by {as_}")
