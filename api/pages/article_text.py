"""Markdown of an article → HTML that is safe to show, with links from its text to its evidence."""

from __future__ import annotations

import re
from collections.abc import Sequence

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
ALLOWED_SCHEMES = {"http", "https", "mailto"}

_PARSER = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])


def render_markdown(markdown: str, statements: Sequence[str] = ()) -> Markup:
    """Render an article's body.

    Raw HTML shows as text and images as their description; nothing is loaded from elsewhere.

    Args:
        markdown: Body without front matter.
        statements: Texts that have evidence; where the n-th stands in a block, the block ends
            with a link to `#statement-n`.
    """
    tokens = _PARSER.parse(markdown)
    keys = [_key(text) for text in statements]
    cited: set[int] = set()
    for token in tokens:
        _shift_heading(token)
        token.content = reveal_hidden(token.content)
        if token.type == "inline":
            children = [_without_image(child) for child in token.children or []]
            token.children = children + _citations(token.content, keys, cited)
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


def _citations(content: str, keys: Sequence[str], cited: set[int]) -> list[Token]:
    """Links to the statements that stand in a block and were not linked before."""
    block = _key(content)
    found: list[Token] = []
    for number, key in enumerate(keys, start=1):
        if key and number not in cited and f" {key} " in f" {block} ":
            cited.add(number)
            found.extend(_citation(number))
    return found


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
