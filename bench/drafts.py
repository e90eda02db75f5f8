"""What are drafts worth? Hides help articles and drafts them anew from what solved the tickets.

    python bench/drafts.py --data DIR [--work DIR] [--json FILE] [--split calendar|own]

DIR holds `sumo_thunderbird_dev`, which is not part of this repository (bench/README.md).
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from drafts_data import END, MIDDLE, HiddenArticle, read_hidden, read_known_tickets
from drafts_score import compare_statements
from missing_data import HIDDEN_FILE
from thunderbird_data import LAST_SNAPSHOT, find_data, read_articles, write_knowledge_base

from api.wiring import Application
from gaps.drafting.drafts import compute_draft_hash
from gaps.drafting.publish import ArticleChange
from gaps.drafting.target import find_related
from gaps.drafting.writer import check_draft
from gaps.drafting.writing.evidence import usable_texts
from gaps.drafting.writing.extractive import WrittenArticle, write_article
from gaps.drafting.writing.keeping_encoder import KeepingEncoder
from gaps.drafting.writing.tracing import find_unstated, trace_statements
from gaps.grouping.naming import choose_title, distinguishing_terms, ticket_terms
from gaps.types import Draft, DraftState, Gap, GapKind, GapStatus, Refusal, Ticket
from kb import intake
from kb.clock import FixedClock
from kb.ports import Encoder
from kb.types import Audience, SearchRequest, StoredChunk
from kb.vectors import embed_texts

NOW = datetime.fromisoformat(LAST_SNAPSHOT).replace(tzinfo=UTC)
FIRST_HITS = 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; 0 done, 2 no data or wrong usage."""
    options = _parse(arguments)
    data = find_data(options.data)
    if not isinstance(data, str) and not (data / HIDDEN_FILE).is_file():
        data = f"{data} lacks {HIDDEN_FILE}; it is read, never downloaded"
    if isinstance(data, str):
        print(f"drafts: {data}", file=sys.stderr)
        return 2
    if options.work is not None:
        return _run(options, data, options.work.resolve())
    with tempfile.TemporaryDirectory(prefix="kb-drafts-") as work:
        return _run(options, data, Path(work))


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="drafts", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", type=Path, help="folder that holds sumo_thunderbird_dev")
    parser.add_argument("--work", type=Path, help="kept for reading; else a temporary folder")
    parser.add_argument("--json", type=Path, help="write all figures here")
    parser.add_argument("--split", choices=("calendar", "own"), default="calendar")
    return parser.parse_args(arguments)


def _run(options: argparse.Namespace, data: Path, work: Path) -> int:
    work.mkdir(parents=True, exist_ok=True)
    hidden = read_hidden(data, options.split)
    slugs = {one.slug for one in hidden}
    kept = [a for a in read_articles(data, LAST_SNAPSHOT) if a.slug not in slugs]
    application = Application.open(write_knowledge_base(kept, work), FixedClock(NOW))
    try:
        for report in application.sync_sources():
            if "failed" in report:
                raise SystemExit(f"drafts: {report['failed']}")
        application.rebuild_index(actor="bench")
        rows = [_measure(application, data, one, hidden, options.split, work) for one in hidden]
    finally:
        application.close()
    _print(rows)
    if options.json is not None:
        options.json.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n")
    return 0


def _measure(
    application: Application,
    data: Path,
    one: HiddenArticle,
    hidden: Sequence[HiddenArticle],
    split: str,
    work: Path,
) -> dict[str, Any]:
    later = read_known_tickets(data, hidden, one.measured_on, END)
    first = min((t.created_at for t in later), default=NOW)
    day = MIDDLE if split == "calendar" else first.date().isoformat()
    tickets = read_known_tickets(data, hidden, one.learned_from, day)
    row: dict[str, Any] = {"slug": one.slug, "tickets": len(tickets), "later": len(later)}
    row["solved"] = sum(t.is_solved for t in tickets)
    keeping = KeepingEncoder(application.database, application.encoder)
    gap = make_gap(tickets, keeping)
    related = find_related(application.retriever, gap, tickets) if tickets else []
    written = write_article(gap, tickets, related, keeping)
    row["ceiling"] = _answered(application, one.slug, one.article.title, one.article.text, later)
    if isinstance(written, Refusal):
        return row | {"refused": written.why, "questions": list(written.questions), "after": None}
    draft = make_draft(gap, one.slug, written)
    checks = check_draft(
        application.database, keeping, draft, gap, tickets=tickets, related=related, now=NOW,
        settings=application.desk.drafting_settings(), gate=None,
    )  # fmt: skip
    (work / f"{one.slug}.draft.md").write_text(_for_reading(draft, one, related))
    overlap = compare_statements([s.text for s in draft.statements], one.article.text, keeping)
    return row | {
        "title": draft.title,
        "statements": len(draft.statements),
        "untraced": _trace(draft, tickets, related),
        "after": _answered(application, one.slug, draft.title, draft.markdown, later),
        "recall": overlap.recall,
        "precision": overlap.precision,
        "checks": {check.name: check.verdict for check in checks},
    }


def central_first(tickets: Sequence[Ticket], encoder: Encoder) -> list[Ticket]:
    """As the finder hands them over for a name: nearest to the centre of all first."""
    if not tickets:
        return []
    vectors = encoder.encode([ticket.question for ticket in tickets])
    near = vectors @ vectors.mean(axis=0)
    order = sorted(range(len(tickets)), key=lambda i: (-float(near[i]), tickets[i].ticket_id))
    return [tickets[place] for place in order]


