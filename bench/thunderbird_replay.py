"""A year replayed: the knowledge base of its first day, its tickets, the gaps and five drafts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from thunderbird_data import read_articles, read_tickets, write_knowledge_base, write_lines
from thunderbird_service import CommandError, Product

FIRST_DAY = "2024-01-01"
LAST_DAY = "2025-01-01"
"""The day after the last one replayed."""
DRAFTS = 5


def replay_year(data: Path, work: Path) -> dict[str, Any]:
    """Sync as of the first day, import the year's tickets, find gaps, draft for the strongest."""
    folder = work / "replay"
    articles = read_articles(data, FIRST_DAY)
    config = write_knowledge_base(articles, folder)
    synced, sync_seconds = Product(config, FIRST_DAY).run("sync")
    tickets = read_tickets(data, FIRST_DAY, LAST_DAY, {article.slug for article in articles})
    lines = folder / "tickets.jsonl"
    write_lines(tickets, lines)
    product = Product(config, LAST_DAY)
    imported, import_seconds = product.run("tickets", "import", str(lines))
    found, find_seconds = product.run("gaps", "find", "--since", FIRST_DAY, "--until", LAST_DAY)
    (folder / "gaps.json").write_text(json.dumps(found, indent=2, ensure_ascii=False))
    drafts = [_draft(product, gap, place, folder) for place, gap in _number(found["gaps"][:DRAFTS])]
    return {
        "articles": len(articles),
        "synced": synced["sources"][0],
        "imported": imported | {"refused": len(imported["refused"])},
        "tickets": found["tickets"],
        "gaps": len(found["gaps"]),
        "kinds": dict(Counter(gap["kind"] for gap in found["gaps"])),
        "strongest": [_summarise(gap) for gap in found["gaps"][:20]],
        "drafts": drafts,
        "seconds": {
            "sync": round(sync_seconds, 1),
            "import": round(import_seconds, 1),
            "find": round(find_seconds, 1),
        },
    }


def _number(gaps: Sequence[dict[str, Any]]) -> list[tuple[int, dict[str, Any]]]:
    return list(enumerate(gaps, start=1))


def _summarise(gap: Mapping[str, Any]) -> dict[str, Any]:
    kept = ("gap_id", "kind", "title", "terms", "priority", "probability", "impact_per_week")
    return {key: gap[key] for key in kept} | {
        "tickets": len(gap["tickets"]),
        "documents": gap["documents"],
    }


def _draft(product: Product, gap: Mapping[str, Any], place: int, folder: Path) -> dict[str, Any]:
    """Create one draft and write it down for reading; a refusal is a result too."""
    try:
        draft, seconds = product.run("drafts", "create", gap["gap_id"])
    except CommandError as error:
        return {"gap_id": gap["gap_id"], "failed": str(error)}
    target = folder / "drafts"
    target.mkdir(exist_ok=True)
    (target / f"{place}.json").write_text(json.dumps(draft, indent=2, ensure_ascii=False))
    (target / f"{place}.md").write_text(_to_page(gap, draft), encoding="utf-8")
    return {
        "gap_id": gap["gap_id"],
        "title": draft["title"],
        "document_id": draft.get("document_id"),
        "statements": len(draft["statements"]),
        "uncited": sum(1 for statement in draft["statements"] if not statement["citations"]),
        "checks": {check["name"]: check["verdict"] for check in draft["checks"]},
        "refused": (draft.get("refused") or {}).get("why"),
        "seconds": round(seconds, 1),
    }


def _to_page(gap: Mapping[str, Any], draft: Mapping[str, Any]) -> str:
    """The draft with what it answers, what it cites and how it was checked."""
    refused = draft.get("refused")
    parts = [
        f"<!-- {gap['kind']} gap {gap['gap_id']}: {gap['title']}, {len(gap['tickets'])} tickets, "
        f"documents {', '.join(gap['documents']) or 'none'} -->",
        draft["markdown"] or "(no text)",
        "\n".join(f"- {c['name']}: {c['verdict']}. {c['detail']}" for c in draft["checks"]),
    ]
    if refused:
        asked = "\n".join(f"- {question}" for question in refused["questions"])
        parts.append(f"Refused: {refused['why']}\n\n{asked}")
    for statement in draft["statements"]:
        cited = "\n".join(
            f"  - {c['kind']} {c['id']}: {' '.join(c['quote'].split())[:300]}"
            for c in statement["citations"]
        )
        parts.append(f"- {statement['text']}\n{cited}")
    return "\n\n".join(parts) + "\n"
