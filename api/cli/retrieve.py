"""Commands about finding: search, evaluate, learn."""

from __future__ import annotations

from collections.abc import Iterator
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
    verified_only: Annotated[
        bool, typer.Option("--verified-only", help="Only what a person confirmed of late.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Ask what an agent would ask."""
    from api.schemas import search_json
    from kb import searchlog
    from kb.errors import InvalidInputError
    from kb.retrieval.retriever import with_search_id

    if not query.strip():
        raise InvalidInputError("the query is empty")
    request = SearchRequest(
        query, top_k=top_k, include_overruled=include_overruled, verified_only=verified_only
    )
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
    if answer["why_not"]:
        print_line(answer["why_not"]["reason"])
        nearest = answer["why_not"]["nearest"]
        if nearest:
            similar = nearest["similarity"]
            told = "" if similar is None else f", cosine {similar:.2f}"
            print_line(f"nearest: {nearest['title']}  [{nearest['document_id']}]{told}")
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
    _print_knowing(report["answerable"])


def _print_knowing(known: dict[str, Any]) -> None:
    for name, value in known.items():
        if name in ("intervals", "coverage"):
            continue
        interval = known["intervals"].get(name)
        told = "" if interval is None else f"  [{interval[0]:.3f} {interval[1]:.3f}]"
        print_line(f"{name:29} {'-' if value is None else f'{value:.3f}'}{told}")
    for point in known["coverage"]:
        print_line(
            f"most confident {point['coverage']:4.0%}: {point['accuracy']:.3f} answered, "
            f"confidence from {point['threshold']:.2f}"
        )


def learn(
    questions: Annotated[
        Path | None,
        typer.Option(help="Frozen question set: guards the ranking, and fits the confidence."),
    ] = None,
    name: Annotated[str, typer.Option(help="What responses call the confidence.")] = "fitted",
    roll_back: Annotated[
        bool, typer.Option("--roll-back", help="Serve the version before the one in force.")
    ] = False,
    versions: Annotated[bool, typer.Option("--versions", help="List what was learned.")] = False,
    as_json: AsJson = False,
) -> None:
    """Learn the ranking from solved tickets, then the confidence from them and a question set."""
    with open_application() as application:
        learning = application.learning
        if versions:
            _print_models(learning.list_models(), as_json=as_json)
            return
        if roll_back:
            serving = learning.roll_back(actor="cli")
            if as_json:
                print_json({"serving": serving})
            else:
                print_line(f"serving {serving or 'the unlearned ranking'}")
            return
        report = learning.learn(actor="cli", questions=questions, name=name)
    if as_json:
        print_json(report)
        return
    for line in _describe_learned(report):
        print_line(line)
    for line in _describe_confidence(report["confidence"]):
        print_line(line)


def _describe_learned(report: dict[str, Any]) -> Iterator[str]:
    yield f"{report['judgements']} solved questions; serving {report['serving'] or 'unlearned'}"
    for audience, found in report["audiences"].items():
        if "learned" not in found:
            yield f"  {audience:9} not learned: {found['refused']}"
            continue
        told = (
            f"  {audience:9} held back {found['questions']} questions: nDCG@10 "
            f"{found['unlearned']:.3f} unlearned, {found['learned']:.3f} learned"
        )
        yield told if found["refused"] is None else f"{told}; refused: {found['refused']}"


def _describe_confidence(report: dict[str, Any]) -> Iterator[str]:
    for audience, fitted in report.items():
        if fitted["refused"] is not None:
            yield f"  {audience:9} confidence as before: {fitted['refused']}"
            continue
        found = fitted["evaluation"]
        yield (
            f"  {audience:9} confidence fitted on {found['questions']} questions, threshold "
            f"{fitted['threshold']:.2f}; held back ({found['held_back']}): calibration error "
            f"{found['held_back_calibration_error']:.3f}, AUROC {_say(found['held_back_auroc'])}, "
            f"refused {_say(found['refused_of_unanswered'])} of the unanswered and "
            f"{_say(found['refused_of_answered'])} of the answered"
        )


def _say(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _print_models(models: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        print_json({"models": models})
        return
    if not models:
        print_line("nothing learned yet")
    for model in models:
        mark = "*" if model["serving"] else " "
        print_line(
            f"{mark} {model['model_id']}  fitted {model['fitted_at']}, solved by {model['until']}, "
            f"for {', '.join(model['weights'])}"
        )
