"""Tickets, gaps and drafts, wired to the retriever and the settings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from gaps import repository, signals
from gaps.drafting import drafts as draft_rows
from gaps.drafting import writer
from gaps.drafting.drafts import draft_to_json
from gaps.drafting.regression import check_regression
from gaps.drafting.replay import replay_draft
from gaps.drafting.target import find_related
from gaps.drafting.writer import DraftingSettings
from gaps.finding.report import gap_json
from gaps.reading.tickets import import_tickets
from gaps.types import Check, Draft, DraftState, Gap, GapKind, GapStatus, Ticket
from kb.clock import format_instant
from kb.errors import InvalidInputError, NotFoundError
from kb.types import Role

if TYPE_CHECKING:
    from api.keys import Caller
    from api.wiring import Application
    from gaps.finding.finder import FinderSettings

QUOTED_TICKETS = 20
LISTED_DRAFTS = 1_000
Progress = Callable[[int, int], None]


class GapDesk:
    """What owners and the weekly Drive do with tickets, gaps and drafts."""

    def __init__(self, application: Application) -> None:
        self._application = application

    def import_tickets(self, lines: Iterable[bytes], actor: str) -> dict[str, Any]:
        """Take JSON lines; personal data is masked before anything is stored."""
        application = self._application
        report = import_tickets(
            application.database,
            lines,
            clock=application.clock,
            audience_for=application.audience_for,
            actor=actor,
        )
        return report.to_json()

    def delete_ticket(self, ticket_id: str, actor: str) -> None:
        """Forget a ticket and what it taught; the next search does without it."""
        application = self._application
        with application.database.write() as connection:
            repository.delete_ticket(
                connection, ticket_id, actor=actor, now=application.clock.now()
            )

    def find_gaps(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        anew: bool = False,
        progress: Progress | None = None,
    ) -> dict[str, Any]:
        """Read the tickets of a window and say what the knowledge base lacks."""
        from gaps.finding.finder import find_gaps

        application = self._application
        report = find_gaps(
            application.database,
            application.retriever,
            application.encoder,
            settings=self._finder_settings(),
            now=application.clock.now(),
            since=since,
            until=until,
            anew=anew,
            progress=progress,
        )
        return report.to_json()

    def _finder_settings(self) -> FinderSettings:
        from gaps.finding.finder import FinderSettings

        settings = self._application.settings
        return FinderSettings(
            default_owner=self._default_owner(),
            owner_topics={owner.name: owner.topics for owner in settings.owners},
            authorities=settings.hierarchy.authorities,
            window_weeks=settings.gaps.window_weeks,
            reopen_growth=settings.gaps.reopen_growth,
        )

    def _default_owner(self) -> str:
        settings = self._application.settings
        if settings.gaps.default_owner is not None:
            return settings.gaps.default_owner
        if not settings.owners:
            raise InvalidInputError("no owner to hand gaps to; add [[owners]] to kb.toml")
        return settings.owners[0].name

    def list_gaps(
        self, *, status: str | None = None, kind: str | None = None
    ) -> list[dict[str, Any]]:
        """Gaps, strongest first."""
        with self._application.database.read() as connection:
            found = repository.read_gaps(
                connection,
                status=_choose(GapStatus, status, "status"),
                kind=_choose(GapKind, kind, "kind"),
            )
        return [gap_json(gap) for gap in found]

    def show_gap(self, gap_id: str) -> dict[str, Any]:
        """A gap with its reasons and the words of its first tickets."""
        with self._application.database.read() as connection:
            gap = repository.read_gap(connection, gap_id)
            shown = gap.ticket_ids[:QUOTED_TICKETS]
            tickets = repository.read_tickets(connection, ids=shown)
            tickets += signals.read_told(connection, shown)
        evidence = [
            {
                "ticket_id": ticket.ticket_id,
                "created_at": format_instant(ticket.created_at),
                "subject": ticket.subject,
                "body": ticket.body,
                "resolution": ticket.resolution,
                "status": ticket.status.value,
            }
            for ticket in tickets
        ]
        return gap_json(gap) | {"evidence": evidence}

    def create_draft(self, gap_id: str, caller: Caller) -> dict[str, Any]:
        """Write a draft for a gap, or a refusal with questions."""
        return draft_to_json(self.write_draft(gap_id, actor=caller.name), caller.audience)

    def write_draft(self, gap_id: str, *, actor: str) -> Draft:
        application = self._application
        return writer.create_draft(
            application.database,
            application.retriever,
            application.encoder,
            gap_id,
            now=application.clock.now(),
            settings=self.drafting_settings(),
            gate=self.check_regression,
            actor=actor,
        )

    def drafting_settings(self) -> DraftingSettings:
        application = self._application
        return DraftingSettings(
            publish_to=application.publish_source.name,
            authorities=application.settings.hierarchy.authorities,
            drafts_per_drive=application.settings.drive.drafts_per_drive,
            announce=application.notices.announce_draft,
            language_model=application.language_model,
        )

    def check_draft(self, draft: Draft) -> tuple[Check, ...]:
        """All checks again, for a text that a person has edited."""
        application = self._application
        gap, seen = self._read_seen(draft)
        return writer.check_draft(
            application.database,
            application.encoder,
            draft,
            gap,
            tickets=seen,
            related=find_related(application.retriever, gap, seen),
            now=application.clock.now(),
            settings=self.drafting_settings(),
            gate=self.check_regression,
        )

    def try_text(self, draft: Draft, markdown: str) -> Check:
        """What a text in the draft's place would do to real questions; nothing is kept."""
        edited = replace(draft, markdown=markdown.strip() + "\n")
        return writer.run_gate(self.check_regression, edited, self._read_seen(draft)[1])

    def _read_seen(self, draft: Draft) -> tuple[Gap, list[Ticket]]:
        """The draft's gap, with the tickets that its writer saw."""
        with self._application.database.read() as connection:
            gap = repository.read_gap(connection, draft.gap_id)
            tickets = repository.read_tickets(connection, ids=gap.ticket_ids)
        return gap, [t for t in tickets if t.ticket_id not in draft.held_back_ids]

    def check_regression(self, draft: Draft, tickets: Sequence[Ticket]) -> Check:
        """Ask the frozen questions and the gap's tickets as if the draft were published.

        Raises:
            KbError: It could not be tried.
        """
        application = self._application
        asked = replay_draft(
            application.database,
            application.retriever,
            application.encoder,
            draft,
            questions=application.learning.read_frozen(),
            tickets=tickets,
            now=application.clock.now(),
            prepare=application.publishing.render,
        )
        return check_regression(asked, draft.audience)

    def list_drafts(self, caller: Caller, *, state: str | None = None) -> list[dict[str, Any]]:
        """Drafts the caller may review, newest first."""
        chosen = _choose(DraftState, state, "state")
        with self._application.database.read() as connection:
            found = draft_rows.read_drafts(
                connection,
                states=[chosen] if chosen else (),
                owner=None if caller.role.includes(Role.EDITOR) else caller.owner,
                limit=LISTED_DRAFTS,
            )
        return [draft_to_json(draft, caller.audience) for draft in found]

    def read_draft(self, draft_id: str, caller: Caller) -> Draft:
        """A draft, for whoever may review it; to others it does not exist."""
        with self._application.database.read() as connection:
            draft = draft_rows.read_draft(connection, draft_id)
        if not caller.role.includes(Role.EDITOR) and draft.owner != caller.owner:
            raise NotFoundError("draft", draft_id)
        return draft

    def show_draft(self, draft_id: str, caller: Caller) -> dict[str, Any]:
        draft = self.read_draft(draft_id, caller)
        with self._application.database.read() as connection:
            found = draft_rows.read_reviews(connection, draft_id)
        reviews = [
            {
                "at": format_instant(review.at),
                "reviewer": review.reviewer,
                "decision": review.decision,
                "reason": review.reason,
                "because": review.because,
            }
            for review in found
        ]
        told = self._application.reviewing.describe(draft_id)
        return draft_to_json(draft, caller.audience) | {"reviews": reviews} | told


def _choose(kind: Any, value: str | None, what: str) -> Any:
    if value is None:
        return None
    try:
        return kind(value)
    except ValueError:
        allowed = ", ".join(member.value for member in kind)
        raise InvalidInputError(f"expected one of: {allowed}", where=what) from None
