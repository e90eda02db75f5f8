"""Hits to cited passages within a token budget; pure.

From small to big: a hit's chunk finds a section, and the section is what a prompt gets, where it
fits. Expansion brings in chunks no search has judged, so what may not be served is looked for
again in every chunk. Passages are data: nothing in one can look like the beginning of another.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from kb.passage_text import escape_marks, join_chunks, leave_out_losing
from kb.repetition import ChunkTexts, Said
from kb.tokens import estimate_tokens
from kb.types import Hit, StoredChunk

RELEVANCE_BAND = 0.02
"""Scores this close are equal relevance. Measured on the made-up company's questions
(content/evaluation, bundled encoder, first 20 documents): between a relevant and an irrelevant
document less than 0.02 apart the score is right in 31 of 55 pairs, hardly better than a coin; from
0.03 to 0.08 in 76 of 114, from 0.2 to 0.3 in 272 of 288."""
WHOLE_DOCUMENT_SHARE = 0.25
"""Of the budget, what a whole document may take for a hit above its first heading; judgement: four
documents still fit."""
BETWEEN = "\n\n"
"""Between two passages of a prompt."""


@dataclass(frozen=True, slots=True)
class Passage:
    """One cited passage of the packed context."""

    citation: str
    """"[1]", "[2]" …: how the prompt refers to it."""
    hit: Hit
    """The best hit that led to it; its verdicts are the document's."""
    heading_path: tuple[str, ...]
    """Of the section the text is of."""
    text: str
    """What the chunks say, with the headings between them."""
    chunk_ids: tuple[str, ...]
    prompt_text: str
    """Citation, title and headings on the first line, then the text, its own marks escaped."""
    tokens: int
    """Estimate of `prompt_text`."""


@dataclass(frozen=True, slots=True)
class _Choice:
    """A part of one document that hits led to, before repetition is looked for."""

    hit: Hit
    root: tuple[str, ...]
    chunks: tuple[StoredChunk, ...]
    """In reading order."""
    found: frozenset[str]
    """Ids of the chunks that were hits themselves."""

    @property
    def document_id(self) -> str:
        return self.hit.chunk.document.document_id


_Plan = tuple[_Choice, ...]


def pack_context(
    hits: Sequence[Hit],
    token_budget: int,
    *,
    chunks_of: Mapping[str, Sequence[StoredChunk]],
    losing: Mapping[str, Sequence[str]],
    authorities: Sequence[str],
) -> list[Passage]:
    """Expand hits to their sections and take what fits, most relevant first.

    A hit's section is taken whole, else the hit's chunk, else the next hit is tried. Hits of one
    section make one passage. A text that occurs twice, or inside another, stays with the stronger
    authority, else with the earlier passage.

    Args:
        hits: Each document's best first.
        token_budget: Upper bound of the tokens of `join_passages`.
        chunks_of: Live chunks the caller may read of each document that holds now, by document id;
            a hit whose chunk is not among them is left out.
        losing: Statements of each document that another one overrules, by document id; a chunk
            with any part of one is left out.
        authorities: Strongest first; one not listed is weaker than all listed.
    """
    served = {
        key: leave_out_losing(chunks, losing.get(key, ())) for key, chunks in chunks_of.items()
    }
    layout = _Layout(authorities)
    plan: _Plan = ()
    passages: list[Passage] = []
    for hit in order_hits(hits, authorities):
        chunks = served.get(hit.chunk.document.document_id, [])
        if hit.overruled_by is not None or hit.unverified is not None:
            continue
        if all(chunk.chunk_id != hit.chunk.chunk_id for chunk in chunks):
            continue
        for root, part in _options(hit, chunks, token_budget):
            longer = _with_choice(plan, hit, root, part)
            laid_out = layout.lay_out(longer, token_budget)
            if laid_out is not None:
                plan, passages = longer, laid_out
                break
    return passages


def join_passages(passages: Sequence[Passage]) -> str:
    """The whole context, ready for a prompt: what starts a line with "[n]" is a citation."""
    return BETWEEN.join(passage.prompt_text for passage in passages)


def order_hits(hits: Sequence[Hit], authorities: Sequence[str]) -> list[Hit]:
    """Highest score first; among scores within one band, the strongest authority first.

    A band begins at its highest score and reaches `RELEVANCE_BAND` below it. Ties go by score,
    then by document id; within one document the given order stays, which is best first.
    """
    by_score = sorted(hits, key=lambda hit: (-hit.score, hit.chunk.document.document_id))
    bands: list[list[Hit]] = []
    for hit in by_score:
        if not bands or round(bands[-1][0].score - hit.score, 6) > RELEVANCE_BAND:
            bands.append([])
        bands[-1].append(hit)
    return [hit for band in bands for hit in sorted(band, key=lambda h: _strength(h, authorities))]


