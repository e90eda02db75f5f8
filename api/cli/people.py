"""Commands for people: who may sign in to the pages, and as whom."""

from __future__ import annotations

import getpass
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.session import open_application, print_json, print_line, print_table
from kb.types import Role

if TYPE_CHECKING:
    from api.wiring import Application

AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
Ask = Annotated[
    bool,
    typer.Option("--password", help="Ask for a password, or read a line from standard input."),
]
PersonRole = Annotated[Role, typer.Option(help="owner, editor or admin.")]
Owner = Annotated[str | None, typer.Option(help="Whose documents they decide on.")]


def add_commands(app: typer.Typer) -> None:
    people = typer.Typer(help="People who sign in to the pages.", no_args_is_help=True)
    people.command("add")(add)
    people.command("list")(list_people)
    people.command("change")(change)
    people.command("disable")(disable)
    people.command("reset")(reset)
    app.add_typer(people, name="people")


def add(
    name: str,
    role: PersonRole,
    owner: Owner = None,
    password: Ask = False,
    as_json: AsJson = False,
) -> None:
    """Let somebody in: with a password, or with a link under which they choose one."""
    from api.passwords import check_password, hash_password
    from api.people import add_person, normalise_name, reset_person

    with open_application() as application:
        chosen = _check_owner(application, normalise_name(name), role, owner)
        kept = None
        if password:
            said = _read_password()
            check_password(said, name)
            kept = hash_password(said)
        now = application.clock.now()
        with application.database.write() as connection:
            add_person(
                connection, name, role=role, owner=chosen, now=now, actor="cli", password_hash=kept
            )
            token = None if kept else reset_person(connection, name, now=now, actor="cli")
        _print_link(application, normalise_name(name), token, as_json)


def list_people(as_json: AsJson = False) -> None:
    """Everybody who may sign in, and how."""
    from api.people import read_people

    with open_application() as application, application.database.read() as connection:
        found = read_people(connection)
    if as_json:
        print_json({"people": found})
        return
    print_table(
        ["name", "role", "owner", "signs in with", "last signed in", "state"],
        [
            [
                row["name"],
                row["role"],
                row["owner"] or "",
                row["signs_in_with"],
                f"{row['signed_in_at']:%Y-%m-%d %H:%M}" if row["signed_in_at"] else "never",
                "disabled" if row["disabled_at"] else "may sign in",
            ]
            for row in found
        ],
    )


def change(name: str, role: PersonRole, owner: Owner = None) -> None:
    """Give another role or owner; it counts from their next request on."""
    from api.people import change_person, normalise_name

    with open_application() as application:
        chosen = _check_owner(application, normalise_name(name), role, owner)
        with application.database.write() as connection:
            change_person(
                connection, name, role=role, owner=chosen, now=application.clock.now(), actor="cli"
            )
    print_line(f"{name} is {role.value}" + (f" for {chosen}" if chosen else "") + " from now on")


def disable(name: str) -> None:
    """Lock somebody out; their next request is refused."""
    from api.people import disable_person

    with open_application() as application, application.database.write() as connection:
        disable_person(connection, name, now=application.clock.now(), actor="cli")
    print_line(f"disabled {name}")


def reset(name: str, as_json: AsJson = False) -> None:
    """End every session, take the password away and print a link to choose another."""
    from api.people import normalise_name, reset_person

    with open_application() as application:
        with application.database.write() as connection:
            token = reset_person(connection, name, now=application.clock.now(), actor="cli")
        _print_link(application, normalise_name(name), token, as_json)


def _check_owner(application: Application, name: str, role: Role, owner: str | None) -> str | None:
    """The owner somebody acts for; their own name where that is an owner's.

    A name that is another owner's would make the audit log lie, so it is refused.
    """
    from kb.errors import InvalidInputError

    known = [one.name for one in application.settings.owners]
    by_handle = {one.casefold(): one for one in known}
    if owner is None and role is Role.OWNER and name in by_handle:
        owner = by_handle[name]
    if owner is not None:
        application.find_owner(owner)
    if name in by_handle and owner != by_handle[name]:
        raise InvalidInputError(
            f"{name} is an owner in kb.toml: add --owner {by_handle[name]}, or take another name"
        )
    return owner


def _read_password() -> str:
    if sys.stdin.isatty():
        return getpass.getpass("Password: ")
    return sys.stdin.readline().rstrip("\r\n")


def _print_link(application: Application, name: str, token: str | None, as_json: bool) -> None:
    from api.people import SETUP_LIFE

    said: dict[str, Any] = {"name": name}
    if token is not None:
        base = application.settings.sign_in.public_url or "http://127.0.0.1:8000"
        said["link"] = f"{base}/sign-in/setup?token={token}"
        said["hours"] = int(SETUP_LIFE.total_seconds() // 3600)
    if as_json:
        print_json(said)
        return
    print_line(f"{name} may sign in")
    if token is not None:
        print_line(f"they choose a password within {said['hours']} hours, once, at\n{said['link']}")
