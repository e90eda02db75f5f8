"""A check of all links: ours from the database, others fetched, both kept and not asked twice."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
from sqlalchemy import update

from ingest.answers import Fetched, FetchLimits
from ingest.fetching import Fetcher
from ingest.links import rows
from ingest.links.run import BATCH_LINKS, check_links
from ingest.sync import sync_source
from kb.clock import FixedClock
from kb.database import Database
from kb.encoding.hashing import HashingEncoder
from kb.tables import documents
from tests.ingest.factories import make_folder, write_article

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
CLOCK = FixedClock(NOW)


class Web(Fetcher):
    """Plays the web: answers by path, keeps what was asked, may break down."""

    asked: ClassVar[list[str]] = []
    fails_at: ClassVar[int | None] = None

    async def fetch(self, url: str, **said: Any) -> Any:
        if self.fails_at is not None and len(self.asked) >= self.fails_at:
            raise ZeroDivisionError
        if said["method"] == "HEAD":
            self.asked.append(url)
        return Fetched(url, 404 if "gone" in url else 200, {}, b"")


@pytest.fixture
def open_web(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Fetcher]:
    monkeypatch.setattr(Web, "asked", [])
    monkeypatch.setattr(Web, "fails_at", None)
    return lambda: Web(limits=FetchLimits(at_once=1))


def fill(database: Database, folder: Path, texts: Mapping[str, str]) -> None:
    for name, text in texts.items():
        write_article(folder, f"{name}.md", text)
    sync_source(database, HashingEncoder(32), make_folder(folder), clock=CLOCK)


def read(database: Database) -> dict[tuple[str, str], str]:
    with database.read() as connection:
        return {(r["document_id"], r["url"]): r["verdict"] for r in rows.read_links(connection)}


def test_our_own_links_are_judged_without_leaving_the_machine(
    database: Database, folder: Path
) -> None:
    fill(
        database, folder,
        {"a": "[b](b.md) [c](c.md) [d](d.md) [x](https://x.example/) [n](none.md)", "b": "B.",
         "c": "C.", "d": "D."},
    )  # fmt: skip
    with database.write() as connection:
        connection.execute(
            update(documents).where(documents.c.id == "c").values(confidence_state="archived")
        )
        connection.execute(update(documents).where(documents.c.id == "d").values(deleted_at=NOW))
    report = check_links(database, CLOCK, None)
    assert read(database) == {
        ("a", "b.md"): "ok", ("a", "c.md"): "archived", ("a", "d.md"): "dead",
        ("a", "none.md"): "dead",
    }  # fmt: skip
    assert (report["links"], report["ours"], report["asked"], report["skipped"]) == (5, 4, 0, 1)


def test_a_page_is_asked_for_once_however_many_articles_link_to_it(
    database: Database, folder: Path, open_web: Callable[[], Fetcher]
) -> None:
    fill(
        database, folder, dict.fromkeys("abc", "[x](https://x.example/gone) https://x.example/y#z")
    )
    report = check_links(database, CLOCK, open_web)
    assert sorted(Web.asked) == ["https://x.example/gone", "https://x.example/y"]
    assert set(read(database).values()) == {"dead", "ok"} and len(read(database)) == 6
    assert report["verdicts"] == {"dead": 3, "ok": 3}


def test_what_is_known_is_not_asked_again_until_it_is_old(
    database: Database, folder: Path, open_web: Callable[[], Fetcher]
) -> None:
    fill(database, folder, {"a": "https://x.example/gone https://x.example/y"})
    for days, asked in ((0, 2), (0, 2), (2, 3), (6, 5)):
        check_links(database, FixedClock(NOW + timedelta(days=days)), open_web)
        assert len(Web.asked) == asked


def test_a_link_that_is_gone_from_the_text_is_forgotten(
    database: Database, folder: Path, open_web: Callable[[], Fetcher]
) -> None:
    fill(database, folder, {"a": "https://x.example/gone https://x.example/y"})
    check_links(database, CLOCK, open_web)
    fill(database, folder, {"a": "https://x.example/y"})
    check_links(database, CLOCK, open_web)
    assert read(database) == {("a", "https://x.example/y"): "ok"}
    with database.read() as connection:
        assert rows.read_links(connection)[0]["version"] == 2


def test_a_run_that_breaks_down_goes_on_where_it_was(
    database: Database,
    folder: Path,
    open_web: Callable[[], Fetcher],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    count = 3 * BATCH_LINKS
    fill(database, folder, {"a": "\n\n".join(f"https://h{n}.example/" for n in range(count))})
    monkeypatch.setattr(Web, "fails_at", count - 10)
    with pytest.raises(ZeroDivisionError):
        check_links(database, CLOCK, open_web)
    kept = len(read(database))
    assert kept >= 2 * BATCH_LINKS
    monkeypatch.setattr(Web, "fails_at", None)
    report = check_links(database, CLOCK, open_web)
    assert report["cached"] == kept and report["asked"] == count - kept
    assert len(read(database)) == count


def test_a_link_to_an_article_of_ours_by_its_address_is_not_fetched(
    database: Database, folder: Path, open_web: Callable[[], Fetcher]
) -> None:
    write_article(folder, "b.md", "B.", url="https://help.example/b")
    fill(database, folder, {"a": "https://help.example/b/ and [b](b)"})
    check_links(database, CLOCK, open_web)
    assert Web.asked == []
    assert read(database) == {("a", "https://help.example/b/"): "ok", ("a", "b"): "ok"}