def _strength(hit: Hit, authorities: Sequence[str]) -> int:
    name = hit.chunk.document.metadata.authority
    return authorities.index(name) if name in authorities else len(authorities)


def _options(
    hit: Hit, chunks: Sequence[StoredChunk], token_budget: int
) -> Iterator[tuple[tuple[str, ...], list[StoredChunk]]]:
    """What to try for a hit, biggest first: its section with those below it, or its chunk."""
    path = hit.chunk.heading_path
    if path:
        yield path, [chunk for chunk in chunks if chunk.heading_path[: len(path)] == path]
    elif (
        estimate_tokens(join_chunks([(chunk, chunk.text) for chunk in chunks], path))
        <= WHOLE_DOCUMENT_SHARE * token_budget
    ):
        yield path, list(chunks)
    yield path, [chunk for chunk in chunks if chunk.heading_path == path]
    yield path, [chunk for chunk in chunks if chunk.chunk_id == hit.chunk.chunk_id]


def _with_choice(
    plan: _Plan, hit: Hit, root: tuple[str, ...], chunks: Sequence[StoredChunk]
) -> _Plan:
    """The plan with a part more; one with what it holds already of the same section."""
    added = _Choice(hit, root, tuple(chunks), frozenset({hit.chunk.chunk_id}))
    same = [place for place, choice in enumerate(plan) if _is_one_section(choice, added)]
    if not same:
        return (*plan, added)
    joined = [*(plan[place] for place in same), added]
    by_position = {chunk.position: chunk for choice in joined for chunk in choice.chunks}
    one = _Choice(
        joined[0].hit,
        min((choice.root for choice in joined), key=len),
        tuple(by_position[position] for position in sorted(by_position)),
        frozenset().union(*(choice.found for choice in joined)),
    )
    return tuple(
        one if place == same[0] else choice
        for place, choice in enumerate(plan)
        if place == same[0] or place not in same
    )


def _is_one_section(one: _Choice, two: _Choice) -> bool:
    """Equal sections, one below the other, or parts that overlap.

    What stands above a document's first heading is no section of the others.
    """
    if one.document_id != two.document_id:
        return False
    depth = min(len(one.root), len(two.root))
    if one.root == two.root or (depth > 0 and one.root[:depth] == two.root[:depth]):
        return True
    return not {c.chunk_id for c in one.chunks}.isdisjoint(c.chunk_id for c in two.chunks)


class _Layout:
    """Plans to passages; keeps what it has compared and counted between plans."""

    def __init__(self, authorities: Sequence[str]) -> None:
        self._authorities = authorities
        self._texts = ChunkTexts()
        self._tokens: dict[str, int] = {}

    def lay_out(self, plan: _Plan, token_budget: int) -> list[Passage] | None:
        """The plan's passages, or None where they do not fit."""
        kept = self._without_repetition(plan)
        passages: list[Passage] = []
        left = token_budget
        for place in sorted(kept):
            passage = self._to_passage(len(passages) + 1, plan[place], kept[place])
            left -= passage.tokens + (estimate_tokens(BETWEEN) if passages else 0)
            if left < 0:
                return None
            passages.append(passage)
        return passages

    def _without_repetition(self, plan: _Plan) -> dict[int, list[tuple[StoredChunk, str]]]:
        """What is left of each choice, by its place, once no text stands in two.

        A choice that holds no chunk that was found any more goes whole: its neighbours alone
        answer nothing.
        """
        said = Said(self._texts)
        kept: dict[int, list[tuple[StoredChunk, str]]] = {}
        for place, choice in sorted(
            enumerate(plan), key=lambda item: (_strength(item[1].hit, self._authorities), item[0])
        ):
            left = said.left_of(choice.chunks)
            if not choice.found.isdisjoint(chunk.chunk_id for chunk, _ in left):
                kept[place] = left
                said.add(choice.chunks)
        return kept

    def _to_passage(
        self, number: int, choice: _Choice, chunks: Sequence[tuple[StoredChunk, str]]
    ) -> Passage:
        title = choice.chunks[0].document.metadata.title
        heading = " > ".join(" ".join(name.split()) for name in (title, *choice.root))
        text = join_chunks(chunks, choice.root)
        citation = f"[{number}]"
        prompt_text = f"{citation} {escape_marks(heading)}\n{escape_marks(text)}"
        if prompt_text not in self._tokens:
            self._tokens[prompt_text] = estimate_tokens(prompt_text)
        return Passage(
            citation=citation,
            hit=choice.hit,
            heading_path=choice.root,
            text=text,
            chunk_ids=tuple(chunk.chunk_id for chunk, _ in chunks),
            prompt_text=prompt_text,
            tokens=self._tokens[prompt_text],
        )
