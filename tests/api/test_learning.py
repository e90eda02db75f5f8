"""`kb learn`: what it learns, what it refuses, what serves, and the way back."""

from __future__ import annotations

import json
import random
import shutil
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from api.cli.main import main
from gaps.operating.drive import period_of
from kb import articles, audit, intake
from kb.errors import ConflictError, NotFoundError
from kb.evaluation import Question
from kb.learning import models as models_module
from kb.learning.judgements import read_judgements
from kb.learning.models import read_active, read_passed_over
from kb.learning.ranker import FEATURES, Ranker
from kb.tables import judgements, learned_models
from kb.training import examples as examples_module
from kb.training import learning as learning_module
from kb.training.gate import FEWEST_IN_SLICE
from kb.types import Audience
from tests.api.factories import NOW
from tests.api.lessons import (
    SHARED,
    TOPICS,
    Lessons,
    make_articles,
    make_history,
    make_question,
    make_solved,
    settings_of,
    shape,
)
from tests.kb.factories import make_parsed

SOLVED = 40


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning_module, "CAUTIONS", (1.0,))


@pytest.fixture
def lessons(tmp_path: Path) -> Iterator[Lessons]:
    found = Lessons.open(tmp_path / "kb")
    found.put(make_articles(random.Random(1)))
    yield found
    found.close()


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A knowledge base that has learned."""
    folder = tmp_path_factory.mktemp("learned")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(learning_module, "CAUTIONS", (1.0,))
        found = Lessons.open(folder)
        found.put(make_articles(random.Random(1)))
        found.solve(make_history(random.Random(2), SOLVED))
        assert found.learn()["serving"] is not None
        found.close()
    return folder


@pytest.fixture
def learned(template: Path, tmp_path: Path) -> Iterator[Lessons]:
    shutil.copytree(template / ".kb", tmp_path / "copy" / ".kb")
    shutil.copy(template / "kb.toml", tmp_path / "copy" / "kb.toml")
    found = Lessons.open(tmp_path / "copy", settings_of(template))
    yield found
    found.close()


def questions(seed: int = 9, count: int = TOPICS) -> list[str]:
    rng = random.Random(seed)
    return [make_question(rng, n % TOPICS) for n in range(count)]


def hits_first(lessons: Lessons) -> int:
    return sum(
        lessons.find(q)[:1] == [f"topic-{n % TOPICS}"] for n, q in enumerate(questions(count=16))
    )


def shapes(lessons: Lessons) -> list[object]:
    return [
        shape(lessons.ask(q, audience, top_k=50))
        for q in questions()
        for audience in (Audience.PUBLIC, Audience.INTERNAL)
    ]


def worsen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every fit comes out upside down."""
    bad = Ranker(tuple(-5.0 for _ in FEATURES))
    monkeypatch.setattr(learning_module, "fit_ranker", lambda *_, **__: bad)


def test_what_was_solved_is_found_first_afterwards(lessons: Lessons) -> None:
    before = hits_first(lessons)
    lessons.solve(make_history(random.Random(2), SOLVED))
    assert hits_first(lessons) == before, "nothing is learned before kb learn"
    report = lessons.learn()
    assert report["serving"] == report["model_id"] == lessons.serving()
    assert before <= 4 and hits_first(lessons) >= 12


def test_the_same_solved_questions_teach_the_same_in_any_order(
    learned: Lessons, lessons: Lessons
) -> None:
    history = make_history(random.Random(2), SOLVED)
    random.Random(5).shuffle(history)
    for start in range(0, SOLVED, 7):
        lessons.solve(history[start : start + 7])
    first = learned.learn()
    assert lessons.learn() == first
    assert shapes(lessons) == shapes(learned)


@pytest.mark.parametrize("people", [0, 10, 29])
def test_too_few_requesters_leave_every_answer_as_it_was(lessons: Lessons, people: int) -> None:
    before = shapes(lessons)
    lessons.solve(make_history(random.Random(2), people))
    again = [
        make_solved(f"x{n}", q, "topic-1", requester="person 0") for n, q in enumerate(questions())
    ]
    lessons.solve(again if people else [])
    report = lessons.learn()
    assert (report["serving"], report["model_id"]) == (None, None)
    assert report["audiences"]["internal"]["refused"].startswith(f"{people} solved questions")
    assert shapes(lessons) == before


