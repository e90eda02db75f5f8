"""`kb demo`: ten weeks of a made-up company, lived through the product, then served.

Nothing here is prepared: every figure is what the service answers while its clock is moved from
Monday to Monday.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from api.cli.session import print_line, set_globals
from api.jobs import run_job
from api.keys import create_key
from api.mcp.configuration import http_configuration
from api.server import run_server
from api.wiring import Application
from gaps import repository
from gaps.drafting.drafts import read_drafts
from gaps.operating.asking import ask_tickets
from gaps.types import Draft, DraftState, Gap, GapKind
from kb.clock import format_instant
from kb.errors import InvalidInputError
from kb.evaluation import ask_questions, read_questions, report_answers
from kb.types import Audience, Role, SearchRequest, SearchResponse

CONTENT = Path(__file__).parent.parent / "content"
MARK = ".kb-demo"
START = datetime(2026, 8, 31, 5, tzinfo=UTC)
QUESTION = (
    "Corvid Connect says CC-418 device posture check failed, how do I get on the VPN from home?"
)
OWNER = "ines"
STORY_NAME = "corvid"
CALLED_AS = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104
"""Every address of the machine is none that a client could be told to call."""


@dataclass
class StoryClock:
    """Moved by the story from week to week."""

    instant: datetime

    def now(self) -> datetime:
        return self.instant


def run_demo(folder: Path, host: str, port: int, *, serve: bool) -> None:
    """Copy the made-up company, live its ten weeks, say what happened, serve.

    Raises:
        InvalidInputError: The folder holds something that is not a demo.
    """
    target = _prepare_folder(folder)
    clock = StoryClock(START)
    application = Application.open(target / "kb.toml", clock)
    try:
        _open_story(application)
        published = _live_weeks(application, clock, sorted((target / "tickets").glob("*.jsonl")))
        _close_story(application, clock, published)
        keys = _make_keys(application)
        end = clock.now()
    finally:
        application.close()
    print_keys(keys, host, port)
    if serve:
        set_globals(str(target / "kb.toml"), format_instant(end))
        run_server(host, port)


def _prepare_folder(folder: Path) -> Path:
    if folder.exists():
        if not (folder / MARK).exists() and any(folder.iterdir()):
            raise InvalidInputError("is not empty and no demo; name another", where=str(folder))
        shutil.rmtree(folder)
    shutil.copytree(CONTENT, folder, ignore=shutil.ignore_patterns(".kb"))
    (folder / MARK).touch()
    return folder


def _open_story(application: Application) -> None:
    _headline("Monday, 31 August 2026: Fennmark installs kbops")
    with _step("reading five sources"):
        reports = list(application.sync_sources())
        application.rebuild_index(actor="demo")
    for report in reports:
        print_line(
            f"  {report['name']:13} {report['new']:3} documents, {report['embedded']:3} passages"
        )
    questions = read_questions(CONTENT / "evaluation" / "questions.jsonl")
    with _step(f"asking {len(questions)} frozen questions"):
        asked = ask_questions(application.retriever, questions)
    half, other = asked[::2], asked[1::2]
    application.learning.calibrate(
        [a.question for a in half], name="frozen-questions", actor="demo"
    )
    with _step("asking the half that the confidence was not fitted on"):
        report = report_answers(ask_questions(application.retriever, [a.question for a in other]))
    known = report["answerable"]
    print_line(
        f"  nDCG@10 {report['ndcg_at_10']:.2f}, recall@5 {report['recall_at_5']:.2f}; tells "
        f"answerable from not at AUROC {known['auroc']:.2f}, calibration error "
        f"{known['expected_calibration_error']:.2f}"
    )


LEARNING_TOLD_WEEK = 10
DECISION_WEEK = 7
"""Ines is away in the week the new client comes; her drafts wait and grow with their gaps."""


@dataclass(frozen=True, slots=True)
class Published:
    """What the story's owner approved."""

    draft: Draft
    gap: Gap


