"""The one composition root: settings to the objects that do the work.

Everything is made when it is first asked for, so a command pays only for what it uses.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from api.keys import Caller
from api.settings.environment import Environment
from api.settings.knowledge import OwnerSettings, SourceSettings
from api.settings.reading import Settings, find_config, read_settings
from kb.clock import SystemClock
from kb.database import Database
from kb.errors import ConflictError, InvalidInputError, KbError, NotFoundError, UnavailableError
from kb.ports import Clock, Encoder, LanguageModel
from kb.types import Audience, Role

if TYPE_CHECKING:
    from api.autonomy import Autonomy
    from api.freshness_desk import FreshnessDesk
    from api.gap_desk import GapDesk
    from api.learning import Learning
    from api.meters import Meters
    from api.notices.desk import Notices
    from api.publishing import Publishing
    from api.review_desk import ReviewDesk
    from api.topic_desk import TopicDesk
    from api.weekly import Weekly
    from ingest.sources.git import GitSource
    from ingest.sources.markdown import MarkdownFolder
    from ingest.sources.port import ReadableSource
    from kb.confidence import Calibration
    from kb.generation import GenerationStore
    from kb.retrieval.index import SearchIndex
    from kb.retrieval.retriever import Retriever

log = logging.getLogger("kb.wiring")
SHIPPED_PRIOR = Path(__file__).parent.parent / "kb" / "confidence_default.json"
REBUILD_SHARE = 0.2
"""A delta over this share of the live chunks is worth sealing; judgement, not measurement."""
REBUILD_FEWEST = 500


class Application:
    """One knowledge base: its settings, its data folder and what works on them."""

    def __init__(self, settings: Settings, root: Path, clock: Clock | None = None) -> None:
        """Take settings as read.

        Args:
            settings: What kb.toml says.
            root: The folder kb.toml stands in; locations are relative to it.
            clock: Where the present comes from; the system's clock unless given.
        """
        self.settings = settings
        self.root = root
        self.clock: Clock = clock or SystemClock()
        self.environment = Environment()

    @classmethod
    def open(cls, config: Path | None = None, clock: Clock | None = None) -> Application:
        """Read the configuration and bring the database's schema up to date."""
        path = find_config(config)
        application = cls(read_settings(path), path.parent, clock)
        application.data_folder.mkdir(parents=True, exist_ok=True)
        application.database.migrate()
        return application

    @property
    def data_folder(self) -> Path:
        if self.environment.data_dir is not None:
            return self.environment.data_dir.resolve()
        return (self.root / self.settings.storage.folder).resolve()

    @cached_property
    def database(self) -> Database:
        url = self.environment.database_url or f"sqlite:///{self.data_folder / 'kb.db'}"
        return Database(url)

    @cached_property
    def encoder(self) -> Encoder:
        from kb.encoding.choosing import choose_encoder
        from kb.encoding.hashing import HashingEncoder

        wanted = self.settings.encoder
        if wanted.kind == "hashing":
            return HashingEncoder()
        return choose_encoder(wanted.model, wanted.backend, self.environment.find_model_cache())

    @cached_property
    def meters(self) -> Meters:
        from api.meters import Meters

        return Meters()

    @cached_property
    def language_model(self) -> LanguageModel | None:
        """What words new articles; None where none is configured.

        Raises:
            UnavailableError: It is configured and its extra is not installed.
        """
        wanted = self.settings.language_model
        if wanted.base_url is None or wanted.model is None:
            return None
        try:
            from gaps.drafting.writing.language_model import OpenAiLikeModel
        except ImportError as error:
            raise UnavailableError(
                "a language model is configured: pip install 'kbops[language-model]'",
                retryable=False,
            ) from error
        key = self.environment.language_model_key
        return OpenAiLikeModel(
            wanted.base_url,
            wanted.model,
            key=key.get_secret_value() if key is not None else None,
            timeout_seconds=wanted.timeout_seconds,
            input_price=wanted.input_price,
            output_price=wanted.output_price,
        )

    @cached_property
    def generations(self) -> GenerationStore:
        from kb.generation import GenerationStore

        return GenerationStore(self.database, self.data_folder)

    @cached_property
    def index(self) -> SearchIndex:
        from kb.retrieval.index import SearchIndex

        return SearchIndex(self.database, self.generations, self.encoder)

    @cached_property
    def retriever(self) -> Retriever:
        from kb.retrieval.retriever import Retriever, RetrieverRules

        rules = RetrieverRules(
            self.settings.hierarchy.authorities,
            self.settings.retrieval.weights,
            self.settings.retrieval.answerable_threshold,
        )
        return Retriever(
            self.database, self.index, self.encoder, self.clock, rules, self.read_prior()
        )

    def read_prior(self) -> Calibration | None:
        """The confidence that ships, stated as uncalibrated; for the encoder it was fitted with."""
        from kb.confidence import Calibration

        if self.settings.encoder.kind != "sentence-transformers" or not SHIPPED_PRIOR.exists():
            return None
        return Calibration.from_json(json.loads(SHIPPED_PRIOR.read_text(encoding="utf-8")))

    def sync_sources(self, only: str | None = None) -> Iterator[dict[str, Any]]:
        """Sync every source in turn, or one; a source that fails does not stop the others.

        Publications whose files are not written yet are finished first, and left alone while
        they are not: a missing file would count as a deletion.

        Yields:
            Its report, or its name with `failed`, which says why in one line.
        """
        from gaps.drafting.publications import read_unwritten
        from ingest.sync import sync_source

        self.publishing.finish()
        wanted = [self.find_source(only)] if only else self.settings.sources
        for source in wanted:
            try:
                report = sync_source(
                    self.database,
                    self.encoder,
                    self.open_source(source),
                    clock=self.clock,
                    held=lambda connection: {p.document_id for p in read_unwritten(connection)},
                )
            except KbError as error:
                yield {"name": source.name, "failed": error.message}
            else:
                yield report.to_json()

    def open_source(self, source: SourceSettings) -> ReadableSource:
        """The connector of the source's kind."""
        if source.kind == "git":
            return self.git_source(source)
        return self.markdown_folder(source)

    def git_source(self, source: SourceSettings) -> GitSource:
        from ingest.sources.git import GitSource
        from ingest.sources.git_command import protocol_of

        local = protocol_of(source.location) == "file" and "://" not in source.location
        return GitSource(
            name=source.name,
            location=str(self.source_folder(source)) if local else source.location,
            mirror=self.data_folder / "repositories" / f"{source.name}.git",
            authority=source.authority,
            audience=source.audience,
            owner=source.owner,
            branch=source.branch,
            folder=source.folder,
            protocols=self.settings.git.protocols,
            timeout_seconds=self.settings.git.timeout_seconds,
            review_every_days=source.review_every_days,
            authorities=self.settings.hierarchy.authorities,
            owners=tuple(owner.name for owner in self.settings.owners),
        )

    def markdown_folder(self, source: SourceSettings) -> MarkdownFolder:
        from ingest.sources.markdown import MarkdownFolder

        return MarkdownFolder(
            name=source.name,
            location=self.source_folder(source),
            authority=source.authority,
            audience=source.audience,
            owner=source.owner,
            review_every_days=source.review_every_days,
            authorities=self.settings.hierarchy.authorities,
            owners=tuple(owner.name for owner in self.settings.owners),
        )

    def find_owner(self, name: str) -> OwnerSettings:
        for owner in self.settings.owners:
            if owner.name == name:
                return owner
        known = ", ".join(owner.name for owner in self.settings.owners)
        raise InvalidInputError(f"unknown owner {name!r} (expected one of: {known})")

    def local_caller(self, owner: str) -> Caller:
        """Who acts with `--as`: whoever runs commands here may write the database anyway."""
        self.find_owner(owner)
        return Caller("cli", Role.OWNER, Audience.INTERNAL, owner)

    @property
    def operator(self) -> Caller:
        """Whoever runs commands on this machine: may read everything."""
        return Caller("cli", Role.ADMIN, Audience.INTERNAL, None)

    @cached_property
    def publishing(self) -> Publishing:
        from api.publishing import Publishing

        return Publishing(self)

    @cached_property
    def autonomy(self) -> Autonomy:
        from api.autonomy import Autonomy

        return Autonomy(self)

    @cached_property
    def freshness(self) -> FreshnessDesk:
        from api.freshness_desk import FreshnessDesk

        return FreshnessDesk(self)

    @cached_property
    def desk(self) -> GapDesk:
        from api.gap_desk import GapDesk

        return GapDesk(self)

    @cached_property
    def reviewing(self) -> ReviewDesk:
        from api.review_desk import ReviewDesk

        return ReviewDesk(self)

    @cached_property
    def topics(self) -> TopicDesk:
        from api.topic_desk import TopicDesk

        return TopicDesk(self)

    @cached_property
    def learning(self) -> Learning:
        from api.learning import Learning

        return Learning(self)

    @cached_property
    def notices(self) -> Notices:
        from api.notices.desk import Notices

        return Notices(self)

    @cached_property
    def weekly(self) -> Weekly:
        from api.weekly import Weekly

        return Weekly(self)

    def find_source(self, name: str) -> SourceSettings:
        for source in self.settings.sources:
            if source.name == name:
                return source
        raise NotFoundError("source", name)

    def source_folder(self, source: SourceSettings) -> Path:
        return (self.root / source.location).resolve()

    @property
    def publish_source(self) -> SourceSettings:
        """Where new articles go."""
        if self.settings.gaps.publish_to is not None:
            return self.find_source(self.settings.gaps.publish_to)
        for source in self.settings.sources:
            if source.authority == "help_article":
                return source
        if not self.settings.sources:
            raise InvalidInputError("no source to publish to; add [[sources]] to kb.toml")
        return self.settings.sources[0]

    def audience_for(self, product: str | None) -> Audience:
        """The audience of a ticket's content, by its product.

        Unlisted products take the default; without one, the most trusted audience any source
        has, so that nothing internal can end in a public draft by omission.
        """
        listed = self.settings.gaps.audience_by_product
        if product is not None and product in listed:
            return listed[product]
        if self.settings.gaps.default_audience is not None:
            return self.settings.gaps.default_audience
        audiences = [source.audience for source in self.settings.sources]
        return max(audiences, key=lambda a: a.rank, default=Audience.INTERNAL)

    def needs_rebuild(self) -> bool:
        """Whether enough has changed since the serving generation was sealed."""
        from kb import live_chunks
        from kb.retrieval.index import read_state

        with self.database.read() as connection:
            live = live_chunks.count_live_chunks(connection)
            state = read_state(connection)
            active = state.generation
            watermark = 0
            if active is not None:
                known = {g.generation_id: g for g in self.generations.read_all()}
                if active not in known:
                    return live > 0
                if known[active].recipe != self.encoder.recipe:
                    log.warning(
                        "%s was built with encoder %s; embedding %d passages anew with %s",
                        active, known[active].recipe, live, self.encoder.recipe,
                    )  # fmt: skip
                    return live > 0
                watermark = known[active].watermark_seq
            fresh = len(live_chunks.read_chunks_since(connection, watermark))
            retired = live_chunks.read_retired_since(connection, watermark) if active else 0
        if active is None:
            return live > 0
        return fresh + retired > max(REBUILD_FEWEST, REBUILD_SHARE * live)

    def refresh_index(self, *, actor: str) -> None:
        """Rebuild the index when enough has changed, unless another process is at it."""
        if not self.needs_rebuild():
            return
        try:
            self.rebuild_index(actor=actor)
        except ConflictError as error:
            log.info("index not rebuilt: %s", error)

    def rebuild_index(self, *, actor: str) -> str:
        """Embed what is missing, seal a generation and serve it; returns its id."""
        from kb.vectors import embed_live

        embed_live(self.database, self.encoder)
        generation = self.generations.build(self.encoder.recipe, now=self.clock.now())
        self.generations.activate(generation.generation_id, actor=actor, now=self.clock.now())
        self.generations.prune()
        return generation.generation_id

    def close(self) -> None:
        if "index" in self.__dict__:
            self.index.close()
        if "database" in self.__dict__:
            self.database.close()
