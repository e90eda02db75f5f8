"""What owners are told, from the event to the mailbox: once, in time, and nothing lost."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import datetime, timedelta
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from api.doctor import examine
from api.jobs import run_job
from api.scheduler import Scheduler
from api.wiring import Application
from gaps import repository
from gaps.drafting.drafts import read_drafts
from gaps.drafting.writer import create_draft
from gaps.tables import drafts
from gaps.types import DraftState, GapStatus
from kb import intake, outbox
from kb.clock import FixedClock
from kb.errors import InvalidInputError
from kb.tables import documents, freshness_verdicts, notices
from kb.types import Governance
from tests.api.factories import NOW, make_draft, sync
from tests.api.notices.conftest import SECRET
from tests.api.notices.servers import Mailbox, Receiver

Mail = tuple[Mailbox, int]


def mails(mailbox: Mail) -> list[Any]:
    return [message_from_bytes(e.content, policy=default) for e in mailbox[0].envelopes]  # type: ignore[arg-type]


def say_stale(application: Application, document_id: str = "help-0", damage: float = 2.5) -> None:
    with application.database.write() as connection:
        connection.execute(
            insert(freshness_verdicts).values(
                document_id=document_id, version=1, verdict="stale", probability=0.8,
                damage=damage, judged_at=NOW,
                reasons=[{"signal": "tickets", "text": "3 of 4 tickets came back"}],
            )
        )  # fmt: skip


def at(application: Application, **later: float) -> datetime:
    now = NOW + timedelta(**later)
    application.clock = FixedClock(now)
    return now


def test_an_owner_gets_one_digest_a_period_however_often_the_job_runs(
    told: Application, mailbox: Mail, receiver: Receiver
) -> None:
    sync(told)
    draft = make_draft(told)
    say_stale(told)
    for _ in range(3):
        run_job(told, "digest")
        told.notices.write_digests("2026-W47")
        told.notices.send()
    (mail,) = mails(mailbox)
    assert mail["To"] == "ana@example.com"
    assert mail["Subject"] == (
        "Knowledge base, week 2026-W47: 1 draft to review, 1 article to check, 1 new gap"
    )
    text = mail.get_content()
    assert "About wanted" in text and f"https://kb.example.com/review/{draft.draft_id}" in text
    assert "Reset the router 0 (stale)" in text and "3 of 4 tickets came back" in text
    assert len(receiver.posts) == 1
    at(told, days=7)
    run_job(told, "digest")
    told.notices.send()
    assert [m["Subject"][:32] for m in mails(mailbox)][1] == "Knowledge base, week 2026-W48: 1"


def test_an_owner_with_nothing_to_do_is_left_in_peace(told: Application, mailbox: Mail) -> None:
    sync(told)
    assert run_job(told, "digest").report == {"period": "2026-W47", "written": []}
    assert told.notices.send()["sent"] == [] and mails(mailbox) == []


def test_the_webhook_of_a_notice_is_signed(told: Application, receiver: Receiver) -> None:
    make_draft(told)
    run_job(told, "digest")
    told.notices.send()
    headers, body = receiver.posts[0]
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    digest = hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()
    assert headers["webhook-signature"] == "v1," + base64.b64encode(digest).decode()
    assert json.loads(body)["data"]["counts"] == {"drafts": 1, "articles": 0, "gaps": 1}


def test_a_webhook_that_fails_is_tried_again_and_the_mail_is_not(
    told: Application, mailbox: Mail, receiver: Receiver
) -> None:
    make_draft(told)
    run_job(told, "digest")
    receiver.answers = [(500, {}), (503, {"Retry-After": "600"})]
    assert len(told.notices.send()["failed"]) == 1
    assert told.notices.send() == {"sent": [], "failed": [], "channels": 2}
    at(told, minutes=2)
    assert len(told.notices.send()["failed"]) == 1
    (kept,) = told.notices.list_notices(unsent_only=True)
    assert (kept["attempts"], kept["last_error"]) == (2, "webhook 1: status 503")
    at(told, minutes=11)
    assert told.notices.send()["sent"] == []
    at(told, minutes=13)
    assert len(told.notices.send()["sent"]) == 1
    assert len(mails(mailbox)) == 1
    assert len({headers["idempotency-key"] for headers, _ in receiver.posts}) == 1
    assert len(receiver.posts) == 3


def test_a_mail_server_that_is_busy_is_tried_again(told: Application, mailbox: Mail) -> None:
    make_draft(told)
    run_job(told, "digest")
    mailbox[0].answers = ["451 later"]
    told.notices.send()
    assert mails(mailbox) == []
    at(told, minutes=2)
    told.notices.send()
    told.notices.send()
    assert len(mails(mailbox)) == 1


KILLED = """\
import os, sys
from pathlib import Path
from api.notices.webhooks import Webhook
from api.wiring import Application
from kb.clock import FixedClock, parse_instant

