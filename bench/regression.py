"""Does the regression check of drafts see harm where there is some, and foresee what is served?

It stands on the made-up company in `content/`: changes of articles that answer frozen questions.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import shutil
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from api.wiring import Application
from gaps.drafting.drafts import compute_draft_hash
from gaps.drafting.publish import change_of
from gaps.drafting.regression import check_regression
from gaps.drafting.replay import replay_draft
from gaps.types import Draft, DraftState
from kb import articles, intake
from kb.clock import FixedClock
from kb.evaluation import DEPTH, Question
from kb.types import Document, SearchRequest

CONTENT = Path(__file__).parent.parent / "content"
NOW = datetime(2026, 11, 9, 9, tzinfo=UTC)
ARTICLES = 12
GUTTED = "This page has moved.\n"


def make_draft(document: Document, title: str, markdown: str, new_id: str | None = None) -> Draft:
    """A draft that changes a document, or one of the same text under a new id."""
    base = None if new_id else document.version
    document_id = new_id or document.document_id
    digest = compute_draft_hash(
        title=title, markdown=markdown, document_id=document_id, base_version=base, statements=()
    )
    return Draft(
        "draft_bench", "gap_bench", DraftState.IN_REVIEW, title, markdown, (), (),
        document.metadata.audience, document.metadata.owner, document.source, document_id, base,
        (), None, NOW, NOW, digest,
    )  # fmt: skip


def first_half(markdown: str) -> str:
    """The article without the later half of its blocks."""
    blocks = re.split(r"\n\s*\n", markdown.strip())
    return "\n\n".join(blocks[: max(1, len(blocks) // 2)]) + "\n"


def choose_documents(application: Application, questions: list[Question]) -> list[Document]:
    """Articles that alone answer a frozen question and stand in its first three."""
    found = set()
    vectors = application.retriever.encode([q.text for q in questions])
    for question, vector in zip(questions, vectors, strict=True):
        request = SearchRequest(question.text, top_k=3)
        hits = application.retriever.search(request, question.audience, vector=vector).hits
        served = {hit.chunk.document.document_id for hit in hits}
        if len(question.relevant) == 1:
            found |= served & set(question.relevant)
    chosen = sorted(found, key=lambda key: hashlib.sha256(key.encode()).hexdigest())[:ARTICLES]
    with application.database.read() as connection:
        return [articles.read_document(connection, key) for key in chosen]


def measure(application: Application) -> dict[str, Any]:
    questions = application.learning.read_frozen()
    found: dict[str, Any] = {}
    seconds, same, asked_again = [], 0, 0
    for document in choose_documents(application, questions):
        with application.database.read() as connection:
            text = articles.read_version(connection, document.document_id, document.version)
        drafts = {
            "unchanged": make_draft(document, text.title, text.markdown),
            "first half": make_draft(document, text.title, first_half(text.markdown)),
            "gutted": make_draft(document, text.title, GUTTED),
            "copy as a new article": make_draft(
                document, text.title, text.markdown, f"{document.document_id}-again"
            ),
        }
        for name, draft in drafts.items():
            started = time.perf_counter()
            asked = replay_draft(
                application.database, application.retriever, application.encoder, draft,
                questions=questions, tickets=(), now=NOW, prepare=application.publishing.render,
            )  # fmt: skip
            seconds.append(time.perf_counter() - started)
            check = check_regression(asked, draft.audience)
            row = found.setdefault(name, {"drafts": 0, "red": 0, "questions lost": 0})
            row["drafts"] += 1
            row["red"] += check.verdict == "red"
            row["questions lost"] += sum(r.outcome == "lost" for r in check.replayed)
    for document in choose_documents(application, questions)[:3]:
        draft = make_draft(document, document.metadata.title, GUTTED)
        asked = replay_draft(
            application.database, application.retriever, application.encoder, draft,
            questions=questions, tickets=(), now=NOW, prepare=application.publishing.render,
        )  # fmt: skip
        prepared = application.publishing.prepare(change_of(draft, document, NOW))
        with application.database.write() as connection:
            intake.write_version(
                connection, prepared.parsed, prepared.chunks, now=NOW, author="b", reason="b"
            )
        vectors = application.retriever.encode([one.text for one in asked])
        for one, vector in zip(asked, vectors, strict=True):
            request = SearchRequest(one.text, top_k=DEPTH)
            hits = application.retriever.search(request, one.audience, vector=vector).hits
            asked_again += 1
            same += tuple(h.chunk.document.document_id for h in hits) == one.after.documents
    seconds.sort()
    return {
        "changes": found,
        "seconds a check": {"median": seconds[len(seconds) // 2], "most": seconds[-1]},
        "first ten as foreseen": f"{same} of {asked_again}",
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="write the figures here too")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "kb"
        shutil.copytree(CONTENT, root, ignore=shutil.ignore_patterns(".kb"))
        application = Application.open(root / "kb.toml", FixedClock(NOW))
        for _ in application.sync_sources():
            pass
        application.rebuild_index(actor="bench")
        try:
            report = measure(application)
        finally:
            application.close()
    text = json.dumps(report, indent=1)
    sys.stdout.write(text + "\n")
    if chosen.json:
        chosen.json.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
