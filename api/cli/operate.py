"""Commands that keep the service running: drives, keys, audit, backup, serve, demo."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from api.cli.session import open_application, print_json, print_line, print_table
from kb.types import Audience, Role

AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]


def add_commands(app: typer.Typer) -> None:
    drive = typer.Typer(help="The weekly cycle.", no_args_is_help=True)
    drive.command("run")(drive_run)
    drive.command("show")(drive_show)
    app.add_typer(drive, name="drive")
    keys = typer.Typer(help="API keys.", no_args_is_help=True)
    keys.command("create")(keys_create)
    keys.command("list")(keys_list)
    keys.command("revoke")(keys_revoke)
    app.add_typer(keys, name="keys")
    audit = typer.Typer(help="The hash-chained audit log.", no_args_is_help=True)
    audit.command("verify")(audit_verify)
    audit.callback()(lambda: None)
    app.add_typer(audit, name="audit")
    app.command()(backup)
    app.command()(restore)
    app.command()(doctor)
    app.command()(prepare)
    app.command()(serve)
    app.command()(mcp)
    app.command()(demo)


def drive_run(as_json: AsJson = False) -> None:
    """Run this week's Drive, or show it if it ran."""
    from api.jobs import run_job

    with open_application() as application:
        run = run_job(application, "drive")
    report = run.report or {}
    if as_json:
        print_json(report)
        return
    _print_drive(report)


def drive_show(
    period: Annotated[str | None, typer.Argument(help="2026-W45; the last if left out.")] = None,
    as_json: AsJson = False,
) -> None:
    """What a week's Drive found and changed."""
    with open_application() as application:
        report = application.weekly.read_drive(period)
    if as_json:
        print_json(report)
        return
    _print_drive(report)


def _print_drive(report: dict[str, Any]) -> None:
    for key, value in report.items():
        shown = f"{len(value)} entries" if isinstance(value, list) else value
        print_line(f"{key}: {shown}")


def keys_create(
    role: Annotated[Role, typer.Option()],
    audience: Annotated[Audience, typer.Option()],
    owner: Annotated[str | None, typer.Option(help="Whose key it is; needed for owners.")] = None,
    expires: Annotated[str | None, typer.Option(help="Instant it ends.")] = None,
    per_minute: Annotated[
        int | None,
        typer.Option("--per-minute", help="Calls a minute of each kind; kb.toml's if left out."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a key; it is shown this once."""
    from api.keys import create_key
    from kb.clock import parse_instant

    with open_application() as application:
        if owner is not None:
            application.find_owner(owner)
        with application.database.write() as connection:
            key_id, key = create_key(
                connection,
                role=role,
                audience=audience,
                owner=owner,
                now=application.clock.now(),
                expires_at=parse_instant(expires, where="--expires") if expires else None,
                per_minute=per_minute,
                actor="cli",
            )
    if as_json:
        print_json({"key_id": key_id, "key": key})
        return
    print_line(f"{key_id}: {key}\nkeep it now, it is not shown again")


def keys_list(as_json: AsJson = False) -> None:
    """All keys, without their secrets."""
    from api.keys import read_keys

    with open_application() as application, application.database.read() as connection:
        found = read_keys(connection)
    if as_json:
        print_json({"keys": found})
        return
    print_table(
        ["key", "role", "audience", "owner", "last used", "state"],
        [
            [
                row["id"],
                row["role"],
                row["audience"],
                row["owner"] or "",
                f"{row['last_used_at']:%Y-%m-%d %H:%M}" if row["last_used_at"] else "never",
                "revoked" if row["revoked_at"] else "in use",
            ]
            for row in found
        ],
    )


def keys_revoke(key_id: str) -> None:
    """End a key; its next request is refused."""
    from api.keys import revoke_key

    with open_application() as application, application.database.write() as connection:
        revoke_key(connection, key_id, now=application.clock.now(), actor="cli")
    print_line(f"revoked {key_id}")


def audit_verify(as_json: AsJson = False) -> None:
    """Recompute the chain; keep the printed head elsewhere to notice a cut-off end."""
    from kb.audit import verify_chain

    with open_application() as application, application.database.read() as connection:
        count, head = verify_chain(connection)
    if as_json:
        print_json({"entries": count, "head": head})
        return
    print_line(f"{count} entries, unbroken; head {head}")


def backup(file: Path) -> None:
    """Copy the database, consistent while the service runs; the index is rebuilt from it."""
    from api.backup import write_backup

    with open_application() as application:
        size = write_backup(application, file)
    print_line(f"wrote {file} ({size / 1e6:.1f} MB)")


def restore(file: Path) -> None:
    """Put a backup in the place of the database; the one replaced is kept beside it."""
    from api.backup import restore_backup

    with open_application() as application:
        kept = restore_backup(application, file)
    print_line(f"restored {file}" + (f"; the former database is {kept}" if kept else ""))
    with open_application() as application:
        application.refresh_index(actor="restore")


def doctor(as_json: AsJson = False) -> None:
    """Look the installation over and say what an operator should know."""
    from api.doctor import examine

    with open_application() as application:
        findings = examine(application)
    if as_json:
        print_json({"findings": findings})
    else:
        for finding in findings:
            print_line(f"{finding['verdict']:5} {finding['name']}: {finding['detail']}")
    if any(finding["verdict"] == "red" for finding in findings):
        sys.exit(1)


def prepare() -> None:
    """Build what the encoder needs, so that the first start is quick; needs no kb.toml."""
    from api.settings.environment import Environment
    from kb.encoding.prepared import PreparedModels

    choice = PreparedModels(Environment().find_model_cache()).choose_anew()
    print_line(f"encoder: {choice.describe()}")


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535)] = 8000,
    schedule: Annotated[bool, typer.Option(help="Run the weekly and daily jobs.")] = True,
) -> None:
    """Serve the API, the review page and the schedule."""
    from api.server import run_server

    run_server(host, port, schedule=schedule)


def mcp(
    key_env: Annotated[
        str, typer.Option("--key-env", help="Environment variable that holds the agent's key.")
    ] = "KB_KEY",
) -> None:
    """Serve one agent over the Model Context Protocol on standard input and output."""
    from api.mcp.server import run_stdio
    from api.settings.environment import read_secret

    key = read_secret(key_env)
    with open_application(running_clock=True) as application:
        run_stdio(application, key)


def demo(
    folder: Annotated[Path, typer.Option(help="Where the demo keeps its copy.")] = Path("demo"),
    host: Annotated[str, typer.Option()] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535)] = 8000,
    serve: Annotated[bool, typer.Option(help="Serve at the end.")] = True,
) -> None:
    """Live ten weeks of a made-up company, then serve it."""
    from api.demo import run_demo

    run_demo(folder, host, port, serve=serve)
