"""What a file says wrong is named with its line; what it says right is read as meant."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ingest.article import parse_article
from ingest.parsing.front_matter import MAX_FILE_BYTES
from ingest.parsing.metadata import Defaults
from kb.errors import InvalidInputError
from kb.types import ActionClass, Audience, ConfidenceState, Governance, ParsedDocument
from tests.ingest.factories import AUTHORITIES, OWNERS

DEFAULTS = Defaults("help_article", Audience.CUSTOMER, "ana", 90, AUTHORITIES, OWNERS)


def parse(raw: bytes | str, path: str = "a/b.md") -> ParsedDocument:
    data = raw.encode() if isinstance(raw, str) else raw
    return parse_article(data, path, source="help", document_id="a/b", defaults=DEFAULTS)


def with_keys(*lines: str) -> str:
    return "\n".join(["---", "title: A title", *lines, "---", "Body."])


REFUSED: list[tuple[str, bytes | str, int, str]] = [
    ("unknown key", with_keys("audiance: public"), 3, "did you mean 'audience'?"),
    ("unlike any key", with_keys("zzz: 1"), 3, "expected one of: action_class, approved_by"),
    ("unknown audience", with_keys("audience: staff"), 3, "public, customer, partner, internal"),
    ("audience in capitals", with_keys("audience: Public"), 3, "expected one of: public"),
    ("confidence", with_keys("", "confidence: good"), 4, "work_in_progress, not_validated"),
    ("governance", with_keys("governance: strict"), 3, "experience, compliance"),
    ("action class", with_keys("action_class: maybe"), 3, "autonomous, customer_confirmed"),
    ("authority", with_keys("authority: gossip"), 3, "policy, procedure, help_article"),
    ("owner", with_keys("owner: zoe"), 3, "ana, ben"),
    ("owner list", with_keys("owner: [ana, ben]"), 3, "is a list (expected one value)"),
    ("mapping", with_keys("owner: {name: ana}"), 3, "is a mapping"),
    ("indented mapping", with_keys("owner:", "  name: ana"), 3, "is a mapping"),
    ("nested list", with_keys("labels:", "  - a", "  - [b]"), 5, "nested value"),
    ("mapping in list", with_keys("labels:", "  - a: b"), 4, "nested value"),
    ("empty label", with_keys("labels: [a, '']"), 3, "empty value"),
    ("no label", with_keys("labels:", "  - a", "  -"), 5, "empty value"),
    ("bad date", with_keys("effective_from: 2026-02-30"), 3, "'2026-02-30' is not a date"),
    ("date in words", with_keys("last_verified_at: last week"), 3, "expected a date 2026-03-01"),
    ("date the other way", with_keys("effective_until: 01-03-2026"), 3, "expected a date"),
    ("year only", with_keys("effective_from: 2026"), 3, "expected a date"),
    ("out of range", with_keys("effective_from: 0001-01-01T00:00+10:00"), 3, "out of range"),
    (
        "until before from",
        with_keys("effective_from: 2026-05-01", "effective_until: 2026-04-01"),
        4,
        "before effective_from",
    ),
    ("review in words", with_keys("review_every_days: monthly"), 3, "expected a number of days"),
    ("review never", with_keys("review_every_days: 0"), 3, "1 to 36500"),
    ("review negative", with_keys("review_every_days: -5"), 3, "1 to 36500"),
    ("review fraction", with_keys("review_every_days: 1.5"), 3, "expected a number of days"),
    ("supersedes itself", with_keys("id: x", "supersedes: [y, x]"), 4, "supersedes itself"),
    ("derived id superseded", with_keys("supersedes: a/b"), 3, "supersedes itself"),
    ("superseded nonsense", with_keys("supersedes: [a b]"), 3, "only letters, digits"),
    ("id with a space", with_keys("id: my article"), 3, "only letters, digits"),
    ("id with a line break", with_keys('id: "a\\nb"'), 3, "only letters, digits"),
    ("id climbing", with_keys("id: ../x"), 3, "no empty or dotted part"),
    ("long id", with_keys(f"id: {'x' * 201}"), 3, "201 characters (at most 200)"),
    ("script url", with_keys("url: javascript:alert(1)"), 3, "expected https://"),
    ("long customer", with_keys(f"customer: {'x' * 81}"), 3, "81 characters"),
    ("twice", with_keys("owner: ana", "owner: ben"), 4, "given twice (first on line 3)"),
    ("alias", with_keys("labels: &all [a]", "plans: *all"), 3, "anchors and aliases"),
    ("tag", with_keys("owner: !!python/name:os.system x"), 3, "tags (!) are not allowed"),
    ("colon", with_keys("url: a: b"), 3, "needs quotes"),
    ("open bracket", with_keys("labels: [a, b"), 4, "front matter is not YAML"),
    ("deep", with_keys("labels: " + "[" * 500 + "]" * 500), 3, "nested value"),
    ("tab", with_keys("\towner: ana"), 3, "front matter is not YAML"),
    ("control character", with_keys("owner: \x01"), 3, "control characters"),
    ("a list on top", "---\n- a\n---\n", 2, "not 'key: value' lines"),
    ("text on top", "---\n\nhello\n---\n", 3, "not 'key: value' lines"),
    ("second document", "---\ntitle: a\n--- b\n---\n", 3, "second document"),
    ("list as key", "---\n? [a]\n: b\n---\n", 2, "a key is not text"),
    ("no title", "---\nowner: ana\n---\nBody.", 1, "no title"),
    ("nothing", b"", 1, "no title"),
    ("title left empty", "---\nowner: ana\ntitle:\n---\n", 3, "'title' is empty"),
    ("title of spaces", "---\ntitle: '  '\n---\n", 2, "'title' is empty"),
    ("title nobody sees", '---\ntitle: "\\u200b"\n---\n', 2, "'title' is empty"),
    ("number for title", "---\ntitle: 2026\n---\n", 2, "is a number (expected text"),
    ("yes for title", "---\ntitle: yes\n---\n", 2, "is a yes/no value"),
    ("date for title", "---\ntitle: 2026-01-01\n---\n", 2, "is a date"),
    ("list for title", "---\ntitle: [a]\n---\n", 2, "is a list"),
    ("long title", f"---\ntitle: {'x' * 301}\n---\n", 2, "301 characters (at most 300)"),
    ("not closed", "---\ntitle: a\nBody.", 1, "not closed"),
    ("Latin-1", b"---\ntitle: a\n---\ncaf\xe9\n", 4, "not UTF-8 at byte offset 20"),
    ("Latin-1 after a mark", b"\xef\xbb\xbf\r\n\xe9", 2, "not UTF-8 at byte offset 5"),
    ("NUL", b"---\ntitle: a\n---\n\nx\x00", 5, "NUL byte at offset 19"),
    ("too large", b"# a\n" + b"x" * MAX_FILE_BYTES, 1, "expected at most 5000000"),
    ("much front matter", with_keys("# " + "x" * 70_000), 1, "over 65536 characters"),
]


@pytest.mark.parametrize(
    ("raw", "line", "said"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED]
)
def test_a_mistake_is_named_with_file_line_and_what_was_expected(
    raw: bytes | str, line: int, said: str
) -> None:
    with pytest.raises(InvalidInputError) as caught:
        parse(raw)
    assert caught.value.message.startswith(f"a/b.md:{line}: ")
    assert said in caught.value.reason
    assert caught.value.details["line"] == line


def test_every_key_is_read_into_its_field() -> None:
    parsed = parse(
        with_keys(
            "id: pol:1/x", "audience: internal", "owner: ben", "authority: policy",
            "confidence: not_validated", "governance: compliance",
            "effective_from: 2026-03-01", "effective_until: 2026-09-27",
            "last_verified_at: 2026-03-01T10:30:00+02:00", "review_every_days: 30",
            "supersedes: old", "labels: [a, b, a]", "products: hub", "regions: [NO, be]",
            "plans: [plus]", "action_class: forbidden", "url: https://x.example/a",
            "approved_by: Hanne", "customer: 00418",
        )
    )  # fmt: skip
    said = parsed.metadata
    assert parsed.document_id == "pol:1/x"
    assert (said.title, said.audience, said.owner) == ("A title", Audience.INTERNAL, "ben")
    assert (said.authority, said.confidence_state) == ("policy", ConfidenceState.NOT_VALIDATED)
    assert said.governance == Governance.COMPLIANCE
    assert said.effective_from == datetime(2026, 3, 1, tzinfo=UTC)
    assert said.effective_until == datetime(2026, 9, 28, tzinfo=UTC)
    assert said.last_verified_at == datetime(2026, 3, 1, 8, 30, tzinfo=UTC)
    assert said.review_every_days == 30
    assert (said.supersedes, said.labels, said.products) == (("old",), ("a", "b"), ("hub",))
    assert (said.regions, said.plans) == (("NO", "be"), ("plus",))
    assert said.action_class == ActionClass.FORBIDDEN
    assert (said.url, said.approved_by) == ("https://x.example/a", "Hanne")
    assert said.customer == "00418"


def test_what_is_not_said_or_left_empty_comes_from_the_source() -> None:
    said = parse(with_keys("owner:", "labels:", "url: ~")).metadata
    assert (said.authority, said.audience, said.owner) == (
        "help_article", Audience.CUSTOMER, "ana",
    )  # fmt: skip
    assert (said.review_every_days, said.labels, said.url) == (90, (), None)


def test_an_instant_until_is_taken_as_it_stands() -> None:
    said = parse(with_keys("effective_until: 2026-09-27T12:00:00Z")).metadata
    assert said.effective_until == datetime(2026, 9, 27, 12, tzinfo=UTC)


def test_one_day_of_effect_is_no_mistake() -> None:
    said = parse(with_keys("effective_from: 2026-09-27", "effective_until: 2026-09-27")).metadata
    assert said.effective_until == datetime(2026, 9, 28, tzinfo=UTC)


def test_the_last_date_there_is_means_for_ever() -> None:
    said = parse(with_keys("effective_until: 9999-12-31")).metadata
    assert said.effective_until == datetime(9999, 12, 31, tzinfo=UTC)


@pytest.mark.parametrize(
    ("raw", "title", "markdown"),
    [
        ("# Reset  the hub #\n\nPress.\n", "Reset the hub", "Press."),
        ("Reset the hub\n====\nPress.", "Reset the hub", "Press."),
        ("---\nowner: ana\n---\n\n# Reset\nPress.", "Reset", "Press."),
        ("---\ntitle: Reset\n---\n# reset\n\nPress.", "Reset", "Press."),
        ("---\ntitle: Reset\n---\n# Another\nPress.", "Reset", "# Another\nPress."),
        ("---\ntitle: Reset\n---\n## Reset\nPress.", "Reset", "## Reset\nPress."),
        ("<!-- lint off -->\n# Reset\nPress.", "Reset", "<!-- lint off -->\nPress."),
        ("---\ntitle: 'Say: \"no\"'\n---\nPress.", 'Say: "no"', "Press."),
        ("---\ntitle: |\n  Reset\n  it\n---\nPress.", "Reset it", "Press."),
    ],
)
def test_a_first_heading_that_is_the_title_leaves_the_body(
    raw: str, title: str, markdown: str
) -> None:
    parsed = parse(raw)
    assert parsed.metadata.title == title
    assert parsed.markdown == markdown


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_newlines_and_byte_order_mark_change_nothing(newline: str, mark: str) -> None:
    written = with_keys("owner: ben") + "\n\n## More\n\ntext\n"
    assert parse(mark + written.replace("\n", newline)) == parse(written)


def test_only_what_is_said_about_a_document_changes_the_metadata_hash() -> None:
    plain, owned = parse(with_keys()), parse(with_keys("owner: ben"))
    assert plain.content_hash == owned.content_hash
    assert plain.metadata_hash != owned.metadata_hash
    assert parse(with_keys(), "moved.md").metadata_hash != plain.metadata_hash


def test_a_title_counts_as_content() -> None:
    one, two = (parse(f"---\ntitle: {title}\n---\nText.\n") for title in ("One", "Two"))
    assert one.content_hash != two.content_hash
