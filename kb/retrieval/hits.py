"""Ranked documents to hits: passages, who overrules whom, how fresh."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from kb import lexical, live_chunks
from kb.fusion import Fused
from kb.hierarchy import rule_between, unverified_reason
from kb.passage_text import ReadingText
from kb.retrieval.candidates import Candidates, passages_to_read
from kb.retrieval.catalogue import Catalogue
from kb.retrieval.fresh_ranking import judge_document, rule_stale
from kb.retrieval.inquiry import Inquiry
from kb.rulings import order_by_rulings
from kb.types import Audience, Document, Hit, Ruling, StoredChunk

RULED_DOCUMENTS = 50
"""How deep those that lose are looked for: hits are at most so many."""
FIRST_PASSAGES = 3
"""Read of each document at first; more only where all are overruled, or asked for."""


@dataclass(frozen=True, slots=True)
class Overruling:
    """A ruling between two documents known to disagree, and where the loser says what lost."""

    ruling: Ruling
    chunks: frozenset[str]
    """Ids of the loser's chunks that hold any part of the losing statement."""


def rule_documents(
    connection: Connection,
    catalogue: Catalogue,
    asked: Inquiry,
    ranked: Sequence[Fused],
    known: Mapping[str, Document],
    authorities: Sequence[str],
    outside: Collection[str] = (),
) -> list[Overruling]:
    """Rulings against documents that may be served, by whichever ranked document known to disagree.

    What overrules a passage does so however far down it was found, and where the caller asked for
    some documents only, from outside of these.
    """
    valid = {fused.key for fused in ranked}
    top = {fused.key for fused in ranked[:RULED_DOCUMENTS]}
    found: list[tuple[Ruling, str]] = []
    for key in sorted((valid | set(outside)) & catalogue.conflicts.keys()):
        for row in catalogue.conflicts[key]:
            if row.loser_id not in valid or not {key, row.loser_id} & top:
                continue
            left, right = known[row.winner_id], known[row.loser_id]
            if (left.version, right.version) != (row.winner_version, row.loser_version):
                continue
            ruling = rule_between(left, right, authorities, customer=asked.request.customer)
            if ruling is not None:
                swapped = ruling.winner == row.loser_id
                statement = row.winner_statement if swapped else row.loser_statement
                found.append((ruling, statement))
    return _find_passages(connection, asked.audience, found)


def _find_passages(
    connection: Connection, audience: Audience, rulings: Sequence[tuple[Ruling, str]]
) -> list[Overruling]:
    """With the chunks that hold each losing statement, which may go over the end of one."""
    chunks_of: dict[str, list[StoredChunk]] = {}
    losers = {ruling.loser for ruling, _ in rulings}
    for chunk in live_chunks.read_chunks_of(connection, losers, audience) if losers else ():
        chunks_of.setdefault(chunk.document.document_id, []).append(chunk)
    texts = {key: ReadingText(chunks) for key, chunks in chunks_of.items()}
    return [
        Overruling(ruling, frozenset(texts[ruling.loser].holding(statement)))
        for ruling, statement in rulings
        if ruling.loser in texts
    ]


def order_ruled(
    catalogue: Catalogue,
    asked: Inquiry,
    ranked: Sequence[Fused],
    candidates: Candidates,
    rulings: Sequence[Overruling],
    authorities: Sequence[str],
) -> list[Fused]:
    """The ranking with winners above those they beat on what is asked.

    A ruling moves documents only where the loser's best passage is the one that lost: a page is
    not behind another for a number that nobody asked about. A stale one goes behind a fresh one
    that says the same. The better place brings the score.
    """
    top = [fused.key for fused in ranked[:RULED_DOCUMENTS]]
    best = {key: candidates.chunks[key][0] for key in top if candidates.chunks.get(key)}
    moving = _rule_twins(catalogue, asked, best, candidates, authorities)
    moving += [found.ruling for found in rulings if best.get(found.ruling.loser) in found.chunks]
    moving += rule_stale(catalogue, asked, top, candidates.documents)
    if not moving:
        return list(ranked)
    known = {fused.key: fused for fused in ranked}
    ordered = [known[key] for key in order_by_rulings([f.key for f in ranked], moving)]
    scores = [fused.score for fused in ordered]
    for place in range(len(scores) - 2, -1, -1):
        scores[place] = max(scores[place], scores[place + 1])
    return [replace(fused, score=score) for fused, score in zip(ordered, scores, strict=True)]


