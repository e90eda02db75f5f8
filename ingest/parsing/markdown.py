"""A Markdown body → its sections, and what of it a reader can see.

Only block structure is parsed: sections are cut at lines, so every character stays.
"""

from __future__ import annotations

import re

from markdown_it import MarkdownIt
from markdown_it.token import Token

from kb.types import Section

_HIDDEN = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff\U000e0000-\U000e007f]")
_LEADING = re.compile(r"(?:[ \t]*\n|[ \t]*<!--(?:(?!-->).)*-->[ \t]*\n)*", re.DOTALL)
_TITLE_HEADING = re.compile(
    r" {0,3}#[ \t]+(?P<hash>[^\n]*?)(?:[ \t]+#+)?[ \t]*(?:\n|$)"
    r"| {0,3}(?!\d+[.)]\s)(?P<underlined>[^\s#>|`~*+\[<-][^\n]*)\n {0,3}=+[ \t]*(?:\n|$)"
)
_CODE = ("fence", "code_block")
_PARSER = MarkdownIt("commonmark").enable("table").disable("inline")


def parse_sections(markdown: str, *, first_line: int = 1) -> list[Section]:
    """Cut a body at its top-level headings, in order.

    Headings inside quotes, lists and code are text. A heading with nothing below it is a section
    with empty text; text before the first heading is one with an empty path.

    Args:
        markdown: Newlines are \\n.
        first_line: Line of the file the body starts on.
    """
    lines = markdown.split("\n")
    sections: list[Section] = []
    path: list[tuple[int, str]] = []
    start, heading_line = 0, 0

    def close(end: int) -> None:
        text = "\n".join(lines[start:end]).strip("\n")
        if path or text.strip():
            names = tuple(name for _, name in path)
            sections.append(Section(names, text if text.strip() else "", first_line + heading_line))

    for level, name, begin, end in _read_headings(_PARSER.parse(markdown)):
        close(begin)
        path = [*(outer for outer in path if outer[0] < level), (level, name)]
        start, heading_line = end, begin
    close(len(lines))
    return sections


def _read_headings(tokens: list[Token]) -> list[tuple[int, str, int, int]]:
    """Level, text, first line and line after, of every heading outside other blocks."""
    return [
        (int(token.tag[1]), " ".join(tokens[i + 1].content.split()), token.map[0], token.map[1])
        for i, token in enumerate(tokens)
        if token.type == "heading_open" and token.level == 0 and token.map
    ]


def take_title(markdown: str, title: str | None) -> tuple[str | None, str]:
    """Take the first-level heading a body starts with, if it is the title.

    Without a given title every such heading is; with one, only an equal heading, which would
    otherwise be embedded into every chunk as a copy of the title.

    Returns:
        The title (the given one, the heading, or None), and the body without that heading.
    """
    leading = _LEADING.match(markdown)
    begin = leading.end() if leading else 0
    match = _TITLE_HEADING.match(markdown, begin)
    if match is None:
        return title, markdown
    heading = " ".join((match["hash"] or match["underlined"] or "").split())
    if not heading or (title is not None and _fold(heading) != _fold(title)):
        return title, markdown
    return title or heading, markdown[:begin] + markdown[match.end() :]


def _fold(title: str) -> str:
    return " ".join(strip_hidden_characters(title).split()).casefold()


def strip_hidden_characters(text: str) -> str:
    """Without zero-width, direction and tag characters: a reader cannot see what they say."""
    return _HIDDEN.sub("", text)


def strip_hidden(markdown: str) -> str:
    """Without HTML comments and hidden characters, a way to put words before a model unseen.

    Comments shown in code blocks stay; one in inline code goes, because telling it from a real
    one needs the whole inline grammar.
    """
    if "<!--" not in markdown:
        return strip_hidden_characters(markdown)
    lines = markdown.split("\n")
    kept: list[str] = []
    start = 0
    for begin, end, kind in _read_blocks(_PARSER.parse(markdown)):
        if begin > start:
            kept.append(_strip_comments("\n".join(lines[start:begin])))
        block = "\n".join(lines[begin:end])
        # Only in an HTML block does a comment never closed hide what follows.
        shown = kind in _CODE
        kept.append(block if shown else _strip_comments(block, unclosed=kind == "html_block"))
        start = end
    if start < len(lines):
        kept.append(_strip_comments("\n".join(lines[start:])))
    return strip_hidden_characters("\n".join(kept))


def _strip_comments(text: str, *, unclosed: bool = False) -> str:
    """In one pass: a pattern would look for the end again from every beginning."""
    kept: list[str] = []
    start = 0
    while (begin := text.find("<!--", start)) >= 0:
        end = text.find("-->", begin + 4)
        if end < 0:
            return "".join((*kept, text[start:begin] if unclosed else text[start:]))
        kept.append(text[start:begin])
        start = end + 3
    return "".join((*kept, text[start:]))


def _read_blocks(tokens: list[Token]) -> list[tuple[int, int, str]]:
    """First line, line after and kind of every leaf block, in order."""
    blocks: list[tuple[int, int, str]] = []
    for token in tokens:
        if token.map is None or (blocks and token.map[0] < blocks[-1][1]):
            continue
        if token.type in (*_CODE, "html_block", "inline"):
            blocks.append((token.map[0], token.map[1], token.type))
    return blocks
