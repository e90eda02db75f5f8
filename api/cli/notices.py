"""Commands about links and notices."""

from __future__ import annotations

from typing import Annotated

import typer

from api.cli.session import open_application, print_json, print_line, print_table

AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]


def add_commands(app: typer.Typer) -> None:
    links = typer.Typer(help="Where articles point.", no_args_is_help=True)
    links.command("check")(links_check)
    links.callback()(lambda: None)
    app.add_typer(links, name="links")
    notices = typer.Typer(help="What owners are told.", no_args_is_help=True)
    notices.command("send")(notices_send)
    notices.command("list")(notices_list)
    app.add_typer(notices, name="notices")


def links_check(as_json: AsJson = False) -> None:
    """Look behind the links of every published article."""
    with open_application() as application:
        report = application.weekly.check_links()
        enabled = application.settings.links.enabled
    if as_json:
        print_json(report)
        return
    found = report["found"]
    assert isinstance(found, list)
    print_table(
        ["verdict", "article", "link", "status", "target"],
        [
            [row["verdict"], row["document_id"], row["url"], str(row["status_code"] or ""),
             row["target"] or ""]
            for row in found
        ],
    )  # fmt: skip
    print_line(f"{report['links']} links; {report['asked']} asked, {report['cached']} known")
    if report["skipped"] and not enabled:
        print_line(f"{report['skipped']} lead elsewhere; [links] enabled = true asks for them")


def notices_send(
    again: Annotated[
        bool, typer.Option("--again", help="Try those that were given up once more.")
    ] = False,
    digest: Annotated[
        bool, typer.Option("--write", help="First write this week's digests and reminders.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Send what waits; for cron, where no schedule runs."""
    from api.jobs import run_job

    with open_application() as application:
        if digest:
            run_job(application, "digest")
            run_job(application, "reminders")
        report = application.notices.send(again=again)
    if as_json:
        print_json(report)
        return
    print_line(f"sent {len(report['sent'])}, failed {len(report['failed'])}")
    for failure in report["failed"]:
        print_line(f"{failure['id']}: {failure['error']}")
    if not report["channels"]:
        print_line("no way to send is set up: see [notices] in kb.toml")


def notices_list(
    unsent: Annotated[bool, typer.Option("--unsent", help="Only what is not sent.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 100,
    as_json: AsJson = False,
) -> None:
    """Notices, newest first, with what became of them."""
    with open_application() as application:
        found = application.notices.list_notices(unsent_only=unsent, limit=limit)
    if as_json:
        print_json({"notices": found})
        return
    print_table(
        ["created", "status", "to", "subject", "tries", "why not"],
        [
            [row["created_at"], row["status"], row["recipient"], row["subject"],
             str(row["attempts"]), row["last_error"] or ""]
            for row in found
        ],
    )  # fmt: skip
