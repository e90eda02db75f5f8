"""The figures of a run as Markdown tables."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

CALLERS = ("1", "8", "32")


def format_tables(figures: dict[str, Any]) -> str:
    """Quality, then cost, then what was not measured or failed and why."""
    rows = figures["rows"]
    whole = {key: row for key, row in rows.items() if "not_measured" not in row}
    intro = (
        f"{figures['questions']} questions, {figures['articles']} articles, {figures['cores']} "
        f"cores, OMP_NUM_THREADS {figures['threads']}, load {figures['load_before']:.1f} before "
        f"and {figures['load_after']:.1f} after, "
        f"{figures['minutes']:.0f} minutes in all."
    )
    notes = [f"- {r['label']}: not measured: {r['not_measured']}" for r in _missing(rows)]
    notes += [
        f"- {row['label']}: {row['failures']} searches failed, the first with: "
        f"{row['first_failure']}"
        for row in whole.values()
        if row["failures"]
    ]
    notes += [
        f"- {r['label']}: ended under load: {r['ended']}" for r in whole.values() if "ended" in r
    ]
    notes += [
        f"- {row['label']}: learned in {row['learn_seconds']:.0f} s"
        for row in whole.values()
        if "learn_seconds" in row
    ]
    parts = [intro, _format_quality(whole), _format_cost(whole), "\n".join(notes)]
    return "\n\n".join(part for part in parts if part)


def _missing(rows: dict[str, Any]) -> list[dict[str, Any]]:
    return [row for row in rows.values() if "not_measured" in row]


def _format_quality(rows: dict[str, Any]) -> str:
    references = [key for key in ("kbops", "kbops-learned") if key in rows]
    head = ["", "texts embedded", "nDCG@10"]
    head += [f"minus {rows[key]['label']}" for key in references] + ["recall@10"]
    lines = [
        [
            row["label"],
            str(row.get("units") or ""),
            _mean(row["ndcg_at_10"]),
            *(_difference(row["minus"].get(reference)) for reference in references),
            _mean(row["recall_at_10"]),
        ]
        for row in rows.values()
        if "ndcg_at_10" in row
    ]
    return _format(head, lines)


def _format_cost(rows: dict[str, Any]) -> str:
    head = ["", "p50 ms", "p99 ms", "× kbops", "a second: 1 caller", "8", "32", "p99 ms with 32"]
    head += ["ingest s", "memory MB", "first answer s"]
    lines = []
    for row in rows.values():
        callers = row["callers"]
        starts = sorted(row["startup_seconds"])
        ingest = row.get("ingest_seconds")
        lines.append(
            [
                row["label"],
                f"{row['p50_ms']:.1f}",
                f"{row['p99_ms']:.0f}",
                f"{row['times']['kbops']:.2f}" if "kbops" in row["times"] else "",
                *(f"{callers[c]['per_second']:.1f}" if c in callers else "-" for c in CALLERS),
                f"{callers['32']['p99_ms']:.0f}" if "32" in callers else "-",
                "" if ingest is None else f"{ingest:.0f}",
                f"{row['megabytes']:.0f}" if "megabytes" in row else "-",
                f"{starts[len(starts) // 2]:.1f}",
            ]
        )
    return _format(head, lines)


def _mean(measure: dict[str, Any]) -> str:
    low, high = measure["interval"]
    return f"{_short(measure['mean'])} [{_short(low)} {_short(high)}]"


def _difference(measure: dict[str, Any] | None) -> str:
    if measure is None:
        return ""
    low, high = measure["interval"]
    return f"{_short(measure['mean'], '+')} [{_short(low, '+')} {_short(high, '+')}]"


def _short(value: float, sign: str = "") -> str:
    """`.545`, `+.012`, as the other tables of bench/README.md."""
    return f"{value:{sign}.3f}".replace("0.", ".", 1) if abs(value) < 1 else f"{value:{sign}.3f}"


def _format(head: Iterable[str], lines: Iterable[Iterable[str]]) -> str:
    cells = list(head)
    rule = "|" + "---|" * len(cells)
    return "\n".join([_line(cells), rule, *(_line(line) for line in lines)])


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"
