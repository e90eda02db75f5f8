"""What each part of the ranking is worth, alone and fused: the evaluation behind the constants.

    python bench/fusion.py --data DIR [--work DIR] [--json FILE]

`kb.fusion.FUSION_WEIGHTS`, `kb.lexical.MAX_QUERY_TERMS` and `TITLE_WEIGHT` stand on its figures
(bench/README.md). Keep the work folder to embed nothing twice.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import commerce_data
import numpy as np
import thunderbird_data
from fusion_signals import Corpus, Scores, best_of_documents, combine, fuse_ranks, open_corpus
from numpy.typing import NDArray
from thunderbird_data import Article, Query

from kb import lexical
from kb.fusion import FUSION_WEIGHTS
from kb.metrics import bootstrap_interval

WINDOW_WORDS = 180
WINDOW_STEP = 140
WINDOW_DEPTH = 60
"""Titled windows of words and nothing else: what a plain vector store does, the bar to beat."""
GRID = [round(step * 0.05, 2) for step in range(10)]
TERM_LIMITS = (12, 24, 48, 96)
TITLE_WEIGHTS = (1.0, 3.0, 5.0)
QUERY_WORDS = (60, 120)

Values = NDArray[np.float64]
Loader = Callable[[Path], tuple[list[Article], list[Query], str]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure both sets; 0 done, 2 no data or wrong usage."""
    options = _parse(arguments)
    folders = {
        "thunderbird": thunderbird_data.find_data(options.data),
        "commerce": commerce_data.find_data(options.data or Path()),
    }
    for folder in folders.values():
        if isinstance(folder, str):
            print(f"fusion: {folder}", file=sys.stderr)
            return 2
    figures: dict[str, Any] = {}
    with _work_folder(options.work) as work:
        for name, folder in folders.items():
            articles, queries, day = LOADERS[name](Path(folder))
            with open_corpus(articles, queries, work / name, day) as corpus:
                figures[name] = measure_corpus(corpus, articles)
            _print_figures(name, figures[name])
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="fusion", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", type=Path, help="folder that holds the data sets")
    parser.add_argument("--work", type=Path, help="kept, so that nothing is embedded twice")
    parser.add_argument("--json", type=Path, help="write all figures here")
    return parser.parse_args(arguments)


@contextmanager
def _work_folder(named: Path | None) -> Iterator[Path]:
    if named is not None:
        yield named.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="kb-fusion-") as work:
        yield Path(work)


def _load_thunderbird(folder: Path) -> tuple[list[Article], list[Query], str]:
    day = thunderbird_data.LAST_SNAPSHOT
    articles = thunderbird_data.read_articles(folder, day)
    known = {article.slug for article in articles}
    return articles, thunderbird_data.read_queries(folder, known), day


def _load_commerce(folder: Path) -> tuple[list[Article], list[Query], str]:
    queries = commerce_data.read_queries(folder)
    return commerce_data.read_articles(folder), queries, commerce_data.DAY


LOADERS: dict[str, Loader] = {"thunderbird": _load_thunderbird, "commerce": _load_commerce}


def measure_corpus(corpus: Corpus, articles: Sequence[Article]) -> dict[str, Any]:
    """nDCG@10 of each signal, of their fusions, and of the product with one thing changed."""
    passages, titles, words = corpus.rank_passages(), corpus.rank_titles(), corpus.rank_words()
    windows = rank_windows(corpus, articles)
    bar = corpus.measure(windows)
    systems = {
        "plain titled windows": windows,
        "windows + BM25, rank fusion": fuse_ranks([windows, words]),
        "semantic": passages,
        "lexical": words,
        "title": titles,
        "semantic + lexical, rank fusion": fuse_ranks([passages, words]),
        "all three, rank fusion": fuse_ranks([passages, words, titles]),
        "product": _fuse(passages, words, titles),
    }
    return {
        "questions": len(corpus.queries),
        "documents": len(corpus.keys),
        "passages": len(corpus.passages),
        "systems": {name: _summarise(corpus.measure(s), bar) for name, s in systems.items()},
        "grid": _search_weights(corpus, passages, words, titles),
        "changed": _change_one(corpus, passages, words, titles),
    }


def _fuse(passages: Scores, words: Scores, titles: Scores) -> Scores:
    signals = {"semantic": passages, "lexical": words, "title": titles}
    return combine([(FUSION_WEIGHTS[name], scores) for name, scores in signals.items()])


