"""Thunderbird support, replayed on the product: gaps and drafts of a year, and retrieval.

    python bench/thunderbird.py --data DIR [--work DIR] [--json FILE]

DIR holds `sumo_thunderbird_dev`, which is not part of this repository (bench/README.md).
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from thunderbird_data import find_data
from thunderbird_replay import replay_year
from thunderbird_retrieval import measure_retrieval
from thunderbird_service import CommandError

PARTS = ("retrieval", "replay")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the parts asked for; 0 done, 1 the product failed, 2 no data or wrong usage."""
    options = _parse(arguments)
    data = find_data(options.data)
    if isinstance(data, str):
        print(f"thunderbird: {data}", file=sys.stderr)
        return 2
    if options.work is not None:
        return _run(options, data, options.work)
    with tempfile.TemporaryDirectory(prefix="kb-thunderbird-") as work:
        return _run(options, data, Path(work))


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="thunderbird", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", type=Path, help="folder that holds sumo_thunderbird_dev")
    parser.add_argument("--work", type=Path, help="kept for reading; else a temporary folder")
    parser.add_argument("--json", type=Path, help="write all figures here")
    parser.add_argument("--only", choices=PARTS, help="one part instead of both")
    parser.add_argument("--in-process", action="store_true", help="ask without HTTP")
    parser.add_argument("--limit", type=int, help="only so many questions, to try it out")
    return parser.parse_args(arguments)


def _run(options: argparse.Namespace, data: Path, work: Path) -> int:
    work = work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    figures: dict[str, Any] = {}
    try:
        if options.only != "replay":
            figures["retrieval"] = measure_retrieval(
                data, work, in_process=options.in_process, limit=options.limit
            )
            _print_retrieval(figures["retrieval"])
        if options.only != "retrieval":
            figures["replay"] = replay_year(data, work)
            _print_replay(figures["replay"])
    except CommandError as error:
        print(f"thunderbird: {error}", file=sys.stderr)
        return 1
    finally:
        if options.json is not None:
            options.json.write_text(json.dumps(figures, indent=2, ensure_ascii=False) + "\n")
    return 0


def _print_retrieval(figures: dict[str, Any]) -> None:
    print(f"retrieval, {figures['asked']}: {figures['articles']} articles")
    for name, scored in figures.items():
        if not isinstance(scored, dict) or "questions" not in scored:
            continue
        measures = [
            f"{key} {value['mean']:.3f} [{value['interval'][0]:.3f} {value['interval'][1]:.3f}]"
            for key, value in scored.items()
            if key != "questions"
        ]
        print(f"  {name}, {scored['questions']} questions: {', '.join(measures)}")
    took = figures["milliseconds"]
    print(f"  {took['median']} ms a question, 95th percentile {took['p95']} ms")


def _print_replay(figures: dict[str, Any]) -> None:
    read = figures["tickets"]
    print(
        f"replay: {figures['articles']} articles, {read['read']} tickets read, "
        f"{read['unresolved']} unresolved, {read['uncovered']} uncovered; "
        f"{figures['gaps']} gaps {figures['kinds']}"
    )
    for gap in figures["strongest"]:
        print(
            f"  {gap['priority']:8.1f}  {gap['kind']:<12} {gap['tickets']:4} tickets  "
            f"{gap['title']}  ({', '.join(gap['terms'][:6])})"
        )
    for draft in figures["drafts"]:
        outcome = draft.get("failed") or draft["refused"] or f"{draft['statements']} statements"
        print(f"  draft for {draft['gap_id']}: {outcome}")


if __name__ == "__main__":
    sys.exit(main())
