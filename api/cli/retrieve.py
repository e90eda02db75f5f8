"""Commands about finding: search, evaluate, learn."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from api.cli.session import open_application, print_json, print_line, show_progress
from kb.types import Audience, SearchRequest

AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]


def add_commands(app: typer.Typer) -> None:
    app.command()(search)
    app.command()(evaluate)
    app.command()(learn)


def search(
    query: str,
    audience: Annotated[Audience, typer.Option(help="Who is asking.")] = Audience.INTERNAL,
    top_k: Annotated[int, typer.Option("--top-k", min=1, max=50)] = 10,
    explain: Annotated[bool, typer.Option(help="Say why each hit ranks where it does.")] = False,
    include_overruled: Annotated[bool, typer.Option("--include-overruled")] = False,
    as_json: AsJson = False,
) -> None:
    """Ask what an agent would ask."""
    from api.schemas import search_json
    from kb import searchlog
    from kb.errors import InvalidInputError
    from kb.retrieval.retriever import with_search_id

    if not query.strip():
        raise InvalidInputError("the query is empty")
    request = SearchRequest(query, top_k=top_k, include_overruled=include_overruled)
    with open_application() as application:
        response = application.retriever.search(request, audience)
        with application.database.write() as connection:
            search_id = searchlog.write_search(
                connection,
                request,
                response,
                audience=audience,
                key_id=None,
                at=application.clock.now(),
            )
    answer = search_json(with_search_id(response, search_id), explain=explain)
    if as_json:
        print_json(answer)
        return
    _print_answer(answer)


def _print_answer(answer: dict[str, Any]) -> None:
    verdict = "answerable" if answer["answerable"] else "NOT ANSWERABLE"
    print_line(f"{verdict}, confidence {answer['confidence']:.2f} ({answer['calibration']})")
    for fault in answer["degraded"]:
        print_line(f"degraded: {fault}")
    for place, hit in enumerate(answer["hits"], start=1):
        heading = " > ".join([hit["title"], *hit["heading_path"]])
        print_line(f"\n{place}. {heading}  [{hit['document_id']} v{hit['version']}]")
        print_line(
            f"   score {hit['score']:.3f} · {hit['authority']} · {hit['audience']} · "
            f"owner {hit['owner']} · {hit['freshness']['verdict']}"
        )
        for reason in hit["freshness"]["reasons"]:
            print_line(f"   {reason}")
        for ruling in hit["overrules"]:
            print_line(f"   overrules {ruling['document_id']}: {ruling['reason']}")
        if hit["overruled_by"]:
            ruling = hit["overruled_by"]
            print_line(f"   overruled by {ruling['document_id']}: {ruling['reason']}")
        text = " ".join(hit["text"].split())
        print_line(f"   {text[:240]}{'…' if len(text) > 240 else ''}")
        if "why" in hit:
            print_line(f"   why: {hit['why']}")


def evaluate(
    file: Annotated[Path, typer.Argument(help="Frozen question set, JSON lines.")],
    as_json: AsJson = False,
) -> None:
    """Ask a frozen question set and report quality and calibration."""
    from kb.evaluation import ask_questions, read_questions, report_answers

    questions = read_questions(file)
    with open_application() as application, show_progress("questions", quiet=as_json) as tick:
        report = report_answers(ask_questions(application.retriever, questions, progress=tick))
    if as_json:
        print_json(report)
        return
    print_line(f"{report['questions']} questions")
    for name, interval in report["intervals"].items():
        value = report[name]
        if value is not None and interval is not None:
            print_line(f"{name:14} {value:.3f}  [{interval[0]:.3f} {interval[1]:.3f}]")
    for name, value in report["answerable"].items():
        print_line(f"{name:26} {'-' if value is None else f'{value:.3f}'}")


def learn(
    questions: Annotated[Path, typer.Option(help="Frozen question set to fit on.")],
    name: Annotated[str, typer.Option(help="What responses call the calibration.")] = "fitted",
    as_json: AsJson = False,
) -> None:
    """Fit the confidence on a frozen question set; the next search uses it."""
    from kb.evaluation import ask_questions, read_questions
    from kb.learning.calibrations import write_calibration
    from kb.training.calibrating import fit_on_answers

    asked_questions = read_questions(questions)
    with open_application() as application:
        with show_progress("questions", quiet=as_json) as tick:
            asked = ask_questions(application.retriever, asked_questions, progress=tick)
        calibration = fit_on_answers(asked, name=name)
        with application.database.write() as connection:
            write_calibration(connection, calibration, actor="cli", now=application.clock.now())
    if as_json:
        print_json(calibration.to_json())
        return
    found = calibration.evaluation
    print_line(
        f"fitted on {found['questions']} questions; held back: AUROC "
        f"{found['held_back_auroc']:.3f}, calibration error "
        f"{found['held_back_calibration_error']:.3f}"
    )
