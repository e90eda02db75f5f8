"""A sync of an unchanged folder of 5,000 documents: what it writes, embeds and takes.

    python bench/sync_unchanged.py [--documents 5000] [--minilm] [--json FILE]

The documents are written once and synced three times through `kb sync`, as a user would: the
first time all new, then twice unchanged. The hashing encoder stands in for the real one unless
`--minilm` is given, because an unchanged sync must not embed at all; with it the first sync takes
many minutes. Ends 1 when an unchanged sync embedded or wrote anything.
"""

from __future__ import annotations

import argparse
import json
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

KB = Path(sys.executable).with_name("kb")
OUT = Path(__file__).parent / "out" / "sync_unchanged.json"
CONFIG = """\
{encoder}
[[owners]]
name = "ana"

[[sources]]
name = "help"
kind = "markdown"
location = "articles"
authority = "help_article"
audience = "public"
owner = "ana"
"""
WORDS = (
    "account address app battery billing boiler button cable calendar card charge client code "
    "connection customer date delivery device display door email energy error firmware filter "
    "heating home hub invoice key light line link meter minute mobile month network notice number "
    "order page password payment phone power price profile refund report reset room router sensor "
    "service setting signal start step switch system team temperature ticket time update user "
    "valve version warranty water week window wire year zone"
).split()


def write_documents(folder: Path, count: int) -> None:
    """Articles of three to six sections, of some 150 to 400 words, all different."""
    generator = random.Random(20_261_121)
    for number in range(count):
        path = folder / f"area-{number % 50:02}" / f"article-{number:05}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        parts = [
            f"## {' '.join(generator.sample(WORDS, 3)).capitalize()}\n\n"
            f"{' '.join(generator.choices(WORDS, k=generator.randint(50, 65))).capitalize()}."
            for _ in range(generator.randint(3, 6))
        ]
        title = f"{' '.join(generator.sample(WORDS, 4)).capitalize()} {number}"
        body = "\n\n".join(parts)
        path.write_text(f"---\ntitle: {title}\n---\n\n{body}\n", encoding="utf-8")


def run_sync(config: Path) -> dict[str, Any]:
    """`kb sync`, its report, and the wall seconds of the whole command."""
    started = time.perf_counter()
    done = subprocess.run(
        [KB, "sync", "--json", "--config", str(config)], capture_output=True, text=True, check=False
    )
    seconds = time.perf_counter() - started
    if done.returncode != 0:
        raise SystemExit(f"sync_unchanged: kb sync ended {done.returncode}: {done.stderr.strip()}")
    report = json.loads(done.stdout)["sources"][0]
    kept = ("listed", "new", "changed", "metadata_only", "deleted", "unchanged", "embedded")
    return {key: report[key] for key in kept} | {
        "sync_seconds": report["seconds"],
        "command_seconds": round(seconds, 2),
    }


def count_rows(folder: Path) -> dict[str, int]:
    with closing(sqlite3.connect(folder / ".kb" / "kb.db")) as connection:
        return {
            table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("documents", "versions", "chunks", "embeddings", "audit", "generations")
        }


def measure(folder: Path, documents: int, encoder: str) -> dict[str, Any]:
    folder.mkdir(parents=True)
    config = folder / "kb.toml"
    config.write_text(CONFIG.format(encoder=encoder), encoding="utf-8")
    write_documents(folder / "articles", documents)
    first = run_sync(config)
    print(f"first: {json.dumps(first)}", flush=True)
    before = count_rows(folder)
    again = [run_sync(config), run_sync(config)]
    for report in again:
        print(f"unchanged: {json.dumps(report)}", flush=True)
    after = count_rows(folder)
    idle = before == after and all(r["embedded"] == r["new"] == r["changed"] == 0 for r in again)
    return {
        "documents": documents, "first": first, "unchanged": again, "rows": after,
        "new_versions": after["versions"] - before["versions"], "wrote_nothing": idle,
    }  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="sync_unchanged", description=__doc__.split("\n")[0])
    parser.add_argument("--documents", type=int, default=5_000)
    parser.add_argument("--minilm", action="store_true", help="also with the real encoder")
    parser.add_argument("--json", type=Path, default=OUT)
    options = parser.parse_args(arguments)
    encoders = {"hashing": '[encoder]\nkind = "hashing"\n'}
    if options.minilm:
        encoders["minilm"] = ""
    report = {}
    with tempfile.TemporaryDirectory(prefix="kb-sync-") as folder:
        for name, section in encoders.items():
            print(f"{name}, {options.documents} documents", flush=True)
            report[name] = measure(Path(folder) / name, options.documents, section)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return 0 if all(found["wrote_nothing"] for found in report.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
