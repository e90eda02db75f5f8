"""Commands about what is known: init, sync, articles, index."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from api.cli.session import open_application, print_json, print_line, print_table
from kb.errors import ConflictError, KbError

AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]

STARTER = """\
[hierarchy]
# Strongest first: where two texts disagree, the stronger source wins.
authorities = [
  "policy", "procedure", "manager_instruction", "help_article", "crm_note", "ticket_resolution",
]

[[owners]]
name = "owner"
email = "owner@example.org"
topics = []

[[sources]]
name = "help"
kind = "markdown"
location = "articles"
authority = "help_article"
audience = "public"
owner = "owner"
review_every_days = 180
"""


def add_commands(app: typer.Typer) -> None:
    app.command()(init)
    app.command()(sync)
    index = typer.Typer(help="Sealed generations of the vector index.", no_args_is_help=True)
    index.command("build")(index_build)
    index.command("list")(index_list)
    index.command("activate")(index_activate)
    index.command("verify")(index_verify)
    app.add_typer(index, name="index")
    articles = typer.Typer(help="Articles and their versions.", no_args_is_help=True)
    articles.command("list")(articles_list)
    articles.command("show")(articles_show)
    articles.command("verify")(articles_verify)
    articles.command("rollback")(articles_rollback)
    app.add_typer(articles, name="articles")


def init(
    folder: Annotated[Path, typer.Argument(help="Where kb.toml is written.")] = Path(),
) -> None:
    """Write a kb.toml to start from, with a folder for articles."""
    target = folder / "kb.toml"
    if target.exists():
        raise ConflictError(f"{target} is there already")
    (folder / "articles").mkdir(parents=True, exist_ok=True)
    target.write_text(STARTER, encoding="utf-8")
    print_line(f"wrote {target}; put Markdown files into {folder / 'articles'}, then: kb sync")


def sync(
    source: Annotated[str | None, typer.Option(help="Only this source.")] = None,
    as_json: AsJson = False,
) -> None:
    """Bring the knowledge base up to date with its sources; rebuild the index when due."""
    with open_application() as application:
        reports: list[dict[str, Any]] = []
        for place, report in enumerate(application.sync_sources(source), start=1):
            reports.append(report)
            if not as_json:
                _print_sync(report, place)
        application.refresh_index(actor="sync")
        if as_json:
            print_json({"sources": reports})
    if any("failed" in report for report in reports):
        sys.exit(1)


def _print_sync(report: dict[str, Any], place: int) -> None:
    if "failed" in report:
        sys.stderr.write(f"kb: source {report['name']}: {report['failed']}\n")
        return
    counts = ", ".join(
        f"{report[key]} {key.replace('_', ' ')}"
        for key in ("new", "changed", "metadata_only", "deleted", "unchanged")
        if report[key]
    )
    print_line(
        f"{report['name']}: {report['listed']} listed ({counts or 'nothing'}), "
        f"{report['embedded']} embedded, {report['seconds']:.1f} s"
    )
    for refused in report["refused"]:
        line = f":{refused['line']}" if refused.get("line") else ""
        sys.stderr.write(f"kb: refused {refused['path']}{line}: {refused['reason']}\n")


def index_build() -> None:
    """Seal a generation of everything known and serve it."""
    with open_application() as application:
        print_line(f"built and serving {application.rebuild_index(actor='cli')}")


def index_list(as_json: AsJson = False) -> None:
    """Sealed generations, newest first."""
    from kb.clock import format_instant
    from kb.retrieval.index import read_state

    with open_application() as application:
        found = application.generations.read_all()
        with application.database.read() as connection:
            active = read_state(connection).generation
    rows: list[dict[str, Any]] = [
        {
            "generation": g.generation_id,
            "active": g.generation_id == active,
            "chunks": g.chunk_count,
            "created_at": format_instant(g.created_at),
            "recipe": g.recipe,
        }
        for g in found
    ]
    if as_json:
        print_json({"generations": rows})
        return
    print_table(
        ["generation", "active", "chunks", "created"],
        [
            [r["generation"], "yes" if r["active"] else "", str(r["chunks"]), r["created_at"]]
            for r in rows
        ],
    )


def index_activate(generation: str) -> None:
    """Serve another sealed generation; the way back after a bad build."""
    with open_application() as application:
        application.generations.activate(generation, actor="cli", now=application.clock.now())
    print_line(f"serving {generation}")


def index_verify() -> None:
    """Check the serving generation's files and the index against the database."""
    from ingest.integrity import check_integrity
    from kb.retrieval.index import read_state

    with open_application() as application:
        with application.database.read() as connection:
            active = read_state(connection).generation
        problems = check_integrity(application.database, application.encoder.recipe)
        if active is not None:
            try:
                application.generations.verify(application.generations.read(active))
            except KbError as error:
                problems.append(error.message)
    for problem in problems:
        sys.stderr.write(f"kb: {problem}\n")
    if problems:
        sys.exit(1)
    print_line(f"sound: {active or 'no generation yet, searched exactly'}")


def articles_list(
    source: Annotated[str | None, typer.Option(help="Only this source.")] = None,
    as_json: AsJson = False,
) -> None:
    """What is served, by id."""
    from api.schemas import document_json
    from kb import articles

    with open_application() as application, application.database.read() as connection:
        found = [document_json(d) for d in articles.read_documents(connection, source=source)]
    if as_json:
        print_json({"articles": found})
        return
    print_table(
        ["id", "version", "audience", "owner", "title"],
        [
            [a["document_id"], str(a["version"]), a["audience"], a["owner"], a["title"]]
            for a in found
        ],
    )


def articles_show(document_id: str, as_json: AsJson = False) -> None:
    """An article's text and its versions."""
    from api.schemas import document_json, version_json
    from kb import articles

    with open_application() as application, application.database.read() as connection:
        document = articles.read_document(connection, document_id)
        found = articles.read_versions(connection, document_id)
    if as_json:
        shown = [version_json(version, text=True) for version in found]
        print_json(document_json(document) | {"versions": shown})
        return
    print_line(f"# {document.metadata.title}\n\n{found[0].markdown}\n")
    for version in found:
        print_line(
            f"version {version.version}: {version.created_at:%Y-%m-%d %H:%M} UTC "
            f"by {version.author}, {version.reason}"
        )


def articles_verify(
    document_id: str,
    as_: Annotated[str, typer.Option("--as", help="Owner who confirms it.")],
    reason: Annotated[str, typer.Option(help="How they know.")] = "confirmed as true",
) -> None:
    """Record that a person found the current version true; as `kb freshness verify`."""
    with open_application() as application:
        caller = application.local_caller(as_)
        application.freshness.verify(document_id, caller, reason=reason)
    print_line(f"{document_id} verified by {as_}")


def articles_rollback(
    document_id: str,
    as_: Annotated[str, typer.Option("--as", help="Owner who decides it.")],
    version: Annotated[int | None, typer.Option(help="Version to serve again.")] = None,
    as_json: AsJson = False,
) -> None:
    """Serve an earlier text again, as a new version."""
    with open_application() as application:
        caller = application.local_caller(as_)
        answer = application.publishing.rollback_article(document_id, version, caller)
    print_json(answer) if as_json else print_line(f"{document_id}: {answer['served']}")