def _live_weeks(application: Application, clock: StoryClock, files: list[Path]) -> list[Published]:
    """Import each week's tickets, run the Monday's jobs, let the owner decide once."""
    _headline("Ten weeks, ten Drives")
    published: list[Published] = []
    known: set[str] = set()
    for week, file in enumerate(files, start=1):
        clock.instant = START + timedelta(weeks=week)
        with file.open("rb") as lines:
            imported = application.desk.import_tickets(lines, "demo")
        with _step(f"week {week}, {file.stem}"):
            run_job(application, "sync")
            report = run_job(application, "drive").report or {}
        _print_week(application, week, imported, report, known)
        if week == DECISION_WEEK:
            published = _decide(application, clock)
    return published


def _print_week(
    application: Application,
    week: int,
    imported: dict[str, Any],
    report: dict[str, Any],
    known: set[str],
) -> None:
    found = application.desk.list_gaps()
    fresh = [gap for gap in found if gap["gap_id"] not in known]
    fresh.sort(key=lambda gap: -gap["priority"])
    known.update(gap["gap_id"] for gap in found)
    steps = report.get("steps", {})
    done = steps.get("drafts", {}).get("result", {})
    drafts, renewed = done.get("written", []), done.get("renewed", [])
    verdicts = steps.get("freshness", {}).get("result", {}).get("verdicts", {})
    written = sum(draft["state"] == DraftState.IN_REVIEW.value for draft in drafts)
    print_line(
        f"  week {week:2}: {imported['read']:2} tickets, {len(fresh)} new gaps; drafts: {written} "
        f"written, {len(renewed)} renewed, {len(drafts) - written} refused with questions; "
        f"{verdicts.get('stale', 0)} stale documents"
    )
    for gap in fresh:
        print_line(f"           {gap['kind']}: “{gap['title']}” ({len(gap['tickets'])} tickets)")
    learned = steps.get("learning", {}).get("result", {})
    told = learned.get("audiences", {}).get(Audience.INTERNAL.value, {})
    if week == LEARNING_TOLD_WEEK and "learned" in told:
        print_line(
            f"           the ranking learns: {learned['judgements']} solved questions; on "
            f"{told['questions']} held back nDCG@10 {told['unlearned']:.2f} -> "
            f"{told['learned']:.2f}"
            + (f", not served: {told['refused']}" if told["refused"] else ", served")
        )
    for failed in report.get("failed", []):
        print_line(f"           FAILED: {failed}: {steps[failed]['error']}")


def _decide(application: Application, clock: StoryClock) -> list[Published]:
    """The IT owner opens her inbox: what is missing in her field, strongest first."""
    with application.database.read() as connection:
        waiting = read_drafts(connection, states=[DraftState.IN_REVIEW], owner=OWNER)
        gaps = {d.draft_id: repository.read_gap(connection, d.gap_id) for d in waiting}
    missing = [d for d in waiting if gaps[d.draft_id].kind is GapKind.MISSING]
    missing.sort(key=lambda d: -gaps[d.draft_id].priority)
    clock.instant += timedelta(hours=4)
    _headline(f"{clock.instant:%A, %-d %B}: Ines is back and opens her inbox")
    print_line(f"  Asked before she decides: {QUESTION}")
    _print_response(_ask(application))
    published = []
    for draft in missing:
        _print_draft(draft, gaps[draft.draft_id])
        answer = application.publishing.review(
            draft.draft_id,
            "approve",
            caller=application.local_caller(OWNER),
            draft_hash=draft.draft_hash,
        )
        print_line(f"\n  Ines approves: {answer['document_id']} v{answer['version']} is served.")
        published.append(Published(draft, gaps[draft.draft_id]))
    print_line(f"\n  Asked again: {QUESTION}")
    _print_response(_ask(application))
    print_line()
    return published


def _ask(application: Application) -> SearchResponse:
    return application.retriever.search(SearchRequest(QUESTION, top_k=3), Audience.INTERNAL)


def _print_draft(draft: Draft, gap: Gap) -> None:
    print_line(
        f"\n  {gap.kind.value}: “{gap.title}”, {len(gap.ticket_ids)} tickets; tickets a week:"
    )
    print_line(f"  {' '.join(str(count) for count in gap.weekly_counts)}")
    for reason in gap.reasons:
        print_line(f"  - {reason.text}")
    print_line("\n  The draft:\n")
    for line in f"# {draft.title}\n\n{draft.markdown}".splitlines():
        print_line(f"    {line}")
    cited = sum(len(statement.citations) for statement in draft.statements)
    print_line(f"\n  {len(draft.statements)} statements, {cited} citations word for word; checks:")
    for check in draft.checks:
        print_line(f"    {check.verdict:5} {check.name}: {check.detail}")