def make_gap(tickets: Sequence[Ticket], encoder: Encoder) -> Gap:
    """The gap of these tickets, named as the finder names topics, without looking for it."""
    terms = {ticket.ticket_id: ticket_terms(ticket) for ticket in tickets}
    requesters = {ticket.ticket_id: ticket.ticket_id for ticket in tickets}
    found = distinguishing_terms([list(terms)], terms, requesters)[0] if tickets else ()
    title = choose_title(central_first(tickets, encoder), found)
    return Gap(
        "gap_bench", "topic_bench", GapKind.MISSING, GapStatus.OPEN, title, found, 1.0, 0.9, 1.0,
        Audience.PUBLIC, "thunderbird", tuple(terms), (), (), (), NOW, NOW,
    )  # fmt: skip


def make_draft(gap: Gap, document_id: str, written: WrittenArticle) -> Draft:
    """What would be stored; its id is the hidden article's, so that both are asked alike."""
    digest = compute_draft_hash(
        title=written.title, markdown=written.markdown, document_id=document_id,
        base_version=None, statements=written.statements,
    )  # fmt: skip
    return Draft(
        "draft_bench", gap.gap_id, DraftState.IN_REVIEW, written.title, written.markdown,
        written.statements, (), gap.audience, gap.owner, "help", document_id, None, (), None,
        NOW, NOW, digest,
    )  # fmt: skip


def _answered(
    application: Application, slug: str, title: str, markdown: str, tickets: Sequence[Ticket]
) -> float | None:
    """Share of the tickets that find the text within the first three hits, in a copy."""
    if not tickets:
        return None
    change = ArticleChange(slug, "help", title, markdown, Audience.PUBLIC, "thunderbird", None, NOW)
    prepared = application.publishing.render(change)
    with application.database.copy() as copy:
        embed_texts(
            copy, application.encoder, {c.content_hash: c.embedded for c in prepared.chunks}
        )
        with copy.write() as connection:
            intake.write_version(
                connection, prepared.parsed, prepared.chunks, now=NOW, author="b", reason="b"
            )
            intake.write_verification(connection, slug, by="thunderbird", now=NOW)
        trial = application.retriever.beside(copy)
        vectors = trial.encode([ticket.question for ticket in tickets])
        found = 0
        for ticket, vector in zip(tickets, vectors, strict=True):
            request = SearchRequest(ticket.question, top_k=FIRST_HITS)
            hits = trial.search(request, Audience.PUBLIC, vector=vector).hits
            found += slug in {hit.chunk.document.document_id for hit in hits}
    return found / len(tickets)


def _trace(draft: Draft, tickets: Sequence[Ticket], related: Sequence[StoredChunk]) -> list[str]:
    """What is stated and not borne out, by the product's checker; empty is all traced."""
    texts: dict[str, Sequence[str]] = {t.ticket_id: usable_texts(t) for t in tickets}
    texts |= {chunk.chunk_id: (chunk.text,) for chunk in related}
    untraced = [one.why for one in trace_statements(draft.statements, texts)]
    asked = [t.question for t in tickets]
    return untraced + find_unstated(draft.markdown, draft.statements, asked)


def _for_reading(draft: Draft, one: HiddenArticle, related: Sequence[StoredChunk]) -> str:
    lines = [f"# {draft.title}", "", draft.markdown, "", "--- evidence", ""]
    for statement in draft.statements:
        lines.append(f"* {statement.text}")
        lines += [f"    [{c.kind} {c.id}] {c.quote}" for c in statement.citations]
    return "\n".join(
        [*lines, "", "--- hidden article", "", f"# {one.article.title}", one.article.text]
    )


def _print(rows: Sequence[dict[str, Any]]) -> None:
    print(f"{'article':45} tickets solved later | before after ceiling | recall precision untraced")
    for row in rows:
        told = f"{row['slug'][:44]:45} {row['tickets']:7} {row['solved']:6} {row['later']:5}"
        if "refused" in row:
            print(f"{told} | refused (ceiling {_share(row['ceiling'])}): {row['refused']}")
            continue
        print(
            f"{told} |   .00  {_share(row['after'])}   {_share(row['ceiling'])}   |"
            f" {_share(row['recall'])}   {_share(row['precision'])}"
            f"      {len(row['untraced'])}/{row['statements']}  {row['title']}"
        )
    measured = [row for row in rows if row["ceiling"] is not None]
    gains = [row["after"] or 0.0 for row in measured]
    written = [row["after"] for row in measured if row["after"] is not None]
    print(f"median gain, refused as 0: {_share(median(gains))} of {len(gains)} articles")
    if written:
        print(f"median gain of the {len(written)} written: {_share(median(written))}")
    asked = sum(row["later"] for row in measured)
    total = sum((row["after"] or 0.0) * row["later"] for row in measured)
    most = sum(row["ceiling"] * row["later"] for row in measured)
    print(f"tickets answered: 0 before, {total:.0f} after, {most:.0f} with the article, of {asked}")


def _share(value: float | None) -> str:
    return " - " if value is None else f"{value:.2f}".lstrip("0").rjust(3)


if __name__ == "__main__":
    sys.exit(main())
