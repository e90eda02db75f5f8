"""A policy changed and another page still states the old figure: does the check flag that page?

Two samples read by hand, both of `handbook_18f`: a page's earlier statement left standing on
another page beside the changed one (labels of `hierarchy_labels.csv`), and statements that other
pages really made on the day of the change (`freshness_pages.csv`). Each pair is an article
and a policy of one knowledge base, checked through the product.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import hashlib
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hierarchy_data import half_of, read_pages, read_pairs, tidy

from api.wiring import Application
from kb.clock import FixedClock
from kb.metrics import wilson_interval
from kb.statements import split_sentences

NOW = datetime(2025, 3, 1, 6, tzinfo=UTC)
LABELS = Path(__file__).with_name("freshness_pages.csv")
FOLDER = "handbook_18f"
CONFIG = """\
[[owners]]
name = "tts"
topics = []

[[sources]]
name = "policies"
kind = "markdown"
location = "policies"
authority = "policy"
audience = "public"
owner = "tts"

[[sources]]
name = "pages"
kind = "markdown"
location = "pages"
authority = "help_article"
audience = "public"
owner = "tts"

[gaps]
default_owner = "tts"
"""


@dataclass(frozen=True, slots=True)
class Case:
    """A policy's new statement and what another page says."""

    policy_title: str
    policy: str
    page_title: str
    page: str
    outdated: bool
    kind: str
    half: str


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--show", action="store_true", help="Print what was judged wrongly.")
    arguments = parser.parse_args()
    if arguments.data is None or not (arguments.data / FOLDER / "versions.jsonl.gz").is_file():
        print("name the folder that holds handbook_18f with --data DIR", file=sys.stderr)
        return 2
    found: dict[str, Any] = {}
    for name, cases in (
        ("left standing", read_left_standing(arguments.data)),
        ("other pages", read_other_pages(arguments.data)),
    ):
        flagged = check(cases)
        found[name] = summarise(cases, flagged)
        if arguments.show:
            for case, flag in zip(cases, flagged, strict=True):
                if flag != case.outdated:
                    print(f"{name}: {'false' if flag else 'missed'} {case}", file=sys.stderr)
    print(json.dumps(found, indent=1))
    return 0


def read_left_standing(data: Path) -> list[Case]:
    """Labelled pairs of the handbook: the earlier statement as another page's, by its labels."""
    pairs = [p for p in read_pairs(read_pages(data)) if p.before.doc_id.startswith("18f:")]
    return [
        Case(
            p.after.title, p.new, p.before.title, p.old, p.verdict == "conflict", p.kind, p.half
        )
        for p in pairs
        if p.verdict != "unclear"
    ]  # fmt: skip


def read_other_pages(data: Path) -> list[Case]:
    """What other pages said on the day of a change, found again by the labels' hashes."""
    changes = {
        (_hash(row["old"]), _hash(row["new"])): row
        for row in _lines(data / FOLDER / "fact_changes.jsonl.gz")
    }
    pages = {
        (row["doc_id"], row["date"]): row for row in _lines(data / FOLDER / "versions.jsonl.gz")
    }
    cases = []
    with LABELS.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            if row["verdict"] == "unclear":
                continue
            other = pages[row["other_page"], row["other_date"]]
            statement = next(
                s.text
                for s in split_sentences(tidy(other["text"]))
                if _hash(s.text) == row["statement_hash"]
            )
            change = changes[row["old_hash"], row["new_hash"]]
            title = next(t["title"] for (key, _), t in pages.items() if key == row["changed_page"])
            cases.append(
                Case(
                    title or "Handbook", change["new"], other["title"] or "Handbook", statement,
                    row["verdict"] == "still says it", "", half_of(row["changed_page"]),
                )
            )  # fmt: skip
    return cases


def check(cases: Sequence[Case]) -> list[bool]:
    """Whether each case's page is flagged because of its policy."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "kb.toml").write_text(CONFIG, encoding="utf-8")
        for number, case in enumerate(cases):
            _write(folder / "policies" / f"policy-{number}.md", case.policy_title, case.policy)
            _write(folder / "pages" / f"page-{number}.md", case.page_title, case.page)
        application = Application.open(folder / "kb.toml", FixedClock(NOW))
        try:
            list(application.sync_sources())
            report = application.weekly.check_freshness()
        finally:
            application.close()
    said = {d["document_id"]: d for d in report["documents"]}
    return [
        any(
            r["signal"] == "conflict" and f"policy-{number}" in r["evidence"]
            for r in said[f"page-{number}"]["reasons"]
        )
        and said[f"page-{number}"]["probability"] >= 0.5
        for number in range(len(cases))
    ]


def summarise(cases: Sequence[Case], flagged: Sequence[bool]) -> dict[str, Any]:
    """Recall and precision with 95% Wilson intervals, whole and by half and kind."""
    found = {"all": _figures(cases, flagged)}
    for half in ("tune", "check"):
        places = [n for n, case in enumerate(cases) if case.half == half]
        found[half] = _figures([cases[n] for n in places], [flagged[n] for n in places])
    for kind in sorted({case.kind for case in cases if case.kind}):
        places = [n for n, case in enumerate(cases) if case.kind in (kind, "")]
        found[f"of kind {kind}"] = _figures(
            [cases[n] for n in places], [flagged[n] for n in places]
        )
    return found


def _figures(cases: Sequence[Case], flagged: Sequence[bool]) -> dict[str, Any]:
    hits = sum(flag and case.outdated for case, flag in zip(cases, flagged, strict=True))
    outdated, raised = sum(case.outdated for case in cases), sum(flagged)
    return {
        "read": len(cases),
        "outdated": outdated,
        "flagged": raised,
        "recall": _share(hits, outdated),
        "precision": _share(hits, raised),
    }


def _share(part: int, whole: int) -> list[float] | None:
    if not whole:
        return None
    low, high = wilson_interval(part, whole)
    return [round(part / whole, 3), round(low, 3), round(high, 3)]


def _write(path: Path, title: str, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(
        f"---\ntitle: {json.dumps(' '.join(title.split()))}\n---\n\n{text}\n", encoding="utf-8"
    )


def _hash(text: str) -> str:
    return hashlib.sha256(" ".join(text.split()).encode()).hexdigest()[:10]


def _lines(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


if __name__ == "__main__":
    sys.exit(main())
