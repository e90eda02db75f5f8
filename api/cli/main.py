"""The `kb` command: options that stand anywhere, exit codes, and the groups of commands."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import typer

from api.cli import actions, content, freshness, gaps, notices, operate, people, retrieve, searches
from api.cli.session import GLOBAL_OPTIONS, set_globals
from kb.errors import KbError

app = typer.Typer(
    name="kb",
    help="Operate a support knowledge base.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for module in (content, retrieve, searches, gaps, freshness, notices, operate, people, actions):
    module.add_commands(app)


@app.callback()
def options(
    config: str = typer.Option("", help="kb.toml to use; the working directory's if left out."),
    now: str = typer.Option("", help="Instant to take as the present (tests, replays)."),
) -> None:
    """Operate a support knowledge base."""
    set_globals(config or None, now or None)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command.

    Exit 0 done, 1 refused or failed with one line on standard error, 2 wrong usage.
    """
    try:
        app(_hoist(list(sys.argv[1:] if arguments is None else arguments)))
    except KbError as error:
        sys.stderr.write(f"kb: {' '.join(error.message.split())}\n")
        sys.exit(1)
    except BrokenPipeError:
        sys.exit(1)


def _hoist(arguments: list[str]) -> list[str]:
    """Let `--config` and `--now` stand after the command, where people write them."""
    front: list[str] = []
    rest: list[str] = []
    place = 0
    while place < len(arguments):
        argument = arguments[place]
        if argument == "--":
            rest.extend(arguments[place:])
            break
        if argument in GLOBAL_OPTIONS and place + 1 < len(arguments):
            front.extend(arguments[place : place + 2])
            place += 2
            continue
        if argument.partition("=")[0] in GLOBAL_OPTIONS and "=" in argument:
            front.append(argument)
        else:
            rest.append(argument)
        place += 1
    return front + rest


if __name__ == "__main__":
    main()