def rank_windows(corpus: Corpus, articles: Sequence[Article]) -> Scores:
    """Documents by their best overlapping window of words under the title."""
    columns = {key: column for column, key in enumerate(corpus.keys)}
    texts, owners = [], []
    for article in articles:
        held = article.text.split()
        for start in range(0, max(len(held) - WINDOW_WORDS + WINDOW_STEP, 1), WINDOW_STEP):
            texts.append(f"{article.title}\n{' '.join(held[start : start + WINDOW_WORDS])}")
            owners.append(columns[article.slug])
    encoded = np.stack(corpus.application.retriever.encode(texts))
    similarities = corpus.encode_queries() @ encoded.T
    return best_of_documents(similarities, np.asarray(owners), len(corpus.keys), WINDOW_DEPTH)


def _search_weights(
    corpus: Corpus, passages: Scores, words: Scores, titles: Scores
) -> list[dict[str, float]]:
    """The eight best weightings, best first."""
    found = []
    for by_words in GRID:
        for by_title in GRID:
            weights = (round(1 - by_words - by_title, 2), by_words, by_title)
            if weights[0] <= 0:
                continue
            fused = combine(list(zip(weights, (passages, words, titles), strict=True)))
            value = round(float(corpus.measure(fused).mean()), 4)
            found.append(
                {"ndcg": value, "semantic": weights[0], "lexical": by_words, "title": by_title}
            )
    return sorted(found, key=lambda row: -row["ndcg"])[:8]


def _change_one(
    corpus: Corpus, passages: Scores, words: Scores, titles: Scores
) -> dict[str, dict[str, float]]:
    """The product with one constant changed: the signal alone, and fused."""
    changed: dict[str, dict[str, float]] = {}

    def keep(name: str, signal: Scores, fused: Scores) -> None:
        alone, together = corpus.measure(signal).mean(), corpus.measure(fused).mean()
        changed[name] = {"signal": round(float(alone), 4), "fused": round(float(together), 4)}

    for limit in TERM_LIMITS:
        ranked = _rank_words_with(corpus, "MAX_QUERY_TERMS", limit)
        keep(f"{limit} query terms", ranked, _fuse(passages, ranked, titles))
    for weight in TITLE_WEIGHTS:
        ranked = _rank_words_with(corpus, "TITLE_WEIGHT", weight)
        keep(f"title weight {weight:g}", ranked, _fuse(passages, ranked, titles))
    ranked = _rank_words_with(corpus, "_STOPWORDS", frozenset())
    keep("no stop words", ranked, _fuse(passages, ranked, titles))
    for count in QUERY_WORDS:
        near = corpus.rank_passages(count)
        keep(f"first {count} words embedded", near, _fuse(near, words, corpus.rank_titles(count)))
    return changed


def _rank_words_with(corpus: Corpus, constant: str, value: object) -> Scores:
    usual = getattr(lexical, constant)
    setattr(lexical, constant, value)
    try:
        return corpus.rank_words()
    finally:
        setattr(lexical, constant, usual)


def _summarise(values: Values, bar: Values) -> dict[str, Any]:
    """Mean with its 95% bootstrap interval, and the paired difference to the bar."""
    return {
        "ndcg": round(float(values.mean()), 4),
        "interval": _interval(values),
        "minus_bar": round(float((values - bar).mean()), 4),
        "minus_bar_interval": _interval(values - bar),
    }


def _interval(values: Values) -> list[float]:
    low, high = bootstrap_interval(values.tolist()) or (0.0, 0.0)
    return [round(low, 4), round(high, 4)]


def _print_figures(name: str, figures: dict[str, Any]) -> None:
    print(f"{name}: {figures['questions']} questions, {figures['documents']} documents")
    for system, row in figures["systems"].items():
        low, high = row["interval"]
        least, most = row["minus_bar_interval"]
        difference = f"{row['minus_bar']:+.3f} [{least:+.3f} {most:+.3f}]"
        print(f"  {system:34} {row['ndcg']:.3f} [{low:.3f} {high:.3f}]  {difference}")
    for row in figures["grid"]:
        print(f"  {row['semantic']:.2f} {row['lexical']:.2f} {row['title']:.2f}  {row['ndcg']:.4f}")
    for change, row in figures["changed"].items():
        print(f"  {change:34} signal {row['signal']:.3f}, fused {row['fused']:.3f}")


if __name__ == "__main__":
    sys.exit(main())
