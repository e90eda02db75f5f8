"""The links of a text, as a reader sees them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.links.extracting import MAX_LINKS, extract_links


@pytest.mark.parametrize(
    ("markdown", "links"),
    [
        ("[a](https://x.example/a)", ["https://x.example/a"]),
        ("[a][1]\n\n[1]: https://x.example/ref", ["https://x.example/ref"]),
        ("<https://x.example/auto>", ["https://x.example/auto"]),
        ("![p](https://x.example/p.png)", ["https://x.example/p.png"]),
        ("[![p](p.png)](https://x.example/)", ["https://x.example/", "p.png"]),
        ("See https://x.example/bare.", ["https://x.example/bare"]),
        ("(see https://x.example/w_(x))", ["https://x.example/w_(x)"]),
        ("**https://x.example/bold**", ["https://x.example/bold"]),
        ('<a href="https://x.example/h">h</a>', ["https://x.example/h"]),
        ('<div>\n<a href="/h">h</a>\n</div>', ["/h"]),
        ("[a](../b.md) and [a](../b.md)", ["../b.md"]),
        ("| a |\n|---|\n| [t](t.md) |", ["t.md"]),
        ("> - [deep](deep.md)", ["deep.md"]),
        ("[a](<b c.md>)", ["b%20c.md"]),
        ("`[a](b.md)` and `https://x.example`", []),
        ("```\nhttps://x.example\n```", []),
        ("[a](#below) [m](mailto:a@x.example) [t](tel:1)", []),
        ("[a]()", []),
        ("", []),
        ("[a](https://x.example/" + "x" * 3000 + ")", []),
    ],
)
def test_links_are_what_markdown_makes_of_them(markdown: str, links: list[str]) -> None:
    assert extract_links(markdown) == links


def test_a_text_of_links_is_read_up_to_a_limit() -> None:
    text = "\n".join(f"https://x.example/{n}" for n in range(5000))
    assert len(extract_links(text)) == MAX_LINKS


@given(st.text(alphabet="[]()<>!`#\n htps:/.a\"'=\\|-_*\u200b", max_size=200))
def test_no_text_breaks_the_reading(markdown: str) -> None:
    for link in extract_links(markdown):
        assert link.strip() == link != ""
