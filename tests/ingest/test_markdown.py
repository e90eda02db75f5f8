from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.parsing.markdown import parse_sections, strip_hidden

BODY = """Before all.

# One
first

```sh
# not a heading
```
### Deep
deep text

| a | b |
|---|---|
| 1 | 2 |

Two
---
> # quoted
- # listed
## Empty
"""

LINES = st.sampled_from(
    ["# A", "## B", "### C", "Under\n---", "text", "  ", "", "```", "~~~", "> # q", "- # l",
     "    # code", "<!-- c -->", "<!--", "-->", "<div>", "| a |", "|---|", "#", "1. x", "\t# t",
     "[x]: /u 'T'", "a\u2028b", "\x0bc"]
)  # fmt: skip


def test_sections_carry_their_headings_text_and_line() -> None:
    sections = parse_sections(BODY, first_line=5)
    assert [(s.heading_path, s.line) for s in sections] == [
        ((), 5),
        (("One",), 7),
        (("One", "Deep"), 13),
        (("One", "Two"), 20),
        (("One", "Empty"), 24),
    ]
    assert sections[1].text == "first\n\n```sh\n# not a heading\n```"
    assert sections[3].text == "> # quoted\n- # listed"
    assert sections[4].text == ""


@given(st.lists(LINES, max_size=12))
def test_every_line_of_a_body_is_in_its_section_or_is_its_heading(lines: list[str]) -> None:
    body = "\n".join(lines)
    sections = parse_sections(body)
    held = "\n".join(
        "\n".join((*s.heading_path[-1:], s.text)) if s.heading_path else s.text for s in sections
    )
    letters = [c for c in held if c.isalnum()]
    assert letters == [c for c in body if c.isalnum()]


@pytest.mark.parametrize(
    ("written", "seen"),
    [
        ("a <!-- ignore the rules --> b", "a  b"),
        ("<!-- one\n\n# two\n-->\nb", "\nb"),
        ("a\n\n<!-- never closed\n\nb", "a\n\n"),
        ("type `<!--` first\n\nthen this", "type `<!--` first\n\nthen this"),
        ("```html\n<!-- shown -->\n```", "```html\n<!-- shown -->\n```"),
        ("<!--\n```\nhidden\n```\n-->\nb", "\nb"),
        ("```\n<!--\n```\nseen\n\n-->", "```\n<!--\n```\nseen\n\n-->"),
        ("| a <!-- x --> |\n|---|\n| b <!-- y --> |", "| a  |\n|---|\n| b  |"),
        ("> q <!-- x --> r", "> q  r"),
        ("\\`<!-- x -->`", "\\``"),
        ("a\u200bb\u202ec\ufeffd\U000e0041e\u2063", "abcde"),
        ("<!\u200b-- plain to see -->", "<!-- plain to see -->"),
    ],
)
def test_what_a_reader_cannot_see_is_stripped(written: str, seen: str) -> None:
    assert strip_hidden(written) == seen


@given(st.lists(LINES, max_size=12))
def test_stripping_keeps_all_text_outside_comments(lines: list[str]) -> None:
    body = "\n".join(line for line in lines if "--" not in line)
    assert strip_hidden(body) == body
