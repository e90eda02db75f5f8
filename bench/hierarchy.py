"""Does the stronger source win where two state different facts, and is it said?

    python bench/hierarchy.py --data DIR [--work DIR] [--json FILE] [--show]

Runs the product's own path on labelled pairs of real statements (bench/README.md): sync, conflict
check, search, packed context. Keep the work folder to embed nothing twice.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from hierarchy_data import PageVersion, StatementPair, find_data, read_pages, read_pairs
from hierarchy_worlds import stronger_id, weaker_id, write_config, write_worlds
from sqlalchemy import Connection, select

from api.routes.search import CONTEXT_HITS
from api.wiring import Application
from gaps.operating.conflict_check import build_statements, check_conflicts, find_conflicts
from kb import articles, vectors
from kb.clock import FixedClock, parse_instant
from kb.context import Passage, pack_context
from kb.ports import Vectors
from kb.section_reading import read_sections
from kb.statements import mask_values, split_sentences
from kb.tables import conflicts
from kb.types import Audience, Document, Metadata, SearchRequest

DAY = "2026-01-01"
TOKEN_BUDGET = 2_000
_VALUE_WORDS = re.compile(
    r"\S*\d\S*|\S+@\S+|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|must|may"
    r"|should|not|cannot|mondays?|tuesdays?|wednesdays?|thursdays?|fridays?|weekly|bi-?weekly)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the product made of one pair."""

    half: str
    verdict: str
    kind: str
    flagged: bool
    """A stored conflict holds both statements."""
    winner_first: bool = True
    """The first document served is the stronger page."""
    winner_above: bool = True
    """It is served, and the weaker page, where served, stands below it."""
    loser_shown_why: bool = True
    """Asked for with the overruled, the weaker page comes with the ruling on it."""
    loser_packed: bool = False
    """The weaker statement stands in the packed context, out of the weaker page."""
    first: str = ""
    """What the first document served is, as `_name_first` says."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; 0 done, 2 no data or wrong usage."""
    parser = argparse.ArgumentParser(prog="hierarchy", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder that holds the data sets")
    parser.add_argument("--work", type=Path, help="kept, so that nothing is embedded twice")
    parser.add_argument("--json", type=Path, help="write all outcomes here")
    parser.add_argument(
        "--distractors", type=int, default=240, help="pages beside the labelled ones (240)"
    )
    parser.add_argument("--show", action="store_true", help="print what went wrong on tune")
    options = parser.parse_args(arguments)
    missing = find_data(options.data)
    if missing is not None:
        print(f"hierarchy: {missing}", file=sys.stderr)
        return 2
    pages = read_pages(options.data)
    pairs = [pair for pair in read_pairs(pages) if pair.verdict != "unclear"]
    others = [versions[-1] for key, versions in pages.items() if key.startswith("18f:")]
    others = sorted(others, key=lambda page: page.date)[-options.distractors :]
    temporary = tempfile.TemporaryDirectory(prefix="kb-hierarchy-")
    with nullcontext(options.work) if options.work else temporary as work:
        outcomes = measure_pairs(pairs, others, Path(work).resolve(), show=options.show)
    if options.json is not None:
        options.json.write_text(json.dumps([asdict(o) for o in outcomes], indent=1) + "\n")
    return 0


def measure_pairs(
    pairs: Sequence[StatementPair], others: Sequence[PageVersion], work: Path, *, show: bool
) -> list[Outcome]:
    """Every pair in a world of its versions with other pages beside it, then by itself."""
    outcomes: list[Outcome] = []
    application = Application.open(write_config(work), FixedClock(parse_instant(DAY)))
    try:
        for shown in write_worlds(pairs, others, work):
            started = time.perf_counter()
            for report in application.sync_sources():
                if report.get("failed") or report["refused"]:
                    raise SystemExit(f"hierarchy: sync refused: {report}")
            synced = time.perf_counter()
            found = check_conflicts(
                application.database,
                application.encoder,
                now=application.clock.now(),
                authorities=application.settings.hierarchy.authorities,
            )
            checked = time.perf_counter()
            with application.database.read() as connection:
                stored = _read_stored(connection)
            made = [_measure(application, pair, stored) for pair in shown]
            outcomes += made
            print(
                f"world of {len(shown)} pairs: sync {synced - started:.0f} s,"
                f" check {checked - synced:.0f} s, {len(found)} conflicts,"
                f" questions {time.perf_counter() - checked:.0f} s",
                flush=True,
            )
            if show:
                for pair, outcome in zip(shown, made, strict=True):
                    _show(pair, outcome)
            print_figures(outcomes)
            sys.stdout.flush()
        print_statements(measure_statements(pairs, application))
    finally:
        application.close()
    return outcomes


_Stored = dict[tuple[str, str], list[tuple[str, str]]]
"""Winner's and loser's statements by their documents."""


def _read_stored(connection: Connection) -> _Stored:
    statements: _Stored = {}
    for row in connection.execute(select(conflicts)):
        found = statements.setdefault((row.winner_id, row.loser_id), [])
        found.append((row.winner_statement, row.loser_statement))
    return statements


def _measure(application: Application, pair: StatementPair, stored: _Stored) -> Outcome:
    winner, loser = stronger_id(pair.after), weaker_id(pair.before)
    flagged = any(
        _same(won, pair.new) and _same(lost, pair.old)
        for won, lost in stored.get((winner, loser), ())
    )
    if pair.verdict != "conflict":
        return Outcome(pair.half, pair.verdict, pair.kind, flagged)
    query = question_of(pair)
    vector = application.retriever.encode([query])[0]
    served = application.retriever.search(
        SearchRequest(query, top_k=10), Audience.INTERNAL, vector=vector
    ).hits
    everything = application.retriever.search(
        SearchRequest(query, top_k=50, include_overruled=True, group_by="chunk"),
        Audience.INTERNAL,
        vector=vector,
    ).hits
    ordered = [hit.chunk.document.document_id for hit in served]
    why = any(
        hit.overruled_by is not None
        and hit.overruled_by.winner == winner
        and hit.overruled_by.reason
        and hit.chunk.document.document_id == loser
        for hit in everything
    )
    return Outcome(
        pair.half, pair.verdict, pair.kind, flagged,
        winner_first=ordered[:1] == [winner],
        winner_above=winner in ordered and loser not in ordered[: ordered.index(winner)],
        loser_shown_why=why,
        loser_packed=any(
            passage.hit.chunk.document.document_id == loser
            and _plain(pair.old) in _plain(passage.text)
            for passage in _pack(application, query, vector)
        ),
        first=_name_first(application, pair, ordered, flagged),
    )  # fmt: skip


def _pack(application: Application, query: str, vector: Vectors) -> list[Passage]:
    """As `POST /v1/context` does."""
    request = SearchRequest(query, top_k=CONTEXT_HITS, group_by="chunk")
    hits = application.retriever.search(request, Audience.INTERNAL, vector=vector).hits
    authorities = application.settings.hierarchy.authorities
    with application.database.read() as connection:
        sections = read_sections(
            connection,
            [hit.chunk.document.document_id for hit in hits],
            request,
            Audience.INTERNAL,
            authorities,
            now=application.clock.now(),
        )
    return pack_context(
        hits,
        TOKEN_BUDGET,
        chunks_of=sections.chunks_of,
        losing=sections.losing,
        authorities=authorities,
    )


def _name_first(
    application: Application, pair: StatementPair, ordered: Sequence[str], flagged: bool
) -> str:
    """Which document is served first: the winner, the loser, or what of a third."""
    if not ordered:
        return "nothing"
    if ordered[0] == stronger_id(pair.after):
        return "winner"
    if ordered[0] == weaker_id(pair.before):
        return "loser, conflict known" if flagged else "loser, conflict not known"
    with application.database.read() as connection:
        document = articles.read_document(connection, ordered[0], Audience.INTERNAL)
        text = _plain(articles.read_version(connection, ordered[0], document.version).markdown)
    if _plain(pair.new) in text:
        return "third page, the winning statement"
    if _plain(pair.old) in text:
        return "third page, the losing statement"
    return "third page"


def question_of(pair: StatementPair) -> str:
    """What somebody asks who knows the earlier wording and not the value."""
    words = _VALUE_WORDS.sub(" ", re.sub(r"[*_`\[\]]|https?://\S+", " ", pair.old))
    return " ".join(f"{pair.heading}: {words}".split())


def _plain(text: str) -> str:
    return re.sub(r"[\W_]+", "", text).lower()


def _same(sentence: str, statement: str) -> bool:
    """The two splitters cut alike but for list marks and trailing brackets."""
    one, two = _plain(sentence), _plain(statement)
    return one in two or two in one


def _show(pair: StatementPair, outcome: Outcome) -> None:
    right = outcome.winner_first and outcome.flagged == (pair.verdict == "conflict")
    if pair.half != "tune" or right:
        return
    print(f"  {outcome}\n    - {pair.old}\n    + {pair.new}")


def measure_statements(pairs: Sequence[StatementPair], application: Application) -> list[Outcome]:
    """What the conflict check says of two documents of one page that hold one statement each.

    The hardest case for agreeing pairs: nothing but the statements tells the documents apart.
    """
    now = application.clock.now()
    outcomes = []
    texts = {
        vectors.hash_text(text): text
        for pair in pairs
        for side in (pair.old, pair.new)
        for text in (mask_values(s.text) for s in split_sentences(side))
    }
    vectors.embed_texts(application.database, application.encoder, texts)
    for pair in pairs:
        documents = [
            (_to_document(weaker_id(pair.before), pair.before, "help_article", now), pair.old),
            (_to_document(stronger_id(pair.after), pair.after, "policy", now), pair.new),
        ]
        held, statements = build_statements(
            application.database, application.encoder, documents, now
        )
        found = find_conflicts(held, statements, application.settings.hierarchy.authorities)
        outcomes.append(Outcome(pair.half, pair.verdict, pair.kind, bool(found)))
    return outcomes


def _to_document(document_id: str, page: PageVersion, authority: str, now: datetime) -> Document:
    said = Metadata(page.title, Audience.PUBLIC, authority, "owner")
    return Document(document_id, "help", f"{document_id}.md", said, 1, "", "", now)


def print_statements(outcomes: Sequence[Outcome]) -> None:
    """Flagged shares of statements by themselves."""
    print("\nstatements by themselves")
    for half in ("tune", "check", "both"):
        mine = [o for o in outcomes if half in (o.half, "both")]
        wrong = [o for o in mine if o.verdict == "conflict"]
        fine = [o for o in mine if o.verdict == "agreeing"]
        print(
            f"  {half}: {len(wrong)} conflicts flagged {_share(o.flagged for o in wrong)}, without"
            f" contacts {_share(o.flagged for o in wrong if o.kind != 'contact')};"
            f" {len(fine)} agreeing flagged {_share(o.flagged for o in fine)}"
        )


def print_figures(outcomes: Sequence[Outcome]) -> None:
    for half in ("tune", "check", "both"):
        mine = [o for o in outcomes if half in (o.half, "both")]
        wrong = [o for o in mine if o.verdict == "conflict"]
        fine = [o for o in mine if o.verdict == "agreeing"]
        print(f"\n{half}: {len(wrong)} conflicts, {len(fine)} agreeing")
        kinds = Counter(o.kind for o in wrong)
        for name, some in (
            *((kind, [o for o in wrong if o.kind == kind]) for kind in sorted(kinds)),
            ("all but contact", [o for o in wrong if o.kind != "contact"]),
            ("all", wrong),
        ):
            print(
                f"  {name} ({len(some)}): winner first {_share(o.winner_first for o in some)}"
                f" (above the loser {_share(o.winner_above for o in some)}),"
                f" flagged {_share(o.flagged for o in some)},"
                f" reason shown {_share(o.loser_shown_why for o in some)},"
                f" loser packed {_share(o.loser_packed for o in some)}"
                f" (where flagged {_share(o.loser_packed for o in some if o.flagged)})"
            )
        print(f"  false flags {_share(o.flagged for o in fine)}")
        for name, count in Counter(o.first for o in wrong).most_common():
            print(f"  first: {count} {name}")


def _share(values: Iterable[bool]) -> str:
    """A share with its 95% Wilson interval."""
    found = list(values)
    if not found:
        return "-"
    count, share, z = len(found), sum(found) / len(found), 1.96
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    spread = (
        z * math.sqrt(share * (1 - share) / count + z * z / (4 * count**2)) / (1 + z * z / count)
    )
    return f"{share:.1%} [{middle - spread:.1%} {middle + spread:.1%}]"


if __name__ == "__main__":
    sys.exit(main())
