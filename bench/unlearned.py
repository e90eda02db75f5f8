"""What the unlearned ranking is worth on four question sets, beside each of its parts.

    python bench/unlearned.py --data DIR [--work DIR] [--json FILE] [--only SET]

nDCG@10 of the product's own path (`kb sync`, then the retriever, asked as the public is): by
default, with other `[retrieval]` weights in kb.toml, each ranking it fuses alone, and rank fusion
of the three. The bar: the product is better than its best part on every set.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from thunderbird_data import Query, write_knowledge_base
from thunderbird_service import CommandError, Product
from unlearned_data import LOADERS, find_sets

from api.wiring import Application
from kb.clock import FixedClock, parse_instant
from kb.fusion import FUSION_WEIGHTS, fuse_rankings
from kb.metrics import bootstrap_interval, ndcg
from kb.retrieval.candidates import collect_candidates
from kb.types import Audience, SearchRequest

DEPTH = 10
QUERY_CHARACTERS = 20_000
RANK_CONSTANT = 60
PARTS = ("semantic", "lexical", "title")
TARGETS = {"thunderbird": 0.55, "commerce": 0.86, "tau": 0.35, "scifact": 0.73}
OTHER_WEIGHTS = {
    "thunderbird": (0.65, 0.25, 0.1),
    "commerce": (0.45, 0.2, 0.35),
    "tau": (0.5, 0.5, 0.0),
    "scifact": (0.5, 0.5, 0.0),
}
"""What a team could write into kb.toml; chosen on these very questions."""
STEPS = 20
"""The grid of weights goes in steps of 1 / 20."""
Rankings = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Asked:
    """One question with what the product ranked and what it fused."""

    query: Query
    rankings: Rankings
    """Scores by ranking and document, as the retriever collects them."""
    served: list[str]

    def score(self, ranked: Sequence[str]) -> float:
        return ndcg(ranked, self.query.relevant, DEPTH)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the sets; 0 done, 1 the product failed, 2 no data or wrong usage."""
    options = _parse(arguments)
    folders = find_sets(options.data)
    if isinstance(folders, str):
        print(f"unlearned: {folders}", file=sys.stderr)
        return 2
    names = [options.only] if options.only else list(LOADERS)
    with tempfile.TemporaryDirectory(prefix="kb-unlearned-") as temporary:
        work = (options.work or Path(temporary)).resolve()
        try:
            figures = {name: _measure_set(name, folders[name], work) for name in names}
        except CommandError as error:
            print(f"unlearned: {error}", file=sys.stderr)
            return 1
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="unlearned", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", type=Path, help="folder that holds the data sets")
    parser.add_argument("--work", type=Path, help="kept, so that nothing is embedded twice")
    parser.add_argument("--json", type=Path, help="write all figures here")
    parser.add_argument("--only", choices=tuple(LOADERS), help="one set instead of all")
    return parser.parse_args(arguments)


def _measure_set(name: str, folder: Path, work: Path) -> dict[str, Any]:
    articles, queries, day = LOADERS[name](folder)
    config = write_knowledge_base(articles, work / name)
    product = Product(config, day)
    report, seconds = product.run("sync")
    source = report["sources"][0]
    if source["listed"] != len(articles) or source["refused"]:
        raise CommandError(f"{name}: kb sync took {source['listed']} of {len(articles)}: {source}")
    asked = ask(product, queries)
    other = OTHER_WEIGHTS[name]
    usual = config.read_text()
    weights = [f"{part} = {share}" for part, share in zip(PARTS, other, strict=True)]
    config.write_text("\n".join([usual, "[retrieval]", *weights, ""]))
    try:
        again = ask(product, queries)
    finally:
        config.write_text(usual)
    figures = {
        "questions": len(queries),
        "documents": len(articles),
        "sync_seconds": round(seconds, 1),
        "target": TARGETS[name],
        "systems": measure_systems(asked, [one.score(one.served) for one in again]),
        "other_weights": dict(zip(PARTS, other, strict=True)),
        "grid": search_weights(asked),
    }
    _print_figures(name, figures)
    return figures


