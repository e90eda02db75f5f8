"""kbops in process: `kb sync` builds, `api.wiring.Application` answers as `POST /v1/search` does.

With tickets in the options it learns from them, in a copy of what was built: `kb tickets import`,
then `kb learn`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from serve import DEPTH, first_articles
from thunderbird_service import CommandError, Product


class KbopsSystem:
    def __init__(self) -> None:
        self._application: Any = None

    def build(self, options: dict[str, Any]) -> dict[str, Any]:
        product = Product(Path(options["config"]), options["now"])
        if "tickets" in options:
            return self._learn(product, options)
        report, seconds = product.run("sync")
        source = report["sources"][0]
        if source["refused"]:
            raise CommandError(f"kb sync refused {len(source['refused'])} articles")
        units = self._write_chunks(product, Path(options["chunks"]))
        return {"ingest_seconds": seconds, "units": units}

    def _learn(self, product: Product, options: dict[str, Any]) -> dict[str, Any]:
        """Seconds of the import and of learning; a `kb` that cannot yet says so by failing."""
        imported, import_seconds = product.run("tickets", "import", options["tickets"])
        report, seconds = Product(product.config, options["learn_now"]).run("learn")
        return {
            "learn_seconds": seconds,
            "import_seconds": import_seconds,
            "imported": imported,
            "learned": report,
        }

    def _write_chunks(self, product: Product, path: Path) -> int:
        """The chunks kbops made, under their titles, for other systems to read in."""
        from sqlalchemy import select

        from kb.tables import chunks, documents

        application = self._connect(product)
        with application.database.read() as connection:
            rows = connection.execute(
                select(documents.c.id, documents.c.title, chunks.c.heading_path, chunks.c.text)
                .join(documents, documents.c.id == chunks.c.document_id)
                .where(chunks.c.live)
                .order_by(chunks.c.document_id, chunks.c.position)
            ).all()
        application.close()
        with path.open("w", encoding="utf-8") as lines:
            for row in rows:
                text = "\n".join(filter(None, (" > ".join(row.heading_path), row.text)))
                unit = {"article": row.id, "title": row.title, "text": text}
                lines.write(json.dumps(unit, ensure_ascii=False) + "\n")
        return len(rows)

    def _connect(self, product: Product) -> Any:
        from api.wiring import Application
        from kb.clock import FixedClock, parse_instant

        return Application.open(product.config, FixedClock(parse_instant(product.now)))

    def open(self, options: dict[str, Any]) -> None:
        self._application = self._connect(Product(Path(options["config"]), options["now"]))

    def search(self, query: str) -> list[str]:
        from kb.types import Audience, SearchRequest

        request = SearchRequest(query, top_k=DEPTH)
        response = self._application.retriever.search(request, Audience.PUBLIC)
        if response.degraded:
            raise CommandError(f"degraded: {', '.join(response.degraded)}")
        return first_articles(hit.chunk.document.document_id for hit in response.hits)

    def processes(self) -> Sequence[int]:
        return [os.getpid()]

    def close(self) -> None:
        if self._application is not None:
            self._application.close()


SYSTEM = KbopsSystem()
