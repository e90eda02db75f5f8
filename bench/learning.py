"""What learning from solved tickets is worth: fitted once, by number of tickets, week by week.

    python bench/learning.py --data DIR [--work DIR] [--json FILE] [--plot FILE]

DIR holds `sumo_thunderbird_dev`, which is not part of this repository (bench/README.md).
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from learning_bench import Desk, remember_candidates
from learning_curve import measure_curve
from learning_data import read_forum
from learning_once import measure_once
from learning_plot import write_plot
from learning_weekly import measure_weekly
from thunderbird_data import find_data
from thunderbird_service import CommandError

PARTS = ("once", "curve", "weekly")
AFTER_ALL = "2025-01-01"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the parts asked for; 0 done, 1 the product failed, 2 no data or wrong usage."""
    options = _parse(arguments)
    data = find_data(options.data)
    if isinstance(data, str):
        print(f"learning: {data}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="kb-learning-") as temporary:
        work = (options.work or Path(temporary)).resolve()
        work.mkdir(parents=True, exist_ok=True)
        with remember_candidates():
            return _run(options, data, work)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="learning", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", type=Path, help="folder that holds sumo_thunderbird_dev")
    parser.add_argument("--work", type=Path, help="kept; a second run embeds nothing twice")
    parser.add_argument("--json", type=Path, help="write all figures here")
    parser.add_argument("--plot", type=Path, help="write the weekly replay's SVG here")
    parser.add_argument("--only", choices=PARTS, help="one part instead of all")
    parser.add_argument(
        "--every", type=int, default=1, metavar="N", help="learn every N weeks, to try it out"
    )
    parser.add_argument("--in-process", action="store_true", help="ask without HTTP")
    return parser.parse_args(arguments)


def _run(options: argparse.Namespace, data: Path, work: Path) -> int:
    figures: dict[str, Any] = {"seconds": {}}
    started = time.perf_counter()

    def keep(name: str, found: dict[str, Any]) -> None:
        figures[name] = found
        figures["seconds"][name] = round(time.perf_counter() - started, 1)

    wanted = [options.only] if options.only else list(PARTS)
    try:
        forum = read_forum(data)
        desk = Desk(forum, work)
        desk.embed_ahead(forum.read_solved(AFTER_ALL, "with routine"))
        keep("prepared", {"articles": len(forum.articles), "questions": len(forum.late)})
        if "once" in wanted:
            keep("once", measure_once(desk, in_process=options.in_process))
            _print_once(figures["once"])
        if "curve" in wanted:
            keep("curve", measure_curve(desk))
            _print_curve(figures["curve"])
        if "weekly" in wanted:
            keep("weekly", measure_weekly(desk, options.every))
            _print_weekly(figures["weekly"])
            if options.plot is not None:
                write_plot(figures["weekly"], options.plot)
    except CommandError as error:
        print(f"learning: {error}", file=sys.stderr)
        return 1
    finally:
        if options.json is not None:
            options.json.write_text(json.dumps(figures, indent=2, ensure_ascii=False) + "\n")
    print(f"seconds since the start: {figures['seconds']}")
    return 0


def _print_once(figures: Mapping[str, Any]) -> None:
    train = figures["train"]
    print(
        f"once, {figures['asked']}: {train['tickets']} tickets on {train['articles_with_ticket']} "
        f"of {train['articles']} articles; learning took {figures['seconds']['learn']} s"
    )
    print(f"  unlearned, all {_show(figures['unlearned_all'])}")
    for name in ("all", "with_ticket", "without_ticket"):
        print(f"  {name}: {_show_compared(figures[name])}")
    print(f"  gate: {_show_gate(figures['gate'])}")
    for name, row in figures["variants"].items():
        print(f"  links {name}, {row['tickets']} tickets: {_show_compared(row)}")
        print(f"    gate: {_show_gate(row['gate'])}")


def _print_curve(figures: Mapping[str, Any]) -> None:
    print(f"curve: unlearned {_show(figures['unlearned'])}")
    for row in figures["sizes"]:
        print(
            f"  {row['tickets']:4} tickets: mean {row['mean']:.3f}, least {row['min']:.3f}, "
            f"let serve in {row['served']:.0%} of {len(row['runs'])}"
        )


def _print_weekly(figures: Mapping[str, Any]) -> None:
    http = figures["http"]
    print(f"weekly, {len(figures['weeks'])} weeks, let through in {figures['let_through']}")
    print(f"  learned once:   {_show_compared(figures['frozen'])}")
    print(f"  learned weekly: {_show_compared(figures['weekly'])}")
    print(f"  weekly minus once: {_show(figures['weekly_minus_frozen'])}")
    print(f"  {http['monday']} over HTTP: {http['same']} of {http['questions']} rankings the same")


def _show_compared(row: Mapping[str, Any]) -> str:
    return (
        f"learned {_show(row['learned'])}, unlearned {_show(row['unlearned'])}, "
        f"difference {_show(row['difference'])}"
    )


def _show(measured: Mapping[str, Any]) -> str:
    low, high = measured["interval"]
    return f"{measured['ndcg']:.3f} [{low:.3f} {high:.3f}] on {measured['questions']}"


def _show_gate(gate: Mapping[str, Any]) -> str:
    if gate["refused"]:
        return f"refused: {gate['refused']}"
    return (
        f"held back {gate['questions']}: {gate['unlearned']:.3f} to {gate['learned']:.3f}; "
        f"caution {gate['caution']}, weights {gate['weights']}"
    )


if __name__ == "__main__":
    sys.exit(main())