deliver = Webhook.deliver
def deliver_and_die(self, message):
    deliver(self, message)
    os._exit(9)
Webhook.deliver = deliver_and_die
Application.open(Path(sys.argv[1]), FixedClock(parse_instant(sys.argv[2]))).notices.send()
"""


def test_who_is_killed_between_sending_and_noting_it_sends_again_under_the_same_key(
    told: Application, receiver: Receiver
) -> None:
    make_draft(told)
    run_job(told, "digest")
    command = [sys.executable, "-c", KILLED, str(told.root / "kb.toml"), NOW.isoformat()]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    died = subprocess.run(command, env=environment, capture_output=True, timeout=120, check=False)
    assert died.returncode == 9, died.stderr
    assert len(receiver.posts) == 1
    assert told.notices.send()["sent"] == []
    at(told, seconds=outbox.CLAIM.total_seconds())
    assert len(told.notices.send()["sent"]) == 1
    keys = [headers["idempotency-key"] for headers, _ in receiver.posts]
    assert len(keys) == 2 and keys[0] == keys[1]


def test_a_new_draft_is_announced_with_it_or_not_at_all(
    told: Application, mailbox: Mail, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync(told)
    draft = make_draft(told)
    with told.database.write() as connection:
        told.notices.announce_draft(connection, draft)
        told.notices.announce_draft(connection, draft)
    told.notices.send()
    (mail,) = mails(mailbox)
    assert mail["Subject"] == "To review: About wanted"
    assert f"https://kb.example.com/review/{draft.draft_id}" in mail.get_content()
    # The writer hands it over in the transaction that stores the draft.
    settings = told.desk.drafting_settings()
    assert settings.announce == told.notices.announce_draft

    def fail(*_: Any) -> None:
        raise ZeroDivisionError

    with told.database.write() as connection:
        repository.write_gap_status(connection, draft.gap_id, GapStatus.OPEN, now=NOW)
    with told.database.read() as connection:
        before = len(read_drafts(connection))
    with told.database.write() as connection:
        connection.execute(update(drafts).values(state=DraftState.REJECTED.value))
    with pytest.raises(ZeroDivisionError):
        create_draft(
            told.database, told.retriever, told.encoder, draft.gap_id, now=NOW,
            settings=replace(settings, announce=fail),
        )  # fmt: skip
    with told.database.read() as connection:
        assert len(read_drafts(connection)) == before


def test_a_second_person_is_asked_for_what_needs_two(told: Application, mailbox: Mail) -> None:
    sync(told)
    with told.database.write() as connection:
        connection.execute(
            update(documents)
            .where(documents.c.id == "help-0")
            .values(governance=Governance.COMPLIANCE.value)
        )
    draft = make_draft(told, "help-0", changes=True)
    caller = told.local_caller("ana")
    answer = told.publishing.review(
        draft.draft_id, "approve", caller=caller, draft_hash=draft.draft_hash
    )
    assert answer["state"] == "in_review"
    told.notices.send()
    (mail,) = mails(mailbox)
    assert mail["To"] == "ben@example.com"
    assert mail["Subject"] == "Second approval needed: About help-0"
    assert "ana has approved" in mail.get_content()


@pytest.mark.parametrize(
    ("owner", "approver", "asked"),
    [("ana", "ana", "ben"), ("ana", "ben", "ana"), ("ben", "ben", None), ("gone", "ana", "gone")],
)
def test_the_second_person_is_never_the_first(
    told: Application, owner: str, approver: str, asked: str | None
) -> None:
    assert told.notices._find_second(owner, approver) == asked


def test_what_stays_undone_goes_to_the_owner_then_to_the_fallback_each_once(
    told: Application, mailbox: Mail
) -> None:
    sync(told)
    draft = make_draft(told)
    say_stale(told)
    scheduler = Scheduler(told)
    for day in range(40):
        at(told, days=day)
        scheduler.run_due("reminders")
        scheduler.run_due("digest")
        told.notices.send()
    got = [(m["To"], m["Subject"]) for m in mails(mailbox) if "waiting" in m["Subject"]]
    # The article counts from the first digest that named it, a day of its own.
    assert got == [
        ("ana@example.com", "Still waiting: 2 things wait"),
        ("ben@example.com", "Still waiting for ana: 2 things wait"),
    ]
    text = [m for m in mails(mailbox) if "waiting" in m["Subject"]][1].get_content()
    assert f"/review/{draft.draft_id}" in text and "/articles/help-0" in text
    with told.database.read() as connection:
        rows = connection.execute(
            select(notices.c.kind, notices.c.created_at)
            .where(notices.c.kind.in_(["reminder", "escalation"]))
            .order_by(notices.c.created_at)
        ).all()
    assert [(r.kind, (r.created_at - NOW).days) for r in rows] == [
        ("reminder", 7),
        ("escalation", 14),
    ]


def test_a_reminder_names_only_what_it_has_not_named_before(told: Application) -> None:
    for days, document_id in ((7, "wanted"), (8, "other")):
        make_draft(told, document_id)
        at(told, days=days)
        assert told.notices.write_reminders() == {"reminded": ["ana"], "escalated": []}
    with told.database.read() as connection:
        bodies = [notice.body for notice in outbox.read_notices(connection, kinds=["reminder"])]
    assert "About other" in bodies[0] and "About wanted" not in bodies[0]


def test_what_was_done_meanwhile_is_not_asked_again(told: Application, mailbox: Mail) -> None:
    sync(told)
    make_draft(told)
    say_stale(told)
    told.notices.write_digests("2026-W47")
    at(told, days=3)
    with told.database.write() as connection:
        connection.execute(update(drafts).values(state=DraftState.REJECTED.value))
        intake.write_verification(connection, "help-0", by="ana", now=NOW + timedelta(days=3))
    at(told, days=20)
    assert told.notices.write_reminders() == {"reminded": [], "escalated": []}


def test_nothing_is_sent_and_nothing_lost_where_no_way_is_set_up(application: Application) -> None:
    make_draft(application)
    run_job(application, "digest")
    assert application.notices.send() == {"sent": [], "failed": [], "channels": 0}
    (kept,) = application.notices.list_notices()
    assert (kept["status"], kept["attempts"]) == ("waiting", 0)


def test_old_news_is_not_sent_when_mail_is_first_set_up(told: Application, mailbox: Mail) -> None:
    make_draft(told)
    run_job(told, "digest")
    at(told, days=8)
    assert len(told.notices.send()["failed"]) == 1
    assert mails(mailbox) == [] and told.notices.list_notices()[0]["status"] == "given up"


def test_the_doctor_says_who_is_not_reached_and_what_was_given_up(
    told: Application, application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look(examined: Application) -> tuple[str, str]:
        found = next(f for f in examine(examined) if f["name"] == "notices")
        return found["verdict"], found["detail"]

    assert look(told) == ("green", "2 owners are reached")
    verdict, detail = look(application)
    assert verdict == "look" and "ana, ben" in detail
    make_draft(told)
    run_job(told, "digest")
    at(told, days=8)
    told.notices.send()
    assert look(told) == ("look", "1 given up: kb notices list --unsent")
    monkeypatch.delenv("KB_WEBHOOK_SECRET")
    assert look(told)[0] == "red"


def test_a_missing_secret_is_said_and_loses_nothing(
    told: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_draft(told)
    run_job(told, "digest")
    monkeypatch.delenv("KB_WEBHOOK_SECRET")
    with pytest.raises(InvalidInputError, match="KB_WEBHOOK_SECRET"):
        told.notices.send()
    assert told.notices.list_notices()[0]["status"] == "waiting"
