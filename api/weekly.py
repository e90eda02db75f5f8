"""The weekly work, wired: freshness, conflicts, the Drive, effects."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import TYPE_CHECKING, Any

from gaps.drafting.publications import read_publications
from gaps.freshness.check import check_freshness
from gaps.freshness.facts import Release
from gaps.freshness.outside import Outside, read_edits, read_releases
from gaps.operating import drive
from gaps.operating.conflict_check import check_conflicts
from gaps.operating.effect import baseline_for, measure_effects
from gaps.types import Draft
from ingest.answers import FetchLimits
from ingest.fetching import Fetcher
from ingest.links.run import check_links
from kb.clock import format_instant
from kb.errors import NotFoundError

if TYPE_CHECKING:
    from api.wiring import Application


class Weekly:
    """What runs by itself once a week, and by hand at any time."""

    def __init__(self, application: Application) -> None:
        self._application = application

    def check_freshness(self, *, conflicts: bool = True) -> dict[str, Any]:
        """Find contradictions unless told not to, then judge every published document.

        What is due only by age and used well is confirmed where the action table allows it, and
        proposed to its owner where it does not.
        """
        application = self._application
        now = application.clock.now()
        authorities = application.settings.hierarchy.authorities
        if conflicts:
            check_conflicts(
                application.database, application.encoder, now=now, authorities=authorities
            )
        report = check_freshness(
            application.database,
            now=now,
            authorities=authorities,
            recipe=application.encoder.recipe,
            outside=self.read_outside(),
        )
        return report | {"reverified": application.freshness.reverify_ready(report["ready"])}

    def check_links(self) -> dict[str, object]:
        """Look behind the links of published articles; nothing is fetched unless allowed."""
        application = self._application
        settings = application.settings.links

        def open_fetcher() -> Fetcher:
            limits = FetchLimits(per_host_seconds=settings.per_host_seconds)
            return Fetcher(allowed=settings.allow_hosts, limits=limits)

        return check_links(
            application.database, application.clock, open_fetcher if settings.enabled else None
        )

    def read_outside(self) -> Outside:
        """Releases, edits and views, as kb.toml tells or names the files."""
        application = self._application
        settings, folder = application.settings, application.root
        told = tuple(
            Release(r.name, r.version, datetime.combine(r.date, time(), UTC), r.product, r.notes)
            for r in settings.releases
        )
        listed = settings.freshness.releases
        read = read_releases(folder / listed) if listed else ()
        logged = settings.freshness.activity
        releases = tuple(sorted({*told, *read}, key=lambda r: (r.at, r.name, r.version, r.notes)))
        return Outside(releases, read_edits(folder / logged) if logged else {})

    def run_drive(self, period: str) -> dict[str, Any]:
        """Run the Drive that looks back on a week, and keep its report."""
        application = self._application
        now = application.clock.now()
        tools = drive.DriveTools(
            database=application.database,
            retriever=application.retriever,
            encoder=application.encoder,
            settings=application.desk.drafting_settings(),
            find_gaps=application.desk.find_gaps,
            gate=application.desk.check_regression,
            learn=lambda: application.learning.learn(actor="drive"),
            outside=self.read_outside(),
            publish_earned=application.autonomy.publish_earned,
        )
        return drive.run_drive(tools, period=period, now=now)

    def read_drive(self, period: str | None = None) -> dict[str, Any]:
        """A stored report; the last one where no week is named."""
        with self._application.database.read() as connection:
            if period is None:
                found = drive.read_drives(connection, limit=1)
                report = found[0] if found else None
            else:
                report = drive.read_drive(connection, period)
        if report is None:
            raise NotFoundError("drive", period or "yet")
        return report

    def list_drives(self) -> list[dict[str, Any]]:
        with self._application.database.read() as connection:
            return drive.read_drives(connection, limit=500)

    def measure_before(self, draft: Draft) -> dict[str, Any]:
        """Ask a gap's tickets before its draft is served."""
        application = self._application
        return baseline_for(application.database, application.retriever)(draft)

    def measure_effects(self) -> list[dict[str, Any]]:
        """Ask again for every publication that is served, and judge what it did."""
        application = self._application
        with application.database.read() as connection:
            found = read_publications(connection, live_only=True)
        measured = measure_effects(
            application.database,
            application.retriever,
            [publication.publication_id for publication in found],
            now=application.clock.now(),
        )
        return [
            {
                "publication_id": effect.publication_id,
                "document_id": publication.document_id,
                "verdict": effect.verdict,
                "measured_at": format_instant(effect.measured_at),
                "report": effect.report,
            }
            for publication, effect in zip(found, measured, strict=True)
        ]