def test_thirty_requesters_are_enough(lessons: Lessons) -> None:
    lessons.solve(make_history(random.Random(2), 30))
    assert lessons.learn()["serving"] is not None


def test_what_does_not_teach(lessons: Lessons) -> None:
    rng = random.Random(3)
    said: list[dict[str, Any]] = [
        {"status": "open"}, {"reopened": True}, {"helpful": False}, {"linked_articles": []},
        {"linked_articles": ["never-was"]},
        {"created_at": "2027-01-01T00:00:00Z", "solved_at": "2027-01-02T00:00:00Z"},
    ]  # fmt: skip
    history = make_history(rng, 29)
    odd = [make_solved(f"o{n}", make_question(rng, 1), "topic-1", **s) for n, s in enumerate(said)]
    lessons.solve([*history, *odd])
    assert lessons.learn()["audiences"]["public"]["refused"].startswith("29 ")


def test_a_worse_fit_is_refused_and_the_version_before_serves_on(
    learned: Lessons, monkeypatch: pytest.MonkeyPatch
) -> None:
    serving = learned.serving()
    # Dated back, so that they would count as precedents of the version that serves.
    learned.solve(make_solved(700 + n, q, "topic-1") for n, q in enumerate(questions()))
    learned.later(days=1)
    worsen(monkeypatch)
    report = learned.learn()
    for audience in Audience:
        assert "worse" in report["audiences"][audience]["refused"]
    assert report["model_id"] is None and report["serving"] == serving
    with learned.database.read() as connection:
        known = {j.ref for j in read_judgements(connection, NOW, 1_000)}
    assert not {f"ticket:T-{700 + n}" for n in range(TOPICS)} & known


def test_a_refused_fit_changes_no_answer(learned: Lessons, monkeypatch: pytest.MonkeyPatch) -> None:
    before = shapes(learned)
    learned.solve(make_solved(700 + n, q, "topic-1") for n, q in enumerate(questions()))
    worsen(monkeypatch)
    assert learned.learn()["model_id"] is None
    assert shapes(learned) == before