def _rule_twins(
    catalogue: Catalogue,
    asked: Inquiry,
    best: Mapping[str, str],
    candidates: Candidates,
    authorities: Sequence[str],
) -> list[Ruling]:
    found = []
    for key, chunk_id in best.items():
        for row in catalogue.twins.get(chunk_id, ()):
            if row.stronger_id not in candidates.documents:
                continue
            left, right = candidates.documents[row.stronger_id], candidates.documents[key]
            ruling = rule_between(left, right, authorities, customer=asked.request.customer)
            if ruling is not None and ruling.loser == key:
                found.append(ruling)
    return found


def build_hits(
    connection: Connection,
    catalogue: Catalogue,
    asked: Inquiry,
    ranked: Sequence[Fused],
    candidates: Candidates,
    rulings: Sequence[Overruling],
) -> list[Hit]:
    """As many hits as asked for, best first; passages that hold a losing statement are left out."""
    request = asked.request
    wanted = [f for f in ranked if f.key in candidates.documents][: request.top_k + len(rulings)]
    by_document = request.group_by == "document"
    each = FIRST_PASSAGES if by_document else None
    passages = _read_passages(connection, catalogue, asked, wanted, candidates, each)
    hits: list[Hit] = []
    for fused in wanted:
        lost = [found for found in rulings if found.ruling.loser == fused.key]
        chosen = _choose_passages(
            connection, catalogue, asked, fused.key, passages[fused.key], candidates, lost
        )
        for chunk, against in chosen[: 1 if by_document else request.most_passages]:
            hits.append(_build_hit(catalogue, asked, fused, candidates, rulings, chunk, against))
    return hits[: request.top_k]


def _choose_passages(
    connection: Connection,
    catalogue: Catalogue,
    asked: Inquiry,
    key: str,
    read: Sequence[StoredChunk],
    candidates: Candidates,
    lost: Sequence[Overruling],
) -> list[tuple[StoredChunk, Ruling | None]]:
    """A document's passages, with who overrules each; overruled ones only where asked for."""
    found = _judge_passages(asked, read, lost)
    further = candidates.chunks.get(key, [])[len(read) :]
    if not found and further:
        rest = catalogue.read_passages(connection, further, asked.audience)
        found = _judge_passages(asked, [rest[k] for k in further if k in rest], lost)
    return found


def _judge_passages(
    asked: Inquiry, read: Sequence[StoredChunk], lost: Sequence[Overruling]
) -> list[tuple[StoredChunk, Ruling | None]]:
    judged = [(c, next((o.ruling for o in lost if c.chunk_id in o.chunks), None)) for c in read]
    return [(c, r) for c, r in judged if r is None or asked.request.include_overruled]


def _build_hit(
    catalogue: Catalogue,
    asked: Inquiry,
    fused: Fused,
    candidates: Candidates,
    rulings: Sequence[Overruling],
    chunk: StoredChunk,
    against: Ruling | None,
) -> Hit:
    document = candidates.documents[fused.key]
    winners = [o.ruling.winner for o in rulings if o.ruling.loser == fused.key]
    freshness = judge_document(document, asked, catalogue, winners)
    return Hit(
        chunk=chunk,
        score=fused.score,
        freshness=freshness,
        overrules=tuple(dict.fromkeys(o.ruling for o in rulings if o.ruling.winner == fused.key)),
        overruled_by=against,
        unverified=unverified_reason(document),
        why={f"{name}_rank": rank for name, rank in fused.ranks.items()}
        | {f"{name}_part": round(part, 4) for name, part in fused.parts.items()}
        | {
            f"{name}_score": round(scores[fused.key], 4)
            for name, scores in candidates.scores.items()
            if fused.key in scores
        },
    )


def _read_passages(
    connection: Connection,
    catalogue: Catalogue,
    asked: Inquiry,
    wanted: Sequence[Fused],
    candidates: Candidates,
    each: int | None,
) -> dict[str, list[StoredChunk]]:
    """Each document's passages, best first; by shared words where no vector chose them."""
    keys = [fused.key for fused in wanted]
    chosen = passages_to_read(candidates, keys, each)
    stored = catalogue.read_passages(connection, chosen, asked.audience)
    passages = {
        key: [stored[part] for part in candidates.chunks.get(key, ())[:each] if part in stored]
        for key in keys
    }
    bare = [key for key, found in passages.items() if not found]
    if bare:
        terms = lexical.extract_terms(asked.request.query)
        stems = {lexical.stem(part) for term in terms for part in lexical.split_term(term)}
        passages |= catalogue.rank_passages(connection, bare, stems)
    return passages