def ask(product: Product, queries: Sequence[Query]) -> list[Asked]:
    """Each question once, by the retriever as the public's, with the rankings it fused."""
    application = Application.open(product.config, FixedClock(parse_instant(product.now)))
    asked = []
    try:
        texts = [query.text[:QUERY_CHARACTERS] for query in queries]
        vectors = application.retriever.encode(texts)
        view = application.index.view()
        for query, text, vector in zip(queries, texts, vectors, strict=True):
            with application.database.read() as connection:
                found = collect_candidates(connection, view, text, Audience.PUBLIC, vector)
            response = application.retriever.search(
                SearchRequest(text, top_k=DEPTH), Audience.PUBLIC, vector=vector
            )
            if response.degraded:
                raise CommandError(f"degraded: {', '.join(response.degraded)}")
            served = [hit.chunk.document.document_id for hit in response.hits]
            asked.append(Asked(query, found.scores, served))
    finally:
        application.close()
    return asked


def measure_systems(asked: Sequence[Asked], other: Sequence[float]) -> dict[str, Any]:
    """Every system's mean with its interval, and the product's paired difference to it."""
    values = {
        "product": [one.score(one.served) for one in asked],
        "product, other weights": list(other),
    }
    for part in PARTS:
        values[part] = [one.score(_fuse(one.rankings, {part: 1.0})) for one in asked]
    values["rank fusion"] = [one.score(fuse_ranks(one.rankings)) for one in asked]
    product = values["product"]
    return {
        name: _summarise(each)
        | {"product_minus": _summarise([a - b for a, b in zip(product, each, strict=True)])}
        for name, each in values.items()
    }


def _fuse(rankings: Rankings, weights: Mapping[str, float]) -> list[str]:
    return [fused.key for fused in fuse_rankings(rankings, weights)][:DEPTH]


def fuse_ranks(rankings: Rankings) -> list[str]:
    """Reciprocal rank fusion (Cormack et al., 2009) of all rankings."""
    scores: dict[str, float] = {}
    for ranking in rankings.values():
        ordered = sorted(ranking, key=lambda key: (-ranking[key], key))
        for place, key in enumerate(ordered, start=1):
            scores[key] = scores.get(key, 0.0) + 1 / (RANK_CONSTANT + place)
    return sorted(scores, key=lambda key: (-scores[key], key))[:DEPTH]


def search_weights(asked: Sequence[Asked]) -> list[dict[str, float]]:
    """The five best weightings of a grid, and the product's own, best first."""
    found = []
    for semantic in range(2, STEPS + 1, 2):
        for lexical in range(0, STEPS - semantic + 1, 2):
            shares = (semantic, lexical, STEPS - semantic - lexical)
            weights = {p: s / STEPS for p, s in zip(PARTS, shares, strict=True)}
            found.append(weights | {"ndcg": _mean_of(asked, weights)})
    best = sorted(found, key=lambda row: -row["ndcg"])[:5]
    usual = dict(FUSION_WEIGHTS)
    return [*best, usual | {"ndcg": _mean_of(asked, usual)}]


def _mean_of(asked: Sequence[Asked], weights: Mapping[str, float]) -> float:
    return round(sum(one.score(_fuse(one.rankings, weights)) for one in asked) / len(asked), 4)


def _summarise(values: Sequence[float]) -> dict[str, Any]:
    low, high = bootstrap_interval(values) or (0.0, 0.0)
    mean = sum(values) / max(len(values), 1)
    return {"mean": round(mean, 4), "interval": [round(low, 4), round(high, 4)]}


def _print_figures(name: str, figures: Mapping[str, Any]) -> None:
    print(f"{name}: {figures['questions']} questions, {figures['documents']} documents")
    for system, row in figures["systems"].items():
        low, high = row["interval"]
        less = row["product_minus"]
        print(
            f"  {system:24} {row['mean']:.3f} [{low:.3f} {high:.3f}]   product minus it "
            f"{less['mean']:+.3f} [{less['interval'][0]:+.3f} {less['interval'][1]:+.3f}]"
        )
    systems = figures["systems"]
    product = systems["product"]["mean"]
    best = max(PARTS, key=lambda part: systems[part]["mean"])
    verdict = "better than" if product > systems[best]["mean"] else "not better than"
    reached = "reached" if product >= figures["target"] else "missed"
    print(f"  {verdict} its best part ({best}); target {figures['target']:.2f} {reached}")
    for row in figures["grid"]:
        print(f"  {row['semantic']:.2f} {row['lexical']:.2f} {row['title']:.2f}  {row['ndcg']:.4f}")


if __name__ == "__main__":
    sys.exit(main())