def test_frozen_questions_of_every_audience_shut_the_gate(
    lessons: Lessons, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where an audience sees no more than the one before, and takes its fit."""
    lessons.solve(make_history(random.Random(2), SOLVED))
    rng = random.Random(4)
    frozen = [
        Question(f"f{n}", make_question(rng, n % TOPICS), {f"topic-{(n + 1) % TOPICS}": 1.0}, True,
                 Audience.INTERNAL)
        for n in range(FEWEST_IN_SLICE)
    ]  # fmt: skip
    monkeypatch.setattr(lessons.application.learning, "read_frozen", lambda _=None: frozen)
    report = lessons.learn()
    assert report["audiences"]["public"]["refused"] is None
    assert report["audiences"]["internal"]["refused"].startswith("frozen questions: worse by")
    before = report["audiences"]["internal"]["slices"]["frozen questions"]
    assert before["questions"] == FEWEST_IN_SLICE


def test_roll_back_leads_to_the_version_before_and_then_to_none(learned: Lessons) -> None:
    unlearned = Lessons.open(learned.application.root / "plain")
    unlearned.put(make_articles(random.Random(1)))
    first, answers = learned.serving(), shapes(learned)
    learned.solve(make_history(random.Random(8), 60)[SOLVED:])
    learned.later(days=1)
    second = learned.learn()["serving"]
    learned.later(days=-1)
    assert second not in (None, first)
    rolled = learned.application.learning.roll_back(actor="ana")
    assert rolled == first == learned.serving()
    with learned.database.read() as connection:
        last = audit.read_entries(connection, limit=1)[0]
    assert (last.action, last.actor, last.subject) == ("learned.activate", "ana", first)
    assert last.details["before"] == second and last.details["after"] == first
    assert [h.chunk.document.document_id for h in learned.ask(questions()[0]).hits]
    assert len(answers) == len(shapes(learned))
    assert learned.application.learning.roll_back(actor="ana") is None
    assert shapes(learned) == shapes(unlearned)
    with pytest.raises(ConflictError, match="no learned model is in force"):
        learned.application.learning.roll_back(actor="ana")
    unlearned.close()


def test_a_search_after_a_roll_back_answers_as_before(learned: Lessons) -> None:
    answers = shapes(learned)
    learned.later(hours=1)
    # Solved since, so that only the later version counts it.
    learned.solve([
        make_solved(f"n{n}", q, "topic-2", at=NOW + timedelta(minutes=n + 1))
        for n, q in enumerate(questions())
    ])  # fmt: skip
    assert learned.learn()["model_id"] is not None
    learned.application.learning.roll_back(actor="ana")
    fresh = Lessons(type(learned.application)(
        learned.application.settings, learned.application.root,
        type(learned.application.clock)(NOW),
    ))  # fmt: skip
    assert shapes(fresh) == answers
    fresh.close()


def test_what_was_rolled_back_is_not_rolled_back_to(learned: Lessons) -> None:
    first = learned.serving()
    learned.later(days=1)
    bad = learned.learn()["serving"]
    assert learned.application.learning.roll_back(actor="ana") == first
    learned.later(days=1)
    third = learned.learn()["serving"]
    assert len({first, bad, third}) == 3
    assert learned.application.learning.roll_back(actor="ana") == first


def test_learning_the_same_again_is_told_as_that(learned: Lessons) -> None:
    serving = learned.serving()
    assert learned.learn()["serving"] == serving
    with learned.database.read() as connection:
        last = audit.read_entries(connection, limit=1)[0]
    assert (last.details["before"], last.details["after"]) == (serving, serving)


def test_a_crash_before_activation_leaves_the_old_version_serving(
    learned: Lessons, monkeypatch: pytest.MonkeyPatch
) -> None:
    serving, before = learned.serving(), shapes(learned)
    learned.later(days=1)

    def crash(*_: Any, **__: Any) -> None:
        raise RuntimeError("killed")

    monkeypatch.setattr(learning_module, "activate_model", crash)
    with pytest.raises(RuntimeError):
        learned.learn()
    learned.later(days=-1)
    assert learned.serving() == serving and shapes(learned) == before
    assert len(learned.application.learning.list_models()) == 1


def test_an_unknown_version_is_not_activated(learned: Lessons) -> None:
    with pytest.raises(NotFoundError), learned.database.write() as connection:
        models_module.activate_model(connection, "lm_unknown", actor="t", now=NOW)
    assert learned.serving() is not None


def test_old_versions_go_but_never_the_one_in_force(learned: Lessons) -> None:
    for _ in range(models_module.KEPT_MODELS + 2):
        learned.later(days=1)
        learned.learn()
    found = learned.application.learning.list_models()
    assert len(found) == models_module.KEPT_MODELS and found[0]["serving"]


def test_a_model_of_another_encoder_is_not_served(learned: Lessons, lessons: Lessons) -> None:
    with learned.database.write() as connection:
        intake.next_sequence(connection)
        connection.execute(update(learned_models).values(recipe="hashing/64/v1"))
    assert shapes(learned) == shapes(lessons)


# Articles that have solved nothing yet.


def unlearned_place(lessons: Lessons, question: str, document_id: str) -> int:
    response = lessons.ask(question, top_k=50)
    scores = [
        (-sum(v for k, v in h.why.items() if k in ("semantic_part", "lexical_part", "title_part")),
         h.chunk.document.document_id)
        for h in response.hits
    ]  # fmt: skip
    return [key for _, key in sorted(scores)].index(document_id)


def test_a_new_article_keeps_its_unlearned_place_at_least(learned: Lessons) -> None:
    rng = random.Random(6)
    asked = questions()
    for n, question in enumerate(asked):
        text = " ".join([question.split()[n % 6], *rng.sample(SHARED, 4)])
        learned.put([make_parsed(f"new-{n}", text, title=f"News {n}")])
    for n, question in enumerate(asked):
        place = learned.find(question, top_k=50).index(f"new-{n}")
        assert place <= unlearned_place(learned, question, f"new-{n}")


def test_one_solved_ticket_costs_an_article_no_more_than_its_protection(learned: Lessons) -> None:
    question = questions()[0]
    text = " ".join([*question.split()[:3], "and more"])
    learned.put([make_parsed("new", text, title="News")])
    before = learned.find(question, top_k=50).index("new")
    learned.solve([make_solved("first", "something else entirely", "new")])
    learned.learn()
    assert learned.find(question, top_k=50).index("new") <= before + 1


def test_passed_over_takes_twenty_requesters_after_the_article_came(
    lessons: Lessons, monkeypatch: pytest.MonkeyPatch
) -> None:
    lessons.put([make_parsed("old", " ".join(SHARED), title=" ".join(SHARED[:4]))])
    lessons.put(
        [make_parsed("late", " ".join(SHARED), title=" ".join(SHARED[:4]))],
        at=NOW + timedelta(days=1),
    )
    lessons.solve(make_history(random.Random(2), SOLVED))
    monkeypatch.setattr(examples_module, "SHOWN_FIRST", 50)
    lessons.learn()
    assert "old" in passed(lessons)
    assert "late" not in passed(lessons), "the questions were asked before it came"
    monkeypatch.setattr(examples_module, "OFTEN_PASSED_OVER", SOLVED + 1)
    lessons.learn()
    assert passed(lessons) == set()


def passed(lessons: Lessons) -> set[str]:
    with lessons.database.read() as connection:
        model = read_active(connection)
        assert model is not None
        return set(read_passed_over(connection, model.model_id).get(Audience.PUBLIC, ()))


def test_beginnings_tell_the_first_sync_from_what_came_later(lessons: Lessons) -> None:
    lessons.put([make_parsed("late", "text")], at=NOW + timedelta(days=2))
    lessons.put([make_parsed("topic-1", "changed")], at=NOW + timedelta(days=3))
    hidden = make_parsed("hidden", "text", audience=Audience.INTERNAL)
    lessons.put([hidden], at=NOW - timedelta(days=90))
    for document_id in ("topic-0", "topic-2"):
        lessons.delete(document_id)
    with lessons.database.read() as connection:
        began = articles.read_beginnings(connection, Audience.PUBLIC, within=timedelta(hours=1))
    assert began["topic-3"] is None
    assert began["late"] == NOW + timedelta(days=2)
    assert began["topic-1"] == NOW + timedelta(days=3)
    assert not {"topic-0", "hidden"} & began.keys()


# What comes in.


def test_odd_tickets_are_learned_without_a_word(lessons: Lessons) -> None:
    links = [f"unknown-{n}" for n in range(192)] + [f"topic-{n}" for n in range(TOPICS)]
    odd = [
        make_solved("links", "many links", *links),
        make_solved("emoji", "🙂 ﬁ ² \u202e" * 50, "topic-1"),
        make_solved("space", " \n ", "topic-1", subject="."),
        make_solved("long", "word " * 20_000, "topic-1"),
    ]
    lessons.solve([*make_history(random.Random(2), SOLVED), *odd])
    report = lessons.learn()
    assert report["serving"] is not None and report["judgements"] == SOLVED + 4
    for question in ("many links", "🙂", "?", "word"):
        assert lessons.ask(question).hits is not None


def test_nobody_crowds_out_others_judgements(lessons: Lessons) -> None:
    loud = [make_solved(500 + n, f"loud {n}", "topic-1", requester="m") for n in range(50)]
    own = [make_solved(800 + n, f"own {n}", "topic-1", product="own") for n in range(50)]
    lessons.solve([*make_history(random.Random(2), SOLVED), *loud, *own])
    lessons.learn()
    with lessons.database.read() as connection:
        found = read_judgements(connection, NOW, SOLVED + 5)
    public = [j for j in found if j.audience is Audience.PUBLIC]
    assert len({j.requester for j in public}) == SOLVED + 1
    assert len(public) == SOLVED + 5


def test_searches_go_on_while_it_learns(learned: Lessons) -> None:
    failed: list[BaseException] = []
    stop = threading.Event()

    def search() -> None:
        while not stop.is_set():
            try:
                assert learned.find(questions()[0])
            except BaseException as error:
                failed.append(error)
                return

    threads = [threading.Thread(target=search) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(2):
            learned.later(days=1)
            learned.learn()
        learned.application.learning.roll_back(actor="t")
        learned.application.desk.delete_ticket("T-3", "t")
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert failed == []


def test_a_judgement_without_its_vector_is_left_out(learned: Lessons) -> None:
    with learned.database.write() as connection:
        intake.next_sequence(connection)
        connection.execute(
            insert(judgements).values(
                ref="ticket:odd", document_id="topic-1", kind="ticket", content_hash="0" * 64,
                audience="public", requester="r", at=NOW - timedelta(days=1),
            )
        )  # fmt: skip
    assert learned.find(questions()[1])[0] == "topic-1"


# Commands.


def kb(lessons: Lessons, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """Exit code, output and errors of a command on the same folder."""
    config = str(lessons.application.root / "kb.toml")
    code = 0
    try:
        main([*words, "--config", config, "--now", NOW.isoformat()])
    except SystemExit as stop:
        code = int(stop.code or 0)
    told = capsys.readouterr()
    return code, told.out, told.err


def test_the_command_learns_lists_and_rolls_back(
    learned: Lessons, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = kb(learned, capsys, "learn", "--json")
    report = json.loads(out)
    assert code == 0
    assert report.keys() == {"judgements", "audiences", "model_id", "serving", "confidence"}
    assert report["audiences"].keys() == {a.value for a in Audience}
    assert report["audiences"]["public"].keys() == {
        "questions", "requesters", "unlearned", "learned", "difference", "interval", "slices",
        "refused", "solved", "caution", "weights",
    }  # fmt: skip
    code, out, _ = kb(learned, capsys, "learn")
    assert code == 0 and f"{SOLVED} solved questions; serving {report['serving']}" in out
    assert "held back" in out
    (model,) = json.loads(kb(learned, capsys, "learn", "--versions", "--json")[1])["models"]
    assert model.keys() == {
        "model_id", "fitted_at", "until", "encoder", "serving", "weights", "evaluation",
    }  # fmt: skip
    assert kb(learned, capsys, "learn", "--versions")[1].startswith(f"* {report['serving']}  ")
    assert kb(learned, capsys, "learn", "--roll-back")[1] == "serving the unlearned ranking\n"
    code, out, err = kb(learned, capsys, "learn", "--roll-back")
    assert (code, out, err) == (1, "", "kb: no learned model is in force\n")
    code, out, err = kb(learned, capsys, "learn", "--roll-back", "--json")
    assert (code, out) == (1, "")


def test_the_command_says_that_nothing_was_learned(
    lessons: Lessons, capsys: pytest.CaptureFixture[str]
) -> None:
    assert kb(lessons, capsys, "learn", "--versions") == (0, "nothing learned yet\n", "")
    assert json.loads(kb(lessons, capsys, "learn", "--versions", "--json")[1]) == {"models": []}
    code, out, _ = kb(lessons, capsys, "learn")
    assert code == 0 and out.startswith("0 solved questions; serving unlearned\n")
    assert "not learned: 0 solved questions of different requesters; it takes 30" in out
    code, _, err = kb(lessons, capsys, "learn", "--questions", "nowhere.jsonl")
    assert code == 1 and "nowhere.jsonl" in err


def test_a_ticket_is_deleted_by_command(
    learned: Lessons, capsys: pytest.CaptureFixture[str]
) -> None:
    assert kb(learned, capsys, "tickets", "delete", "T-3") == (0, "deleted T-3\n", "")
    code, out, err = kb(learned, capsys, "tickets", "delete", "T-3")
    assert (code, out) == (1, "") and err.count("\n") == 1 and "T-3" in err
    with learned.database.read() as connection:
        refs = set(connection.execute(select(judgements.c.ref)).scalars())
    assert len(refs) == SOLVED - 1 and "ticket:T-3" not in refs


def test_the_drive_reports_what_it_learned(learned: Lessons) -> None:
    report = learned.application.weekly.run_drive(period_of(NOW - timedelta(days=7)))
    step = report["steps"]["learning"]
    assert step["status"] == "done", step
    assert step["result"]["serving"] == learned.serving()
