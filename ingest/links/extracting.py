"""The links of a Markdown text; pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser

from markdown_it import MarkdownIt
from markdown_it.token import Token

from ingest.parsing.markdown import strip_hidden_characters

MAX_LINKS = 500
"""Of one text; more is no article. Judgement, not measurement."""
MAX_CHARACTERS = 2_000
_PARSER = MarkdownIt("commonmark").enable("table")
_BARE = re.compile(r"https?://[^\s<>\"'`|\\^{}\[\]]+", re.IGNORECASE)
_TRAILING = ".,;:!?*_~"


def extract_links(markdown: str) -> list[str]:
    """Every place a text points to, as written, each once, in order; at most MAX_LINKS.

    Links, images, HTML anchors and bare URLs count; what stands in code is shown, not linked.
    Links to the same page, mail and telephone are left out.
    """
    found: dict[str, None] = {}
    for link in _read_tokens(_PARSER.parse(strip_hidden_characters(markdown))):
        url = link.strip()
        if url and len(url) <= MAX_CHARACTERS and not url.startswith("#") and not _is_mail(url):
            found.setdefault(url)
        if len(found) >= MAX_LINKS:
            break
    return list(found)


def _is_mail(url: str) -> bool:
    return url.lower().startswith(("mailto:", "tel:", "sms:"))


def _read_tokens(tokens: list[Token]) -> Iterator[str]:
    for token in tokens:
        if token.children:
            yield from _read_tokens(token.children)
        elif token.type == "link_open":
            yield str(token.attrGet("href") or "")
        elif token.type in ("html_inline", "html_block"):
            yield from _read_html(token.content)
        elif token.type == "text":
            yield from _read_bare(token.content)
        if token.type == "image":
            yield str(token.attrGet("src") or "")


def _read_bare(text: str) -> Iterator[str]:
    for match in _BARE.finditer(text):
        url = match.group().rstrip(_TRAILING)
        # A sentence may stand in brackets; a bracket that opens inside the URL belongs to it.
        while url.endswith(")") and url.count("(") < url.count(")"):
            url = url[:-1].rstrip(_TRAILING)
        yield url


class _Anchors(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        wanted = {"a": "href", "img": "src"}.get(tag)
        self.found += [value for name, value in attrs if name == wanted and value]


def _read_html(html: str) -> list[str]:
    parser = _Anchors()
    parser.feed(html)
    return parser.found
