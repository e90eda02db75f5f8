"""Markdown of an article → HTML that is safe to show, with links from its text to its evidence."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from api.pages.layout import reveal_hidden

HEADING_SHIFT = 2
"""The page's own headings are the first two levels."""
ALLOWED_TAGS = {
    "a", "blockquote", "br", "code", "del", "em", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p",
    "pre", "s", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
KEPT_RENDERED = 64
ALLOWED_SCHEMES = {"http", "https", "mailto"}

_PARSER = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])


def render_markdown(markdown: str, statements: Sequence[str] = ()) -> Markup:
    """Render an article's body; the last few texts are kept rendered.

    Raw HTML shows as text and images as their description; nothing is loaded from elsewhere.

    Args:
        markdown: Body without front matter.
        statements: Texts that have evidence; where the n-th stands in a block, the block ends
            with a link to `#statement-n`.
    """
    return _render(markdown, tuple(statements))


@lru_cache(maxsize=KEPT_RENDERED)
def _render(markdown: str, statements: tuple[str, ...]) -> Markup:
    tokens = _PARSER.parse(markdown)
    open_keys = _index_keys(statements)
    for token in tokens:
        _shift_heading(token)
        token.content = reveal_hidden(token.content)
        if token.type == "inline":
            children = [_without_image(child) for child in token.children or []]
            token.children = children + _citations(token.content, open_keys)
    html = _PARSER.renderer.render(tokens, _PARSER.options, {})
    clean = nh3.clean(
        html,
        tags=ALLOWED_TAGS,
        attributes={"a": {"href", "title"}, "ol": {"start"}},
        allowed_classes={"a": {"cite"}},
        url_schemes=ALLOWED_SCHEMES,
        link_rel="noopener noreferrer",
    )
    return Markup(clean)


def _index_keys(statements: Sequence[str]) -> dict[str, list[tuple[int, str]]]:
    """Numbers and keys of the statements by their first word, so that few are tried on a block."""
    index: dict[str, list[tuple[int, str]]] = {}
    for number, text in enumerate(statements, start=1):
        key = _key(text)
        if key:
            index.setdefault(key.partition(" ")[0], []).append((number, f" {key} "))
    return index


def _citations(content: str, open_keys: dict[str, list[tuple[int, str]]]) -> list[Token]:
    """Links to the statements that stand in a block, by number; each is linked once and goes."""
    if not open_keys:
        return []
    block = f" {_key(content)} "
    found: list[int] = []
    for word in set(block.split()) & open_keys.keys():
        for number, key in list(open_keys[word]):
            if key in block:
                open_keys[word].remove((number, key))
                found.append(number)
    return [token for number in sorted(found) for token in _citation(number)]


def _citation(number: int) -> list[Token]:
    opening = Token("link_open", "a", 1, attrs={"href": f"#statement-{number}", "class": "cite"})
    return [
        Token("text", "", 0, content=" "),
        opening,
        Token("text", "", 0, content=str(number)),
        Token("link_close", "a", -1),
    ]


def _key(text: str) -> str:
    """Words only, so that a statement is found whatever its emphasis and punctuation."""
    return re.sub(r"[\W_]+", " ", text).strip().lower()


def _without_image(token: Token) -> Token:
    token.content = reveal_hidden(token.content)
    if token.type != "image":
        return token
    return Token("text", "", 0, content=f"[Image: {token.content or 'no description'}]")


def _shift_heading(token: Token) -> None:
    if token.type in ("heading_open", "heading_close"):
        token.tag = f"h{min(6, int(token.tag[1]) + HEADING_SHIFT)}"