def _print_response(response: SearchResponse) -> None:
    verdict = "answerable" if response.answerable else "NOT ANSWERABLE"
    print_line(f"    {verdict}, confidence {response.confidence:.2f}")
    for hit in response.hits:
        document = hit.chunk.document
        print_line(
            f"    {hit.score:.2f} {document.metadata.title} "
            f"[{document.document_id} v{document.version}, {hit.freshness.verdict.value}]"
        )


def _close_story(application: Application, clock: StoryClock, published: list[Published]) -> None:
    clock.instant = START + timedelta(weeks=10, hours=4)
    _headline(f"{clock.instant:%A, %-d %B}: did it work?")
    if not published:
        print_line("  No draft for a missing topic came up; nothing was published.")
    for effect in application.weekly.measure_effects():
        print_line(f"  {effect['document_id']}: {effect['verdict']}, {effect['report']['why']}")
    if published:
        _print_coverage(application, published)
    waiting = application.desk.list_drafts(application.operator, state="in_review")
    print_line(f"  {len(waiting)} drafts wait in the owners' inboxes:")
    for draft in waiting:
        print_line(f"    {draft['owner']:8} {draft['title']}")


def _print_coverage(application: Application, published: list[Published]) -> None:
    """Tickets that came after the approval: no writer ever saw them."""
    articles = {found.draft.document_id for found in published}
    since = max(found.draft.updated_at for found in published)
    grouped = {ticket for found in published for ticket in _current_tickets(application, found)}
    with application.database.read() as connection:
        later = [
            ticket
            for ticket in repository.read_tickets(connection, since=since)
            if ticket.ticket_id in grouped or STORY_NAME in ticket.question.lower()
        ]
    asked = ask_tickets(application.retriever, later)
    served = [found for found in asked if articles & set(found.documents[:3])]
    print_line(
        f"  {len(later)} tickets about it came after the approval: a new article is among the "
        f"first three hits for {len(served)} of them; before, there was none."
    )


def _current_tickets(application: Application, found: Published) -> tuple[str, ...]:
    with application.database.read() as connection:
        return repository.read_gap(connection, found.gap.gap_id).ticket_ids


def _make_keys(application: Application) -> dict[str, str]:
    keys = {}
    with application.database.write() as connection:
        for name, role, audience, owner in (
            ("agent", Role.AGENT, Audience.INTERNAL, None),
            ("public agent", Role.AGENT, Audience.PUBLIC, None),
            ("owner ines", Role.OWNER, Audience.INTERNAL, "ines"),
            ("admin", Role.ADMIN, Audience.INTERNAL, None),
        ):
            _, keys[name] = create_key(
                connection,
                role=role,
                audience=audience,
                owner=owner,
                now=application.clock.now(),
                actor="demo",
            )
    return keys


def print_keys(keys: dict[str, str], host: str, port: int) -> None:
    """What to open and to paste, for a service that listens there."""
    address = f"http://{CALLED_AS.get(host, host)}:{port}"
    _headline("Try it")
    print_line(f"  Review page  {address}/review   (sign in with the key of an owner or the admin)")
    for name, key in keys.items():
        print_line(f"  {name:12} {key}")
    print_line(
        f"\n  curl -s {address}/v1/search -H 'Authorization: Bearer {keys['agent']}' \\\n"
        "    -H 'Content-Type: application/json' \\\n"
        f'    -d \'{{"query": "{QUESTION}", "top_k": 3}}\'\n'
    )
    print_line("  An MCP client's configuration (more in docs/agents.md):\n")
    print_line(json.dumps(http_configuration(address, keys["agent"]), indent=2) + "\n")


def _headline(text: str) -> None:
    print_line(f"\n{text}\n{'=' * len(text)}")


@contextmanager
def _step(text: str) -> Iterator[None]:
    """A spinner on a terminal, a plain line in a log."""
    if not sys.stdout.isatty():
        sys.stdout.flush()
        yield
        return
    from rich.console import Console

    with Console().status(text):
        yield
