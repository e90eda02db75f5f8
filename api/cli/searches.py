"""Commands that look at searches again: what was served, and what would be now."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from api.cli.session import open_application, print_json, print_line

AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]


def add_commands(app: typer.Typer) -> None:
    searches = typer.Typer(help="Searches looked at again.", no_args_is_help=True)
    searches.command("show")(show)
    searches.command("replay")(replay)
    searches.command("forget")(forget)
    app.add_typer(searches, name="searches")


def show(search_id: str, as_json: AsJson = False) -> None:
    """What a search was served, with what, and what came of it."""
    from api.searches import show_search

    with open_application() as application:
        found = show_search(application, search_id, application.operator)
    if as_json:
        print_json(found)
        return
    _print_search(found)
    for outcome in found["outcomes"]:
        print_line(f"outcome: {outcome['outcome']} by {outcome['key_id'] or 'the command line'}")


def replay(search_id: str, as_json: AsJson = False) -> None:
    """Ask a kept question again and say what is different now."""
    from api.searches import replay_search

    with open_application() as application:
        found = replay_search(application, search_id, application.operator)
    if as_json:
        print_json(found)
        return
    _print_search(found["then"])
    difference = found["difference"]
    print_line()
    if difference["same_hits"] and not difference["answer"]:
        print_line("now: the same answer")
        return
    for change in difference["hits"]:
        print_line(f"now: {describe_change(change)}")
    for name, change in difference["answer"].items():
        print_line(f"now: {name} {change['before']} -> {change['after']}")


def forget(
    older_than_days: Annotated[int, typer.Option("--older-than-days", min=1, max=36_500)],
) -> None:
    """Delete searches that are older and that nothing was said of."""
    from datetime import timedelta

    from kb import audit, searchlog

    with open_application() as application, application.database.write() as connection:
        now = application.clock.now()
        before = now - timedelta(days=older_than_days)
        count = searchlog.delete_searches(connection, before=before)
        audit.write_entry(
            connection, at=now, actor="cli", action="searches.forget", subject=before.isoformat(),
            details={"count": count},
        )  # fmt: skip
    print_line(f"forgot {count} searches of before {before:%Y-%m-%d}")


def describe_change(change: dict[str, Any]) -> str:
    """One line about one hit."""
    hit, before, after = change["hit"], change["before"], change["after"]
    if change["kind"] == "new":
        return f"{hit} is new, place {after}"
    if change["kind"] == "gone":
        return f"{hit} is gone, was place {before}"
    if change["kind"] == "moved":
        return f"{hit} moved from place {before} to {after}"
    if change["kind"] == "version_changed":
        return f"{hit} is version {after}, was {before}"
    return f"{hit}: {change['verdict']} {before} -> {after}"


def _print_search(found: dict[str, Any]) -> None:
    verdict = "answerable" if found["answerable"] else "NOT ANSWERABLE"
    print_line(f"{found['search_id']}  {found['at']}  {found['key_id'] or 'command line'}")
    print_line(f"asked as {found['audience']}: {found['query']}")
    print_line(f"{verdict}, confidence {found['confidence']:.2f} ({found['calibration']})")
    print_line(
        f"generation {found['generation']}, encoder {found['encoder']}, "
        f"learned {found['learned_model'] or 'nothing'}, weights {found['weights']}"
    )
    for fault in found["degraded"]:
        print_line(f"degraded: {fault}")
    for place, hit in enumerate(found["hits"], start=1):
        ruled = f", overruled by {hit['overruled_by']}" if hit["overruled_by"] else ""
        print_line(
            f"{place:3}. {hit['document_id']} v{hit['version']}  {hit['score']:.3f}  "
            f"{hit['freshness']}{ruled}"
        )
