from __future__ import annotations

from html.parser import HTMLParser

import pytest

from api.pages.article_text import ALLOWED_TAGS, render_markdown
from api.pages.layout import reveal_hidden
from tests.api.pages.vectors import VECTORS


class _Elements(HTMLParser):
    """Every start tag with its attributes, as a browser would see them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.mark.parametrize("vector", VECTORS)
def test_nothing_active_comes_out(vector: str) -> None:
    for text in (
        vector,
        f"# {vector}",
        f"- {vector}",
        f"| a |\n|---|\n| {vector} |",
        f"> {vector}",
    ):
        for tag, attributes in _Elements(render_markdown(text)).found:
            assert tag in ALLOWED_TAGS
            assert set(attributes) <= {"href", "title", "rel", "class", "start"}
            href = attributes.get("href") or ""
            assert href.partition(":")[0].lower() not in ("javascript", "data", "vbscript"), href


def test_headings_go_below_the_pages_own() -> None:
    assert "<h3>One</h3>" in render_markdown("# One")
    assert "<h6>Five</h6>" in render_markdown("##### Five")


def test_an_image_shows_as_its_description() -> None:
    assert render_markdown("![the dialog](https://x.example/a.png)") == (
        "<p>[Image: the dialog]</p>\n"
    )


def test_a_statement_links_to_its_evidence_once_whatever_its_emphasis() -> None:
    html = render_markdown(
        "1. Open **Settings → Apps**.\n2. Restart.\n\nOpen Settings → Apps.",
        ["Open Settings → Apps.", "Not in the text", "Restart."],
    )
    assert html.count('href="#statement-1"') == 1
    assert html.count('href="#statement-3"') == 1
    assert "statement-2" not in html


def test_an_article_cannot_pose_as_a_citation_elsewhere() -> None:
    html = render_markdown('[1](https://evil.example "x"){.cite} <a class="cite">2</a>')
    assert not any("class" in attributes for _, attributes in _Elements(html).found)


@pytest.mark.parametrize("hidden", ["\u202e", "\u200b", "\u2066", "\u00ad", "\ufeff", "\U000e0041"])
def test_hidden_characters_are_shown(hidden: str) -> None:
    shown = f"⟦U+{ord(hidden):04X}⟧"
    assert reveal_hidden(f"a{hidden}b") == f"a{shown}b"
    assert shown in render_markdown(f"some {hidden} text and `code {hidden}`")


def test_accents_emoji_and_line_breaks_are_left_alone() -> None:
    text = "Prüfung\n👩‍🔧 naïve\tčeština"
    assert reveal_hidden(text) == text
