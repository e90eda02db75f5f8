"""Knowledge bases in which an earlier version of a page is a weaker source than a later one.

One folder lives through several worlds: in each a page has one pair of versions, the earlier as a
help article, the later as a policy. What did not change is neither synced nor embedded again.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from hierarchy_data import PageVersion, StatementPair

CONFIG = """[hierarchy]
authorities = ["policy", "procedure", "help_article"]

[[sources]]
name = "policies"
kind = "markdown"
location = "policies"
authority = "policy"
audience = "public"
owner = "owner"

[[sources]]
name = "help"
kind = "markdown"
location = "articles"
authority = "help_article"
audience = "public"
owner = "owner"

[[owners]]
name = "owner"
email = "owner@example.org"
topics = []
"""
MAX_ID_CHARACTERS = 180


def _versions(pair: StatementPair) -> tuple[str, str, str]:
    return pair.before.doc_id, pair.before.date, pair.after.date


def slug_of(page: PageVersion) -> str:
    slug = re.sub(r"[:/]", "--", page.doc_id.removesuffix(".md")).replace("+", "-plus")
    return slug[-MAX_ID_CHARACTERS:]


def weaker_id(page: PageVersion) -> str:
    return f"old-{slug_of(page)}"


def stronger_id(page: PageVersion) -> str:
    return f"new-{slug_of(page)}"


def write_config(folder: Path) -> Path:
    for name in ("policies", "articles"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    config = folder / "kb.toml"
    config.write_text(CONFIG, encoding="utf-8")
    return config


def write_page(folder: Path, document_id: str, page: PageVersion) -> None:
    """Write a page as a Markdown file with its front matter."""
    front = f"id: {json.dumps(document_id)}\ntitle: {json.dumps(page.title, ensure_ascii=False)}"
    text = f"---\n{front}\n---\n\n{page.text}\n"
    (folder / f"{document_id}.md").write_text(text, encoding="utf-8")


def write_worlds(
    pairs: Sequence[StatementPair], others: Sequence[PageVersion], folder: Path
) -> Iterator[list[StatementPair]]:
    """Write one world after the other into the folder; yields the pairs each shows.

    Only versions with a conflict between them are written; agreeing pairs of the same versions
    come along.

    Pages without a labelled pair stand by as help articles. A page whose pairs are all shown keeps
    its last two versions, so that no document is ever deleted.
    """
    held: dict[str, dict[tuple[str, str], list[StatementPair]]] = defaultdict(dict)
    wanted = {_versions(pair) for pair in pairs if pair.verdict == "conflict"}
    for pair in pairs:
        if _versions(pair) not in wanted:
            continue
        dates = (pair.before.date, pair.after.date)
        held[pair.before.doc_id].setdefault(dates, []).append(pair)
    for page in others:
        if page.doc_id not in held:
            write_page(folder / "articles", weaker_id(page), page)
    for number in range(max(map(len, held.values()))):
        shown: list[StatementPair] = []
        for versions in held.values():
            if number >= len(versions):
                continue
            found = list(versions.values())[number]
            write_page(folder / "articles", weaker_id(found[0].before), found[0].before)
            write_page(folder / "policies", stronger_id(found[0].after), found[0].after)
            shown += found
        yield shown
