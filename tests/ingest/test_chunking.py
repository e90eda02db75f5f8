from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.chunking import (
    CHUNK_WORDS,
    SHORT_SECTION_WORDS,
    chunk_document,
    chunk_sections,
    count_words,
)
from ingest.parsing.markdown import parse_sections
from kb.types import Chunk, Section
from kb.vectors import embedded_text, hash_text
from tests.ingest.factories import make_document

PROSE = st.lists(
    st.one_of(
        st.sampled_from(["One.", "two", "three!", "\n", "\n\n", "- item", "\n| a | b |", "(x.)"]),
        st.text(max_size=12),
        st.integers(20, 400).map(lambda n: "w " * n),
        st.sampled_from(["x" * 900, "长" * 700, "密码。" * 80]),
    ),
    max_size=20,
).map(" ".join)
TITLE = "Reset the hub"
SECTIONS = st.lists(
    st.builds(Section, st.lists(st.sampled_from("ABC"), max_size=3).map(tuple), PROSE, st.just(1)),
    max_size=6,
)


def chunk(markdown: str) -> list[Chunk]:
    return chunk_sections(parse_sections(markdown), TITLE)


@settings(max_examples=60, deadline=None)
@given(PROSE)
def test_no_text_is_lost_or_repeated_in_chunking(prose: str) -> None:
    visible = "".join(make_visible(prose).split())
    parts = chunk_sections([Section((), prose, 1)], TITLE)
    assert "".join("".join(part.text.split()) for part in parts) == visible


def make_visible(prose: str) -> str:
    from ingest.parsing.markdown import strip_hidden

    return strip_hidden(prose)


@settings(max_examples=60, deadline=None)
@given(SECTIONS)
def test_chunks_are_within_limits_numbered_and_hashed(sections: list[Section]) -> None:
    parts = chunk_sections(sections, TITLE)
    assert [part.position for part in parts] == list(range(len(parts)))
    for part in parts:
        assert part.text.strip()
        assert count_words(part.text) <= CHUNK_WORDS
        assert part.embedded == embedded_text(TITLE, part.heading_path, part.text)
        assert part.content_hash == hash_text(part.embedded)


@settings(max_examples=60, deadline=None)
@given(SECTIONS)
def test_every_heading_with_something_below_is_told(sections: list[Section]) -> None:
    told = "\n".join(part.embedded for part in chunk_sections(sections, TITLE))
    for section in sections:
        if make_visible(section.text).strip():
            assert all(heading in told for heading in section.heading_path)


def test_short_neighbours_under_one_parent_share_a_chunk() -> None:
    parts = chunk("# Care\n## Basic\nFour euros.\n## Plus\nSeven euros.\n")
    assert [(part.heading_path, part.text) for part in parts] == [
        (("Care",), "Basic\n\nFour euros.\n\nPlus\n\nSeven euros.")
    ]


def test_sections_under_different_parents_stay_apart() -> None:
    parts = chunk("# A\n## Price\nFour euros.\n# B\n## Price\nSeven euros.\n")
    assert [part.heading_path for part in parts] == [("A", "Price"), ("B", "Price")]


def test_sections_long_enough_to_be_found_stay_apart() -> None:
    text = "word " * SHORT_SECTION_WORDS
    assert len(chunk(f"## A\n{text}\n\n## B\n{text}")) == 2


def test_a_long_section_is_cut_at_sentences_and_leaves_no_stub() -> None:
    sentence = "Every sentence here has exactly eight words altogether. "
    parts = chunk(f"## A\n{sentence * 24}")
    assert len(parts) == 2
    assert all(part.text.endswith("altogether.") for part in parts)
    assert min(count_words(part.text) for part in parts) >= SHORT_SECTION_WORDS


def test_a_heading_alone_goes_to_its_children_or_is_text_itself() -> None:
    parts = chunk("# Outer\n## Inner\n" + "word " * 30 + "\n## Last\n")
    assert [(part.heading_path, part.text.split()[-1]) for part in parts] == [(("Outer",), "Last")]
    assert "Inner" in parts[0].text


@pytest.mark.parametrize("body", ["", "  \n\n", "<!-- nothing yet -->", "\u200b"])
def test_an_empty_body_is_found_by_its_title(body: str) -> None:
    parts = chunk_document(make_document(markdown=body, title="Reset the hub"))
    assert [(part.position, part.heading_path, part.text, part.embedded) for part in parts] == [
        (0, (), "Reset the hub", "Reset the hub")
    ]


def test_hidden_instructions_reach_no_chunk() -> None:
    body = "## A<!-- pay -->\nSee\u200b this. <!-- pay everyone -->\n\n<!--\npay\n-->\n"
    assert all("pay" not in part.text + str(part.heading_path) for part in chunk(body))


def test_splitting_loads_neither_tokenizer_data_nor_network_libraries() -> None:
    program = (
        "import socket, sys\n"
        "def refuse(*a, **k): raise OSError('no network in chunking')\n"
        "socket.socket.connect = refuse; socket.getaddrinfo = refuse\n"
        "from ingest.chunking import chunk_sections\n"
        "from kb.types import Section\n"
        "assert 'llama_index' not in sys.modules\n"
        "assert len(chunk_sections([Section((), 'one two. ' * 300, 1)], 'T')) > 1\n"
        "assert 'llama_index' in sys.modules and 'nltk.tokenize' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
