"""Does the product know when it does not know?

    python bench/knowing.py --data DIR [--work DIR] [--json FILE] [--only PART] [--prior FILE]

Runs the product's own path (sync, `kb learn`, search, `kb evaluate`) on Thunderbird's tickets split
in time, on CLINC150 with questions out of scope, and on this repository's own content. `--prior`
writes the confidence that ships, fitted on that content. Method and figures: bench/README.md.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import random
import shutil
import sys
import tempfile
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import thunderbird_data
from retrieval_inputs import TEST_SINCE, write_inputs

from api.wiring import Application
from kb.clock import FixedClock, parse_instant
from kb.confidence import UNCALIBRATED
from kb.evaluation import Asked, Question, ask_questions, read_questions, report_answers
from kb.training.calibrating import Outcome, choose_threshold, fit_calibration
from kb.types import Audience

CONTENT = Path(__file__).parents[1] / "content"
PARTS = ("thunderbird", "clinc150", "content")
LEARN_NOW = "2024-03-29"
"""Tickets solved by 2024-03-15 have stood for 14 days; the test begins on 2024-04-01."""
CONTENT_NOW = "2026-08-31"
PHRASES = 10
IN_SCOPE_TO_FIT = 600
REPEATS = 20
EVEN_CHANCE = 0.5
"""Threshold of what ships: one chosen on this content would claim too much elsewhere."""
FOLDS = 5


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parse(arguments)
    missing = _find_missing(options)
    if missing is not None:
        print(missing, file=sys.stderr)
        return 2
    made = tempfile.TemporaryDirectory() if options.work is None else nullcontext(options.work)
    with made as folder:
        report = run(options, Path(folder))
    told = json.dumps(report, indent=1)
    if options.json is not None:
        options.json.write_text(told + "\n", encoding="utf-8")
    print(told)
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="does the product know when it does not know?")
    parser.add_argument("--data", type=Path, help="folder that holds the data sets")
    parser.add_argument("--work", type=Path, help="keep what was written here")
    parser.add_argument("--json", type=Path, help="also write the report here")
    parser.add_argument("--only", choices=PARTS)
    parser.add_argument("--prior", type=Path, help="write the confidence fitted on content/ here")
    return parser.parse_args(arguments)


def _find_missing(options: argparse.Namespace) -> str | None:
    """One line that says what data is missing."""
    if options.only in (None, "thunderbird"):
        found = thunderbird_data.find_data(options.data)
        if isinstance(found, str):
            return found
    if options.only in (None, "clinc150") and not (
        options.data is not None and (options.data / "clinc150" / "test.csv.gz").is_file()
    ):
        return "name the folder that holds clinc150 with --data DIR"
    return None


def run(options: argparse.Namespace, work: Path) -> dict[str, Any]:
    report: dict[str, Any] = {}
    if options.only in (None, "thunderbird"):
        report["thunderbird"] = measure_thunderbird(options.data, work / "thunderbird")
    if options.only in (None, "clinc150"):
        report["clinc150"] = measure_clinc(options.data / "clinc150", work / "clinc150")
    if options.only in (None, "content"):
        report["content"] = measure_content(work / "content", options.prior)
    return report


def measure_thunderbird(data: Path, work: Path) -> dict[str, Any]:
    """Fitted in `kb learn` on tickets solved by 2024-03-15, measured on questions since 2024-04."""
    work.mkdir(parents=True, exist_ok=True)
    inputs = write_inputs(data / thunderbird_data.FOLDER, work, None, 0)
    config = inputs.write_config(work / "kb")
    late = [
        Question(q.query_id, q.text, q.relevant, True, Audience.PUBLIC)
        for q in inputs.queries
        if q.asked_on >= TEST_SINCE
    ]
    application = _open(config, LEARN_NOW)
    try:
        young = report_answers(ask_questions(application.retriever, late))
        with inputs.tickets.open("rb") as lines:
            application.desk.import_tickets(lines, "bench")
        learned = application.learning.learn(actor="bench")
        asked = ask_questions(application.retriever, late)
    finally:
        application.close()
    return {
        "test_questions": len(late),
        "before_learning": _knowing(young),
        "learned": _knowing(report_answers(asked)),
        "held_back_in_learn": learned["confidence"]["public"]["evaluation"],
        "threshold": learned["confidence"]["public"]["threshold"],
    }


def measure_clinc(data: Path, work: Path) -> dict[str, Any]:
    """In scope against out of scope; fitted on frozen questions of the validation split."""
    train, validation, test = (_read_table(data / f"{n}.csv.gz") for n in ("train", "val", "test"))
    config = _write_intents(train, work)
    known = [_to_question(row) for row in validation]
    wanted = [question for question in known if question.answerable]
    random.Random(1).shuffle(wanted)
    frozen = wanted[:IN_SCOPE_TO_FIT] + [q for q in known if not q.answerable]
    tested = [_to_question(row) for row in test]
    application = _open(config, CONTENT_NOW)
    try:
        before = report_answers(ask_questions(application.retriever, tested))
        fitted = application.learning.calibrate(frozen, name="bench", actor="bench")
        asked = ask_questions(application.retriever, tested)
    finally:
        application.close()
    return {
        "frozen_questions": len(frozen),
        "test_questions": len(asked),
        "before_learning": _knowing(before),
        "fitted": _knowing(report_answers(asked)),
        "held_back_in_learn": fitted["public"]["evaluation"],
        "threshold": fitted["public"]["threshold"],
    }


def _read_table(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _write_intents(train: Sequence[dict[str, str]], work: Path) -> Path:
    """An article for each intent: its words as title, ten training phrases as a list."""
    phrases: dict[str, list[str]] = {}
    for row in train:
        if row["label"] != "oos":
            phrases.setdefault(row["label"], []).append(row["text"])
    (work / "articles").mkdir(parents=True, exist_ok=True)
    for label, said in phrases.items():
        key = label.replace("_", "-")
        body = "\n".join(f"- {phrase}" for phrase in said[:PHRASES])
        (work / "articles" / f"{key}.md").write_text(
            f'---\nid: "{key}"\ntitle: "{label.replace("_", " ")}"\n---\n\n{body}\n',
            encoding="utf-8",
        )
    config = work / "kb.toml"
    config.write_text(thunderbird_data.CONFIG, encoding="utf-8")
    return config


def _to_question(row: dict[str, str]) -> Question:
    in_scope = row["label"] != "oos"
    relevant = {row["label"].replace("_", "-"): 1.0} if in_scope else {}
    return Question(row["id"], row["text"], relevant, in_scope, Audience.PUBLIC)


def measure_content(work: Path, prior: Path | None) -> dict[str, Any]:
    """On what it was not fitted on: one half after the other, and fifths in turn, repeated."""
    shutil.copytree(
        CONTENT, work, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".kb", "__pycache__")
    )
    questions = read_questions(work / "evaluation" / "questions.jsonl")
    application = _open(work / "kb.toml", CONTENT_NOW)
    try:
        asked = ask_questions(application.retriever, questions)
    finally:
        application.close()
    if prior is not None:
        outcomes = [Outcome(a.features, a.answered) for a in asked]
        model = replace(
            fit_calibration(outcomes, name=UNCALIBRATED), threshold=EVEN_CHANCE
        ).to_json()
        prior.write_text(json.dumps(model, indent=1) + "\n", encoding="utf-8")
    halves = _judge(asked, [place % 2 for place in range(len(asked))])
    repeated = []
    for seed in range(REPEATS):
        folds = [place % FOLDS for place in range(len(asked))]
        random.Random(seed).shuffle(folds)
        repeated.append(_knowing(report_answers(_judge(asked, folds))))
    averaged = {
        key: sum(found[key] for found in repeated) / REPEATS
        for key, value in repeated[0].items()
        if isinstance(value, float)
    }
    best = choose_threshold([a.confidence for a in halves], [a.question.answerable for a in halves])
    return {
        "questions": len(asked),
        "unanswerable": sum(not a.question.answerable for a in asked),
        "other_half": _knowing(report_answers(halves)),
        "fifths_in_turn_mean": averaged,
        "best_at_5_percent_false_refusals": _knowing(
            report_answers([replace(a, answerable=a.confidence >= best) for a in halves])
        )["refused_share"],
    }


def _judge(asked: Sequence[Asked], folds: Sequence[int]) -> list[Asked]:
    """Each question as a confidence says it that was fitted on the other folds."""
    judged = []
    for fold in sorted(set(folds)):
        rest = [a for a, place in zip(asked, folds, strict=True) if place != fold]
        fitted = fit_calibration([Outcome(a.features, a.answered) for a in rest], name="fold")
        for a, place in zip(asked, folds, strict=True):
            if place == fold:
                chance = fitted.probability(a.features)
                judged.append(replace(a, confidence=chance, answerable=chance >= fitted.threshold))
    return judged


def _open(config: Path, now: str) -> Application:
    application = Application.open(config, FixedClock(parse_instant(now)))
    for report in application.sync_sources():
        if report.get("failed") or report.get("refused"):
            raise SystemExit(f"{config}: {report}")
    application.refresh_index(actor="bench")
    return application


def _knowing(report: dict[str, Any]) -> dict[str, Any]:
    return dict(report["answerable"])


if __name__ == "__main__":
    sys.exit(main())
