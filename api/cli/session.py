"""What every command shares: the application it works on, and how it speaks."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kb.clock import FixedClock, StartedClock, SystemClock, parse_instant

if TYPE_CHECKING:
    from api.wiring import Application
    from kb.ports import Clock

GLOBAL_OPTIONS = ("--config", "--now")
_globals: dict[str, str | None] = {"config": None, "now": None}


def set_globals(config: str | None, now: str | None) -> None:
    _globals["config"], _globals["now"] = config, now


def make_clock(*, running: bool = False) -> Clock:
    """The clock `--now` asks for; a running one goes on from there, for a server."""
    text = _globals["now"]
    if text is None:
        return SystemClock()
    instant = parse_instant(text, where="--now")
    return StartedClock(instant) if running else FixedClock(instant)


@contextmanager
def open_application(*, running_clock: bool = False) -> Iterator[Application]:
    """The application of the configuration in force, closed at the end."""
    from api.wiring import Application

    config = _globals["config"]
    application = Application.open(
        Path(config) if config else None, make_clock(running=running_clock)
    )
    try:
        yield application
    finally:
        application.close()


def config_path() -> Path:
    from api.settings.reading import find_config

    config = _globals["config"]
    return find_config(Path(config) if config else None)


def print_json(answer: Any) -> None:
    sys.stdout.write(json.dumps(answer, indent=2, ensure_ascii=False, default=str) + "\n")


def print_line(text: str = "") -> None:
    sys.stdout.write(text + "\n")


def print_table(columns: list[str], rows: list[list[str]]) -> None:
    """Rows as a table on a terminal, as tab-separated lines otherwise."""
    if not sys.stdout.isatty():
        for row in [columns, *rows]:
            print_line("\t".join(row))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(*columns, box=None, header_style="bold")
    for row in rows:
        table.add_row(*row)
    Console().print(table)


@contextmanager
def show_progress(what: str, *, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on a terminal; a line each tenth on a plain log; nothing with `--json`."""
    if quiet:
        yield lambda _done, _total: None
        return
    if not sys.stderr.isatty():
        yield _log_tenths(what)
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def _log_tenths(what: str) -> Callable[[int, int], None]:
    last = -1

    def report(done: int, total: int) -> None:
        nonlocal last
        tenth = 10 * done // total if total else 10
        if tenth > last:
            last = tenth
            sys.stderr.write(f"{what}: {done}/{total}\n")

    return report
